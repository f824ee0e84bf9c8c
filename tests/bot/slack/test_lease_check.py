"""The lease is checked after every wait and before a request's first byte."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.delivery.image_drawer import ImageDrawer
from bot.delivery.image_worker import ImageWorker
from bot.runtime.wakeups import Wakeups
from bot.skymap_service.image_process import ImageProcess
from bot.store.database import StoreUnavailable
from bot.store.outbox.models import DeliveryKind, DeliveryState
from bot.store.outbox.plan_writer import _enqueue_images
from formatters.skymap_image import DrawnPicture
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import NOW, decoded_notice, planner

FIRST, SECOND = decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=5)

pytestmark = pytest.mark.backends("sqlite", "postgresql")


class Lease:
    """Is valid for a number of checks, then lost until a test gives it back."""

    def __init__(self, harness: DeliveryHarness, times: int) -> None:
        self.left = times
        self.looks = 0
        self._real = harness.factory.leases.is_claim_valid
        harness.factory.leases.is_claim_valid = self  # type: ignore[method-assign]

    def __call__(self, claimed_by: str) -> bool:
        self.looks += 1
        self.left -= 1
        return self.left >= 0 and self._real(claimed_by)


async def wait_until_refused(harness: DeliveryHarness, method: str, heard: int = 0) -> None:
    """Wait until a delivery is to be tried again because its lease ended, and Slack heard no more calls.

    Raises AssertionError as soon as Slack hears another one: nobody looked at the lease.
    """

    async def ended() -> bool:
        refused = await harness.rows(
            state=DeliveryState.PENDING.value, reason="its worker was taken for dead"
        )
        return bool(refused) or len(harness.calls(method)) > heard

    await harness.wait_until(ended)
    assert len(harness.calls(method)) == heard, "Slack heard of a request"


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.essential
async def test_a_lease_that_ends_before_the_last_byte_sends_nothing(
    harness: DeliveryHarness, times: int
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    lease = Lease(harness, times)
    await harness.record_notices(FIRST)
    await wait_until_refused(harness, "chat.postMessage")
    assert lease.looks > times and harness.texts(channel) == []
    (root,) = await harness.rows(kind=DeliveryKind.ROOT.value)
    assert not root.doubtful, "it is known that nothing was sent"
    lease.left = 1_000_000
    await harness.wait_until_delivered()
    assert len(harness.texts(channel)) == 1


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.essential
async def test_a_lease_that_ends_before_the_last_byte_edits_nothing(
    harness: DeliveryHarness, times: int
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    edited = len(harness.calls("chat.update"))
    lease = Lease(harness, 3 + times)  # the reply goes first: a look, headers, body
    await harness.record_notices(SECOND)
    await wait_until_refused(harness, "chat.update", edited)
    lease.left = 1_000_000
    await harness.wait_until_delivered()
    assert len(harness.texts(channel)) == 2


@pytest.mark.backends("postgresql")
@pytest.mark.essential
async def test_a_worker_that_slept_through_its_lease_posts_nothing(harness: DeliveryHarness) -> None:
    """The process is paused between claim and request; another worker may have posted meanwhile."""
    (channel,) = await harness.create_subscribed_channels()
    shares, render, slept = harness.factory.leases, harness.worker.sender.render, 0
    count = shares._elapsed
    began: list[str] = []

    async def sleepily(delivery):  # type: ignore[no-untyped-def]
        nonlocal slept
        words = await render(delivery)
        began.append(delivery.claimed_by)
        if slept == 0:
            slept = 7
            shares._elapsed = lambda: count() + slept
        return words

    harness.worker.sender.render = sleepily
    await harness.record_notices(FIRST)
    await wait_until_refused(harness, "chat.postMessage")
    await harness.wait_until_delivered()
    assert len(harness.texts(channel)) == 1 and len(began) >= 2


@pytest.mark.backends("postgresql")
async def test_a_worker_that_lives_again_under_another_name_posts_nothing_of_before(
    harness: DeliveryHarness,
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    shares, render = harness.factory.leases, harness.worker.sender.render
    names: list[str] = []

    async def lapsing(delivery):  # type: ignore[no-untyped-def]
        words = await render(delivery)
        if not names:
            names.append(delivery.claimed_by)
            await shares.release_all()
            await shares.heartbeat({harness.local_slack.team_id})
            assert shares.is_alive and shares.worker_id != delivery.claimed_by
        else:
            names.append(delivery.claimed_by)
        return words

    harness.worker.sender.render = lapsing
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    assert names[0] != names[1] and len(harness.calls("chat.postMessage")) == 1
    assert len(harness.texts(channel)) == 1


@pytest.mark.slow
@pytest.mark.essential
async def test_settling_waits_for_the_store_however_often_it_fails(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    settle, failures = harness.factory.outbox.record_outcomes, 3

    async def failing(*args, **options):  # type: ignore[no-untyped-def]
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreUnavailable("The database can't do its work now.")
        await settle(*args, **options)

    harness.factory.outbox.record_outcomes = failing  # type: ignore[method-assign]
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    assert failures < 0 and await harness.state(DeliveryKind.ROOT) == ["sent"]
    assert len(harness.calls("chat.postMessage")) == 1, "what stands isn't posted again"
    harness.advance(seconds=timedelta(minutes=1).total_seconds())
    await harness.run_rounds()
    assert len(harness.texts(channel)) == 1


async def test_a_picture_is_uploaded_by_the_workspaces_own_worker_alone(
    stopped_harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image was drawn before a pause; the new owner of the workspace uploads its own."""
    harness = stopped_harness
    shares = harness.factory.leases
    await shares.heartbeat({harness.local_slack.team_id})
    await harness.create_subscribed_channels()
    notice = decoded_notice()
    await harness.factory.notices.record(notice, b"bytes", "hopskotch:1", NOW, planner())
    async with harness.factory.database.exclusive_transaction() as connection:
        await _enqueue_images(connection, {harness.local_slack.team_id}, notice.superevent_id, 1, NOW)
    drawn = 0

    class CountingDrawer(ImageDrawer):
        async def draw_stored(self, notice_id: int, superevent_id: str) -> DrawnPicture:
            nonlocal drawn
            drawn += 1
            return DrawnPicture(b"png", "a map")

    held = False
    monkeypatch.setattr(shares, "holds_lease", lambda _name: held)
    monkeypatch.setattr("bot.delivery.image_worker.HEARTBEAT_INTERVAL_S", 0.05)
    clients = {harness.local_slack.team_id: harness.client}
    drawer = CountingDrawer(harness.factory.notices, ImageProcess())
    worker = ImageWorker(harness.factory.images, clients, drawer, harness.clock, Wakeups(), poll_s=0.05)
    running = asyncio.create_task(worker.run())

    def uploads() -> list[str]:
        return [call.method for call in harness.local_slack.calls if call.method.startswith("files.")]

    async def drawn_again_or_uploaded() -> bool:
        return drawn >= 2 or bool(uploads())

    await harness.wait_until(drawn_again_or_uploaded)
    assert uploads() == []
    held = True

    async def uploaded() -> bool:
        return bool(harness.calls("files.completeUploadExternal"))

    await harness.wait_until(uploaded)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await worker.close()
