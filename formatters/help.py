"""What `/gwevent` understands."""

from __future__ import annotations

from collections.abc import Sequence

from formatters import blocks
from formatters.message import Block, Message
from formatters.mrkdwn import escape, plain

COMMANDS = (
    ("latest [CBC|Burst] [mock]", "the newest event"),
    ("<id>", "one event, like S241125n or MS181101ab"),
    ("recent [N]", "the last N events"),
    ("status", "whether notices arrive, and what waits"),
    ("visible [site…] [id]", "what can be observed tonight, from the channel's sites or those named"),
    ("sites [add|remove Palomar]", "the channel's sites, which its messages then speak of"),
    ("sites add MyDome 34.2 -116.9 1700", "one of your own: latitude, longitude, height in m"),
    ("sites altitude 25, sites darkness -12", "what counts as observable, in degrees"),
    ("subscribe [CBC|Burst|all] [mock] [test] [lowsig]", "alerts for this channel"),
    ("subscribe … notify @here|@channel|@person|@group [if NS]", "the same, with a mention"),
    ("dialog [number]", "the same, or a change to one, chosen in a dialog"),
    ("unsubscribe [CBC|Burst|all]", "no more of them"),
    ("subscriptions", "what comes to this channel"),
    ("help", "this list"),
)
"""What may be typed after `/gwevent`, and what it gives."""


def overview() -> Message:
    """All commands."""
    intro = "LIGO/Virgo/KAGRA public alerts: each event a message, each notice a reply in its thread."
    return blocks.message(
        "What /gwevent understands: " + ", ".join(escape(command) for command, _ in COMMANDS),
        blocks.section(intro),
        _commands(),
        blocks.context(
            "Mentions: rather @here than @channel, for @here skips who sleeps. `if NS`: only where light may"
            " be expected. Mocks mention only with `notify-mocks` before the `if`.",
            "In threads, and anywhere else the app is: @gwevent with the same words.",
        ),
    )


def unknown(word: str) -> Message:
    """The answer to words that are no command."""
    said = f"I don't know “{escape(plain(word))}”."
    return blocks.message(
        f"{said} Try /gwevent help.", blocks.section(f"{said} This is what I know:"), _commands()
    )


def no_such_event(superevent_id: str, near: Sequence[str]) -> Message:
    """The answer to an id of which nothing was received, with ids that look like it."""
    said = f"No notice of {escape(plain(superevent_id))} was received."
    if near:
        said += f" Did you mean {_or([escape(plain(name)) for name in near])}?"
    return blocks.message(said, blocks.section(said))


def complaint(sentence: str) -> Message:
    """The answer to a command with wrong words: the sentence says what is wrong."""
    said = escape(sentence)
    return blocks.message(said, blocks.section(said))


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _commands() -> Block:
    return blocks.section(*(f"`/gwevent {escape(command)}`  {what}" for command, what in COMMANDS))
