"""Tests of the `visible` answer and of the texts on observability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from formatters.answers import observability
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import SECTION_MAX
from formatters.models.notice import Notice
from formatters.models.observing import (
    SITE_NAME_MAX,
    SITES_MAX,
    ChannelSites,
    Moon,
    Observability,
    ObservingConstraints,
    ObservingWindow,
    Site,
    SiteObservability,
)
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.alert_card import ChannelView
from formatters.terminal import message_text
from formatters.text import observability_line

NOW = datetime(2024, 11, 27, 3, 0, tzinfo=UTC)
PACIFIC = ZoneInfo("America/Los_Angeles")
PALOMAR = Site(name="Palomar", latitude=33.356, longitude=-116.863, height=1706, zone="America/Los_Angeles")
VLA = Site(name="VLA", latitude=34.08, longitude=-107.62, height=2124, radio=True, zone="America/Denver")
DOME = Site(name="*My* <Dome> :fire:", latitude=-31.5, longitude=20.25, height=1798)
NASTY = replace(DOME, name="`~_<!channel>&*x*_~`:rocket:y:z"[:SITE_NAME_MAX])


def window(hours: float, length: float, zone: ZoneInfo | None = None) -> ObservingWindow:
    start = NOW + timedelta(hours=hours)
    stop = start + timedelta(hours=length)
    return ObservingWindow(start=start.astimezone(zone or UTC), stop=stop.astimezone(zone or UTC))


def night(site: Site = PALOMAR, share: float = 0.634, **changes: object) -> SiteObservability:
    usual: dict[str, object] = {
        "window": window(4 + 1 / 6, 5.5, PACIFIC if site.zone else None),
        "peak_altitude": 51.2,
        "airmass": 1.28,
        "moon": Moon(illuminated_fraction=0.11, distance=84.4, is_up=True),
    }
    return SiteObservability(site=site, has_darkness=True, probability=share, **(usual | changes))  # type: ignore[arg-type]


def tonight(*nights: SiteObservability, conditions: ObservingConstraints | None = None) -> Observability:
    return Observability(
        since=NOW,
        constraints=conditions or ObservingConstraints(),
        sites=nights,
        probability_near_sun=0.052,
        probability_near_galactic_plane=0.003,
    )


ALL = tonight(
    night(DOME, 0.12, window=window(0, 4), airmass=5.8, peak_altitude=8.1),
    night(),
    night(VLA, 0.997, window=window(0, 24, PACIFIC)),
    night(replace(PALOMAR, name="Keck"), 0.0, window=None, peak_altitude=-12.0, airmass=None),
    SiteObservability(site=replace(DOME, name="Polar"), has_darkness=False),
    night(replace(VLA, name="Dish"), 0.002, moon=Moon(illuminated_fraction=1.0, distance=3.21, is_up=False)),
)


@pytest.fixture
def superevents(stories: dict[str, list[Notice]]) -> dict[str, Superevent]:
    return {name: Superevent.from_notices(notices) for name, notices in stories.items()}


def test_golden(
    superevents: dict[str, Superevent],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    channel = ChannelSites(
        sites=(PALOMAR, VLA, DOME), constraints=ObservingConstraints(altitude=25, darkness=-12)
    )
    view = ChannelView(is_root=True, observability=ALL)
    answers = {
        "visibility": observability.message(superevents["raven"], ALL),
        "visibility-mock": observability.message(
            Superevent.from_notices(superevents["mock"].notices[:1]),
            tonight(night(), conditions=ObservingConstraints(altitude=25.5, darkness=-12)),
        ),
        "sites": observability.site_list(channel, "*VLA* added, and in the messages from now on."),
        "sites-none": observability.site_list(ChannelSites()),
        "sites-card": alert_card.alert_card(superevents["raven"], view),
    }
    for name, message in answers.items():
        golden(f"answer-{name}", check(message))


def test_the_line_names_the_best_first_and_when() -> None:
    assert observability_line.observability_line(ALL).replace("\u00a0", " ") == (
        "VLA >99 % at any time · Palomar 63 % from 07:10 UTC · *My* <Dome> :fire: 12 % until 07:00 UTC"
        " · <1 % from Keck, Polar, Dish · 5 % within 45° of the Sun, <1 % within 10° of the Galactic plane"
    )


def test_a_terminal_shows_columns(superevents: dict[str, Superevent]) -> None:
    rows = message_text.render(observability.message(superevents["raven"], ALL)).splitlines()[2:9]
    assert rows[0].startswith("Site") and "Best window, UTC" in rows[0]
    start = rows[0].index("Local time")
    assert [row[start - 2 : start] for row in rows] == ["│ "] * 7
    assert "27 Nov 07:10–12:40" in rows[2] and "26 Nov 23:10–04:40" in rows[2]
    assert "airmass 1.3 (51°)" in rows[2] and "11 %, 84° away" in rows[2]
    assert "8.1° high" in rows[1] and "at any time" in rows[3]
    assert "too low in darkness" in rows[4] and "below the horizon" in rows[4]
    assert "no darkness" in rows[5] and "too low" in rows[6]


def test_the_card_has_the_line_only_where_sites_are(superevents: dict[str, Superevent]) -> None:
    superevent = superevents["raven"]
    bare, full = (alert_card.alert_card(superevent, ChannelView(observability=t)) for t in (None, ALL))
    assert "Your sites tonight" not in str(bare.blocks)
    said = [block for block in full.blocks if block not in bare.blocks]
    assert len(said) == 1 and said[0]["text"]["text"].startswith("Your sites tonight: VLA &gt;99")
    assert full.text == bare.text


def test_a_retracted_event_has_no_such_line(superevents: dict[str, Superevent]) -> None:
    for name in ("mock", "bare", "retraction_only"):
        said = alert_card.alert_card(superevents[name], ChannelView(is_root=True, observability=ALL))
        assert "Your sites" not in str(said.blocks), name


def test_names_format_and_mention_nothing(
    superevents: dict[str, Superevent], check: Callable[[Message], Message]
) -> None:
    answer = tonight(night(NASTY))
    for message in (
        observability.message(superevents["raven"], answer),
        observability.site_list(ChannelSites(sites=(NASTY,)), f"{NASTY.name} added."),
        alert_card.alert_card(superevents["raven"], ChannelView(observability=answer)),
    ):
        check(message)
        marked = [b["text"]["text"] for b in message.blocks if b["type"] == "section"]
        for said in (message.text, *marked):
            assert "<!" not in said and ":rocket:" not in said and "`" not in said and "*x*" not in said


def test_the_longest_fits(superevents: dict[str, Superevent], check: Callable[[Message], Message]) -> None:
    names = [f"{chr(65 + i)}{'<&>' * 10}"[:SITE_NAME_MAX] for i in range(SITES_MAX)]
    nights = [night(replace(DOME, name=name), 0.5) for name in names]
    sites = tuple(n.site for n in nights)
    check(observability.message(superevents["raven"], tonight(*nights)))
    check(observability.site_list(ChannelSites(sites=sites)))
    said = check(alert_card.alert_card(superevents["raven"], ChannelView(observability=tonight(*nights))))
    [line] = [b["text"]["text"] for b in said.blocks if "Your sites" in str(b)]
    assert len(line) <= SECTION_MAX and "Galactic plane" in line
