"""The streams of a subscription: in any order, mistyped, apart from their word, and those nobody needs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.filters import FilterSyntaxError, parse_criteria
from bot.filters.stream_words import in_order
from formatters.models.related_message import CANDIDATE_STREAMS, THREAD_STREAMS, Stream

some_streams = st.lists(st.sampled_from(THREAD_STREAMS), min_size=1, unique=True)


@settings(deadline=None)
@given(some_streams, st.sampled_from([" ", ", ", " and "]), st.sampled_from(["", "BNS>0.5 ", "mock "]))
def test_names_in_any_order_are_the_same_streams(streams: list[Stream], comma: str, before: str) -> None:
    criteria = parse_criteria(f"CBC {before}streams {comma.join(streams)}")
    assert criteria.streams == in_order(set(streams))
    assert parse_criteria(criteria.canonical) == criteria


@pytest.mark.parametrize("stream", CANDIDATE_STREAMS)
@pytest.mark.parametrize(
    "words", ["CBC streams {}", "CBC streams circulars {}", "CBC {}", "CBC circulars {}"]
)
def test_streams_that_feed_the_candidates_need_no_subscription(stream: Stream, words: str) -> None:
    with pytest.raises(FilterSyntaxError, match="needs no subscription: it fills the table"):
        parse_criteria(words.format(stream))


@pytest.mark.parametrize("word", ["guano", "nearby"])
def test_a_stream_without_its_word_is_told_its_place(word: str) -> None:
    with pytest.raises(FilterSyntaxError, match=f'belongs after "streams"; for the thread: streams {word}'):
        parse_criteria(f"CBC {word}")


@settings(deadline=None)
@given(some_streams, st.sampled_from(THREAD_STREAMS), st.integers(0, 5))
def test_a_mistyped_name_is_never_taken_for_a_condition(
    first: list[Stream], stream: Stream, place: int
) -> None:
    at = place % len(stream)
    mistyped = stream[:at] + stream[at] + stream[at:]  # One letter twice.
    with pytest.raises(FilterSyntaxError, match=f"is none of the streams .*; {stream}"):
        parse_criteria(f"CBC streams {' '.join(first)} {mistyped}")


@pytest.mark.parametrize(
    "words", ["near 197.4 -23.3 5deg", "BNS", "Fermi", "mock", "distance<300", "notify @here"]
)
def test_what_else_the_language_knows_may_follow_the_names(words: str) -> None:
    assert parse_criteria(f"CBC streams circulars {words}").streams == (Stream.CIRCULARS,)
