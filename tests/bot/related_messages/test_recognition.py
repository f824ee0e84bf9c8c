"""Which stream a payload belongs to, by its content."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.alerts.payload import MAX_VALUES, UndecodablePayload
from bot.related_messages.nearby import is_nearby_kind
from bot.related_messages.recognition import decode_message, recognize
from bot.samples import (
    boom,
    circular,
    guano,
    hermes,
    mock,
    neutrino_search,
    retracted,
    to_avro,
    to_json,
)
from bot.samples.messages import ABSENT
from formatters.models.related_message import Stream

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MERGER = NOW - timedelta(minutes=30)


def messages(**extra: Any) -> dict[Stream, bytes]:
    given: dict[str, Any] = {"created": NOW, "extra": extra}
    return {
        Stream.CIRCULARS: circular("S261122a", **given),
        Stream.ICECUBE: neutrino_search("S261122a", event_time=MERGER, **given),
        Stream.GUANO: guano("S261122a", event_time=MERGER, **given),
        Stream.BOOM: boom(["S261122a"], **given),
        Stream.HERMES: hermes("S261122a", extra=extra),
    }


def schema(path: str, version: str = "main") -> str:
    return f"https://gcn.nasa.gov/schema/{version}/gcn/{path}.schema.json"


def test_every_stream_is_recognized_by_its_schema_or_without_one_by_its_keys() -> None:
    for stream, body in messages().items():
        assert recognize(body) == stream
    for value in (ABSENT, None, 7, "https://example.org/schema.json"):
        for stream, body in messages(**{"$schema": value}).items():
            assert recognize(body) == stream


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("notices/icecube/lvk_nu_track_search", Stream.ICECUBE),
        ("notices/icecube/LvkNuTrackSearch", Stream.ICECUBE),
        ("notices/icecube/LVK_nu_track_search", Stream.ICECUBE),
        ("notices/icecube/lvk_nu_search", Stream.ICECUBE),
        ("notices/swift/bat/Guano", Stream.GUANO),
        ("notices/swift/bat/guano/alert", Stream.GUANO),
        ("notices/boom/alert", Stream.BOOM),
        ("circulars", Stream.CIRCULARS),
    ],
)
@pytest.mark.parametrize("version", ["main", "v4.1.0", "v7.1.0"])
def test_every_name_that_a_schema_had_is_known(path: str, version: str, expected: Stream) -> None:
    assert recognize(json.dumps({"$schema": schema(path, version)}).encode()) == expected


def test_alerts_that_name_no_event_are_nearby_and_schemas_of_no_alert_nothing() -> None:
    gbm = {"$schema": schema("notices/fermi/gbm/trigger"), "mission": "Fermi", "instrument": "GBM"}
    kind = recognize(json.dumps(gbm | {"trigger_time": "2026-11-22T11:30:00Z"}).encode())
    assert kind is not None and is_nearby_kind(kind)
    assert recognize(json.dumps({"$schema": schema("notices/of/next/year")}).encode()) is None


def test_notices_of_lvk_belong_to_no_stream() -> None:
    for notice in (*mock(NOW), *retracted(NOW)):
        assert recognize(to_json(notice)) is None
        assert recognize(to_avro(notice)) is None
    mixed = {"superevent_id": "S261122a", "alert_type": "INITIAL", "follow_up_event": "S261122a"}
    assert recognize(json.dumps(mixed).encode()) is None


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"\xff", b'"circularId', b'{"ref_ID": "S261122a"}']
)
def test_anything_else_belongs_to_no_stream(body: bytes) -> None:
    assert recognize(body) is None


def test_circular_that_is_cut_off_is_told_as_a_circular() -> None:
    body = messages()[Stream.CIRCULARS][:-20]
    assert recognize(body) == Stream.CIRCULARS
    with pytest.raises(UndecodablePayload, match="broken"):
        decode_message(Stream.CIRCULARS, body)


def test_topic_decides_how_a_message_is_read_whatever_its_content_says() -> None:
    bodies = messages()
    assert decode_message(Stream.ICECUBE, bodies[Stream.ICECUBE]).stream is Stream.ICECUBE
    with pytest.raises(UndecodablePayload, match="ref_ID"):
        decode_message(Stream.ICECUBE, bodies[Stream.GUANO])
    with pytest.raises(UndecodablePayload, match="circularId"):
        decode_message(Stream.CIRCULARS, bodies[Stream.BOOM])
    with pytest.raises(UndecodablePayload, match="name no event"):
        decode_message(Stream.NEARBY, bodies[Stream.BOOM])


def test_text_with_many_commas_is_no_payload_of_many_values() -> None:
    commas = r'", [{ \" \\' * MAX_VALUES
    found = decode_message(Stream.CIRCULARS, circular("S261122a", created=NOW, body=commas))
    assert found.superevent_ids == ("S261122a",)
    with pytest.raises(UndecodablePayload, match="values"):
        decode_message(Stream.CIRCULARS, circular("S261122a", created=NOW, extra={"x": [0] * MAX_VALUES}))


def test_list_of_one_record_is_read_as_hop_sends_it() -> None:
    for stream, body in messages().items():
        listed = b"[" + body + b"]"
        assert recognize(listed) == stream
        assert decode_message(stream, listed, NOW) == decode_message(stream, body, NOW)
