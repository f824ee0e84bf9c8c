"""What instruments cover of the map: on the card by edits that delay nothing, and in the Follow-up reply."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.delivery import thread_people
from bot.observing.footprints import rectangle
from bot.routing.delivery_times import COALESCE_CANDIDATES_FOR
from bot.samples import ms181101ab, to_avro
from bot.samples.messages import circular
from bot.skymap_service import coverage
from bot.sources.base import Origin
from bot.store.channels.observations import COALESCE_FOR
from formatters.blockkit.message import Message
from formatters.models.observation import NewObservation, ObservedField
from formatters.models.related_message import Stream
from formatters.terminal import message_text
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import NOW, TEAM

EVENT = [record for record in ms181101ab(NOW) if record["event"] is not None]
RETRACTION = ms181101ab(NOW)[-1]
SID = EVENT[0]["superevent_id"]
FIELD = ObservedField(ra=95.0, dec=-10.0)


async def receive(harness: DeliveryHarness, record: Any) -> None:
    await harness.pipeline().handle(to_avro(record), Origin("test", "1", live=True))
    await harness.wait_until_delivered()


async def report(harness: DeliveryHarness, channel: str) -> None:
    """Report a field and let its edit become due."""
    new = NewObservation(
        team_id=TEAM,
        channel_id=channel,
        superevent_id=SID,
        instrument="ZTF",
        user_id="U0BOB",
        footprint=rectangle(6.0, 6.0, "wide"),
        fields=await fields_at_peak(harness),
    )
    await harness.factory.observations.done(new, "", harness.clock())
    harness.advance(seconds=COALESCE_FOR.total_seconds() + 1)


async def fields_at_peak(harness: DeliveryHarness) -> tuple[ObservedField, ...]:
    superevent = await harness.factory.notices.superevent(SID)
    assert superevent is not None
    place = superevent.latest.best_localization
    return (FIELD,) if place is None else (ObservedField(ra=place.ra, dec=place.dec),)


def card(harness: DeliveryHarness, channel: str) -> str:
    message = next(m for m in harness.local_slack.messages(channel) if m["thread_ts"] in (None, m["ts"]))
    return message_text.render(Message(message["text"], tuple(message["blocks"])))


def observing(harness: DeliveryHarness, channel: str) -> str:
    lines = [line for line in card(harness, channel).splitlines() if line.startswith("Observing:")]
    return lines[0] if lines else ""


async def test_the_card_says_what_is_done_of_the_newest_map(harness: DeliveryHarness) -> None:
    channel, other = await harness.create_subscribed_channels(2, words="CBC mock")
    await receive(harness, EVENT[1])
    await report(harness, channel)
    await harness.wait_until_delivered()
    first = observing(harness, channel)
    assert first.startswith("Observing: ZTF done ") and first.endswith("%")
    assert observing(harness, other) == ""
    # With a map that is combined with a gamma-ray burst's.
    await receive(harness, EVENT[4])
    second = observing(harness, channel)
    assert second.startswith("Observing: ZTF done ") and second != first
    await receive(harness, RETRACTION)
    assert observing(harness, channel) in ("", "Observing: ZTF done")


async def test_an_edit_waits_for_no_computation_and_the_next_brings_the_share(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()
    measure = coverage.CoverageService._measure_shares

    async def slow(*arguments: Any) -> Any:
        await go_on.wait()
        return await measure(*arguments)

    monkeypatch.setattr(thread_people, "EDIT_WAITS_S", 0.05)
    monkeypatch.setattr(coverage.CoverageService, "_measure_shares", slow)
    (channel,) = await harness.create_subscribed_channels(words="CBC mock")
    await receive(harness, EVENT[1])
    await report(harness, channel)

    async def is_shown() -> bool:
        return observing(harness, channel) == "Observing: ZTF done"

    await harness.wait_until(is_shown)
    go_on.set()
    harness.advance(seconds=31)
    await harness.wait_until_delivered()
    assert observing(harness, channel).endswith("%")


async def test_a_defect_in_the_shares_keeps_the_news_from_nobody(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(coverage, "measure_shares", broken)
    (channel,) = await harness.create_subscribed_channels(words="CBC mock")
    await receive(harness, EVENT[1])
    await report(harness, channel)
    await harness.wait_until_delivered()
    await receive(harness, EVENT[3])
    assert "INITIAL" in card(harness, channel) and observing(harness, channel) == "Observing: ZTF done"


@pytest.mark.slow
async def test_the_follow_up_reply_has_one_line_about_coverage(harness: DeliveryHarness) -> None:
    mine, other = await harness.create_subscribed_channels(2, words="mock streams circulars")
    await receive(harness, EVENT[1])
    await report(harness, mine)
    await harness.wait_until_delivered()

    def follow_ups(channel: str) -> list[str]:
        messages = harness.local_slack.messages(channel)
        return [str(m["text"]) for m in messages if "Follow-up" in str(m["text"]).splitlines()[0]]

    # Coverage alone is no reason for a reply.
    assert follow_ups(mine) == []
    body = circular(SID, number=45_640, created=NOW)
    await harness.pipeline().handle(body, Origin("test", "1", live=True, stream=Stream.CIRCULARS.value))
    await harness.run_rounds()
    harness.advance(seconds=COALESCE_CANDIDATES_FOR.total_seconds() + 1)
    await harness.wait_until_delivered()
    (text,), (theirs,) = follow_ups(mine), follow_ups(other)
    assert "Coverage of the map of PRELIMINARY" in text and "% done, in any band and to any depth" in text
    assert "(1 instrument, as of T+" in text and f"`/gwevent coverage {SID}`" in text
    assert "Coverage" not in theirs
