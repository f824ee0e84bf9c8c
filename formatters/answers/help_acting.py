"""The pages of `/gwevent help` on what a channel's people do about an event."""

from __future__ import annotations

from collections.abc import Mapping

from formatters.answers.help_page import WHICH_EVENT, HelpPage

ACTING_PAGES: Mapping[str, HelpPage] = {
    "coverage": HelpPage(
        "Who has looked where",
        (
            ("coverage S230518h", "what is planned and done, by band, and what probable sky nobody has"),
            ("coverage export csv", "every field for a program; `export json`: the numbers"),
        ),
        (
            "The observations of this channel (`observe`) and, where gwevent reads it, everybody's in the"
            " Treasure Map. Nothing is added over bands or depths. A new sky map changes the shares.",
            WHICH_EVENT,
        ),
        ("covered", "cover", "footprints"),
    ),
    "mute": HelpPage(
        "An event that this channel is done with",
        (
            ("mute S230518h", "end its replies and edits in this channel, but for its retraction"),
            ("unmute S230518h", "begin them again; `mute` once more does the same"),
        ),
        (
            "Posted in the event's thread with your name. Mentions that a subscription asks for still come."
            " Other channels are as before.",
            WHICH_EVENT,
        ),
        ("unmute", "silence", "snooze", "muted"),
    ),
}
"""Each command's page by its name."""
