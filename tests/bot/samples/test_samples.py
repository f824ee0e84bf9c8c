"""The notices that the project makes itself: as LVK's, but by formula."""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.table import Table
from astropy_healpix import healpix_to_lonlat
from jsonschema import Draft202012Validator

from bot import samples
from bot.alerts.decode import UndecodablePayload, decode
from bot.filters import parse_filter
from bot.filters.evaluator import evaluate_filter
from bot.filters.event_attributes import extract_attributes
from bot.samples import Record, edge_cases
from bot.samples.skymaps import refine_tiles, ring, sky_map, streak, tile_areas, uniq_to_order
from formatters.models.notice import (
    ALERT_TYPES,
    INITIAL,
    PRELIMINARY,
    RETRACTION,
    Category,
    Notice,
    canonical_id,
    category_from_id,
)
from formatters.models.superevent import Superevent

NOW = datetime(2026, 11, 22, 12, 34, 56, 789000, tzinfo=UTC)
JUST_AFTER_MIDNIGHT = datetime(2026, 12, 1, 0, 11, 2, tzinfo=UTC)
SQUARE_DEGREES = math.degrees(1) ** 2

NAMES = (
    "ms181101ab",
    "bns",
    "bbh",
    "burst",
    "ssm",
    "ssm_coincidence",
    "cwb_bbh",
    "low_significance",
    "retracted",
    "mock",
    "one_detector",
)
MAP_KEYS = (("event", "skymap"), ("external_coinc", "combined_skymap"))

each_event = pytest.mark.parametrize("name", NAMES)


@cache
def events() -> dict[str, tuple[Record, ...]]:
    return samples.all_sample_events(NOW)


def maps(name: str) -> list[bytes]:
    """The different maps of an event's notices."""
    found = [record[part][key] for record in events()[name] for part, key in MAP_KEYS if record[part]]
    return list(dict.fromkeys(found))


