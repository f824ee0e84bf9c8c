"""2,000 mutations of every kind of message: each is read or refused with one sentence."""

from __future__ import annotations

from collections import Counter

import pytest

from formatters.models.related_message import Stream
from tests.fuzz.messages import KINDS, create_message_mutant, message_corpus, try_message
from tests.fuzz.trial import READ, REFUSED

COUNT = 2_000


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("stream", KINDS)
def test_mutated_messages_are_read_or_refused_with_a_reason(stream: Stream) -> None:
    outcomes = Counter(try_message(stream, create_message_mutant(stream, seed).body) for seed in range(COUNT))
    assert sum(outcomes.values()) == COUNT
    assert outcomes[READ] > COUNT // 10 and outcomes[REFUSED] > COUNT // 10


@pytest.mark.parametrize("stream", KINDS)
def test_messages_are_read_as_those_of_any_other_stream_without_a_crash(stream: Stream) -> None:
    for other in KINDS:
        for body in message_corpus(other).payloads:
            try_message(stream, body)


def test_the_same_seed_makes_the_same_message() -> None:
    for stream in KINDS:
        assert create_message_mutant(stream, 7) == create_message_mutant(stream, 7)
