"""The effects of an outcome: what else changes in the transaction that records how a delivery ended.

The outbox knows states; what a state means for threads, images, subscriptions and channels is here. `EFFECTS`
says for each kind of delivery which effects follow once it is delivered and once it is given up; a kind that
isn't in the table fails a test. Effects take all deliveries of a batch at once, in the order of
`_ON_DELIVERED` and `_ON_DEAD`, because one alert brings hundreds of outcomes in one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.delivery_times import REQUEUE_MAX_AGE
from bot.routing.intents import ChannelRef, MentionReason
from bot.runtime.outcome_notifier import OutcomeNotifier
from bot.store import schema
from bot.store.channels.reachability import (
    channels_with_problem,
    choose_probes,
    record_channel_problems,
    requeue_channel,
    requeue_probes,
)
from bot.store.channels.refused_mentions import record_mention_outcomes
from bot.store.channels.subscriptions import confirm_subscriptions, discard_unconfirmed
from bot.store.outbox.claiming import release_threads
from bot.store.outbox.drill_writer import count_drill_steps
from bot.store.outbox.edit_writer import enqueue_edits, mark_threads_stale
from bot.store.outbox.escalation_writer import mark_mentioned
from bot.store.outbox.follow_up_outcomes import (
    follow_new_root,
    forget_lost_follow_ups,
    record_follow_ups,
    resume_follow_ups,
)
from bot.store.outbox.images import publish_to_others, reassign_canary
from bot.store.outbox.models import (
    DeadLettered,
    Delivered,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Outcome,
    Priority,
    new_message_key,
)

_d = schema.deliveries
_m = schema.mentions
_t = schema.threads

_SAID_BY_NEW_ROOT = (
    DeliveryKind.REPLY.value,
    DeliveryKind.EDIT.value,
    DeliveryKind.FOLLOW_UP_EDIT.value,
)

DeliveredBatch = Sequence[tuple[Delivery, Delivered]]
DeadBatch = Sequence[tuple[Delivery, DeadLettered]]
DeliveredEffect = Callable[[AsyncConnection, DeliveredBatch, datetime], Awaitable[None]]
DeadEffect = Callable[[AsyncConnection, DeadBatch, datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class KindEffects:
    """The effects of the outcomes of one kind of delivery."""

    delivered: frozenset[DeliveredEffect]
    dead: frozenset[DeadEffect]


class Settlement:
    """Applies the effects of outcomes, in the outbox's own transaction; then wakes who waits for one."""

    def __init__(self, notifier: OutcomeNotifier) -> None:
        self._notifier = notifier

    async def apply(
        self, connection: AsyncConnection, delivered: DeliveredBatch, dead: DeadBatch, now: datetime
    ) -> None:
        """Apply what follows from these outcomes, whose states are written already."""
        for on_dead in _ON_DEAD:
            if given_up := [(d, o) for d, o in dead if on_dead in EFFECTS[d.kind].dead]:
                await on_dead(connection, given_up, now)
        for on_delivered in _ON_DELIVERED:
            if posted := [(d, o) for d, o in delivered if on_delivered in EFFECTS[d.kind].delivered]:
                await on_delivered(connection, posted, now)

    def on_committed(self, outcomes: Sequence[tuple[Delivery, Outcome]]) -> None:
        """Wake the tasks of this process that wait for the outcome of a subscription's confirmation."""
        self._notifier.notify(d.subject_id for d, _ in outcomes if d.kind is DeliveryKind.CONFIRMATION)

    async def requeue_channel(
        self, connection: AsyncConnection, channel: ChannelRef, since: datetime, now: datetime
    ) -> int:
        """Requeue deliveries dead-lettered because the channel was out of reach; see `reachability`."""
        return await requeue_channel(connection, channel, since, now)

    async def choose_probes(self, connection: AsyncConnection, since: datetime) -> list[int]:
        """Return one delivery in each channel that is out of reach; see `reachability`."""
        return await choose_probes(connection, since)

    async def requeue_probes(
        self, connection: AsyncConnection, chosen: Collection[int], now: datetime
    ) -> int:
        """Requeue chosen deliveries that are still given up; see `reachability`."""
        return await requeue_probes(connection, chosen, now)


