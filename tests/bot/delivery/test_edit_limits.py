"""Edits at Slack's limit for `chat.update`: whose edit goes first, and how many go at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import select

from bot.delivery.rate_control import MAX_EDITS_PER_WORKSPACE, RateControl
from bot.delivery.rendered_message import RenderedMessage
from bot.local_slack.web_api.rate_limits import RateLimiter
from bot.store import schema
from bot.store.channels.acknowledgements import AcknowledgementRepository
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.models import Delivered, Delivery, DeliveryKind, Priority
from formatters.blockkit.message import Message
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import NOW, TEAM, decoded_notice

FIRST = decoded_notice()
EDIT = "chat.update"
TIER_3 = 50
"""Edits a minute that the local Slack allows a workspace."""
PERSON = "U0ALICE"

both = pytest.mark.backends("sqlite", "postgresql")


def edit_of(team: str = TEAM) -> Delivery:
    return Delivery(
        id=1,
        team_id=team,
        channel_id="C1",
        kind=DeliveryKind.EDIT,
        subject_id=0,
        attempts=1,
        maybe_sent=False,
        created_at=NOW,
        attempted_at=None,
        thread_id=1,
        superevent_id="S261122a",
        target_revision=2,
        superevent_revision=2,
        root_ts="1.0",
        posted_revision=1,
        root_uneditable=False,
    )


async def test_a_shorter_wait_ends_no_longer_pause_of_edits() -> None:
    control = RateControl()
    control.record_rate_limit(edit_of(), 30.0)
    control.record_rate_limit(edit_of(), 0.01)
    await asyncio.sleep(0.02)
    assert control.free_edit_slots(TEAM, False) == 0
    assert control.free_edit_slots("T0OTHER", False) == MAX_EDITS_PER_WORKSPACE


async def test_edits_begin_one_at_a_time_after_a_pause_and_grow_with_each_that_is_made() -> None:
    control = RateControl()
    control.record_rate_limit(edit_of(), 0.01)
    control.record_edit(TEAM)
    await asyncio.sleep(0.02)
    assert control.free_edit_slots(TEAM, False) == 1, "what was under way before the pause says nothing"
    control.begin_edit(TEAM)
    assert control.free_edit_slots(TEAM, False) == 0
    control.end_edit(TEAM)
    for made in range(1, MAX_EDITS_PER_WORKSPACE + 5):
        control.record_edit(TEAM)
        assert control.free_edit_slots(TEAM, False) == min(1 + made, MAX_EDITS_PER_WORKSPACE)


@pytest.mark.parametrize("kind", [DeliveryKind.EDIT, DeliveryKind.FOLLOW_UP_EDIT])
async def test_an_edit_that_was_made_already_allows_no_more_edits(
    harness: DeliveryHarness, kind: DeliveryKind
) -> None:
    sender = harness.worker.sender

    async def rendered(delivery: Delivery) -> RenderedMessage | None:
        return RenderedMessage(message=Message(text="shown already"))

    sender.render = rendered
    sender.rate_control.record_rate_limit(edit_of(), 0.01)
    await asyncio.sleep(0.02)
    done = replace(
        edit_of(), kind=kind, posted_revision=2, follow_up_ts="1.1", follow_up_target=3, follow_up_posted=3
    )
    outcome = await sender.send(done)
    assert isinstance(outcome, Delivered) and outcome.is_unchanged
    assert sender.rate_control.free_edit_slots(TEAM, False) == 1
    assert harness.calls(EDIT) == []


async def threads(harness: DeliveryHarness) -> dict[str, int]:
    async with harness.factory.database.read_transaction() as connection:
        rows = (await connection.execute(select(schema.threads))).all()
    return {row.channel_id: row.id for row in rows}


async def make_stale(
    harness: DeliveryHarness, *channels: str, after_s: float | None = None, priority: Priority = Priority.EDIT
) -> None:
    """Something changes what the roots in these channels show."""
    known = await threads(harness)
    due = None if after_s is None else harness.clock() + timedelta(seconds=after_s)
    async with harness.factory.database.exclusive_transaction() as connection:
        changed = {known[channel]: (TEAM, channel) for channel in channels}
        await mark_threads_stale(connection, changed, harness.clock(), not_before=due, priority=priority)


async def has_it(harness: DeliveryHarness, channel: str) -> None:
    """Somebody presses "I have it"."""
    repository = AcknowledgementRepository(harness.factory.database)
    await repository.acknowledge(TEAM, channel, FIRST.superevent_id, PERSON, harness.clock())


def render_slowly(harness: DeliveryHarness, channel: str, seconds: float) -> None:
    """Let the card's state in one channel take longer to load than in the others."""
    sender = harness.worker.sender
    render = sender.render

    async def rendered(delivery: Delivery) -> RenderedMessage | None:
        if delivery.channel_id == channel and delivery.is_edit:
            await asyncio.sleep(seconds)
        return await render(delivery)

    sender.render = rendered


