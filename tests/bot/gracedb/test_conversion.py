"""Conversion of GraceDB's JSON, made for the tests and recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.decode import decode
from bot.gracedb import conversion
from bot.gracedb.client import UnreadableAnswer
from bot.gracedb.conversion import SupereventFiles
from formatters.models.notice import GRACEDB, RETRACTION, Notice
from tests.bot.gracedb.fake import log_entry, superevent

PAGE = "https://gracedb.ligo.org/superevents/S190425z/view/"
CREATED = datetime(2019, 4, 25, 8, 18, 26, tzinfo=UTC)


def assembled(record: dict[str, Any], parts: SupereventFiles | None = None) -> list[Notice]:
    return [
        decode(body)
        for body in conversion.build_payloads(
            conversion.parse_superevent(record), PAGE, parts or SupereventFiles()
        )
    ]


@pytest.mark.parametrize(
    ("gps", "utc"),
    [
        (1240215503.017147, datetime(2019, 4, 25, 8, 18, 5, 17147, tzinfo=UTC)),
        (1126259462.391, datetime(2015, 9, 14, 9, 50, 45, 391000, tzinfo=UTC)),
        (1167264018.0, datetime(2017, 1, 1, tzinfo=UTC)),
    ],
)
def test_gps_time(gps: float, utc: datetime) -> None:
    assert abs((conversion.gps_to_utc(gps) - utc).total_seconds()) < 1e-4


def test_a_payload_is_assembled_from_all_files() -> None:
    uploaded = datetime(2019, 5, 10, 12, 0, 3, tzinfo=UTC)
    parts = SupereventFiles(
        p_astro={"BNS": 0.9994, "Terrestrial": 0.0006},
        em_bright={"HasNS": 1.0},
        file_names=("LALInference.multiorder.fits,0",),
        upload_times={
            "LALInference.multiorder.fits,0": uploaded,
            "other,0": datetime(2020, 1, 1, tzinfo=UTC),
        },
        label_times={"PE_READY": CREATED},
    )
    record = superevent("S190425z", "ADVOK", "EM_COINC", time_coinc_far=1e-6, gw_id="GW190425")
    (notice,) = assembled(record, parts)
    event, external = notice.event, notice.external
    assert event is not None and external is not None
    assert (notice.alert_type, notice.urls) == (GRACEDB, {"gracedb": PAGE})
    assert event.classification["BNS"] == 0.9994 and event.properties == {"HasNS": 1.0}
    assert (event.group, event.pipeline, event.far, event.instruments) == (
        "CBC",
        "gstlal",
        4.538e-13,
        ("L1", "V1"),
    )
    assert external.time_coincidence_far == 1e-6
    # Its time is the newest part's, with half a second that no notice of LVK has.
    assert notice.time_created == uploaded.replace(microsecond=500_000)
    assert notice.published["gw_id"] == "GW190425"


def test_the_advno_label_means_retracted() -> None:
    withdrawn = datetime(2019, 4, 26, tzinfo=UTC)
    facts, gone = assembled(
        superevent("S190425z", "ADVNO"),
        SupereventFiles(label_times={"ADVNO": withdrawn, "DQV": datetime(2019, 4, 27, tzinfo=UTC)}),
    )
    assert facts.event is not None and facts.event.significant
    assert gone.alert_type == RETRACTION and gone.event is None
    assert facts.time_created < gone.time_created == withdrawn.replace(microsecond=500_000)


@pytest.mark.parametrize(
    ("labels", "significant"),
    [
        ((), True),
        (("LOW_SIGNIF_LOCKED",), False),
        (("LOW_SIGNIF_LOCKED", "SIGNIF_LOCKED"), True),
        (("LOW_SIGNIF_LOCKED", "ADVNO"), True),
        (("LOW_SIGNIF_LOCKED", "RAVEN_ALERT"), True),
    ],
)
def test_significance_by_labels(labels: tuple[str, ...], significant: bool) -> None:
    assert conversion.parse_superevent(superevent("S190425z", *labels)).significant is significant


def test_real_superevents(shared_notices: Path) -> None:
    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((shared_notices / "gracedb" / f"{name}.json").read_text())
        return found

    (cwb,), (mly,) = assembled(read("S230413b")), assembled(read("S230413g"))
    assert cwb.event is not None and mly.event is not None
    assert (cwb.event.duration, cwb.event.central_frequency) == (0.017816, 61.417622)
    assert mly.event.instruments == ("H1", "L1", "V1")
    assert f"{cwb.event.time:%Y-%m-%d %H:%M:%S}" == "2023-04-13 19:53:33"
    assert [n.alert_type for n in assembled(read("MS220722v"))] == [GRACEDB, RETRACTION]
    # LVK's own fixture has a name that no superevent has by LVK's rule, and the answers about its parts.
    fixture = read("S1234_superevent") | {"superevent_id": "S180628g"}
    parts = SupereventFiles(p_astro=read("S1234_files_p_astro"), em_bright=read("S1234_files_em_bright"))
    (made,) = assembled(fixture, parts)
    assert made.event is not None and made.event.classification["BNS"] == 0.95
    assert made.event.properties["HasMassGap"] == 0.2
    assert made.external is not None and made.external.time_sky_position_coincidence_far == 1.8234234e-11
    assert conversion.parse_superevent(read("S1234_superevent")).superevent_id == "S1234"
    assert conversion.parse_notice_list(read("S1234_notices")) == [
        "S1234-1-earlywarning.json",
        "S1234-2-initial.json",
    ]
    files = read("M1234_files")
    assert conversion.preferred_json_file("p_astro.json", files, "gstlal", {}) == "p_astro.json"
    assert conversion.preferred_json_file("em_bright.json", read("M2468_files"), "gstlal", {}) is None


def test_every_version_of_a_notice_is_a_notice() -> None:
    listed = dict.fromkeys(
        [
            "S230528ay-preliminary.json",
            "S230528ay-preliminary.json,0",
            "S230528ay-preliminary.json,1",
            "S230528ay-retraction.json",
            "S230528ay-preliminary.avro,0",
            "S230528ay-1-Preliminary.xml,0",
            "S230528a-initial.json,0",
        ],
        "",
    )
    assert conversion.notice_file_names("S230528ay", listed) == [
        "S230528ay-preliminary.json,0",
        "S230528ay-preliminary.json,1",
        "S230528ay-retraction.json",
    ]
    updates = [f"S230528ay-update.json,{number}" for number in range(60)]
    kept = conversion.notice_file_names("S230528ay", dict.fromkeys([*updates, *listed], ""))
    assert kept == [*updates[-39:], "S230528ay-retraction.json"], "of very many the last"


def test_maps_are_ordered_by_upload_time_or_else_by_program() -> None:
    listed = dict.fromkeys(
        [
            "bayestar.multiorder.fits",
            "bayestar.multiorder.fits,0",
            "bayestar.multiorder.fits,1",
            "Bilby.multiorder.fits,0",
            "Bilby.offline0.multiorder.fits,0",
            "combined-ext.multiorder.fits,0",
            "bayestar.fits.gz,9",
        ],
        "",
    )
    assert conversion.maps_newest_first(listed, {}) == [
        "Bilby.offline0.multiorder.fits,0",
        "Bilby.multiorder.fits,0",
        "bayestar.multiorder.fits,1",
        "bayestar.multiorder.fits,0",
    ]
    log = [
        log_entry("bayestar.multiorder.fits", 1, "2023-05-19 00:00:00 UTC"),
        log_entry("Bilby.multiorder.fits", 0, "2023-05-18 00:00:00 UTC"),
        log_entry("", 0, "2023-05-18 00:00:00 UTC"),
    ]
    uploaded = conversion.parse_upload_times({"log": log})
    assert conversion.maps_newest_first(listed, uploaded)[:2] == [
        "bayestar.multiorder.fits,1",
        "Bilby.multiorder.fits,0",
    ]
    assert conversion.maps_newest_first(listed, {}, combined=True) == ["combined-ext.multiorder.fits,0"]


def test_p_astro_of_the_preferred_pipeline() -> None:
    listed = dict.fromkeys(["mbta.p_astro.json,3", "gstlal.p_astro.json,0", "gstlal.p_astro.json,1"], "")
    assert conversion.preferred_json_file("p_astro.json", listed, "GstLAL", {}) == "gstlal.p_astro.json,1"


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["superevents", "numRows", "labels", "log", "notices", "name", "created", "filename"]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_is_converted_or_rejected(answer: Any) -> None:
    for read in (conversion.parse_superevent, conversion.parse_superevent_list, conversion.parse_notice_list):
        try:
            read(answer)
        except UnreadableAnswer:
            continue
    conversion.parse_label_times(answer)
    conversion.parse_upload_times(answer)
    conversion.notice_file_names("S190425z", answer)
    conversion.maps_newest_first(answer, {})
