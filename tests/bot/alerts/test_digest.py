"""What a notice says, as a digest: one for one notice however it is written, another for every other one."""

from __future__ import annotations

import base64
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.decode import content_digest, decode, notice_from_record
from bot.samples import bns, to_avro, to_json
from bot.samples.edge_cases import few_rows, two_columns
from formatters.models.superevent import Superevent
from tests.support.factories import NOW, notice_record

FITS = few_rows()
BASE: dict[str, Any] = {
    **notice_record(alert_type="UPDATE"),
    "external_coinc": {"observatory": "Fermi", "search": "GRB", "combined_skymap": FITS},
}
BASE["event"] = {**BASE["event"], "skymap": FITS}


def changed(**event: Any) -> dict[str, Any]:
    return {**BASE, "event": {**BASE["event"], **event}}


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(one, rng) for one in value] if isinstance(value, list) else value


SAME: dict[str, dict[str, Any]] = {
    "addresses": {**BASE, "urls": {"gracedb": "https://elsewhere.example/", "skymap": "x"}},
    "no addresses": {key: value for key, value in BASE.items() if key != "urls"},
    "key order": shuffled(BASE, random.Random(1)),
    "null for absent": {**changed(novelty=None), "further": None},
    "absent for null": {**BASE, "event": {k: v for k, v in BASE["event"].items() if v is not None}},
    "integer for float": {**BASE, "number": 1},
    "a map gzipped": changed(skymap=gzip.compress(FITS)),
    "a map in base64": changed(skymap=base64.b64encode(FITS).decode()),
    "a map in lines of base64": changed(skymap=base64.encodebytes(FITS).decode()),
    "a map gzipped in base64": changed(skymap=base64.b64encode(gzip.compress(FITS, 1)).decode()),
    "time with a blank": changed(time=str(BASE["event"]["time"]).replace("T", " ").replace("Z", "+00:00")),
    "type in lower case": {**BASE, "alert_type": "update"},
}
OTHER: dict[str, dict[str, Any]] = {
    "a number": changed(far=1.0000001e-9),
    "a map": changed(skymap=two_columns()),
    "no map": changed(skymap=None),
    "significance": changed(significant=False),
    "a number for a text": changed(group=5),
    "a class": changed(classification={**BASE["event"]["classification"], "BNS": 0.9}),
    "an instrument": changed(instruments=["H1"]),
    "a coincidence": {**BASE, "external_coinc": None},
    "two coincidences": {**BASE, "external_coinc": [BASE["external_coinc"]] * 2},
    "something new": {**BASE, "novelty": 1},
    "something new that is false": {**BASE, "novelty": False},
    "something new that is 0": {**BASE, "novelty": 0},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_key_is_equal_for_equivalent_records(name: str) -> None:
    base = {**BASE, "number": 1.0} if name == "integer for float" else BASE
    assert notice_from_record(SAME[name]).key == notice_from_record(base).key


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHER)
def test_key_differs_for_different_content(name: str) -> None:
    assert notice_from_record(OTHER[name]).key[:3] == notice_from_record(BASE).key[:3]
    assert notice_from_record(OTHER[name]).key != notice_from_record(BASE).key


def test_different_contents_have_different_keys() -> None:
    keys = {notice_from_record(one).key for one in [BASE, *OTHER.values()]}
    assert len(keys) == len(OTHER) + 1


@pytest.mark.slow
def test_avro_and_json_of_one_notice_agree() -> None:
    for one in bns(NOW):
        for codec in ("null", "deflate"):
            assert decode(to_avro(one, codec=codec)).content == decode(to_json(one)).content
        assert content_digest(to_json(one)) == decode(to_avro(one)).content
    assert content_digest(b"noise") is None


def test_lvks_own_samples_agree_across_brokers(shared_notices: Path) -> None:
    official = shared_notices / "official"
    for kind in ("preliminary", "retraction", "ext-update"):
        keys = {
            decode((official / f"MS181101ab-{kind}.{form}").read_bytes()).key for form in ("avro", "json")
        }
        assert len(keys) == 1
    update, further = (
        decode((official / f"MS181101ab-{kind}.avro").read_bytes()) for kind in ("update", "ext-update")
    )
    assert update.key[:3] == further.key[:3] and update.key != further.key
    for notices in ([update, further], [further, update], [further, update, further]):
        assert Superevent.from_notices(notices).notices == (update, further), (
            "the coincidence makes it the newer"
        )


def test_content_digest_survives_json_round_trip() -> None:
    known = notice_from_record(BASE)
    read = type(known).from_json(known.to_json())
    assert read.key == known.key and read == known
    assert json.loads(known.to_json())["content"] == known.content
