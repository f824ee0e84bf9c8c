"""Payloads to notices: the schema's forms and history, and everything that is no notice."""

from __future__ import annotations

import base64
import io
import json
import random
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest
from astropy.io import fits

from bot.alerts.decode import MAX_PAYLOAD_BYTES, UndecodablePayload, decode, notice_from_record, unwrap_record
from bot.samples import edge_cases
from bot.samples import records as sample_notices
from formatters.models.notice import Category, MassBins, Notice

Record = dict[str, Any]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def base_map(**header: object) -> bytes:
    """A map of the twelve base tiles, one of them with nearly everything."""
    density = np.full(12, 0.02 / 11)
    density[7] = 0.98
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("UNIQ", format="K", array=np.arange(4, 16)),
            fits.Column("PROBDENSITY", format="D", array=density / (np.pi / 3)),
            fits.Column("DISTMU", format="D", array=np.full(12, 40.0)),
            fits.Column("DISTSIGMA", format="D", array=np.full(12, 8.0)),
            fits.Column("DISTNORM", format="D", array=np.full(12, 6e-4)),
        ]
    )
    table.header.update({"ORDERING": "NUNIQ", "COORDSYS": "C", "DISTMEAN": 42.0, "DISTSTD": 8.0} | header)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


MAP = base_map()


def record(**changes: Any) -> Record:
    made: Record = {
        "alert_type": "PRELIMINARY",
        "time_created": "2026-01-02T03:04:05Z",
        "superevent_id": "S260102ab",
        "urls": {"gracedb": "https://gracedb.ligo.org/superevents/S260102ab/view/"},
        "event": event(),
        "external_coinc": None,
    }
    return made | changes


def event(**changes: Any) -> Record:
    made: Record = {
        "time": "2026-01-02T03:00:00.123Z",
        "far": 1e-9,
        "significant": True,
        "instruments": ["H1", "L1"],
        "group": "CBC",
        "pipeline": "gstlal",
        "search": "AllSky",
        "classification": {"BNS": 0.95, "NSBH": 0.01, "BBH": 0.03, "Terrestrial": 0.01},
        "properties": {"HasNS": 0.95, "HasRemnant": 0.91},
        "duration": None,
        "central_frequency": None,
        "skymap": None,
    }
    return made | changes


def coincidence(**changes: Any) -> Record:
    made: Record = {
        "gcn_notice_id": 754189311,
        "ivorn": "ivo://nasa.gsfc.gcn/Fermi#GBM",
        "observatory": "Fermi",
        "search": "GRB",
        "time_difference": 1.5,
        "time_coincidence_far": 1e-9,
        "time_sky_position_coincidence_far": 1e-10,
    }
    return made | changes


def as_json(made: object) -> bytes:
    return json.dumps(made, default=lambda value: base64.b64encode(value).decode()).encode()


AVRO_SCHEMA: Record = {
    "type": "record",
    "name": "Alert",
    "namespace": "of.no.matter",
    "fields": [
        {"name": "superevent_id", "type": ["null", "string"]},
        {
            "name": "alert_type",
            "type": {"type": "enum", "name": "Kind", "symbols": ["PRELIMINARY", "UPDATE"]},
        },
        {"name": "time_created", "type": "string"},
        {"name": "urls", "type": {"type": "map", "values": "string"}},
        {
            "name": "event",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "EventInfo",
                    "fields": [
                        {"name": "time", "type": "string"},
                        {"name": "far", "type": "double"},
                        {"name": "significant", "type": "boolean"},
                        {"name": "instruments", "type": {"type": "array", "items": "string"}},
                        {"name": "classification", "type": {"type": "map", "values": "double"}},
                        {"name": "skymap", "type": ["null", "bytes"]},
                        {"name": "digest", "type": ["null", "bytes"], "default": None},
                        {"name": "uploaded", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                        {
                            "name": "snr",
                            "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
                        },
                    ],
                },
            ],
        },
    ],
}


