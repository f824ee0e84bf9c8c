"""Payloads made to cost as much as a reader lets them: bombs, and the largest that are allowed."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import fastavro
import numpy as np
from numpy.typing import NDArray

from bot.alerts.payload import MAX_PAYLOAD_BYTES, MAX_VALUES
from bot.samples import to_json
from bot.skymaps.skymap import MAX_TILES
from tests.fuzz.seeds import notice_with_map

MEGA = 2**20


def avro(schema: object, block: bytes, *, deflate: bool = True) -> bytes:
    """A container of one block, deflated, whatever is in it."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(block) + packer.flush() if deflate else block
    codec = b"deflate" if deflate else b"null"
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, {"type": "map", "values": "bytes"}, meta)
    rest = out.getvalue() + bytes(16) + encode_long(1) + encode_long(len(packed)) + packed + bytes(16)
    return b"Obj\x01" + rest


def encode_long(value: int) -> bytes:
    """A number as Avro writes it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", value)
    return out.getvalue()


def record_of(inner: object) -> object:
    """A schema of a record with one field."""
    return {"type": "record", "name": "Alert", "fields": [{"name": "x", "type": inner}]}


def array_of(inner: object) -> object:
    """A schema of a record with one array."""
    return record_of({"type": "array", "items": inner})


def _byte_records() -> bytes:
    inner = {"type": "record", "name": "r", "fields": [{"name": "v", "type": "boolean"}]}
    return avro(array_of(inner), encode_long(4 * MEGA) + bytes(4 * MEGA + 1))


def _empty_arrays() -> bytes:
    return avro(array_of({"type": "array", "items": "int"}), encode_long(8 * MEGA) + bytes(8 * MEGA + 1))


def _short_strings() -> bytes:
    return avro(array_of("string"), encode_long(3 * MEGA) + b"\x04ab" * 3 * MEGA + b"\0")


def _decimal() -> bytes:
    inner = {"type": "bytes", "logicalType": "decimal", "precision": 10**7, "scale": 2}
    return avro(record_of(inner), encode_long(4 * MEGA) + b"\x7f" * 4 * MEGA)


def _endless_varint() -> bytes:
    return avro(record_of("long"), b"\xff" * 15 * MEGA)


def _declared_sizes() -> bytes:
    return avro(record_of("bytes"), encode_long(2**62) + b"x")


def _declared_items() -> bytes:
    return avro(array_of("long"), encode_long(2**62) + b"\0")


def _deflate_bomb() -> bytes:
    return avro(record_of("bytes"), bytes(100 * MEGA))


def _json_of(piece: bytes) -> bytes:
    return b"[" + piece * ((MAX_PAYLOAD_BYTES - 10) // len(piece)) + b"0]"


def _json_most_values() -> bytes:
    return _record_with(x=[{"": [0.5]}] * ((MAX_VALUES - 100) // 3))


def _record_with(**more: Any) -> bytes:
    return json.dumps(json.loads(to_json(notice_with_map(None))) | more, ensure_ascii=False).encode()


def _json_wide_text() -> bytes:
    return _record_with(x="😀" + "a" * (MAX_PAYLOAD_BYTES - 2000))


def _json_keys() -> bytes:
    return _record_with(
        event={"time": "2026-01-02T03:04:05Z", "classification": {f"k{n}": 0.1 for n in range(40_000)}}
    )


def _long_names() -> bytes:
    long_name = "<!channel>" * (MAX_PAYLOAD_BYTES // 80)
    known = json.loads(to_json(notice_with_map(None)))
    known["event"] |= {"group": long_name, "pipeline": long_name, "instruments": [long_name]}
    known["urls"] = {long_name: long_name}
    return json.dumps(known | {long_name: 1}).encode()


def _base64_blanks() -> bytes:
    known = json.loads(to_json(notice_with_map(None)))
    known["event"]["skymap"] = "aa " * 5 * MEGA
    return json.dumps(known).encode()


def _ids() -> bytes:
    return b'"superevent_id"' * (MAX_PAYLOAD_BYTES // 16) + b" " * 1000


def _too_large() -> bytes:
    return b" " * (MAX_PAYLOAD_BYTES + 1)


def gzipped_zeros(count: int, head: bytes = b"") -> bytes:
    """So many zeros, gzipped, behind whatever they are to be taken for."""

    def block(data: bytes) -> bytes:
        packer = zlib.compressobj(9, wbits=-15)
        return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)

    # Blocks that were flushed stand for themselves, so that one mebibyte need be packed only once.
    size, mega = len(head) + count, bytes(MEGA)
    checksum = zlib.crc32(head)
    for _ in range(count // MEGA):
        checksum = zlib.crc32(mega, checksum)
    packed = block(head) + block(mega) * (count // MEGA) + b"\x03\0"
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed + struct.pack("<LL", checksum, size % 2**32)


def _declared_rows() -> bytes:
    # As many as are unpacked at all, and more than are read.
    return gzipped_zeros(1024 * MEGA, map_headers(4 * MEGA - 1_000))


def _bombs_in_a_list() -> bytes:
    return _with_coincidences(_declared_rows(), 8)


def _maps_in_a_list() -> bytes:
    return _with_coincidences(gzip.compress(map_file(*isolated_tiles(MAX_TILES // 20)), 1, mtime=0), 20)


def _with_coincidences(skymap: bytes, count: int) -> bytes:
    record = json.loads(to_json(notice_with_map(skymap)))
    one = {"observatory": "Fermi", "search": "GRB", "combined_skymap": record["event"]["skymap"]}
    return json.dumps({**record, "external_coinc": [one] * count}).encode()


def _gzip_in_both() -> bytes:
    record = notice_with_map(gzip.compress(map_file(*isolated_tiles(MAX_TILES // 2)), 1, mtime=0))
    return to_json(record | {"external_coinc": {"combined_skymap": record["event"]["skymap"]}})


def map_file(uniq: NDArray[np.int64], density: NDArray[np.float64]) -> bytes:
    """A map's file of these tiles."""
    table = np.zeros(uniq.size, [("UNIQ", ">i8"), ("PROBDENSITY", ">f8")])
    table["UNIQ"], table["PROBDENSITY"] = uniq, density
    data = table.tobytes()
    return map_headers(uniq.size) + data + bytes(-len(data) % 2880)


