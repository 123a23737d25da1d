"""The dashboard as a process: it opens, shows, takes its picture and goes."""

import gc
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QFont, QImage
from PySide6.QtWidgets import QApplication, QLabel

from inspector.domain.disposition import Action
from inspector.domain.errors import ConfigError, InspectorError
from tests.support.dashboard import Dashboard
from tests.support.fake_station import FakeStation
from tests.support.gallery import make_gallery
from tests.support.station_values import a_part, a_state, an_alarm
from ui.app import has_display, run_dashboard
from ui.i18n import Language
from ui.mailbox import PartPicture
from ui.theme import Theme

PROGRAM = (
    "import sys; from pathlib import Path; from ui.app import run_dashboard; "
    "print('up', flush=True); sys.exit(run_dashboard(*sys.argv[1:3]))"
)


@pytest.fixture
def playing(station: FakeStation) -> Iterator[FakeStation]:
    stop = threading.Event()
    thread = threading.Thread(target=lambda: [station.run(0.2, 20.0) for _ in iter(stop.is_set, True)])
    thread.start()
    yield station
    stop.set()
    thread.join()


def test_the_dashboard_runs_for_a_while_and_takes_its_picture(playing: FakeStation, tmp_path: Path) -> None:
    picture = tmp_path / "dashboard.png"
    feed = playing.feed
    code = run_dashboard(
        feed.endpoint, feed.command_endpoint, language="ja", theme="dark", screenshot=picture, quit_after_s=2.0
    )
    assert code == 0
    image = QImage(str(picture))
    assert image.width() >= 640
    colors = {image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
    assert len(colors) > 200, "there is a picture of a part on it"


def test_without_a_station_the_dashboard_waits(tmp_path: Path) -> None:
    assert run_dashboard(f"ipc://{tmp_path}/a", f"ipc://{tmp_path}/b", quit_after_s=0.3) == 0


def test_a_picture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InspectorError, match="cannot be written"):
        run_dashboard(
            f"ipc://{tmp_path}/a", f"ipc://{tmp_path}/b", screenshot=tmp_path / "no" / "such.png", quit_after_s=0.2
        )


@pytest.mark.parametrize(
    ("options", "names"), [({"language": "xx"}, "en, ja"), ({"theme": "pink"}, "light, dark, contrast")]
)
def test_a_wrong_option_names_the_right_ones(tmp_path: Path, options: dict[str, str], names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        run_dashboard(f"ipc://{tmp_path}/a", f"ipc://{tmp_path}/b", **options)  # type: ignore[arg-type]


def test_a_wrong_endpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no address"):
        run_dashboard("nonsense", "nonsense")


def test_without_a_display_it_says_so_instead_of_dying(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    with pytest.raises(InspectorError, match="no display"):
        run_dashboard("ipc:///a", "ipc:///b")
    monkeypatch.setenv("DISPLAY", ":0")
    assert has_display()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    shown = tmp_path / "shown"
    program = PROGRAM.replace(
        "print('up', flush=True); ",
        f"from ui.window import Window; show = Window.showEvent; "
        f"Window.showEvent = lambda self, e: (Path({str(shown)!r}).touch(), show(self, e))[1]; ",
    )
    child = subprocess.Popen([sys.executable, "-c", program, f"ipc://{tmp_path}/a", f"ipc://{tmp_path}/b"])
    try:
        for _ in range(1200):
            if shown.exists():
                break
            threading.Event().wait(0.05)
        assert shown.exists()
        child.send_signal(number)
        assert child.wait(60) == 0
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def test_the_gallery_has_a_picture_of_everything(tmp_path: Path, qapp: QApplication) -> None:
    made = make_gallery(tmp_path / "gallery", sizes=((1280, 800),))
    assert len(made) == 2 * 3 + 2
    images = [QImage(str(path)) for path in made]
    assert {(image.width(), image.height()) for image in images} == {(1280, 800)}
    assert len({image.pixel(640, 10) for image in images}) >= 3, "themes differ"


def test_the_ui_imports_nothing_of_the_station() -> None:
    """Its own process, its own world: the domain, ZeroMQ and Qt."""
    program = (
        "import sys, pkgutil, ui\n"
        "for module in pkgutil.walk_packages(ui.__path__, 'ui.'): __import__(module.name)\n"
        "loaded = {name for name in sys.modules if name.startswith('inspector.')}\n"
        "foreign = {name for name in loaded if not name.startswith('inspector.domain')}\n"
        "print(sorted(foreign | (set(sys.modules) & {'cv2', 'openvino', 'sqlalchemy', 'paho'})))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


MORTAL = pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")


def singletons() -> tuple[int, ...]:
    """How often None, True and False are referred to."""
    return tuple(sys.getrefcount(value) for value in (None, True, False))


def worn_out(before: tuple[int, ...], after: tuple[int, ...]) -> list[int]:
    return [now - then for then, now in zip(before, after, strict=True) if now < then - 100]


@MORTAL
def test_the_qt_binding_does_not_wear_out_none(qapp: QApplication) -> None:
    """PySide6 6.12.0 forgets to count the None, True or False that a call returns: after minutes Python dies of it."""
    font, label = QFont(), QLabel()
    before = singletons()
    for _ in range(500):
        font.setPixelSize(12)
        label.setText("x")
        label.isVisible()
        label.isEnabled()
    assert worn_out(before, singletons()) == [], "this PySide6 kills Python 3.11: install one before 6.12"
    label.deleteLater()


@MORTAL
def test_the_window_does_not_wear_out_none(dashboard: Dashboard) -> None:
    """The same through everything that the dashboard calls, parts, heartbeats and pictures long."""

    def shows(first: int) -> None:
        for n in range(first, first + 30):
            action = (Action.PASS, Action.REJECT, Action.HOLD)[n % 3]
            image = QImage(64, 48, QImage.Format.Format_RGB888)
            image.fill(n % 200)
            picture = PartPicture(a_part(n, action), image, 640, 480)
            dashboard.hears(a_state(alarms=(an_alarm(),) if n % 2 else ()))
            dashboard.sees(picture.part)
            dashboard.bridge.picture.emit(picture)
            dashboard.bridge.thumbnail.emit(picture)
            QCoreApplication.processEvents()
        dashboard.look.set_theme(Theme.DARK)
        dashboard.look.set_language(Language.JAPANESE)
        dashboard.window.grab()
        gc.collect()

    shows(1)  # fills the film and every cache
    before = singletons()
    shows(31)
    shows(61)
    assert worn_out(before, singletons()) == []
