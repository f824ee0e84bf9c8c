"""Reading of the record in a payload, an Avro container or JSON, from a source that isn't trusted.

The Avro container is taken apart here and not by fastavro.reader, which unpacks a block whatever it expands
to; schemas and values are bounded before fastavro decodes them. A payload of a few kilobytes could otherwise
occupy gigabytes, or the processor for hours.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

import fastavro
from fastavro.schema import SchemaParseException

from formatters.models.notice import parse_event_id

Record = Mapping[str, Any]

MAX_PAYLOAD_BYTES = 16 * 2**20
"""The largest payload in bytes, compressed or not: seven times the largest notice seen."""

MAX_BYTES_WITH_TEXTS = 4_000_000
"""The largest JSON whose commas inside of texts are left out of the count of its values."""
MAX_VALUES = 50_000
"""The most values in a payload, a hundred times those of the fullest notice.

Each value costs memory however few bytes it has: without a limit, a few deflated kilobytes became 1.7 GB of
records of one byte each.
"""

AVRO_MAGIC = b"Obj\x01"
"""The first bytes of an Avro object container file (Avro 1.11 specification, Object Container Files)."""

_CONTAINER_HEADER = fastavro.parse_schema(
    {
        "type": "record",
        "name": "org.apache.avro.file.Header",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": 4}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "sync", "type": {"type": "fixed", "name": "sync", "size": 16}},
        ],
    }
)
_TOO_MANY_VALUES = f"The payload holds more than {MAX_VALUES:,} values, and a notice has a few hundred."
_MAX_SCHEMA_NODES = 1000
_MAX_SCHEMA_DEPTH = 20
_MAX_KEPT_SCHEMA_BYTES = 2**15
"""The longest schema that is kept for the next payload; LVK's has 8,000 bytes."""

# The errors that fastavro raises for corrupt bytes and schemas; it documents none of them.
_AVRO_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RecursionError,
    SchemaParseException,
    TypeError,
    ValueError,
    struct.error,
)

_ID_IN_JSON = re.compile(rb'"superevent_id"\s*:\s*"([^"\\\x00-\x1f]{1,200})"')
_ID_IN_URL = re.compile(rb"/superevents/([\w.%-]{1,200})/", re.ASCII)
# A pattern that begins with a letter and not with a character class scans megabytes in milliseconds.
_BARE_ID = re.compile(rb"S\d{6}[a-z]{1,10}")


