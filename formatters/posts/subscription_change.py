"""The post in a channel after somebody changed its subscriptions, its sites or a criteria set it uses."""

from __future__ import annotations

from collections.abc import Sequence

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import SECTION_MAX, bold, escape, utf16_length
from formatters.models.channel_change import (
    ChannelChange,
    CriteriaSetState,
    SubscriptionState,
)
from formatters.models.subscription import Subscription
from formatters.text import quantities
from formatters.text.change_text import author_names, grade_differences, site_differences
from formatters.text.criteria_text import describe

_MAX_COMMAND_CHARS = 1_000
"""Maximum length of a command that people can type (`bot.filters.limits.MAX_QUESTION_LENGTH`)."""
_MAX_CHANGES_CHARS = 7_500
"""UTF-16 units of a message that the sections about changes may use."""
_MAX_NOTIFICATION_CHARS = 1_500
"""UTF-16 units that the notification text may use."""
_MAX_SECTIONS = 40


def subscription_change(changes: Sequence[ChannelChange], here: Sequence[Subscription]) -> Message:
    """Return the post that lists what changed, who changed it, and the commands that undo it.

    `changes` (at least one) are in chronological order. Several changes of one subscription, or of one
    criteria set, are merged into one, from the first state to the last. `here` lists the channel's present
    subscriptions.
    """
    subjects: dict[int | str | None, list[ChannelChange]] = {}
    for change in changes:
        subjects.setdefault(change.subject, []).append(change)
    sections: list[Block] = []
    heads: list[str] = []
    left = _MAX_CHANGES_CHARS
    for group in subjects.values():
        lines = _change_lines(group, here)
        made = blocks.sections(lines)
        left -= sum(utf16_length(section["text"]["text"]) for section in made)
        if heads and (left < 0 or len(sections) + len(made) > _MAX_SECTIONS):
            break
        sections += made
        heads.append(lines[0])
    rest = len(subjects) - len(heads)
    # With the time, because the post can be days late if posting failed.
    when = escape(f"Changed at {quantities.utc(max(change.changed_at for change in changes))}.")
    more = [] if not rest else [f"And {rest} more: `/gwevent subscriptions history` lists them."]
    text = blocks.fit_lines([*heads, *more], _MAX_NOTIFICATION_CHARS).replace("*", "").replace("`", "")
    return blocks.message(text, *sections, blocks.context(*more, _remaining_line(here), when))


def _change_lines(group: Sequence[ChannelChange], here: Sequence[Subscription]) -> list[str]:
    """Return the lines (at least one) about the merged changes of one thing."""
    by, others = (
        author_names([group[-1].changed_by]),
        [change.changed_by for change in group if change.changed_by != group[-1].changed_by],
    )
    if isinstance(group[0].subject, str):
        return [*_criteria_set_change_lines(group, by, here), *_other_authors_line(others)]
    if group[0].number is None:
        return [*_sites_change_lines(group, by), *_other_authors_line(others)]
    name = f"subscription {group[0].number}"
    before, after = group[0].before, group[-1].after
    last_before = group[-1].before
    assert isinstance(before, SubscriptionState | None) and isinstance(after, SubscriptionState | None)
    if after is None:
        last_state = last_before if isinstance(last_before, SubscriptionState) else before
        assert last_state is not None, "what ended was something"
        return [
            f"{by} ended {name}, {bold(last_state.silent_mrkdwn)}: it sends no more alerts. Messages that are"
            f" already here"
            " are still updated, but get no more replies.",
            _restore_command("subscribe", last_state),
            *_other_authors_line(others),
        ]
    number = group[0].number
    if before is None:
        stands = f" It is paused: `/gwevent resume {number}` starts it." if after.is_paused else ""
        return [
            f"{by} added {name}: {bold(after.silent_mrkdwn)}.{stands}",
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
            f"{by} paused {name}, {bold(after.silent_mrkdwn)}: it sends no alerts and no replies in threads.",
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
    """Return a line that names the other authors of merged changes; an empty list if there are none."""
    return [f"Shortly before, {author_names(others)} changed it too."] if others else []


def _criteria_lines(state: SubscriptionState) -> list[str]:
    return [] if state.criteria is None else describe(state.criteria, silent=True)


def _restore_command(command: str, state: SubscriptionState) -> str:
    """Return the line with the command that restores `state`, or with the modal if it is too long to type."""
    typed = f"{command} {state.canonical}"
    if len(typed) > _MAX_COMMAND_CHARS:
        return "To restore it, use the form, because its words are too long for a command: `/gwevent dialog`"
    return f"To restore it: {_command_code(typed)}"


def _command_code(command: str) -> str:
    return f"`{escape(f'/gwevent {command}', SECTION_MAX)}`"


def _remaining_line(here: Sequence[Subscription]) -> str:
    """Return one line about the subscriptions that the channel has now."""
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
    summary = "; ".join(difference for difference, _ in differences)
    commands = ", ".join(_command_code(f"sites {words}") for _, words in differences)
    return [
        f"{by} changed this channel's sites: {escape(summary, SECTION_MAX)}.",
        f"To restore it: {commands}",
    ]


def _criteria_set_change_lines(
    group: Sequence[ChannelChange], by: str, here: Sequence[Subscription]
) -> list[str]:
    before, after = group[0].before, group[-1].after
    assert isinstance(before, CriteriaSetState | None) and isinstance(after, CriteriaSetState | None)
    slug = str(group[0].subject)
    users = [str(s.number) for s in here if slug in s.criteria.used_sets]
    noun = "subscription" if len(users) == 1 else "subscriptions"
    use = f" ({noun} {', '.join(users)} of this channel)" if users else ""
    name = f"the criteria set {bold(escape(slug))}{use}"
    if after is None:
        gone = f"{by} removed {name}: conditions on its grades don't hold any more."
        return [gone] if before is None else [gone, _restore_set_command("add", before)]
    if before is None:
        return [
            f"{by} added {name}: {bold(escape(after.canonical, SECTION_MAX))}",
            f"To change it: {_command_code(f'criteria edit {slug}')}",
        ]
    differences = [escape(one, SECTION_MAX) for one in grade_differences(before, after)]
    if not differences:
        return [f"{by} changed {name} and changed it back."]
    return [
        f"{by} changed {name}; its grades are judged so from now on:",
        *(f"• {one}" for one in differences),
        _restore_set_command("edit", before),
    ]


def _restore_set_command(word: str, state: CriteriaSetState) -> str:
    """Return the line with the command that restores a criteria set, or with the form if it is too long."""
    typed = f"criteria {word} {state.slug} {state.canonical}"
    if len(typed) > _MAX_COMMAND_CHARS:
        return "To restore it, use its form, since its words are too long for a command: `/gwevent criteria`"
    return f"To restore it: {_command_code(typed)}"
