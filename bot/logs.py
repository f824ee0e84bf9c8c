"""Logging: an event name and fields, readable on a terminal and JSON elsewhere, without secrets or payloads.

Repeated warnings are limited by `RepeatLimiter` because an outage makes every loop log on each attempt.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog
from structlog.tracebacks import ExceptionDictTransformer

LIBRARIES = (
    "slack_bolt",
    "slack_sdk",
    "hop",
    "adc",
    "aiohttp",
    "aiosqlite",
    "alembic",
    "asyncio",
    "httpx",
    "httpcore",
    "sqlalchemy",
)

MAX_VALUE_LENGTH = 1_000
"""Longest value in characters: longer ones are data of others, such as payloads."""

_SECRET_PATTERN = re.compile(
    r"(?P<kept>)(?:xox[a-z]|xapp|xoxe\.xox[a-z])-[\w.%-]+"
    r"|(?P<scheme>\b(?:Bearer|Basic)\s+)[\w.~+/=-]{8,}"
    r"|(?P<hook>hooks\.slack\.com/\w+/)[\w/%-]+"
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@'\"]*:)[^\s/@'\"]+(?=@)",
    re.IGNORECASE,
)


MIN_INTERVAL_S = 1.0
"""Seconds in which repeats are suppressed after a warning's first line; doubled after each further line."""
MAX_INTERVAL_S = 600.0
ENDED_AFTER_S = 30.0
"""Seconds without a repeat after which a warning has ended; longer if it was rare."""
FLUSH_TIMEOUT_S = 1.0
"""Longest wait for the log at the end of the process, in seconds."""
MAX_KINDS = 1_000
IDENTITY_FIELDS = frozenset({"channel", "superevent_id", "user", "team", "file", "ts", "places"})
"""Fields that are ignored when warnings are compared: one outage affects many channels and events."""

_NUMBER_PATTERN = re.compile(r"\d+")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _WarningKind:
    """The repeats of one kind of warning."""

    first: float
    last: float
    next_line_at: float
    interval: float
    longest_gap: float = 0.0
    """The longest time between two repeats."""
    suppressed: int = 0
    """Number of repeats suppressed since the last line."""
    count: int = 1


class RepeatLimiter(logging.Filter):
    """A logging filter that passes the first warning of a kind, then its repeats at growing intervals.

    The kind of a warning is its event and all text fields except IDENTITY_FIELDS; numbers don't count. A line
    after suppressed repeats says how many there were, and `pop_ended` reports when a kind has ended. Lines
    below WARNING always pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._warning_kinds: dict[tuple[str, ...], _WarningKind] = {}
        # Lines come from the threads of the brokers' clients too.
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if the line is written; otherwise count it for the next line of its kind."""
        if record.levelno < logging.WARNING:
            return True
        key, now = _dedup_key(record), self._clock()
        with self._lock:
            known = self._warning_kinds.get(key)
            if known is None:
                if len(self._warning_kinds) >= MAX_KINDS:
                    self._warning_kinds.pop(next(iter(self._warning_kinds)))
                self._warning_kinds[key] = _WarningKind(now, now, now + MIN_INTERVAL_S, MIN_INTERVAL_S)
                return True
            known.count += 1
            known.longest_gap, known.last = max(known.longest_gap, now - known.last), now
            if now < known.next_line_at:
                known.suppressed += 1
                return False
            left_out, known.suppressed = known.suppressed, 0
            known.interval = min(known.interval * 2, MAX_INTERVAL_S)
            known.next_line_at = now + known.interval
        if left_out:
            _append_suppressed_count(record, left_out)
        return True

    def reset(self) -> None:
        """Forget all warnings."""
        with self._lock:
            self._warning_kinds.clear()

    def pop_ended(self) -> list[dict[str, Any]]:
        """Return the fields of a log line for each repeated warning that has ended since the last call."""
        now, found = self._clock(), []
        with self._lock:
            for key, kind in list(self._warning_kinds.items()):
                if now - kind.last <= max(ENDED_AFTER_S, 2 * kind.longest_gap):
                    continue
                del self._warning_kinds[key]
                if kind.count > 1:
                    lasted = round(kind.last - kind.first, 1)
                    found.append({"of": key[1], "said_by": key[0], "times": kind.count, "lasted_s": lasted})
        return found