class UndecodablePayload(ValueError):
    """A payload that is no notice; `reason` is one sentence, `superevent_id` the id if one could be read."""

    def __init__(self, reason: str, superevent_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.superevent_id = superevent_id


def read_record(body: bytes) -> Record:
    """Return the only record of a payload; its content tells Avro from JSON. Raises UndecodablePayload."""
    if len(body) > MAX_PAYLOAD_BYTES:
        raise UndecodablePayload(
            f"The payload has {len(body):,} bytes, and a notice has at most {MAX_PAYLOAD_BYTES:,}."
        )
    return unwrap_record(_parse_avro(body) if body.startswith(AVRO_MAGIC) else _parse_json(body))


def unwrap_record(content: object) -> Record:
    """Return the record in hop's `content`: the record itself, or a list of one (until hop 0.10).

    Raises UndecodablePayload.
    """
    if isinstance(content, list | tuple):
        if len(content) != 1:
            raise UndecodablePayload(f"The payload holds {len(content)} records, and a notice is one.")
        content = content[0]
    if not isinstance(content, Mapping):
        raise UndecodablePayload("The payload's content isn't a record.")
    return content


def is_nested_deeper_than(max_depth: int, value: object) -> bool:
    """Return True if a JSON value is nested in more levels than `max_depth`; works without recursion."""
    level = [value]
    for _ in range(max_depth + 1):
        level = [
            inner
            for holder in level
            if isinstance(holder, dict | list)
            for inner in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return True


def recover_superevent_id(body: bytes) -> str | None:
    """Return the superevent id in an unreadable payload; None if it has none, or several that differ."""
    body = body[:MAX_PAYLOAD_BYTES]
    found = {*_ID_IN_JSON.findall(body), *map(unquote_to_bytes, _ID_IN_URL.findall(body))}
    if body.startswith(AVRO_MAGIC):
        for match in _BARE_ID.finditer(body):
            start = match.start() - (body[match.start() - 1] in b"MT")
            # Avro writes twice the length before a string.
            length = body[start - 1]
            if not length % 2 and 0 < length // 2 <= match.end() - start:
                found.add(body[start : start + length // 2])
    ids = {parse_event_id(name.decode("utf-8", "replace")) for name in found}
    return ids.pop() if len(ids) == 1 else None


def _parse_json(body: bytes) -> object:
    # To leave out the texts of a large payload would take its memory several times; no circular is so large.
    if _count_values(body) > MAX_VALUES and (
        len(body) > MAX_BYTES_WITH_TEXTS or _count_values(_without_texts(body)) > MAX_VALUES
    ):
        raise UndecodablePayload(_TOO_MANY_VALUES)
    try:
        return json.loads(body)
    except UnicodeDecodeError:
        raise UndecodablePayload("The payload is neither Avro nor text.") from None
    except json.JSONDecodeError as error:
        if error.pos == 0:
            raise UndecodablePayload("The payload is neither Avro nor JSON.") from None
        raise UndecodablePayload(f"The payload's JSON is broken at character {error.pos:,}.") from None
    except (ValueError, RecursionError):
        # An integer of thousands of digits, or thousands of nested brackets.
        raise UndecodablePayload("The payload's JSON is of a kind that no notice is.") from None


def _count_values(body: bytes) -> int:
    # Every value but the first follows a comma or the opening bracket of its container.
    return sum(map(body.count, (b",", b"[", b"{")))


def _without_texts(body: bytes) -> bytes:
    """Return JSON without what stands in its texts: that of a circular may have many commas."""
    return b"".join(body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])


def _parse_avro(body: bytes) -> object:
    stream = _BoundedReader(body)
    header = _read_avro(stream, _CONTAINER_HEADER)
    schema = _parse_schema(header["meta"].get("avro.schema", b""))
    count, size = _read_avro(stream, "long"), _read_avro(stream, "long")
    if count != 1:
        raise UndecodablePayload(f"The payload's first block holds {count} records, and a notice is one.")
    start, sync = stream.tell(), header["sync"]
    if size < 0 or body[start + size :] != sync:
        raise UndecodablePayload("The payload's Avro isn't one whole block.")
    codec = header["meta"].get("avro.codec", b"null")
    if codec == b"null":
        # Read where it stands: a copy of a notice's block takes as long as reading all its values.
        return _read_avro(_BoundedReader(body, start, start + size), schema)
    return _read_avro(_BoundedReader(_decompress_block(body[start : start + size], codec)), schema)


def _parse_schema(text: bytes) -> Any:
    """Return a schema as fastavro reads by it. Raises UndecodablePayload."""
    return _parse_short_schema(text) if len(text) <= _MAX_KEPT_SCHEMA_BYTES else _parse_any_schema(text)


@lru_cache(maxsize=8)
def _parse_short_schema(text: bytes) -> Any:
    # All notices of a year have the same schema. Readers don't change it.
    return _parse_any_schema(text)


def _parse_any_schema(text: bytes) -> Any:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        raise UndecodablePayload("The payload's Avro schema isn't JSON.") from None
    _validate_schema(schema)
    try:
        return fastavro.parse_schema(schema)
    except _AVRO_ERRORS as error:
        raise UndecodablePayload(f"The payload's Avro schema is none ({type(error).__name__}).") from None


class _BoundedReader(io.BytesIO):
    """A part of bytes that may be read MAX_VALUES times; fastavro reads at least once for each value."""

    def __init__(self, content: bytes, start: int = 0, end: int | None = None) -> None:
        super().__init__(content)
        self.seek(start)
        self._bytes_left = (len(content) if end is None else end) - start
        self._reads_left = MAX_VALUES

    def read(self, size: int | None = -1) -> bytes:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise UndecodablePayload(_TOO_MANY_VALUES)
        wanted = self._bytes_left if size is None or size < 0 else min(size, self._bytes_left)
        self._bytes_left -= wanted
        return super().read(wanted)


def _read_avro(stream: _BoundedReader, schema: Any) -> Any:
    try:
        return fastavro.schemaless_reader(stream, schema, None)
    except UndecodablePayload:
        raise
    except _AVRO_ERRORS as error:
        raise UndecodablePayload(f"The payload's Avro is mangled ({type(error).__name__}).") from None


def _decompress_block(block: bytes, codec: bytes) -> bytes:
    if codec != b"deflate":
        raise UndecodablePayload(f"The payload is packed with {codec[:20]!r}, and null and deflate are read.")
    try:
        unpacked = zlib.decompressobj(wbits=-15).decompress(block, MAX_PAYLOAD_BYTES + 1)
    except zlib.error:
        raise UndecodablePayload("The payload's Avro is deflated, and can't be unpacked.") from None
    if len(unpacked) > MAX_PAYLOAD_BYTES:
        raise UndecodablePayload(f"The payload unpacks to more than {MAX_PAYLOAD_BYTES:,} bytes.")
    return unpacked


def _validate_schema(schema: object) -> None:
    """Reject a schema in which few bytes can become many values, or which refers to itself.

    The logical type of decimals is removed, so that they stay bytes: converting one of megabytes takes hours,
    and no notice has any. References to named types are followed here with a limit, because fastavro follows
    them on the C stack, or expands them. Raises UndecodablePayload.
    """
    named: dict[str, object] = {}
    nodes = 0

    def walk(schema: object, depth: int, repeated: bool) -> None:
        nonlocal nodes
        nodes += 1
        if nodes > _MAX_SCHEMA_NODES or depth > _MAX_SCHEMA_DEPTH:
            raise UndecodablePayload("The payload's Avro schema is larger than any notice's.")
        if isinstance(schema, dict) and schema.get("logicalType") == "decimal":
            del schema["logicalType"]
        match schema:
            case str() if (name := _unqualified_name(schema)) in named:
                walk(named[name], depth + 1, repeated)
            case [*branches]:
                for branch in branches:
                    walk(branch, depth + 1, repeated and branch != "null")
            case {"type": "record" | "error", "name": str(name), "fields": [*fields]}:
                named[_unqualified_name(name)] = schema
                if repeated and not fields:
                    raise UndecodablePayload("The payload's Avro schema repeats what takes no bytes.")
                for field in fields:
                    if isinstance(field, dict):
                        walk(field.get("type"), depth + 1, repeated)
            case {"type": "array", "items": inner} | {"type": "map", "values": inner}:
                walk(inner, depth + 1, True)
            case "null" | {"type": "null"} | {"type": "fixed", "size": 0} if repeated:
                raise UndecodablePayload("The payload's Avro schema repeats what takes no bytes.")
            case {"type": inner} if not isinstance(inner, str) or _unqualified_name(inner) in named:
                walk(inner, depth + 1, repeated)

    walk(schema, 0, False)


def _unqualified_name(name: str) -> str:
    # How namespaces are inherited doesn't matter here: a name that is taken for another only counts twice.
    return name.rpartition(".")[2]
