"""Help texts of `/gwevent`, and answers to unknown commands, unknown events and invalid arguments."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from formatters.answers.help_acting import ACTING_PAGES
from formatters.answers.help_page import WHICH_EVENT, HelpPage, Usage
from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.notice import canonical_id

_KINDS = (
    "`mock`, `test`, `lowsig` and `retracted` mean *also*; `only mock` means mocks alone. Without them: real,"
    " significant events that aren't retracted."
)
_SUBSCRIBED = "Mentions: prefer @here to @channel, because @here skips people who are away."

PAGES: Mapping[str, HelpPage] = {
    "latest": HelpPage(
        "The newest event",
        (
            ("latest", "the newest real, significant event"),
            ("latest BNS", "the newest that matches a filter"),
            ("latest only mock", "the newest mock"),
        ),
        (_KINDS, "More: `help filters`."),
        ("last", "newest"),
    ),
    "events": HelpPage(
        "Lists of events",
        (
            ("events", "the last 5 events"),
            ("events 20", "the last 20"),
            ("events BNS>0.5 far<1/yr", "all that match a filter"),
            ("events NSBH since 2023-05 until 2023-06", "of a period (UTC)"),
            ("events lowsig BNS>0.2", "with those of low significance"),
        ),
        (_KINDS, "More: `help filters`."),
        ("recent", "search", "find", "list", "event"),
    ),
    "id": HelpPage(
        "One event",
        (
            ("S230518h", "its newest state; `230518h` will do"),
            ("S230518h distance", "or FAR, area, class, update, url, coincidence"),
            ("S230518", "the events of that day"),
            ("compare S241125n S230518h", "two events side by side"),
        ),
        ("An event that was never received is looked up in GraceDB.",),
        ("<id>", "compare", "superevent", "card"),
    ),
    "history": HelpPage(
        "An event's notices",
        (("history S230518h", "a table of all its notices"),),
        (WHICH_EVENT,),
        ("notices",),
    ),
    "map": HelpPage(
        "The sky map",
        (
            ("map S230518h", "the picture of its newest sky map"),
            ("map galaxies", "with the first galaxies of its volume marked"),
        ),
        (WHICH_EVENT,),
        ("skymap", "picture", "image", "plot"),
    ),
    "export": HelpPage(
        "Data to copy",
        (
            ("export moc S230518h", "the 90 % region as a MOC, for Aladin and mocpy"),
            ("export ds9 S230518h", "the 90 % region for DS9"),
            ("export json S230518h", "the newest notice as published, without its map"),
            ("export csv S230518h", "its notices as a table"),
        ),
        (WHICH_EVENT,),
        ("json", "moc", "ds9", "csv", "tiles", "download"),
    ),
    "check": HelpPage(
        "Positions in an event's maps",
        (
            ("check 13h09m48s -23d22m53s", "where a position (ICRS) lies in the maps"),
            ("check 197.45 -23.381 40 Mpc S190425z", "with a distance; or z=0.0098"),
            ("check (several lines)", "one position per line, with a name before it if you like"),
        ),
        ("Names of objects aren't looked up: give RA and Dec.", WHICH_EVENT),
        ("position", "positions", "crossmatch"),
    ),
    "candidates": HelpPage(
        "Counterpart candidates",
        (
            ("candidates S230518h", "everything with a position: circulars, BOOM, HERMES, your own"),
            (
                "candidates add AT2026abc 197.45 -23.38 z=0.0098",
                "your own for this channel; positions as in check, one on each line",
            ),
            ("candidates keep AT2026abc", "this channel goes on with it"),
            ("candidates reject AT2026abc", "this channel doesn't"),
            ("candidates remove AT2026abc", "take back what you added yourself"),
            ("candidates export csv", "all as a table"),
        ),
        (
            "Each is compared with the newest sky map. Names in any spelling: `at 2026abc`, an alias. The"
            " thread's Follow-up reply shows what you do, `candidates` with your name; other channels don't.",
            WHICH_EVENT,
        ),
        ("candidate", "counterpart", "counterparts", "transient", "transients", "keep", "reject"),
    ),
    "galaxies": HelpPage(
        "Galaxies in an event's volume",
        (
            ("galaxies S230518h", "the first 20 of the catalogue's galaxies in the 90 % volume"),
            ("galaxies 50", "so many of them, at most 50"),
            ("galaxies from Palomar", "with altitude now and best window; without it, this channel's sites"),
            ("galaxies export csv|ds9", "to copy, as many as a message holds, or N"),
            ("map galaxies", "the sky map with the first ten marked"),
        ),
        (
            "Ranked by probability density at the galaxy times its stellar mass. A share of the ranking isn't"
            " the probability that the event was there.",
            WHICH_EVENT,
        ),
        ("galaxy", "hosts", "host", "catalogue", "catalog"),
    ),
    "plan": HelpPage(
        "What a telescope points at this night",
        (
            ("plan Palomar", "the fields that hold the most, until dawn, in an order that can be observed"),
            ("plan Palomar 12", "the best 12 fields; `plan` alone: this channel's only telescope"),
            ("plan Palomar 90 minutes S230518h", "what can be done in that time"),
            ("plan Palomar 12 export csv|json", "all fields to copy, for the telescope's control"),
            ("sites add Palomar fov 1.1deg circle exposure 3min overhead 1min", "what it needs to know"),
        ),
        (
            "Altitude, darkness, the Moon and the time that fields take are counted. By day it is about the"
            " coming night. A new map makes a new plan: ask again.",
            WHICH_EVENT,
        ),
        ("plans", "pointings", "pointing", "fov", "fields", "tiling"),
    ),
    "visible": HelpPage(
        "What sites can observe",
        (
            ("visible", "this channel's sites, this night and the next"),
            ("visible Palomar, Keck S230518h", "these sites, as people call them: VLT, ZTF, La Palma"),
            ("visible 34.2N 116.9W", "a place"),
            ("visible Palomar at 2026-12-01", "the night that begins on that date; or a time"),
            ("visible Palomar altitude 20", "above another altitude, in degrees"),
        ),
        (WHICH_EVENT, "Sites of your own: `help sites`."),
        ("observable", "observability", "visibility", "tonight"),
    ),
    **ACTING_PAGES,
    "subscribe": HelpPage(
        "Alerts for this channel",
        (
            ("subscribe", "the choices, and a form"),
            ("subscribe all|CBC|Burst [filter]", "real, significant alerts"),
            ("subscribe … [mock] [test] [lowsig]", "these alerts too"),
            (
                "subscribe … [streams circulars icecube guano nearby]",
                "what else names them, in one reply of the thread",
            ),
            ("subscribe … [criteria rubin-2026]", "with their grades by criteria sets; `help criteria`"),
            ("subscribe … [quiet BBH]", "posted as ever, but a push has only the header"),
            ("subscribe … notify @here|@channel|@person|@group [if NS|if filter]", "with a mention"),
            (
                "subscribe … notify … escalate 5min @second 10min webhook",
                "who is next if nobody presses “I have it”; times count from the first mention",
            ),
            ("subscriptions test CBC BNS>0.5", "which past events it would have brought"),
        ),
        (
            f"{_SUBSCRIBED} `if NS`: only if light may be expected. Mocks mention nobody unless you write"
            " `notify-mocks` before the `if`.",
            "More about filters: `help filters`.",
        ),
        ("notify", "sub", "mention", "mentions", "escalate", "escalation", "quiet", "streams"),
    ),
    "unsubscribe": HelpPage(
        "Fewer alerts",
        (
            ("unsubscribe 3", "end subscription 3; several: 3 4"),
            ("unsubscribe CBC", "end all of CBC; it asks first if that means several"),
            ("unsubscribe", "end everything; it asks first"),
        ),
        words=("unsub",),
    ),
    "subscriptions": HelpPage(
        "This channel's subscriptions",
        (
            ("subscriptions", "the list, with their numbers"),
            ("subscriptions add CBC", "the same as subscribe"),
            (
                "subscriptions edit 3 BNS>0.5",
                "replace the criteria of subscription 3; `edit 3` alone: a form",
            ),
            ("subscriptions pause 3", "stop it for a while; `resume 3` starts it again"),
            ("subscriptions remove 3", "the same as unsubscribe"),
            (
                "subscriptions drill 3",
                "try its mentions now, marked DRILL, without an event; `drill stop` ends it",
            ),
            ("subscriptions test CBC BNS>0.5", "which past events would have matched"),
            ("subscriptions history", "who changed what, the newest first"),
        ),
        words=("subs", "subscription", "edit", "pause", "resume", "test", "drill", "dialog", "form"),
    ),
    "sites": HelpPage(
        "This channel's observing sites",
        (
            ("sites", "list them; alerts say what they can observe"),
            ("sites add Palomar", "add an observatory"),
            (
                "sites add MyDome 34.2 -116.9 1700",
                "your own: latitude, longitude (east is positive), height in m; or 34.2N 116.9W 1700m",
            ),
            (
                "sites add Palomar fov 2.2x2.2deg exposure 3min overhead 1min",
                "its telescope, for plans; or fov 1.1deg circle, fov 47sqdeg, fov ZTF",
            ),
            ("sites remove Palomar, sites remove Palomar fov", "remove one; only its telescope"),
            ("sites altitude 25, sites darkness -12", "what counts as observable, in degrees"),
        ),
        words=("site", "telescope", "telescopes", "observatory", "observatories", "fov", "footprint"),
    ),
    "criteria": HelpPage(
        "Would we trigger? Rules with grades",
        (
            ("criteria", "the sets: this workspace's own, and built-in ones such as rubin-2026"),
            ("criteria S251112cm", "what this channel's sets say about an event"),
            ("criteria show rubin-2026 S251112cm", "one set: each condition, by how much it failed"),
            (
                "criteria add ntt-kilonova Gold: NS distance<150; Silver: NS distance<300",
                "grades from the best down, each a filter; the first that holds is the event's grade",
            ),
            ("criteria edit ntt-kilonova Gold: …", "replace its grades"),
            ("criteria remove ntt-kilonova", "if no subscription uses it"),
            ("subscribe CBC criteria ntt-kilonova", "show its grade in this channel's messages"),
            ("subscribe CBC notify @here if grade ntt-kilonova >= Silver", "be notified by grade"),
        ),
        (
            "A new line does as well as a semicolon. Sentences too: _would we trigger?_, _why only silver_.",
            "rubin-2026: only an INITIAL triggers. gwevent's reading of Rubin's strategy, not Rubin's word.",
            WHICH_EVENT,
        ),
        ("criterion", "grades", "grade", "trigger", "gold", "silver", "bronze", "rubin"),
    ),
    "status": HelpPage(
        "gwevent itself",
        (("status", "whether notices arrive, and how many deliveries wait"),),
        words=("version", "uptime", "health"),
    ),
    "help": HelpPage(
        "Help",
        (("help", "all words"), ("help check", "more about one of them")),
        words=("menu", "usage", "commands"),
    ),
}
"""Each command's page by its name. "id" stands for an event's id, "filters" is a page of its own."""

COMMANDS: tuple[Usage, ...] = tuple(usage for page in PAGES.values() for usage in page.usages)
"""All usages of all pages."""

OVERVIEW: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("See", ("latest", "events", "S230518h", "history", "map", "export")),
    ("Point", ("check", "visible", "galaxies", "candidates", "plan")),
    ("Act", ("observe", "coverage", "mute")),
    ("Channel", ("subscribe", "unsubscribe", "subscriptions", "sites", "criteria")),
    ("Bot", ("status", "help check")),
)
"""The words of the overview, by subject."""


def overview() -> Message:
    """Return the overview, which fits a phone's screen: all words, and how to learn more about each."""
    lines = [f"{bold(title)}  {' · '.join(f'`{word}`' for word in words)}" for title, words in OVERVIEW]
    words = ", ".join(word for _, group in OVERVIEW for word in group)
    return blocks.message(
        f"Words after /gwevent: {words}",
        blocks.section("LIGO/Virgo/KAGRA alerts. After `/gwevent`, or to me in a direct message:"),
        blocks.section(*lines),
        blocks.context(
            "More about each: `help events`, `help filters` … Sentences will do: _how far is S230518h_. In"
            " threads, where Slack has no slash commands: `@gwevent check …`"
        ),
    )


