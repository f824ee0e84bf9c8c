"""HERMES' messages about events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from astropy.units import Unit

from bot.alerts.payload import UndecodablePayload
from bot.related_messages.recognition import decode_message
from bot.samples import hermes
from formatters.models.related_message import MessageKind, RelatedMessage, ReportedPosition, Stream

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def message(event_id: str | None = "S261122a", **given: Any) -> RelatedMessage:
    return decode_message(Stream.HERMES, hermes(event_id, **given), NOW)


def position(**target: Any) -> ReportedPosition | None:
    found = message(targets=[{"name": "AT2026abc", "ra": 12.5, "dec": -3.25} | target]).positions
    return found[0] if found else None


def test_targets_become_positions_with_their_photometry() -> None:
    rows = [
        {
            "target_name": "AT2026abc",
            "date_obs": "2026-11-22T03:00:00Z",
            "bandpass": "g",
            "brightness": "20.1",
        },
        {"target_name": "AT2026abc", "date_obs": "2026-11-22T02:00:00Z", "bandpass": "r", "brightness": 20.5},
        {"target_name": "AT2026abc", "date_obs": "2026-11-22T01:00:00Z", "limiting_brightness": 21},
    ]
    found = message(targets=[{"name": "AT2026abc", "ra": "12.5", "dec": "-3.25"}], photometry=rows)
    assert (found.kind, found.superevent_ids, found.created) == (MessageKind.CANDIDATES, ("S261122a",), NOW)
    assert (found.subject, found.author) == (
        "Candidate counterparts from an example survey",
        "J. Doe (Example Observatory)",
    )
    (where,) = found.positions
    assert (where.ra, where.dec, where.name) == (12.5, -3.25, "AT2026abc")
    assert (where.time, where.magnitude) == (datetime(2026, 11, 22, 2, tzinfo=UTC), "g = 20.1")


@pytest.mark.parametrize(
    ("ra", "dec", "expected"),
    [
        (197.45, -23.38, (197.45, -23.38)),
        ("197.45", "−23.38", None),
        ("13:09:48.0", "-23:22:48", (197.45, -23.38)),
        ("13 09 48.0", "-23 22 48", (197.45, -23.38)),
        ("13h09m48s", "-23d22m48s", (197.45, -23.38)),
        ("13h 09m 48s", "−23° 22′ 48″", (197.45, -23.38)),
        ("197d27m00s", "-00:30", (197.45, -0.5)),
        ("24:00:00", "0", (0.0, 0.0)),
        (360, 90, (0.0, 90.0)),
        ("25:00:00", "0", None),
        ("13:60:00", "0", None),
        ("-13:09:48", "0", None),
        (-12.5, 0, None),
        (12.5, 90.1, None),
        (None, 3, None),
        ("near M31", 3, None),
        (True, 3, None),
        (float("nan"), 3, None),
        ("1" * 5_000, 3, None),
    ],
)
def test_coordinates_are_read_in_every_unit_of_hermes(
    ra: object, dec: object, expected: tuple[float, float] | None
) -> None:
    found = position(ra=ra, dec=dec)
    assert (found is None) if expected is None else found is not None
    if found is not None and expected is not None:
        assert (found.ra, found.dec) == pytest.approx(expected, abs=1e-9)


def test_errors_and_distances_are_converted_and_unknown_units_are_left_out() -> None:
    found = position(ra_error=30, ra_error_units="arcsec", dec_error=1, dec_error_units="arcmin")
    assert found is not None and found.radius == pytest.approx(1 / 60) and found.containment is None
    far = position(distance=40_000, distance_error=2_000, distance_units="kpc", host_redshift=0.0098)
    assert far is not None
    assert (far.distance, far.distance_error, far.redshift) == pytest.approx((40, 2, 0.0098))
    for units in (None, "parsecs of wine", 7):
        unknown = position(
            distance=40, distance_units=units, ra_error=3, ra_error_units="furlongs", redshift=-1
        )
        assert unknown is not None
        assert (unknown.distance, unknown.radius, unknown.redshift) == (None, None, None)


@pytest.mark.parametrize(
    ("units", "megaparsecs"),
    [
        ("cm", 3.2407793e-25),
        ("m", 3.2407793e-23),
        ("km", 3.2407793e-20),
        ("au", 4.8481368e-12),
        ("ly", 3.0660139e-7),
        ("pc", 1e-6),
        ("kpc", 1e-3),
        ("Mpc", 1),
        ("Gpc", 1e3),
    ],
)
def test_every_unit_of_distance_is_known(units: str, megaparsecs: float) -> None:
    found = position(distance=2, distance_units=units)
    assert found is not None and found.distance == pytest.approx(2 * megaparsecs, rel=1e-7)
    assert found.distance == pytest.approx((2 * Unit(units.replace("ly", "lyr"))).to_value("Mpc"), rel=1e-7)


@pytest.mark.parametrize(
    ("units", "per_degree"), [("degrees", 1), ("arcmin", 60), ("arcsec", 3_600), ("mas", 3.6e6)]
)
def test_every_unit_of_an_error_is_known(units: str, per_degree: float) -> None:
    found = position(ra_error=3, ra_error_units=units)
    assert found is not None and found.radius == pytest.approx(3 / per_degree)


def test_only_an_event_of_lvk_is_named() -> None:
    assert message("LVK s261122A").superevent_ids == ("S261122a",)
    for other in ("GRB 230409B", "AT2026abc", "", None, "GW170817"):
        assert message(other).superevent_ids == ()
    assert message(extra={"data": None}).superevent_ids == ()


@pytest.mark.parametrize("topic", ["hermes.latest", "hermes.contest", "attest.hermes", "", None])
def test_topic_whose_words_only_contain_test_names_real_events(topic: str | None) -> None:
    assert message(extra={"topic": topic}).superevent_ids == ("S261122a",)


def test_topic_for_tests_says_nothing_of_a_real_event() -> None:
    for topic in ("hermes.test", "hermes.Test-2", "test", "hermes.testing", "hermes.own_test.a"):
        assert message(extra={"topic": topic}).superevent_ids == ()
    assert message("MS261122ab", extra={"topic": "hermes.test"}).superevent_ids == ("MS261122ab",)


def test_repeat_has_the_same_key_and_other_content_another() -> None:
    assert message().key == message().key != message(title="Something else").key
    assert message(extra={"uuid": "5f2c"}).key == "5f2c"
    assert message(published=NOW).key == message().key


def test_message_has_its_own_time_else_that_of_its_arrival() -> None:
    earlier = datetime(2026, 11, 22, 3, tzinfo=UTC)
    assert message(published=earlier).created == earlier
    assert message().created == NOW
    row = {"target_name": "AT2026abc", "date_obs": "2026-11-22T03:00:00Z", "brightness": 20}
    assert decode_message(Stream.HERMES, hermes("S261122a", photometry=[row])).created == earlier
    with pytest.raises(UndecodablePayload, match="no time"):
        decode_message(Stream.HERMES, hermes("S261122a", photometry=[row | {"date_obs": "2026-11-22"}]))


def test_message_without_positions_is_a_report_and_one_without_content_undecodable() -> None:
    found = message(targets=[{"name": "comet", "orbital_elements": {}}])
    assert found.kind is MessageKind.REPORT and found.positions == ()
    assert message(title="").subject == "HERMES message without a title"
    assert message(authors="", extra={"submitter": "Jane Doe <jane@example.org>"}).author == "Jane Doe"
    with pytest.raises(UndecodablePayload, match="neither a title nor data"):
        message(title="", extra={"data": []})
    assert message(extra={"retracted": True}).is_retracted
