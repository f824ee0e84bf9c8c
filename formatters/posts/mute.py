"""The reply in an event's thread that says who muted the event in the channel, or ended that."""

from __future__ import annotations

from datetime import datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text.criteria_text import user_mention
from formatters.text.quantities import pluralize, utc


def muted(superevent: Superevent, user_id: str, at: datetime) -> Message:
    """Return the reply that the event is muted in this channel since `at`, and what still comes."""
    name = superevent.superevent_id
    lines = [
        f"{bold('Muted here')} by {user_mention(user_id)} at {escape(utc(at))}: {escape(_title(superevent))}",
        "No replies and no edits of this event follow in this channel, but for its retraction. Mentions that"
        f" a subscription asks for still come. `/gwevent unmute {escape(name)}` ends this.",
    ]
    text = f"Muted here: {_title(superevent)}. Of this event only a retraction or a mention follows."
    return blocks.message(escape(text), blocks.section(*lines))


def unmuted(superevent: Superevent, user_id: str, at: datetime, missed: int | None) -> Message:
    """Return the reply that the mute was ended at `at`.

    `missed` is the number of notices that came meanwhile; None if it isn't known.
    """
    lines = [
        f"{bold('No longer muted here')}, by {user_mention(user_id)} at {escape(utc(at))}: "
        f"{escape(_title(superevent))}",
        f"{_missed_words(missed)} The card is brought up to date. `/gwevent history "
        f"{escape(superevent.superevent_id)}` lists every notice.",
    ]
    text = f"No longer muted here: {_title(superevent)}. {_missed_words(missed)}"
    return blocks.message(escape(text), blocks.section(*lines))


def _missed_words(missed: int | None) -> str:
    match missed:
        case None:
            return "How many notices came meanwhile isn't known any more."
        case 0:
            return "No notice came meanwhile."
        case _:
            return f"{pluralize(missed, 'notice')} came meanwhile, without a reply here."


def _title(superevent: Superevent) -> str:
    return " · ".join([*alert_card.status_labels(superevent), superevent.superevent_id])
