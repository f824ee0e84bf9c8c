"""What every answer to a command shares."""

from __future__ import annotations

from formatters import blocks
from formatters.message import Message
from formatters.mrkdwn import escape

SHARE = "answer.share"
"""The action of the button that posts an answer to the channel; its value is the command's text."""


def shareable(message: Message, command_text: str) -> Message:
    """The answer with a button that posts it to the channel.

    `command_text` is what was typed after `/gwevent`, not escaped; pressing the button asks it again.
    """
    button = blocks.button("Post to channel", SHARE, value=command_text or "help")
    return Message(message.text, (*message.blocks, blocks.actions(button)))


def introduced(sentence: str, message: Message) -> Message:
    """The answer with a sentence before it that says what it is an answer to."""
    return Message(f"{escape(sentence)} {message.text}", (blocks.section(escape(sentence)), *message.blocks))