def as_avro(codec: str = "null", schema: Record = AVRO_SCHEMA, *records: Record) -> bytes:
    made = {"superevent_id": "S260102ab", "alert_type": "PRELIMINARY", "time_created": "2026-01-02T03:04:05Z"}
    made["urls"] = {"gracedb": "https://gracedb.ligo.org/superevents/S260102ab/view/"}  # type: ignore[assignment]
    extra = {"digest": b"\0\xff", "uploaded": NOW, "snr": Decimal("12.50"), "skymap": MAP}
    buffer = io.BytesIO()
    fastavro.writer(buffer, schema, list(records) or [made | {"event": event() | extra}], codec=codec)
    return buffer.getvalue()


class TestPublished:
    @pytest.mark.slow
    def test_every_published_notice(self, shared_notices: Path) -> None:
        expected = json.loads((shared_notices / "expected.json").read_text())
        for name, figures in expected.items():
            notice = decode((shared_notices / name).read_bytes())
            assert notice.superevent_id == figures["superevent_id"], name
            assert notice.alert_type == figures["alert_type"], name
            assert f"{notice.time_created:%Y-%m-%dT%H:%M:%SZ}" == figures["time_created"], name
            assert (notice.event is None) == notice.is_retraction, name
            assert (notice.localization is None) == ("map" not in figures), name
            assert notice.map_problem is None, name
            combined = notice.external.localization if notice.external else None
            assert (combined is None) == ("combined" not in figures), name
            if "map" in figures and notice.localization is not None:
                assert notice.localization.area_90 == pytest.approx(figures["map"]["area_90"], rel=1e-3), name
            if combined is not None:
                assert combined.area_50 == pytest.approx(figures["combined"]["area_50"], rel=1e-3), name
            assert Notice.from_json(notice.to_json()) == notice, name

    def test_avro_and_json_of_one_notice_are_equal(self, shared_notices: Path) -> None:
        for stem in ("preliminary", "ext-update", "retraction"):
            avro, text = (
                decode((shared_notices / f"official/MS181101ab-{stem}.{kind}").read_bytes())
                for kind in ("avro", "json")
            )
            assert avro == text
            assert avro.published == text.published

    def test_the_sample_event(self, shared_notices: Path) -> None:
        notice = decode((shared_notices / "official/MS181101ab-preliminary.avro").read_bytes())
        assert notice.event is not None
        assert notice.event.far == 9.11069936486e-14
        assert notice.event.time == datetime(2018, 11, 1, 22, 22, 46, 654000, tzinfo=UTC)
        assert notice.event.classification == {"BNS": 0.95, "NSBH": 0.01, "BBH": 0.03, "Terrestrial": 0.01}
        assert notice.event.instruments == ("H1", "L1", "V1")
        assert notice.category is Category.MOCK
        assert "skymap" not in notice.published["event"]

    @pytest.mark.parametrize(
        ("name", "seconds"),
        [
            ("real/S241125n-UPDATE-RAVEN.json", 0.25),
            ("official/MS181101ab-ext-update.avro", 2.02),
            ("mock/MS230425l-preliminary.json", 0.27),
        ],
    )
    def test_positive_is_a_later_external_event(
        self, shared_notices: Path, name: str, seconds: float
    ) -> None:
        external = decode((shared_notices / name).read_bytes()).external
        assert external is not None and external.time_difference == seconds

    def test_overlap_of_a_combined_map(self, shared_notices: Path) -> None:
        external = decode((shared_notices / "real/S241125n-UPDATE-RAVEN.json").read_bytes()).external
        assert external is not None and external.overlap == pytest.approx(0.954, abs=0.001)


