"""What a map says and what it doesn't: one wording wherever its distance or peak is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.alerts.decode import notice_from_record
from bot.filters import matches, parse_criteria
from bot.samples import edge_cases
from formatters.answers import event_history, recent
from formatters.models.notice import SKY_AREA, Distance, Localization, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update
from formatters.posts.channel_view import ChannelView
from formatters.skymap_image import alt_text, create_captions
from formatters.terminal import message_text, notice_text
from formatters.text import event_lines, map_lines
from tests.support.factories import NOW


def noticed(**changed: object) -> Notice:
    notice = notice_from_record(edge_cases.with_map(NOW, edge_cases.two_columns()))
    assert notice.localization is not None
    return replace(notice, localization=replace(notice.localization, **changed))  # type: ignore[arg-type]


PART = {"distance": Distance(mean=140.0, std=40.0), "distance_share": 0.62, "peak_distance": None}
UNIFORM = {"area_50": SKY_AREA / 2, "area_90": 0.9 * SKY_AREA, "regions": ()}


def changes(before: Notice, notice: Notice) -> list[str]:
    later = replace(notice, time_created=before.time_created + timedelta(minutes=5))
    return alert_update.changes(Superevent.from_notices([before, later]), before, later)


def told(notice: Notice) -> dict[str, str]:
    """Everything that tells of the notice's map, by name, with plain blanks."""
    event = Superevent.from_notices([notice])
    said = {
        "card": message_text.render(alert_card.alert_card(event, ChannelView())),
        "card's notification": message_text.notification_text(alert_card.alert_card(event, ChannelView())),
        "history": message_text.render(event_history.message(event, NOW)),
        "last known": alert_card.last_known_facts(Superevent.from_notices([notice]), notice) or "",
        "image": " ".join(create_captions(event).facts),
        "alternative text": alt_text(event),
        "terminal": notice_text.to_text(notice),
    }
    return {name: text.replace("\xa0", " ") for name, text in said.items()}


def test_distance_of_a_part_of_the_map_says_so_everywhere() -> None:
    for name, text in told(noticed(**PART)).items():
        assert "140" in text and "62" in text and "of the map" in text, (name, text)


def test_distance_of_all_the_map_says_nothing_more() -> None:
    for changed in ({"distance_share": None}, {"distance_share": 0.999}):
        for name, text in told(noticed(**PART | changed)).items():
            assert "140" in text and "of the map that" not in text, (name, text)


def test_filter_takes_the_distance_of_the_part_that_has_one() -> None:
    near, far = parse_criteria("distance<300"), parse_criteria("distance<100")
    event = Superevent.from_notices([noticed(**PART)])
    assert matches(near, event) and not matches(far, event)


def test_amplfi_map_without_keys_has_the_distance_on_its_card() -> None:
    notice = notice_from_record(edge_cases.with_map(NOW, edge_cases.amplfi()))
    assert notice.localization is not None
    assert map_lines.distance(notice.localization) == "140\xa0±\xa040\xa0Mpc"


def test_uniform_map_has_no_peak_anywhere() -> None:
    for name, text in told(noticed(**UNIFORM)).items():
        if name in ("card", "alternative text", "terminal"):
            assert "uniform: no localization" in text, (name, text)
        assert "peak" not in text.casefold().replace("toward peak", ""), (name, text)


def test_update_to_a_uniform_map_tells_no_moved_peak() -> None:
    lines = changes(noticed(), noticed(**UNIFORM))
    assert "The map is uniform: no localization" in lines
    assert not any("Peak" in line for line in lines)
    assert not any("Peak" in line for line in changes(noticed(**UNIFORM), noticed(**UNIFORM)))


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 tile of the map holds"), (1234, "1,234 tiles of the map hold")]
)
def test_left_out_tiles_are_counted(count: int, words: str) -> None:
    said = told(noticed(unread_tiles=count))
    assert words in said["card"] and words in said["terminal"]
    assert "no number" not in told(noticed())["card"]


def test_distance_over_the_sky_beside_the_peaks_keeps_the_share() -> None:
    localization = noticed(**PART | {"peak_distance": Distance(mean=40.0, std=5.0)}).localization
    assert localization is not None
    words = (event_lines.distances(localization) or "").replace("\xa0", " ")
    assert words == "140 ± 40 Mpc over the 62 % of the map that has one, 40 ± 5 Mpc toward the peak"
    whole = replace(localization, distance_share=None)
    words = (event_lines.distances(whole) or "").replace("\xa0", " ")
    assert words == "140 ± 40 Mpc over the sky, 40 ± 5 Mpc toward the peak"


def test_localization_stored_by_an_older_version_is_read() -> None:
    stored = noticed().to_json()
    for key in (',"distance_share":null', ',"unread_tiles":0'):
        assert key in stored
        stored = stored.replace(key, "")
    found = Notice.from_json(stored).localization
    assert isinstance(found, Localization) and found.distance_share is None and found.unread_tiles == 0


def test_recent_events_tell_the_share() -> None:
    event = Superevent.from_notices([noticed(**PART)])
    assert "62" in recent.event_line(event, NOW)
