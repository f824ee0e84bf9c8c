"""The pages of `/gwevent help` on what a channel's people do about an event."""

from __future__ import annotations

from collections.abc import Mapping

from formatters.answers.help_page import WHICH_EVENT, HelpPage

ACTING_PAGES: Mapping[str, HelpPage] = {
    "observe": HelpPage(
        "Who points where",
        (
            ("observe S230518h", "what this channel's people plan, have done and gave up"),
            ("observe ZTF", "ZTF observes it; its fields are said later, or never"),
            ("observe ZTF plan 12", "the fields of `plan ZTF 12`, in place of its older plan"),
            ("observe ZTF done 12 r 21.5", "the first 12 of its plan, in r to 21.5 mag"),
            ("observe ZTF done 3,5,7 g 21 at 03:20", "or `1-12`, `all`, `rest`; UTC"),
            (
                "observe DECam done r 23 (several lines)",
                "your own fields: RA and Dec, a line each, or a table",
            ),
            ("observe ZTF cancel clouds", "what isn't done yet of its plan"),
            ("observe ZTF undo", "take back its last report of what was done"),
            ("observe without a telescope", "name yourself on the card; `cancel` behind it takes you off"),
        ),
        (
            "The button *I'm observing* asks the same. Telescopes: this channel's sites, instruments, any"
            " other name in quotes. Everybody of the channel may report, and sees it on the card.",
            WHICH_EVENT,
        ),
        ("observing", "obs", "observation", "observations", "observed", "done", "observers"),
    ),
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
