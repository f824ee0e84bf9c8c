"""A PNG of few colours, from pixels in memory (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = 256
_PALETTE = 3
_LEVEL = 3


def encode(rgba: NDArray[np.uint8], dots_per_inch: float) -> bytes:
    """Return the PNG file of an opaque image (height, width, 4), reduced to 256 colours."""
    height, width, _ = rgba.shape
    image = (
        Image.fromarray(rgba)
        .convert("RGB")
        .quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    )
    palette = bytes(image.getpalette("RGB") or ())
    # Filter 0 in front of each row: neighbouring indices of a palette don't predict each other.
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = np.asarray(image)
    per_metre = round(dots_per_inch / 0.0254)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), _LEVEL)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
