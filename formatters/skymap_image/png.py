"""A PNG of few colours, from pixels in memory."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_COLOURS = 256
_COMPRESSION_LEVEL = 3
"""Of zlib: higher ones take twice as long and save a tenth."""


def encode(rgba: NDArray[np.uint8], dots_per_inch: float) -> bytes:
    """Return the PNG file of an opaque image (height, width, 4), reduced to 256 colours."""
    image = (
        Image.fromarray(rgba)
        .convert("RGB")
        .quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    )
    file = BytesIO()
    image.save(file, "PNG", compress_level=_COMPRESSION_LEVEL, dpi=(dots_per_inch, dots_per_inch))
    return file.getvalue()
