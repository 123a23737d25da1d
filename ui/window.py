"""The dashboard's window: header, tab bar once there are two pages, and the page."""

from datetime import UTC, datetime

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLayout, QStackedWidget, QVBoxLayout, QWidget

from inspector.domain.inspection import InspectedPart
from inspector.domain.state import StationState
from ui.bridge import Bridge
from ui.i18n import translate
from ui.look import Look
from ui.pages.station import StationPage
from ui.shown import LinkState
from ui.widgets.base import Button
from ui.widgets.header import Header

PAGES = (StationPage,)
_TICK_MS = 200
_SMALLEST = (1024, 640)  # px


class Window(QWidget):
    def __init__(self, look: Look, bridge: Bridge) -> None:
        super().__init__()
        self.setObjectName("window")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocus()  # or the first button would wear the keyboard's ring from the start
        self._look, self._bridge = look, bridge
        self._state: StationState | None = None
        self.header = Header(look)
        self.pages = [page(look, bridge) for page in PAGES]
        self._stack = QStackedWidget()
        self._tabs = [Button(look, 20, checkable=True) for _ in self.pages]
        self._tab_row = QHBoxLayout()
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        look.changed.connect(self._refresh)
        bridge.link_changed.connect(self._show_header)
        bridge.restarted.connect(self._restart)
        bridge.state.connect(self._show_state)
        bridge.parts.connect(self._show_parts)
        self._refresh()

    def _lay_out(self) -> None:
        for index, (tab, page) in enumerate(zip(self._tabs, self.pages, strict=True)):
            self._stack.addWidget(page)
            tab.clicked.connect(lambda _=False, i=index: self._open(i))
            self._tab_row.addWidget(tab)
            tab.setVisible(len(self.pages) > 1)
        self._tab_row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        # The scale follows the window; without this the widgets' size at the old scale would hold the window large.
        column.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        self.setMinimumSize(*_SMALLEST)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addLayout(self._tab_row)
        column.addWidget(self._stack, 1)
        self._open(0)

    def _open(self, index: int) -> None:
        self._stack.setCurrentIndex(index)
        for i, tab in enumerate(self._tabs):
            tab.setChecked(i == index)

    def _refresh(self) -> None:
        self.setStyleSheet(self._look.stylesheet())
        self.setWindowTitle(translate("Window", "Inspector"))
        for tab, page in zip(self._tabs, self.pages, strict=True):
            tab.setText(page.title())

    def _tick(self) -> None:
        self.header.tick(datetime.now(UTC))
        for page in self.pages:
            page.tick()

    def _restart(self) -> None:
        self._state = None
        self.header.show_part(None)
        self._show_header()

    def _show_state(self, state: StationState) -> None:
        self._state = state
        self._show_header()

    def _show_header(self) -> None:
        self.header.show_state(self._state, is_live=self._bridge.link_state is LinkState.LIVE)

    def _show_parts(self, parts: tuple[InspectedPart, ...]) -> None:
        self.header.show_part(parts[-1])

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._look.fit(self.width(), self.height())
        super().resizeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F11:
            self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._timer.stop()
        super().closeEvent(event)
