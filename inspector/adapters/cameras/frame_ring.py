"""Memory that the capture process and the station share: a few picture slots and three counters.

It is anonymous (memfd): it has no name that could be left behind, and is gone with the last of the two processes,
however they end. Who owns which slot is agreed over the socket between them (`capture_process`), which also orders the
memory accesses. Linux only.
"""

import mmap
import os
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SLOTS = 8
"""Pictures on their way: a quarter of a second at 30 a second, for when the station is held up for a moment. When all
are taken, the capture process drops the next picture, counts it, and the station holds that part (MissedFrame)."""

_HEADER_BYTES = mmap.PAGESIZE
_COUNTERS = struct.Struct("@QQQ")


def new_memory() -> int:
    """File descriptor of fresh shared memory with counters and no slots yet. The caller closes it."""
    memory = os.memfd_create("inspector-frames", os.MFD_CLOEXEC)
    os.ftruncate(memory, _HEADER_BYTES)
    return memory


@dataclass(frozen=True, slots=True)
class Counters:
    """Written by the capture process: when it last got a picture (monotonic), how many it got, dropped ones included,
    and how many of them it dropped."""

    last_ns: int = 0
    captured: int = 0
    dropped: int = 0


class FrameRing:
    """One process' view of the memory. Not thread-safe. `lay_out` (writer) or `attach` (reader) before any picture."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._header = mmap.mmap(memory, _HEADER_BYTES)
        self._slots: mmap.mmap | None = None
        self._shape = (0, 0, 0)

    def lay_out(self, shape: tuple[int, int, int]) -> None:
        """Make room for pictures of `shape` (height, width, channels), u8. Raises OSError when memory is short."""
        os.ftruncate(self._memory, _HEADER_BYTES + SLOTS * _slot_bytes(shape))
        self.attach(shape)

    def attach(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        self._slots = mmap.mmap(self._memory, _HEADER_BYTES + SLOTS * _slot_bytes(shape))

    def write(self, slot: int, image: NDArray[np.uint8]) -> None:
        """`image` must have the shape that was laid out."""
        self._view(slot)[:] = image

    def copy(self, slot: int) -> NDArray[np.uint8]:
        return self._view(slot).copy()

    @property
    def counters(self) -> Counters:
        return Counters(*_COUNTERS.unpack_from(self._header))

    @counters.setter
    def counters(self, counters: Counters) -> None:
        # Three aligned words, each written at once; a reader may see a mixture of two moments, which does no harm.
        _COUNTERS.pack_into(self._header, 0, counters.last_ns, counters.captured, counters.dropped)

    def close(self) -> None:
        self._header.close()
        if self._slots is not None:
            self._slots.close()

    def _view(self, slot: int) -> NDArray[np.uint8]:
        assert self._slots is not None, "no room was laid out"
        height, width, channels = self._shape
        at = _HEADER_BYTES + slot * _slot_bytes(self._shape)
        return np.frombuffer(self._slots, np.uint8, height * width * channels, at).reshape(self._shape)


def _slot_bytes(shape: tuple[int, int, int]) -> int:
    """Whole pages, so that no two pictures share one."""
    size = shape[0] * shape[1] * shape[2]
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
