from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from formatters.models.notice import Distance, Event, ExternalCoincidence, Localization, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_update
from formatters.terminal import message_text

Notices = Callable[..., Notice]
NOTHING = "Nothing of note changed since PRELIMINARY."


def said(*notices: Notice, about: int = -1) -> list[str]:
    """Return the lines of a reply between its head and its foot."""
    superevent = Superevent.from_notices(notices)
    lines = message_text.render(alert_update.alert_update(superevent, superevent.notices[about])).splitlines()
    return lines[1:-1]


def test_a_second_preliminary_that_changes_nothing_is_one_line(make_notice: Notices) -> None:
    assert said(make_notice(), make_notice(minutes=17)) == ["Same facts as PRELIMINARY."]


def test_milliseconds_are_no_news(make_notice: Notices, make_event: Callable[..., Event]) -> None:
    event = make_event()
    shifted = replace(event, time=event.time + timedelta(milliseconds=11))
    moved = replace(event, time=event.time + timedelta(seconds=2))
    first = make_notice(event=event)
    assert said(first, make_notice(minutes=17, event=shifted)) == [NOTHING]
    assert said(first, make_notice(minutes=17, event=moved)) == [
        "Event time now 2024-11-26 02:10:48 UTC (+2 s)"
    ]


@pytest.mark.parametrize(
    ("far", "lines"),
    [
        (1.0e-13, [NOTHING]),
        (5.0e-13, [NOTHING]),
        (9.2e-13, ["FAR 1 per 350,000 yr → 1 per 34,000 yr"]),
        (1e-41, ["FAR 1 per 350,000 yr → rarer than 1 per 10⁶ yr"]),
        (None, ["FAR 1 per 350,000 yr → unknown"]),
    ],
)
def test_a_far_is_news_by_the_order_of_magnitude(
    far: float | None, lines: list[str], make_notice: Notices, make_event: Callable[..., Event]
) -> None:
    assert said(make_notice(), make_notice(minutes=17, event=make_event(far=far))) == lines


def test_significance(
    make_notice: Notices, make_event: Callable[..., Event], make_swift: Callable[..., ExternalCoincidence]
) -> None:
    low, high = make_event(significant=False), make_event()
    common = make_event(far=3e-5)
    assert said(make_notice(event=low), make_notice(minutes=17, event=high))[0] == "Now significant"
    assert said(make_notice(event=high), make_notice(minutes=17, event=low))[0] == "No longer significant"
    through = said(
        make_notice(event=replace(common, significant=False)),
        make_notice(minutes=17, event=common, external=make_swift()),
    )
    assert through[0] == "Now significant only through the coincidence (GW alone 1 per 9 h)"
    assert through[1] == "New coincidence: Swift/BAT sub-threshold GRB candidate 0.25 s after the merger"


def test_classes_and_properties(make_notice: Notices, make_event: Callable[..., Event]) -> None:
    later = make_event(
        classification={"BNS": 0.40, "NSBH": 0.56, "BBH": 0.03, "Terrestrial": 0.01},
        properties={"HasNS": 0.95, "HasRemnant": 0.12, "HasMassGap": 0.01},
    )
    assert said(make_notice(), make_notice(minutes=17, event=later)) == [
        "NSBH 1 % → 56 % · BNS 95 % → 40 %",
        "If astrophysical (Terrestrial 1 %): HasRemnant 91 % → 12 %",
    ]


def test_maps(make_notice: Notices, make_map: Callable[..., Localization]) -> None:
    first = make_notice()
    better = make_map(ra=190.0, area_90=12.4, distance=Distance(mean=50.0, std=5.0))
    assert said(first, make_notice(minutes=17, localization=better)) == [
        "90 % area 31 → 12 deg²",
        "Peak moved 4.1° to 12h40m −17.9°",
        "Distance 40 ± 8 → 50 ± 5 Mpc",
    ]
    gone = make_notice(minutes=17, localization=None, map_problem="The data end early.")
    assert said(first, gone) == ["The sky map of this notice can't be read: The data end early."]
    assert said(make_notice(localization=None), make_notice(minutes=17))[0].startswith(
        "First sky map: 90 %: 31"
    )


