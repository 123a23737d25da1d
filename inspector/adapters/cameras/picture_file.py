"""What a picture file says about itself, before anything is decoded: format, size, and whether all of it is there.

Half a picture must never look like a whole one, and a small file must never unpack into all of the memory. Decoders
disagree on both (some fill the missing half with grey), so the file is checked here first, by walking its structure: ITU-T
T.81 annex B (JPEG), W3C PNG 3rd edition §5, TIFF 6.0 §2, the BITMAPINFOHEADER layout (BMP) and RFC 9649 (WebP).

What this cannot see: wrong bits inside a JPEG or TIFF, which carry no checksum. `pipeline.picture` holds half-empty pictures.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from inspector.domain.errors import SourceError

MAX_BYTES = 384 * 1024 * 1024
"""Largest decoded picture: 64 Mpx of 16-bit colour. Larger ones are refused before any memory is taken."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
"""File names that are taken for pictures when a folder is listed; the content decides what they are."""


class PictureError(SourceError):
    """A picture file cannot be used. The sentence says why and what to do; the caller knows which file it is."""


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """Size in px as the file announces it; `pixel_bytes` is what one decoded pixel takes (1 grey u8, 6 BGR u16)."""

    format: str
    width: int
    height: int
    pixel_bytes: int

    @property
    def decoded_bytes(self) -> int:
        return self.width * self.height * self.pixel_bytes


def checked_info(data: bytes) -> PictureInfo:
    """Format and size of a complete picture file of allowed size. Raises PictureError."""
    if not data:
        raise PictureError("the file is empty; check the program that writes it, and the disk")
    reader = next((reader for signature, reader in _FORMATS if signature.match(data)), None)
    if reader is None:
        raise PictureError("this is no picture; give a PNG, JPEG, BMP, TIFF or WebP file")
    try:
        info = reader(data)
    except (struct.error, IndexError):
        raise _cut("it ends within its header") from None
    if info.width < 1 or info.height < 1:
        raise PictureError(f"the {info.format} file is damaged: it says {info.width}x{info.height} px; write it again")
    if info.decoded_bytes > MAX_BYTES:
        raise PictureError(
            f"the picture is too large: {info.width}x{info.height} px take {info.decoded_bytes / 2**20:.0f} MiB and "
            f"{MAX_BYTES // 2**20} MiB is the most allowed; crop it or scale it down"
        )
    return info


def _cut(how: str) -> PictureError:
    return PictureError(f"the file is cut off: {how}; write or copy it again")


def _damaged(how: str) -> PictureError:
    return PictureError(f"the file is damaged: {how}; write or copy it again")


# JPEG ---------------------------------------------------------------------------------------------------------------

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""The first real marker after entropy-coded data: neither a stuffed FF nor a restart."""


def _read_jpeg(data: bytes) -> PictureInfo:
    info: PictureInfo | None = None
    at = 2
    while True:
        while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] == b"\xff":  # fill bytes
            at += 1
        if len(data) < at + 2:
            raise _cut("the end marker (FF D9) of the JPEG is missing")
        if data[at] != 0xFF:
            raise _damaged(f"no JPEG marker at byte {at}")
        marker = data[at + 1]
        at += 2
        if marker == 0xD9:
            break
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _JPEG_FRAMES:
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 2)
            info = PictureInfo("JPEG", width, height, components * (2 if bits > 8 else 1))
        at += length
        if marker == 0xDA:
            end = _AFTER_SCAN.search(data, at)
            if end is None:
                raise _cut("the end marker (FF D9) of the JPEG is missing")
            at = end.end() - 2
    if info is None:
        raise _damaged("the JPEG holds no picture")
    return info


# PNG ----------------------------------------------------------------------------------------------------------------

_PNG_CHANNELS = {0: 1, 2: 3, 3: 4, 4: 4, 6: 4}
"""Channels after decoding, by colour type: a palette may hold alpha, grey with alpha becomes colour with alpha."""


def _read_png(data: bytes) -> PictureInfo:
    info: PictureInfo | None = None
    view = memoryview(data)
    for kind, start, length in _png_chunks(data):
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack_from(">IIBB", data, start)
            info = PictureInfo("PNG", width, height, _PNG_CHANNELS.get(color, 4) * (2 if depth > 8 else 1))
            if info.decoded_bytes > MAX_BYTES:
                return info  # refused by the caller: no need to look further
        elif kind == b"acTL":
            raise PictureError("the file is an animation; save one picture per file")
        if zlib.crc32(view[start - 4 : start + length]) != struct.unpack_from(">I", data, start + length)[0]:
            raise _damaged(f"checksum of the PNG's part {kind.decode('ascii', 'replace')} at byte {start} is wrong")
    if info is None:
        raise _damaged("the PNG has no header")
    return info


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, offset of the content, its length) up to the end marker."""
    at = 8
    while True:
        if len(data) < at + 12:
            raise _cut("the end marker (IEND) of the PNG is missing")
        length, kind = struct.unpack_from(">I4s", data, at)
        if len(data) < at + 12 + length:
            raise _cut(f"the PNG ends at byte {len(data)}, within a part of {length} bytes")
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += 12 + length


