"""Answers about who has an event and who muted it: to a button, and to "who has it"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import escape
from formatters.models.escalation import Acknowledgement
from formatters.models.event_people import EventPeople, Mute
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import name_without_retraction, status_labels
from formatters.posts.event_buttons import HAVE_IT
from formatters.posts.people_lines import people_block, person, since

TAKEN_BY_BUTTON = (
    "Nothing was changed by these words. An event is taken by the button “I have it” on its message, where"
    " this channel asks for that, and given back by “I no longer have it” in the menu there."
)
"""The answer to a typed "I have it"."""
_GIVE_BACK = "To give it back: “I no longer have it” in the menu below the event's message."


def taken(superevent: Superevent, mine: Acknowledgement) -> Message:
    """Return the answer to who has the event from now on."""
    return _answer(
        superevent,
        f"you have it now, since {_since(superevent, mine)}. Nobody else is called for it here.",
        _GIVE_BACK,
    )


def already_taken(superevent: Superevent, mine: Acknowledgement) -> Message:
    """Return the answer to who had the event before."""
    return _answer(superevent, f"you have had it since {_since(superevent, mine)}.", _GIVE_BACK)


def taken_by_others(superevent: Superevent, others: Sequence[Acknowledgement]) -> Message:
    """Return the answer to who came later than others."""
    return _answer(superevent, f"{_have_had(superevent, others)}. Nothing was changed.")


def nothing_to_take(superevent: Superevent) -> Message:
    """Return the answer to who wants to take a retracted event."""
    name = escape(name_without_retraction(superevent))
    text = f"{name} was retracted, so there is nothing to take. Nothing was changed."
    return blocks.message(text, blocks.section(text))


def handed_back(
    superevent: Superevent, others: Sequence[Acknowledgement], resumed: int, *, is_paged: bool = False
) -> Message:
    """Return the answer to who gave the event back.

    `resumed` is the number of escalations whose next step comes unless somebody takes the event; with
    `is_paged` the operators' webhook is called at once.
    """
    if others:
        return _answer(superevent, f"you no longer have it. {_have_had(superevent, others)}.")
    if is_paged:
        rest = " Whoever is next is called too." if resumed else ""
        return _answer(
            superevent,
            f"you no longer have it, and nobody has. The operators' webhook is called at once.{rest}",
        )
    if resumed:
        return _answer(
            superevent,
            "you no longer have it, and nobody has. "
            f"Whoever is next is called, unless somebody presses “{HAVE_IT}” before.",
        )
    return _answer(
        superevent,
        "you no longer have it, and nobody has. Nobody is called for it, since no step is left: tell the "
        "others here.",
    )


def not_yours(superevent: Superevent, others: Sequence[Acknowledgement]) -> Message:
    """Return the answer to who wants to give back what they don't have."""
    if not others:
        return _answer(superevent, "nobody has it here, so there is nothing to give back.")
    return _answer(
        superevent,
        f"you don't have it: {_have_had(superevent, others)}. Only who has it can give it back here.",
    )


def muted(superevent: Superevent, mute: Mute, *, has_changed: bool) -> Message:
    """Return the answer to who muted the event in a channel, or wanted to."""
    by = person(mute.user_id) or "somebody"
    when = since(mute.since, _event_time(superevent))
    if not has_changed:
        return _answer(superevent, f"{by} muted it here at {when}. Nothing was changed.")
    return _answer(
        superevent,
        f"it is now muted here, since {when}: no replies, and no edits for newer notices except a "
        "retraction. Mentions that a subscription asks for still come.",
        "Its thread says that you did it. “Unmute here” in the menu below its message ends it, or “unmute”.",
    )


def unmuted(superevent: Superevent, *, has_changed: bool) -> Message:
    """Return the answer to who ended the mute of an event in a channel, or wanted to."""
    if not has_changed:
        return _answer(superevent, "it isn't muted here. Nothing was changed.")
    return _answer(
        superevent,
        "it is no longer muted here. Its message is brought up to date, and its thread says that you did it.",
    )


def nothing_to_mute(superevent: Superevent) -> Message:
    """Return the answer where the channel has no message of an event that somebody wants to mute there."""
    return _answer(superevent, "it has no message in this channel, so there is nothing to mute here.")


def no_thread(superevent: Superevent | None, superevent_id: str) -> Message:
    """Return the answer where the channel has no message of the event any more."""
    said = "gwevent keeps no message of it in this channel any more, so nothing was changed."
    if superevent is not None:
        return _answer(superevent, said)
    text = escape(f"{superevent_id}: {said}")
    return blocks.message(text, blocks.section(text), is_refusal=True)


def who(superevent: Superevent, found: EventPeople, observers: Sequence[str]) -> Message:
    """Return the answer about who has an event, observes it or muted it here, as its message says."""
    name = escape(_name(superevent))
    listed = people_block(found, observers, _event_time(superevent), is_retracted=superevent.is_retracted)
    nobody = []
    if not found.acknowledgements and (found.is_awaited or not listed):
        nobody.append("nobody has it")
    if not found.instruments and not observers:
        nobody.append("nobody has said that they observe it")
    text = f"{name}, in this channel"
    if nobody:
        text += f": {' and '.join(nobody)}"
    lines = [text] if not listed else [text, *(element["text"] for element in listed[0]["elements"])]
    more = [] if not found.instruments else [blocks.context("`coverage` says how much of the map that is.")]
    return blocks.message("\n".join(lines), blocks.section(*lines), *more)


def nobody_here(superevent: Superevent) -> Message:
    """Return the answer where the channel has no message of the event."""
    name = _name(superevent)
    text = (
        f"{name} has no message in this channel, so nobody could say here who has it or who is observing it."
    )
    return blocks.message(escape(text), blocks.section(escape(text)))


def _name(superevent: Superevent) -> str:
    return " ".join([*status_labels(superevent), superevent.superevent_id])


def _answer(superevent: Superevent, sentences: str, more: str | None = None) -> Message:
    """Return an answer that names the event with its marks; `sentences` are escaped."""
    name = escape(_name(superevent))
    text = f"{name}: {sentences}"
    return blocks.message(
        text, blocks.section(text), *([] if more is None else [blocks.context(escape(more))])
    )


def _have_had(superevent: Superevent, others: Sequence[Acknowledgement]) -> str:
    said = [
        f"{person(one.user_id) or 'somebody'} has had it since {_since(superevent, one)}" for one in others
    ]
    return ", ".join(said[:3])


def _since(superevent: Superevent, one: Acknowledgement) -> str:
    return since(one.since, _event_time(superevent))


def _event_time(superevent: Superevent) -> datetime | None:
    known = superevent.latest_with_event
    return None if known is None or known.event is None else known.event.time