class TestForms:
    @pytest.mark.parametrize("codec", ["null", "deflate"])
    def test_avro_of_any_namespace(self, codec: str) -> None:
        notice = decode(as_avro(codec))
        assert notice.superevent_id == "S260102ab"
        assert notice.localization is not None and notice.localization.distance is not None
        assert notice.published["event"]["digest"] == "AP8="
        # A decimal stays the bytes that it is.
        assert notice.published["event"]["snr"] == base64.b64encode((1250).to_bytes(2, "big")).decode()
        assert notice.published["event"]["uploaded"] == "2026-01-02T03:04:05+00:00"

    @pytest.mark.parametrize("version", ["1.0", "1.3"])
    @pytest.mark.parametrize("codec", ["null", "deflate"])
    def test_a_sample_says_the_same_in_json_and_avro(self, version: Any, codec: Any) -> None:
        made = edge_cases.with_map(NOW, MAP)
        avro = decode(sample_notices.to_avro(made, version=version, codec=codec))
        assert avro == decode(sample_notices.to_json(made))

    @pytest.mark.parametrize("make", edge_cases.READABLE_NOTICES, ids=lambda make: make.__name__)
    def test_odd_notices_are_read(self, make: Callable[[datetime], Record]) -> None:
        notice = decode(sample_notices.to_json(make(NOW)))
        assert notice.map_problem is None and notice.event is not None
        assert Notice.from_json(notice.to_json()) == notice

    def test_hops_content_as_dict_or_list(self) -> None:
        made = record(event=event(skymap=MAP))
        assert (
            notice_from_record(unwrap_record(made))
            == notice_from_record(unwrap_record([made]))
            == decode(as_json([made]))
        )

    @pytest.mark.parametrize("content", [[], [{}, {}], "text", 7, None, [None]])
    def test_content_that_is_no_record(self, content: object) -> None:
        with pytest.raises(UndecodablePayload):
            unwrap_record(content)

    @pytest.mark.parametrize(
        ("given", "wanted"),
        [
            ("PRELIMINARY", "PRELIMINARY"),
            ("preliminary", "PRELIMINARY"),
            (" Early_Warning ", "EARLYWARNING"),
            ("EarlyWarning", "EARLYWARNING"),
            ("something_new", "SOMETHING_NEW"),
        ],
    )
    def test_alert_type(self, given: str, wanted: str) -> None:
        assert decode(as_json(record(alert_type=given))).alert_type == wanted

    @pytest.mark.parametrize(
        "given",
        [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05",
            "2026-01-02 03:04:05 UTC",
            "2026-01-02t03:04:05z",
            "2026-01-02T03:04:05.0000000009Z",
            "2026-01-02T05:04:05+02:00",
            "2026-01-02T05:04:05+0200",
        ],
    )
    def test_times(self, given: str) -> None:
        created = decode(as_json(record(time_created=given))).time_created
        assert created == NOW and created.utcoffset() == timedelta(0)

    def test_fraction_of_a_second(self) -> None:
        notice = decode(as_json(record(event=event(time="2026-01-02 03:00:00.5"))))
        assert notice.event is not None and notice.event.time.microsecond == 500_000

    def test_without_the_key_significant_it_is(self) -> None:
        made = event()
        del made["significant"]
        assert decode(as_json(record(event=made))).significant
        assert not decode(as_json(record(event=event(significant=False)))).significant

    def test_unknown_keys_are_carried(self) -> None:
        notice = decode(as_json(record(version="2.0", event=event(snr=[12.5, {"H1": 8}]))))
        assert notice.published["version"] == "2.0"
        assert notice.published["event"]["snr"] == [12.5, {"H1": 8}]

    def test_retraction(self) -> None:
        notice = decode(as_json(record(alert_type="RETRACTION", event=None)))
        assert notice.is_retraction and notice.event is None and notice.localization is None

    def test_unknown_type_may_come_without_an_event(self) -> None:
        assert decode(as_json(record(alert_type="HEARTBEAT", event=None))).event is None

    def test_id_in_any_case(self) -> None:
        assert decode(as_json(record(superevent_id="ms260102AB"))).superevent_id == "MS260102ab"

    def test_mass_bins(self) -> None:
        bins = {"bin_edges": [1, 2, 3], "probabilities": [0.25, 0.75]}
        notice = decode(as_json(record(event=event(mchirp_source=bins))))
        assert notice.event is not None
        assert notice.event.mchirp_source == MassBins(bin_edges=(1, 2, 3), probabilities=(0.25, 0.75))


