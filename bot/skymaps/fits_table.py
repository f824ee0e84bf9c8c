"""A reader of the first binary table of a FITS file in memory, which doesn't trust the file's header.

It implements the part of FITS 4.0 that sky maps need (https://fits.gsfc.nasa.gov/fits_standard.html). It is
written here and not taken from astropy.io.fits, because that allocates the sizes a hostile header declares,
and repairs cards with warnings that can't be silenced safely in threads. Here every declared size is compared
with the bytes that are there before anything is allocated, columns are views of those bytes, and nothing
warns.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.skymaps.errors import UnreadableMap

CardValue = str | int | float | bool
"""The type of a header card's value."""

MAX_UNPACKED_BYTES = 64 * 2**20
"""The most bytes to which a gzipped file may expand."""

_GZIP_MAGIC = b"\x1f\x8b"
_FITS_MAGIC = b"SIMPLE  ="
_CHUNK_BYTES = 2**16
_BLOCK_BYTES = 2880
_CARD_BYTES = 80
_MAX_HEADER_BYTES = 100 * _BLOCK_BYTES
_MAX_HDUS = 8
_MAX_FIELDS = 999

_CARD_VALUE = re.compile(
    r" *(?:'(?P<text>(?:[^']|'')*)'|(?P<logical>[TF])|(?P<integer>[+-]?\d+)"
    r"|(?P<real>[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?)) *(?:/.*)?",
    re.DOTALL,
)
_TFORM = re.compile(r"(?P<repeat>\d{0,9})(?P<code>[LXBIJKAEDCMPQ]).*", re.DOTALL)
_BYTES_PER_ELEMENT = {
    "L": 1,
    "B": 1,
    "I": 2,
    "J": 4,
    "K": 8,
    "A": 1,
    "E": 4,
    "D": 8,
    "C": 8,
    "M": 16,
    "P": 8,
    "Q": 16,
}
_INTEGER_DTYPES = {"I": ">i2", "J": ">i4", "K": ">i8"}
_NUMBER_DTYPES = {"B": "u1", "E": ">f4", "D": ">f8"} | _INTEGER_DTYPES


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    code: str
    repeat: int
    offset: int


@dataclass(frozen=True, slots=True)
class BinaryTable:
    """A binary table: the header's cards that have a value, and the columns by name."""

    header: Mapping[str, CardValue]
    rows: int
    _fields: Mapping[str, _Field]
    _data: bytes | bytearray
    _start: int
    _row_bytes: int

    @property
    def unpacked_file(self) -> memoryview:
        """Return the uncompressed file up to the end of the table."""
        return memoryview(self._data)[: self._start + self.rows * self._row_bytes]

    def column(self, name: str) -> NDArray[Any] | None:
        """Return a numeric column as a flat array of `rows` times its repeat count; None if it doesn't exist.

        Numbers are in the file's byte order (big-endian); integers with the TZERO convention become unsigned.
        Raises UnreadableMap if the column doesn't hold plain numbers.
        """
        field = self._fields.get(name)
        if field is None:
            return None
        if field.code not in _NUMBER_DTYPES or not field.repeat:
            raise UnreadableMap(f"The map's column {name} doesn't hold one number a row.")
        dtype = np.dtype(_NUMBER_DTYPES[field.code])
        values = np.ndarray(
            (self.rows, field.repeat),
            dtype,
            buffer=self._data,
            offset=self._start + field.offset,
            strides=(self._row_bytes, dtype.itemsize),
        ).reshape(-1)
        scale = self.header.get(f"TSCAL{field.number}", 1)
        zero = self.header.get(f"TZERO{field.number}", 0)
        if scale == 1 and zero == 0:
            return values
        half = 2 ** (8 * dtype.itemsize - 1)
        if scale == 1 and zero == half and field.code in _INTEGER_DTYPES:
            unsigned: NDArray[Any] = values.view(f">u{dtype.itemsize}") ^ np.array(
                half, f">u{dtype.itemsize}"
            )
            return unsigned
        raise UnreadableMap(f"The map's column {name} is scaled in an unknown way.")


def read_table(data: bytes, max_bytes: int = MAX_UNPACKED_BYTES, max_rows: int | None = None) -> BinaryTable:
    """Read the first binary table of a FITS file, gzipped or not. Raises UnreadableMap.

    A table that declares more than `max_rows` rows is rejected before it is unpacked. A gzipped file is
    unpacked only up to the end of the table and up to `max_bytes` bytes, and not beyond its first bytes if
    they aren't those of a FITS file, so that a decompression bomb costs nothing.
    """
    file = _LazyFile(data, max_bytes)
    if not file.read_to(len(_FITS_MAGIC)).startswith(_FITS_MAGIC):
        raise UnreadableMap(
            "The map is gzipped, and what it expands to isn't a FITS file."
            if file.gzipped
            else "The map isn't a FITS file."
        )
    start = 0
    for _ in range(_MAX_HDUS):
        header, start = _read_header(file, start)
        if header.get("XTENSION") == "BINTABLE":
            return _parse_table(header, file, start, max_rows)
        size = _data_size(header)
        start += size + -size % _BLOCK_BYTES
        if start >= len(file.read_to(start + 1)):
            break
    raise UnreadableMap("The map's FITS file holds no binary table.")


