"""A dashboard under test."""

import time

from PySide6.QtCore import QCoreApplication

from inspector.domain.alarm import Alarm
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import StationState
from tests.support.station_values import a_state
from ui.bridge import Bridge
from ui.look import Look
from ui.window import Window


class Dashboard:
    """The window with its bridge, and ways to talk to it as the station would."""

    def __init__(self, look: Look, bridge: Bridge, window: Window) -> None:
        self.look, self.bridge, self.window = look, bridge, window
        self.page = window.pages[0]

    def resize(self, width: int, height: int) -> None:
        self.window.resize(width, height)
        for _ in range(4):  # the scale follows the size, the layout the scale
            QCoreApplication.processEvents()

    def hears(self, state: StationState | None = None) -> None:
        """A heartbeat arrives by the mailbox, as from the link's thread."""
        self.bridge._mailbox.state(state or a_state(), time.monotonic())
        self.bridge._deliver()

    def sees(self, *parts: InspectedPart) -> None:
        self.bridge.parts.emit(parts)

    def alarm(self, *alarms: Alarm) -> None:
        self.hears(a_state(alarms=alarms))
