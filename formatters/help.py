"""What `/gwevent` understands."""

from __future__ import annotations

from collections.abc import Sequence

from formatters import blocks
from formatters.message import Block, Message
from formatters.mrkdwn import escape, plain

COMMANDS = (
    ("latest [filter] [mock]", "the newest event that fits, like latest BNS"),
    ("<id>", "one event, like S241125n or MS181101ab"),
    ("<id> history|map|json|moc", "all its notices; the picture; the record; the 90 % region for Aladin"),
    ("recent [N]", "the last N events"),
    ("check <RA> <Dec> [40 Mpc|z=0.01] [<id>]", "where a position lies in its maps; many, a line each"),
    ("search [filter] [since 2023-05] [until …]", "all events that fit"),
    ("status", "whether notices arrive, and what waits"),
    ("visible [site…] [id]", "what can be observed tonight, from the channel's sites or those named"),
    ("sites [add|remove Palomar]", "the channel's sites, which its messages then speak of"),
    ("sites add MyDome 34.2 -116.9 1700", "one of your own: latitude, longitude, height in m"),
    ("sites altitude 25, sites darkness -12", "what counts as observable, in degrees"),
    ("subscribe [CBC|Burst|all] [filter] [mock] [test] [lowsig] [circulars]", "alerts for this channel"),
    ("subscribe … notify @here|@channel|@person|@group [if NS|if filter]", "the same, with a mention"),
    ("dialog [3]", "the same, or a change to number 3, chosen in a dialog"),
    ("test [CBC|Burst|all] [filter] …", "which past events that would have brought"),
    ("subscriptions", "what comes to this channel, with numbers"),
    ("edit 3 …, pause 3, resume 3", "change number 3, or let it rest"),
    ("unsubscribe [3|CBC|Burst|all]", "no more of them"),
    ("help [filters]", "this list, or what filters are made of"),
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


CONDITIONS = (
    ("BNS, NSBH, BBH, Terrestrial, HasNS, HasRemnant, HasMassGap", "50 % or more; or BNS>0.9, HasNS<20%"),
    ("NS, remnant, ssm", "BNS + NSBH; HasRemnant × (1 − Terrestrial); the search for sub-solar masses"),
    ("far<1/month, far<1/100yr, far<1e-8", "rate of false alarms, in Hz without a unit; or the joint one"),
    ("distance<300, area90<500, area50<100", "mean in Mpc, deg²"),
    ("V1, instruments>=2, external", "a detector, how many, a coincidence with another event"),
    ("search=SSM, pipeline=gstlal, type=INITIAL|UPDATE", "by name; EARLYWARNING is a type too"),
    ("near 13h09m48s -23d22m53s 5deg > 0.1", "more than 10 % of the probability inside"),
    ("visible from Palomar > 0.3", "more than 30 % of it observable there tonight"),
)
"""What a filter is made of, by examples, and what it means."""


def filters() -> Message:
    """What filters are made of."""
    intro = "A filter is conditions: side by side all must hold; and, or, not and ( ) do as they say."
    return blocks.message(
        f"Filters: {', '.join(escape(condition) for condition, _ in CONDITIONS)}",
        blocks.section(intro),
        blocks.section(*(f"`{escape(condition)}`  {escape(what)}" for condition, what in CONDITIONS)),
        blocks.context(
            "What a notice doesn't state neither fits nor rules out: a Burst has no distance, so neither"
            " `distance&lt;300` nor `not distance&lt;300` brings it.",
            "mock, test and lowsig stand outside of the filter: they let more into a subscription; `latest`"
            " and `search` take them alone.",
        ),
    )


def unknown(word: str) -> Message:
    """The answer to words that are no command."""
    said = f"I don't know “{escape(plain(word))}”."
    return blocks.message(
        f"{said} Try /gwevent help.", blocks.section(f"{said} This is what I know:"), _commands()
    )


def no_such_event(superevent_id: str, near: Sequence[str], looked_up: str | None = None) -> Message:
    """The answer to an id of which nothing was received, with ids that look like it.

    `looked_up` is the sentence that says why the archive has none either; None if it wasn't asked.
    """
    said = f"No notice of {escape(plain(superevent_id))} was received."
    if looked_up is not None:
        said += f" {escape(looked_up)}"
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
