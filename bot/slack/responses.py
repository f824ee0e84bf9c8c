"""Read Slack's answers, checking their form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import aiohttp

from bot.runtime.http_answers import parse_retry_after
from bot.slack.errors import (
    FileNotReady,
    OutcomeUnknown,
    SlackFailure,
    Unavailable,
    Unlisted,
    failure_from_code,
)
from bot.slack.web_api import Answer

_TS_PATTERN = re.compile(r"[0-9]{1,20}\.[0-9]{1,11}")


def failure_from_answer(answer: Answer) -> SlackFailure:
    """Return the failure that an answer without `ok` means."""
    status = answer.status
    retry_after = parse_retry_after(answer.headers.get("Retry-After"))
    data = answer.data if isinstance(answer.data, dict) else {}
    reason = data.get("error")
    given = data.get("errors")
    errors = [_storable(str(why)) for why in given] if isinstance(given, list) else []
    if reason == "invalid_blocks":
        for why in errors:
            # A file that isn't ready, or an image that Slack couldn't fetch.
            if "slack file" in why or "downloading image failed" in why:
                return FileNotReady(why.partition(" [")[0])
    if status == 429:
        return failure_from_code("ratelimited", retry_after)
    if not isinstance(reason, str) or not reason:
        is_strange = status == 200 and not isinstance(answer.data, dict)
        return OutcomeUnknown("an answer that is no JSON object" if is_strange else f"HTTP {status}")
    found = failure_from_code(_storable(reason), retry_after)
    if isinstance(found, Unlisted) and status >= 500:
        # Slack refuses with 200 or 4xx. After a 5xx the call may have been done.
        return OutcomeUnknown(found.reason)
    found.details = tuple(errors)
    return found


def failure_from_exception(error: aiohttp.ClientError | TimeoutError | UnicodeError) -> SlackFailure:
    """Return the failure that an exception of a call means: whether Slack may have got it."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        # It refused the way to Slack, so that nothing was sent there.
        return Unavailable(f"the proxy refuses: HTTP {error.status}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unavailable(f"can't connect: {error.os_error.strerror or error}")
    if isinstance(error, UnicodeError):
        # Half a surrogate pair, as a cursor of Slack's may hold, can't be asked with.
        return OutcomeUnknown("a text that can't be sent")
    return OutcomeUnknown(f"no answer: {type(error).__name__}")


def _storable(text: str) -> str:
    """Return a text that any database takes, with U+0000 and halves of surrogate pairs as escapes."""
    return text if text.isprintable() else ascii(text)[1:-1]


def required_ts(answer: Mapping[str, Any]) -> str:
    """Return the `ts` of a posted message. Raises OutcomeUnknown if the answer has none."""
    message = answer.get("message")
    for fields in (answer, message if isinstance(message, dict) else {}):
        ts = fields.get("ts")
        if isinstance(ts, str) and _TS_PATTERN.fullmatch(ts):
            return ts
    raise OutcomeUnknown("an answer without the message's ts")


def required_text(answer: object, name: str) -> str:
    """Return a text that an answer must have. Raises OutcomeUnknown if it has none."""
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value:
        raise OutcomeUnknown(f"an answer without {name}")
    return value
