"""Swift BAT's results in data that GUANO saved."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.related_messages.guano import MAX_REGION_BYTES
from bot.related_messages.recognition import decode_message
from bot.samples import guano
from bot.samples.messages import ABSENT
from formatters.models.related_message import GammaRayFollowUp, MessageKind, RelatedMessage, Stream

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MERGER = NOW - timedelta(minutes=30)
FITS = b"SIMPLE  =" + bytes(2_871)


def result(follow_up_event: str = "S261122a", **given: Any) -> RelatedMessage:
    return decode_message(Stream.GUANO, guano(follow_up_event, created=NOW, event_time=MERGER, **given))


def details(message: RelatedMessage) -> GammaRayFollowUp:
    assert isinstance(message.details, GammaRayFollowUp)
    return message.details


@pytest.mark.parametrize(
    "named",
    ["S261122a", "LVK S261122a", "GW S261122a", "LIGO/Virgo/KAGRA S261122a", " s261122A", "LVC#S261122a-1"],
)
def test_follow_up_of_an_event_names_it(named: str) -> None:
    assert result(named).superevent_ids == ("S261122a",)
    assert result(named, extra={"follow_up_type": ABSENT}).superevent_ids == ("S261122a",)


@pytest.mark.parametrize(
    "named",
    [
        "Fermi 694215970",
        "694215970",
        "IceCube-261122A",
        "GRB 261122A",
        "bn261122123",
        "2026-11-22T11:30:00",
        "",
    ],
)
def test_follow_up_of_another_trigger_names_no_event(named: str) -> None:
    assert result(named).superevent_ids == ()
    assert result(named, extra={"follow_up_type": "GRB"}).superevent_ids == ()


def test_mocks_and_ids_of_another_form_are_named_where_the_type_says_gw() -> None:
    assert result("MS261122ab").superevent_ids == ("MS261122ab",)
    assert result("LVK S1234").superevent_ids == ("S1234",)
    assert result("S1234", extra={"follow_up_type": "GRB"}).superevent_ids == ()
    assert result(extra={"alert_tense": "injection"}).superevent_ids == ()


def test_detection_with_a_position_a_map_or_neither() -> None:
    bare = result()
    assert (bare.kind, bare.positions, bare.key) == (MessageKind.DETECTION, (), "694215995")
    assert details(bare) == GammaRayFollowUp(is_detection=True, far_hz=1e-5, snr=7.5)
    placed = result(alert_type="update", position=(336.26, 25.139, 0.5))
    (where,) = placed.positions
    assert (where.ra, where.dec, where.radius, where.containment) == (336.26, 25.139, 0.5, 0.9)
    assert where.time == MERGER and placed.key == bare.key
    mapped = result(alert_type="update", region_fits=FITS)
    assert details(mapped).region_fits == FITS and mapped.positions == ()


@pytest.mark.parametrize(
    "file",
    [
        "hhhh...",
        "",
        "SIMPLE",
        7,
        None,
        base64.b64encode(b"PK\x03\x04").decode(),
        "A" * (MAX_REGION_BYTES * 2),
    ],
)
def test_map_that_is_none_or_too_large_is_left_out(file: object) -> None:
    found = result(extra={"healpix_file": file})
    assert details(found).region_fits is None and found.kind is MessageKind.DETECTION


def test_retraction_withdraws_the_result_under_the_same_key() -> None:
    found = result(alert_type="retraction", extra={"ra": 1.0, "dec": 2.0})
    assert found.is_retracted and found.kind is MessageKind.DETECTION and not found.retracts_event
    assert found.key == result().key and found.positions == ()
    assert details(found) == GammaRayFollowUp(is_detection=False, far_hz=None, snr=None)
    assert found.subject == result().subject == "Swift BAT GUANO: candidate burst (trigger 694215995)"


NO_NUMBERS = {"far": ABSENT, "rate_snr": ABSENT}


def test_notice_without_any_number_is_a_report_and_no_detection() -> None:
    found = result(extra=NO_NUMBERS)
    assert found.kind is MessageKind.REPORT and not details(found).is_detection
    assert "without a result" in found.subject
    limit = result(extra=NO_NUMBERS | {"flux_upper_limit": 3.2})
    assert limit.kind is MessageKind.UPPER_LIMITS and not details(limit).is_detection


def test_key_without_an_id_is_made_of_event_and_time() -> None:
    assert result(extra={"id": ABSENT}).key == "S261122a at 2026-11-22T11:30:00.000Z"
    assert result(extra={"id": 694215995}).key == result(extra={"id": "694215995"}).key == "694215995"
