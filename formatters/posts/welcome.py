"""The message to the person who installed the Slack app, with three next steps."""

from __future__ import annotations

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold


def message() -> Message:
    """Return the message to the person who installed the app."""
    return blocks.message(
        "gwevent is installed. In a channel, type /gwevent subscribe CBC to get its alerts there.",
        blocks.section(
            bold(
                "gwevent is installed: gravitational-wave alerts of LIGO, Virgo and KAGRA. Three next steps:"
            ),
            "1. In a channel that should get alerts: `/gwevent subscribe CBC` "
            "(in a private one, `/invite @gwevent` first).",
            "2. To see one within the hour, in a test channel: `/gwevent subscribe all mock`. "
            "LVK sends a mock event every hour.",
            "3. `/gwevent help` lists all commands, `/gwevent status` says whether alerts arrive.",
        ),
    )
