"""Help texts of `/gwevent`, and answers to unknown commands, unknown events and invalid arguments."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text

EVENT_COMMANDS = (
    ("latest [filter] [mock]", "the newest event that matches"),
    ("recent [N]", "the last N events"),
    ("search [filter] [since 2023-05] [until …]", "all events that match"),
    ("<id>", "one event, like S241125n or MS181101ab"),
    ("<id> history|map|json|moc", "notices; sky map; record as JSON; 90 % region for Aladin"),
)
OBSERVING_COMMANDS = (
    (
        "check <RA> <Dec> [40 Mpc|z=0.01] [<id>]",
        "where a position lies in the event's maps; several: one per line",
    ),
    ("visible [site…] [<id>]", "what your sites can observe tonight"),
    ("sites [add|remove Palomar]", "the channel's sites; more: help sites"),
)
CHANNEL_COMMANDS = (
    ("subscribe [CBC|Burst|all] [filter]", "alerts for this channel; more: help subscribe"),
    ("dialog", "the same, with a form"),
    ("subscriptions", "this channel's subscriptions, with their numbers"),
    ("unsubscribe [3|CBC|Burst|all]", "stop; without an argument: all. It asks first if that means several"),
    ("test [CBC|Burst|all] [filter] …", "which past events would have matched"),
)
BOT_COMMANDS = (
    ("status", "whether notices arrive, and how many deliveries wait"),
    ("help [filters|subscribe|sites]", "this list, or more about one of these"),
)
SUBSCRIBE_COMMANDS = (
    ("subscribe [CBC|Burst|all] [filter]", "real, significant alerts for this channel"),
    ("subscribe … [mock] [test] [lowsig]", "these alerts too"),
    ("subscribe … [circulars]", "GCN Circulars about them, linked in their threads"),
    ("subscribe … notify @here|@channel|@person|@group [if NS|if filter]", "with a mention"),
    ("dialog [3]", "the same, or change subscription 3, with a form"),
    ("edit 3 …", "replace the criteria of subscription 3"),
    ("pause 3, resume 3", "stop subscription 3 for a while; start it again"),
    (
        "unsubscribe [3|3 4|CBC|Burst|all]",
        "stop; without an argument: all. It asks first if that means several",
    ),
    ("subscriptions history", "who changed this channel's subscriptions, the newest first"),
)
SITE_COMMANDS = (
    ("sites", "list the channel's sites; alerts say what they can observe"),
    ("sites add Palomar, sites remove Palomar", "add or remove an observatory"),
    (
        "sites add MyDome 34.2 -116.9 1700",
        "add your own: latitude, longitude (east is positive), height in m; or 34.2N 116.9W 1700m",
    ),
    ("sites altitude 25, sites darkness -12", "what counts as observable, in degrees"),
)
COMMANDS = (
    *EVENT_COMMANDS,
    *OBSERVING_COMMANDS,
    *CHANNEL_COMMANDS,
    *BOT_COMMANDS,
    *SUBSCRIBE_COMMANDS,
    *SITE_COMMANDS,
)
"""Pairs of the text typed after `/gwevent` and what it does."""


def overview() -> Message:
    """Return the overview: one short line per command."""
    shown = (*EVENT_COMMANDS, *OBSERVING_COMMANDS, *CHANNEL_COMMANDS, *BOT_COMMANDS)
    return blocks.message(
        "Commands of /gwevent: " + ", ".join(escape(command) for command, _ in shown),
        blocks.section("LIGO/Virgo/KAGRA public alerts. Type one of these after `/gwevent`:"),
        _command_section("Events", EVENT_COMMANDS),
        _command_section("Where to look", OBSERVING_COMMANDS),
        _command_section("This channel", CHANNEL_COMMANDS),
        _command_section("gwevent itself", BOT_COMMANDS),
        blocks.context("In threads, where Slack has no slash commands, write @gwevent and the same words."),
    )


def subscribe_help() -> Message:
    """Return the help on subscribing a channel."""
    return blocks.message(
        "Subscribing: " + ", ".join(escape(command) for command, _ in SUBSCRIBE_COMMANDS),
        _command_section("Subscribing, after /gwevent", SUBSCRIBE_COMMANDS),
        blocks.context(
            "Mentions: prefer @here to @channel, because @here skips people who are away. `if NS`: only if"
            " light may"
            " be expected. Mocks mention nobody unless you write `notify-mocks` before the `if`.",
            "More about filters: `/gwevent help filters`",
        ),
    )


def sites_help() -> Message:
    """Return the help on setting a channel's observing sites."""
    return blocks.message(
        "Sites: " + ", ".join(escape(command) for command, _ in SITE_COMMANDS),
        _command_section("Sites, after /gwevent", SITE_COMMANDS),
    )