class TestCoincidence:
    @pytest.mark.parametrize(
        ("superevent_id", "created", "wanted"),
        [
            ("S250116a", "2025-01-16T23:59:59Z", -1.5),
            ("S250117a", "2025-01-17T00:00:00Z", 1.5),
            ("S230518h", "2023-05-18T13:38:18Z", -1.5),
            ("MS181101ab", "2018-11-01T22:36:25Z", 1.5),
            ("MS181101ac", "2018-11-01T22:36:25Z", -1.5),
        ],
    )
    def test_sign_by_date(self, superevent_id: str, created: str, wanted: float) -> None:
        made = record(superevent_id=superevent_id, time_created=created, external_coinc=coincidence())
        notice = decode(as_json(made))
        assert notice.external is not None and notice.external.time_difference == wanted
        assert notice.published["external_coinc"]["time_difference"] == 1.5

    def test_turned_zero_has_no_sign(self) -> None:
        made = record(time_created="2023-05-18T13:38:18Z", external_coinc=coincidence(time_difference=0.0))
        external = decode(as_json(made)).external
        assert external is not None and str(external.time_difference) == "0.0"

    @pytest.mark.parametrize(
        ("given", "wanted"), [(754, "754"), ("sb26", "sb26"), (None, None), (True, None), ([1], None)]
    )
    def test_notice_id(self, given: object, wanted: str | None) -> None:
        external = decode(as_json(record(external_coinc=coincidence(gcn_notice_id=given)))).external
        assert external is not None and external.gcn_notice_id == wanted

    def test_nothing_but_an_observatory(self) -> None:
        external = decode(as_json(record(external_coinc={"observatory": "IceCube"}))).external
        assert external is not None
        assert (external.observatory, external.search, external.time_difference) == ("IceCube", "", None)
        assert external.localization is None and external.map_problem is None and external.overlap is None

    def test_combined_map(self) -> None:
        both = record(event=event(skymap=MAP), external_coinc=coincidence(combined_skymap=MAP))
        external = decode(as_json(both)).external
        assert external is not None and external.localization is not None
        assert external.overlap == pytest.approx(0.98)
        assert "combined_skymap" not in decode(as_json(both)).published["external_coinc"]

    def test_combined_map_that_cannot_be_read(self) -> None:
        notice = decode(as_json(record(external_coinc=coincidence(combined_skymap=b"<html>"))))
        assert notice.external is not None and notice.external.localization is None
        assert notice.external.map_problem == "The map isn't a FITS file."
        assert notice.map_problem is None and notice.external.overlap is None


class TestMaps:
    @pytest.mark.parametrize(
        "given",
        [b"", b"<html>", MAP[:-3000], "not base64!", "QUJD\x00", "ключ", 7, ["a"], {"a": 1}, True],
    )
    def test_unreadable_map_leaves_the_notice_readable(self, given: object) -> None:
        notice = decode(as_json(record(event=event(skymap=given))))
        assert notice.localization is None and notice.event is not None
        assert notice.map_problem is not None
        assert notice.map_problem.startswith("The map") and notice.map_problem.endswith(".")
        assert "skymap" not in notice.published["event"]

    def test_base64_in_lines(self) -> None:
        notice = decode(as_json(record(event=event(skymap=base64.encodebytes(MAP).decode()))))
        assert notice.map_problem is None and notice.localization is not None

    def test_no_map(self) -> None:
        notice = decode(as_json(record()))
        assert notice.localization is None and notice.map_problem is None


