from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formatters.models.notice import Distance, Event, ExternalCoincidence, Localization, MassBins, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_update
from formatters.posts.class_changes import is_news
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
        "Event time now 2024-11-26 02:10:48 UTC, 2 s later"
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
    assert through[0] == "Now significant only through the coincidence (GW alone 1 per 9.3 h)"
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
    gone = make_event(properties={})
    assert said(make_notice(), make_notice(minutes=17, event=gone)) == ["No properties any more"]


def test_maps(make_notice: Notices, make_map: Callable[..., Localization]) -> None:
    first = make_notice()
    better = make_map(ra=190.0, area_90=12.4, distance=Distance(mean=50.0, std=5.0))
    assert said(first, make_notice(minutes=17, localization=better)) == [
        "90 % area 31 → 12 deg²",
        "Peak moved 4.1° to 12h40m −17.9°",
        "Distance 40 ± 8 → 50 ± 5 Mpc",
    ]
    gone = make_notice(minutes=17, localization=None, map_problem="The data end early.")
    assert said(first, gone) == [
        "The sky map of this notice can't be read: The data end early.",
        "The newest readable map is that of PRELIMINARY",
    ]
    assert said(make_notice(localization=None), make_notice(minutes=17))[0].startswith(
        "First sky map: 90 %: 31"
    )
    again = said(first, gone, make_notice("INITIAL", 60))
    assert again[0].startswith("Sky map: 90 %: 31")


def test_map_and_distance_come_before_the_classes(
    make_notice: Notices, make_map: Callable[..., Localization], make_event: Callable[..., Event]
) -> None:
    later = make_notice(
        minutes=17,
        event=make_event(classification={"BNS": 0.40, "NSBH": 0.56, "BBH": 0.03, "Terrestrial": 0.01}),
        localization=make_map(area_90=12.4, distance=Distance(mean=50.0, std=5.0)),
    )
    assert said(make_notice(), later) == [
        "90 % area 31 → 12 deg²",
        "Distance 40 ± 8 → 50 ± 5 Mpc",
        "NSBH 1 % → 56 % · BNS 95 % → 40 %",
    ]


@pytest.mark.parametrize(
    ("old_pieces", "new_pieces", "line"),
    [
        (1, 1, "Peak moved 4.1° to 12h40m −17.9°"),
        (2, 1, "Peak 12h40m −17.9°"),
        (None, 1, "Peak 12h40m −17.9°"),
        # Measured by an older version, which didn't count the pieces of the 50 % region.
        (1, None, "Peak 12h40m −17.9°"),
        (None, None, "Peak 12h40m −17.9°"),
    ],
)
def test_a_peak_moves_only_between_maps_in_one_piece(
    old_pieces: int | None,
    new_pieces: int | None,
    line: str,
    make_notice: Notices,
    make_map: Callable[..., Localization],
) -> None:
    first = make_notice(localization=make_map(pieces_50=old_pieces))
    moved = make_map(ra=190.0, pieces_50=new_pieces)
    better = replace(moved, area_90=12.4)
    assert line in said(first, make_notice(minutes=17, localization=better))
    # Without another area or another place of the map, a jump of the peak is news only where it is a shift.
    same_area = said(first, make_notice(minutes=17, localization=moved))
    assert same_area == ([line] if old_pieces == new_pieces == 1 else [NOTHING])


def test_a_new_map_in_several_pieces_names_them_instead_of_its_peak(
    make_notice: Notices, make_map: Callable[..., Localization], make_wide_map: Callable[..., Localization]
) -> None:
    lines = said(make_notice(), make_notice(minutes=17, localization=make_wide_map()))
    assert lines[:2] == [
        "90 % area 31 → 9,574 deg²",
        "Now 59 % near 06h03 −20° · 31 % near 14h25 +56° · 1 smaller",
    ]
    # Its two lobes are as probable as before; the peak only jumped from one to the other.
    jumped = make_wide_map(ra=216.3, dec=56.2)
    wide = make_notice(localization=make_wide_map())
    assert said(wide, make_notice(minutes=17, localization=jumped)) == [NOTHING]


