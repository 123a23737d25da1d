"""The dashboard's process: it connects to a station and shows it until it is closed."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inspector.domain.errors import ConfigError, InspectorError


def has_display() -> bool:
    """Whether a window can be opened here. Without one Qt ends the process, so ask first."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run_dashboard(
    endpoint: str,
    command_endpoint: str,
    *,
    language: str = "en",
    theme: str = "light",
    screenshot: Path | None = None,
    quit_after_s: float | None = None,
) -> int:
    """Show the station at `endpoint` until the window is closed, or for `quit_after_s` seconds. Gives the exit code.

    A station that is not there yet, or goes away, is waited for. `theme` is light, dark or contrast. `screenshot` is
    written (PNG) just before the window closes. Raises ConfigError for a bad argument, InspectorError when no window
    can be opened or the picture cannot be written.
    """
    if not has_display():
        raise InspectorError(
            "there is no display here to open the dashboard on: run it on a desktop, or use `inspector demo --headless`"
        )
    # Imported here, so that a machine without Qt's libraries can run everything else.
    from PySide6.QtCore import QCoreApplication, QEvent, QTimer
    from PySide6.QtWidgets import QApplication

    from ui.bridge import Bridge
    from ui.i18n import Language
    from ui.look import Look
    from ui.theme import Theme
    from ui.window import Window

    if language not in tuple(Language):
        raise ConfigError(f"language {language!r} is not there: choose one of {', '.join(Language)}")
    if theme not in tuple(Theme):
        raise ConfigError(f"theme {theme!r} is not there: choose one of {', '.join(Theme)}")
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(["inspector dashboard"])
    bridge = Bridge(endpoint, command_endpoint)
    look = Look(Theme(theme), Language(language))
    window = Window(look, bridge)
    is_saved = True

    def finish() -> None:
        nonlocal is_saved
        if screenshot is not None:
            is_saved = window.grab().save(str(screenshot), "PNG")
        app.quit()

    ending = QTimer()
    ending.setSingleShot(True)
    ending.timeout.connect(finish)
    try:
        if quit_after_s is not None:
            ending.start(round(quit_after_s * 1000))
        # By the timer, so that a signal that comes before the event loop runs is not lost.
        with _quits_on_signals(lambda: ending.start(0)):
            # A screen without window manager maximizes nothing.
            window.resize(app.primaryScreen().availableGeometry().size())
            window.showMaximized()
            bridge.start()
            code = app.exec()
    finally:
        ending.stop()
        bridge.close()
        window.close()
        window.deleteLater()
        look.close()
        # The last window asks the application to quit. Left in the queue, it would end the next event loop of whoever
        # called from a process that lives on.
        QCoreApplication.removePostedEvents(app, QEvent.Type.Quit.value)
    if not is_saved:
        raise InspectorError(
            f"screenshot {screenshot} cannot be written: choose a directory that exists and is writable"
        )
    return code


@contextmanager
def _quits_on_signals(quit_: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM close the window in order. The window's timer lets Python see them."""

    def handle(number: int, frame: object) -> None:
        quit_()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
