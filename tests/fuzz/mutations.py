"""What is done to a notice, each by a seed: the same seed makes the same bytes."""

from __future__ import annotations

import copy
import gzip
import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro
import numpy as np

from bot.samples import to_json
from tests.fuzz import hostile_payloads
from tests.fuzz.seeds import SeedCorpus, notice_with_map

Json = Any
Mutation = Callable[[SeedCorpus, random.Random], bytes]
PUBLISHED_EVERY = 8
"""One mutant in so many begins with a published notice: those have megabytes."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One hostile payload, and what was done to make it."""

    kind: str
    body: bytes


def create_mutant(seed: int, made: SeedCorpus, published: SeedCorpus) -> Mutant:
    """The payload of a seed; the first ones are the monsters, each as it is."""
    crafted = list(hostile_payloads.PAYLOADS.items())
    if seed < len(crafted):
        name, make = crafted[seed]
        return Mutant(f"monster {name}", make())
    rng = random.Random(seed)
    kind = rng.choice(list(MUTATIONS))
    bases = published if published.payloads and not rng.randrange(PUBLISHED_EVERY) else made
    return Mutant(kind, MUTATIONS[kind](bases, rng))


def _flipped(bases: SeedCorpus, rng: random.Random) -> bytes:
    return _flip(rng.choice(bases.payloads), rng)


def _flip(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    # Half of them near the beginning, where schemas and headers are.
    for _ in range(rng.choice((1, 1, 2, 8, 100))):
        place = rng.randrange(min(len(changed), rng.choice((300, 6000, 10**9))))
        changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(bases: SeedCorpus, rng: random.Random) -> bytes:
    body = rng.choice(bases.payloads)
    start = rng.choice((0, 0, 0, rng.randrange(len(body))))
    return body[start : rng.randrange(start, len(body))]


def _spliced(bases: SeedCorpus, rng: random.Random) -> bytes:
    """Replace a piece of one payload by a piece of another, or of itself."""
    body, other = rng.choice(bases.payloads), rng.choice(bases.payloads)
    at, size = rng.randrange(len(body)), rng.choice((0, 1, 8, 80, 2880, rng.randrange(len(body))))
    start = rng.randrange(len(other))
    return body[:at] + other[start : start + rng.choice((1, 16, 80, 2880, 10**6))] + body[at + size :]


def encode_varint(value: int) -> bytes:
    """A number as Avro writes a long; also one that no long can hold."""
    left, out = (value << 1) ^ (value >> 63 if -(2**63) <= value < 2**63 else 0), bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left & 0x7F)
    return bytes(out)


SIZES = (-1, 0, 1, 2, 63, 2**16, 10**9, 2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, -(2**31), -(2**63))


def _lengths(bases: SeedCorpus, rng: random.Random) -> bytes:
    """Write numbers of all sizes over bytes that may be lengths or counts."""
    avro = [body for body in bases.payloads if body.startswith(b"Obj\x01")] or list(bases.payloads)
    body = bytearray(rng.choice(avro))
    for _ in range(rng.choice((1, 1, 3))):
        place = rng.randrange(min(len(body), rng.choice((100, 4500, 10**9))))
        size = rng.choice(SIZES)
        written = rng.choice(
            (
                encode_varint(size),
                b"\xff" * rng.choice((9, 10, 500)),
                struct.pack(">q", size),
                struct.pack("<q", size),
            )
        )
        body[place : place + rng.choice((0, 1, len(written)))] = written
    return bytes(body)


class Raw(str):
    """JSON text to be written as it is."""


