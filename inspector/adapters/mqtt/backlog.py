"""What to send next: a window of the outbox, oldest first, and what becomes of messages that the broker refuses.

    outbox ──page──▶ ready ──▶ in flight ──PUBACK ok──▶ acknowledged (given back to the outbox in batches)
                       ▲           │  └────PUBACK refused──▶ refusal ──retry, then all that was skipped──▶ ready
                       └──cut──────┘

Order is kept per topic. A refusal holds back its topic alone: alarms still pass while verdicts are not authorised.
Where it is the message that is unfit (its payload or size), only that message waits. Whatever waits stays in the
outbox, is tried again with growing pauses, and nothing is ever given up.
"""

from collections import deque
from dataclasses import dataclass

from inspector.domain.message import OutboxMessage
from inspector.ports import Outbox

PAGE = 500
"""Rows read at once: about half a megabyte. `ready` holds one page and one window at most."""

_RECENT = 10_000
"""Acknowledged ids remembered, because the outbox lists them until the next commit. Forgetting one repeats a message,
which receivers must allow for anyway."""

_SINGLE_REFUSALS = 100
"""Unfit messages set aside one by one; one more holds back its whole topic, which needs no memory."""

_CUTS_BEFORE_SINGLE = 2
_CUTS_BEFORE_SUSPECT = 5
"""Connections cut in a row without a PUBACK until messages go one by one, and until the one is set aside."""

RETRY_FIRST_S = 1.0
RETRY_MAX_S = 60.0


@dataclass(slots=True)
class _Refusal:
    """`message` is the oldest that was refused: it alone is tried again, at `retry_at` (monotonic seconds).

    `first_row` is the lowest row refused or skipped: once accepted, the outbox is read again from there.
    """

    message: OutboxMessage
    reason: str
    whole_topic: bool
    delay_s: float
    retry_at: float
    first_row: int
    trying: bool = False


