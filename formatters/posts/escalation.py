"""Messages to whoever is next, since nobody took an event in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, link, mentions, plain_text
from formatters.models.escalation import Posted
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, event_buttons
from formatters.posts.people_lines import since
from formatters.text import push_text

WEBHOOK_REFUSED = (
    "The operators' webhook is the next step, but isn't called: none is configured, or this workspace may no "
    "longer have it called"
)
"""Said in place of a webhook step that can't be taken."""


def step_message(
    superevent: Superevent,
    targets: Sequence[str],
    taken_at: datetime,
    root: str | None,
    grade: str | None = None,
) -> Message:
    """Return the message that mentions `targets`, since nobody had the event at `taken_at`.

    It says what was true then, so that it is as true when it is read an hour later, and what is known of the
    event now. `root` is the address of the superevent's card; None if it is unknown. `grade` are the words
    for the best grade of the channel's criteria sets.
    """
    return _message(superevent, targets, [_nobody_had_it(superevent, taken_at)], root, grade)


def webhook_refused(
    superevent: Superevent, taken_at: datetime, root: str | None, call: Posted | None = None
) -> Message:
    """Return the message that a webhook step came to nothing, and that still nobody has the event.

    `call` is the call that isn't accepted; None if the webhook can't be called at all.
    """
    return _message(superevent, (), [_nobody_had_it(superevent, taken_at), unheard(call)], root, None)


def unheard(call: Posted | None) -> str:
    """Return why nobody hears of an escalation by the webhook, as plain text."""
    if call is None:
        return WEBHOOK_REFUSED
    why = f" ({plain_text(call.reason)})" if call.reason else ""
    rest = "" if call.is_given_up else "; it is called again and again for a day"
    return f"The operators' webhook was called and its service didn't accept the call{why}{rest}"


def _nobody_had_it(superevent: Superevent, at: datetime) -> str:
    known = superevent.latest_with_event
    event_time = None if known is None or known.event is None else known.event.time
    return f"At {since(at, event_time)} nobody had it"


def _message(
    superevent: Superevent,
    targets: Sequence[str],
    said: Sequence[str],
    root: str | None,
    grade: str | None,
) -> Message:
    mentioned, title = mentions(targets), alert_card.title(superevent)
    known = superevent.latest_with_event
    facts = "" if known is None or known.event is None else push_text.push_facts(known, known.event, grade)
    reasons = " · ".join([*map(escape, said), *([escape(facts)] if facts else [])])
    lines = [f"{mentioned} {bold(escape(title))}".strip(), reasons]
    if root is not None:
        lines.append(link(root, f"All of {superevent.superevent_id}"))
    return blocks.message(
        f"{mentioned} {escape(title)} · {reasons}".strip(),
        blocks.section(*lines),
        blocks.actions(event_buttons.acknowledge_button(superevent.superevent_id)),
        mentions=tuple(targets),
    )