class TestFields:
    @pytest.mark.parametrize("far", ["1e-9 Hz", "nan", "1e999", None, True, [], {}, -1e-9, 10**400])
    def test_unusable_far_is_none_and_carried(self, far: object) -> None:
        notice = decode(as_json(record(event=event(far=far))))
        assert notice.event is not None and notice.event.far is None
        assert notice.published["event"]["far"] == far

    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
    def test_numbers_that_json_has_not(self, word: str) -> None:
        body = as_json(record()).replace(b"1e-09", word.encode())
        notice = decode(body)
        assert notice.event is not None and notice.event.far is None
        json.dumps(notice.published, allow_nan=False)
        assert notice.published["event"]["far"] in ("nan", "inf", "-inf")

    def test_far_of_nothing_is_a_rate(self) -> None:
        notice = decode(as_json(record(event=event(far=0))))
        assert notice.event is not None and notice.event.far == 0

    @pytest.mark.parametrize(
        "given", [[], None, "BNS", 3, {"BNS": "90 %", "BBH": None, "NSBH": 1.5, "X": -0.2}]
    )
    def test_unusable_probabilities(self, given: object) -> None:
        notice = decode(as_json(record(event=event(classification=given, properties=given))))
        assert notice.event is not None
        assert notice.event.classification == {} and notice.event.properties == {}
        assert notice.published["event"]["classification"] == given

    def test_rounding_of_probabilities(self) -> None:
        notice = decode(as_json(record(event=event(classification={"BNS": 1.0000002, "BBH": -1e-9}))))
        assert notice.event is not None and notice.event.classification == {"BNS": 1.0, "BBH": 0.0}

    @pytest.mark.parametrize(
        ("given", "wanted"),
        [(["H1", 7, None, " "], ("H1",)), ("H1,L1", ("H1", "L1")), (None, ()), ({"H1": 1}, ()), (7, ())],
    )
    def test_instruments(self, given: object, wanted: tuple[str, ...]) -> None:
        notice = decode(as_json(record(event=event(instruments=given))))
        assert notice.event is not None and notice.event.instruments == wanted

    @pytest.mark.parametrize("given", [None, 7, [], {}, ["a"]])
    def test_unusable_words_and_links(self, given: object) -> None:
        made = record(urls=given, event=event(group=given, pipeline=given, search=given))
        notice = decode(as_json(made))
        assert notice.event is not None
        assert (notice.event.group, notice.event.pipeline, notice.event.search) == ("", "", "")
        assert notice.urls == {}

    @pytest.mark.parametrize("given", [[], "text", 7, True])
    def test_unusable_coincidence_is_none(self, given: object) -> None:
        assert decode(as_json(record(external_coinc=given))).external is None

    @pytest.mark.parametrize(
        "given",
        [
            None,
            [],
            {"bin_edges": [1, 2], "probabilities": [0.5, 0.5]},
            {"bin_edges": [2, 1], "probabilities": [1]},
            {"bin_edges": [1, "two"], "probabilities": [1]},
            {"bin_edges": [1], "probabilities": []},
        ],
    )
    def test_unusable_mass_bins(self, given: object) -> None:
        notice = decode(as_json(record(event=event(mchirp_source=given))))
        assert notice.event is not None and notice.event.mchirp_source is None

    def test_text_that_no_database_takes(self) -> None:
        notice = decode(as_json(record(note="a\0b\ud800c", event=event(search="All\0Sky"))))
        assert notice.published["note"] == "a\ufffdb?c"
        assert notice.event is not None and notice.event.search == "All\ufffdSky"
        assert Notice.from_json(notice.to_json()).published == notice.published

    def test_huge_unknown_value_is_replaced_by_its_size(self) -> None:
        notice = decode(as_json(record(second_map="A" * 100_000)))
        assert notice.published["second_map"] == "(100,000 characters)"

    def test_deeply_nested_unknown_value_is_cut(self) -> None:
        deep: Any = "end"
        for _ in range(300):
            deep = [deep]
        notice = decode(as_json(record(deep=deep)))
        assert "nested too deeply" in json.dumps(notice.published["deep"])
        assert Notice.from_json(notice.to_json()) == notice


def zeros_in_avro(count: int) -> bytes:
    """A deflated block that expands to `count` bytes."""
    body = as_avro("deflate")
    header, sync = body[: body.rindex(body[-16:], 0, -16) + 16], body[-16:]
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(count)) + packer.flush()
    out = io.BytesIO()
    for number in (1, len(block)):
        fastavro.schemaless_writer(out, {"type": "long"}, number)
    return header + out.getvalue() + block + sync


def hostile(schema: object, block: bytes) -> bytes:
    """An Avro container of one record with this schema and these bytes, made without asking fastavro."""
    out = io.BytesIO()
    header = {
        "type": "record",
        "name": "Header",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": 4}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "sync", "type": {"type": "fixed", "name": "sync", "size": 16}},
        ],
    }
    meta = {"avro.schema": json.dumps(schema).encode()}
    fastavro.schemaless_writer(out, header, {"magic": b"Obj\x01", "meta": meta, "sync": bytes(16)})
    for number in (1, len(block)):
        fastavro.schemaless_writer(out, {"type": "long"}, number)
    return out.getvalue() + block + bytes(16)


def nested(depth: int) -> Record:
    """Records that each hold the one before twice: 2^depth values of no bytes."""
    schema: Record = {"type": "record", "name": "R0", "fields": [{"name": "n", "type": "null"}]}
    for level in range(1, depth):
        fields = [{"name": "a", "type": schema}, {"name": "b", "type": f"R{level - 1}"}]
        schema = {"type": "record", "name": f"R{level}", "fields": fields}
    return schema