HOSTILE: tuple[Callable[[random.Random], Json], ...] = (
    lambda rng: rng.choice((None, True, False, "", [], {}, 0, -1, "null", "NaN", "\0")),
    lambda rng: rng.choice((1e308, -1e308, 5e-324, -0.0, 1e400, float("nan"), float("inf"), -float("inf"))),
    lambda rng: rng.choice((2**31, 2**63, 2**64, -(2**63), 10**300, 10**309, 10**4299)),
    lambda rng: Raw(rng.choice(("9" * 5000, "-" + "9" * 100_000, "1e999999999", "1" + "0" * 30 + ".5e-400"))),
    lambda rng: Raw(
        rng.choice(('"\\ud800"', '"\\udfff\\ud800x"', '"\\u0000"', '"\\u202e"', "'", "nul", "{"))
    ),
    lambda rng: rng.choice(
        ("<!channel>", "<@U1>", "a" * 70_000, "\u202e" * 100, "😀" * 5000, "&lt;", "`*_~")
    ),
    lambda rng: Raw(rng.choice(("[", '{"a":')) * rng.choice((5, 50, 900, 100_000))),
    lambda rng: Raw("[" * (depth := rng.choice((5, 25, 400, 900, 2000))) + "]" * depth),
    lambda rng: [rng.choice(("H1", None, 1, [], "x" * 300))] * rng.choice((1, 20, 5000)),
    lambda rng: {
        f"k{n}": rng.choice((0.1, None, "x", -1, 2, 1e400)) for n in range(rng.choice((1, 30, 3000)))
    },
    lambda rng: {"<!here>": 0.5, "": 0.2, "😀" * 100: 0.1, "\ud800": 0.3},
    lambda rng: rng.choice(
        ("S260102ab", "MS1", "S000000a", "GW991332ZZ", "S260102ab\n", "s260102AB", "S" * 999)
    ),
    lambda rng: rng.choice(
        ("9999-12-31T23:59:59+00:01", "0001-01-01T00:00:00+14:00", "2026-13-01T00:00:00Z")
    ),
    lambda rng: rng.choice(
        ("2026-01-02T03:04:60Z", "2026-01-02 03:04:05." + "9" * 5000, "0000-00-00T00:00:00")
    ),
    lambda rng: rng.choice(("////" * 2000, "=" * 400, "U0lNUExF" * 500, "é" * 400, " " * 100_000)),
)


def _places(value: Json) -> list[tuple[Json, Json]]:
    """Every (container, key) in JSON values."""
    found: list[tuple[Json, Json]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        for key, inner in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            found.append((holder, key))
            if isinstance(inner, dict | list):
                waiting.append(inner)
    return found


def _values(bases: SeedCorpus, rng: random.Random) -> bytes:
    """Replace, remove, rename and repeat the values of a notice."""
    record = copy.deepcopy(rng.choice(bases.records))
    raw: dict[str, str] = {}
    for number in range(rng.choice((1, 1, 2, 4))):
        places = _places(record)
        if not places:
            break
        holder, key = rng.choice(places)
        match rng.randrange(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[rng.choice(("event", "x", "", key.upper(), "urls", key + "\u0000"))] = holder.pop(key)
            case _:
                value = rng.choice(HOSTILE)(rng)
                if isinstance(value, Raw):
                    raw[f"raw {number} "], value = value, f"raw {number} "
                holder[key] = value
    body = json.dumps(record, ensure_ascii=rng.random() < 0.7).encode("utf-8", "surrogatepass")
    for mark, text in raw.items():
        body = body.replace(f'"{mark}"'.encode(), text.encode())
    match rng.randrange(12):
        case 0:
            # The same key twice, the second with something else.
            again = json.dumps(rng.choice(list(record) or ["event"])).encode()
            body = (
                body[:-1] + b"," + again + b":" + rng.choice((b"null", b"[]", b"1e400", b'{"time":1}')) + b"}"
            )
        case 1:
            body = b"[" + b",".join([body] * rng.choice((1, 2, 3))) + b"]"
        case 2:
            encoding = rng.choice(("utf-16", "utf-32", "utf-16-be", "utf-8-sig"))
            body = body.decode("utf-8", "replace").encode(encoding)
    return body


_AVRO_HEADER = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Header",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": 4}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "sync", "type": {"type": "fixed", "name": "sync", "size": 16}},
        ],
    }
)
SCHEMAS: tuple[Json, ...] = (
    "null", "boolean", "int", "long", "float", "double", "bytes", "string", "igwn.alerts.Alert", "nothing",
    "", 1, [], {},
    ["null"], ["null", "null"], {"type": "array", "items": "null"}, {"type": "map", "values": "long"},
    {"type": "fixed", "name": "f", "size": 0}, {"type": "fixed", "name": "f", "size": 2**40},
    {"type": "fixed", "name": "f", "size": -1}, {"type": "enum", "name": "e", "symbols": []},
    {"type": "enum", "name": "e", "symbols": ["a"]}, {"type": "record", "name": "r", "fields": []},
    {"type": "array", "items": {"type": "array", "items": "boolean"}},
    {"type": "bytes", "logicalType": "decimal", "precision": 10**6, "scale": 10**6},
    {"type": "fixed", "name": "d", "size": 12, "logicalType": "decimal", "precision": 4},
    {"type": "long", "logicalType": "timestamp-millis"}, {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "int", "logicalType": "date"}, {"type": "int", "logicalType": "time-millis"},
    {"type": "string", "logicalType": "uuid"},
    {"type": "record", "name": "r", "fields": [{"name": "x", "type": "r"}]},
)  # fmt: skip


