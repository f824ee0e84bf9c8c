"""Alerts that name no event: which are read, what they say, and their versions in any order."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.payload import UndecodablePayload, read_record
from bot.related_messages.coincidence import can_be_shown
from bot.related_messages.localization_error import radius_90
from bot.related_messages.nearby import (
    MAX_REGION_BYTES,
    NEARBY_KINDS,
    decode_nearby_alert,
    is_classified_as_burst,
    is_nearby_kind,
    recognize_nearby_alert,
)
from bot.related_messages.nearby_rates import LABELS, RATES, rate_per_year
from bot.related_messages.nearby_versions import AlertVersions, join_same_triggers
from bot.samples import ms181101ab, to_json
from bot.samples.nearby import gbm_ids, gbm_trigger, icecube_track, svom_trigger
from bot.store.events.nearby_json import from_json
from bot.store.events.nearby_json import to_json as stored_json
from formatters.models.nearby_alert import NearbyAlert
from tests.fuzz.mutations import _flip
from tests.support.clock import NOW
from tests.support.shared_data import NO_MESSAGES

TIME = NOW - timedelta(minutes=5)
NUMBER, NAME = gbm_ids(TIME)
SHARED = Path(__file__).resolve().parents[4] / "shared" / "gcn" / "notices"


def decoded(body: bytes, kind: str = "nearby") -> NearbyAlert:
    alert = decode_nearby_alert(kind, body)
    assert alert is not None
    return alert


def test_a_position_of_fermi_gbm() -> None:
    alert = decoded(gbm_trigger(TIME, 90.56, -67.87, 1.08))
    assert (alert.stream, alert.label, alert.key, alert.name) == ("fermi-gbm", "Fermi GBM", NUMBER, NAME)
    assert alert.ids == (NUMBER, NAME)
    assert alert.trigger_time == TIME and alert.created == TIME + timedelta(seconds=20)
    assert alert.position is not None
    position = alert.position
    assert (position.ra, position.dec, position.radius, position.containment) == (90.56, -67.87, 1.08, 0.68)
    assert not alert.systematic_included and alert.position_kind == "GROUND_POSITION"
    assert alert.is_burst and not alert.is_retracted and not alert.classification


@pytest.mark.parametrize("ids", [[NUMBER, NAME], [NAME, NUMBER], [int(NUMBER), NAME]])
def test_the_triggers_number_is_the_key_in_whatever_order_the_ids_stand(ids: list[object]) -> None:
    alert = decoded(gbm_trigger(TIME, 1, 2, extra={"id": ids}))
    assert (alert.key, alert.name) == (NUMBER, NAME)


def test_svoms_instruments_are_streams_of_their_own_with_the_same_key() -> None:
    eclairs, grm = decoded(svom_trigger(TIME, 1, 2)), decoded(svom_trigger(TIME, 1, 2, 9, instrument="GRM"))
    assert (eclairs.stream, eclairs.label) == ("svom-eclairs", "SVOM ECLAIRs")
    assert (grm.stream, grm.label) == ("svom-grm", "SVOM GRM")
    assert eclairs.key == grm.key == "sb24022203"


@pytest.mark.parametrize(("pipeline", "stream"), [("Gold", "icecube-gold"), ("Bronze", "icecube-bronze")])
def test_icecubes_tracks(pipeline: str, stream: str) -> None:
    alert = decoded(icecube_track(TIME, 345.82, 9.01, pipeline=f"{pipeline} Track Alert"))
    assert (alert.stream, alert.label) == (stream, f"IceCube {pipeline} track")
    assert alert.name == f"IceCube-{TIME:%y%m%d}A" and alert.key == "137840_57034692"


def altered(body: bytes, **changes: object) -> bytes:
    record = json.loads(body) | changes
    return json.dumps({key: value for key, value in record.items() if value is not None}).encode()


@pytest.mark.parametrize(
    "body",
    [
        svom_trigger(TIME, 1, 2, alert_tense="test"),
        gbm_trigger(TIME, 1, 2, extra={"alert_tense": "injection"}),
        gbm_trigger(TIME, 1, 2, extra={"alert_tense": "something new"}),
        gbm_trigger(TIME, 1, 2, extra={"alert_tense": 7}),
        gbm_trigger(TIME, 1, 2, extra={"reliability": "HIGH"}),
        gbm_trigger(TIME, 1, 2, subtype="SUBTHRESHOLD"),
        gbm_trigger(TIME, 1, 2, extra={"instrument": "LAT"}),
        icecube_track(TIME, 1, 2, pipeline="Cascade Alert"),
        icecube_track(TIME, 1, 2, pipeline="Silver Track Alert"),
        svom_trigger(TIME, 1, 2, extra={"instrument": "VT"}),
        altered(gbm_trigger(TIME, 1, 2), **{"$schema": "https://x/gcn/notices/chime/frb.schema.json"}),
        altered(gbm_trigger(TIME, 1, 2), **{"$schema": None, "mission": "Einstein Probe", "instrument": ""}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", NEARBY_KINDS)
def test_tests_and_kinds_that_are_not_listed_are_no_alerts(body: bytes, kind: str) -> None:
    assert decode_nearby_alert(kind, body) is None


def test_a_topics_kind_counts_where_the_alert_does_not_say_what_it_is() -> None:
    bare = altered(gbm_trigger(TIME, 1, 2), **{"$schema": None, "mission": None, "instrument": None})
    assert decode_nearby_alert("nearby", bare) is None
    assert decoded(bare, "fermi-gbm").stream == "fermi-gbm"


@pytest.mark.parametrize(
    ("kind", "known"),
    [*((kind, True) for kind in NEARBY_KINDS), ("circulars", False), (None, False), ("", False)],
)
def test_kinds_of_topics(kind: str | None, known: bool) -> None:
    assert is_nearby_kind(kind) is known


def test_kinds_are_recognized_by_content() -> None:
    found = [
        recognize_nearby_alert(read_record(body))
        for body in (gbm_trigger(TIME, 1, 2), svom_trigger(TIME, 1, 2), icecube_track(TIME, 1, 2))
    ]
    assert found == ["fermi-gbm", "svom", "icecube-track"]
    frb = altered(svom_trigger(TIME, 1, 2), **{"$schema": "https://x/gcn/notices/chime/frb.schema.json"})
    assert recognize_nearby_alert(read_record(frb)) == "nearby", "read as no alert, and not as a notice"
    assert recognize_nearby_alert(read_record(to_json(ms181101ab(NOW)[1]))) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "The alert has no usable id."),
        ({"id": [{}]}, "The alert has no usable id."),
        ({"trigger_time": None}, "The alert has no usable trigger_time."),
        ({"trigger_time": "yesterday"}, "The alert has no usable trigger_time."),
    ],
)
def test_a_real_trigger_without_id_or_time_is_undecodable(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(UndecodablePayload) as error:
        decode_nearby_alert("nearby", altered(gbm_trigger(TIME, 1, 2), **changes))
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("classes", "is_burst", "is_classified"),
    [
        ({"GRB": 0.9, "SGR": 0.1}, True, True),
        ({"BELOW_HORIZON": 1}, False, False),
        ({"SFLARE": 0.6, "GRB": 0.4}, False, False),
        ({"LOCLPAR": 0.7}, False, False),
        ({"NEW_CLASS": 0.9}, True, False),
        ({}, True, False),
        (None, True, False),
        ("GRB", True, True),
        ({"GRB": "high"}, True, False),
        ([1], True, False),
    ],
)
def test_gbms_classes(classes: Any, is_burst: bool, is_classified: bool) -> None:
    alert = decoded(altered(gbm_trigger(TIME, 1, 2), classification=classes))
    assert (alert.is_burst, is_classified_as_burst(alert)) == (is_burst, is_classified)


def test_an_ellipse_counts_as_the_circle_around_it() -> None:
    alert = decoded(gbm_trigger(TIME, 1, 2, extra={"ra_dec_error": [0.5, 0.6, 90]}))
    assert alert.position is not None and alert.position.radius == 0.6


def test_a_map_in_the_alert_is_kept_and_a_huge_one_left_out() -> None:
    assert decoded(gbm_trigger(TIME, 1, 2, extra={"healpix_file": "U0lNUExF"})).region_fits == b"SIMPLE"
    assert decoded(gbm_trigger(TIME, 1, 2, extra={"healpix_file": "not base64!"})).region_fits is None
    huge = "A" * (MAX_REGION_BYTES * 2)
    assert decoded(gbm_trigger(TIME, 1, 2, extra={"healpix_file": huge})).region_fits is None


@pytest.mark.parametrize("year", [1, 1970, 2101, 9999])
def test_a_version_of_an_impossible_year_does_not_stand_above_all_others(year: int) -> None:
    alert = decoded(altered(gbm_trigger(TIME, 1, 2), alert_datetime=f"{year:04}-01-01T00:00:00Z"))
    assert alert.created == alert.trigger_time


def test_texts_are_one_short_line() -> None:
    alert = decoded(gbm_trigger(TIME, 1, 2, extra={"id": ["a\nb\0" + "c" * 1000]}))
    assert len(alert.key) <= 64 and "\n" not in alert.key and "\0" not in alert.key


def test_every_kind_has_a_rate_with_its_source() -> None:
    assert LABELS.keys() == RATES.keys()
    assert all(rate.source and rate.classified for rate in RATES.values())
    assert rate_per_year("fermi-gbm", is_classified=True) == 235.6
    assert rate_per_year("svom-grm", is_classified=False) is None, "its other triggers aren't counted"
    assert rate_per_year("einstein-probe", is_classified=True) is None


# Versions

FLIGHT = gbm_trigger(
    TIME, 80, 10, 8.0, delay_s=15, subtype="FLIGHT_POSITION", record_number=2, systematic_included=True,
    classification={"GRB": 0.8},
)  # fmt: skip
GROUND = gbm_trigger(TIME, 84, 12, 3.0, delay_s=60, record_number=5)
FINAL = gbm_trigger(TIME, 85, 13, 2.0, delay_s=600, subtype="FINAL_POSITION", record_number=9)
RETRACTION = altered(
    gbm_trigger(TIME, 0, 0, delay_s=3000, alert_type="retraction"), ra=None, dec=None, ra_dec_error=None
)


def joined(*bodies: bytes) -> NearbyAlert:
    return reduce(AlertVersions.joined, (AlertVersions.of(decoded(body)) for body in bodies)).alert


def test_the_newest_position_counts_and_an_older_class_stays() -> None:
    alert = joined(FLIGHT, GROUND, FINAL)
    assert alert.position is not None and alert.position.ra == 85
    assert alert.position_kind == "FINAL_POSITION" and not alert.systematic_included
    assert alert.classification == "GRB" and is_classified_as_burst(alert)


def test_a_class_alone_leaves_the_position() -> None:
    reclassified = altered(
        gbm_trigger(TIME, 0, 0, delay_s=700, classification={"SFLARE": 0.9}), ra=None, dec=None
    )
    alert = joined(FINAL, reclassified)
    assert alert.position is not None and alert.position.ra == 85 and not alert.is_burst


def test_a_retraction_ends_the_alert_until_a_newer_version_revives_it() -> None:
    assert joined(FINAL, RETRACTION).is_retracted and not can_be_shown(joined(FINAL, RETRACTION))
    assert not joined(RETRACTION, gbm_trigger(TIME, 85, 13, delay_s=4000)).is_retracted


def test_the_ground_may_contradict_the_spacecrafts_class() -> None:
    below = gbm_trigger(TIME, 80, 10, 8.0, delay_s=15, classification={"BELOW_HORIZON": 1})
    long = altered(GROUND, duration_class="LONG")
    assert not joined(below, GROUND).is_burst, "a position says nothing of the class"
    alert = joined(below, long)
    assert (alert.is_burst, alert.classification, alert.duration_class) == (True, "", "LONG")
    assert not joined(long, altered(below, alert_datetime="2030-01-01T00:00:00")).is_burst


def test_versions_that_name_one_of_two_ids_are_one_trigger() -> None:
    number = AlertVersions.of(decoded(gbm_trigger(TIME, 1, 2, extra={"id": [NUMBER]})))
    name = AlertVersions.of(decoded(gbm_trigger(TIME, 3, 4, delay_s=90, extra={"id": [NAME]})))
    both = AlertVersions.of(decoded(gbm_trigger(TIME, 1, 2, delay_s=40)))
    assert len(join_same_triggers([number, name])) == 2, "nothing says that they are the same"
    for order in ((number, name, both), (both, number, name), (name, both, number)):
        (one,) = join_same_triggers(order)
        assert one.alert.name == NAME and one.alert.position is not None and one.alert.position.ra == 3


def test_instruments_are_not_joined() -> None:
    eclairs, grm = decoded(svom_trigger(TIME, 1, 2)), decoded(svom_trigger(TIME, 1, 2, instrument="GRM"))
    assert len(join_same_triggers(map(AlertVersions.of, (eclairs, grm)))) == 2


versions = st.builds(
    lambda delay, number, kind, position, classes, duration, ids: altered(
        gbm_trigger(TIME, position or 0, 5, delay_s=delay, record_number=number, alert_type=kind),
        ra=position,
        classification=classes,
        duration_class=duration,
        id=ids,
    ),
    st.sampled_from([10, 20, 20, 30]),
    st.integers(0, 3),
    st.sampled_from(["initial", "update", "retraction"]),
    st.none() | st.integers(0, 359),
    st.none() | st.sampled_from([{"GRB": 0.9}, {"SFLARE": 0.9}, {"NEW": 1}]),
    st.none() | st.sampled_from(["SHORT", "LONG"]),
    st.sampled_from([[NUMBER], [NUMBER, NAME]]),
)


@pytest.mark.slow
@given(st.lists(versions, min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_arrival_and_repeats_do_not_matter(bodies: list[bytes], rng: random.Random) -> None:
    parts = [AlertVersions.of(decoded(body)) for body in bodies]
    mixed = [*parts, *rng.choices(parts, k=3)]
    rng.shuffle(mixed)
    state = reduce(AlertVersions.joined, parts)
    assert reduce(AlertVersions.joined, mixed) == state
    half = len(mixed) // 2
    groups = [reduce(AlertVersions.joined, part) for part in (mixed[:half], mixed[half:]) if part]
    assert reduce(AlertVersions.joined, groups) == state


@given(st.lists(versions, min_size=1, max_size=4))
@settings(deadline=None)
def test_what_is_stored_is_read_back(bodies: list[bytes]) -> None:
    state = reduce(AlertVersions.joined, (AlertVersions.of(decoded(body)) for body in bodies))
    assert from_json(stored_json(state)) == state


def test_a_stored_map_is_read_back_and_what_a_newer_version_adds_is_survived() -> None:
    alert = replace(decoded(GROUND), region_fits=b"\0\1")
    text = stored_json(AlertVersions.of(alert))
    assert from_json(text).alert.region_fits == b"\0\1"
    content = json.loads(text)
    content["newest"]["colour"] = "blue"
    content["positioned"]["position"]["shape"] = "round"
    content["future"] = {}
    assert from_json(json.dumps(content)) == AlertVersions.of(alert)


# Hostile payloads

SEEDS = (FLIGHT, GROUND, FINAL, RETRACTION, svom_trigger(TIME, 1, 2), icecube_track(TIME, 1, 2))
KEYS = sorted({key for body in SEEDS for key in json.loads(body)} | {"healpix_file", "duration_class"})
plain_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
json_values = st.recursive(
    plain_values | st.just("9" * 5000) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def is_survived(body: bytes) -> None:
    for kind in NEARBY_KINDS:
        try:
            alert = decode_nearby_alert(kind, body)
        except UndecodablePayload as error:
            assert error.reason.endswith(".")
            continue
        if alert is not None:
            state = AlertVersions.of(alert)
            assert from_json(stored_json(state)) == state
            assert alert.key and len(alert.key) <= 128
            radius = radius_90(alert)
            assert radius is None or 0 < radius <= 180


@given(st.sampled_from(SEEDS), st.dictionaries(st.sampled_from(KEYS), json_values, max_size=4))
@settings(deadline=None)
def test_any_value_of_any_key_is_survived(body: bytes, changes: dict[str, Any]) -> None:
    is_survived(json.dumps(json.loads(body) | changes).encode())


def shared_seeds() -> list[bytes]:
    names = ("fermi", "svom", "icecube.single", "chime", "einstein")
    return [path.read_bytes() for path in sorted(SHARED.glob("*.json")) if path.name.startswith(names)]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("make", [lambda: list(SEEDS), shared_seeds], ids=["made", "published"])
def test_two_thousand_mutants_of_each_kind_are_survived(make: Callable[[], list[bytes]]) -> None:
    for seed_body in make():
        for seed in range(2_000):
            is_survived(_flip(seed_body, random.Random(seed)))


# GCN's own examples


@pytest.mark.skipif(not SHARED.is_dir(), reason=NO_MESSAGES)
def test_gcns_examples() -> None:
    found = {
        path.name: decode_nearby_alert("nearby", path.read_bytes()) for path in sorted(SHARED.glob("*.json"))
    }
    read = {name: alert for name, alert in found.items() if alert is not None}
    assert read.keys() == {
        "fermi.gbm.trigger.flight1.json",
        "fermi.gbm.trigger.ground2.json",
        "icecube.single_neutrino_alerts.gold_bronze_track_alerts.json",
    }, "SVOM's are tests, the others name an event or are of no listed kind"
    flight, ground, track = read.values()
    assert (flight.key, flight.name) == (ground.key, ground.name) == ("745121685", "bn240812094")
    assert flight.trigger_time == datetime(2024, 8, 24, 2, 14, 40, 430000, tzinfo=UTC)
    assert flight.classification == "BELOW_HORIZON" and ground.duration_class == "LONG"
    both = AlertVersions.of(flight).joined(AlertVersions.of(ground)).alert
    assert both.is_burst and both.position == ground.position
    assert (track.stream, track.name) == ("icecube-bronze", "IceCube-230416A")
