"""The result of rendering a delivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from formatters.blockkit.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMessage:
    """A message and how to send it."""

    message: Message
    broadcast: bool = False
    """Show a reply in the channel too."""
    picture_id: int | None = None
    """The id of the image in it, in the store."""
    picture_since: datetime | None = None
    """The time at which the image was uploaded to Slack."""
    needs_follow_up_edit: bool = False
    """Edit a root again, at once after a post and soon after an edit, to bring what would have delayed it."""
    without_picture: Message | None = None
    """The message without its image, for when Slack can't show that yet."""
