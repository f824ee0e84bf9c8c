"""Every kind of delivery has its rule and its effects: a kind that is added must be decided about."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from bot.app.factory import Factory
from bot.runtime.outcome_notifier import OutcomeNotifier
from bot.store import schema, settlement
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.models import (
    DELIVERY_KINDS,
    DeadLettered,
    Delivered,
    DeliveryKind,
    KindRule,
    Outcome,
    Priority,
    delivery_row,
    kinds_where,
)
from bot.store.settlement import EFFECTS
from tests.support.factories import REAL, TEAM, Clock, decoded_notice, record_notices, subscribe


def test_every_kind_has_a_rule_and_effects() -> None:
    assert DELIVERY_KINDS.keys() == EFFECTS.keys() == set(DeliveryKind)


def test_every_effect_of_a_kind_is_applied_and_none_is_forgotten() -> None:
    delivered = frozenset().union(*(effects.delivered for effects in EFFECTS.values()))
    dead = frozenset().union(*(effects.dead for effects in EFFECTS.values()))
    assert delivered == set(settlement._ON_DELIVERED)
    assert dead == set(settlement._ON_DEAD)


@pytest.mark.parametrize("kind", kinds_where(lambda rule: rule.for_operators))
def test_operators_kinds_need_no_subscription_and_never_expire(kind: DeliveryKind) -> None:
    rule = DELIVERY_KINDS[kind]
    assert not rule.needs_subscription and not rule.expires


def test_measured_kinds_all_expire() -> None:
    assert set(kinds_where(lambda rule: rule.measured)) <= set(kinds_where(lambda rule: rule.expires))


def test_kinds_are_listed_in_the_enums_order() -> None:
    assert kinds_where(lambda _: True) == tuple(DeliveryKind)
    assert KindRule() == DELIVERY_KINDS[DeliveryKind.WELCOME]


@pytest.mark.backends("sqlite")
async def test_who_waits_for_a_confirmation_is_woken_by_no_other_delivery(
    factory: Factory, clock: Clock
) -> None:
    await factory.leases.heartbeat({TEAM})
    subject = 7
    d = schema.deliveries
    async with factory.database.exclusive_transaction() as connection:
        for channel, kind in (("C1", DeliveryKind.CONFIRMATION), ("C2", DeliveryKind.QUARANTINE_REPORT)):
            await connection.execute(insert(d).values(delivery_row(TEAM, channel, kind, subject, clock())))
    claimed = {delivery.kind: delivery for delivery in await factory.outbox.claim(clock(), 10)}
    notifier = OutcomeNotifier()
    applied = settlement.Settlement(notifier)
    with notifier.watch(subject) as event:
        applied.on_committed([(claimed[DeliveryKind.QUARANTINE_REPORT], Delivered(ts="1.1"))])
        assert not event.is_set()
        applied.on_committed([(claimed[DeliveryKind.CONFIRMATION], Delivered(ts="1.2"))])
        assert event.is_set()


async def settle(factory: Factory, clock: Clock, **outcomes: Outcome) -> None:
    """Claim the deliveries that go next, and settle those of the named kinds; the others are given back."""
    claimed = await factory.outbox.claim(clock(), 10)
    ours = [(delivery, outcomes[delivery.kind]) for delivery in claimed if delivery.kind in outcomes]
    await factory.outbox.record_outcomes(ours, clock())
    await factory.outbox.requeue_stalled()
    assert len(ours) == len(outcomes), claimed


async def states(factory: Factory) -> dict[str, list[str]]:
    """Return the states of the deliveries by kind, in the order in which they were planned."""
    d = schema.deliveries
    found: dict[str, list[str]] = {}
    async with factory.database.read_transaction() as connection:
        for row in await connection.execute(select(d.c.kind, d.c.state).order_by(d.c.id)):
            found.setdefault(row.kind, []).append(row.state)
    return found


@pytest.mark.backends("sqlite", "postgresql")
async def test_a_new_root_says_what_its_replies_and_edits_would_have_said(
    factory: Factory, clock: Clock
) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all", "C1")
    await record_notices(factory, [decoded_notice(REAL)])
    await settle(factory, clock, root=Delivered(ts="1.1", revision=1))
    later = [decoded_notice(REAL, alert_type=kind, minutes=m) for kind, m in (("INITIAL", 5), ("UPDATE", 9))]
    await record_notices(factory, later)
    assert await states(factory) == {"root": ["sent"], "reply": ["pending"] * 2, "edit": ["pending"]}

    # The first reply finds the thread gone.
    await settle(factory, clock, reply=DeadLettered(reason="message_not_found", root_deleted=True))
    assert await states(factory) == {"root": ["pending"], "reply": ["dead"] * 2, "edit": ["dead"]}
    clock.advance(seconds=1)
    [root] = await factory.outbox.claim(clock(), 10)
    assert (root.kind, root.root_ts, root.maybe_sent) == (DeliveryKind.ROOT, None, False)
    assert root.attempts == 1, "the attempts of the deleted one don't count"
    assert root.created_at == clock() - timedelta(seconds=1), "its time counts from the reposting"
    await factory.outbox.record_outcomes([(root, Delivered(ts="1.2", revision=3))], clock())
    assert await factory.outbox.claim(clock(), 10) == []


@pytest.mark.backends("sqlite")
async def test_what_waits_for_a_root_or_a_reply_goes_as_soon_as_that_is_posted(
    factory: Factory, clock: Clock
) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all", "C1")
    later = [decoded_notice(REAL, alert_type=kind, minutes=m) for kind, m in (("INITIAL", 5), ("UPDATE", 9))]
    await record_notices(factory, [decoded_notice(REAL), *later])
    for kind in (DeliveryKind.ROOT, DeliveryKind.REPLY, DeliveryKind.REPLY):
        # No time passes: nothing is waited for but what stands before it in its thread.
        [delivery] = await factory.outbox.claim(clock(), 10)
        assert delivery.kind is kind
        assert await factory.outbox.claim(clock(), 10) == []
        posted = Delivered(ts="1.1", revision=3 if kind is DeliveryKind.ROOT else None)
        await factory.outbox.record_outcomes([(delivery, posted)], clock())


@pytest.mark.backends("sqlite")
async def test_a_root_that_slack_will_not_edit_is_remembered_and_its_reply_posted_for_the_channel(
    factory: Factory, clock: Clock
) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all", "C1")
    await record_notices(factory, [decoded_notice(REAL)])
    await settle(factory, clock, root=Delivered(ts="1.1", revision=1))
    await record_notices(factory, [decoded_notice(REAL, alert_type="INITIAL", minutes=5)])
    await settle(factory, clock, reply=Delivered(ts="1.2"))
    await settle(factory, clock, edit=DeadLettered(reason="edit_window_closed", root_uneditable=True))
    assert await states(factory) == {"root": ["sent"], "reply": ["pending"], "edit": ["dead"]}
    [reply] = await factory.outbox.claim(clock(), 10)
    assert (reply.kind, reply.root_uneditable, reply.attempts) == (DeliveryKind.REPLY, True, 1)
    await factory.outbox.record_outcomes([(reply, Delivered(ts="1.3"))], clock())

    await record_notices(factory, [decoded_notice(REAL, alert_type="UPDATE", minutes=9)])
    [reply] = await factory.outbox.claim(clock(), 10)
    assert (reply.kind, reply.root_uneditable) == (DeliveryKind.REPLY, True), "later news know it too"


@pytest.mark.backends("sqlite")
async def test_what_waits_for_a_reply_goes_as_soon_as_that_is_given_up(
    factory: Factory, clock: Clock
) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all", "C1")
    later = [decoded_notice(REAL, alert_type=kind, minutes=m) for kind, m in (("INITIAL", 5), ("UPDATE", 9))]
    await record_notices(factory, [decoded_notice(REAL), *later])
    await settle(factory, clock, root=Delivered(ts="1.1", revision=3))
    [first] = await factory.outbox.claim(clock(), 10)
    assert await factory.outbox.claim(clock(), 10) == [], "the second waits, and is looked at no more"
    await factory.outbox.record_outcomes([(first, DeadLettered(reason="msg_too_long"))], clock())
    [second] = await factory.outbox.claim(clock(), 10)
    assert (first.kind, second.kind) == (DeliveryKind.REPLY, DeliveryKind.REPLY)
    assert second.subject_id > first.subject_id


@pytest.mark.backends("sqlite")
async def test_what_was_left_out_of_a_message_comes_by_an_edit_at_its_time(
    factory: Factory, clock: Clock
) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all", "C1")
    await record_notices(factory, [decoded_notice(REAL)])
    again_at = clock() + timedelta(minutes=5)
    await settle(factory, clock, root=Delivered(ts="1.1", revision=1, follow_up_edit_at=again_at))
    assert await factory.outbox.claim(clock(), 10) == []
    clock.advance(minutes=5, seconds=1)
    [edit] = await factory.outbox.claim(clock(), 10)
    assert (edit.kind, edit.root_ts) == (DeliveryKind.EDIT, "1.1")


@pytest.mark.backends("sqlite")
async def test_a_root_that_slack_will_not_edit_brings_no_other_channels_reply_back(
    factory: Factory, clock: Clock
) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all", "C1", "C2")

    async def settle_next(kind: DeliveryKind, **outcome_of: Outcome) -> None:
        for delivery in await factory.outbox.claim(clock(), 10):
            assert delivery.kind is kind
            await factory.outbox.record_outcomes([(delivery, outcome_of[delivery.channel_id])], clock())

    posted = Delivered(ts="1.1", revision=1)
    await record_notices(factory, [decoded_notice(REAL)])
    await settle_next(DeliveryKind.ROOT, C1=posted, C2=posted)
    await record_notices(factory, [decoded_notice(REAL, alert_type="INITIAL", minutes=5)])
    await settle_next(DeliveryKind.REPLY, C1=posted, C2=posted)
    fixed = DeadLettered(reason="edit_window_closed", root_uneditable=True)
    await settle_next(DeliveryKind.EDIT, C1=fixed, C2=Delivered(ts="1.1", revision=2))
    assert [(d.kind, d.channel_id) for d in await factory.outbox.claim(clock(), 10)] == [
        (DeliveryKind.REPLY, "C1")
    ]


@pytest.mark.backends("sqlite")
async def test_news_while_edits_are_sent_keeps_the_urgency_of_its_own_thread(
    factory: Factory, clock: Clock
) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all", "C1", "C2")
    await record_notices(factory, [decoded_notice(REAL)])

    async def settle_all(kind: DeliveryKind, outcome: Outcome) -> None:
        claimed = await factory.outbox.claim(clock(), 10)
        assert [delivery.kind for delivery in claimed] == [kind] * 2
        await factory.outbox.record_outcomes([(delivery, outcome) for delivery in claimed], clock())

    await settle_all(DeliveryKind.ROOT, Delivered(ts="1.1", revision=1))
    await record_notices(factory, [decoded_notice(REAL, alert_type="INITIAL", minutes=5)])
    await settle_all(DeliveryKind.REPLY, Delivered(ts="1.2"))
    edits = await factory.outbox.claim(clock(), 10)
    threads = {d.channel_id: {d.thread_id: (TEAM, d.channel_id)} for d in edits if d.thread_id is not None}
    async with factory.database.exclusive_transaction() as connection:
        # Somebody has the event in C1; in C2 there is a picture.
        await mark_threads_stale(connection, threads["C1"], clock(), priority=Priority.RETRACTED)
        await mark_threads_stale(connection, threads["C2"], clock())
    await factory.outbox.record_outcomes([(d, Delivered(ts="1.1", revision=2)) for d in edits], clock())
    again = {d.channel_id: d.priority for d in await factory.outbox.claim(clock(), 10)}
    assert again == {"C1": Priority.RETRACTED, "C2": Priority.EDIT}
