import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.decode import decode
from formatters.models.notice import ExternalCoincidence, Localization, Notice
from formatters.terminal import notice_text

KEYS = [
    "superevent_id",
    "alert_type",
    "time_created",
    "mock",
    "urls",
    "event",
    "localization",
    "external_coinc",
]


def notices(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    return sorted(json.loads((folder / "expected.json").read_text()).items())


def test_show_json(
    make_notice: Callable[..., Notice],
    make_map: Callable[..., Localization],
    make_swift: Callable[..., ExternalCoincidence],
) -> None:
    published = {
        "superevent_id": "S241126dm",
        "event": {"far": 9.11069936486e-14, "new_key": [1]},
        "external_coinc": {"observatory": "Swift", "another": None},
    }
    shown = notice_text.to_show_json(make_notice(published=published, external=make_swift()))
    assert list(shown) == KEYS
    assert shown["time_created"] == "2024-11-26T02:22:49Z"
    assert shown["mock"] is False
    assert shown["event"] == published["event"]
    assert shown["localization"]["ra"] == 194.30419921874997
    assert shown["localization"]["distance_mean"] == 39.76999609489013
    assert shown["localization"]["regions"][0]["probability"] == 0.9
    coincidence = shown["external_coinc"]
    assert coincidence["another"] is None
    assert coincidence["localization"]["area_90"] == 873.3
    json.dumps(shown, allow_nan=False)

    without = notice_text.to_show_json(
        make_notice(
            superevent_id="MS181101ab",
            published={"event": {}, "external_coinc": {}},
            localization=make_map(distance=None),
            external=make_swift(localization=None),
        )
    )
    assert without["mock"] is True
    assert without["localization"]["distance_mean"] is None
    assert without["localization"]["distance_std"] is None
    assert without["external_coinc"] == {"localization": None}

    gone = notice_text.to_show_json(
        make_notice("RETRACTION", published={"event": None, "external_coinc": None})
    )
    assert (gone["event"], gone["localization"], gone["external_coinc"]) == (None, None, None)


def test_show_text(make_notice: Callable[..., Notice]) -> None:
    text = notice_text.to_text(make_notice())
    assert "RA, Dec = 194.30419921874997, -17.856895095545468" in text.splitlines()
    assert "39.76999609489013 ± 8.308435058808886 Mpc" in text
    assert "9.11069936486e-14 Hz, 1 per 350,000 yr" in text
    assert "\u00a0" not in text


def test_show_text_of_odd_notices(stories: dict[str, list[Notice]]) -> None:
    for story in stories.values():
        for notice in story:
            text = notice_text.to_text(notice)
            assert notice.superevent_id in text.splitlines()[0]
            assert "None" not in text


@pytest.mark.slow
def test_real_notices_agree_with_the_expected_measurements(shared_notices: Path) -> None:
    expected = notices(shared_notices)
    assert expected
    for name, known in expected:
        notice = decode((shared_notices / name).read_bytes())
        shown = json.loads(json.dumps(notice_text.to_show_json(notice), allow_nan=False))
        assert list(shown) == KEYS, name
        for key in ("superevent_id", "alert_type", "time_created"):
            assert shown[key] == known[key], name
        assert (shown["event"] is None) == (known["alert_type"] == "RETRACTION"), name
        _agrees(shown["localization"], known.get("map"), name)
        external = shown["external_coinc"]
        _agrees(None if external is None else external["localization"], known.get("combined"), name)
        assert "skymap" not in (shown["event"] or {}), name
        assert "combined_skymap" not in (external or {}), name


def _agrees(shown: dict[str, Any] | None, known: dict[str, Any] | None, name: str) -> None:
    assert (shown is None) == (known is None), name
    if shown is None or known is None:
        return
    assert [shown["ra"], shown["dec"]] == pytest.approx(known["peak"], abs=1e-9), name
    for key in ("area_50", "area_90"):
        assert shown[key] == pytest.approx(known[key], rel=1e-3), name
    for key in ("distance_mean", "distance_std"):
        assert shown[key] == (None if known[key] is None else pytest.approx(known[key])), name
    assert shown["regions"], name
