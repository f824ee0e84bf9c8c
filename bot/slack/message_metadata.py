"""What a message's metadata say, so that it is found again where the answer to its post was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

METADATA_EVENT = "gwevent_delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMetadata:
    """Which delivery a message is of."""

    delivery_id: int
    """The row's number. Another bot, an older database or a restored backup hand out the same ones."""
    key: str | None = None
    """Random, and the row's own: what counts. None of a row that is older than keys."""
    database: str | None = None
    """Which database the row is in, for who looks into a channel's history; also random."""

    @property
    def slack_metadata(self) -> dict[str, Any]:
        """The metadata of the message, as Slack takes them."""
        payload = {"delivery_id": self.delivery_id, "key": self.key, "database": self.database}
        known = {name: value for name, value in payload.items() if value is not None}
        return {"event_type": METADATA_EVENT, "event_payload": known}

    def matches(self, message: Mapping[str, Any], bot_id: str | None) -> bool:
        """Whether a message of a channel's history carries this mark; `bot_id` is our own, if it is known.

        Whoever may post writes metadata as he likes, so nothing of their form is taken for granted.
        """
        metadata = message.get("metadata")
        if not isinstance(metadata, Mapping) or metadata.get("event_type") != METADATA_EVENT:
            return False
        payload = metadata.get("event_payload")
        if not isinstance(payload, Mapping):
            return False
        if self.key is not None:
            return payload.get("key") == self.key
        # Of before keys: the number alone, so at least by this bot, and by a row without a key.
        foreign = bot_id is not None and message.get("bot_id") not in (None, bot_id)
        return not foreign and "key" not in payload and payload.get("delivery_id") == self.delivery_id