async def _record_posted_revision(
    connection: AsyncConnection, delivered: DeliveredBatch, now: datetime
) -> None:
    """Record which state a root message shows, and enqueue another edit where a newer state exists."""
    shown = {d.thread_id: (d, o) for d, o in delivered}
    await connection.execute(
        update(_t)
        .where(_t.c.id == bindparam("b_id"))
        .values(root_ts=bindparam("root"), shown_revision=bindparam("revision")),
        [
            {
                "b_id": thread,
                "root": o.ts if d.kind is DeliveryKind.ROOT else d.root_ts,
                "revision": o.revision,
            }
            for thread, (d, o) in shown.items()
        ],
    )
    await _enqueue_missed_edits(connection, {d.thread_id: d for d, _ in shown.values()}, now)
    for d, o in shown.values():
        if o.follow_up_edit_at is not None and d.thread_id is not None:
            again = {d.thread_id: (d.team_id, d.channel_id)}
            await mark_threads_stale(connection, again, now, not_before=o.follow_up_edit_at)


async def _enqueue_missed_edits(
    connection: AsyncConnection, shown: Mapping[int | None, Delivery], now: datetime
) -> None:
    """Enqueue an edit for each thread that got news while its root or edit was being sent."""
    edit = (_d.c.thread_id == _t.c.id) & (_d.c.kind == DeliveryKind.EDIT.value)
    behind = (
        select(_t.c.id, _t.c.team_id, _t.c.channel_id, _d.c.id.label("edit"), _d.c.subject_id, _d.c.priority)
        .join(_d, edit, isouter=True)
        .where(_t.c.id.in_(shown), _t.c.wanted_revision > _t.c.shown_revision)
    )
    wanted: defaultdict[tuple[int, Priority], dict[int, ChannelRef]] = defaultdict(dict)
    for row in (await connection.execute(behind)).all():
        sent = shown[row.id]
        is_same = row.edit == sent.id
        notice_id = row.subject_id if is_same and row.subject_id != sent.subject_id else 0
        # Somebody may have pressed "I have it" meanwhile.
        is_more_urgent = is_same and row.priority < sent.priority
        # A newer gwevent may know more priorities than this one.
        priority = (
            Priority(min(row.priority, Priority.EDIT)) if notice_id or is_more_urgent else Priority.EDIT
        )
        wanted[notice_id, priority][row.id] = (row.team_id, row.channel_id)
    for (notice_id, priority), channels in wanted.items():
        # What was sent was to reach a thread that is muted, and so is what came while it was sent.
        await enqueue_edits(
            connection, channels, now, notice_id=notice_id, priority=priority, even_muted=True
        )


async def _record_follow_up(connection: AsyncConnection, delivered: DeliveredBatch, now: datetime) -> None:
    """Record where a Follow-up reply stands and what it shows."""
    await record_follow_ups(connection, delivered, now)


async def _release_thread(connection: AsyncConnection, delivered: DeliveredBatch, now: datetime) -> None:
    """Release the thread's next delivery to be claimed: its root stands, or the reply before it does."""
    await release_threads(connection, {d.thread_id for d, _ in delivered}, now)


async def _publish_image(connection: AsyncConnection, delivered: DeliveredBatch, now: datetime) -> None:
    """Share an image that Slack accepted in one thread with the other threads."""
    await publish_to_others(connection, {o.image_id for _, o in delivered if o.image_id is not None}, now)


async def _record_mentions(connection: AsyncConnection, delivered: DeliveredBatch, now: datetime) -> None:
    """Record which mentions Slack refused in a channel, and which it accepts again."""
    await record_mention_outcomes(connection, delivered, now)


async def _count_steps_from_root(
    connection: AsyncConnection, delivered: DeliveredBatch, now: datetime
) -> None:
    """Count the steps that mention people from the root's mention, which Slack accepted now."""
    threads = [d.thread_id for d, _ in delivered]
    in_root = _m.c.occasion == MentionReason.NEW_EVENT.value
    query = select(_m.c.id).where(_m.c.thread_id.in_(threads), in_root)
    await mark_mentioned(connection, list((await connection.execute(query)).scalars()), now)


async def _count_steps(connection: AsyncConnection, delivered: DeliveredBatch, now: datetime) -> None:
    """Count the steps that mention people from the mention, which Slack accepted now."""
    await mark_mentioned(connection, [d.subject_id for d, _ in delivered], now)


