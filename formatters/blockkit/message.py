"""What a channel receives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Block = Mapping[str, Any]
"""One Block Kit block, as JSON values."""


@dataclass(frozen=True, slots=True)
class Message:
    """A Slack message: the words of the notification, and the blocks shown in their place.

    `text` says the whole on its own where blocks can't be shown: push messages, screen readers, and the
    second attempt after Slack refused the blocks.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    mentions: tuple[str, ...] = ()
    """The mentions in it that must still notify where the words stand alone: "<!here>", "<@U…>" …"""