# BMP ----------------------------------------------------------------------------------------------------------------


def _read_bmp(data: bytes) -> PictureInfo:
    offset, header = struct.unpack_from("<II", data, 10)
    if header < 40:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    height = abs(height)  # negative: stored top row first
    if compression not in (0, 3):
        raise PictureError("the BMP file is compressed, so that its end cannot be checked; save it as PNG")
    info = PictureInfo("BMP", width, height, 4 if bits == 32 else 3)
    needed = offset + (width * bits + 31) // 32 * 4 * height
    if len(data) < needed and info.decoded_bytes <= MAX_BYTES:
        raise _cut(f"the BMP has {len(data)} of {needed} bytes")
    return info


# TIFF ---------------------------------------------------------------------------------------------------------------

_WIDTH, _HEIGHT, _BITS, _SAMPLES, _SUBFILE = 256, 257, 258, 277, 254
_PIECES = ((273, 279), (324, 325))
"""Tags of offsets and byte counts: of strips, of tiles."""
_MOST_TIFF_VALUES = 2**20
"""More than any real picture has strips or tiles; keeps a hostile count from taking memory."""
_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}


def _read_tiff(data: bytes) -> PictureInfo:
    order = "<" if data[:2] == b"II" else ">"
    tags, following = _tiff_directory(data, order, struct.unpack_from(f"{order}I", data, 4)[0])
    if following and not (_tiff_directory(data, order, following)[0].get(_SUBFILE, (0,))[0] & 1):  # 1: only a thumbnail
        raise PictureError("the TIFF file holds several pictures; save one picture per file")
    if _WIDTH not in tags or _HEIGHT not in tags:
        raise _damaged("the TIFF does not say its size")
    samples = tags.get(_SAMPLES, (1,))[0]
    channels = 1 if samples == 1 else max(samples, 3)
    bits = max(tags.get(_BITS, (1,)))
    info = PictureInfo("TIFF", tags[_WIDTH][0], tags[_HEIGHT][0], channels * ((bits + 7) // 8))
    pieces = [
        (at, size)
        for where, sizes in _PIECES
        for at, size in zip(tags.get(where, ()), tags.get(sizes, ()), strict=False)
    ]
    if not pieces:
        raise _damaged("the TIFF holds no picture data")
    needed = max(at + size for at, size in pieces)
    if len(data) < needed:
        raise _cut(f"the TIFF has {len(data)} of {needed} bytes")
    return info


def _tiff_directory(data: bytes, order: str, at: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """(values by tag, offset of the next directory or 0). Only unsigned whole numbers are kept."""
    (count,) = struct.unpack_from(f"{order}H", data, at)
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, n = struct.unpack_from(f"{order}HHI", data, entry)
        letter = _TIFF_TYPES.get(kind)
        if letter is None or n == 0:
            continue
        inline = n * struct.calcsize(f"={letter}") <= 4
        where = entry + 8 if inline else struct.unpack_from(f"{order}I", data, entry + 8)[0]
        if n > _MOST_TIFF_VALUES:
            raise _damaged(f"a field of the TIFF has {n} values")
        if where + n > len(data):
            raise _cut(f"the TIFF has {len(data)} bytes and points beyond them")
        tags[tag] = struct.unpack_from(f"{order}{n}{letter}", data, where)
    (following,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * count)
    return tags, following


# WebP ---------------------------------------------------------------------------------------------------------------


def _read_webp(data: bytes) -> PictureInfo:
    needed = 8 + struct.unpack_from("<I", data, 4)[0]
    if len(data) < needed:
        raise _cut(f"the WebP has {len(data)} of {needed} bytes")
    kind = data[12:16]
    if kind == b"VP8X":
        if data[20] & 2:
            raise PictureError("the file is an animation; save one picture per file")
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (size & 0x3FFF for size in struct.unpack_from("<HH", data, 26))
    return PictureInfo("WebP", width, height, 4)


_FORMATS = (
    (re.compile(rb"\xff\xd8\xff"), _read_jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _read_png),
    (re.compile(rb"II\*\0|MM\0\*"), _read_tiff),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _read_webp),
    (re.compile(rb"BM"), _read_bmp),
)
