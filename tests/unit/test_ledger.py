"""Triggers = PASS + REJECT + HOLD, whatever happens in whatever order."""

import threading
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from inspector.domain.disposition import PASS, REJECT, Action, Disposition, HoldReason
from inspector.domain.errors import ConservationError
from inspector.pipeline.ledger import Ledger

DISPOSITIONS = st.sampled_from([PASS, REJECT, *map(Disposition.hold, HoldReason)])


class LedgerMachine(RuleBasedStateMachine):
    inside: Bundle[str] = Bundle("inside")
    gone: Bundle[str] = Bundle("gone")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.present: set[str] = set()
        self.left: Counter[str] = Counter()

    @rule(target=inside)
    def enter(self) -> str:
        part_id = f"p{len(self.present) + self.left.total()}"
        self.ledger.enter(part_id)
        self.present.add(part_id)
        return part_id

    @rule(part_id=inside)
    def enter_again(self, part_id: str) -> None:
        with pytest.raises(ConservationError, match="triggered twice"):
            self.ledger.enter(part_id)

    @rule(target=gone, part_id=consumes(inside), disposition=DISPOSITIONS)
    def leave(self, part_id: str, disposition: Disposition) -> str:
        self.ledger.leave(part_id, disposition)
        self.present.remove(part_id)
        held = disposition.action is Action.HOLD
        self.left[disposition.hold_reason or "" if held else disposition.action] += 1
        return part_id

    @rule(part_id=gone, disposition=DISPOSITIONS)
    def leave_again(self, part_id: str, disposition: Disposition) -> None:
        with pytest.raises(ConservationError, match="released twice"):
            self.ledger.leave(part_id, disposition)

    @rule(disposition=DISPOSITIONS)
    def leave_without_entering(self, disposition: Disposition) -> None:
        with pytest.raises(ConservationError, match="released twice"):
            self.ledger.leave("a stranger", disposition)

    @rule()
    def close(self) -> None:
        if self.present:
            with pytest.raises(ConservationError, match=f"{len(self.present)} parts are unaccounted for"):
                self.ledger.close()
        else:
            assert self.ledger.close() == self.ledger.counts()

    @invariant()
    def counts_agree(self) -> None:
        counts = self.ledger.counts()
        assert counts.is_conserved
        assert counts.in_flight == len(self.present)
        assert counts.triggers == len(self.present) + self.left.total()
        assert (counts.passed, counts.rejected) == (self.left["PASS"], self.left["REJECT"])
        assert counts.hold == {why: n for why, n in self.left.items() if why not in ("PASS", "REJECT")}


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_hold_reasons_are_plain_words() -> None:
    ledger = Ledger()
    ledger.enter("a")
    ledger.leave("a", Disposition.hold(HoldReason.BLACK))
    assert list(ledger.counts().hold) == ["BLACK"]


def test_counts_taken_while_the_line_runs_are_conserved() -> None:
    ledger = Ledger()
    torn: list[object] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            counts = ledger.counts()
            if not counts.is_conserved:
                torn.append(counts)

    def work(name: str) -> None:
        for n in range(400):
            ledger.enter(f"{name}{n}")
            ledger.leave(f"{name}{n}", (PASS, REJECT, Disposition.hold(HoldReason.BLACK))[n % 3])

    watcher = threading.Thread(target=look)
    workers = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in (watcher, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    watcher.join()
    assert not torn
    counts = ledger.close()
    assert (counts.triggers, counts.passed, counts.rejected, counts.held) == (1200, 402, 399, 399)


def test_one_part_released_by_two_threads_leaves_once() -> None:
    ledger = Ledger()
    ledger.enter("a")
    barrier = threading.Barrier(4)
    refused: list[ConservationError] = []

    def leave() -> None:
        barrier.wait()
        try:
            ledger.leave("a", PASS)
        except ConservationError as error:
            refused.append(error)

    threads = [threading.Thread(target=leave) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    assert ledger.close().passed == 1