def read_container(body: bytes) -> tuple[dict[str, Any], bytes]:
    """An Avro container's header, and what stands behind it."""
    stream = io.BytesIO(body)
    header: Any = fastavro.schemaless_reader(stream, _AVRO_HEADER, None)
    return header, stream.read()


def write_container(header: Mapping[str, Any], rest: bytes) -> bytes:
    """An Avro container of these."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, _AVRO_HEADER, dict(header))
    return stream.getvalue() + rest


def _containers(bases: SeedCorpus, rng: random.Random) -> bytes:
    """Change the schema, the codec, the count or the size of an Avro container's only block."""
    header, rest = read_container(
        rng.choice([body for body in bases.payloads if body.startswith(b"Obj\x01")])
    )
    stream = io.BytesIO(rest)
    count: Any = fastavro.schemaless_reader(stream, "long", None)
    size: Any = fastavro.schemaless_reader(stream, "long", None)
    block = stream.read(size)
    match rng.randrange(4):
        case 0 | 1:
            schema = json.loads(header["meta"]["avro.schema"])
            for _ in range(rng.choice((1, 1, 3))):
                places = [
                    (holder, key) for holder, key in _places(schema) if key != "name" or rng.random() < 0.2
                ]
                holder, key = rng.choice(places or [({}, "x")])
                holder[key] = copy.deepcopy(rng.choice(SCHEMAS))
            header["meta"]["avro.schema"] = json.dumps(schema).encode()
        case 2:
            codecs = (b"null", b"deflate", b"zstandard", b"snappy", b"bzip2", b"xz", b"", b"\xff" * 100)
            header["meta"]["avro.codec"] = rng.choice(codecs)
            if rng.random() < 0.3:
                header["meta"]["avro.schema"] = rng.choice((b"", b"{", b"[" * 5000, b"\xff", b'"bytes"'))
        case _:
            count, size = rng.choice((1, count, *SIZES)), rng.choice((size, size, *SIZES))
    if rng.random() < 0.1:
        packer = zlib.compressobj(wbits=-15)
        block = packer.compress(bytes(rng.choice((10, 10**7, 5 * 10**7)))) + packer.flush()
        header["meta"]["avro.codec"], size = b"deflate", len(block)
    return write_container(header, encode_varint(count) + encode_varint(size) + block + header["sync"])


CARDS = (
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS", "TFORM1",
    "TFORM2", "TFORM3", "TTYPE1", "TTYPE2", "TZERO1", "TSCAL1", "TZERO2", "ORDERING", "COORDSYS", "NSIDE",
    "INDXSCHM", "DISTMEAN", "DISTSTD", "INSTRUME", "LOGBCI", "THEAP", "TDIM1", "TNULL1", "CREATOR", "END",
)  # fmt: skip
CARD_VALUES = (
    "1000000000", "-1", "0", "1", "2", "8", "999", "1000", "9223372036854775808", "-9223372036854775808",
    "T", "F", "NaN", "1E400", "-1E400", "1D5", "1.5", "1/2", "'", "'BINTABLE'", "'IMAGE'", "'K'", "'D'",
    "'1K'", "'999999999D'", "'0D'", "'E'", "'J'", "'B'", "'L'", "'X'", "'64X'", "'C'", "'M'", "'PE(10)'",
    "'QD(99)'", "'1024A'", "'UNIQ'", "'PROBDENSITY'", "'PROB'", "'NUNIQ'", "'NESTED'", "'RING'", "'G'",
    "'<!channel>'", "'H1,L1'",
    "", "1 / 2", "\xff\xfe", "''''''''", "9" * 20, "9" * 69,
)  # fmt: skip


