"""Tests of the `visible` answer and of the texts on observability."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formatters.answers import observability
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import SECTION_MAX
from formatters.models.notice import Notice
from formatters.models.observing import (
    SITE_NAME_MAX,
    SITES_MAX,
    ChannelSites,
    Moon,
    NightObservability,
    Observability,
    ObservingConstraints,
    ObservingWindow,
    Site,
    SiteObservability,
)
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text
from formatters.text import night_times, observability_line, quantities
from formatters.text.observability_line import WHOLE_DAY
from tests.formatters.conftest import notice as event_notice

NOW = datetime(2024, 11, 27, 3, 0, tzinfo=UTC)
PACIFIC = ZoneInfo("America/Los_Angeles")
PALOMAR = Site(name="Palomar", latitude=33.356, longitude=-116.863, height=1706, zone="America/Los_Angeles")
VLA = Site(name="VLA", latitude=34.08, longitude=-107.62, height=2124, radio=True, zone="America/Denver")
DOME = Site(name="*My* <Dome> :fire:", latitude=-31.5, longitude=20.25, height=1798)
NASTY = replace(DOME, name="`~_<!channel>&*x*_~`:rocket:y:z"[:SITE_NAME_MAX])


MERGER = NOW - timedelta(minutes=12)
MOON = Moon(illuminated_fraction=0.11, distance=84.4, is_up=True)


def window(
    hours: float, length: float, share: float = 0.634, zone: ZoneInfo | None = None, **changes: object
) -> ObservingWindow:
    start = NOW + timedelta(hours=hours)
    stop = start + timedelta(hours=length)
    usual: dict[str, object] = {"peak_altitude": 51.2, "airmass": 1.28, "moon": MOON}
    return ObservingWindow(
        start=start.astimezone(zone or UTC),
        stop=stop.astimezone(zone or UTC),
        probability=share,
        **(usual | changes),  # type: ignore[arg-type]
    )


def one_night(*windows: ObservingWindow, evening: int | None = 26, **changes: object) -> NightObservability:
    usual: dict[str, object] = {
        "evening": None if evening is None else date(2024, 11, evening),
        "has_darkness": True,
        "probability": max((each.probability for each in windows), default=0.002),
        "windows": windows,
        "peak_altitude": 51.2,
    }
    return NightObservability(**(usual | changes))  # type: ignore[arg-type]


def night(
    site: Site = PALOMAR,
    this: tuple[ObservingWindow, ...] = (window(4 + 1 / 6, 5.5, zone=PACIFIC),),
    following: tuple[ObservingWindow, ...] = (window(28 + 1 / 6, 5.4, zone=PACIFIC),),
    **changes: object,
) -> SiteObservability:
    first, second = (None, None) if site.radio else (26, 27)
    return SiteObservability(
        site=site,
        this_night=one_night(*this, evening=first, **changes),
        next_night=one_night(*following, evening=second, **changes),
    )


def tonight(
    *nights: SiteObservability, conditions: ObservingConstraints | None = None, **changes: object
) -> Observability:
    usual: dict[str, object] = {
        "since": NOW,
        "merger": MERGER,
        "constraints": conditions or ObservingConstraints(),
        "sites": nights,
        "probability_near_sun": 0.052,
        "probability_near_galactic_plane": 0.003,
    }
    return Observability(**(usual | changes))  # type: ignore[arg-type]


def bright(name: str) -> SiteObservability:
    return night(replace(DOME, name=name), (), (), has_darkness=False, probability=0.0, peak_altitude=None)


ALL = tonight(
    night(
        DOME,
        (window(0, 4, 0.12, airmass=5.8, peak_altitude=8.1), window(9, 1, 0.3)),
        (window(22, 4, 0.33, airmass=5.8, peak_altitude=8.1),),
    ),
    night(),
    night(VLA, (window(0, 12, 0.997),), (window(12, 24, 0.997),)),
    night(replace(PALOMAR, name="Keck"), (), (), probability=0.0, peak_altitude=-12.0),
    bright("Polar"),
    night(replace(VLA, name="Dish"), (), (), peak_altitude=20.0),
    night(replace(PALOMAR, name="Kitt Peak"), (), (window(28, 6, 0.8),)),
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


def line(*nights: SiteObservability, **changes: object) -> str:
    """Return the line without what it says of the Sun and the plane."""
    said = observability_line.observability_line(tonight(*nights, **changes))  # type: ignore[arg-type]
    return said.replace("\u00a0", " ").rpartition(" · 5 % within 45° of the Sun")[0]


def test_the_line_names_the_best_first_and_when() -> None:
    assert observability_line.observability_line(ALL).replace("\u00a0", " ") == (
        "VLA >99 % at any time"
        " · Palomar 63 % 07:10–12:40 UTC (T+4.4 h), again 28 Nov 07:10 (T+28 h)"
        " · *My* <Dome> :fire: 12 % now until 07:00 UTC (T+0.2 h), 30 % 12:00–13:00 UTC (T+9.2 h),"
        " 33 % 28 Nov 01:00 (T+22 h)"
        " · Kitt Peak 80 % next night from 28 Nov 07:00 UTC (T+28 h)"
        " · <1 % from Keck, Dish · no darkness at Polar"
        " · 5 % within 45° of the Sun, <1 % within 10° of the Galactic plane"
    )


def test_the_card_names_two_sites_and_when_it_was_judged() -> None:
    assert observability_line.card_line(ALL).replace("\u00a0", " ") == (
        "Sites, 27 Nov 03:00 UTC: VLA >99 % at any time · Palomar 63 % 07:10–12:40 UTC (T+4.4 h)"
        " · +5: /gwevent visible"
    )


def test_the_card_says_why_nothing_can_be_observed() -> None:
    none = [night(replace(PALOMAR, name=f"Site {n}"), (), ()) for n in range(4)]
    said = observability_line.card_line(tonight(*none, *map(bright, "ABC"))).replace("\u00a0", " ")
    assert (
        said == "Sites, 27 Nov 03:00 UTC: <1 % from 4 sites, this night and the next · no darkness at 3 sites"
    )
    said = observability_line.card_line(tonight(night(), bright("Dome A"))).replace("\u00a0", " ")
    assert said.endswith("again 28 Nov 07:10 (T+28 h) · no darkness at Dome A")


def test_the_cards_line_has_room_on_a_phone() -> None:
    """Some 40 characters stand in a row at 360 px: some four rows, three or two."""
    here = night(PALOMAR, (window(0, 2),), (window(21, 5),))
    there = night(replace(PALOMAR, name="Roque de los M."), (window(3, 5),), (window(27, 5),))
    full, one, short = observability_line.card_lines(tonight(here, there, there))
    assert len(full) <= 170 and len(one) <= 3 * 40 and len(short) <= 2 * 40
    assert "Roque" in full and "again" in full and "+1: /gwevent visible" in full
    assert "Roque" not in one and "again" in one and "+2: /gwevent visible" in one
    assert "again" not in short and "now until" in short and short.endswith(" · +2 more")


@pytest.mark.parametrize(
    ("this", "following", "expected"),
    [
        (
            (window(0, 0.2),),
            (window(21, 5),),
            "63 % now until 03:12 UTC (T+0.2 h), again 28 Nov 00:00 (T+21 h)",
        ),
        ((window(0, 2),), (), "63 % now until 05:00 UTC (T+0.2 h), not the next night"),
        ((), (window(21, 5, 0.995),), ">99 % next night from 28 Nov 00:00 UTC (T+21 h)"),
        (
            (window(22, 5),),
            (window(46, 5),),
            "63 % 28 Nov 01:00–06:00 UTC (T+22 h), again 29 Nov 01:00 (T+46 h)",
        ),
        ((window(0, 9),), (window(9, 15),), "63 % now until 28 Nov 03:00 UTC (T+0.2 h)"),
        ((window(4, 5),), (window(9, 15),), "63 % 07:00–28 Nov 03:00 UTC (T+4.2 h)"),
        ((window(0, 9),), (window(9, 24),), "63 % at any time"),
        ((window(0, 9, 0.006), window(10, 1)), (), "63 % 13:00–14:00 UTC (T+10 h), not the next night"),
    ],
)
def test_a_sites_windows_in_words(
    this: tuple[ObservingWindow, ...], following: tuple[ObservingWindow, ...], expected: str
) -> None:
    assert line(night(PALOMAR, this, following)) == f"Palomar {expected}"


def test_where_nothing_can_be_observed_both_nights_are_named() -> None:
    none = night(PALOMAR, (), ())
    assert line(none) == "<1 % from Palomar, this night and the next"
    assert line(none, bright("Polar")) == "<1 % from Palomar, this night and the next · no darkness at Polar"
    assert line(bright("Polar"), bright("Dome A")) == "no darkness at Polar, Dome A"


def test_of_another_time_nothing_is_said_to_be_now() -> None:
    said = line(night(PALOMAR, (window(0, 2),), ()), is_now=False)
    assert said == "Palomar 63 % 27 Nov 03:00–05:00 UTC (T+0.2 h), not the next night"


@pytest.mark.parametrize(
    ("merger", "expected"),
    [
        (NOW, "T+0 s"),
        (NOW + timedelta(seconds=30), "T−30 s"),
        (NOW - timedelta(seconds=185), "T+3 min"),
        (NOW - timedelta(hours=2.44), "T+2.4 h"),
        (NOW - timedelta(hours=9.96), "T+10 h"),
        (NOW - timedelta(days=9), "T+216 h"),
        (NOW - timedelta(days=11), None),
        (None, None),
    ],
)
def test_time_since_the_merger(merger: datetime | None, expected: str | None) -> None:
    said = night_times.since_merger(NOW, merger)
    assert (None if said is None else said.replace("\u00a0", " ")) == expected


def test_an_old_event_says_that_it_is_judged_for_now(superevents: dict[str, Superevent]) -> None:
    def shown(**changes: object) -> str:
        message = observability.message(superevents["raven"], tonight(night(), **changes))  # type: ignore[arg-type]
        assert "T+" not in message_text.render(message).split("T+: after")[0]
        assert "3.5" in message.text or "26 days" in message.text
        return message_text.render(message)

    old = NOW - timedelta(days=1_278)
    assert "Judged for now (27 Nov 2024 03:00 UTC): the event was 3.5 years ago." in shown(merger=old)
    assert "the event was 26 days ago" in shown(merger=NOW - timedelta(days=26))
    asked = shown(merger=old, is_now=False, night_of=date(2024, 11, 27))
    assert "Visibility 27 Nov 2024" in asked
    assert "Judged for the night of 27 Nov 2024, 3.5 years after the event." in asked
    assert "Judged for 27 Nov 2024 03:00 UTC, 3.5 years after" in shown(merger=old, is_now=False)
    recent = message_text.render(observability.message(superevents["raven"], tonight(night())))
    assert "Judged" not in recent and "Visibility tonight" in recent


def test_a_terminal_shows_columns(superevents: dict[str, Superevent]) -> None:
    rows = message_text.render(observability.message(superevents["raven"], ALL)).splitlines()[2:15]
    assert rows[0].startswith("Site") and "Window, UTC" in rows[0]
    start = rows[0].index("Local time")
    assert [row[start - 2 : start] for row in rows] == ["│ "] * len(rows)
    text = "\n".join(rows).replace("\u00a0", " ")
    for expected in (
        r"My.*26/27 Nov *│ 12 % *│ now: 27 Nov 03:00–07:00 \(T\+0.2 h\) *│ – *│ 8.1° high",
        r"My.*26/27 Nov *│ 30 % *│ 27 Nov 12:00–13:00",
        r"My.*27/28 Nov *│ 33 % *│ 28 Nov 01:00–05:00",
        r"Palomar *│ 26/27 Nov *│ 63 % *│ 27 Nov 07:10–12:40 \(T\+4.4 h\) *│ 26 Nov 23:10–04:40 *"
        r"│ airmass 1.3 \(51°\) *"
        r"│ 11 %, 84° away",
        r"VLA *│ this *│ >99 % *│ now: 27 Nov 03:00–15:00",
        r"VLA *│ next *│ >99 % *│ 27 Nov 15:00–28 Nov 15:00, at any time",
        r"Keck *│ this and next *│ <1 % *│ too low in darkness *│ – *│ below the horizon",
        r"Polar *│ this and next *│ – *│ no darkness",
        r"Dish *│ this and next *│ <1 % *│ too low *│",
        r"Kitt Peak *│ 26/27 Nov *│ <1 % *│ too low in darkness",
        r"Kitt Peak *│ 27/28 Nov *│ 80 % *│ 28 Nov 07:00–13:00",
    ):
        assert re.search(expected, text), expected


@given(
    st.floats(0, 72, allow_nan=False),
    st.floats(WHOLE_DAY / timedelta(hours=1), 24),
    st.sampled_from([UTC, PACIFIC, ZoneInfo("Pacific/Auckland")]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_window_of_a_whole_day_says_both_its_ends(
    superevents: dict[str, Superevent], hours: float, length: float, zone: tzinfo
) -> None:
    open_later = window(hours, length, 0.5)
    start, stop = open_later.start, open_later.stop
    moved = replace(open_later, start=start.astimezone(zone), stop=stop.astimezone(zone))
    site = night(PALOMAR, (), (moved,))
    said = message_text.render(observability.message(superevents["raven"], tonight(site)))
    begun = night_times.rounded_up(start)
    until = "" if stop.date() == begun.date() else f"{night_times.day(stop)} "
    assert f"{night_times.day(begun)} {begun:%H:%M}–{until}{stop:%H:%M}, at any time" in said


CLOCKS_CHANGE = {
    "America/Los_Angeles": datetime(2026, 11, 1, 9, tzinfo=UTC),
    "Europe/Madrid": datetime(2026, 10, 25, 1, tzinfo=UTC),
    "America/Santiago": datetime(2026, 4, 5, 3, tzinfo=UTC),
    "Australia/Sydney": datetime(2026, 4, 4, 16, tzinfo=UTC),
    "America/Denver": datetime(2026, 3, 8, 9, tzinfo=UTC),
}
"""When each zone's clocks are set back; Denver's forward."""


@given(st.sampled_from(sorted(CLOCKS_CHANGE)), st.floats(-7_200, 7_200), st.floats(61, 7_200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
def test_a_window_is_as_long_as_it_is_in_the_night_in_which_clocks_change(
    superevents: dict[str, Superevent], zone: str, after: float, length: float
) -> None:
    begin = CLOCKS_CHANGE[zone] + timedelta(seconds=after)
    there = ZoneInfo(zone)
    start, stop = begin.astimezone(there), (begin + timedelta(seconds=length)).astimezone(there)
    one = replace(window(0, 1), start=start, stop=stop)
    assert one.length == pytest.approx(timedelta(seconds=length), abs=timedelta(milliseconds=1))
    whole = begin.replace(second=0, microsecond=0)
    up = whole if whole == begin else whole + timedelta(minutes=1)
    assert night_times.rounded_up(start).astimezone(UTC) == up
    site = night(replace(PALOMAR, zone=zone), (one,), ())
    answer = tonight(site, since=begin - timedelta(hours=1))
    said = message_text.render(observability.message(superevents["raven"], answer))
    down = (begin + timedelta(seconds=length)).replace(second=0, microsecond=0)
    if up < down:
        day = night_times.day(up)
        assert f"{day} {up:%H:%M}–{down:%H:%M}" in said and "less than a minute" not in said
        local = up.astimezone(there)
        assert f"{night_times.day(local)} {local:%H:%M}–{down.astimezone(there):%H:%M}" in said
    else:
        assert "less than a minute" in said


def test_a_long_window_has_the_day_of_its_end(superevents: dict[str, Superevent]) -> None:
    site = night(PALOMAR, (window(9, 23.4), window(33, 11.9)), ())
    said = message_text.render(observability.message(superevents["raven"], tonight(site)))
    assert "27 Nov 12:00–28 Nov 11:24" in said and "28 Nov 12:00–23:54" in said


def test_the_answer_names_its_map_and_the_events_marks(superevents: dict[str, Superevent]) -> None:
    for name, superevent in superevents.items():
        notice = superevent.latest_with_map
        said = message_text.render(observability.message(superevent, tonight(night()))).replace("\u00a0", " ")
        labels = alert_card.status_labels(superevent)
        assert " · ".join([*labels, "Visibility tonight", superevent.superevent_id]) in said
        if notice is None:
            continue
        is_combined = notice.best_localization is not notice.localization
        assert ("(combined map)" in said) == is_combined, name
        stage = alert_card.alert_type_with_ordinal(superevent, notice)
        assert re.search(
            rf"On the map of {stage}( of {notice.time_created:%Y-%m-%d %H:%M} UTC)?, sent ", said
        ), name


def test_both_definitions_of_observable_are_named(superevents: dict[str, Superevent]) -> None:
    def shown(minutes: float) -> str:
        answer = tonight(night(), min_up=timedelta(minutes=minutes))
        return message_text.render(observability.message(superevents["raven"], answer))

    assert "for at least 20\u00a0min" in shown(20).replace(" min", "\u00a0min")
    assert "at any moment" in shown(0)


def test_the_card_has_the_line_only_where_sites_are(superevents: dict[str, Superevent]) -> None:
    superevent = superevents["raven"]
    bare, full = (alert_card.alert_card(superevent, ChannelView(observability=t)) for t in (None, ALL))
    assert "Sites, " not in str(bare.blocks)
    said = [block for block in full.blocks if block not in bare.blocks]
    assert len(said) == 1 and "Sites, 27 Nov 03:00" in said[0]["text"]["text"]
    assert full.text == bare.text


def test_retracted_event_has_no_observability_line(superevents: dict[str, Superevent]) -> None:
    for name in ("mock", "bare", "retraction_only"):
        said = alert_card.alert_card(superevents[name], ChannelView(is_root=True, observability=ALL))
        assert "Sites, " not in str(said.blocks), name


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
    nights = [night(replace(DOME, name=name)) for name in names]
    sites = tuple(n.site for n in nights)
    check(observability.message(superevents["raven"], tonight(*nights)))
    check(observability.site_list(ChannelSites(sites=sites)))
    said = check(alert_card.alert_card(superevents["raven"], ChannelView(observability=tonight(*nights))))
    [line] = [b["text"]["text"] for b in said.blocks if "Sites, " in str(b)]
    assert len(line) <= SECTION_MAX and f"+{SITES_MAX - 2}: " in line


def test_a_window_of_no_minute_is_no_window() -> None:
    moment, long = window(4, 0, 0.2), window(6, 2, 0.3)
    for this, following in (((moment, long), (moment,)), ((moment,), (moment, long))):
        asked = tonight(night(this=this, following=following))
        shown = message_text.render(observability.message(Superevent.from_notices([event_notice()]), asked))
        for text in (shown, *observability_line.card_lines(asked)):
            assert "07:00–07:00" not in text
        assert shown.count("up for less than a minute") == (len(this) == 1) + (len(following) == 1)
        assert "too low" not in shown
    seconds = window(4 + 20 / 3_600, 50 / 3_600, 0.2)
    assert observability_line.useful_windows(one_night(seconds)) == ()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), *[st.none() | st.floats(0.02, 1)] * 2).filter(lambda s: s[1] or s[2]),
        min_size=1,
        max_size=4,
    )
)
def test_the_card_never_says_little_of_a_site_that_sees_much_next(
    sites: list[tuple[bool, float | None, float | None]],
) -> None:
    nights = [
        night(
            replace(VLA if radio else PALOMAR, name=f"Site{number}"),
            () if this is None else (window(0, 2, this),),
            () if following is None else (window(21, 5, following),),
        )
        for number, (radio, this, following) in enumerate(sites)
    ]
    for line in observability_line.card_lines(tonight(*nights)):
        for number, (radio, this, following) in enumerate(sites):
            if f"Site{number} " not in line:
                continue
            phrase = line.split(f"Site{number} ")[1].split(" · ")[0]
            if (this or 0) < 0.1 and (following or 0) >= 0.21:
                assert quantities.percent(following or 0) in phrase or "again" in phrase
            assert not (radio and "night" in phrase)
