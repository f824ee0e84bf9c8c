"""Who gets what: one pure function from what is known to what is to be done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.filters import CriteriaEvaluator, MapProbabilities, category_allowed, is_match, is_undecided
from bot.routing.intents import (
    CancelRoot,
    ChannelRef,
    DeferToSkyMap,
    EditRoot,
    Intent,
    Mention,
    MentionReason,
    OpenRoot,
    Reply,
    RootState,
    Thread,
)
from formatters.models.notice import Category, Notice
from formatters.models.significance import find_upgrade
from formatters.models.subscription import Criteria, Subscription
from formatters.models.superevent import Superevent


def plan(
    superevent: Superevent,
    notice: Notice,
    threads: Sequence[Thread],
    subscriptions: Sequence[Subscription],
    *,
    live: bool,
    now: datetime,
    max_age: timedelta,
) -> list[Intent]:
    """Say what to do about `notice`, which `superevent` already contains.

    `threads` are this superevent's, `subscriptions` all that are in force. Archives (`live` false) fill the
    store and cause nothing. Old news opens no root, adds no reply and mentions nobody, yet edits the roots
    that exist.
    """
    if not live:
        return []
    old = now - notice.time_created > max_age
    judge = CriteriaEvaluator(superevent)
    in_force = {s.id for s in subscriptions}
    by_channel: dict[ChannelRef, int] = {}
    undecided: set[ChannelRef] = set()
    for subscription in subscriptions:
        verdict = judge(subscription.criteria)
        if is_match(verdict):
            by_channel.setdefault((subscription.team_id, subscription.channel_id), subscription.id)
        elif is_undecided(verdict):
            undecided.add((subscription.team_id, subscription.channel_id))
    notifying = _mentioning_criteria(subscriptions)
    # Its mentions are planned together, once the map has answered.
    hanging = _channels_with_undecided_mentions(notifying, judge)
    before = _previous_state(superevent, notice)

    intents: list[Intent] = []
    seen: set[ChannelRef] = set()
    for thread in threads:
        channel = (thread.team_id, thread.channel_id)
        if thread.root is RootState.DEAD:
            continue
        seen.add(channel)
        if thread.root is RootState.WAITING and superevent.is_retracted:
            intents.append(CancelRoot(thread.id))
            continue
        if thread.root is not RootState.WAITING:
            # A waiting root needs no edit: it is rendered from the newest state when it is sent.
            intents.append(EditRoot(thread.id))
        followed = thread.subscription_id in in_force or channel in by_channel or channel in undecided
        if not old and followed:
            intents.append(Reply(thread.id))
        if not old and channel in notifying and channel not in hanging:
            intents += _plan_mentions(thread, superevent, judge, before, notifying[channel])
    if not old and not superevent.is_retracted:
        intents += [
            OpenRoot(
                *channel,
                by_channel[channel],
                _mention_targets(notifying.get(channel, ()), judge, channel in hanging),
            )
            for channel in by_channel
            if channel not in seen
        ]
        if hanging or undecided - by_channel.keys() - seen:
            intents.append(DeferToSkyMap())
    return intents


def plan_after_map_queries(
    superevent: Superevent,
    notice: Notice,
    threads: Sequence[Thread],
    subscriptions: Sequence[Subscription],
    *,
    probabilities: MapProbabilities,
    now: datetime,
    max_age: timedelta,
) -> list[Intent]:
    """Say what `plan` left to the map, which has answered with `shares`.

    `notice` is the one for which it was asked. Roots are opened and mentions made only where the map alone
    decided; all else happened when the notice came.
    """
    if superevent.is_retracted or now - notice.time_created > max_age:
        return []
    blind, judge = CriteriaEvaluator(superevent), CriteriaEvaluator(superevent, probabilities)
    by_channel: dict[ChannelRef, int] = {}
    for subscription in subscriptions:
        if is_undecided(blind(subscription.criteria)) and is_match(judge(subscription.criteria)):
            by_channel.setdefault((subscription.team_id, subscription.channel_id), subscription.id)
    notifying = _mentioning_criteria(subscriptions)
    hanging = _channels_with_undecided_mentions(notifying, blind)
    before = _previous_state(superevent, notice)
    intents: list[Intent] = []
    alive = [thread for thread in threads if thread.root is not RootState.DEAD]
    for thread in alive:
        channel = (thread.team_id, thread.channel_id)
        if channel in hanging:
            intents += _plan_mentions(thread, superevent, judge, before, notifying[channel])
    seen = {(thread.team_id, thread.channel_id) for thread in alive}
    return intents + [
        OpenRoot(*channel, by_channel[channel], _mention_targets(notifying.get(channel, ()), judge))
        for channel in by_channel
        if channel not in seen
    ]


def _mentioning_criteria(subscriptions: Sequence[Subscription]) -> Mapping[ChannelRef, Sequence[Criteria]]:
    """What mentions somebody, by channel."""
    found: defaultdict[ChannelRef, list[Criteria]] = defaultdict(list)
    for subscription in subscriptions:
        if subscription.criteria.notify is not None:
            found[subscription.team_id, subscription.channel_id].append(subscription.criteria)
    return found


def _channels_with_undecided_mentions(
    notifying: Mapping[ChannelRef, Sequence[Criteria]], judge: CriteriaEvaluator
) -> set[ChannelRef]:
    """The channels whose mentions hang on the map."""
    return {
        place
        for place, criteria_list in notifying.items()
        if any(is_undecided(judge.evaluate_mentions(w)) for w in criteria_list)
    }


@dataclass(frozen=True, slots=True)
class _PreviousState:
    """What was known before the notice came."""

    superevent: Superevent
    evaluator: CriteriaEvaluator


def _plan_mentions(
    thread: Thread,
    superevent: Superevent,
    judge: CriteriaEvaluator,
    before: _PreviousState | None,
    criteria_list: Sequence[Criteria],
) -> list[Mention]:
    """Whom this notice mentions in a channel that has a thread: once for the event, once for each upgrade."""
    if superevent.is_retracted:
        asked = dict.fromkeys(
            t for criteria in criteria_list if criteria.notify is not None for t in criteria.notify.targets
        )
        down = tuple(target for target in asked if target in thread.notified)
        newly = before is not None and not before.superevent.is_retracted
        return [Mention(thread.id, down, MentionReason.RETRACTION)] if down and newly else []
    whom = _mention_targets(criteria_list, judge)
    if thread.root is RootState.WAITING:
        # Not posted yet, it says the newest by itself; who is new stands in it too.
        new = tuple(target for target in whom if target not in thread.mentioned)
        return [Mention(thread.id, new, MentionReason.NEW_EVENT)] if new else []
    upgraded = bool(find_upgrade(None if before is None else before.superevent, superevent))
    held = whom if before is None else _previous_targets(criteria_list, before.evaluator)
    again = tuple(t for t in whom if upgraded or t not in thread.mentioned or t not in held)
    return [Mention(thread.id, again, MentionReason.UPGRADE)] if again else []


def _mention_targets(
    criteria_list: Sequence[Criteria], judge: CriteriaEvaluator, deferred: bool = False
) -> tuple[str, ...]:
    """Who is mentioned for certain; nobody yet in a channel whose mentions hang on the map."""
    if deferred or not criteria_list:
        return ()
    found = (
        w.notify.targets
        for w in criteria_list
        if w.notify is not None and is_match(judge.evaluate_mentions(w))
    )
    return tuple(dict.fromkeys(target for targets in found for target in targets))


def _previous_targets(criteria_list: Sequence[Criteria], judge: CriteriaEvaluator) -> set[str]:
    """Who was to be mentioned before, or may have been: the old map isn't asked again."""
    found = (
        w.notify.targets for w in criteria_list if w.notify is not None and judge.evaluate_mentions(w)[1] == 1
    )
    return {target for targets in found for target in targets}


def _previous_state(superevent: Superevent, notice: Notice) -> _PreviousState | None:
    """What was known before this notice came; None if nothing was."""
    known = [n for n in superevent.notices if n.key != notice.key]
    if not known:
        return None
    before = Superevent.from_notices(known)
    return _PreviousState(before, CriteriaEvaluator(before))


def channels_for_unreadable_notice(
    category: Category, threads: Sequence[Thread], subscriptions: Sequence[Subscription]
) -> list[tuple[str, str, int | None]]:
    """Where to say that a notice of a known event couldn't be read: (team, channel, thread or None).

    In the event's threads; where there is none, in every channel that admits the event's category, for
    nothing else is known of it.
    """
    known = {(t.team_id, t.channel_id): t.id for t in threads if t.root is not RootState.DEAD}
    asked = {(s.team_id, s.channel_id) for s in subscriptions if category_allowed(s.criteria, category)}
    return [(*channel, known.get(channel)) for channel in sorted(asked | known.keys())]
