"""Answers to greetings, thanks, and questions that gwevent can't know the answer to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from formatters.answers import recent
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.superevent import Superevent

RUNS = (
    "gwevent knows only the alerts that LIGO, Virgo and KAGRA send: not whether detectors are running,"
    " not their"
    " range, and no plans of observing runs. LVK's observing plans stand on observing.docs.ligo.org,"
    " the detectors'"
    " status on gwosc.org/detector_status."
)


def greeting() -> Message:
    """Return the answer to "hello"."""
    text = (
        "Hello. I post the alerts of LIGO, Virgo and KAGRA and answer about them: `latest`, an event's"
        " id such as"
        " `S230518h`, `events BNS`, `check` a position, `visible` tonight. All words: `help`."
    )
    return blocks.message(text.replace("`", ""), blocks.section(text))


def thanks() -> Message:
    """Return the answer to "thanks"."""
    text = "You're welcome. Clear skies."
    return blocks.message(text, blocks.section(text))


def runs() -> Message:
    """Return the answer to "are the detectors up" and "when is the next observing run"."""
    text = f"{RUNS} Whether alerts arrive here: `status`."
    return blocks.message(text.replace("`", ""), blocks.section(text))


def day(
    typed: str,
    superevents: Sequence[Superevent],
    count: int,
    now: datetime,
    *,
    is_catalogue_name: bool,
    looked_up: str | None = None,
) -> Message:
    """Return the answer to a day (S230518) or a catalogue name (GW230518) that leads to no single event.

    `looked_up` is a sentence (not escaped) that reports GraceDB's answer; None if GraceDB wasn't queried.
    """
    shown = escape(plain_text(typed))
    if is_catalogue_name:
        what = f"{shown} is a catalogue's name, and alerts have superevent ids (S…)."
        if looked_up is not None:
            what += f" {escape(looked_up)}"
    else:
        what = f"{shown} is a day without the letters of an event."
    if not superevents:
        found = "gwevent has no event of that day. One that was announced is found by its superevent id."
    elif count == 1:
        found = "The one event of that day that gwevent has is this; nothing here says that it is the same."
        if not is_catalogue_name:
            found = "The one event of that day that gwevent has:"
    else:
        found = f"gwevent has {count} events of that day; write the id of one:"
    lines = [recent.event_line(superevent, now) for superevent in superevents]
    ids = ", ".join(escape(superevent.superevent_id) for superevent in superevents)
    return blocks.message(
        f"{what} {found} {ids}".strip(),
        blocks.section(f"{bold(what)} {found}"),
        *([blocks.section(*lines[:10])] if lines else []),
        *([blocks.section(*lines[10:])] if lines[10:] else []),
        is_refusal=not superevents,
    )
