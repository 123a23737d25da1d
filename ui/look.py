"""How everything looks now: palette, scale and language. Widgets redraw themselves on `changed`."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor, QFont

from ui.i18n import Language, Translation
from ui.theme import PALETTES, Palette, Theme, stylesheet

DESIGN_WIDTH, DESIGN_HEIGHT = 1920, 1080  # px; all sizes in the widgets are those of a panel of this size
TOUCH = 48  # px; what a finger needs does not shrink with the panel
SMALLEST_TEXT = 12  # px
FONTS = ["Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Yu Gothic UI", "Hiragino Sans", "DejaVu Sans"]


class Look(QObject):
    """One for each window. Palette, scale and language change while running."""

    changed = Signal()

    def __init__(self, theme: Theme, language: Language) -> None:
        super().__init__()
        self.theme = theme
        self.scale = 1.0
        self._translation = Translation(language)

    @property
    def palette(self) -> Palette:
        return PALETTES[self.theme]

    @property
    def language(self) -> Language:
        return self._translation.language

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.changed.emit()

    def set_language(self, language: Language) -> None:
        self._translation.use(language)
        self.changed.emit()

    def fit(self, width: int, height: int) -> None:
        """Take the scale for a window of `width` x `height` px."""
        scale = min(width / DESIGN_WIDTH, height / DESIGN_HEIGHT)
        if abs(scale - self.scale) > 0.005:
            self.scale = scale
            self.changed.emit()

    def px(self, design_px: float) -> int:
        return max(1, round(design_px * self.scale))

    def touch(self, design_px: float = TOUCH) -> int:
        return max(TOUCH, self.px(design_px))

    def font(self, design_px: float, *, bold: bool = False) -> QFont:
        font = QFont(FONTS)
        font.setPixelSize(max(SMALLEST_TEXT, self.px(design_px)))
        font.setBold(bold)
        return font

    def color(self, role: str) -> QColor:
        """The palette's colour of this name."""
        return QColor(str(getattr(self.palette, role)))

    def stylesheet(self) -> str:
        return stylesheet(self.palette, radius=self.px(6), padding=self.px(16), touch=TOUCH)

    def close(self) -> None:
        self._translation.close()
