"""Sources of frames."""

import os

# OpenCV reads this once, when it is first imported: the backstop behind `picture_file.MAX_BYTES` (decompression bombs).
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))
