"""The reply that links a GCN Circular in the thread of a superevent that the circular names."""

from __future__ import annotations

from datetime import UTC

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import escape, link, plain_text
from formatters.models.circular import Circular


def message(circular: Circular) -> Message:
    """Return the reply: the circular's number, subject, address, author and time."""
    title = f"GCN Circular {circular.number}: {plain_text(circular.subject, 300)}"
    parts = [link(circular.url, title)]
    when = f"{circular.created.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    by = plain_text(circular.author, 200)
    return blocks.message(
        escape(f"{title} {circular.url}"),
        blocks.section(*parts),
        blocks.context(escape(f"{by} · {when}" if by else when)),
    )
