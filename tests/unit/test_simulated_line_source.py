"""The simulated line behind the port."""

import threading
import time
from datetime import UTC

import numpy as np
import pytest

from inspector.adapters.cameras.simulated_line import SimulatedLine, SimulatedLineConfig, SimulatedLineSource

CONFIG = SimulatedLineConfig(seed=6, defect_rate=0.5, width=160, height=120)


def test_delivers_the_parts_of_its_line_and_ends() -> None:
    source = SimulatedLineSource(CONFIG, parts=6)
    frames = list(source.triggers())
    line = SimulatedLine(CONFIG)
    assert len(frames) == 6
    for index, frame in enumerate(frames):
        picture, truth = line.render(index)
        assert np.array_equal(frame.image, picture)
        assert frame.truth == truth
        assert frame.is_simulated
        assert frame.captured_at.tzinfo is UTC
    assert len({frame.frame_id for frame in frames}) == 6
    assert [frame.captured_ns for frame in frames] == sorted(frame.captured_ns for frame in frames)
    assert source.health().ok
    assert source.health().frames == 6


def test_goes_on_where_told() -> None:
    whole = [frame.frame_id for frame in SimulatedLineSource(CONFIG, parts=5).triggers()]
    rest = [frame.frame_id for frame in SimulatedLineSource(CONFIG, parts=2, first=3).triggers()]
    assert rest == whole[3:]


def test_no_part_comes_before_it_is_due() -> None:
    for is_live in (False, True):
        source = SimulatedLineSource(CONFIG, parts=5, parts_per_s=40.0, is_live=is_live)
        began_ns = time.monotonic_ns()
        for place, frame in enumerate(source.triggers()):
            assert frame.captured_ns - began_ns >= place * 25_000_000 - 1_000_000


def test_close_ends_a_source_that_waits_for_its_next_part() -> None:
    source = SimulatedLineSource(CONFIG, parts_per_s=0.001)
    first = threading.Event()
    taken = []

    def consume() -> None:
        for frame in source.triggers():
            taken.append(frame)
            first.set()

    consumer = threading.Thread(target=consume)
    consumer.start()
    assert first.wait(10)
    source.close()
    source.close()
    consumer.join(10)
    assert not consumer.is_alive()
    assert len(taken) == 1
    assert "stopped" in source.health().detail


def test_closed_before_it_began_delivers_nothing() -> None:
    source = SimulatedLineSource(CONFIG)
    source.close()
    assert list(source.triggers()) == []


def test_says_whether_the_belt_waits() -> None:
    assert not SimulatedLineSource(CONFIG).is_live
    assert SimulatedLineSource(CONFIG, is_live=True).is_live
    assert "6" in SimulatedLineSource(CONFIG).name


@pytest.mark.parametrize("argument", ["parts_per_s", "parts", "first"])
def test_a_wrong_argument_is_named(argument: str) -> None:
    with pytest.raises(ValueError, match=argument):
        SimulatedLineSource(CONFIG, **{argument: -1})  # type: ignore[arg-type]
