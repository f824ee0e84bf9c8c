"""Encodes pixels as a PNG with a reduced palette."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_COLOURS = 256
_COMPRESSION_LEVEL = 3
"""zlib level; higher levels take twice as long and save only a tenth."""


def encode(rgba: NDArray[np.uint8], dots_per_inch: float) -> bytes:
    """Return the PNG of an opaque image of shape (height, width, 4), reduced to 256 colours."""
    image = (
        Image.fromarray(rgba)
        .convert("RGB")
        .quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    )
    file = BytesIO()
    image.save(file, "PNG", compress_level=_COMPRESSION_LEVEL, dpi=(dots_per_inch, dots_per_inch))
    return file.getvalue()