def _dedup_key(record: logging.LogRecord) -> tuple[str, ...]:
    if not isinstance(record.msg, dict):
        return (record.name, str(record.msg))
    entry: dict[str, Any] = record.msg
    words = []
    for name in sorted(entry.keys() - IDENTITY_FIELDS - {"event", "timestamp", "logger", "level"}):
        value = entry[name]
        if name == "reason":
            value = _NUMBER_PATTERN.sub("#", str(value))
        if isinstance(value, BaseException):
            value = type(value).__name__
        elif name == "exc_info" and value:
            value = getattr(sys.exc_info()[0], "__name__", "")
        if isinstance(value, str):
            words.append(f"{name}={value[:200]}")
    return (record.name, str(entry.get("event")), *words)


def _append_suppressed_count(record: logging.LogRecord, left_out: int) -> None:
    if isinstance(record.msg, dict):
        record.msg = {**record.msg, "left_out": left_out}
    else:
        record.msg, record.args = f"{record.getMessage()} ({left_out} more like this left out)", ()


_repeat_limiter = RepeatLimiter()


async def log_ended_repeats(interval_s: float = 5.0) -> None:
    """Log the end of each repeated warning, until cancelled."""
    while True:
        for fields in _repeat_limiter.pop_ended():
            log.info("repeats_ended", **fields)
        await asyncio.sleep(interval_s)


def redact(text: str) -> str:
    """Replace everything that looks like a token, the secret of a response URL or the password of a URL."""
    return _SECRET_PATTERN.sub(lambda found: "".join(filter(None, found.groups())) + "(redacted)", text)


def truncate_values(
    _: structlog.types.WrappedLogger, __: str, entry: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Replace bytes by their length, and shorten long text."""
    for key, value in entry.items():
        if isinstance(value, bytes | bytearray | memoryview):
            entry[key] = f"({len(value):,} bytes)"
        elif isinstance(value, str) and len(value) > MAX_VALUE_LENGTH:
            entry[key] = f"{value[:MAX_VALUE_LENGTH]}… ({len(value):,} characters)"
    return entry


def _redact_line(_: structlog.types.WrappedLogger, __: str, line: Any) -> str:
    # The renderer before this processor returns text.
    return redact(line)


class LogWriter(Protocol):
    """Writes lines somewhere without making anybody wait."""

    def write(self, line: bytes) -> None:
        """Take a line, with its line feed."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Wait until all lines are written; return False if that takes longer."""
        ...


class _WriterHandler(logging.Handler):
    """A handler that gives its lines, as standard error would have them, to a writer."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer
        self._encoding, self._errors = sys.stderr.encoding, sys.stderr.errors or "backslashreplace"

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(self._encoding, self._errors)
        except Exception:  # noqa: BLE001  the standard library's handlers do the same
            self.handleError(record)
        else:
            self._writer.write(line)

    def flush(self) -> None:
        self._writer.flush(FLUSH_TIMEOUT_S)


def report_lost_lines(lines: int) -> None:
    """Log that so many lines could not be written."""
    log.warning("log_lines_lost", lines=lines)


def flush() -> None:
    """Wait until what was logged is written, for at most `FLUSH_TIMEOUT_S`."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def configure(
    level: str, log_format: Literal["auto", "console", "json"], writer: LogWriter | None = None
) -> None:
    """Set up structlog and the standard library's logging; every line goes to standard error.

    With a `writer` the lines are given to it. Call `flush` before the process ends in another way than by
    itself.
    """
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        truncate_values,
    ]
    last: list[structlog.types.Processor] = (
        [
            # Without local variables: they hold tokens and payloads.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr) if writer is None else _WriterHandler(writer)
    _repeat_limiter.reset()
    handler.addFilter(_repeat_limiter)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            # Redaction comes last, so that it covers tracebacks too.
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, _redact_line],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in LIBRARIES:
        # Their INFO is of no use here, and their DEBUG may hold payloads and what people wrote.
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