def page_for(word: str) -> Message | None:
    """Return the help on a word, in any case and number; None if there is none."""
    folded = word.casefold().strip("`'\"“”/?.!")
    if canonical_id(folded) is not None:
        return _page("id", PAGES["id"])
    if folded.rstrip("s") in ("filter", "condition"):
        return filters_help()
    for form in dict.fromkeys((folded, folded.rstrip("s"), f"{folded}s")):
        for name, page in PAGES.items():
            if form == name or form in page.words:
                return _page(name, page)
    return None


def no_page(word: str) -> Message:
    """Return the overview below a sentence that there is no help on a word, with the nearest one that has."""
    known = sorted({"filters", *PAGES, *(alias for page in PAGES.values() for alias in page.words)})
    near = difflib.get_close_matches(word.casefold(), known, n=1, cutoff=0.6)
    shown = escape(plain_text(word))
    text = f"There is no help on “{shown}”."
    if near:
        text += f" Did you mean `help {near[0]}`?"
    whole = overview()
    return Message(f"{text.replace('`', '')} {whole.text}", (blocks.section(text), *whole.blocks))


def _page(name: str, page: HelpPage) -> Message:
    return blocks.message(
        f"Help on {name}: " + ", ".join(escape(typed) for typed, _ in page.usages),
        _command_section(f"{page.title}, after /gwevent", page.usages),
        *([blocks.context(*page.notes)] if page.notes else []),
    )


