"""Answer to `subscriptions history`: who changed what a channel receives, and when."""

from __future__ import annotations

import re
from collections.abc import Sequence

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import SECTION_MAX, bold, escape, plain_text, truncate_escaped
from formatters.models.channel_change import PAGE_SIZE, ChannelChange, CriteriaSetState, SubscriptionState
from formatters.models.event_action import EventAction, EventActionKind, action_words
from formatters.text import quantities
from formatters.text.change_text import author_names, grade_differences, site_differences

_MAX_HISTORY_WORDS_CHARS = 300
_ESCAPED_PERSON = re.compile(r"&lt;(@[A-Z0-9]{2,30}|!subteam\^[A-Z0-9]{2,30})&gt;")


def subscription_history(changes: Sequence[ChannelChange | EventAction], page: int, total: int) -> Message:
    """Return one page of changes and actions, newest first; `total` is the number of all that are stored."""
    if not total:
        return _text_message(
            "No change of what this channel receives is recorded (changes are kept for 400 days)."
        )
    pages = -(-total // PAGE_SIZE)
    if not changes:
        return _text_message(f"The history has {pages} page{'s' if pages > 1 else ''}, no page {page}.")
    further = [f"Page {page} of {pages}, the newest first."]
    if page < pages:
        further.append(f"Older: `/gwevent subscriptions history {page + 1}`")
    return blocks.message(
        f"Who changed what this channel receives, page {page} of {pages}",
        *(blocks.section(_line(one)) for one in changes),
        blocks.context(*further),
    )


def _line(one: ChannelChange | EventAction) -> str:
    return action_line(one) if isinstance(one, EventAction) else change_line(one)


def action_line(action: EventAction) -> str:
    """Format what somebody did about an event, or a drill, as one line of mrkdwn."""
    when = escape(quantities.utc(action.at))
    what = action_words(action.kind)
    if action.superevent_id is not None:
        what = f"{plain_text(action.superevent_id)} {what}"
    if action.detail:
        what = f"{what}: {plain_text(action.detail, _MAX_HISTORY_WORDS_CHARS)}"
    said = escape(what, SECTION_MAX)
    if action.kind == EventActionKind.DRILL_BEGUN:
        # The subscription's words: only Slack knows the names of the people and groups in it.
        said = _ESCAPED_PERSON.sub(r"<\1>", said)
    return f"{when} · {author_names([action.user_id])} · {said}"


def change_line(change: ChannelChange) -> str:
    """Format one change as one line of mrkdwn."""
    when = escape(quantities.utc(change.changed_at))
    if change.number is not None:
        what = _subscription_line(change)
    else:
        what = _sites_line(change) if change.criteria_set is None else _criteria_set_line(change)
    return f"{when} · {author_names([change.changed_by])} · {what}"


def _subscription_line(change: ChannelChange) -> str:
    before, after = change.before, change.after
    name = f"subscription {change.number}"
    assert isinstance(before, SubscriptionState | None) and isinstance(after, SubscriptionState | None)
    if after is None:
        return f"{name} ended" + ("" if before is None else f": {_short_state(before)}")
    if before is None:
        return f"{name} added: {_short_state(after)}" + (", paused" if after.is_paused else "")
    if before.canonical != after.canonical:
        return f"{name} changed: {_short_state(before)} → {_short_state(after)}"
    return f"{name} {'paused' if after.is_paused else 'resumed'}: {_short_state(after)}"


def _short_state(state: SubscriptionState) -> str:
    return bold(truncate_escaped(state.mrkdwn, _MAX_HISTORY_WORDS_CHARS))


def _sites_line(change: ChannelChange) -> str:
    differences = site_differences(change.before, change.after)
    return escape("sites: " + "; ".join(what for what, _ in differences), SECTION_MAX)


def _criteria_set_line(change: ChannelChange) -> str:
    before, after = change.before, change.after
    assert isinstance(before, CriteriaSetState | None) and isinstance(after, CriteriaSetState | None)
    name = f"criteria set {change.criteria_set}"
    if before is not None and after is not None:
        what = f"{name} changed: {'; '.join(grade_differences(before, after))}"
    elif after is not None:
        what = f"{name} added: {after.canonical}"
    else:
        what = f"{name} removed" + (f": {before.canonical}" if before is not None and before.grades else "")
    return truncate_escaped(escape(what, SECTION_MAX), 2 * _MAX_HISTORY_WORDS_CHARS)


def _text_message(text: str) -> Message:
    return blocks.message(text.replace("*", "").replace("`", ""), blocks.section(text))
