"""Remember what root messages and Follow-up replies show, so that an edit to the same words isn't sent.

`chat.update` is scarce, and many reasons for an edit (a picture, a grade, a new observer) change nothing that
is shown. Only what Slack accepted whole is remembered, and it counts only for the revision that the database
says the message shows: of another worker's edit, of one without an answer, and after a restart, nothing is
known, and the edit is sent.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from cachetools import LRUCache

from bot.store.outbox.models import Delivery, DeliveryKind
from formatters.blockkit.message import Message

MAX_REMEMBERED = 10_000
"""Messages; one that was forgotten costs one edit more."""

MAX_DIGESTS = 100
"""Messages whose digest is kept: one card goes to a thousand channels at once."""

_FOLLOW_UP_KINDS = (DeliveryKind.FOLLOW_UP, DeliveryKind.FOLLOW_UP_EDIT)


@dataclass(frozen=True, slots=True)
class _Shown:
    revision: int | None
    channel_id: str
    ts: str
    digest: bytes


class ShownMessages:
    """The messages that this process last posted or edited, by thread. It lives in memory."""

    def __init__(self) -> None:
        self._shown: LRUCache[tuple[bool, int], _Shown] = LRUCache(MAX_REMEMBERED)
        # By identity, so the messages are kept too, lest another one gets the same.
        self._digests: LRUCache[int, tuple[Message, bytes]] = LRUCache(MAX_DIGESTS)

    def is_shown(self, delivery: Delivery, ts: str, message: Message) -> bool:
        """Return whether the message at `ts`, which the delivery is to edit, surely shows this already."""
        shown = self._shown.get(_key(delivery))
        if shown is None or delivery.maybe_sent:
            return False
        is_reply = delivery.kind in _FOLLOW_UP_KINDS
        posted = delivery.follow_up_posted if is_reply else delivery.posted_revision
        return shown == _Shown(posted, delivery.channel_id, ts, self._digest(message))

    def record(self, delivery: Delivery, ts: str, message: Message, revision: int | None) -> None:
        """Remember that the message at `ts` shows this, whole, as of a revision of its thread."""
        self._shown[_key(delivery)] = _Shown(revision, delivery.channel_id, ts, self._digest(message))

    def forget(self, delivery: Delivery) -> None:
        """Forget what a message shows that is about to be changed: only an answer says what became of it."""
        self._shown.pop(_key(delivery), None)

    def forget_all(self) -> None:
        """Forget what all messages show, since another worker may have edited any."""
        self._shown.clear()

    def _digest(self, message: Message) -> bytes:
        known = self._digests.get(id(message))
        if known is None:
            known = self._digests[id(message)] = message, _digest(message)
        return known[1]


def _key(delivery: Delivery) -> tuple[bool, int]:
    assert delivery.thread_id is not None, "roots and Follow-up replies belong to threads"
    return delivery.kind in _FOLLOW_UP_KINDS, delivery.thread_id


def _digest(message: Message) -> bytes:
    shown = json.dumps([message.text, message.blocks], sort_keys=True)
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).digest()
