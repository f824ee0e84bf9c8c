"""A burst near an event: from the broker's bytes to the line in the event's thread, whichever came first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bot.samples import Lobe, sky_map, to_avro
from bot.samples.nearby import gbm_ids, gbm_trigger, icecube_track, svom_trigger
from bot.sources.base import Origin
from formatters.models.related_message import Stream
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import NOW, notice_record, subscribe

pytestmark = pytest.mark.slow

EVENT_TIME = NOW - timedelta(minutes=1)
PLACE = (130.0, -20.0)
ALERTS = Origin("test", "1", live=True)
NEARBY = Origin("test", "1", live=True, stream=Stream.NEARBY.value)


def notice(
    alert_type: str = "PRELIMINARY", minutes: float = 0, place: tuple[float, float] = PLACE, **facts: Any
) -> bytes:
    skymap = sky_map([Lobe(*place, 1.0, 3.0)], superevent_id="S261122a", time=EVENT_TIME)
    return to_avro(notice_record("S261122a", alert_type, minutes, skymap=skymap, **facts))


def burst(offset_s: float = 1.7, ra: float = PLACE[0], dec: float = PLACE[1], **facts: Any) -> bytes:
    facts = {"classification": {"GRB": 0.9}} | facts
    return gbm_trigger(EVENT_TIME + timedelta(seconds=offset_s), ra, dec, **facts)


class Desk:
    """A channel that asked for nearby alerts."""

    def __init__(self, harness: DeliveryHarness) -> None:
        self.harness = harness
        self.asking, self.other = harness.create_channels(2)

    async def receive(self, body: bytes, origin: Origin) -> None:
        await self.harness.pipeline().handle(body, origin)
        await self.harness.run_rounds()
        self.harness.advance(seconds=6)
        await self.harness.wait_until_delivered()

    def follow_ups(self, channel: str | None = None) -> list[str]:
        messages = self.harness.local_slack.messages(channel or self.asking)
        replies = [str(m["text"]) for m in messages if m["thread_ts"] not in (None, m["ts"])]
        return [text for text in replies if "Follow-up" in text.splitlines()[0]]


@pytest.fixture
async def desk(harness: DeliveryHarness) -> AsyncIterator[Desk]:
    made = Desk(harness)
    await subscribe(harness.factory, "all streams nearby notify @here", made.asking)
    await subscribe(harness.factory, "all streams circulars icecube guano", made.other)
    yield made


@pytest.mark.parametrize("is_earlier", [False, True], ids=["after the notice", "before it"])
async def test_a_burst_near_an_event_has_a_line_where_it_was_asked_for(desk: Desk, is_earlier: bool) -> None:
    received = [(notice(), ALERTS), (burst(), NEARBY)]
    for body, origin in reversed(received) if is_earlier else received:
        await desk.receive(body, origin)
    (text,) = desk.follow_ups()
    name = gbm_ids(EVENT_TIME + timedelta(seconds=1.7))[1]
    assert f"Fermi GBM {name}: T+1.7" in text and "expected by chance from T−1" in text
    assert "1.1e-6" in text
    assert "counterpart" not in text and "<!here>" not in text
    assert desk.follow_ups(desk.other) == []


async def test_a_repeat_and_a_later_position_are_one_line_and_a_retraction_takes_it_away(desk: Desk) -> None:
    await desk.receive(notice(), ALERTS)
    await desk.receive(burst(), NEARBY)
    await desk.receive(burst(), NEARBY)
    await desk.receive(burst(delay_s=600, subtype="FINAL_POSITION", radius=1.0), NEARBY)
    (text,) = desk.follow_ups()
    assert text.count("Fermi GBM") == 1
    await desk.receive(burst(delay_s=900, alert_type="retraction"), NEARBY)
    (text,) = desk.follow_ups()
    assert "Fermi GBM" not in text and "Nothing is listed any more" in text


@pytest.mark.parametrize(
    "body",
    [
        burst(1.7, 300.0, 60.0),
        burst(60.0),
        burst(1.7, classification={"SFLARE": 0.9}),
        burst(1.7, extra={"ra_dec_error": 0}),
        svom_trigger(EVENT_TIME + timedelta(seconds=2), *PLACE, alert_tense="test"),
        icecube_track(EVENT_TIME + timedelta(seconds=2), *PLACE, pipeline="Cascade Alert"),
    ],
    ids=["elsewhere", "too late", "a flare", "no radius", "a test", "a kind that isn't read"],
)
async def test_what_is_not_near_is_not_told(desk: Desk, body: bytes) -> None:
    await desk.receive(notice(), ALERTS)
    await desk.receive(body, NEARBY)
    assert desk.follow_ups() == []


async def test_a_new_map_that_leaves_the_burst_behind_takes_its_line_away(desk: Desk) -> None:
    await desk.receive(notice(), ALERTS)
    await desk.receive(burst(), NEARBY)
    assert "Fermi GBM" in desk.follow_ups()[0]
    await desk.receive(notice("UPDATE", 30, (300.0, 60.0)), ALERTS)
    (text,) = desk.follow_ups()
    assert "Fermi GBM" not in text and "Nothing is listed any more" in text


async def test_a_new_map_that_reaches_the_burst_brings_the_line(desk: Desk) -> None:
    await desk.receive(burst(), NEARBY)
    await desk.receive(notice(place=(300.0, 60.0)), ALERTS)
    assert desk.follow_ups() == []
    await desk.receive(notice("UPDATE", 30), ALERTS)
    (text,) = desk.follow_ups()
    assert "Fermi GBM" in text


async def test_an_event_that_turns_significant_brings_the_line(desk: Desk) -> None:
    await subscribe(desk.harness.factory, "all lowsig streams nearby", desk.other)
    await desk.receive(notice(significant=False), ALERTS)
    await desk.receive(burst(), NEARBY)
    assert desk.follow_ups(desk.other) == []
    await desk.receive(notice("PRELIMINARY", 5), ALERTS)
    (text,) = desk.follow_ups(desk.other)
    assert "Fermi GBM" in text
