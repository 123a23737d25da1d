"""The one place where a picture file becomes an array.

The pixels are handed on exactly as stored: 16-bit, float and RGBA pictures keep their type and channels, so that the
pipeline can hold the part (WRONG_FORMAT) instead of judging a silently converted picture. For the same reason a
rotation noted beside the pixels (EXIF orientation) is not applied: training data, defect boxes and masks refer to stored
pixels.
"""

import os
import stat
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras.picture_file import MAX_BYTES, PictureError, checked_info

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a file that fails is told by PictureError, once


def read_picture(path: Path) -> NDArray[np.generic]:
    """Decode the file `path`; see `decode_picture`. Raises PictureError, whatever is wrong with the file."""
    try:
        # Without O_NONBLOCK a named pipe called x.png would stop the line for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PictureError("this is no regular file; give a picture file")
            if status.st_size > MAX_BYTES:
                raise PictureError(
                    f"the file is larger than {MAX_BYTES // 2**20} MiB; crop the picture or scale it down"
                )
            data = stream.read()
    except FileNotFoundError:
        raise PictureError("there is no such file; check the name") from None
    except PermissionError:
        raise PictureError("it may not be read; give the station's user the right to read it") from None
    except OSError as error:
        raise PictureError(f"it cannot be read ({error.strerror or error}); check the disk or network share") from error
    return decode_picture(data)


def decode_picture(data: bytes) -> NDArray[np.generic]:
    """Decode a whole PNG, JPEG, BMP, TIFF or WebP file.

    Returns shape (height, width, channels) with 1 channel (grey), 3 (BGR) or 4 (BGRA) and the file's own depth: u8,
    u16, f32 or f64. Raises PictureError when the file is cut, damaged, no picture, or larger than
    `picture_file.MAX_BYTES`.
    """
    info = checked_info(data)
    try:
        # Stubs say that imdecode always returns an array; it returns None for a file that it cannot decode.
        image: NDArray[np.generic] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise PictureError(f"the {info.format} file cannot be decoded ({error.err}); write it again") from None
    if image is None:
        raise PictureError(f"the {info.format} file is damaged and cannot be decoded; write or copy it again")
    if image.shape[:2] != (info.height, info.width):
        found = f"{image.shape[1]}x{image.shape[0]}"
        raise PictureError(
            f"the {info.format} file says {info.width}x{info.height} px and holds {found}; write it again"
        )
    return image[:, :, np.newaxis] if image.ndim == 2 else image
