"""Recognize a payload and decode it: a notice, a related message or a nearby alert. Runs in a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.alerts.payload import AVRO_MAGIC, UndecodablePayload
from bot.related_messages.nearby import decode_nearby_alert, is_nearby_kind
from bot.related_messages.recognition import decode_message, recognize
from bot.sources.base import UNKNOWN_STREAM
from formatters.models.nearby_alert import NearbyAlert
from formatters.models.notice import Notice
from formatters.models.related_message import RelatedMessage, Stream


class UnreadableMessage(Exception):
    """A message of a stream that can't be read; the message is one sentence. No notice is missing."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A payload of a stream that nothing is to be done with, such as a burst of a kind that isn't read."""

    stream: str


Decoded = Notice | RelatedMessage | NearbyAlert | Unread


def decode_payload(
    body: bytes, stream: str | None, received: datetime, decode_notice: Callable[[bytes], Notice]
) -> Decoded:
    """Decode a payload of a topic that brings `stream`, or None where its content decides.

    A payload of a stream is never read as a notice, nor is one of `UNKNOWN_STREAM`. Raises UndecodablePayload
    for a notice, UnreadableMessage for anything else.
    """
    if stream is None:
        stream = recognize(body)
        if stream is None:
            return decode_notice(body)
    elif stream == UNKNOWN_STREAM:
        stream = recognize(body)
        if stream is None:
            return _unrecognized(body)
    try:
        if is_nearby_kind(stream):
            alert = decode_nearby_alert(stream, body)
            return Unread(stream) if alert is None else alert
        return decode_message(_stream(stream), body, received)
    except UndecodablePayload as error:
        raise UnreadableMessage(error.reason) from error


def _unrecognized(body: bytes) -> Unread:
    """Skip a payload of an unknown kind; raise UnreadableMessage for one that may be a notice of LVK's."""
    if body.startswith(AVRO_MAGIC) or b'"superevent_id"' in body:
        raise UnreadableMessage(
            "It looks like a notice of LVK's, but GWEVENT_TOPIC_STREAMS doesn't say its topic brings alerts."
        )
    return Unread(UNKNOWN_STREAM)


def _stream(name: str) -> Stream:
    try:
        return Stream(name)
    except ValueError:
        # The settings say what a topic brings, perhaps in the words of another version.
        raise UndecodablePayload(f"The settings call its topic {name}, which is no stream.") from None
