"""Which warnings a notice gets, which is the worst, and when LVK's flag contradicts its FAR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.decode import decode
from formatters.models.event_warnings import (
    MAX_INCOHERENT_LOG_BCI,
    MIN_PROBABILITY_NEAR_PLANE,
    MIN_PROBABILITY_NEAR_SUN,
    WarningKind,
    incoherent_log_bci,
    ranked_warnings,
)
from formatters.models.notice import ASSEMBLED_FROM, Notice, Surroundings
from formatters.models.significance import (
    MAX_SIGNIFICANT_FAR,
    MAX_SIGNIFICANT_FAR_BURST_SSM,
    FlagConflict,
    are_positions_contradictory,
    flag_conflict,
    is_significant_only_by_coincidence,
    is_unconfirmed_early_warning,
    sky_overlap,
)
from formatters.models.superevent import Superevent
from formatters.text.warning_lines import warning_lines
from tests.formatters.conftest import event, localization, notice, swift

Notices = Callable[..., Notice]
shares = st.floats(0, 1)
rates = st.floats(1e-20, 1.0)


def around(sun: float = 0.0, plane: float = 0.0, separation: float = 120.0) -> Surroundings:
    return Surroundings(
        time=datetime(2023, 10, 30, 12, 51, tzinfo=UTC),
        sun_separation=separation,
        probability_near_sun=sun,
        probability_near_galactic_plane=plane,
    )


def with_map(**changes: object) -> Notice:
    return notice(localization=localization(**changes))


@given(sun=shares, plane=shares, bci=st.none() | st.floats(-1e6, 50), far=rates, significant=st.booleans())
def test_warnings_come_worst_first_and_only_beyond_their_limits(
    sun: float, plane: float, bci: float | None, far: float, significant: bool
) -> None:
    given_notice = notice(
        event=event(far=far, significant=significant),
        localization=localization(surroundings=around(sun, plane), log_bci=bci),
    )
    found = ranked_warnings(given_notice)
    kinds = [warning.kind for warning in found]
    assert len(set(kinds)) == len(kinds)
    assert [warning.severity for warning in found] == sorted((w.severity for w in found), reverse=True)
    assert all(0 <= warning.severity <= 1 for warning in found)
    assert (WarningKind.SUN in kinds) is (sun >= MIN_PROBABILITY_NEAR_SUN)
    assert (WarningKind.GALACTIC_PLANE in kinds) is (plane >= MIN_PROBABILITY_NEAR_PLANE)
    assert (WarningKind.INCOHERENT in kinds) is (bci is not None and bci <= MAX_INCOHERENT_LOG_BCI)
    assert (WarningKind.FLAG_AGAINST_FAR in kinds) is (flag_conflict(given_notice) is not None)
    if WarningKind.FLAG_AGAINST_FAR in kinds:
        assert kinds[0] is WarningKind.FLAG_AGAINST_FAR
    assert len(warning_lines(given_notice)) == len(kinds)


def test_the_sun_is_worse_than_weak_incoherence_and_strong_incoherence_than_a_touch_of_the_sun() -> None:
    weak = with_map(surroundings=around(0.87), log_bci=-1.6)
    assert [w.kind for w in ranked_warnings(weak)] == [WarningKind.SUN, WarningKind.INCOHERENT]
    strong = with_map(surroundings=around(0.25), log_bci=-6.0)
    assert [w.kind for w in ranked_warnings(strong)] == [WarningKind.INCOHERENT, WarningKind.SUN]


def test_a_map_that_was_never_measured_against_the_sun_claims_nothing() -> None:
    assert ranked_warnings(with_map()) == ()
    assert ranked_warnings(notice(localization=None)) == ()


def test_the_combined_map_is_the_one_that_is_judged() -> None:
    combined = localization(surroundings=around(0.9, separation=10.0))
    both = notice(localization=localization(surroundings=around(0.3)), external=swift(localization=combined))
    assert warning_lines(both)[0].replace("\u00a0", " ") == (
        "90 % of the combined map within 45° of the Sun on 30 Oct 2023, peak 10° from it"
    )


@pytest.mark.parametrize(
    ("bci", "in_header", "in_notice", "line"),
    [
        (-1.5825, ("H1", "L1"), ("H1", "L1"), "ln BCI −1.6: incoherent signals favoured 5:1"),
        (-1.0, ("H1", "L1", "V1"), ("H1", "L1", "V1"), "ln BCI −1.0: incoherent signals favoured 3:1"),
        (-50.0, ("H1", "L1"), ("H1", "L1"), "ln BCI −50.0: incoherent signals favoured more than 1,000:1"),
        (-1e300, ("H1", "L1"), ("H1",), "incoherent signals favoured more than 1,000:1"),
        (-0.7, ("H1", "L1"), ("H1", "L1"), None),
        (0.0, ("L1",), ("H1", "L1", "V1"), None),
        (-1.6, ("L1",), ("H1", "L1", "V1"), None),
        (-1.6, (), ("L1",), None),
        (-1.6, (), ("H1", "L1"), "ln BCI −1.6"),
        (-1.6, ("L1", "l1"), ("H1", "L1"), None),
        (float("nan"), ("H1", "L1"), ("H1", "L1"), None),
    ],
)
def test_incoherence_counts_the_detectors_of_the_map(
    bci: float, in_header: tuple[str, ...], in_notice: tuple[str, ...], line: str | None
) -> None:
    given_notice = notice(
        event=event(instruments=in_notice), localization=localization(log_bci=bci, instruments=in_header)
    )
    lines = warning_lines(given_notice)
    assert (incoherent_log_bci(given_notice) is None) is (line is None)
    assert [line in said for said in lines] == [True] if line is not None else lines == []


@given(
    far=rates,
    group=st.sampled_from(["CBC", "cbc", "Burst", "Foo"]),
    search=st.sampled_from(["AllSky", "EarlyWarning", "BBH", "SSM", "MDC", "Foo"]),
    significant=st.booleans(),
)
def test_a_flag_is_contradicted_only_by_a_far_beyond_every_possible_limit(
    far: float, group: str, search: str, significant: bool
) -> None:
    found = flag_conflict(notice(event=event(far=far, group=group, search=search, significant=significant)))
    if significant:
        assert found in (None, FlagConflict.SIGNIFICANT_AT_HIGH_FAR)
        if far > MAX_SIGNIFICANT_FAR:
            assert found is FlagConflict.SIGNIFICANT_AT_HIGH_FAR
        if far <= MAX_SIGNIFICANT_FAR_BURST_SSM:
            assert found is None
    else:
        assert found in (None, FlagConflict.LOW_AT_SIGNIFICANT_FAR)
        if far < MAX_SIGNIFICANT_FAR_BURST_SSM / 10:
            assert found is FlagConflict.LOW_AT_SIGNIFICANT_FAR
        # LVK's largest trials factor is 7 so far.
        if far >= MAX_SIGNIFICANT_FAR / 7:
            assert found is None


def test_what_explains_a_flag_is_no_contradiction() -> None:
    common = event(far=3.0e-5)
    assert flag_conflict(notice(event=common)) is FlagConflict.SIGNIFICANT_AT_HIGH_FAR
    assert flag_conflict(notice(event=common, external=swift())) is None
    assert flag_conflict(replace(notice(event=common), published={"external_coinc": "Swift"})) is None
    assert flag_conflict(notice(event=replace(common, flag_unread="maybe"))) is None
    assert flag_conflict(notice(event=replace(common, far=None))) is None
    archived = notice(event=common, archive="GraceDB", published={ASSEMBLED_FROM: ["superevent"]})
    assert flag_conflict(archived) is None
    assert flag_conflict(notice("RETRACTION")) is None


def test_a_flag_against_the_far_is_said_first() -> None:
    high = notice(event=event(far=3.0e-5), localization=localization(surroundings=around(0.99)))
    assert [line.replace("\u00a0", " ") for line in warning_lines(high)] == [
        "LVK's flag says significant, but the FAR is above its limit of 1 per month",
        "99 % within 45° of the Sun on 30 Oct 2023",
    ]
    low = notice(event=event(far=1e-14, significant=False))
    assert warning_lines(low) == ["LVK's flag says low significance, but the FAR is far below its limits"]
    single = notice(event=event(far=3.0e-5, search="SSM"))
    assert warning_lines(single)[0].endswith("above its limit of 1 per year")


@pytest.mark.slow
def test_no_real_notices_flag_contradicts_its_far(shared_notices: Path) -> None:
    for folder in ("real", "official", "mock"):
        for path in sorted((shared_notices / folder).iterdir()):
            assert flag_conflict(decode(path.read_bytes())) is None, path.name


@given(time=st.none() | st.floats(0, 1), both=st.none() | st.floats(0, 1), level=st.none() | shares)
def test_positions_contradict_only_below_a_tenth_or_beyond_99_percent(
    time: float | None, both: float | None, level: float | None
) -> None:
    external = swift(time_coincidence_far=time, time_sky_position_coincidence_far=both, peak_level=level)
    ratio = sky_overlap(external)
    assert (ratio is None) is (not time or not both or not time / both < float("inf"))
    assert are_positions_contradictory(external) is (
        (ratio is not None and ratio < 0.1) or (level is not None and level > 0.99)
    )


def test_an_early_warning_is_unconfirmed_until_a_full_search_finds_it() -> None:
    early = notice("EARLYWARNING", 0.3, event=event(search="EarlyWarning"))
    still = notice(minutes=5, event=event(search="EarlyWarning"))
    full, gone = notice(minutes=6), notice("RETRACTION", 30)
    assert is_unconfirmed_early_warning(Superevent.from_notices([early, still, gone]))
    assert not is_unconfirmed_early_warning(Superevent.from_notices([early, full, gone]))
    assert not is_unconfirmed_early_warning(Superevent.from_notices([gone]))


def test_the_coincidence_of_s250720j_is_the_only_reason_of_its_significance() -> None:
    assert is_significant_only_by_coincidence(notice(event=event(far=3.0e-5), external=swift()))
