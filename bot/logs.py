"""Logs: an event name and keys, for people on a terminal, as JSON elsewhere."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Literal

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

LONGEST = 1_000
"""Characters of a logged value: what is longer is somebody's data, not ours."""

_SECRETS = re.compile(
    r"(?P<kept>)(?:xox[a-z]|xapp|xoxe\.xox[a-z])-[\w.%-]+"
    r"|(?P<scheme>\b(?:Bearer|Basic)\s+)[\w.~+/=-]{8,}"
    r"|(?P<hook>hooks\.slack\.com/\w+/)[\w/%-]+"
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@'\"]*:)[^\s/@'\"]+(?=@)",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Replace what looks like a token, a response URL's secret or a URL's password."""
    return _SECRETS.sub(lambda found: "".join(filter(None, found.groups())) + "(redacted)", text)


def bounded(
    _: structlog.types.WrappedLogger, __: str, entry: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Log no bytes, and no text as long as a payload."""
    for key, value in entry.items():
        if isinstance(value, bytes | bytearray | memoryview):
            entry[key] = f"({len(value):,} bytes)"
        elif isinstance(value, str) and len(value) > LONGEST:
            entry[key] = f"{value[:LONGEST]}… ({len(value):,} characters)"
    return entry


def _redacted(_: structlog.types.WrappedLogger, __: str, line: Any) -> str:
    # What comes out of a renderer is a text.
    return redact(line)


def configure(level: str, form: Literal["auto", "console", "json"]) -> None:
    """Set up structlog and the standard library's logging, once, at the door; all goes to standard error."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        bounded,
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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            # The last line of defence stands behind everything, tracebacks too.
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, _redacted],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in LIBRARIES:
        # Their INFO is about themselves, and their DEBUG may hold what people wrote, and payloads.
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