FILTER_CONDITIONS = (
    (
        "BNS, NSBH, BBH, Terrestrial, HasNS, HasRemnant, HasMassGap, HasSSM",
        "50 % or more; or BNS>0.9, HasNS<20%",
    ),
    ("NS, remnant, ssm", "BNS + NSBH; HasRemnant × (1 − Terrestrial); the search for sub-solar masses"),
    (
        "far<1/month, far<1/century, far<1e-8",
        "false-alarm rate, in Hz without a unit; the joint one if significant only by coincidence",
    ),
    ("distance<300, area90<500, area50<100", "mean distance in Mpc, areas in deg²"),
    ("z<0.1, mchirp<2", "redshift of the mean distance (Planck18), median source-frame chirp mass in M☉"),
    (
        "mchirp<2.3 > 0.9, mchirp 2.3..5.5 > 0.9",
        "more than 90 % of the probability in LVK's bins that lie whole in this range",
    ),
    (
        "V1, Virgo, HLV, instruments>=2",
        "a detector, several, the number of detectors",
    ),
    ("external, Fermi, observatory=NAME", "a coincidence with another event, with one of an observatory"),
    ("significant", "LVK's flag, where lowsig alerts come too"),
    ("search=SSM, pipeline=gstlal, type=INITIAL|UPDATE", "by name; gstlal and EARLYWARNING do alone"),
    ("near 13h09m48s -23d22m53s 5deg > 0.1", "more than 10 % of the probability in this circle"),
    (
        "visible from Palomar > 0.3",
        "more than 30 % observable there in the night of the notice or the next; or from 34.2N 116.9W",
    ),
    ("within 200Mpc > 0.5", "more than 50 % nearer than that, along every line of sight of the map"),
    ("grade ntt-kilonova >= Silver, grade rubin-2026", "such a grade by a criteria set; any grade"),
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
            _KINDS,
            "Questions take a period too: last week, since 7d, in O4a, since 2023-05. Numbers have a decimal"
            " point, no comma. What can never hold (BNS&gt;0.9 BNS&lt;0.1) is said.",
        ),
    )