@cache
def validator() -> Draft202012Validator:
    schema = resources.files("igwn_gwalert_schema") / "igwn.alerts.Alert.schema.json"
    return Draft202012Validator(
        json.loads(schema.read_text()), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def parsed(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=UTC
    )


def read(skymap: bytes) -> Table:
    return Table.read(io.BytesIO(skymap), format="fits")


def areas(skymap: bytes) -> tuple[float, float]:
    """50 and 90 % credible areas, deg²."""
    table = read(skymap)
    area = tile_areas(uniq_to_order(np.asarray(table["UNIQ"], dtype=np.int64)))
    density = np.asarray(table["PROBDENSITY"], dtype=float)
    ranked = np.argsort(-density)
    cumulated = np.cumsum((density * area)[ranked])
    at_50, at_90 = np.interp([0.5, 0.9], cumulated, np.cumsum(area[ranked])) * SQUARE_DEGREES
    return float(at_50), float(at_90)


def peak(skymap: bytes) -> tuple[float, float]:
    """RA and Dec of the peak tile as the user guide computes them, degrees."""
    table = read(skymap)
    uniq = int(table["UNIQ"][np.argmax(table["PROBDENSITY"])])
    order = (uniq.bit_length() - 3) // 2
    lon, lat = healpix_to_lonlat(uniq - 4 * 4**order, 2**order, order="nested")
    return float(Angle(lon).deg), float(Angle(lat).deg)


# notices


@pytest.mark.slow
@each_event
def test_json_passes_lvks_schema(name: str) -> None:
    for record in events()[name]:
        assert list(validator().iter_errors(json.loads(samples.to_json(record)))) == []


@pytest.mark.slow
@each_event
def test_times_are_recent_and_in_the_past(name: str) -> None:
    for record in events()[name]:
        created = parsed(record["time_created"])
        assert NOW - timedelta(minutes=30) < created <= NOW
        if record["event"]:
            assert created - parsed(record["event"]["time"]) < timedelta(minutes=30)


@pytest.mark.slow
@pytest.mark.parametrize("now", [NOW, JUST_AFTER_MIDNIGHT])
def test_ids_fit_the_date_of_their_event(now: datetime) -> None:
    for name, notices in samples.all_sample_events(now).items():
        ids = {record["superevent_id"] for record in notices}
        assert len(ids) == 1, name
        superevent_id = ids.pop()
        assert canonical_id(superevent_id) == superevent_id
        assert category_from_id(superevent_id) is (
            Category.MOCK if name in ("mock", "ms181101ab") else Category.REAL
        )
        if name != "ms181101ab":
            first = parsed(notices[0]["event"]["time"])
            assert re.sub(r"\D", "", superevent_id) == f"{first:%y%m%d}"


@pytest.mark.slow
def test_every_event_is_tested() -> None:
    assert tuple(events()) == NAMES


@pytest.mark.slow
def test_ids_of_events_differ() -> None:
    ids = [notices[0]["superevent_id"] for notices in events().values()]
    assert len(set(ids)) == len(ids)


@each_event
def test_notices_of_an_event_are_in_order_and_never_of_one_second(name: str) -> None:
    created = [parsed(record["time_created"]) for record in events()[name]]
    assert created == sorted(set(created))


def test_the_same_moment_gives_the_same_bytes() -> None:
    again = samples.bbh(NOW)
    assert [samples.to_avro(r) for r in again] == [samples.to_avro(r) for r in events()["bbh"]]


def test_ms181101ab_has_the_facts_of_the_user_guide() -> None:
    notices = samples.ms181101ab(NOW)
    assert [record["alert_type"] for record in notices] == [
        "EARLYWARNING",
        "PRELIMINARY",
        "PRELIMINARY",
        "INITIAL",
        "UPDATE",
        "RETRACTION",
    ]
    event = notices[1]["event"]
    assert event["far"] == 9.11069936486e-14
    assert event["classification"] == {"BNS": 0.95, "NSBH": 0.01, "BBH": 0.03, "Terrestrial": 0.01}
    assert event["properties"] == {"HasNS": 0.95, "HasRemnant": 0.91, "HasMassGap": 0.01}
    header = read(event["skymap"]).meta
    assert (header["DISTMEAN"], header["DISTSTD"]) == (39.76999609489013, 8.308435058808886)
    assert peak(event["skymap"]) == samples.MS181101AB_PEAK
    assert areas(event["skymap"]) == pytest.approx((8.90, 30.98), rel=0.015)
    combined = notices[4]["external_coinc"]["combined_skymap"]
    assert peak(combined) == samples.MS181101AB_PEAK
    assert areas(combined) == pytest.approx((8.29, 27.71), rel=0.02)


def test_ms181101ab_is_like_the_official_sample(shared_notices: Path) -> None:
    with (shared_notices / "official" / "MS181101ab-ext-update.avro").open("rb") as file:
        official: Any = next(fastavro.reader(file))
    ours = samples.ms181101ab(NOW)[4]
    for part, key in (("event", "skymap"), ("external_coinc", "combined_skymap")):
        theirs = official[part].pop(key)
        made = ours[part][key]
        assert peak(made) == peak(theirs)
        assert areas(made) == pytest.approx(areas(theirs), rel=0.02)
        assert len(made) == pytest.approx(len(theirs), rel=0.01)
        left, right = read(made), read(theirs)
        assert left.colnames == right.colnames
        assert [left[c].unit for c in left.colnames] == [right[c].unit for c in right.colnames]
        assert [left[c].dtype for c in left.colnames] == [right[c].dtype for c in right.colnames]
        assert {key for key in right.meta if not key.startswith(("VCS", "DATE-BLD"))} <= set(left.meta)
    changing = {"time"}
    assert {k: v for k, v in ours["event"].items() if k not in changing | {"skymap"}} == {
        k: v for k, v in official["event"].items() if k not in changing
    }
    assert samples.without_maps(ours)["external_coinc"] == official["external_coinc"] | {
        "combined_skymap": None
    }


def test_sample_events_have_the_attributes_of_their_kind() -> None:
    burst = events()["burst"][0]["event"]
    assert (burst["group"], burst["classification"], burst["properties"]) == ("Burst", {}, {})
    assert (round(burst["central_frequency"]), round(burst["duration"] * 1000, 1)) == (487, 1.4)
    ssm = events()["ssm_coincidence"][0]
    assert ssm["event"]["search"] == "SSM"
    assert ssm["event"]["classification"] == {}
    assert ssm["event"]["significant"]
    assert ssm["event"]["far"] > 1 / (30 * 86400)
    assert "HasSSM" in ssm["event"]["properties"]
    cwb = events()["cwb_bbh"][0]["event"]
    assert (cwb["group"], cwb["pipeline"], cwb["search"]) == ("CBC", "CWB", "BBH")
    assert [r["event"]["significant"] for r in events()["low_significance"]] == [False, False]
    assert [r["alert_type"] for r in events()["retracted"]] == [PRELIMINARY, RETRACTION]
    assert events()["one_detector"][0]["event"]["instruments"] == ["L1"]


@each_event
def test_class_probabilities_sum_to_one(name: str) -> None:
    for record in events()[name]:
        if record["event"] and record["event"]["classification"]:
            assert sum(record["event"]["classification"].values()) == pytest.approx(1)
        if record["event"] and record["event"].get("mchirp_source"):
            bins = record["event"]["mchirp_source"]
            assert sum(bins["probabilities"]) == pytest.approx(1)
            assert len(bins["bin_edges"]) == len(bins["probabilities"]) + 1


# bytes


@pytest.mark.slow
@each_event
@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_avro_is_read_back_as_it_was(name: str, codec: Any) -> None:
    for record in events()[name]:
        reader: Any = fastavro.reader(io.BytesIO(samples.to_avro(record, codec=codec)))
        (back,) = list(reader)
        expected = dict(record)
        if record["event"]:
            expected["event"] = {"mchirp_source": None} | record["event"]
        assert back == expected
        assert reader.codec == codec
        assert reader.writer_schema["name"] == "igwn.alerts.Alert"


def test_avro_schema_1_0_lacks_later_fields() -> None:
    data = samples.to_avro(events()["bns"][1], version="1.0")
    reader: Any = fastavro.reader(io.BytesIO(data))
    (back,) = list(reader)
    assert reader.writer_schema["name"] == "igwn.alerts.v1_0.Alert"
    assert "mchirp_source" not in back["event"]


def test_avro_takes_any_namespace() -> None:
    reader: Any = fastavro.reader(io.BytesIO(samples.to_avro(events()["bns"][0], namespace="igwn.alerts.v9")))
    assert reader.writer_schema["name"] == "igwn.alerts.v9.Alert"


def test_avro_1_3_carries_a_notice_id_with_letters() -> None:
    record = edge_cases.string_notice_id(NOW)
    (back,) = list(fastavro.reader(io.BytesIO(samples.to_avro(record))))
    assert isinstance(back, dict)
    assert back["external_coinc"]["gcn_notice_id"] == "sb26010203"


def test_our_avro_schema_has_lvks_fields() -> None:
    schema = resources.files("igwn_gwalert_schema") / "igwn.alerts.Alert.avsc"
    official = fastavro.parse_schema(json.loads(schema.read_text()))
    data = samples.to_avro(events()["bns"][3])
    (back,) = list(fastavro.reader(io.BytesIO(data), reader_schema=official))
    assert back == events()["bns"][3]


@each_event
def test_json_carries_the_maps_in_base64(name: str) -> None:
    for record in events()[name]:
        back = json.loads(samples.to_json(record))
        for part, key in (("event", "skymap"), ("external_coinc", "combined_skymap")):
            if record[part]:
                assert base64.b64decode(back[part][key], validate=True) == record[part][key]


# maps


@each_event
def test_sample_map_covers_the_sky_with_unit_probability(name: str) -> None:
    for skymap in maps(name):
        table = read(skymap)
        uniq = np.asarray(table["UNIQ"], dtype=np.int64)
        area = tile_areas(uniq_to_order(uniq))
        assert len(table) == 19_200
        assert len(np.unique(uniq)) == 19_200
        assert area.sum() == pytest.approx(4 * math.pi)
        assert (np.asarray(table["PROBDENSITY"]) * area).sum() == pytest.approx(1)


@each_event
def test_a_maps_header_is_like_bayestars(name: str) -> None:
    for skymap in maps(name):
        table = read(skymap)
        layout = {"PIXTYPE": "HEALPIX", "ORDERING": "NUNIQ", "COORDSYS": "C", "INDXSCHM": "EXPLICIT"}
        assert {key: table.meta[key] for key in layout} == layout
        assert table.meta["MOCORDER"] == uniq_to_order(np.asarray(table["UNIQ"], dtype=np.int64)).max()
        for key in ("REFERENC", "INSTRUME", "DATE-OBS", "MJD-OBS", "DATE", "CREATOR", "ORIGIN"):
            assert key in table.meta
        assert re.fullmatch(r"[GM]\d{6}", table.meta["OBJECT"])


@each_event
def test_a_maps_distances_are_its_headers(name: str) -> None:
    for skymap in maps(name):
        table = read(skymap)
        if "DISTMU" not in table.colnames:
            assert not [key for key in table.meta if key.startswith("DIST")]
            continue
        probability = np.asarray(table["PROBDENSITY"]) * tile_areas(
            uniq_to_order(np.asarray(table["UNIQ"], dtype=np.int64))
        )
        mu, sigma, norm = (np.asarray(table[c], dtype=float) for c in ("DISTMU", "DISTSIGMA", "DISTNORM"))
        # sums over a grid of distances: another way than the closed form that made the columns
        r = np.linspace(0, (mu + 9 * sigma).max(), 3000)[1:]
        likely = np.argsort(-probability)[::40]
        weight = probability[likely] / probability[likely].sum()
        mu, sigma, norm = mu[likely, None], sigma[likely, None], norm[likely, None]
        p = norm * r**2 * np.exp(-0.5 * ((r - mu) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
        step = r[1] - r[0]
        assert p.sum(axis=1) * step == pytest.approx(1, rel=1e-3)
        # every fortieth tile stands for its neighbours in rank
        mean = float(weight @ (p * r).sum(axis=1)) * step
        std = math.sqrt(float(weight @ (p * r**2).sum(axis=1)) * step - mean**2)
        assert mean == pytest.approx(table.meta["DISTMEAN"], rel=0.01)
        assert std == pytest.approx(table.meta["DISTSTD"], rel=0.03)


def test_areas_are_those_of_the_kinds_of_events() -> None:
    def area_90(name: str, number: int) -> float:
        return areas(events()[name][number]["event"]["skymap"])[1]

    assert area_90("bns", 0) > 1500 > 600 > area_90("bns", 1) > 300 > 60 > area_90("bns", 5) > 20
    assert area_90("bbh", 0) > 4 * area_90("bbh", 2)
    assert 15_000 < area_90("one_detector", 0) < 30_000
    combined = areas(events()["bns"][3]["external_coinc"]["combined_skymap"])[1]
    assert combined < area_90("bns", 3) / 3


def test_a_gaussian_has_a_gaussians_areas() -> None:
    # 2πσ² ln(1/(1−p))
    sigma = 3.0
    lobe = sky_map([(210, 40, 1, sigma)], superevent_id="S260102a", time=NOW)
    expected = [2 * math.pi * sigma**2 * math.log(1 / (1 - p)) for p in (0.5, 0.9)]
    assert areas(lobe) == pytest.approx(expected, rel=0.01)
    long = sky_map(streak(210, 40, bearing=77, length=9, width=1), superevent_id="S260102a", time=NOW)
    assert areas(long) == pytest.approx(expected, rel=0.05)


def test_a_map_is_dated_by_its_event() -> None:
    # date and modified Julian date of the official sample
    time = datetime(2018, 11, 1, 22, 22, 46, 654437, tzinfo=UTC)
    header = read(sky_map([(0, 0, 1, 5)], superevent_id="MS181101ab", time=time)).meta
    assert header["DATE-OBS"] == "2018-11-01T22:22:46.654437"
    assert header["MJD-OBS"] == pytest.approx(58423.93248442635, abs=1e-9)


def test_a_ring_is_a_ring() -> None:
    uniq, density = refine_tiles(ring(90, 90, radius=50, width=2, brightest=0))
    order = uniq_to_order(uniq)
    _, lat = healpix_to_lonlat(uniq - 4 * 4**order, 2**order, order="nested")
    share = density * tile_areas(order)
    assert share[np.abs(lat.deg - 40) < 6].sum() > 0.99


@pytest.mark.parametrize("std", [0.5, 80])
def test_a_distance_that_no_columns_give_is_refused(std: float) -> None:
    with pytest.raises(ValueError, match="No distance columns"):
        sky_map([(0, 0, 1, 5)], superevent_id="S260102a", time=NOW, distance=(100, std))


def test_bursts_have_no_distance() -> None:
    assert read(events()["burst"][0]["event"]["skymap"]).colnames == ["UNIQ", "PROBDENSITY"]


# the story


def test_demo_notices_are_in_order_and_have_every_alert_type() -> None:
    told = samples.create_demo_notices(NOW)
    created = [parsed(sample.record["time_created"]) for sample in told]
    assert created == sorted(set(created))
    assert {sample.record["alert_type"] for sample in told} == set(ALERT_TYPES)
    assert len({sample.name for sample in told}) == len(told)
    assert all(sample.pause_s > 0 for sample in told)
    assert any(sample.record["event"] and sample.record["event"]["group"] == "Burst" for sample in told)


def test_demo_retracts_only_announced_events() -> None:
    announced: set[str] = set()
    for sample in samples.create_demo_notices(NOW):
        if sample.record["alert_type"] == RETRACTION:
            assert sample.record["superevent_id"] in announced
            assert sample.record["event"] is None
        announced.add(sample.record["superevent_id"])


def test_the_story_has_a_burst_of_gamma_rays_after_the_neutron_stars() -> None:
    name = events()["bns"][0]["superevent_id"]
    told = [
        sample.record for sample in samples.create_demo_notices(NOW) if sample.record["superevent_id"] == name
    ]
    joint = [bool(record["external_coinc"]) for record in told]
    assert joint == [False, False, False, True, True, True]
    assert told[4]["alert_type"] == INITIAL
    assert -5 < told[3]["external_coinc"]["time_difference"] < 5


def test_the_story_shows_a_grade_that_rises_and_one_that_a_retraction_ends() -> None:
    grades = [grade.split(": ") for grade in samples.DEMO_GRADES.split("; ")]
    found: dict[str, list[str | None]] = {}
    notices: dict[str, list[Notice]] = {}
    for sample in samples.create_demo_notices(NOW):
        notice = decode(samples.to_avro(sample.record))
        notices.setdefault(notice.superevent_id, []).append(notice)
        attributes = extract_attributes(Superevent.from_notices(notices[notice.superevent_id]))
        holding = [
            name
            for name, words in grades
            if attributes is not None and evaluate_filter(parse_filter(words), attributes).matches
        ]
        found.setdefault(notice.superevent_id, []).append(next(iter(holding), None))
    binary, gone = (str(events()[name][0]["superevent_id"]) for name in ("bns", "retracted"))
    assert found[binary] == ["Bronze", "Silver", "Silver", "Silver", "Silver", "Gold"]
    assert found[gone][0] == "Bronze" and notices[gone][-1].alert_type == RETRACTION


def test_samples_are_written_in_both_forms(tmp_path: Path) -> None:
    paths = samples.write_samples(tmp_path / "new", NOW)
    assert len(paths) == 2 * sum(len(notices) for notices in events().values()) == len(set(paths))
    assert tmp_path / "new" / "MS181101ab-preliminary2.avro" in paths
    (back,) = list(
        fastavro.reader(io.BytesIO((tmp_path / "new" / "MS181101ab-preliminary.avro").read_bytes()))
    )
    other = json.loads((tmp_path / "new" / "MS181101ab-preliminary.json").read_bytes())
    assert isinstance(back, dict)
    assert back["time_created"] == other["time_created"]
    assert base64.b64decode(other["event"]["skymap"]) == back["event"]["skymap"]


# the odd ones


@cache
def odd_maps() -> dict[str, bytes]:
    return edge_cases.readable_maps()


@pytest.mark.parametrize(
    ("name", "rows", "columns", "kind"),
    [
        ("uint64_uniq", 19_200, 5, "u8"),
        ("int32_uniq", 19_200, 5, "i4"),
        ("two_columns", 19_200, 2, "i8"),
        ("amplfi", 12_288, 5, "i8"),
        ("infinite_distmu", 19_200, 5, "i8"),
        ("few_rows", 336, 5, "i8"),
        ("many_rows", 76_800, 5, "i8"),
    ],
)
def test_odd_maps_are_odd_and_yet_maps(name: str, rows: int, columns: int, kind: str) -> None:
    table = read(odd_maps()[name])
    assert (len(table), len(table.colnames), table["UNIQ"].dtype.str[1:]) == (rows, columns, kind)
    area = tile_areas(uniq_to_order(np.asarray(table["UNIQ"]).astype(np.int64)))
    assert (np.asarray(table["PROBDENSITY"]) * area).sum() == pytest.approx(1)


def test_amplfis_map_has_no_distance_in_its_header() -> None:
    table = read(edge_cases.amplfi())
    assert "DISTMU" in table.colnames
    assert not {"DISTMEAN", "DISTSTD"} & set(table.meta)
    assert set(uniq_to_order(np.asarray(table["UNIQ"], dtype=np.int64))) == {5}


def test_infinite_distmu_is_there() -> None:
    table = read(edge_cases.infinite_distmu())
    lost = np.isinf(np.asarray(table["DISTMU"]))
    assert lost.sum() == 1920
    assert set(np.asarray(table["DISTNORM"])[lost]) == {0.0}


def test_the_flat_map_is_gzipped_and_flat() -> None:
    with fits.open(io.BytesIO(gzip.decompress(edge_cases.flat_gzipped()))) as hdus:
        assert hdus[1].header["INDXSCHM"] == "IMPLICIT"
        assert hdus[1].data["PROB"].sum() == pytest.approx(1)


def test_broken_maps_are_broken() -> None:
    broken = edge_cases.broken_maps()
    assert f"NAXIS2  = {1_000_000_000:>20}".encode() in broken["billion_rows"]
    assert f"NAXIS2  = {19_200:>20}".encode() in broken["truncated"]
    assert len(broken["truncated"]) < 19_200 * 5 * 8
    with pytest.raises(OSError, match="SIMPLE"):
        fits.open(io.BytesIO(broken["not_fits"]))


def test_edge_case_notices_lack_the_named_fields() -> None:
    notices = edge_cases.readable_notices(NOW)
    assert notices["without_map"]["event"]["skymap"] is None
    assert notices["string_notice_id"]["external_coinc"]["gcn_notice_id"] == "sb26010203"
    assert "combined_skymap" not in notices["without_combined_map"]["external_coinc"]
    assert "ivorn" not in notices["without_ivorn"]["external_coinc"]
    assert {"schema_version", "notes"} < set(notices["unknown_keys"])
    assert not notices["times_without_z"]["time_created"].endswith("Z")
    assert "significant" not in notices["form_of_2022"]["event"]
    assert edge_cases.without_id(NOW)["superevent_id"] is None


# what decoding makes of them


@pytest.mark.slow
@each_event
def test_both_forms_decode_to_the_same_notice_with_its_maps_measured(name: str) -> None:
    for record in events()[name]:
        notice = decode(samples.to_avro(record))
        assert notice == decode(samples.to_json(record))
        assert notice.superevent_id == record["superevent_id"]
        assert notice.alert_type == record["alert_type"]
        assert (notice.localization is None) == (record["event"] is None)
        assert notice.map_problem is None
        if record["event"]:
            assert notice.localization is not None
            found = (notice.localization.area_50, notice.localization.area_90)
            assert found == pytest.approx(areas(record["event"]["skymap"]), rel=1e-3)
        if record["external_coinc"]:
            assert notice.external is not None
            assert notice.external.localization is not None
            assert notice.external.time_difference == record["external_coinc"]["time_difference"]


def test_the_sub_solar_coincidences_maps_barely_overlap() -> None:
    external = decode(samples.to_avro(events()["ssm_coincidence"][0])).external
    assert external is not None
    assert external.overlap is not None
    assert 0.01 < external.overlap < 0.06


def test_the_early_warning_is_nearer_along_its_peak() -> None:
    localization = decode(samples.to_avro(events()["bns"][0])).localization
    assert localization is not None
    assert localization.distance is not None
    assert localization.peak_distance is not None
    assert localization.distance.mean - localization.peak_distance.mean > localization.peak_distance.std


def test_some_maps_have_two_regions() -> None:
    for name, number in (("bns", 1), ("one_detector", 0)):
        localization = decode(samples.to_avro(events()[name][number])).localization
        assert localization is not None
        assert len(localization.regions) == 2


@pytest.mark.parametrize("name", ["truncated", "billion_rows", "not_fits"])
def test_broken_map_sets_the_map_problem(name: str) -> None:
    notice = decode(samples.to_avro(edge_cases.with_map(NOW, edge_cases.broken_maps()[name])))
    assert notice.localization is None
    assert notice.map_problem


def test_odd_notices_are_understood() -> None:
    for name, record in edge_cases.readable_notices(NOW).items():
        notice = decode(samples.to_json(record))
        assert notice.event is not None, name
        assert notice.map_problem is None, name


def test_a_notice_without_id_is_refused() -> None:
    with pytest.raises(UndecodablePayload):
        decode(samples.to_json(edge_cases.without_id(NOW)))