async def _count_drill_steps(connection: AsyncConnection, delivered: DeliveredBatch, now: datetime) -> None:
    """Count a drill's steps from its first mention, which Slack accepted now."""
    await count_drill_steps(connection, [d.subject_id for d, _ in delivered], now)


async def _confirm_subscription(
    connection: AsyncConnection, delivered: DeliveredBatch, now: datetime
) -> None:
    """Put a subscription in force, now that its confirmation stands in the channel."""
    await confirm_subscriptions(connection, {d.subject_id: d.id for d, _ in delivered}, now)


async def _requeue_reachable_channel(
    connection: AsyncConnection, delivered: DeliveredBatch, now: datetime
) -> None:
    """Requeue what was given up in a channel, once a post shows that it can be posted to again."""
    posted = {(d.team_id, d.channel_id) for d, _ in delivered}
    for channel in await channels_with_problem(connection, posted):
        await requeue_channel(connection, channel, now - REQUEUE_MAX_AGE, now)


async def _mark_root_uneditable(connection: AsyncConnection, dead: DeadBatch, now: datetime) -> None:
    """Remember that Slack refuses to edit the root, and post its newest reply once more, for the whole
    channel.
    """
    for d, o in dead:
        if not o.root_uneditable:
            continue
        await connection.execute(update(_t).where(_t.c.id == d.thread_id).values(root_fixed=True))
        # The reply was shown in the thread only; posted again it shows the channel what the root can't.
        reply = (_d.c.thread_id == d.thread_id) & (_d.c.kind == DeliveryKind.REPLY.value)
        await connection.execute(
            update(_d)
            .where(reply, _d.c.subject_id == d.subject_id, _d.c.state == DeliveryState.SENT.value)
            .values(state=DeliveryState.PENDING.value, not_before=now, attempts=0, key=new_message_key())
        )


async def _repost_deleted_root(connection: AsyncConnection, dead: DeadBatch, now: datetime) -> None:
    """Post a deleted root again, and its thread's Follow-up reply below it. The root shows the newest state,
    so the thread's pending replies and edits are dropped.
    """
    for d, o in dead:
        if not o.root_deleted:
            continue
        mine = _d.c.thread_id == d.thread_id
        await connection.execute(
            update(_t)
            .where(_t.c.id == d.thread_id)
            .values(root_ts=None, shown_revision=None, root_fixed=False)
        )
        await connection.execute(
            update(_d)
            # Mentions, circulars and a Follow-up reply's post stay: no root says what they say.
            .where(mine, _d.c.kind.in_(_SAID_BY_NEW_ROOT))
            .where(_d.c.state == DeliveryState.PENDING.value)
            .values(state=DeliveryState.DEAD.value, reason="said by a new root message")
        )
        await connection.execute(
            update(_d)
            .where(mine, _d.c.kind == DeliveryKind.ROOT.value)
            .values(
                state=DeliveryState.PENDING.value,
                not_before=now,
                attempts=0,
                doubtful=False,
                reason=None,
                created_at=now,
                key=new_message_key(),
            )
        )
        if d.thread_id is not None:
            await follow_new_root(connection, d.thread_id, now)


async def _dead_letter_thread(connection: AsyncConnection, dead: DeadBatch, now: datetime) -> None:
    """Dead-letter what waits for a dead-lettered root; reports of unreadable notices stand alone."""
    for d, o in dead:
        pending = (_d.c.thread_id == d.thread_id) & (_d.c.state == DeliveryState.PENDING.value)
        standalone = _d.c.kind == DeliveryKind.UNREADABLE_NOTICE.value
        await connection.execute(update(_d).where(pending, standalone).values(thread_id=None))
        await connection.execute(
            update(_d).where(pending).values(state=DeliveryState.DEAD.value, reason=o.reason)
        )


async def _forget_lost_follow_up(connection: AsyncConnection, dead: DeadBatch, now: datetime) -> None:
    """Forget a Follow-up reply that was deleted or can't be edited; news is posted again."""
    await forget_lost_follow_ups(connection, dead, now)


async def _resume_follow_up(connection: AsyncConnection, dead: DeadBatch, now: datetime) -> None:
    """Ask again for a Follow-up reply that got news during the attempt that was given up."""
    await resume_follow_ups(connection, dead, now)