def test_another_algorithm_is_named_if_both_are_known(
    make_notice: Notices, make_map: Callable[..., Localization]
) -> None:
    first = make_notice(localization=make_map(creator="BAYESTAR"))
    by_bilby = make_notice(
        minutes=17,
        localization=make_map(creator="ligo-skymap-from-samples"),
        urls={"skymap": "https://gracedb.ligo.org/files/Bilby.multiorder.fits,0"},
    )
    assert said(first, by_bilby) == ["Map by BAYESTAR → Bilby"]
    assert said(first, replace(by_bilby, urls={})) == [NOTHING]


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        # Under 5 points, and across neither 10 nor 50 %.
        ({"BNS": 0.95, "NSBH": 0.05}, {"BNS": 0.92, "NSBH": 0.08}, [NOTHING]),
        ({"BNS": 0.95, "NSBH": 0.05}, {"BNS": 0.90, "NSBH": 0.10}, ["BNS 95 % → 90 % · NSBH 5 % → 10 %"]),
        ({"BNS": 0.91, "NSBH": 0.09}, {"BNS": 0.89, "NSBH": 0.11}, ["NSBH 9 % → 11 %"]),
        ({"BNS": 0.52, "BBH": 0.48}, {"BNS": 0.56, "BBH": 0.44}, [NOTHING]),
        # Another leading class changes the title, so it is told.
        ({"BNS": 0.34, "BBH": 0.33}, {"BNS": 0.33, "BBH": 0.34}, ["BBH 33 % → 34 % · BNS 34 % → 33 %"]),
        ({"BNS": 0.333, "BBH": 0.332}, {"BNS": 0.332, "BBH": 0.333}, ["Most probable now BBH 33 %"]),
        # Crossing by less than a percent can't be said.
        ({"BNS": 0.0999, "BBH": 0.9}, {"BNS": 0.1001, "BBH": 0.9}, [NOTHING]),
    ],
)
def test_class_steps_under_5_points_are_told_only_across_10_or_50_percent(
    old: dict[str, float],
    new: dict[str, float],
    lines: list[str],
    make_notice: Notices,
    make_event: Callable[..., Event],
) -> None:
    first = make_notice(event=make_event(classification=old))
    assert said(first, make_notice(minutes=17, event=make_event(classification=new))) == lines


chances = st.floats(min_value=0, max_value=1)


@given(chances, chances)
def test_a_step_is_news_as_the_rule_says(old: float, new: float) -> None:
    across = any(min(old, new) < limit <= max(old, new) for limit in (0.1, 0.5))
    if abs(abs(new - old) - 0.05) > 1e-6:
        assert is_news(old, new) == (abs(new - old) > 0.05 or across)


def test_an_update_that_leaves_terrestrial_out_is_compared_under_the_same_condition(
    make_notice: Notices, make_event: Callable[..., Event]
) -> None:
    first = make_notice(
        "INITIAL", event=make_event(classification={"NSBH": 0.57, "BBH": 0.03, "Terrestrial": 0.4})
    )

    def after(**classes: float) -> list[str]:
        return said(first, make_notice("UPDATE", 60, event=make_event(classification=classes)))

    told = "Terrestrial not given any more (40 % in INITIAL)"
    # 57 of 60 points are 95 %: nothing changed but the condition.
    assert after(NSBH=0.95, BBH=0.05, Terrestrial=0.0) == [told]
    assert after(NSBH=0.6, BBH=0.4) == [f"If astrophysical: NSBH 95 % → 60 % · BBH 5 % → 40 % · {told}"]
    # The search's own classes, now surer.
    assert after(NSBH=0.95, BBH=0.04, Terrestrial=0.01) == ["NSBH 57 % → 95 % · Terrestrial 40 % → 1 %"]