def unknown_command(question: str, nearest: str | None = None) -> Message:
    """Return the answer to a question that isn't understood, with the nearest command if any."""
    text = f"I don't understand “{escape(plain_text(question))}”."
    first = question.partition(" ")[0].casefold()
    near = [nearest] if nearest else difflib.get_close_matches(first, _COMMAND_WORDS, n=1, cutoff=0.6)
    if nearest is None and any(first in page.words for page in PAGES.values()):
        near = [f"help {first}"]
    if near:
        text += f" Did you mean `/gwevent {near[0]}`?"
    return blocks.message(
        text.replace("`", "") + " Try /gwevent help.",
        blocks.section(text, f"All words: `/gwevent help`. For example {_EXAMPLES}"),
        is_refusal=True,
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
    return blocks.message(text, blocks.section(text), is_refusal=True)


def error_message(sentence: str) -> Message:
    """Return an error answer; `sentence` (not escaped) says what is wrong with the command.

    It may be several sentences with the commands that are right, of which none is to be cut in two.
    """
    text = escape(sentence, _ERROR_MAX)
    return blocks.message(text, blocks.section(text), is_refusal=True)


def _join_or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


_ERROR_MAX = 900
"""Characters of an error answer; what it quotes is cut by who quotes it."""
_COMMAND_WORDS = sorted(PAGES.keys() - {"id"})
_EXAMPLES = ", ".join(f"`/gwevent {words}`" for words in ("latest", "S241125n", "events BNS"))


def _command_section(title: str, commands: Sequence[tuple[str, str]]) -> Block:
    return blocks.section(bold(title), *(f"`{escape(command)}`  {what}" for command, what in commands))