@pytest.fixture
def limited(harness: DeliveryHarness) -> RateLimiter:
    """Yield the local Slack's limits, of which six edits are left; its minute lasts two seconds."""
    limits = harness.local_slack.rate_limiter
    limits._minute = 2.0
    return limits


def use_up(harness: DeliveryHarness, limits: RateLimiter, *, left: int) -> None:
    limits.enabled = True
    for _ in range(TIER_3 - left):
        assert limits.count_call(harness.local_slack.team_id, EDIT, TIER_3) == 0


@pytest.fixture(autouse=True)
def changing_cards(harness: DeliveryHarness) -> None:
    """Each edit shows something new, since one that doesn't isn't sent."""
    sender, numbers = harness.worker.sender, count()
    render = sender.render

    async def rendered(delivery: Delivery) -> RenderedMessage | None:
        found = await render(delivery)
        if found is None or not delivery.is_edit:
            return found
        return replace(found, message=replace(found.message, text=f"{found.message.text} {next(numbers)}"))

    sender.render = rendered


@pytest.mark.slow
@both
@pytest.mark.parametrize("urgent", ["I have it", "retraction"])
async def test_an_urgent_edit_is_the_first_after_slack_refused_edits(
    harness: DeliveryHarness, limited: RateLimiter, urgent: str
) -> None:
    own, *others = await harness.create_subscribed_channels(15)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    render_slowly(harness, own, 0.1)
    use_up(harness, limited, left=6)
    async with harness.claims_paused:
        await make_stale(harness, *others)
    harness.wake()
    await harness.wait_for_retry("ratelimited")
    before = len(harness.calls(EDIT))
    if urgent == "I have it":
        await has_it(harness, own)
    else:
        await make_stale(harness, own, priority=Priority.RETRACTED)
    await asyncio.sleep(2.1)
    harness.advance(seconds=3)

    async def tried() -> bool:
        return len(harness.calls(EDIT)) > before

    await harness.wait_until(tried)
    assert harness.calls(EDIT)[before].args["channel"] == own
    limited.enabled = False
    await harness.wait_until_delivered()


@pytest.mark.slow
@both
async def test_an_urgent_edit_waits_for_no_other_that_hangs_after_a_pause(harness: DeliveryHarness) -> None:
    own, hanging, third = await harness.create_subscribed_channels(3)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.worker.sender.rate_control.record_rate_limit(edit_of(), 0.01)
    await asyncio.sleep(0.05)
    harness.local_slack.fail(EDIT, delay=20.0, channel=hanging)
    await make_stale(harness, hanging)
    harness.wake()

    async def sending() -> bool:
        return len(await harness.rows(state="sending")) == 1

    await harness.wait_until(sending)
    await make_stale(harness, third)
    await has_it(harness, own)
    harness.wake()

    async def edited() -> bool:
        return len(harness.calls(EDIT, own)) == 1

    # The hanging call is given up after two seconds.
    async with asyncio.timeout(1.5):
        await harness.wait_until(edited)
    assert harness.calls(EDIT, third) == []


@pytest.mark.slow
@both
@pytest.mark.parametrize("delay", ["a picture's", "a refusal's"])
async def test_an_edit_that_waits_becomes_urgent_at_once(harness: DeliveryHarness, delay: str) -> None:
    (own,) = await harness.create_subscribed_channels(1)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    if delay == "a refusal's":
        harness.local_slack.fail(EDIT, error="zomeru_katta", times=9)
        await make_stale(harness, own)
        harness.wake()
        await harness.wait_for_retry("zomeru_katta")
        harness.local_slack.faults.clear()
    else:
        await make_stale(harness, own, after_s=60)
        await harness.run_rounds()
    await has_it(harness, own)
    harness.wake()
    await harness.wait_until_delivered()


@both
async def test_an_edit_under_way_hands_its_urgency_to_the_next_one(harness: DeliveryHarness) -> None:
    (own,) = await harness.create_subscribed_channels(1)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    render_slowly(harness, own, 0.3)
    await make_stale(harness, own)
    harness.wake()

    async def sending() -> bool:
        return len(await harness.rows(state="sending", kind="edit")) == 1

    await harness.wait_until(sending)
    await has_it(harness, own)
    harness.worker.sender.rate_control.record_rate_limit(edit_of(), 60)

    async def waits() -> bool:
        return len(await harness.rows(state="pending", kind="edit")) == 1

    await harness.wait_until(waits)
    assert [row.priority for row in await harness.rows(kind="edit")] == [Priority.ANSWER]


@both
async def test_news_takes_no_urgency_from_an_edit_that_waits(harness: DeliveryHarness) -> None:
    (own,) = await harness.create_subscribed_channels(1)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.worker.sender.rate_control.record_rate_limit(edit_of(), 60)
    await has_it(harness, own)
    await harness.record_notices(decoded_notice(alert_type="UPDATE", minutes=9))
    assert [row.priority for row in await harness.rows(kind="edit")] == [Priority.ANSWER]
