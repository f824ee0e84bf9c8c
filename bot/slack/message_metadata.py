"""The metadata of a message, by which it is found again if the answer to its post was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

METADATA_EVENT = "gwevent_delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMetadata:
    """Identifies the delivery that a message belongs to."""

    delivery_id: int
    """The row's id. It isn't unique: another bot or a restored backup may have used the same one."""
    key: str | None = None
    """Random and unique: this decides. None for a row from before keys were introduced."""
    database: str | None = None
    """Random id of the row's database, for people who inspect a channel's history."""

    @property
    def slack_metadata(self) -> dict[str, Any]:
        """The metadata in the form of Slack's `chat.postMessage`."""
        payload = {"delivery_id": self.delivery_id, "key": self.key, "database": self.database}
        known = {name: value for name, value in payload.items() if value is not None}
        return {"event_type": METADATA_EVENT, "event_payload": known}

    def matches(self, message: Mapping[str, Any], bot_id: str | None) -> bool:
        """Return whether a message of a channel's history has these metadata; `bot_id` is ours, if known.

        Any app can post any metadata, so their form is checked.
        """
        metadata = message.get("metadata")
        if not isinstance(metadata, Mapping) or metadata.get("event_type") != METADATA_EVENT:
            return False
        payload = metadata.get("event_payload")
        if not isinstance(payload, Mapping):
            return False
        if self.key is not None:
            return payload.get("key") == self.key
        # A row from before keys: its id alone, so at least posted by this bot, and without a key.
        foreign = bot_id is not None and message.get("bot_id") not in (None, bot_id)
        return not foreign and "key" not in payload and payload.get("delivery_id") == self.delivery_id
