"""Related messages as JSON: nothing is lost, and what a newer version wrote is survived."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.store.events.message_json import from_json, position_from_record, position_to_record, to_json
from formatters.models.related_message import (
    CoincidentNeutrino,
    GammaRayFollowUp,
    MessageKind,
    NeutrinoSearch,
    RelatedMessage,
    ReportedPosition,
    Stream,
)
from tests.support.related_messages import related_message

numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | numbers
times = st.datetimes(timezones=st.just(UTC))
texts = st.text(max_size=20)
positions = st.builds(
    ReportedPosition,
    ra=st.floats(0, 360, exclude_max=True),
    dec=st.floats(-90, 90),
    name=texts,
    radius=maybe,
    containment=maybe,
    redshift=maybe,
    redshift_error=maybe,
    distance=maybe,
    distance_error=maybe,
    time=st.none() | times,
    magnitude=texts,
)
searches = st.builds(
    NeutrinoSearch,
    p_generic=maybe,
    p_bayesian=maybe,
    coincident=st.none() | st.integers(0, 100),
    neutrinos=st.lists(
        st.builds(CoincidentNeutrino, position=positions, offset_s=maybe, p_generic=maybe, p_bayesian=maybe),
        max_size=2,
    ).map(tuple),
    searched_notice=texts,
)
follow_ups = st.builds(
    GammaRayFollowUp,
    is_detection=st.booleans(),
    far_hz=maybe,
    snr=maybe,
    region_fits=st.none() | st.binary(max_size=20),
)
messages = st.builds(
    RelatedMessage,
    stream=st.sampled_from(Stream),
    key=texts,
    created=times,
    superevent_ids=st.lists(texts, max_size=3).map(tuple),
    kind=st.sampled_from(MessageKind),
    subject=texts,
    author=texts,
    number=st.none() | st.integers(0, 10**9),
    is_retracted=st.booleans(),
    retracts_event=st.booleans(),
    first_created=st.none() | times,
    positions=st.lists(positions, max_size=2).map(tuple),
    details=st.none() | searches | follow_ups,
)


@given(messages)
@settings(deadline=None)
def test_a_message_is_restored_as_it_was(message: RelatedMessage) -> None:
    assert from_json(to_json(message)) == message


@given(positions)
@settings(deadline=None)
def test_a_position_is_restored_as_it_was(position: ReportedPosition) -> None:
    assert position_from_record(position_to_record(position)) == position


def test_a_redshift_and_a_p_value_of_zero_are_no_missing_ones() -> None:
    search = NeutrinoSearch(p_generic=0.0, p_bayesian=None, coincident=0)
    nearby = ReportedPosition(ra=0.0, dec=0.0, redshift=0.0)
    message = related_message(stream=Stream.ICECUBE, details=search, positions=(nearby,))
    assert from_json(to_json(message)) == message


def test_what_only_a_newer_version_knows_is_passed_over() -> None:
    record = json.loads(to_json(related_message())) | {
        "kind": "spectrum",
        "radio_follow_up": {"flux_mjy": 3},
        "novelty": [1],
    }
    assert from_json(json.dumps(record)) == related_message()


@pytest.mark.parametrize(
    "change", [{"stream": "telegrams"}, {"created": "soon"}, {"positions": [{"ra": 1}]}, {"positions": [3]}]
)
def test_what_cannot_be_understood_is_a_value_error(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(json.dumps(json.loads(to_json(related_message())) | change))


def test_the_layout_that_rows_have_since_migration_0018() -> None:
    copied = (
        '{"stream": "circulars", "key": "5", "created": "2026-11-22T12:00:00+00:00", "superevent_ids":'
        ' ["S261122a"], "kind": "report", "subject": "x", "author": "y", "number": 5}'
    )
    assert from_json(copied) == RelatedMessage(
        stream=Stream.CIRCULARS,
        key="5",
        created=datetime(2026, 11, 22, 12, tzinfo=UTC),
        superevent_ids=("S261122a",),
        kind=MessageKind.REPORT,
        subject="x",
        author="y",
        number=5,
    )
