"""The parts of a message that its words can go without, and which of them Slack refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MessagePart(StrEnum):
    """A part without which a message can still be posted."""

    PICTURE = "picture"
    BROADCAST = "broadcast"
    """Showing a reply in the channel too."""
    BUTTONS = "buttons"
    METADATA = "metadata"
    """The data by which the message is found again if no answer came."""
    BLOCKS = "blocks"
    """The layout: without it the same words are posted as one text."""
    THREAD = "thread"
    """Posting it as a reply: without it, it is a message of its own."""
    EVERYBODY = "everybody"
    """The mentions "@here", "@channel" and "@everyone", which workspaces may restrict."""
    MENTION = "mention"
    """All other mentions: people and user groups."""
    TAIL = "tail"
    """The end of a long text, which only goes where Slack says that the text is too long."""


@dataclass(frozen=True, slots=True)
class DroppedPart:
    """A part that was dropped, and Slack's error code."""

    part: MessagePart
    reason: str
    guessed: bool
    """The code doesn't name this part."""
