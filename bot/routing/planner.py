"""Decides who gets what: pure functions from the stored facts to the list of everything that is to be done.

`plan` routes a new notice: to the channels, the operators' channel and the operators' webhook. Its part that
depends on a query of the sky map is planned later by `plan_after_map_queries`, so that no channel waits for
another one's query. `plan_unreadable_payload` routes a payload that could not be read, `plan_installation` a
new workspace; related messages are routed by `related_messages`, incidents by `operators`. Nothing else
decides who receives a message: the store reads the facts and writes the intents, in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.criteria.decided_grades import DecidedGrades
from bot.filters import CriteriaEvaluator, MapProbabilities, category_allowed
from bot.routing.escalation import plan_escalation_end, steps_after_mention
from bot.routing.intents import (
    AlertOperators,
    CancelRoot,
    ChannelRef,
    DeferToSkyMap,
    EditRoot,
    Intent,
    OpenRoot,
    OperatorAlert,
    Reply,
    ReportUnreadableNotice,
    UpdateFollowUp,
    WelcomeInstaller,
)
from bot.routing.mentions import (
    certain_targets,
    channels_with_undecided_mentions,
    mentioning_criteria,
    plan_mentions,
    previous_state,
)
from bot.routing.mutes import is_held_back
from bot.routing.operators import plan_event_call, plan_operator_alerts
from bot.routing.related_messages import plan_replies_after_notice, plan_replies_in_new_threads
from bot.routing.state import OperatorRules, RootState, RoutingState, Thread
from formatters.models.filter import MapQuery, map_queries
from formatters.models.notice import Category
from formatters.models.subscription import Criteria, Subscription
from formatters.models.superevent import Superevent


def plan(
    state: RoutingState,
    *,
    live: bool,
    now: datetime,
    max_age: timedelta,
    operator_rules: OperatorRules | None = None,
) -> list[Intent]:
    """Plan everything that follows from a new notice.

    A notice from an archive (`live` is False) fills the store and causes nothing. Old news, created more than
    `max_age` ago, opens no root, adds no reply, mentions nobody and alerts no operator, but edits the
    roots that exist.
    """
    if not live:
        return []
    superevent, subscriptions = state.superevent, state.subscriptions
    old = now - state.notice.time_created > max_age
    evaluator = CriteriaEvaluator(superevent, DecidedGrades(superevent))
    active = {s.id for s in subscriptions}
    matching: dict[ChannelRef, int] = {}
    undecided: set[ChannelRef] = set()
    for subscription in subscriptions:
        truth = evaluator.evaluate(subscription.criteria)
        if truth.matches:
            matching.setdefault((subscription.team_id, subscription.channel_id), subscription.id)
        elif truth.is_undecided:
            undecided.add((subscription.team_id, subscription.channel_id))
    mentioning = mentioning_criteria(subscriptions)
    # All mentions of such a channel are planned together, once the sky map was queried.
    deferred = channels_with_undecided_mentions(mentioning, evaluator)
    before = previous_state(state)

    intents: list[Intent] = []
    with_root: set[ChannelRef] = set()
    alive: list[Thread] = []
    for thread in state.threads:
        channel = thread.channel
        intents += plan_escalation_end(thread, superevent, evaluator, mentioning.get(channel, ()))
        if thread.root is RootState.DEAD:
            continue
        with_root.add(channel)
        if thread.root is RootState.WAITING and superevent.is_retracted:
            intents.append(CancelRoot(thread.id))
            continue
        alive.append(thread)
        is_held = is_held_back(thread, superevent)
        if thread.root is not RootState.WAITING and not is_held:
            # A waiting root needs no edit: it is rendered from the newest state when it is sent.
            intents.append(EditRoot(thread.id))
        followed = thread.subscription_id in active or channel in matching or channel in undecided
        if not old and followed and not is_held:
            intents.append(Reply(thread.id))
        # Somebody asked to be mentioned, whoever muted the event: a mention comes all the same.
        if not old and channel in mentioning and channel not in deferred:
            intents += plan_mentions(thread, superevent, evaluator, before, mentioning[channel])
    earlier = state.earlier_messages
    intents += plan_replies_after_notice(
        [thread for thread in alive if not is_held_back(thread, superevent)],
        earlier.with_reply,
        earlier.streams,
        subscriptions,
        changes_replies=superevent.is_retracted or shows_new_map(state),
        is_news=not old,
    )
    if old:
        return intents
    if not superevent.is_retracted:
        opened = [channel for channel in matching if channel not in with_root]
        intents += [
            _open_root(
                channel,
                matching[channel],
                superevent,
                evaluator,
                () if channel in deferred else mentioning.get(channel, ()),
            )
            for channel in opened
        ]
        if deferred or undecided - matching.keys() - with_root:
            intents.append(DeferToSkyMap())
        intents += _replies_in_new_threads(opened, state)
    if operator_rules is not None:
        intents += plan_operator_alerts(state, operator_rules, now, evaluator)
    return intents


def plan_after_map_queries(
    state: RoutingState,
    *,
    probabilities: MapProbabilities,
    now: datetime,
    max_age: timedelta,
    webhook_criteria: Criteria | None = None,
) -> list[Intent]:
    """Plan what `plan` deferred for `state.notice`, with the `probabilities` that its sky map gave.

    Roots are opened, mentions planned, escalations ended and the operators' webhook called only where the sky
    map alone decided; everything else was planned when the notice came.
    """
    superevent, subscriptions = state.superevent, state.subscriptions
    if superevent.is_retracted or now - state.notice.time_created > max_age:
        return []
    without_map = CriteriaEvaluator(superevent, DecidedGrades(superevent))
    evaluator = CriteriaEvaluator(superevent, DecidedGrades(superevent, probabilities))
    # What the map couldn't be asked brings nobody, and ends nothing for which somebody was woken.
    answers = {query: share for query, share in probabilities.items() if share is not None}
    answered = CriteriaEvaluator(superevent, DecidedGrades(superevent, answers))
    matching: dict[ChannelRef, int] = {}
    for subscription in subscriptions:
        criteria = subscription.criteria
        if without_map.evaluate(criteria).is_undecided and evaluator.evaluate(criteria).matches:
            matching.setdefault((subscription.team_id, subscription.channel_id), subscription.id)
    mentioning = mentioning_criteria(subscriptions)
    deferred = channels_with_undecided_mentions(mentioning, without_map)
    before = previous_state(state)
    intents: list[Intent] = []
    alive = [thread for thread in state.threads if thread.root is not RootState.DEAD]
    for thread in alive:
        if thread.channel in deferred:
            intents += plan_escalation_end(thread, superevent, answered, mentioning[thread.channel])
            intents += plan_mentions(thread, superevent, evaluator, before, mentioning[thread.channel])
    with_root = {thread.channel for thread in alive}
    opened = [channel for channel in matching if channel not in with_root]
    intents += [
        _open_root(channel, matching[channel], superevent, evaluator, mentioning.get(channel, ()))
        for channel in opened
    ]
    if webhook_criteria is not None and without_map.evaluate(webhook_criteria).is_undecided:
        intents += (
            intent
            for intent in plan_event_call(state, webhook_criteria, evaluator)
            if not isinstance(intent, DeferToSkyMap)
        )
    return [*intents, *_replies_in_new_threads(opened, state)]


def _open_root(
    channel: ChannelRef,
    subscription_id: int,
    superevent: Superevent,
    evaluator: CriteriaEvaluator,
    mentioning: Sequence[Criteria],
) -> OpenRoot:
    """Return the root of a channel, with whom it mentions by `mentioning` and who is next after that."""
    targets = certain_targets(mentioning, evaluator)
    steps = steps_after_mention(targets, superevent, evaluator, mentioning)
    return OpenRoot(*channel, subscription_id, targets, steps)


def _replies_in_new_threads(opened: Sequence[ChannelRef], state: RoutingState) -> list[UpdateFollowUp]:
    earlier = state.earlier_messages
    return plan_replies_in_new_threads(
        opened, earlier.streams, state.subscriptions, is_urgent=earlier.retract_event
    )


def required_map_queries(
    superevent: Superevent,
    subscriptions: Sequence[Subscription],
    webhook_criteria: Criteria | None = None,
) -> frozenset[MapQuery]:
    """Return the queries of the sky map that `plan_after_map_queries` needs the answers of."""
    evaluator = CriteriaEvaluator(superevent, DecidedGrades(superevent))
    queries: set[MapQuery] = set()
    # Many channels have the same words, and the store gives the same object for them.
    for criteria in {id(s.criteria): s.criteria for s in subscriptions}.values():
        if evaluator.evaluate(criteria).is_undecided:
            queries |= map_queries(criteria.filter)
        if criteria.notify is not None and evaluator.evaluate_mentions(criteria).is_undecided:
            queries |= map_queries(criteria.filter) | map_queries(criteria.notify.condition)
    if webhook_criteria is not None and evaluator.evaluate(webhook_criteria).is_undecided:
        queries |= map_queries(webhook_criteria.filter)
    return frozenset(queries)


def shows_new_map(state: RoutingState) -> bool:
    """Return True if the notice's sky map is what the superevent's messages show from now on."""
    superevent, notice = state.superevent, state.notice
    # A notice that came late isn't shown, so its map needn't be drawn.
    is_shown = not superevent.is_retracted and superevent.latest_with_event is notice
    return is_shown and notice.best_localization is not None


def plan_unreadable_payload(
    category: Category | None,
    threads: Sequence[Thread],
    subscriptions: Sequence[Subscription],
    ops_channel: ChannelRef | None,
) -> list[Intent]:
    """Plan the reports of a payload that went to quarantine.

    `category` is that of the superevent whose notice it is; None for no reports in channels. They
    are reported in the event's threads and, where a channel has none, in every channel that accepts events of
    the category, for nothing else is known of the notice. `ops_channel` is None for no report to operators.
    """
    intents: list[Intent] = []
    if category is not None:
        known = {thread.channel: thread.id for thread in threads if thread.root is not RootState.DEAD}
        accepting = {
            (s.team_id, s.channel_id) for s in subscriptions if category_allowed(s.criteria, category)
        }
        intents += [
            ReportUnreadableNotice(*channel, known.get(channel))
            for channel in sorted(accepting | known.keys())
        ]
    if ops_channel is not None:
        intents.append(AlertOperators(*ops_channel, OperatorAlert.UNREADABLE_PAYLOAD))
    return intents


def plan_installation(team_id: str, installed_by: str, *, is_new: bool) -> list[Intent]:
    """Plan the welcome to the person who installed the app; a workspace that had it before gets none."""
    return [WelcomeInstaller(team_id, installed_by)] if is_new else []