def test_a_coincidence_comes_stays_and_goes(
    make_notice: Notices, make_swift: Callable[..., ExternalCoincidence]
) -> None:
    swift = make_swift()
    first, second = make_notice(), make_notice(minutes=17, external=swift)
    assert (
        said(first, second)[0]
        == "New coincidence: Swift/BAT sub-threshold GRB candidate 0.25 s after the merger"
    )
    same = make_notice("INITIAL", 60, external=swift)
    assert said(first, second, same) == ["Same facts as PRELIMINARY 2."]
    better = replace(swift, time_sky_position_coincidence_far=1e-12)
    lines = said(first, second, make_notice("INITIAL", 60, external=better))
    assert lines == [
        "Joint FAR before trials 1 per 32,000 yr (time and sky), 1 per 212 yr (time)",
        "Sky overlap 150; above 1 the positions agree",
    ]
    gone = said(first, second, make_notice("INITIAL", 60))
    assert gone == ["Names no coincidence any more (before: Swift/BAT sub-threshold GRB candidate)"]
    unread = replace(make_notice("INITIAL", 60), published={"external_coinc": "Swift"})
    assert said(first, second, unread) == ["Names a coincidence in a form that gwevent doesn't understand"]


def test_the_preferred_event(make_notice: Notices, make_event: Callable[..., Event]) -> None:
    early = make_event(pipeline="spiir", search="EarlyWarning", instruments=("H1", "L1"))
    assert said(make_notice("EARLYWARNING", 0.3, event=early), make_notice()) == [
        "Confirmed by the full search",
        "Preferred event spiir EarlyWarning → gstlal AllSky",
        "Detectors H1 L1 → H1 L1 V1",
    ]
    spelt = make_event(pipeline="GstLAL")
    assert said(make_notice(), make_notice(minutes=17, event=spelt)) == [NOTHING]


def test_retraction_and_revival(make_notice: Notices) -> None:
    first, gone, back = make_notice(), make_notice("RETRACTION", 30), make_notice("UPDATE", 40)
    assert said(first, gone) == ["Was: BNS 95 % · 31 deg² · 40 ± 8 Mpc · FAR 1 per 350,000 yr"]
    assert said(first, gone, back) == [
        "A candidate again: it was retracted 2024-11-26 02:40:46 UTC.",
        "Same facts as PRELIMINARY.",
    ]


def test_a_late_notice_says_that_a_newer_one_is_known(make_notice: Notices) -> None:
    first, newest = make_notice(), make_notice("INITIAL", 60)
    assert newest.received is not None
    second = make_notice(minutes=17, received=newest.received + timedelta(seconds=1))
    assert said(first, second, newest, about=1)[0] == (
        "Late: sent 2024-11-26 02:27:46 UTC, but a newer INITIAL of 2024-11-26 03:10:46 UTC is known."
        " The message above shows the newer one."
    )
    gone = make_notice("RETRACTION", 30, received=second.received)
    assert said(first, gone, newest, about=1)[-1].startswith(
        "Late: sent 2024-11-26 02:40:46 UTC, but a newer"
    )


def test_a_reply_posted_late_is_not_a_late_notice(make_notice: Notices) -> None:
    first, second, newest = make_notice(), make_notice(minutes=17), make_notice("INITIAL", 60)
    assert said(first, second, newest, about=1) == ["Same facts as PRELIMINARY."]
    unknown = replace(second, received=None)
    assert said(first, unknown, newest, about=1) == ["Same facts as PRELIMINARY."]


def test_another_events_notice_is_refused(make_notice: Notices) -> None:
    with pytest.raises(ValueError, match="is no notice of S241126dm"):
        alert_update.alert_update(
            Superevent.from_notices([make_notice()]), make_notice(superevent_id="S241126dn")
        )
