"""BOOM's optical transients in sky maps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.alerts.payload import UndecodablePayload
from bot.related_messages.recognition import decode_message
from bot.samples import SampleDetection, boom
from formatters.models.related_message import MessageKind, RelatedMessage, Stream

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def alert(*superevent_ids: str, **given: Any) -> RelatedMessage:
    return decode_message(Stream.BOOM, boom(superevent_ids, created=NOW, **given))


def target(name: str, *matches: object, **more: object) -> dict[str, object]:
    return {"event_name": name, "ra": 10.0, "dec": 20.0, "gcn_crossmatch": list(matches), **more}


def gw(superevent_id: str, ref_type: str = "GW", ref_instrument: str = "LVK") -> dict[str, str]:
    return {"ref_type": ref_type, "ref_instrument": ref_instrument, "ref_ID": superevent_id}


def test_transient_has_position_scores_first_detection_and_newest_brightness() -> None:
    rows = [
        SampleDetection(NOW - timedelta(days=3), "atlaso", None),
        SampleDetection(NOW - timedelta(days=1), "ztfr", 18.37),
        SampleDetection(NOW - timedelta(days=2), "ztfg", 18.1),
    ]
    found = alert("S261117bs", scores={"Type Ia": 0.05, "Type II": 0.9}, photometry=rows)
    assert (found.kind, found.superevent_ids, found.key) == (
        MessageKind.CANDIDATES,
        ("S261117bs",),
        "ZTF25acffkdr",
    )
    assert found.subject == "ZTF25acffkdr: Type II 0.90"
    (where,) = found.positions
    assert (where.ra, where.dec, where.name) == (150.175649, 15.2832185, "ZTF25acffkdr")
    assert where.time == NOW - timedelta(days=2), "an upper limit is no detection"
    assert where.magnitude == "ztfr = 18.37"


def test_transient_without_photometry_or_scores_has_a_position_alone() -> None:
    found = alert("S261117bs")
    assert found.subject == "ZTF25acffkdr"
    assert (found.positions[0].time, found.positions[0].magnitude) == (None, "")


def test_only_matches_with_lvk_s_events_count() -> None:
    matches = [
        gw("S261117bs"),
        gw("694215970", "GRB", "Fermi"),
        gw("S261118a", "GRB", "Fermi"),
        gw("s261119C", "gravitational wave", ""),
        {"ref_ID": "S261120d"},
        gw("IceCube-261117A", "GW"),
        "S261121e",
        "GRB 261117A",
        None,
        7,
    ]
    found = alert(extra={"data": {"targets": [target("ZTF26a", *matches)]}})
    assert found.superevent_ids == ("S261117bs", "S261119c", "S261120d", "S261121e")
    assert alert(extra={"data": {"targets": [target("ZTF26a", gw("7", "GRB"))]}}).superevent_ids == ()


def test_targets_of_one_message_share_their_events() -> None:
    targets = [
        target("ZTF26a"),
        target("ZTF26b", gw("S261117bs")),
        target("ZTF26c", gw("S261118a")),
        target("ZTF26d", gw("S261117bs"), ra=11.0),
    ]
    found = alert(extra={"data": {"targets": targets}})
    assert found.superevent_ids == ("S261117bs",)
    assert [one.name for one in found.positions] == ["ZTF26b", "ZTF26d"]


def test_first_version_of_the_schema_is_read() -> None:
    old = {
        "targets": [
            {
                "name": "ZTF25a",
                "ra": 1.5,
                "dec": -2.5,
                "classifications": [{"classification": "Type II", "probability": 0.7}],
                "gcn_crossmatch": ["LVC#S251117bs"],
                "redshift": 0.02,
            }
        ],
        "photometry": [
            {"target_name": "ZTF25a", "date_obs": 61000.5, "bandpass": "g", "brightness": 19.1, "unit": "AB"},
            {"target_name": "ZTF25a", "date_obs": 60999.5, "bandpass": "g", "brightness": None},
        ],
    }
    found = alert(extra={"data": old})
    assert (found.subject, found.superevent_ids) == ("ZTF25a: Type II 0.70", ("S251117bs",))
    (where,) = found.positions
    assert (where.time, where.magnitude, where.redshift) == (
        datetime(2025, 11, 21, 12, tzinfo=UTC),
        "g = 19.1",
        0.02,
    )


def test_first_detection_is_unknown_if_one_detection_has_no_time() -> None:
    rows = [
        {"event_name": "ZTF26a", "mag": 18.0},
        {"event_name": "ZTF26a", "mag": 19.0, "observation_start": "2026-11-22T01:00:00Z"},
    ]
    data = {"targets": [target("ZTF26a", gw("S261117bs"))], "photometry": rows}
    (where,) = alert(extra={"data": data}).positions
    assert (where.time, where.magnitude) == (None, "")


def test_withdrawn_transient_leaves_no_position() -> None:
    found = alert("S261117bs", extra={"alert_type": "retraction"})
    assert found.is_retracted and found.positions == () and found.key == alert("S261117bs").key


@pytest.mark.parametrize("data", [None, [], {}, {"targets": []}, {"targets": "x"}, {"targets": [7]}])
def test_alert_without_a_target_is_undecodable(data: object) -> None:
    with pytest.raises(UndecodablePayload, match="no target"):
        alert(extra={"data": data})


def test_names_of_many_targets_make_a_short_key() -> None:
    many = [target(f"ZTF26aaaaa{n}", gw("S261117bs")) for n in range(90)]
    assert len(alert(extra={"data": {"targets": many}}).key) == 64
    assert alert(extra={"data": {"targets": many[:5]}}).subject.endswith("and 2 more")