class Backlog:
    """Used by the publisher's thread alone. `now` is monotonic seconds everywhere."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._cursor = 0
        self._historical_up_to: int | None = None
        self._unread = True
        self._ready: deque[OutboxMessage] = deque()
        self._announcements: deque[OutboxMessage] = deque()
        self._in_flight: dict[int, OutboxMessage] = {}
        self._refusals: dict[str, _Refusal] = {}
        self._acknowledged: list[int] = []
        self._recent: dict[int, None] = {}  # insertion-ordered
        self._cuts = 0
        self._progressed = False

    # -- one connection ------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """A connection stands: what the first `fill` finds pending waited for it, so it is historical."""
        self._unread = True
        self._progressed = False
        self._historical_up_to = None

    def cut(self, now: float) -> None:
        """The connection is gone: what was in flight is sent again, with the same ids."""
        evidence = [message for message in self._in_flight.values() if message.outbox_id is not None]
        self._in_flight.clear()
        self._announcements.clear()
        self._refusals = {key: one for key, one in self._refusals.items() if one.message.outbox_id is not None}
        for refusal in self._refusals.values():
            refusal.trying = False
        if evidence:
            self._cuts = 0 if self._progressed else self._cuts + 1
        if self._cuts >= _CUTS_BEFORE_SUSPECT and len(evidence) == 1:
            self._refuse(evidence[0], "the broker closes the connection whenever it is sent", False, now)
            self._cuts = 0
        tried = {refusal.message.outbox_id for refusal in self._refusals.values()}
        again = [message for message in evidence if message.outbox_id not in tried]
        self._ready = deque(sorted([*again, *self._ready], key=_row))

    def window(self, limit: int) -> int:
        """How many may be in flight: `limit`, or one while a single message is suspected of cutting connections."""
        return 1 if self._cuts >= _CUTS_BEFORE_SINGLE else limit

    # -- sending -------------------------------------------------------------------------------------------------

    def announce(self, message: OutboxMessage) -> None:
        """Send `message`, which is not in the outbox, before everything else. It replaces one that was refused."""
        refusal = self._refusals.get(message.topic)
        if refusal is not None and refusal.message.outbox_id is None:
            del self._refusals[message.topic]
        self._announcements.append(message)

    def look(self) -> None:
        """There may be new rows."""
        self._unread = True

    def fill(self) -> bool:
        """Read the next page if nothing is ready; True when there may be more. Raises StoreUnavailable."""
        if self._historical_up_to is None:
            self._historical_up_to = self._newest_pending()
        if self._ready or not self._unread:
            return False
        rows = self._outbox.pending(self._cursor, PAGE)
        self._unread = len(rows) == PAGE
        in_flight = {message.outbox_id for message in self._in_flight.values()}
        for message in rows:
            self._cursor = _row(message)
            if self._cursor not in self._recent and self._cursor not in in_flight:
                self._ready.append(message)
        return self._unread

    def take(self, now: float) -> OutboxMessage | None:
        """The next message to send, or None."""
        if self._announcements:
            return self._announcements.popleft()
        for waiting in self._refusals.values():
            if not waiting.trying and waiting.retry_at <= now:
                waiting.trying = True
                return waiting.message
        while self._ready:
            message = self._ready.popleft()
            refusal = self._refusal_of(message)
            if refusal is None:
                return message
            refusal.first_row = min(refusal.first_row, _row(message))  # read again once the topic is accepted
        return None

    def put_back(self, message: OutboxMessage) -> None:
        """`message` could not be sent after all."""
        refusal = self._refusal_of(message)
        if refusal is not None and refusal.message.event_id == message.event_id:
            refusal.trying = False
        elif message.outbox_id is None:
            self._announcements.appendleft(message)
        else:
            self._ready.appendleft(message)

    def sent(self, packet_id: int, message: OutboxMessage) -> None:
        self._in_flight[packet_id] = message

    def is_historical(self, message: OutboxMessage) -> bool:
        """It was queued before this connection."""
        newest = self._historical_up_to
        return message.outbox_id is not None and (newest is None or message.outbox_id <= newest)

    # -- the broker's answers ------------------------------------------------------------------------------------

    def accepted(self, packet_id: int) -> OutboxMessage | None:
        """The broker has it. Returns the message, None if it was not in flight."""
        message = self._in_flight.pop(packet_id, None)
        if message is None:
            return None
        refusal = self._refusal_of(message)
        if refusal is not None and refusal.message.event_id == message.event_id:
            self._lift(message.topic if refusal.whole_topic else message.event_id)
        if message.outbox_id is not None:
            self._progressed = True
            self._cuts = 0
            self._acknowledged.append(message.outbox_id)
            self._recent[message.outbox_id] = None
            if len(self._recent) > _RECENT:
                del self._recent[next(iter(self._recent))]
        return message

    def refused(self, packet_id: int, reason: str, *, whole_topic: bool, now: float) -> OutboxMessage | None:
        """The broker does not take it. Returns the message, None if it was not in flight."""
        message = self._in_flight.pop(packet_id, None)
        if message is not None:
            self._progressed = True
            self._refuse(message, reason, whole_topic, now)
        return message

    def unsendable(self, message: OutboxMessage, reason: str, now: float) -> None:
        """`message` was taken but must not even be sent (larger than the broker takes)."""
        self._refuse(message, reason, False, now)

    def give_back(self) -> int:
        """Tell the outbox what the broker has; returns how many. What it raises, it may be called again after."""
        count = len(self._acknowledged)
        if count:
            self._outbox.acknowledge(tuple(self._acknowledged))
            self._acknowledged.clear()
        return count

    def has_work(self) -> bool:
        """Something waits in the outbox that was not acknowledged yet. Raises StoreUnavailable."""
        return any(_row(message) not in self._recent for message in self._outbox.pending(0, PAGE))

    # -- what others may know ------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def is_drained(self) -> bool:
        """Nothing more to send or to wait for, except what the broker refuses."""
        return not (self._ready or self._unread or self._in_flight or self._announcements)

    @property
    def refused_reason(self) -> str | None:
        """The latest refusal that still stands."""
        return next((refusal.reason for refusal in reversed(self._refusals.values())), None)

    @property
    def retry_at(self) -> float | None:
        """When the next refused message is tried again."""
        return min((refusal.retry_at for refusal in self._refusals.values() if not refusal.trying), default=None)

    # -- inside --------------------------------------------------------------------------------------------------

    def _refusal_of(self, message: OutboxMessage) -> _Refusal | None:
        return self._refusals.get(message.event_id) or self._refusals.get(message.topic)

    def _refuse(self, message: OutboxMessage, reason: str, whole_topic: bool, now: float) -> None:
        if not whole_topic and sum(not one.whole_topic for one in self._refusals.values()) >= _SINGLE_REFUSALS:
            whole_topic = message.event_id not in self._refusals
        other_key = message.event_id if whole_topic else message.topic
        other = self._refusals.get(other_key)
        if other is not None and other.message.event_id == message.event_id:
            self._lift(other_key)  # tried again, it is refused for another kind of reason
        key = message.topic if whole_topic else message.event_id
        refusal = self._refusals.get(key)
        row = _row(message)
        if refusal is None:
            self._refusals[key] = _Refusal(message, reason, whole_topic, RETRY_FIRST_S, now + RETRY_FIRST_S, row)
            return
        refusal.first_row = min(refusal.first_row, row)
        if refusal.message.event_id == message.event_id:
            refusal.trying = False
            refusal.reason = reason
            refusal.delay_s = min(2 * refusal.delay_s, RETRY_MAX_S)
            refusal.retry_at = now + refusal.delay_s

    def _lift(self, key: str) -> None:
        refusal = self._refusals.pop(key)
        if refusal.whole_topic:
            self._read_again_from(refusal.first_row)

    def _read_again_from(self, row: int) -> None:
        """Rows of a refused topic were skipped."""
        if 0 < row <= self._cursor:
            self._ready = deque(message for message in self._ready if _row(message) < row)
            self._cursor = row - 1
            self._unread = True

    def _newest_pending(self) -> int:
        """The highest pending id, found by doubling steps and halving them: the outbox reads upwards only."""
        first = self._outbox.pending(0, 1)
        if not first:
            return 0
        newest, step = _row(first[0]), PAGE
        while rows := self._outbox.pending(newest + step, 1):
            newest, step = _row(rows[0]), 2 * step
        none_above = newest + step
        while newest < none_above:
            middle = (newest + none_above) // 2
            if rows := self._outbox.pending(middle, 1):
                newest = _row(rows[0])
            else:
                none_above = middle
        return newest


def _row(message: OutboxMessage) -> int:
    """An announcement stands before every row."""
    return message.outbox_id if message.outbox_id is not None else 0
