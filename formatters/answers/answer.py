"""Parts common to all answers to commands: the sharing button, the timestamp, the introduction."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import escape, link
from formatters.text import quantities

SHARE_ACTION = "answer.share"
"""Action id of the button that posts an answer to the channel; the button's value is the command's text."""


def shareable(message: Message, command_text: str) -> Message:
    """Return the answer with a button that posts it to the channel.

    `command_text` is the text typed after `/gwevent`, not escaped; pressing the button repeats it.
    """
    button = blocks.button("Post to channel", SHARE_ACTION, value=command_text or "help")
    return replace(message, blocks=(*message.blocks, blocks.actions(button)))


def with_timestamp(message: Message, user_id: str, now: datetime) -> Message:
    """Return the answer with the time and requester, for posting to a channel, where it is never updated."""
    by = f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]+", user_id) else "somebody"
    text = f"As of {quantities.utc(now)}, requested by {by}"
    return replace(message, blocks=(*message.blocks, blocks.context(text)))


def contains_file(message: Message) -> bool:
    """Return True if the message shows a file hosted by Slack, which some ways of answering can't display."""
    return any("slack_file" in block for block in message.blocks)


def without_files(message: Message) -> Message:
    """Return the message without its files, with a sentence that explains why the image is missing."""
    text = "The image can't be shown in this channel. Type `/invite @gwevent` here, then ask again."
    kept = [block for block in message.blocks if "slack_file" not in block]
    return replace(message, blocks=(*kept, blocks.section(text)))


def with_introduction(sentence: str, message: Message) -> Message:
    """Return the answer preceded by `sentence` (not escaped), which names the question it answers."""
    return Message(
        f"{escape(sentence)} {message.text}",
        (blocks.section(escape(sentence)), *message.blocks),
        is_refusal=message.is_refusal,
    )


def with_thread_link(message: Message, superevent_id: str, url: str) -> Message:
    """Return the answer with a link to the channel's thread of the event; `url` is Slack's permalink."""
    note = f"This channel's thread: {link(url, superevent_id)}"
    return replace(message, blocks=(*message.blocks, blocks.context(note)))
