"""GCN's Circulars: from bytes to who is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.alerts.decode import UndecodablePayload
from bot.related_messages.circular import is_circular, read_circular
from bot.samples import ms181101ab, to_avro, to_json
from formatters.models.circular import named_superevent_ids

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def circular(**given: Any) -> bytes:
    usual = {
        "$schema": "https://gcn.nasa.gov/schema/v4.1.0/gcn/circulars.schema.json",
        "eventId": "LIGO/Virgo/KAGRA S261122a",
        "submitter": "Jane Doe at Example Observatory <jane@example.org>",
        "submittedHow": "web",
        "subject": "LIGO/Virgo/KAGRA S261122a: Identification of a GW compact binary merger candidate",
        "circularId": 45_640,
        "format": "text/plain",
        "body": "We report …",
        "createdOn": NOW.timestamp() * 1000,
    }
    return json.dumps(usual | given).encode()


def test_reads_number_author_and_time_without_mail_address() -> None:
    read = read_circular(circular())
    assert (read.number, read.superevent_ids, read.created) == (45_640, ("S261122a",), NOW)
    assert read.author == "Jane Doe at Example Observatory", "a mail address isn't ours to keep"
    assert read.url == "https://gcn.nasa.gov/circulars/45640"


def test_is_circular_is_false_for_notices_and_empty_payloads() -> None:
    assert is_circular(circular())
    notice = ms181101ab(NOW)[1]
    assert not is_circular(to_json(notice)) and not is_circular(to_avro(notice)) and not is_circular(b"")


@pytest.mark.parametrize(
    "given",
    [
        {"circularId": None},
        {"circularId": True},
        {"circularId": -1},
        {"createdOn": "x"},
        {"createdOn": 1e300},
    ],
)
def test_circular_without_usable_number_or_time_is_undecodable(given: dict[str, Any]) -> None:
    with pytest.raises(UndecodablePayload, match="no usable"):
        read_circular(circular(**given))


def test_superevent_ids_are_found_in_subject_and_event_id() -> None:
    assert named_superevent_ids("S261122a/GRB 261122B and MS261122ab: no counterpart", "s261122A") == (
        "S261122a",
        "MS261122ab",
    )
    assert named_superevent_ids("SN2017abc, XS261122a, S261122a1, GRB 261122A") == ()
    assert read_circular(circular(subject="GRB 261122B: optical", eventId=None)).superevent_ids == ()