FILTER_CONDITIONS = (
    (
        "BNS, NSBH, BBH, Terrestrial, HasNS, HasRemnant, HasMassGap, HasSSM",
        "50 % or more; or BNS>0.9, HasNS<20%",
    ),
    ("NS, remnant, ssm", "BNS + NSBH; HasRemnant × (1 − Terrestrial); the search for sub-solar masses"),
    (
        "far<1/month, far<1/100yr, far<1e-8",
        "false-alarm rate, in Hz without a unit; the joint one if significant only by coincidence",
    ),
    ("distance<300, area90<500, area50<100", "mean distance in Mpc, areas in deg²"),
    ("V1, instruments>=2, external", "a detector, the number of detectors, a coincidence with another event"),
    ("search=SSM, pipeline=gstlal, type=INITIAL|UPDATE", "by name; EARLYWARNING is also a type"),
    ("near 13h09m48s -23d22m53s 5deg > 0.1", "more than 10 % of the probability in this circle"),
    (
        "visible from Palomar > 0.3",
        "more than 30 % of the probability observable there tonight; also from a place: 34.2N 116.9W",
    ),
)
"""Pairs of an example of a filter condition and its meaning."""


def filters_help() -> Message:
    """Return the help on filter syntax and conditions."""
    intro = (
        "A filter is one or more conditions. Conditions next to each other are combined with *and*; use"
        " and, or,"
        " not and parentheses."
    )
    return blocks.message(
        f"Filters: {', '.join(escape(condition) for condition, _ in FILTER_CONDITIONS)}",
        blocks.section(intro),
        blocks.section(*(f"`{escape(condition)}`  {escape(what)}" for condition, what in FILTER_CONDITIONS)),
        blocks.context(
            "A condition about a value that a notice doesn't state never matches: a Burst has no distance,"
            " so neither"
            " `distance&lt;300` nor `not distance&lt;300` matches it.",
            "mock, test and lowsig are not part of the filter: they add alerts to a subscription. `latest`"
            " and `search` with mock, test or lowsig show only those.",
        ),
    )


def unknown_command(word: str) -> Message:
    """Return the answer to an unknown command, with the most similar known command if any."""
    text = f"Unknown command “{escape(plain_text(word))}”."
    first = word.partition(" ")[0].casefold()
    near = difflib.get_close_matches(first, _COMMAND_WORDS, n=1, cutoff=0.7)
    if near:
        text += f" Did you mean `/gwevent {near[0]}`?"
    return blocks.message(
        text.replace("`", "") + " Try /gwevent help.",
        blocks.section(text, f"All commands: `/gwevent help`. For example {_EXAMPLES}"),
    )


def no_such_event(superevent_id: str, near: Sequence[str], looked_up: str | None = None) -> Message:
    """Return the answer to an event id without stored notices, with similar known ids.

    `looked_up` is a sentence (not escaped) that reports GraceDB's answer; None if GraceDB wasn't queried.
    """
    text = f"No notice of {escape(plain_text(superevent_id))} was received."
    if looked_up is not None:
        text += f" {escape(looked_up)}"
    if near:
        text += f" Did you mean {_join_or([escape(plain_text(name)) for name in near])}?"
    return blocks.message(text, blocks.section(text))


def error_message(sentence: str) -> Message:
    """Return an error answer; `sentence` (not escaped) says what is wrong with the command."""
    text = escape(sentence)
    return blocks.message(text, blocks.section(text))


def _join_or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


_COMMAND_WORDS = sorted({command.partition(" ")[0] for command, _ in COMMANDS} - {"<id>"})
_EXAMPLES = ", ".join(f"`/gwevent {words}`" for words in ("latest", "S241125n", "subscribe CBC"))


def _command_section(title: str, commands: Sequence[tuple[str, str]]) -> Block:
    return blocks.section(bold(title), *(f"`{escape(command)}`  {what}" for command, what in commands))
