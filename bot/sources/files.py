"""Payloads from files and folders, for `gwevent replay`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bot.alerts.payload import AVRO_MAGIC
from bot.related_messages.recognition import recognize
from bot.sources.base import FILE, Origin, SourceConfigError

MAX_FILE_BYTES = 32 * 1024 * 1024
"""The largest file that is read. The largest notices of O4 have 4 MB; base64 and indentation can double that.

It is twice `bot.alerts.payload.MAX_PAYLOAD_BYTES`, so that a payload that is too large is quarantined and not
skipped.
"""


def read_notice_files(
    paths: Iterable[Path], on_skipped: Callable[[Path, str], None]
) -> Iterator[tuple[Path, bytes]]:
    """Yield (path, content) of the notices among `paths`; folders are searched recursively, by name.

    `on_skipped` is called with the reason for each file in a folder that is no notice. A file that is named
    itself is yielded whatever its content, as long as it can be read. Raises SourceConfigError, before the
    first notice is yielded, for a path that doesn't exist.
    """
    named = list(paths)
    for path in named:
        if not path.exists():
            raise SourceConfigError(f"There is no file or folder {path}.")
    for path in named:
        if path.is_dir():
            for found in sorted(path.rglob("*")):
                if not found.is_dir():
                    yield from _read_file(found, on_skipped, skip_non_notices=True)
        else:
            yield from _read_file(path, on_skipped, skip_non_notices=False)


def file_origin(path: Path, *, live: bool = False) -> Origin:
    """Return the origin of a file's payload; `live` means that it may open root messages."""
    return Origin(FILE, str(path), live)


def why_not_a_notice(body: bytes) -> str | None:
    """Return the reason why these bytes are no notice and no message of a stream; None if they may be one."""
    if body.startswith(AVRO_MAGIC) or recognize(body) is not None:
        return None
    if body.lstrip()[:1] not in (b"{", b"["):
        return "neither Avro nor JSON"
    if b'"superevent_id"' not in body or b'"alert_type"' not in body:
        return "JSON, but no notice"
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    record = content[0] if isinstance(content, list) and content else content
    if isinstance(record, dict) and "superevent_id" in record and "alert_type" in record:
        return None
    return "JSON, but no notice"


def _read_file(
    path: Path, on_skipped: Callable[[Path, str], None], *, skip_non_notices: bool
) -> Iterator[tuple[Path, bytes]]:
    try:
        if not path.is_file():
            on_skipped(path, "not a regular file")
            return
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            on_skipped(path, f"{size:,} bytes, more than {MAX_FILE_BYTES:,}")
            return
        with path.open("rb") as file:
            # The file may have grown since its size was read.
            body = file.read(MAX_FILE_BYTES)
    except OSError as error:
        on_skipped(path, f"can't be read: {error.strerror}")
        return
    reason = "empty" if not body else why_not_a_notice(body) if skip_non_notices else None
    if reason is not None:
        on_skipped(path, reason)
        return
    yield path, body
