"""Fixtures of the dashboard's tests. Every test fails that leaves a thread, a running timer or a window behind."""

import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before Qt is imported: it is read once

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from tests.support.dashboard import Dashboard
from tests.support.fake_station import FakeStation
from ui.bridge import Bridge
from ui.i18n import Language
from ui.look import Look
from ui.theme import Theme
from ui.window import Window


def _running_timers() -> set[int]:
    timers = [o for o in gc.get_objects() if issubclass(type(o), QTimer)]
    return {id(timer) for timer in timers if shiboken6.isValid(timer) and timer.isActive()}


def _windows() -> set[QWidget]:
    return set(QApplication.topLevelWidgets())


@pytest.fixture(scope="session", autouse=True)
def quick_collection() -> Iterator[None]:
    """What the imports made stays: `no_leaks` then looks through the tests' own objects only."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def no_leaks(qapp: QApplication) -> Iterator[None]:
    before = set(threading.enumerate()), _running_timers(), _windows()
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QCoreApplication.processEvents()
    gc.collect()
    threads, timers, windows = set(threading.enumerate()), _running_timers(), _windows()
    assert threads <= before[0], f"threads left behind: {threads - before[0]}"
    assert timers <= before[1], "a timer was left running"
    assert windows <= before[2], f"windows left behind: {windows - before[2]}"


@pytest.fixture
def station(tmp_path: Path) -> Iterator[FakeStation]:
    """A real feed that plays nothing by itself: the test says when."""
    fake = FakeStation(tmp_path, start_at=0, picture_hz=50.0)
    fake.start()
    yield fake
    fake.close()


@pytest.fixture
def make_dashboard(qapp: QApplication, tmp_path: Path) -> Iterator[Callable[..., Dashboard]]:
    made: list[Dashboard] = []

    def make(language: str = "en", theme: str = "light", *, directory: Path | None = None) -> Dashboard:
        look = Look(Theme(theme), Language(language))
        where = directory or tmp_path
        bridge = Bridge(f"ipc://{where}/feed", f"ipc://{where}/commands")
        window = Window(look, bridge)
        dashboard = Dashboard(look, bridge, window)
        made.append(dashboard)
        window.show()
        dashboard.resize(1920, 1080)
        bridge.start()
        return dashboard

    yield make
    for dashboard in made:
        dashboard.bridge.close()
        dashboard.window.close()
        dashboard.window.deleteLater()
        dashboard.look.close()


@pytest.fixture
def dashboard(make_dashboard: Callable[..., Dashboard]) -> Dashboard:
    """Without a station behind it: the test plays the bridge."""
    return make_dashboard()
