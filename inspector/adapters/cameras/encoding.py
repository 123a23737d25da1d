"""Pictures for people: JPEG for the live view. What is judged is never compressed."""

import cv2
import numpy as np

from inspector.domain.frame import Image


class JpegEncoder:
    """Encodes u8 (height, width, 1 or 3 channels BGR) at `quality` 1 to 100."""

    def __init__(self, quality: int) -> None:
        self._options = [cv2.IMWRITE_JPEG_QUALITY, quality]

    def __call__(self, image: Image) -> bytes:
        """Raises ValueError when OpenCV cannot encode the picture."""
        done, encoded = cv2.imencode(".jpg", np.ascontiguousarray(image), self._options)
        if not done:
            raise ValueError(f"a picture of shape {image.shape} cannot be encoded as JPEG")
        return encoded.tobytes()
