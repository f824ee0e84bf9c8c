"""The answer to `coverage`: golden messages, hostile words, and as many rows as a message holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from formatters.answers import coverage, coverage_export
from formatters.blockkit.message import Message
from formatters.models.coverage import (
    BandCoverage,
    CoverageSummary,
    CoveredObservation,
    DepthRange,
    EventCoverage,
    ReportedCoverage,
    UncoveredPiece,
)
from formatters.models.notice import Notice
from formatters.models.observation import Observation, ObservationStatus, ObservedField
from formatters.models.pointing import Footprint
from formatters.models.superevent import Superevent
from formatters.models.treasure_map import ReportedObservation, TreasureMapReading
from formatters.posts.channel_view import ImageRef
from formatters.terminal import message_text
from formatters.text import coverage_lines
from tests.support.factories import NOW

FOOTPRINT = Footprint(polygons=(), radius=1.1, area=3.8, words="DECam")
DONE, PLANNED, CANCELLED = ObservationStatus.DONE, ObservationStatus.PLANNED, ObservationStatus.CANCELLED
HOSTILE = "<!channel> *x* & `y` <https://evil.example|z> " + "n" * 300


@pytest.fixture
def superevent(stories: dict[str, list[Notice]]) -> Superevent:
    return Superevent.from_notices(next(iter(stories.values())))


def observation(superevent: Superevent, number: int = 1, **changes: object) -> Observation:
    event = superevent.event
    assert event is not None
    usual = Observation(
        id=number,
        superevent_id=superevent.superevent_id,
        instrument="ZTF",
        status=DONE,
        user_id="U0BOB",
        created_at=NOW,
        changed_at=NOW,
        footprint=FOOTPRINT,
        fields=tuple(
            ObservedField(ra=10.0 + at, dec=-20.0, time=event.time + timedelta(hours=2, minutes=5 * at))
            for at in range(12)
        ),
        band="r",
        depth=21.5,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def reported(**changes: object) -> ReportedObservation:
    usual = ReportedObservation(
        instrument_id=38,
        instrument="DECam",
        status=DONE,
        status_word="completed",
        footprint=FOOTPRINT,
        fields=(ObservedField(ra=10.0, dec=-20.0),) * 90,
        band="i",
        depths=(22.1, 22.8),
        depth_unit="ab_mag",
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def event_coverage(superevent: Superevent, **changes: object) -> EventCoverage:
    notice = next(one for one in superevent.notices if one.best_localization is not None)
    usual = EventCoverage(
        notice=notice,
        is_combined=False,
        observations=(
            CoveredObservation(observation=observation(superevent), share=0.41),
            CoveredObservation(
                observation=observation(
                    superevent, 2, instrument="GOTO", status=PLANNED, band=None, depth=None
                ),
                share=0.08,
            ),
            CoveredObservation(
                observation=observation(
                    superevent, 3, instrument="My dome", status=CANCELLED, footprint=None, note="clouds"
                ),
                share=None,
            ),
        ),
        reading=TreasureMapReading(read_at=NOW - timedelta(minutes=4), left_out=2),
        reported=(
            ReportedCoverage(reported=reported(), own=3, share=0.2),
            ReportedCoverage(reported=reported(instrument="ZTF", fields=()), own=12),
            ReportedCoverage(
                reported=reported(status=None, status_word="aborted", footprint=None, band=None, depths=None)
            ),
        ),
        bands=(
            BandCoverage(
                band="r",
                done=0.41,
                planned=0.0,
                instruments=("ZTF",),
                depths=(DepthRange(low=20.5, high=21.5),),
            ),
            BandCoverage(
                band="i",
                done=0.2,
                planned=0.0,
                instruments=("DECam",),
                depths=(DepthRange(low=22.1, high=22.8, unit="ab_mag"),),
            ),
            BandCoverage(band=None, done=0.0, planned=0.08, instruments=("GOTO",)),
        ),
        done=0.52,
        planned=0.06,
        uncovered=0.42,
        uncovered_90=0.33,
        uncovered_90_area=410.0,
        pieces=(
            UncoveredPiece(ra=197.45, dec=-23.38, probability=0.2, area=250),
            UncoveredPiece(ra=12.5, dec=45.0, probability=0.09, area=120),
        ),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def answer(superevent: Superevent, found: EventCoverage, **changes: object) -> Message:
    usual = coverage.CoverageAnswer(superevent=superevent, coverage=found, asked_at=NOW)
    return coverage.message(replace(usual, **changes))  # type: ignore[arg-type]


def test_golden_answers(
    superevent: Superevent, check: Callable[[Message], Message], golden: Callable[[str, Message], None]
) -> None:
    found = event_coverage(superevent)
    image = ImageRef(alt_text="The map with fields", file_id="F024BE7LH")
    golden("coverage", check(answer(superevent, found, image=image)))
    nothing = replace(found, observations=(), reported=(), bands=(), done=0.0, planned=0.0)
    golden("coverage-nothing", check(answer(superevent, nothing)))
    golden("coverage-export-csv", check(coverage_export.csv_message(superevent, found, 2_000)))
    golden("coverage-export-json", check(coverage_export.json_message(superevent, found, 6_000)))


def test_words_of_others_are_only_words(superevent: Superevent, check: Callable[[Message], Message]) -> None:
    found = event_coverage(
        superevent,
        observations=(
            CoveredObservation(
                observation=observation(
                    superevent, instrument=HOSTILE, band=HOSTILE, note=HOSTILE, user_id="<!here>"
                ),
                share=0.1,
            ),
        ),
        reported=(
            ReportedCoverage(
                reported=reported(instrument=HOSTILE, band=HOSTILE, status=None, status_word=HOSTILE)
            ),
        ),
        reading=TreasureMapReading(read_at=NOW, problem=HOSTILE),
        bands=(BandCoverage(band=HOSTILE, done=0.1, planned=0.0, instruments=(HOSTILE,) * 20),),
    )
    for made in (
        check(answer(superevent, found)),
        check(coverage_export.csv_message(superevent, found, 6_000)),
        check(coverage_export.json_message(superevent, found, 6_000)),
    ):
        marked = [str(block) for block in made.blocks if block["type"] in ("section", "context")]
        assert not any("<!channel>" in text or "<https" in text or "<!here>" in text for text in marked)


def test_as_many_observations_as_a_channel_may_have_fit_a_message(
    superevent: Superevent, check: Callable[[Message], Message]
) -> None:
    many = tuple(
        CoveredObservation(observation=observation(superevent, number, note="clouds " * 60), share=0.01)
        for number in range(50)
    )
    others = tuple(ReportedCoverage(reported=reported(instrument=f"T{n}"), share=0.01) for n in range(200))
    bands = tuple(
        BandCoverage(band=f"b{n}", done=0.1, planned=0.0, instruments=("ZTF",) * 9) for n in range(60)
    )
    found = event_coverage(superevent, observations=many, reported=others, bands=bands)
    text = message_text.render(check(answer(superevent, found)))
    assert "35 more are in the export." in text and "188 more are in the export." in text
    numbers = [number for number, _ in coverage.numbered_rows(found)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("done", "planned", "instruments", "reported_only", "words"),
    [
        (0.41, 0.08, 2, 0, "41 % done and 8 % more planned, in any band and to any depth (2 instruments"),
        (0.0, 0.08, 1, 0, "8 % planned, in any band and to any depth (1 instrument"),
        (
            0.41,
            0.0,
            3,
            1,
            "41 % done, in any band and to any depth (3 instruments, 1 of them in the Treasure",
        ),
        (0.41, 0.0, 3, 3, "(3 instruments in the Treasure Map"),
        (0.0, 0.0, 1, 0, ": nothing of it, done or planned, in any"),
        (0.001, 0.0, 1, 0, ": <1 % done, in any"),
    ],
)
def test_the_follow_up_replys_line(
    superevent: Superevent, done: float, planned: float, instruments: int, reported_only: int, words: str
) -> None:
    summary = CoverageSummary(
        notice=superevent.notices[0],
        is_combined=False,
        done=done,
        planned=planned,
        instruments=instruments,
        reported_only=reported_only,
    )
    line = coverage_lines.follow_up_line(superevent, summary).replace("\xa0", " ")
    assert words in line and line.endswith(f"/gwevent coverage {superevent.superevent_id}")
