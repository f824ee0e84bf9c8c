"""The type of a Slack message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Block = Mapping[str, Any]
"""One Block Kit block, as JSON values."""


@dataclass(frozen=True, slots=True)
class Message:
    """A Slack message: the notification text, and the blocks that Slack shows in its place.

    `text` is complete on its own, for push messages, for screen readers, and for posting again without blocks
    after Slack refused them.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    mentions: tuple[str, ...] = ()
    """Mentions that must notify even if `text` is posted without blocks: "<!here>", "<@U…>" …"""
    is_refusal: bool = False
    """It says why a question has no answer: not understood, not known, not allowed, nothing found."""
