"""The answers to `observe`: bounded, escaped, and right in what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formatters.answers import observe as answers
from formatters.answers.observe import ObservationList, Reported
from formatters.models.coverage import SharedFields
from formatters.models.notice import Notice
from formatters.models.observation import (
    Observation,
    ObservationStatus,
    ObservedField,
    without_done_fields,
)
from formatters.models.superevent import Superevent
from formatters.terminal import message_text
from tests.formatters.conftest import validated

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
HOSTILE = "<!channel> *x* `y` <@U1> :boom: https://x.y " * 12


@pytest.fixture(scope="module")
def superevent(make_notice: Callable[..., Notice]) -> Superevent:
    return Superevent.from_notices([make_notice()])


def observation(**changes: object) -> Observation:
    """Return twelve fields that are done, three minutes each from 03:00 on."""
    fields = tuple(
        ObservedField(ra=float(number), dec=0.0, time=NOW.replace(hour=3) + number * timedelta(minutes=3))
        for number in range(12)
    )
    made = Observation(
        id=1,
        superevent_id="S261122a",
        instrument="ZTF",
        status=ObservationStatus.DONE,
        user_id="U0A",
        created_at=NOW,
        changed_at=NOW,
        fields=fields,
        band="r",
        depth=21.5,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_what_was_observed_when() -> None:
    assert answers.fields_words(observation()) == "12 fields in r to 21.5 mag"
    assert answers.fields_words(observation(fields=(), band=None, depth=None)) == "fields not said"
    merger = NOW.replace(hour=1)
    assert answers.time_words(observation(), merger) == ("23 Nov 03:00\u00a0UTC (T+2.0\u00a0h) to 03:33 UTC")
    late = observation(observed_at=NOW.replace(hour=3, minute=20))
    assert answers.time_words(late, None) == "23 Nov 03:20\u00a0UTC"
    over_midnight = (
        ObservedField(ra=0.0, dec=0.0, time=NOW.replace(day=22, hour=23)),
        ObservedField(ra=1.0, dec=0.0, time=NOW),
    )
    assert answers.time_words(observation(fields=over_midnight), None) == (
        "22 Nov 23:00\u00a0UTC to 23 Nov 04:00\u00a0UTC"
    )


@settings(deadline=None)
@given(st.sets(st.integers(1, 60), min_size=1))
def test_numbers_are_said_in_runs(numbers: set[int]) -> None:
    said = answers.numbers_words(numbers)
    parts = said.removesuffix(" and more").partition(" ")[2].split(", ")
    read = set()
    for part in parts:
        first, _, last = part.partition("–")
        read |= set(range(int(first), int(last or first) + 1))
    assert read == numbers if not said.endswith("more") else read < numbers
    assert len(parts) <= answers.MAX_RANGES


def test_many_observations_with_hostile_words_fit_one_message(superevent: Superevent) -> None:
    many = [
        observation(
            id=number, instrument=HOSTILE[:64], band=HOSTILE[:32], note=HOSTILE[:500], user_id=HOSTILE[:32]
        )
        for number in range(50)
    ]
    people = tuple(f"U{number:08}" for number in range(40))
    listed = ObservationList(superevent=superevent, observations=many, observers=people, asked_at=NOW)
    message = validated(answers.list_message(listed))
    assert "<!" not in str(message.blocks) and "<@U1>" not in str(message.blocks)
    assert "25 earlier ones aren't shown." in message_text.render(message)


def test_a_report_with_hostile_words_fits_one_message(superevent: Superevent) -> None:
    shared = tuple(
        SharedFields(
            instrument=HOSTILE[:64],
            status=ObservationStatus.PLANNED,
            user_id=None if number % 2 else "U0B",
            fields=tuple(range(1, 500, 2)),
            bands=(HOSTILE[:64],) * 40,
        )
        for number in range(9)
    )
    reported = Reported(
        superevent=superevent,
        sentences=(HOSTILE,) * 9,
        shared=shared,
        notes=(HOSTILE,) * 9,
        next_words=HOSTILE[:100],
    )
    message = validated(answers.reported_message(reported))
    assert "<!" not in str(message.blocks) and "<@U1>" not in str(message.blocks)
    assert "6 more have fields of these too" in message_text.render(message)


CENTRES = st.lists(st.integers(0, 9), max_size=6).map(
    lambda numbers: tuple(ObservedField(ra=float(n), dec=0.0) for n in numbers)
)
ROWS = st.lists(
    st.tuples(st.sampled_from(list(ObservationStatus)), st.sampled_from("AB"), CENTRES), max_size=8
)


@settings(deadline=None)
@given(ROWS)
def test_planned_and_done_fields_of_an_instrument_share_none_that_was_done_later(
    rows: list[tuple[ObservationStatus, str, tuple[ObservedField, ...]]],
) -> None:
    every = [
        observation(id=number, status=status, instrument=name, fields=fields)
        for number, (status, name, fields) in enumerate(rows, 1)
    ]
    read = without_done_fields(every)
    assert [one for one in read if one.status is ObservationStatus.DONE] == [
        one for one in every if one.status is ObservationStatus.DONE
    ]
    for one in read:
        later = {
            field
            for other in every
            if other.status is ObservationStatus.DONE and other.id > one.id
            if other.instrument == one.instrument
            for field in other.fields
        }
        if one.status is not ObservationStatus.DONE:
            assert not set(one.fields) & later
            assert set(one.fields) == set(every[one.id - 1].fields) - later
    assert without_done_fields(read) == read
