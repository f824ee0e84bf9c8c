"""The lease is looked at after every wait and before a request's first byte."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.delivery.image_worker import ImageWorker
from bot.skymaps.image_process import ImageProcess
from bot.store.database import StoreUnavailable
from bot.store.outbox.images import StoredImageJob
from bot.store.outbox.models import DeliveryKind
from bot.store.outbox.plan_writer import _enqueue_images
from formatters.skymap_image import DrawnPicture
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import NOW, decoded_notice, planner

FIRST, SECOND = decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=5)

pytestmark = pytest.mark.backends("sqlite", "postgresql")


class Lease:
    """Says yes so many times, then no, until it is given back."""

    def __init__(self, office: DeliveryHarness, times: int) -> None:
        self.left = times
        self.looks = 0
        self._real = office.factory.leases.is_claim_valid
        office.factory.leases.is_claim_valid = self  # type: ignore[method-assign]

    def __call__(self, claimed_by: str) -> bool:
        self.looks += 1
        self.left -= 1
        return self.left >= 0 and self._real(claimed_by)


@pytest.mark.parametrize("times", [0, 1, 2])
async def test_a_lease_that_ends_before_the_last_byte_sends_nothing(
    office: DeliveryHarness, times: int
) -> None:
    (channel,) = await office.create_subscribed_channels()
    lease = Lease(office, times)
    await office.record_notices(FIRST)
    await office.wait_for_retry("its worker was taken for dead")
    assert lease.looks > times and office.texts(channel) == []
    assert office.calls("chat.postMessage") == [], "Slack heard of no request"
    (root,) = await office.rows(kind=DeliveryKind.ROOT.value)
    assert not root.doubtful, "it is known that nothing was sent"
    lease.left = 1_000_000
    await office.wait_until_delivered()
    assert len(office.texts(channel)) == 1


@pytest.mark.parametrize("times", [0, 1, 2])
async def test_a_lease_that_ends_before_the_last_byte_edits_nothing(
    office: DeliveryHarness, times: int
) -> None:
    (channel,) = await office.create_subscribed_channels()
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    edited = len(office.calls("chat.update"))
    lease = Lease(office, 3 + times)  # the reply goes first: a look, headers, body
    await office.record_notices(SECOND)
    await office.wait_for_retry("its worker was taken for dead")
    assert len(office.calls("chat.update")) == edited
    lease.left = 1_000_000
    await office.wait_until_delivered()
    assert len(office.texts(channel)) == 2


@pytest.mark.backends("postgresql")
async def test_a_worker_that_slept_through_its_lease_posts_nothing(office: DeliveryHarness) -> None:
    """Between the claim and the request the process is paused; another worker may have posted meanwhile."""
    (channel,) = await office.create_subscribed_channels()
    shares, render, slept = office.factory.leases, office.worker._render, 0
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

    office.worker._render = sleepily
    await office.record_notices(FIRST)
    await office.wait_for_retry("its worker was taken for dead")
    assert office.calls("chat.postMessage") == []
    await office.wait_until_delivered()
    assert len(office.texts(channel)) == 1 and len(began) >= 2


@pytest.mark.backends("postgresql")
async def test_a_worker_that_lives_again_under_another_name_posts_nothing_of_before(
    office: DeliveryHarness,
) -> None:
    (channel,) = await office.create_subscribed_channels()
    shares, render = office.factory.leases, office.worker._render
    names: list[str] = []

    async def lapsing(delivery):  # type: ignore[no-untyped-def]
        words = await render(delivery)
        if not names:
            names.append(delivery.claimed_by)
            await shares.release_all()
            await shares.heartbeat({office.local_slack.team_id})
            assert shares.is_alive and shares.worker_id != delivery.claimed_by
        else:
            names.append(delivery.claimed_by)
        return words

    office.worker._render = lapsing
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    assert names[0] != names[1] and len(office.calls("chat.postMessage")) == 1
    assert len(office.texts(channel)) == 1


async def test_settling_waits_for_the_store_however_often_it_fails(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    settle, failures = office.factory.outbox.record_outcomes, 3

    async def failing(*args, **options):  # type: ignore[no-untyped-def]
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreUnavailable("The database can't do its work now.")
        await settle(*args, **options)

    office.factory.outbox.record_outcomes = failing  # type: ignore[method-assign]
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    assert failures < 0 and await office.state(DeliveryKind.ROOT) == ["sent"]
    assert len(office.calls("chat.postMessage")) == 1, "what stands isn't posted again"
    office.advance(seconds=timedelta(minutes=1).total_seconds())
    await office.run_rounds()
    assert len(office.texts(channel)) == 1


async def test_a_picture_is_uploaded_by_the_workspaces_own_worker_alone(
    still_office: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was drawn before a pause; whoever has the workspace now uploads its own."""
    office = still_office
    shares = office.factory.leases
    await shares.heartbeat({office.local_slack.team_id})
    await office.create_subscribed_channels()
    notice = decoded_notice()
    await office.factory.notices.record(notice, b"bytes", "hopskotch:1", NOW, planner())
    async with office.factory.database.exclusive_transaction() as connection:
        await _enqueue_images(connection, {office.local_slack.team_id}, notice.superevent_id, 1, NOW)
    drawn = 0

    class Drawn(ImageWorker):
        async def _picture(self, job: StoredImageJob) -> DrawnPicture:
            nonlocal drawn
            drawn += 1
            return DrawnPicture(b"png", "a map")

    held = False
    monkeypatch.setattr(shares, "holds", lambda _name: held)
    monkeypatch.setattr("bot.delivery.image_worker.HEARTBEAT_INTERVAL_S", 0.05)
    clients = {office.local_slack.team_id: office.client}
    worker = Drawn(
        office.factory.notices,
        office.factory.images,
        clients,
        ImageProcess(),
        office.clock,
        wake_deliveries=lambda: None,
        poll_s=0.05,
    )
    running = asyncio.create_task(worker.run())

    async def often() -> bool:
        return drawn >= 2

    await office.wait_until(often)
    assert not [call for call in office.local_slack.calls if call.method.startswith("files.")]
    held = True

    async def uploaded() -> bool:
        return bool(office.calls("files.completeUploadExternal"))

    await office.wait_until(uploaded)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await worker.close()