def test_classes_with_terrestrial_again_are_given_whole(
    make_notice: Notices, make_event: Callable[..., Event]
) -> None:
    estimated = make_notice("UPDATE", event=make_event(classification={"NSBH": 1.0, "Terrestrial": 0.0}))
    again = make_event(classification={"NSBH": 0.6, "Terrestrial": 0.4})
    assert said(estimated, make_notice("UPDATE", 60, event=again)) == [
        "Classes with Terrestrial again: NSBH 60 % · Terrestrial 40 %"
    ]


def test_a_reply_says_which_notice_it_compares_with(
    make_notice: Notices, make_event: Callable[..., Event]
) -> None:
    first, same, gone = make_notice(), make_notice(minutes=17), make_notice("RETRACTION", 30)
    rarer = make_event(far=1e-41)

    def head(*notices: Notice) -> str:
        superevent = Superevent.from_notices(notices)
        reply = alert_update.alert_update(superevent, superevent.latest)
        assert reply.text.count("since") == message_text.render(reply).splitlines()[0].count("since")
        return message_text.render(reply).splitlines()[0]

    changed = make_notice("INITIAL", 60, event=rarer)
    assert head(first, same, changed) == (
        "INITIAL · S241126dm · vetted by people · changes since PRELIMINARY 2"
    )
    assert head(first, gone, changed).endswith("changes since PRELIMINARY")
    # Two updates are told apart by their times.
    updates = make_notice("UPDATE", 70), make_notice("UPDATE", 90, event=rarer)
    assert head(first, *updates).endswith("changes since UPDATE of 2024-11-26 03:20 UTC")
    # Without a change the line itself names the notice; without an earlier one there is nothing to name.
    superevent = Superevent.from_notices([first, same])
    reply = message_text.render(alert_update.alert_update(superevent, same))
    assert "since" not in reply and "Same facts as PRELIMINARY." in reply
    assert "since" not in head(gone, changed)


def test_a_chirp_mass_is_news_if_its_bins_or_its_frame_changed(
    make_notice: Notices, make_event: Callable[..., Event]
) -> None:
    def with_bins(*shares: float) -> Event:
        return make_event(mchirp_source=MassBins(bin_edges=(1, 1.1, 1.2, 1.3), probabilities=shares))

    first = make_notice(event=with_bins(0.05, 0.8, 0.15))
    assert said(first, make_notice(minutes=17, event=with_bins(0.06, 0.77, 0.17))) == [NOTHING]
    assert said(first, make_notice(minutes=17, event=with_bins(0.9, 0.05, 0.05))) == [
        "Chirp mass 1.0–1.1 M☉ (90 %), source frame"
    ]


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
        "Swift/BAT sub-threshold GRB candidate · Joint FAR before trials 1 per 32,000 yr (time and sky),"
        " 1 per 210 yr (time)",
        "Sky overlap 150; above 1 the positions agree",
    ]
    gone = said(first, second, make_notice("INITIAL", 60))
    assert gone == ["Names no coincidence any more (before: Swift/BAT sub-threshold GRB candidate)"]
    unread = replace(make_notice("INITIAL", 60), published={"external_coinc": "Swift"})
    assert said(first, second, unread) == ["Names a coincidence in a form that gwevent doesn't understand"]


def test_a_known_coincidences_new_facts_come_after_the_map_with_its_name(
    make_notice: Notices,
    make_map: Callable[..., Localization],
    make_swift: Callable[..., ExternalCoincidence],
) -> None:
    swift = make_swift(localization=make_map(area_90=20.0))
    first = make_notice(external=swift)
    closer = replace(swift, localization=make_map(area_90=9.0))
    lines = said(first, make_notice("INITIAL", 60, external=closer, localization=make_map(area_90=12.4)))
    assert lines == [
        "90 % area 31 → 12 deg²",
        "Swift/BAT sub-threshold GRB candidate · 90 %: GW 12 → combined 9.0 deg² · 50 %: combined 8.9 deg²",
    ]


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
