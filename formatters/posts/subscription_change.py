"""The post in a channel that says what somebody changed in what the channel receives."""

from __future__ import annotations

from collections.abc import Sequence

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import SECTION_MAX, bold, escape, utf16_length
from formatters.models.channel_change import (
    ChannelChange,
    SubscriptionState,
)
from formatters.models.observing import ChannelSites
from formatters.models.subscription import Subscription
from formatters.text import quantities
from formatters.text.change_text import author_names, site_differences
from formatters.text.criteria_text import describe

_MAX_COMMAND_CHARS = 1_000
"""Characters that may be typed at once (`bot.commands.router.MAX_QUESTION_LENGTH`)."""
_MAX_CHANGES_CHARS = 7_500
"""Of the characters that a message may have, so many for the changes."""
_MAX_NOTIFICATION_CHARS = 1_500
"""And so many for the words of the notification."""
_MAX_SECTIONS = 40


def subscription_change(changes: Sequence[ChannelChange], here: Sequence[Subscription]) -> Message:
    """The post in the channel: what changed, who did it, and the command that brings it back.

    `changes` (at least one) in the order in which they happened; several of one subscription are said as one,
    from what was first to what is last. `here` is what the channel has now.
    """
    subjects: dict[int | None, list[ChannelChange]] = {}
    for change in changes:
        subjects.setdefault(change.number, []).append(change)
    sections: list[Block] = []
    heads: list[str] = []
    left = _MAX_CHANGES_CHARS
    for group in subjects.values():
        lines = _change_lines(group)
        made = _sections(lines)
        left -= sum(utf16_length(section["text"]["text"]) for section in made)
        if heads and (left < 0 or len(sections) + len(made) > _MAX_SECTIONS):
            break
        sections += made
        heads.append(lines[0])
    rest = len(subjects) - len(heads)
    # It may be said late: where nothing could be posted for days, say.
    when = escape(f"Changed at {quantities.utc(max(change.changed_at for change in changes))}.")
    more = [] if not rest else [f"And {rest} more: `/gwevent subscriptions history` lists them."]
    text = blocks.fit_lines([*heads, *more], _MAX_NOTIFICATION_CHARS).replace("*", "").replace("`", "")
    return blocks.message(text, *sections, blocks.context(*more, _remaining_line(here), when))


def _sections(lines: Sequence[str]) -> list[Block]:
    """As few sections as hold all the lines, so that none of them, the command least of all, falls off."""
    packed: list[list[str]] = [[]]
    for line in lines:
        if packed[-1] and utf16_length("\n".join([*packed[-1], line])) > SECTION_MAX:
            packed.append([])
        packed[-1].append(line)
    return [blocks.section(*some) for some in packed]


def _change_lines(group: Sequence[ChannelChange]) -> list[str]:
    """What happened to one subscription, or to the sites; at least one line."""
    by, others = (
        author_names([group[-1].changed_by]),
        [change.changed_by for change in group if change.changed_by != group[-1].changed_by],
    )
    if group[0].number is None:
        return [*_sites_change_lines(group, by), *_other_authors_line(others)]
    name = f"subscription {group[0].number}"
    before, after = group[0].before, group[-1].after
    gone = group[-1].before
    assert not isinstance(before, ChannelSites) and not isinstance(after, ChannelSites)
    if after is None:
        was = gone if isinstance(gone, SubscriptionState) else before
        assert was is not None, "what ended was something"
        return [
            f"{by} ended {name}, {bold(was.silent_mrkdwn)}: it sends no more alerts. Messages that are"
            f" already here"
            " are still updated, but get no more replies.",
            _restore_command("subscribe", was),
            *_other_authors_line(others),
        ]
    number = group[0].number
    if before is None:
        stands = f" It is paused: `/gwevent resume {number}` starts it." if after.is_paused else ""
        return [
            f"{by} started {name}: {bold(after.silent_mrkdwn)}.{stands}",
            *_criteria_lines(after),
            f"To end it: `/gwevent unsubscribe {number}`",
        ]
    if before.canonical != after.canonical:
        paused = f" It is paused: `/gwevent resume {number}` starts it again." if after.is_paused else ""
        if before.is_paused and not after.is_paused:
            paused = " It was paused and is active again."
        return [
            f"{by} changed {name} from {bold(before.silent_mrkdwn)} to {bold(after.silent_mrkdwn)}.{paused}",
            *_criteria_lines(after),
            _restore_command(f"edit {number}", before),
            *_other_authors_line(others),
        ]
    if before.is_paused == after.is_paused:
        stands = f"it is paused (`/gwevent resume {number}`)" if after.is_paused else "it is active"
        return [
            f"{by} changed {name} and changed it back: {bold(after.silent_mrkdwn)}, and {stands}.",
            *_other_authors_line(others),
        ]
    if after.is_paused:
        return [
            f"{by} paused {name}, {bold(after.silent_mrkdwn)}: no alerts, and no replies in threads.",
            f"To resume it: `/gwevent resume {number}`",
            *_other_authors_line(others),
        ]
    return [
        f"{by} resumed {name}: {bold(after.silent_mrkdwn)}. Alerts from the time of the pause are not"
        f" posted.",
        *_criteria_lines(after),
        f"To pause it again: `/gwevent pause {number}`",
        *_other_authors_line(others),
    ]


def _other_authors_line(others: Sequence[str]) -> list[str]:
    """Who else changed it since the channel heard of it last."""
    return [f"Shortly before, {author_names(others)} changed it too."] if others else []


def _criteria_lines(state: SubscriptionState) -> list[str]:
    return [] if state.criteria is None else describe(state.criteria, silent=True)


def _restore_command(command: str, state: SubscriptionState) -> str:
    """The exact command that brings back what was; what is too long to be typed goes into the dialog."""
    typed = f"{command} {state.canonical}"
    if len(typed) > _MAX_COMMAND_CHARS:
        return "To restore it, use the form, because its words are too long for a command: `/gwevent dialog`"
    return f"To restore it: {_command_code(typed)}"


def _command_code(command: str) -> str:
    return f"`{escape(f'/gwevent {command}', SECTION_MAX)}`"


def _remaining_line(here: Sequence[Subscription]) -> str:
    """What the channel receives now, in one line."""
    history = "Who changed what: `/gwevent subscriptions history`"
    if not here:
        nothing = bold("This channel gets no alerts: it has no subscription.")
        return f"{nothing} `/gwevent subscribe CBC` creates one. {history}"
    paused = sum(s.paused_at is not None for s in here)
    if paused == len(here):
        return f"{bold('This channel gets no alerts now: all its subscriptions are paused.')} {history}"
    has = f"This channel has {len(here)} subscription{'s' if len(here) > 1 else ''}"
    which = f", {paused} of them paused" if paused else ""
    return f"{has}{which}: `/gwevent subscriptions`. {history}"


def _sites_change_lines(group: Sequence[ChannelChange], by: str) -> list[str]:
    differences = site_differences(group[0].before, group[-1].after)
    if not differences:
        return [f"{by} changed this channel's sites and changed them back."]
    what = "; ".join(said for said, _ in differences)
    commands = ", ".join(_command_code(f"sites {words}") for _, words in differences)
    return [
        f"{by} changed this channel's sites: {escape(what, SECTION_MAX)}.",
        f"To restore it: {commands}",
    ]
