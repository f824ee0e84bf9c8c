"""What every answer to a command shares."""

from __future__ import annotations

import re
from datetime import datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import escape
from formatters.text import quantities

SHARE_ACTION = "answer.share"
"""The action of the button that posts an answer to the channel; its value is the command's text."""


def shareable(message: Message, command_text: str) -> Message:
    """The answer with a button that posts it to the channel.

    `command_text` is what was typed after `/gwevent`, not escaped; pressing the button asks it again.
    """
    button = blocks.button("Post to channel", SHARE_ACTION, value=command_text or "help")
    return Message(message.text, (*message.blocks, blocks.actions(button)))


def with_timestamp(message: Message, user_id: str, now: datetime) -> Message:
    """The answer as it is posted to a channel: nobody keeps it true, so it says when it was."""
    by = f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]+", user_id) else "somebody"
    said = f"As of {quantities.utc(now)}, requested by {by}"
    return Message(message.text, (*message.blocks, blocks.context(said)))


def contains_file(message: Message) -> bool:
    """Whether it shows a file in Slack, which not every way of answering can."""
    return any("slack_file" in block for block in message.blocks)


def without_files(message: Message) -> Message:
    """The same without its files, which couldn't be shown where it was asked for."""
    said = "The image can't be shown in this channel. Type `/invite @gwevent` here, then ask again."
    kept = [block for block in message.blocks if "slack_file" not in block]
    return Message(message.text, (*kept, blocks.section(said)))


def with_introduction(sentence: str, message: Message) -> Message:
    """The answer with a sentence before it that says what it is an answer to."""
    return Message(f"{escape(sentence)} {message.text}", (blocks.section(escape(sentence)), *message.blocks))