async def _discard_subscription(connection: AsyncConnection, dead: DeadBatch, now: datetime) -> None:
    """Remove a subscription whose confirmation can't be posted: where nothing can be posted nothing is
    subscribed.
    """
    for d, _ in dead:
        await discard_unconfirmed(connection, {d.subject_id: d.maybe_sent}, now)


async def _release_dead_thread(connection: AsyncConnection, dead: DeadBatch, now: datetime) -> None:
    """Release the thread's next delivery to be claimed: the one before it was dead-lettered."""
    await release_threads(connection, {d.thread_id for d, _ in dead}, now)


async def _reassign_canary(connection: AsyncConnection, dead: DeadBatch, now: datetime) -> None:
    """Choose another thread to try an image first, where the one chosen can't be edited."""
    await reassign_canary(connection, {d.thread_id for d, _ in dead if d.thread_id is not None}, now)


async def _record_channel_problem(connection: AsyncConnection, dead: DeadBatch, now: datetime) -> None:
    """Record why the channel can't be posted to, where that is why the delivery was given up."""
    problems = {
        (d.team_id, d.channel_id): o.channel_problem for d, o in dead if o.channel_problem is not None
    }
    await record_channel_problems(connection, problems, now)


_ON_DELIVERED: tuple[DeliveredEffect, ...] = (
    _record_posted_revision,
    _record_follow_up,
    _release_thread,
    _publish_image,
    _record_mentions,
    _count_steps_from_root,
    _count_steps,
    _count_drill_steps,
    _confirm_subscription,
    _requeue_reachable_channel,
)
"""All effects of a delivered message, in the order in which they are applied."""
_ON_DEAD: tuple[DeadEffect, ...] = (
    _mark_root_uneditable,
    _repost_deleted_root,
    _dead_letter_thread,
    _forget_lost_follow_up,
    _resume_follow_up,
    _discard_subscription,
    _release_dead_thread,
    _reassign_canary,
    _record_channel_problem,
)
"""All effects of a delivery that was given up, in the order in which they are applied."""

_POSTED = frozenset({_release_thread, _publish_image, _record_mentions, _requeue_reachable_channel})
"""Every post releases its thread and shows that its channel can be posted to."""
_GIVEN_UP = frozenset(
    {_mark_root_uneditable, _repost_deleted_root, _release_dead_thread, _record_channel_problem}
)
"""Effects of the outcome's own flags, whatever the kind."""

EFFECTS: Mapping[DeliveryKind, KindEffects] = {
    DeliveryKind.ROOT: KindEffects(
        _POSTED | {_record_posted_revision, _count_steps_from_root},
        _GIVEN_UP | {_dead_letter_thread, _reassign_canary},
    ),
    # Slack accepts edits where it accepts no posts, so an edit proves nothing about the channel; and
    # nothing waits for it.
    DeliveryKind.EDIT: KindEffects(
        frozenset({_record_posted_revision, _publish_image, _record_mentions}), _GIVEN_UP | {_reassign_canary}
    ),
    DeliveryKind.REPLY: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.MENTION: KindEffects(_POSTED | {_count_steps}, _GIVEN_UP),
    DeliveryKind.CONFIRMATION: KindEffects(
        _POSTED | {_confirm_subscription}, _GIVEN_UP | {_discard_subscription}
    ),
    DeliveryKind.CHANGE: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.WELCOME: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.CIRCULAR: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.FOLLOW_UP: KindEffects(_POSTED | {_record_follow_up}, _GIVEN_UP | {_resume_follow_up}),
    DeliveryKind.FOLLOW_UP_EDIT: KindEffects(
        frozenset({_record_follow_up}), _GIVEN_UP | {_forget_lost_follow_up, _resume_follow_up}
    ),
    DeliveryKind.RETRACTION_CIRCULAR: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.UNREADABLE_NOTICE: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.QUARANTINE_REPORT: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.INCIDENT_OPENED: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.INCIDENT_RESOLVED: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.MENTION_REFUSED: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.FIRST_REAL_EVENT: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.MUTE: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.ESCALATION: KindEffects(_POSTED, _GIVEN_UP),
    DeliveryKind.DRILL: KindEffects(_POSTED | {_count_drill_steps}, _GIVEN_UP),
    DeliveryKind.DRILL_END: KindEffects(_POSTED, _GIVEN_UP),
}
"""The effects of each kind's outcomes; total, by a test."""
