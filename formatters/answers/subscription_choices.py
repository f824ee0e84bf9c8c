"""Answer to a bare `subscribe`: what a channel may ask for."""

from __future__ import annotations

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import escape

CHOICES = (
    ("subscribe all", "every real, significant event: CBC and Burst"),
    ("subscribe CBC", "mergers of compact binaries"),
    ("subscribe NS far<1/yr", "with a neutron star, at most one false alarm a year"),
    ("subscribe BNS>0.5 distance<300 notify @here", "near BNS, with a mention"),
)
"""Pairs of the text typed after `/gwevent` and what it brings."""


def message() -> Message:
    """Return the choices; nothing was subscribed."""
    lines = [f"`{escape(typed)}`  {what}" for typed, what in CHOICES]
    sentence = (
        "Nothing is subscribed yet. What should this channel receive? Type one of these, or use the form:"
    )
    return blocks.message(
        sentence,
        blocks.section(sentence),
        blocks.section(*lines),
        blocks.context(
            "`mock`, `test`, `lowsig` after it add those alerts. More: `help subscribe`, `help filters`."
        ),
    )