def _cards(bases: SeedCorpus, rng: random.Random) -> bytes:
    """Change cards of a map's header."""
    fits = bytearray(_unpacked(rng.choice(bases.maps)))
    for _ in range(rng.choice((1, 1, 2, 5))):
        key, value = rng.choice(CARDS), rng.choice(CARD_VALUES)
        card = f"{key:<8}= {value:>20}".encode("latin-1")[:80].ljust(80)
        places = [
            at for at in range(0, min(len(fits), 12_000), 80) if fits[at : at + 8] == f"{key:<8}".encode()
        ]
        place = rng.choice(places) if places else 80 * rng.randrange(2880 // 80 * 3)
        fits[place : place + 80] = card
    return to_json(notice_with_map(_packed(bytes(fits), rng)))


def _unpacked(fits: bytes) -> bytes:
    return gzip.decompress(fits) if fits.startswith(b"\x1f\x8b") else fits


def _packed(fits: bytes, rng: random.Random) -> bytes:
    return gzip.compress(fits, 1, mtime=0) if rng.random() < 0.1 else fits


NUMBERS = (0, 1, 3, 4, 15, 16, -1, 2**62, 2**63 - 1, -(2**63), 4**31, 4**30 * 4 - 1)
REALS = (float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 1e308, -1e-300, 5e-324, 1e20)


def _columns(bases: SeedCorpus, rng: random.Random) -> bytes:
    """Change the numbers in a map's table, its order, or what type the header says they are of."""
    fits = bytearray(_unpacked(rng.choice(bases.maps)))
    end = fits.index(b"END" + b" " * 77, fits.index(b"XTENSION"))
    start = end + 80 + -(end + 80) % 2880
    header = bytes(fits[:start])
    width, rows = (
        int(header.partition(name)[2][:30].split(b"/")[0]) for name in (b"NAXIS1  =", b"NAXIS2  =")
    )
    table = np.frombuffer(bytes(fits[start : start + width * rows]), np.uint8).reshape(rows, width).copy()
    some = np.array([rng.randrange(rows) for _ in range(rng.choice((1, 2, rows)))])
    at = rng.choice((0, 8, *range(8, width - 7, 8)))
    match rng.randrange(7):
        case 0:
            table[some, 0:8] = np.frombuffer(struct.pack(">q", rng.choice(NUMBERS)), np.uint8)
        case 1:
            table[some, at : at + 8] = np.frombuffer(struct.pack(">d", rng.choice(REALS)), np.uint8)
        case 2:
            table = table[np.array(rng.sample(range(rows), rows))]
        case 3:
            # Twice the same tiles.
            table[some] = table[rng.randrange(rows)]
        case 4:
            # A tile and a part of it.
            uniq = int.from_bytes(table[0, 0:8].tobytes(), "big", signed=True)
            table[-1, 0:8] = np.frombuffer(
                struct.pack(">q", min(uniq * 4 + 1, 2**62) if uniq > 0 else 4), np.uint8
            )
        case 5:
            table[:, at : at + 8] = table[:, at : at + 8][:, ::-1]
        case _:
            table[some] = np.frombuffer(rng.randbytes(width), np.uint8)
    fits[start : start + width * rows] = table.tobytes()
    return to_json(notice_with_map(_packed(bytes(fits), rng)))


def _maps(bases: SeedCorpus, rng: random.Random) -> bytes:
    """Flip, cut and pack a map as a file."""
    fits = rng.choice(bases.maps)
    match rng.randrange(4):
        case 0:
            fits = _flip(gzip.compress(_unpacked(fits), 1, mtime=0), rng)
        case 1:
            fits = fits[: rng.randrange(len(fits))]
        case 2:
            fits = _flip(fits, rng)
        case _:
            fits = gzip.compress(gzip.compress(_unpacked(fits)[: rng.randrange(9000)] + bytes(10_000), 1), 1)
    return to_json(notice_with_map(fits))


MUTATIONS: Mapping[str, Mutation] = {
    "bits flipped": _flipped,
    "cut off": _cut,
    "spliced": _spliced,
    "lengths overwritten": _lengths,
    "JSON values": _values,
    "Avro containers": _containers,
    "FITS cards": _cards,
    "FITS columns": _columns,
    "FITS files": _maps,
}
"""Every kind of mutation, by the name in the table."""