class _LazyFile:
    """A file in memory, gzipped or not, which is unpacked only as far as it is read."""

    def __init__(self, data: bytes, max_bytes: int) -> None:
        self.gzipped = data.startswith(_GZIP_MAGIC)
        self._content: bytes | bytearray = data
        if self.gzipped:
            self._content, self._packed, self._packed_position, self._unconsumed = bytearray(), data, 0, b""
            self._max_bytes = max_bytes
            self._stream = zlib.decompressobj(wbits=31)

    def read_to(self, size: int) -> bytes | bytearray:
        """Return at least the first `size` bytes, or the file if it is shorter. Raises UnreadableMap."""
        if isinstance(self._content, bytearray) and size > len(self._content):
            if size > self._max_bytes:
                raise UnreadableMap(
                    f"The map is gzipped and expands to more than {self._max_bytes // 2**20} MiB."
                )
            while len(self._content) < size and (piece := self._next_chunk()):
                self._content += piece
        return self._content

    def verify_checksum(self) -> None:
        """Verify the gzip checksum if the file ends within the next chunk. Raises UnreadableMap."""
        bytes_left = _CHUNK_BYTES
        while self.gzipped and bytes_left > 0 and (piece := self._next_chunk()):
            bytes_left -= len(piece)

    def _next_chunk(self) -> bytes:
        """Return the next unpacked bytes, empty at the end of the file or where it is truncated."""
        try:
            while not self._stream.eof:
                if not self._unconsumed:
                    self._unconsumed = self._packed[
                        self._packed_position : self._packed_position + _CHUNK_BYTES
                    ]
                    self._packed_position += len(self._unconsumed)
                    if not self._unconsumed:
                        break
                piece = self._stream.decompress(self._unconsumed, _CHUNK_BYTES)
                self._unconsumed = self._stream.unconsumed_tail
                if piece:
                    return piece
        except zlib.error:
            raise UnreadableMap("The map is gzipped, and can't be unpacked.") from None
        return b""


def _read_header(file: _LazyFile, start: int) -> tuple[dict[str, CardValue], int]:
    """Return the cards that have a value (the first of repeated keys), and the offset of the data."""
    header: dict[str, CardValue] = {}
    for block in range(start, start + _MAX_HEADER_BYTES, _BLOCK_BYTES):
        data = file.read_to(block + _BLOCK_BYTES)
        for offset in range(block, min(len(data), block + _BLOCK_BYTES), _CARD_BYTES):
            card = data[offset : offset + _CARD_BYTES].decode("latin-1")
            key = card[:8].rstrip(" ")
            if key == "END":
                length = offset + _CARD_BYTES - start
                return header, start + length + -length % _BLOCK_BYTES
            if card[8:10] == "= " and key not in header:
                value = _parse_card_value(card[10:])
                if value is not None:
                    header[key] = value
        if len(data) < block + _BLOCK_BYTES:
            break
    raise UnreadableMap("The map's FITS header has no end.")


def _parse_card_value(text: str) -> CardValue | None:
    match = _CARD_VALUE.fullmatch(text)
    if match is None:
        return None
    if match["text"] is not None:
        return match["text"].replace("''", "'").rstrip(" ")
    if match["logical"] is not None:
        return match["logical"] == "T"
    if match["integer"] is not None:
        return int(match["integer"])
    return float(match["real"].upper().replace("D", "E"))


def _non_negative_card(header: Mapping[str, CardValue], key: str, default: int | None = None) -> int:
    value = header.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UnreadableMap(f"The map's FITS header has no usable {key}.")
    return value


def _data_size(header: Mapping[str, CardValue]) -> int:
    bits = header.get("BITPIX")
    if not isinstance(bits, int) or bits not in (8, 16, 32, 64, -32, -64):
        raise UnreadableMap("The map's FITS header has no usable BITPIX.")
    axes = _non_negative_card(header, "NAXIS")
    if axes > _MAX_FIELDS:
        raise UnreadableMap("The map's FITS header has no usable NAXIS.")
    if not axes:
        return 0
    elements = prod(_non_negative_card(header, f"NAXIS{axis}") for axis in range(1, axes + 1))
    return (
        abs(bits)
        // 8
        * _non_negative_card(header, "GCOUNT", 1)
        * (_non_negative_card(header, "PCOUNT", 0) + elements)
    )


def _parse_table(
    header: Mapping[str, CardValue], file: _LazyFile, start: int, max_rows: int | None
) -> BinaryTable:
    if header.get("BITPIX") != 8 or header.get("NAXIS") != 2:
        raise UnreadableMap("The map's FITS header doesn't describe a binary table of bytes.")
    width, rows = _non_negative_card(header, "NAXIS1"), _non_negative_card(header, "NAXIS2")
    if max_rows is not None and rows > max_rows and width:
        raise UnreadableMap(f"The map has {rows:.6g} tiles, and at most {max_rows:,} are read.")
    data = file.read_to(start + width * rows)
    file.verify_checksum()
    available = max(len(data) - start, 0)
    if width * rows > available:
        raise UnreadableMap(f"The map's table declares {width * rows:.6g} bytes, and {available} are there.")
    fields: dict[str, _Field] = {}
    offset = 0
    for number in range(1, min(_non_negative_card(header, "TFIELDS"), _MAX_FIELDS) + 1):
        match = _TFORM.fullmatch(str(header.get(f"TFORM{number}", "")))
        if match is None:
            raise UnreadableMap(f"The map's FITS header has no usable TFORM{number}.")
        repeat, code = int(match["repeat"] or 1), match["code"]
        name = str(header.get(f"TTYPE{number}", "")).strip().upper()
        fields.setdefault(name, _Field(number, code, repeat, offset))
        offset += (repeat + 7) // 8 if code == "X" else repeat * _BYTES_PER_ELEMENT[code]
    if offset != width:
        raise UnreadableMap(f"The map's rows are {width:.6g} bytes wide, and its columns {offset}.")
    return BinaryTable(header, rows, fields, data, start, width)
