"""Decides who is mentioned because of a notice: once for the event, and once for each upgrade.

Mentions wake people. Edits never mention, old news never does, and a retraction mentions only those who may
have seen an earlier mention.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.criteria.decided_grades import DecidedGrades
from bot.filters import CriteriaEvaluator
from bot.routing.escalation import steps_after_mention
from bot.routing.intents import ChannelRef, Mention, MentionReason
from bot.routing.state import RootState, RoutingState, Thread
from formatters.models.significance import find_upgrade
from formatters.models.subscription import Criteria, Subscription
from formatters.models.superevent import Superevent


@dataclass(frozen=True, slots=True)
class PreviousState:
    """The superevent as it was before the notice that is being planned."""

    superevent: Superevent
    evaluator: CriteriaEvaluator


def previous_state(state: RoutingState) -> PreviousState | None:
    """Return the superevent without the notice that is being planned; None if nothing else is known."""
    known = [n for n in state.superevent.notices if n.key != state.notice.key]
    if not known:
        return None
    before = Superevent.from_notices(known)
    return PreviousState(before, CriteriaEvaluator(before, DecidedGrades(before)))


def mentioning_criteria(subscriptions: Sequence[Subscription]) -> Mapping[ChannelRef, Sequence[Criteria]]:
    """Return the criteria that mention somebody, by channel."""
    found: defaultdict[ChannelRef, list[Criteria]] = defaultdict(list)
    for subscription in subscriptions:
        if subscription.criteria.notify is not None:
            found[subscription.team_id, subscription.channel_id].append(subscription.criteria)
    return found


def channels_with_undecided_mentions(
    mentioning: Mapping[ChannelRef, Sequence[Criteria]], evaluator: CriteriaEvaluator
) -> set[ChannelRef]:
    """Return the channels where some mention depends on the sky map."""
    return {
        channel
        for channel, criteria_list in mentioning.items()
        if any(evaluator.evaluate_mentions(criteria).is_undecided for criteria in criteria_list)
    }


def plan_mentions(
    thread: Thread,
    superevent: Superevent,
    evaluator: CriteriaEvaluator,
    before: PreviousState | None,
    criteria_list: Sequence[Criteria],
) -> list[Mention]:
    """Plan the mentions of one notice in a channel that has a thread; at most one.

    `criteria_list` are the channel's criteria that mention somebody.
    """
    if superevent.is_retracted:
        rules = [criteria.notify for criteria in criteria_list if criteria.notify is not None]
        wanted = dict.fromkeys(target for rule in rules for target in rule.all_targets)
        warned = tuple(target for target in wanted if target in thread.notified)
        newly = before is not None and not before.superevent.is_retracted
        return [Mention(thread.id, warned, MentionReason.RETRACTION)] if warned and newly else []
    targets = certain_targets(criteria_list, evaluator)
    if thread.root is RootState.WAITING:
        # The root is rendered from the newest state when it is sent, so new targets become part of it.
        new = tuple(target for target in targets if target not in thread.mentioned)
        return _with_steps(new, MentionReason.NEW_EVENT, thread, superevent, evaluator, before, criteria_list)
    upgraded = bool(find_upgrade(None if before is None else before.superevent, superevent))
    previous = targets if before is None else _possible_targets(criteria_list, before.evaluator)
    again = tuple(t for t in targets if upgraded or t not in thread.mentioned or t not in previous)
    return _with_steps(again, MentionReason.UPGRADE, thread, superevent, evaluator, before, criteria_list)


def _with_steps(
    targets: tuple[str, ...],
    reason: MentionReason,
    thread: Thread,
    superevent: Superevent,
    evaluator: CriteriaEvaluator,
    before: PreviousState | None,
    criteria_list: Sequence[Criteria],
) -> list[Mention]:
    """Return the mention of `targets` in a thread with who is next; the steps are held if somebody has it.

    Who had it before it was retracted was told to stand down, so somebody is to take it again.
    """
    if not targets:
        return []
    was_retracted = before is not None and before.superevent.is_retracted
    is_held = thread.is_acknowledged and not was_retracted
    waiting = thread.held if is_held else thread.escalating or ()
    steps = steps_after_mention(targets, superevent, evaluator, criteria_list, waiting)
    return [Mention(thread.id, targets, reason, steps, is_held=is_held and bool(steps))]


def certain_targets(criteria_list: Sequence[Criteria], evaluator: CriteriaEvaluator) -> tuple[str, ...]:
    """Return the targets whose mention does not depend on the sky map, each once."""
    found = (
        criteria.notify.targets
        for criteria in criteria_list
        if criteria.notify is not None and evaluator.evaluate_mentions(criteria).matches
    )
    return tuple(dict.fromkeys(target for targets in found for target in targets))


def _possible_targets(criteria_list: Sequence[Criteria], evaluator: CriteriaEvaluator) -> set[str]:
    """Return the targets that were to be mentioned, or may have been: the old sky map isn't queried again."""
    found = (
        criteria.notify.targets
        for criteria in criteria_list
        if criteria.notify is not None and evaluator.evaluate_mentions(criteria).may_match
    )
    return {target for targets in found for target in targets}
