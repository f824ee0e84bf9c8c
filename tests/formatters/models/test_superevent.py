"""Tests that a superevent doesn't depend on the order or the repetition of its notices."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formatters.models.notice import ALERT_TYPES, ExternalCoincidence, Notice
from formatters.models.superevent import Superevent
from tests.support.factories import NOW, decoded_notice

BASE = decoded_notice()


def _burst(name: str) -> ExternalCoincidence:
    return ExternalCoincidence(
        observatory=name,
        search="GRB",
        gcn_notice_id=None,
        ivorn=None,
        time_difference=None,
        time_coincidence_far=None,
        time_sky_position_coincidence_far=None,
    )


notices = st.builds(
    lambda kind, second, content, bursts, archive: Notice(
        superevent_id=BASE.superevent_id,
        alert_type=kind,
        time_created=NOW + timedelta(seconds=second),
        urls={},
        event=None if kind == "RETRACTION" else BASE.event,
        external=_burst("Fermi") if bursts else None,
        more_external=(_burst("Swift"),) if bursts > 1 else (),
        archive="GraceDB" if archive else None,
        # The content follows from the drawn values, so equal contents imply equal notices.
        content=None if archive else f"{content}{bursts}",
    ),
    st.sampled_from((*ALERT_TYPES, "NOVEL", "OTHER")),
    st.integers(0, 2),
    st.sampled_from("abc"),
    st.integers(0, 2),
    st.booleans(),
)


@given(st.lists(notices, min_size=1, max_size=12), st.integers(0, 2**32))
def test_no_order_of_arrival_and_no_repeat_makes_a_difference(received: list[Notice], seed: int) -> None:
    # GraceDB's copies of one type and time are interchangeable, so they are treated as equal here.
    known = {n.key: n for n in received}
    first = Superevent.from_notices(known.values())
    again = [*known.values(), *known.values()]
    random.Random(seed).shuffle(again)
    other = Superevent.from_notices(again)
    assert other == first and other.latest.key == first.latest.key
    assert len({n.key for n in other.notices}) == len(other.notices)
    by_source = {n.key[:3] for n in other.notices if n.archive is None}
    assert not any(n.archive is not None and n.key[:3] in by_source for n in other.notices)


@pytest.mark.parametrize("times", [1, 2])
def test_notices_of_one_second_are_ordered_by_content(times: int) -> None:
    plain_, burst = (
        Notice(
            superevent_id=BASE.superevent_id,
            alert_type="UPDATE",
            time_created=NOW,
            urls={},
            event=BASE.event,
            external=external,
            content=content,
        )
        for external, content in ((None, "z"), (_burst("Fermi"), "a"))
    )
    assert Superevent.from_notices([burst, plain_] * times).latest is burst
