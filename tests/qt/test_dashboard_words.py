"""Every word in both languages."""

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from inspector.adapters.cameras.simulated_line import DEFECT_CLASSES
from inspector.domain.alarm import AlarmCode
from inspector.domain.certificate import (
    RELATIVE_ONLY,
    UNCERTIFIED,
    CertificateStatus,
    Risk,
    Truth,
    VoidReason,
)
from inspector.domain.disposition import Action, HoldReason
from tests.support.station_values import a_part, an_alarm
from ui import words
from ui.i18n import FOLDER, Language, Translation

JAPANESE = re.compile(r"[぀-ヿ一-鿿]")
SAME_IN_BOTH = {"OK", "NG", "MES", "Inspector", "{ms} ms", "{p50} / {p99} ms"}
TOOLS = Path(sys.executable).parent


@pytest.fixture
def japanese(qapp: QApplication) -> Iterator[None]:
    translation = Translation(Language.JAPANESE)
    yield
    translation.close()


@pytest.fixture
def english(qapp: QApplication) -> Iterator[None]:
    translation = Translation(Language.ENGLISH)
    yield
    translation.close()


@pytest.mark.parametrize("reason", HoldReason)
def test_every_hold_reason_is_japanese(japanese: None, reason: HoldReason) -> None:
    assert JAPANESE.search(words.hold_reason(reason))


@pytest.mark.parametrize("reason", HoldReason)
def test_every_hold_reason_is_english(english: None, reason: HoldReason) -> None:
    assert re.fullmatch(r"[a-z ]+", words.hold_reason(reason))


@pytest.mark.parametrize("code", AlarmCode)
def test_every_alarm_has_title_and_remedy_in_japanese(japanese: None, code: AlarmCode) -> None:
    assert JAPANESE.search(words.alarm_title(an_alarm(code)))
    assert words.alarm_remedy(an_alarm(code)).endswith("。")


@pytest.mark.parametrize("code", AlarmCode)
def test_every_alarm_has_title_and_remedy_in_english(english: None, code: AlarmCode) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z ]+", words.alarm_title(an_alarm(code)))
    assert words.alarm_remedy(an_alarm(code)).endswith(".")


@pytest.mark.parametrize("name", DEFECT_CLASSES)
def test_the_simulators_defects_are_japanese(japanese: None, name: str) -> None:
    assert JAPANESE.search(words.defect(name))


PROMISE = "certified: added escapes ≤ 0.1 %, added overkill ≤ 0.5 %, added misnaming ≤ 0.5 % (95 %), "


def test_a_certificate_in_english(english: None) -> None:
    assert words.certificate(PROMISE + Truth.LABELS) == PROMISE.removeprefix("certified: ") + "labels"
    void = CertificateStatus.voided(VoidReason.PRECISION, "full: INT8 → FP32").sentence
    assert words.certificate(void) == "void: another precision (full: INT8 → FP32)"
    assert words.certificate_short(void) == "void: another precision"
    short = words.certificate_short(PROMISE + RELATIVE_ONLY).replace("\u202f", " ")
    assert short == "added: escapes 0.1 % · overkill 0.5 % · names 0.5 % · vs full model"
    assert words.certificate_short(UNCERTIFIED) == "uncertified"
    assert [words.is_certified(s) for s in (PROMISE, void, UNCERTIFIED)] == [True, False, False]


def test_a_certificate_in_japanese(japanese: None) -> None:
    assert words.certificate(PROMISE + RELATIVE_ONLY) == (
        "追加見逃し ≤ 0.1 %, 追加過検出 ≤ 0.5 %, 追加の種類違い ≤ 0.5 % (95 %), 本モデルとの比較のみ"
    )
    assert words.certificate(PROMISE + Truth.LABELS).endswith("ラベル基準")
    short = words.certificate_short(PROMISE + RELATIVE_ONLY).replace("\u202f", " ")
    assert short == "追加: 見逃し 0.1 % · 過検出 0.5 % · 種類違い 0.5 % · 本モデル比"
    assert set(words.SHORT_CLAIM_WORDS) == set(words.CLAIM_WORDS)
    assert set(words.CLAIM_WORDS) == {*Risk, RELATIVE_ONLY, Truth.LABELS}


@pytest.mark.parametrize("reason", VoidReason)
def test_every_void_reason_is_japanese(japanese: None, reason: VoidReason) -> None:
    text = words.certificate(CertificateStatus.voided(reason, "front").sentence)
    assert text.startswith("無効: ")
    assert text.endswith(" (front)")
    assert JAPANESE.search(text.removeprefix("無効: "))


def test_other_words(japanese: None) -> None:
    assert [words.action(action) for action in Action] == ["OK", "NG", "保留"]
    assert words.verdict_reason(a_part(1, Action.REJECT)) == "キズ"
    assert words.verdict_reason(a_part(1, Action.HOLD)) == "ピンぼけ"
    assert words.verdict_reason(a_part(1)) == ""
    assert words.certificate("uncertified") == "未認証"
    assert words.defect("customer_own") == "customer own"


def test_numbers_are_grouped_and_short() -> None:
    assert words.number(48213) == "48\u202f213"
    assert words.percent(0.9874) == "98.7\u202f%"
    assert [words.milliseconds(v) for v in (0.6, 9.94, 9.96, 23.4, float("nan"))] == ["0.6", "9.9", "10", "23", "–"]


def messages(path: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """(context, source) -> (translation, its type)."""
    found = {}
    for context in ET.parse(path).getroot().iter("context"):
        for message in context.iter("message"):
            translation = message.find("translation")
            assert translation is not None
            key = (context.findtext("name", ""), message.findtext("source", ""))
            found[key] = (translation.text or "", translation.get("type", ""))
    return found


@pytest.mark.parametrize("language", Language)
def test_translations_are_complete_and_keep_their_fields(language: Language) -> None:
    for (context, source), (text, kind) in messages(FOLDER / f"dashboard_{language.value}.ts").items():
        assert text, f"{context}: {source!r} is not translated"
        assert kind == "", f"{context}: {source!r} is {kind}"
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", source)), source
        if language is Language.JAPANESE and source not in SAME_IN_BOTH:
            assert JAPANESE.search(text), f"{context}: {source!r} is still English"


@pytest.mark.parametrize("language", Language)
def test_no_text_of_the_code_is_missing_and_the_built_files_are_current(language: Language, tmp_path: Path) -> None:
    """What `script/translations` would make now is what is committed."""
    committed = FOLDER / f"dashboard_{language.value}.ts"
    ts, qm = tmp_path / committed.name, tmp_path / "built.qm"
    shutil.copy(committed, ts)
    sources = sorted(map(str, FOLDER.parent.rglob("*.py")))
    subprocess.run(
        [str(TOOLS / "pyside6-lupdate"), "-silent", "-no-obsolete", "-locations", "none", *sources, "-ts", str(ts)],
        check=True,
    )
    subprocess.run([str(TOOLS / "pyside6-lrelease"), "-silent", str(ts), "-qm", str(qm)], check=True)
    assert messages(ts) == messages(committed), "run script/translations"
    assert qm.read_bytes() == committed.with_suffix(".qm").read_bytes(), "run script/translations"


def test_a_missing_translation_is_said(qapp: QApplication, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ui.i18n.FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="reinstall"):
        Translation(Language.ENGLISH)
