"""Pictures of every page in each language, theme and size, to be looked at.

python -m tests.support.gallery DIRECTORY [--small]
Needs no display: Qt draws offscreen unless QT_QPA_PLATFORM says otherwise.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication

from inspector.domain.alarm import AlarmCode
from tests.support.fake_station import FakeStation
from ui.bridge import Bridge
from ui.i18n import Language
from ui.look import Look
from ui.theme import Theme
from ui.window import Window

SIZES = ((1920, 1080), (1280, 800))
_WAIT_S = 20.0


def make_gallery(directory: Path, sizes: tuple[tuple[int, int], ...] = SIZES) -> list[Path]:
    """Write the pictures and give their paths."""
    QApplication.instance() or QApplication([])
    directory.mkdir(parents=True, exist_ok=True)
    made = []
    with tempfile.TemporaryDirectory() as sockets:
        station = FakeStation(Path(sockets), defect_rate=0.4)  # the film is full sooner
        station.raise_alarm(AlarmCode.BROKER_UNREACHABLE)
        station.start()
        stop = threading.Event()
        playing = threading.Thread(target=lambda: [station.run(0.3, 20.0) for _ in iter(stop.is_set, True)])
        playing.start()
        look = Look(Theme.LIGHT, Language.ENGLISH)
        bridge = Bridge(station.feed.endpoint, station.feed.command_endpoint)
        window = Window(look, bridge)
        try:
            window.show()
            bridge.start()
            page = window.pages[0]
            _until(lambda: page.picture.picture is not None and all(tile.image for tile in page.film.tiles))
            for width, height in sizes:
                window.resize(width, height)
                for language in Language:
                    look.set_language(language)
                    for theme in Theme:
                        look.set_theme(theme)
                        _until(lambda: True)
                        path = directory / f"station-{width}x{height}-{language.value}-{theme.value}.png"
                        window.grab().save(str(path))
                        made.append(path)
            stop.set()
            playing.join()
            _until(lambda: page.picture.is_stale)
            look.set_theme(Theme.LIGHT)
            for language in Language:
                look.set_language(language)
                _until(lambda: True)
                path = directory / f"lost-{language.value}.png"
                window.grab().save(str(path))
                made.append(path)
        finally:
            stop.set()
            playing.join()
            bridge.close()
            window.close()
            window.deleteLater()
            look.close()
            station.close()
    return made


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_S
    for _ in range(5):
        QCoreApplication.processEvents()
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the screen did not get there")
        QCoreApplication.processEvents()
        time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--small", action="store_true", help="only the small panel")
    args = parser.parse_args()
    for path in make_gallery(args.directory, SIZES[1:] if args.small else SIZES):
        print(path)


if __name__ == "__main__":
    main()
