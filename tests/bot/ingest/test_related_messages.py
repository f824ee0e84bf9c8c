"""Messages of streams on the one way in: what becomes of each, and what is never made of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.app.factory import Factory
from bot.ingest.result import IngestResult as Result
from bot.runtime.wakeups import Wakeups
from bot.samples import Record, circular, guano, hermes, neutrino_search, to_avro, to_json
from bot.samples.nearby import gbm_trigger
from bot.sources.base import UNKNOWN_STREAM, Origin
from bot.store.outbox.models import DeliveryKind
from formatters.models.related_message import Stream
from tests.support.factories import (
    MAX_AGE,
    MOCK,
    NOW,
    REAL,
    Clock,
    create_pipeline,
    decoded_notice,
    notice_record,
    record_notices,
    subscribe,
)
from tests.support.related_messages import planned_follow_ups, stored_messages

FOLLOW_UP = DeliveryKind.FOLLOW_UP.value
FILE = Origin("file", "one.json", live=False)


def topic(stream: Stream | str | None) -> Origin:
    return Origin("hopskotch", f"{stream}[0]@1", live=True, stream=stream)


ABOUT = {
    Stream.CIRCULARS: circular(REAL, created=NOW),
    Stream.ICECUBE: neutrino_search(REAL, created=NOW, event_time=NOW),
    Stream.GUANO: guano(REAL, created=NOW, event_time=NOW),
}


@pytest.mark.parametrize("stream", ABOUT)
@pytest.mark.parametrize("is_known", [True, False], ids=["its topic", "a mixed topic"])
async def test_a_message_is_stored_and_told_whether_its_topic_or_its_content_says_what_it_is(
    factory: Factory, clock: Clock, stream: Stream, is_known: bool
) -> None:
    await subscribe(factory, f"all streams {stream}", "C1")
    await record_notices(factory, decoded_notice())
    way_in = create_pipeline(factory, clock, wakeups=Wakeups())
    origin = topic(stream if is_known else None)
    wanted = Result.CIRCULAR if stream is Stream.CIRCULARS else Result.RELATED_MESSAGE
    assert await way_in.handle(ABOUT[stream], origin) is wanted
    assert await way_in.handle(ABOUT[stream], origin) is wanted, "a repeat"
    assert await planned_follow_ups(factory) == [("C1", FOLLOW_UP)]
    ((kept_as, _, about, _, _),) = await stored_messages(factory)
    assert (kept_as, about) == (stream, REAL)


async def test_the_same_circular_of_two_brokers_is_told_once(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "all circulars", "C1")
    await record_notices(factory, decoded_notice())
    way_in = create_pipeline(factory, clock)
    await way_in.handle(ABOUT[Stream.CIRCULARS], topic(Stream.CIRCULARS))
    await way_in.handle(ABOUT[Stream.CIRCULARS], Origin("gcn", "gcn.circulars[0]@9", live=True))
    assert len(await stored_messages(factory)) == 1
    assert await planned_follow_ups(factory) == [("C1", FOLLOW_UP)]


@pytest.mark.parametrize(
    "body",
    [
        circular("", created=NOW, title="GRB 261122B: optical afterglow"),
        guano("Fermi 694215970", created=NOW, event_time=NOW),
    ],
    ids=["a circular", "a follow-up of a burst"],
)
async def test_what_names_no_event_is_counted_and_not_stored(
    factory: Factory, clock: Clock, body: bytes
) -> None:
    assert await create_pipeline(factory, clock).handle(body, topic(None)) is Result.UNRELATED
    assert await stored_messages(factory) == [] and await factory.quarantine.next() is None


async def test_old_ones_and_archives_fill_the_store_and_post_nothing(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "all circulars", "C1")
    await record_notices(factory, decoded_notice())
    way_in = create_pipeline(factory, clock)
    old = circular(REAL, number=1, created=clock() - MAX_AGE - timedelta(hours=1))
    await way_in.handle(old, topic(Stream.CIRCULARS))
    await way_in.handle(circular(REAL, number=2, created=NOW), FILE)
    await way_in.handle(circular("S200101a", number=3, created=NOW), topic(Stream.CIRCULARS))
    assert len(await stored_messages(factory)) == 3 and await planned_follow_ups(factory) == []


async def test_the_edit_of_an_old_circular_is_kept_and_told_as_no_news(
    factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, "all circulars", "C1")
    await record_notices(factory, decoded_notice())
    way_in = create_pipeline(factory, clock)
    sent = clock() - MAX_AGE - timedelta(hours=1)
    again = json.loads(circular(REAL, number=1, created=sent)) | {"editedOn": clock().timestamp() * 1000}
    await way_in.handle(json.dumps(again).encode(), topic(Stream.CIRCULARS))
    assert len(await stored_messages(factory)) == 1 and await planned_follow_ups(factory) == []
    fresh = json.loads(circular(REAL, number=2, created=clock())) | {
        "editedOn": (clock() + timedelta(minutes=1)).timestamp() * 1000
    }
    await way_in.handle(json.dumps(fresh).encode(), topic(Stream.CIRCULARS))
    assert await planned_follow_ups(factory) == [("C1", FOLLOW_UP)]


@pytest.mark.parametrize("stream", [*Stream, "fermi-gbm", "svom", "word-of-a-newer-version"])
@pytest.mark.parametrize("encode", [to_json, to_avro])
async def test_no_payload_of_a_stream_becomes_a_notice(
    factory: Factory, clock: Clock, stream: str, encode: Callable[[Record], bytes]
) -> None:
    await subscribe(factory, "all lowsig", "C1")
    forged = encode(notice_record())
    handled = await create_pipeline(factory, clock).handle(forged, topic(stream))
    assert not handled.is_about_notice
    assert await factory.notices.superevent(REAL) is None


@pytest.mark.parametrize("stream", [None, Stream.CIRCULARS])
async def test_an_unreadable_message_is_kept_with_a_sentence_and_no_channel_hears_of_an_alert(
    factory: Factory, clock: Clock, stream: Stream | None
) -> None:
    await subscribe(factory, "all circulars", "C1")
    await record_notices(factory, decoded_notice())
    broken = circular(REAL, created=NOW, extra={"circularId": "x"})
    assert await create_pipeline(factory, clock).handle(broken, topic(stream)) is Result.UNREADABLE_MESSAGE
    kept = await factory.quarantine.next()
    assert kept is not None and kept.stream == stream and kept.superevent_id is None
    assert kept.reason == "The circular has no usable circularId."
    assert await planned_follow_ups(factory) == []
    assert (await factory.outbox_statistics.counts()).waiting == 1, "the root alone"


async def test_what_no_decoder_expects_of_a_topic_is_kept_and_the_next_alert_goes_out(
    factory: Factory, clock: Clock
) -> None:
    way_in = create_pipeline(factory, clock)
    for stream in (*Stream, "fermi-gbm", "svom", "icecube-track", "nearby"):
        for body in (
            b"",
            b"null",
            b"[]",
            b"{}",
            b"\xff\xfe",
            b'"x"',
            b"Obj\x01",
            b'{"data": {"targets": 5}}',
        ):
            handled = await way_in.handle(body, topic(stream))
            assert handled in (Result.UNREADABLE_MESSAGE, Result.UNRELATED), (stream, body, handled)
    kept = await factory.quarantine.next()
    while kept is not None:
        assert "fault of its own" not in kept.reason and kept.reason.endswith("."), kept.reason
        kept = await factory.quarantine.next(kept.id)
    assert await way_in.handle(to_json(notice_record()), topic(None)) is Result.STORED


async def test_a_message_may_come_before_its_notice(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "all mock streams circulars icecube", "C1")
    way_in = create_pipeline(factory, clock)
    await way_in.handle(circular(MOCK, created=NOW), topic(Stream.CIRCULARS))
    assert await way_in.handle(to_avro(notice_record(MOCK)), topic(None)) is Result.STORED
    assert await planned_follow_ups(factory) == [("C1", FOLLOW_UP)]


async def test_a_hermes_message_that_comes_twice_is_one(factory: Factory, clock: Clock) -> None:
    way_in = create_pipeline(factory, clock)
    said = hermes(REAL, targets=[{"name": "AT2026abc", "ra": 197.45, "dec": -23.38}])
    assert await way_in.handle(said, topic(Stream.HERMES)) is Result.RELATED_MESSAGE
    first = await stored_messages(factory)
    clock.advance(minutes=5)
    assert await way_in.handle(said, topic(Stream.HERMES)) is Result.RELATED_MESSAGE
    assert len(first) == 1 and await stored_messages(factory) == first


async def test_on_a_topic_that_no_mapping_names_the_content_tells(factory: Factory, clock: Clock) -> None:
    way_in, unknown = create_pipeline(factory, clock), topic(UNKNOWN_STREAM)
    assert await way_in.handle(ABOUT[Stream.GUANO], unknown) is Result.RELATED_MESSAGE
    assert await way_in.handle(b'{"novelty": 1}', unknown) is Result.UNRELATED
    for notice in (to_json(notice_record()), to_avro(notice_record())):
        assert await way_in.handle(notice, unknown) is Result.UNREADABLE_MESSAGE, "never lost in silence"
    assert await factory.notices.superevent(REAL) is None


@pytest.mark.parametrize("result", Result)
def test_only_notices_are_a_sign_that_alerts_come(result: Result) -> None:
    assert result.is_about_notice is (result in (Result.STORED, Result.DUPLICATE, Result.QUARANTINED))


@pytest.mark.parametrize("is_first", [True, False], ids=["before the notice", "after it"])
async def test_an_alert_near_an_event_is_told_where_it_is_wanted_whichever_comes_first(
    factory: Factory, clock: Clock, is_first: bool
) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    await subscribe(factory, "all circulars", "C2")
    way_in = create_pipeline(factory, clock)
    burst = gbm_trigger(NOW - timedelta(seconds=58), 130.0, -20.0, delay_s=20)
    far = gbm_trigger(NOW - timedelta(hours=3), 130.0, -20.0, delay_s=20)
    payloads = [(burst, topic(Stream.NEARBY)), (to_avro(notice_record()), topic(None))]
    for body, origin in payloads if is_first else reversed(payloads):
        assert await way_in.handle(body, origin) in (Result.STORED, Result.NEARBY_ALERT)
    assert await way_in.handle(far, topic(Stream.NEARBY)) is Result.NEARBY_ALERT
    assert await way_in.handle(burst, topic(None)) is Result.NEARBY_ALERT, "a repeat, from a mixed topic"
    assert await planned_follow_ups(factory) == [("C1", FOLLOW_UP)]


async def test_an_alert_far_from_the_event_in_time_makes_no_reply_of_a_new_thread(
    factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    way_in = create_pipeline(factory, clock)
    await way_in.handle(gbm_trigger(NOW - timedelta(hours=3), 130.0, -20.0), topic(Stream.NEARBY))
    await way_in.handle(to_avro(notice_record()), topic(None))
    assert await planned_follow_ups(factory) == []
