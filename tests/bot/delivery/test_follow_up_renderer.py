"""The Follow-up reply from messages that came the one way in, to what stands in the local Slack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.alerts.decode import decode
from bot.delivery.follow_up_renderer import MAX_IN_VOLUME, FollowUpRenderer, _without_distant_ones
from bot.routing.delivery_times import COALESCE_CANDIDATES_FOR
from bot.samples import SampleNeutrino, bns, boom, circular, guano, ms181101ab, neutrino_search, to_avro
from bot.samples.nearby import gbm_trigger
from bot.sources.base import Origin
from bot.store.outbox.models import DELIVERY_KINDS, Delivery, DeliveryKind
from formatters.models.related_message import ReportedPosition, Stream
from formatters.terminal import message_text
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import AUTHOR, NOW, TEAM, subscribe

pytestmark = pytest.mark.slow

STREAMS = "mock streams circulars icecube guano"
EVENT = [record for record in ms181101ab(NOW) if record["event"] is not None]
FIRST = decode(to_avro(EVENT[0]))
SID = FIRST.superevent_id
assert FIRST.event is not None
TIME = FIRST.event.time


class Desk:
    """A channel with a thread about an event, and messages about it."""

    def __init__(self, harness: DeliveryHarness) -> None:
        self.harness = harness

    async def notice(self, record: Any) -> None:
        await self._receive(to_avro(record), Origin("test", "1", live=True))

    async def message(self, stream: Stream, body: bytes) -> None:
        await self._receive(body, Origin("test", "1", live=True, stream=stream.value))

    async def _receive(self, body: bytes, origin: Origin) -> None:
        await self.harness.pipeline().handle(body, origin)
        await self.finish()

    async def finish(self) -> None:
        """Advance the clock past the time in which edits are collected, and wait."""
        await self.harness.run_rounds()
        self.harness.advance(seconds=COALESCE_CANDIDATES_FOR.total_seconds() + 1)
        await self.harness.wait_until_delivered()

    def replies(self, channel: str) -> list[str]:
        messages = self.harness.local_slack.messages(channel)
        return [str(m["text"]) for m in messages if m["thread_ts"] not in (None, m["ts"])]

    def follow_ups(self, channel: str) -> list[str]:
        return [text for text in self.replies(channel) if "Follow-up" in text.splitlines()[0]]


@pytest.fixture
async def desk(harness: DeliveryHarness) -> AsyncIterator[Desk]:
    yield Desk(harness)


def told(number: int = 45_640, minutes: float = 0, **changes: Any) -> bytes:
    return circular(SID, number=number, created=NOW + timedelta(minutes=minutes), **changes)


def search(**changes: Any) -> bytes:
    place = FIRST.localization
    assert place is not None
    usual: dict[str, Any] = {
        "created": NOW,
        "event_time": TIME,
        "notice": "1-EarlyWarning",
        "neutrinos": [SampleNeutrino(offset_s=12.9, ra=place.ra, dec=place.dec)],
    }
    return neutrino_search(SID, **(usual | changes))


async def test_messages_are_listed_in_one_reply_that_is_edited(desk: Desk) -> None:
    (channel,) = await desk.harness.create_subscribed_channels(words=STREAMS)
    await desk.notice(EVENT[0])
    assert desk.follow_ups(channel) == []
    await desk.message(Stream.CIRCULARS, told(title="DECam candidates"))
    await desk.message(Stream.ICECUBE, search())
    await desk.message(Stream.GUANO, guano(SID, created=NOW, event_time=TIME))
    (text,) = desk.follow_ups(channel)
    assert text.startswith(f"MOCK · EARLY WARNING · {SID} · Follow-up\n")
    assert "GCN 45640 · DECam candidates" in text
    assert "p-value generic 0.019, Bayesian 0.055" in text and "neutrino T+12.9 s: centre of its 0.5°" in text
    assert "SNR 7.5" in text
    assert "Levels are in the map of EARLY WARNING, T−21 s." in text


async def test_a_new_map_changes_the_levels_and_is_named(desk: Desk) -> None:
    (channel,) = await desk.harness.create_subscribed_channels(words=f"{STREAMS} nearby")
    early, better = bns(NOW)[:2]
    await desk.notice(early)
    name, first, second = (
        decode(to_avro(early)).superevent_id,
        decode(to_avro(early)),
        decode(to_avro(better)),
    )
    assert first.localization is not None and second.localization is not None
    old, new = first.localization, second.localization
    await desk.harness.factory.counterparts.add(
        (TEAM, channel),
        name,
        [("AT2026abc", ReportedPosition(ra=old.ra, dec=old.dec - 20))],
        replace(AUTHOR, at=first.time_created),
    )
    await desk.message(
        Stream.ICECUBE,
        neutrino_search(
            name,
            created=NOW,
            event_time=TIME,
            notice="1-EarlyWarning",
            neutrinos=[SampleNeutrino(offset_s=12.9, ra=new.ra, dec=new.dec)],
        ),
    )
    (before,) = desk.follow_ups(channel)
    await desk.notice(better)
    (after,) = desk.follow_ups(channel)
    assert "Levels are in the map of EARLY WARNING, T" in before and "searched" not in before
    assert "Levels are in the map of PRELIMINARY, T+" in after
    assert "searched the map of EARLY WARNING, not the newest" in after
    assert "compared with the map before" not in before
    assert "Map of PRELIMINARY, T+" in after and "AT2026abc left the 90 % region" in after


async def test_a_nearby_burst_is_a_line_of_channels_that_ask_for_it(desk: Desk) -> None:
    asked, other = desk.harness.create_channels(2)
    await subscribe(desk.harness.factory, "CBC streams nearby", asked)
    await subscribe(desk.harness.factory, "CBC streams circulars", other)
    record = bns(NOW)[1]
    await desk.notice(record)
    notice = decode(to_avro(record))
    place, event = notice.localization, notice.event
    assert place is not None and event is not None
    body = gbm_trigger(event.time + timedelta(seconds=1.7), place.ra, place.dec)
    await desk._receive(body, Origin("test", "1", live=True, stream="fermi-gbm"))
    (text,) = desk.follow_ups(asked)
    assert "Fermi GBM bn" in text and "T+1.7 s" in text and "expected by chance from T−" in text
    assert "counterpart" not in text
    assert desk.follow_ups(other) == []
    withdrawal = gbm_trigger(
        event.time + timedelta(seconds=1.7),
        place.ra,
        place.dec,
        delay_s=600,
        alert_type="retraction",
        record_number=4,
    )
    await desk._receive(withdrawal, Origin("test", "1", live=True, stream="fermi-gbm"))
    (text,) = desk.follow_ups(asked)
    assert "Fermi" not in text and "Nothing is listed any more" in text


async def test_a_channel_reads_only_the_streams_that_it_subscribes_to(desk: Desk) -> None:
    circulars, both = desk.harness.create_channels(2)
    await subscribe(desk.harness.factory, "mock circulars", circulars)
    await subscribe(desk.harness.factory, "mock streams circulars icecube", both)
    await desk.notice(EVENT[0])
    await desk.message(Stream.CIRCULARS, told())
    await desk.message(Stream.ICECUBE, search())
    (one,), (two,) = desk.follow_ups(circulars), desk.follow_ups(both)
    assert "IceCube" not in one and "IceCube" in two


async def test_a_retraction_by_circular_is_said_until_the_notice_comes(desk: Desk) -> None:
    (channel,) = await desk.harness.create_subscribed_channels(words=STREAMS)
    await desk.notice(EVENT[0])
    await desk.message(Stream.CIRCULARS, told(title="Retraction of GW compact binary merger candidate"))
    says = f"LVK's circular 45640 retracts {SID}; LVK's notice hasn't come"
    (text,) = desk.follow_ups(channel)
    assert text.splitlines()[1].startswith(says)
    (reply,) = [text for text in desk.replies(channel) if "retracted by circular" in text]
    assert says in reply and "RETRACTED" not in desk.harness.texts(channel)[0]
    await desk.notice(next(r for r in ms181101ab(NOW) if r["alert_type"] == "RETRACTION"))
    (text,) = desk.follow_ups(channel)
    assert text.startswith(f"MOCK · RETRACTED · {SID} · Follow-up") and "hasn't come" not in text


async def test_a_message_that_its_sender_withdraws_changes_its_line(desk: Desk) -> None:
    (channel,) = await desk.harness.create_subscribed_channels(words=STREAMS)
    await desk.notice(EVENT[0])
    await desk.message(Stream.GUANO, guano(SID, created=NOW, event_time=TIME))
    withdrawal = guano(SID, created=NOW + timedelta(hours=1), event_time=TIME, alert_type="retraction")
    await desk.message(Stream.GUANO, withdrawal)
    (text,) = desk.follow_ups(channel)
    assert "withdrawn by its sender" in text and "SNR" not in text
    edits = len(desk.harness.calls("chat.update"))
    await desk.message(Stream.GUANO, withdrawal)
    assert len(desk.harness.calls("chat.update")) == edits


async def test_a_candidate_of_a_stream_that_nobody_subscribes_to_is_counted_in_a_reply_that_stands(
    desk: Desk,
) -> None:
    (channel,) = await desk.harness.create_subscribed_channels(words=STREAMS)
    await desk.notice(EVENT[0])
    await desk.message(Stream.BOOM, boom([SID], created=NOW))
    assert desk.follow_ups(channel) == []
    await desk.message(Stream.CIRCULARS, told())
    await desk.message(Stream.BOOM, boom([SID], created=NOW, name="ZTF25other", ra=10.0, dec=80.0))
    (text,) = desk.follow_ups(channel)
    assert "2 counterpart candidates, none inside the 90 % region" in text
    assert "BOOM" not in text and "ZTF25other" not in text


async def test_candidates_and_what_the_channel_decided_are_summed_up(desk: Desk) -> None:
    one, other = await desk.harness.create_subscribed_channels(2, words=STREAMS)
    await desk.notice(EVENT[0])
    position = ReportedPosition(ra=10, dec=80, name="AT2026abc")
    await desk.harness.factory.counterparts.add((TEAM, one), SID, [("AT2026abc", position)], AUTHOR)
    await desk.message(Stream.CIRCULARS, told())
    (mine,), (theirs,) = desk.follow_ups(one), desk.follow_ups(other)
    assert f"1 counterpart candidate, none inside the 90 % region · `/gwevent candidates {SID}`" in mine
    assert "counterpart candidate" not in theirs


BROKEN = {
    "levels": "bot.skymap_service.position_levels.PositionLevels.check_on",
    "map": "bot.skymap_service.position_levels.PositionLevels.newest_map",
    "candidates": "bot.skymap_service.counterparts.CounterpartService.common_candidates",
    "own candidates": "bot.store.events.counterparts.CounterpartRepository.for_event",
    "region change": "bot.skymap_service.counterparts.CounterpartService.region_change",
    "nearby": "bot.skymap_service.nearby_coincidences.NearbyCoincidences.for_event",
    "galaxies": "bot.skymap_service.galaxy_ranking.GalaxyRankingService.volume_galaxies",
    "words": "formatters.text.follow_up_lines.levels_lines",
}


@pytest.mark.parametrize("part", BROKEN)
async def test_a_defect_beside_the_list_keeps_the_list_from_nobody(
    desk: Desk, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a defect")

    async def fail_later(*_: Any, **__: Any) -> None:
        raise RuntimeError("a defect")

    (channel,) = await desk.harness.create_subscribed_channels(words=f"{STREAMS} nearby")
    await desk.notice(EVENT[0])
    monkeypatch.setattr(BROKEN[part], fail if part == "words" else fail_later)
    await desk.message(Stream.CIRCULARS, told(title="DECam candidates"))
    await desk.message(Stream.ICECUBE, search())
    (text,) = desk.follow_ups(channel)
    assert "GCN 45640 · DECam candidates" in text and "p-value generic 0.019" in text
    if part in ("levels", "map", "words"):
        assert "Positions couldn't be compared with the sky map." in text
    else:
        assert "centre of its 0.5° circle at level" in text


async def test_a_defect_of_what_was_the_only_line_leaves_the_reply_as_it_stands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError("a defect")

    (channel,) = await desk.harness.create_subscribed_channels(words="mock streams nearby")
    await desk.notice(EVENT[0])
    row = delivery(DeliveryKind.FOLLOW_UP_EDIT, channel, follow_up_ts="2.0")
    rendered = await desk.harness.renderer()(row)
    assert rendered is not None and "Nothing is listed any more" in rendered.message.text
    monkeypatch.setattr(BROKEN["nearby"], fail)
    assert await desk.harness.renderer()(row) is None


async def test_a_defect_in_the_words_of_what_is_no_message_leaves_the_reply_as_it_stands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a defect")

    (channel,) = await desk.harness.create_subscribed_channels(words=STREAMS)
    await desk.notice(EVENT[0])
    position = ReportedPosition(ra=10, dec=80, name="AT2026abc")
    await desk.harness.factory.counterparts.add((TEAM, channel), SID, [("AT2026abc", position)], AUTHOR)
    row = delivery(DeliveryKind.FOLLOW_UP_EDIT, channel, follow_up_ts="2.0")
    rendered = await desk.harness.renderer()(row)
    assert rendered is not None and "1 counterpart candidate" in rendered.message.text
    monkeypatch.setattr("formatters.text.follow_up_lines.levels_lines", fail)
    assert await desk.harness.renderer()(row) is None


async def test_a_defect_in_all_words_says_no_notice_couldnt_be_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a defect")

    (channel,) = await desk.harness.create_subscribed_channels(words=STREAMS)
    await desk.notice(EVENT[0])
    monkeypatch.setattr("formatters.posts.alert_card.status_labels", fail)
    monkeypatch.setattr("formatters.text.follow_up_lines.subject", fail)
    await desk.message(Stream.CIRCULARS, told())
    row = delivery(DeliveryKind.FOLLOW_UP, channel)
    rendered = await desk.harness.renderer()(row)
    assert rendered is not None
    text = rendered.message.text
    assert text.startswith(f"{SID} · Follow-up: gwevent met a fault of its own")
    assert text.endswith(f"https://gcn.nasa.gov/circulars?query={SID}") and "notice" not in text


async def test_equal_replies_of_many_channels_are_rendered_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = desk.harness
    channels = await harness.create_subscribed_channels(12, words=STREAMS)
    own = channels[0]
    await desk.notice(EVENT[0])
    await desk.message(Stream.ICECUBE, search())
    position = ReportedPosition(ra=10, dec=80, name="AT2026abc")
    await harness.factory.counterparts.add((TEAM, own), SID, [("AT2026abc", position)], AUTHOR)
    # It would render the edit that the candidate asks for.
    await harness.worker.stop()
    rendered: list[tuple[Any, ...]] = []
    render = FollowUpRenderer._render

    async def counted(self: FollowUpRenderer, *args: Any) -> Any:
        rendered.append(args)
        return await render(self, *args)

    monkeypatch.setattr(FollowUpRenderer, "_render", counted)
    renderer = harness.renderer()
    messages = await asyncio.gather(
        *(renderer(delivery(DeliveryKind.FOLLOW_UP, channel)) for channel in channels)
    )
    assert len(rendered) == 2
    texts = {None if message is None else message.message.text for message in messages}
    assert len(texts) == 2 and None not in texts


def delivery(kind: DeliveryKind, channel: str, subject: int = 0, **changes: Any) -> Delivery:
    assert kind in DELIVERY_KINDS
    row = Delivery(
        id=1,
        team_id=TEAM,
        channel_id=channel,
        kind=kind,
        subject_id=subject,
        attempts=1,
        maybe_sent=False,
        created_at=NOW,
        attempted_at=None,
        thread_id=1,
        superevent_id=SID,
        target_revision=1,
        superevent_revision=None,
        root_ts="1.0",
        posted_revision=1,
        root_uneditable=False,
    )
    return replace(row, **changes)


async def test_nothing_to_say_and_what_is_gone_is_not_posted(desk: Desk) -> None:
    (channel,) = await desk.harness.create_subscribed_channels(words=STREAMS)
    renderer = desk.harness.renderer()
    assert await renderer(delivery(DeliveryKind.FOLLOW_UP, channel)) is None
    await desk.notice(EVENT[0])
    renderer = desk.harness.renderer()
    assert await renderer(delivery(DeliveryKind.FOLLOW_UP, channel)) is None
    assert await renderer(delivery(DeliveryKind.RETRACTION_CIRCULAR, channel, subject=99)) is None


async def test_a_reply_that_stands_keeps_its_lines_when_the_channel_unsubscribes(desk: Desk) -> None:
    (channel,) = await desk.harness.create_subscribed_channels(words=STREAMS)
    await desk.notice(EVENT[0])
    await desk.message(Stream.ICECUBE, search())
    factory = desk.harness.factory
    numbers = [s.number for s in await factory.subscriptions.for_channel(TEAM, channel)]
    await factory.subscriptions.end(TEAM, channel, numbers, AUTHOR)
    edit = await desk.harness.renderer()(delivery(DeliveryKind.FOLLOW_UP_EDIT, channel, follow_up_ts="2.0"))
    assert edit is not None and "IceCube" in message_text.render(edit.message)


def test_more_positions_than_can_be_compared_in_the_volume_keep_their_level_on_the_sky() -> None:
    many = [ReportedPosition(ra=1, dec=2, redshift=0.1)] * (MAX_IN_VOLUME + 5)
    kept = _without_distant_ones([*many, ReportedPosition(ra=3, dec=4)])
    assert len(kept) == len(many) + 1
    assert sum(one.redshift is not None for one in kept) == MAX_IN_VOLUME