def map_headers(rows: int) -> bytes:
    """The headers of a map's file of so many tiles."""
    cards = {
        "XTENSION": "'BINTABLE'",
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": 16,
        "NAXIS2": rows,
        "PCOUNT": 0,
        "GCOUNT": 1,
    }
    cards |= {"TFIELDS": 2, "TTYPE1": "'UNIQ'", "TFORM1": "'K'", "TTYPE2": "'PROBDENSITY'", "TFORM2": "'D'"}
    primary = _header({"SIMPLE": "T", "BITPIX": 8, "NAXIS": 0})
    return primary + _header(cards | {"ORDERING": "'NUNIQ'", "COORDSYS": "'C'"})


def _header(cards: Mapping[str, object]) -> bytes:
    text = "".join(f"{key:<8}= {value}".ljust(80) for key, value in cards.items()) + "END".ljust(80)
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


def isolated_tiles(count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Tiles of order 12 that don't touch: each is a region."""
    uniq = 4 * 4**12 + np.arange(count) * 150
    return uniq, np.full(count, 4**12 * 3 / np.pi / count)


def unmergeable_tiles(count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Three tiles in four of order 9, as far as they go: all touch, and none can be merged."""
    ipix = np.arange(count) * 4 // 3
    return 4 * 4**9 + ipix, np.full(count, 4**9 * 3 / np.pi / count)


def scattered(count: int, *, coarsest: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Tiles of orders from the coarsest to the finest, all over the sky, in no order, of equal shares."""
    rng = np.random.default_rng(count + coarsest)
    cell = np.sort(rng.choice(12 * 4**10, count, replace=False))
    order = rng.integers(coarsest, 30, count)
    ipix = (cell << 2 * (order - 10)) + rng.integers(0, 4 ** (order - 10))
    place = rng.permutation(count)
    return (4 * 4**order + ipix)[place], (3 * 4.0**order / np.pi / count)[place]


def _gzipped_map(tiles: tuple[NDArray[np.int64], NDArray[np.float64]]) -> bytes:
    return to_json(notice_with_map(gzip.compress(map_file(*tiles), 1, mtime=0)))


PAYLOADS: Mapping[str, Callable[[], bytes]] = {
    "records of a byte": _byte_records,
    "empty arrays": _empty_arrays,
    "short strings": _short_strings,
    "long decimal": _decimal,
    "endless number": _endless_varint,
    "declared size": _declared_sizes,
    "declared items": _declared_items,
    "deflate bomb": _deflate_bomb,
    "empty lists": lambda: _json_of(b"[],"),
    "small objects": lambda: _json_of(b'{"":0},'),
    "numbers": lambda: _json_of(b"1.5,"),
    "brackets": lambda: b"[" * (MAX_PAYLOAD_BYTES - 1),
    "braces": lambda: b'{"a":' * (MAX_PAYLOAD_BYTES // 5),
    "most values": _json_most_values,
    "wide text": _json_wide_text,
    "many classes": _json_keys,
    "long names": _long_names,
    "base64 of blanks": _base64_blanks,
    "ids": _ids,
    "too large": _too_large,
    "gzip bomb": lambda: to_json(notice_with_map(gzipped_zeros(200 * MEGA))),
    "gzip bomb of a GiB": lambda: to_json(notice_with_map(gzipped_zeros(1024 * MEGA))),
    "gzip bomb with headers": lambda: to_json(notice_with_map(_declared_rows())),
    "gzip bomb after a map": lambda: to_json(
        notice_with_map(gzipped_zeros(1024 * MEGA, map_file(*isolated_tiles(9))))
    ),
    "gzip bombs in a list": _bombs_in_a_list,
    "maps in a list": _maps_in_a_list,
    "most crumbs": lambda: _gzipped_map(isolated_tiles(MAX_TILES)),
    "most checkers": lambda: _gzipped_map(unmergeable_tiles(MAX_TILES)),
    "most scattered": lambda: _gzipped_map(scattered(MAX_TILES, coarsest=10)),
    "most scattered, finest": lambda: _gzipped_map(scattered(MAX_TILES, coarsest=29)),
    "two maps": _gzip_in_both,
    "too many tiles": lambda: _gzipped_map(isolated_tiles(MAX_TILES + 1)),
    "map of base64": lambda: to_json(notice_with_map(base64.b64encode(bytes(10_000)))),
}
"""Each by its name."""