MANY = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
LOOP = {"type": "record", "name": "ns.A", "fields": [{"name": "f", "type": "A"}]}
EMPTY = {"type": "record", "name": "E", "fields": []}

REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "neither Avro nor JSON"),
    "a web page": (b"<html>", "neither Avro nor JSON"),
    "binary": (b"\xff\xd8\xff\xe0" + bytes(50), "neither Avro nor text"),
    "a number": (b"7", "isn't a record"),
    "null": (b"null", "isn't a record"),
    "half": (as_json(record())[:200], "broken at character"),
    "thousands of brackets": (b"[" * 40_000, "of a kind"),
    "a million brackets": (b"[" * 1_000_000, "more than 50,000 values"),
    "a million numbers": (b"[" + b"1," * 1_000_000 + b"1]", "more than 50,000 values"),
    "thousands of digits": (b'{"a": ' + b"7" * 10_000 + b"}", "of a kind"),
    "too large": (b" " * (MAX_PAYLOAD_BYTES + 1), "at most 16,777,216"),
    "empty record": (b"{}", "superevent_id"),
    "id null": (as_json(record(superevent_id=None)), "superevent_id"),
    "id unprintable": (as_json(record(superevent_id="S260102\u202eba")), "superevent_id"),
    "id endless": (as_json(record(superevent_id="S" * 65)), "superevent_id"),
    "id blank": (as_json(record(superevent_id=" ")), "superevent_id"),
    "id a number": (as_json(record(superevent_id=7)), "superevent_id"),
    "no type": (as_json(record(alert_type=None)), "alert_type"),
    "type empty": (as_json(record(alert_type=" ")), "alert_type"),
    "type endless": (as_json(record(alert_type="A" * 1000)), "alert_type"),
    "no time": (as_json(record(time_created=None)), "time_created"),
    "time of nonsense": (as_json(record(time_created="2026-13-45T99:00:00Z")), "time_created"),
    "time before all times": (as_json(record(time_created="0001-01-01T00:00:00+10:00")), "time_created"),
    "time a number": (as_json(record(time_created=1767323045)), "time_created"),
    "no event": (as_json(record(event=None)), "no event with a usable time"),
    "event a list": (as_json(record(event=[])), "no event with a usable time"),
    "event without a time": (as_json(record(event=event(time="soon"))), "no event with a usable time"),
    "magic alone": (b"Obj\x01", "mangled"),
    "Avro cut": (as_avro()[:-100], "one whole block"),
    "Avro with more behind": (as_avro() + b"\0", "one whole block"),
    "unknown codec": (as_avro("bzip2"), "packed with"),
    "schema that holds itself": (hostile(LOOP, b""), "larger than any"),
    "schema that doubles": (hostile(nested(40), b""), "larger than any"),
    "endless nulls": (hostile({"type": "array", "items": "null"}, MANY), "takes no bytes"),
    "endless empty records": (hostile({"type": "array", "items": EMPTY}, MANY), "takes no bytes"),
    "endless maps of nothing": (
        hostile({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, MANY),
        "takes no bytes",
    ),
    "a million records of a byte": (
        hostile(
            {"type": "array", "items": {"type": "array", "items": "int"}}, b"\x80\x89\x7a" + bytes(1_000_001)
        ),
        "more than 50,000 values",
    ),
    "array without its items": (hostile({"type": "array", "items": "string"}, MANY), "mangled"),
    "text without its letters": (hostile("string", MANY), "mangled|isn't a record"),
    "schema of brackets": (hostile("x", b"").replace(b'"x"', b"[[["), "isn't JSON"),
}


