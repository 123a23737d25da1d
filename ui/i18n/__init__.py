"""Languages of the dashboard. `script/translations` reads the texts out of the code and builds what is loaded here.

A third language needs a `dashboard_xx.ts` made with Qt Linguist, and one line in `Language`.
"""

from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTranslator

FOLDER = Path(__file__).parent


class Language(StrEnum):
    ENGLISH = "en"
    JAPANESE = "ja"

    @property
    def own_name(self) -> str:
        """As its speakers write it, whatever language is shown."""
        return {"en": "English", "ja": "日本語"}[self.value]


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:
    """`text` as it is, marked for translation later: lupdate looks for this very name."""
    return text


def translate(context: str, text: str) -> str:
    """`text` in the language of now."""
    return QCoreApplication.translate(context, text)


class Translation:
    """The installed language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._translator: QTranslator | None = None
        self.use(language)

    def use(self, language: Language) -> None:
        self.close()
        translator = QTranslator()
        if not translator.load(str(FOLDER / f"dashboard_{language.value}.qm")):
            raise FileNotFoundError(
                f"translation {FOLDER / f'dashboard_{language.value}.qm'} is missing or damaged: reinstall Inspector"
            )
        QCoreApplication.installTranslator(translator)
        self._translator = translator
        self.language = language

    def close(self) -> None:
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
            self._translator = None
