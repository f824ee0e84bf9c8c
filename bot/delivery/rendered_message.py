"""What a delivery is rendered to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from formatters.blockkit.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMessage:
    """A message, and how it is to be sent."""

    message: Message
    broadcast: bool = False
    """Of a reply: whether the whole channel shall see it."""
    picture_id: int | None = None
    """The picture in it, by the store's id."""
    picture_since: datetime | None = None
    """Since when Slack has its file."""
    needs_follow_up_edit: bool = False
    """Of a root: whether an edit shall follow at once, which brings what would have delayed the words."""
    without_picture: Message | None = None
    """The same without the picture, for where Slack can't show it."""