class TestRefused:
    @pytest.mark.parametrize("name", REFUSED)
    def test_with_one_sentence(self, name: str) -> None:
        body, words = REFUSED[name]
        with pytest.raises(UndecodablePayload, match=words) as caught:
            decode(body)
        assert caught.value.reason.startswith("The ") and caught.value.reason.endswith(".")
        assert str(caught.value) == caught.value.reason

    @pytest.mark.slow
    def test_deflated_bomb(self) -> None:
        with pytest.raises(UndecodablePayload, match=r"The .*unpacks to more.*\."):
            decode(zeros_in_avro(200 * 2**20))

    def test_two_records(self) -> None:
        one = next(iter(fastavro.reader(io.BytesIO(as_avro()))))
        assert isinstance(one, dict)
        with pytest.raises(UndecodablePayload, match="2 records"):
            decode(as_avro("null", AVRO_SCHEMA, one, one))

    @pytest.mark.parametrize(
        "body",
        [
            as_json(record(alert_type=None)),
            as_json(record(time_created=None)),
            as_json(record(event=None)),
            as_json(record(superevent_id=None)),
            as_json(record())[:200],
            as_avro()[:-100],
            as_avro()[: as_avro().index(b"S260102ab") + 30],
            as_avro("bzip2").replace(b"avro.schema", b"avro.schemo") + b"/superevents/S260102ab/",
        ],
    )
    def test_the_id_that_could_be_read(self, body: bytes) -> None:
        with pytest.raises(UndecodablePayload) as caught:
            decode(body)
        assert caught.value.superevent_id == "S260102ab"

    @pytest.mark.parametrize(
        "body",
        [
            b"{}",
            b'{"superevent_id": "S260102ab", "urls": "/superevents/S260102ac/"',
            b'{"superevent_id": "S260102ab"}{"superevent_id": "S260102ac"}',
            b'{"title": "S260102ab"',
            as_avro()[: as_avro().index(b"S260102ab") + 4],
        ],
    )
    def test_no_id_where_none_is_certain(self, body: bytes) -> None:
        with pytest.raises(UndecodablePayload) as caught:
            decode(body)
        assert caught.value.superevent_id is None

    def test_a_bug_is_not_taken_for_bad_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(skymap: object) -> None:
            raise KeyError("a bug")

        monkeypatch.setattr("bot.alerts.map_budget.localize", broken)
        with pytest.raises(KeyError, match="a bug"):
            decode(as_json(record(event=event(skymap=MAP))))


def test_only_the_first_50_entries_are_used_and_all_are_published() -> None:
    many = {f"class {n}": 0.001 for n in range(9_000)}
    addresses = {f"page {n}": "https://x.org" for n in range(900)}
    facts = event(classification=many, properties=many, instruments=["H1"] * 900)
    notice = decode(as_json(record(event=facts, urls=addresses)))
    assert notice.event is not None
    assert list(notice.event.classification) == list(many)[:50]
    assert len(notice.event.properties) == len(notice.event.instruments) == len(notice.urls) == 50
    assert notice.published["event"]["classification"] == many


def test_huge_avro_decimal_is_not_converted() -> None:
    inner = {"type": "bytes", "logicalType": "decimal", "precision": 10**7, "scale": 2}
    schema = {"type": "record", "name": "A", "fields": [{"name": "x", "type": inner}]}
    with pytest.raises(UndecodablePayload, match="superevent_id"):
        # 4,194,304 bytes: converted, they would keep the machine busy for hours.
        decode(hostile(schema, b"\x80\x80\x80\x04" + b"\x7f" * 2**22))


def mutated(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 8))):
        place = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[place] ^= 1 << rng.randrange(8)
            case 1:
                changed[place : place + 8] = rng.choice((b"\xff" * 8, bytes(8), b"99999999", b'"null"'))
            case 2:
                del changed[place : place + rng.choice((1, 8, 200))]
            case 3:
                changed[place:place] = rng.randbytes(rng.choice((1, 8, 50)))
            case _ if len(changed) > 100:
                del changed[rng.randrange(50, len(changed)) :]
    return bytes(changed) or b"?"


@pytest.mark.slow
def test_mangled_payloads_raise_nothing_else() -> None:
    rng = random.Random(20260102)
    made = record(event=event(skymap=MAP), external_coinc=coincidence(combined_skymap=MAP))
    payloads = (as_json(made), as_avro(), as_avro("deflate"), as_json(record()))
    understood = 0
    for _ in range(800):
        try:
            notice = decode(mutated(rng.choice(payloads), rng))
            assert Notice.from_json(notice.to_json()) == notice
            understood += 1
        except UndecodablePayload as problem:
            assert problem.reason.endswith(".")
    assert 0 < understood < 800
