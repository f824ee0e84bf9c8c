"""2,000 mutations of every kind of message: each is read or refused with one sentence."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fuzz import hostile_payloads
from tests.fuzz.messages import KINDS, create_message_mutant, message_corpus, try_message
from tests.fuzz.trial import READ, REFUSED

COUNT = 2_000


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_mutated_messages_are_read_or_refused_with_a_reason(kind: str) -> None:
    outcomes = Counter(try_message(kind, create_message_mutant(kind, seed).body) for seed in range(COUNT))
    assert sum(outcomes.values()) == COUNT
    assert outcomes[READ] > COUNT // 10 and outcomes[REFUSED] > COUNT // 10


@pytest.mark.parametrize("kind", KINDS)
def test_messages_are_read_as_those_of_any_other_stream_without_a_crash(kind: str) -> None:
    for other in KINDS:
        for body in message_corpus(other).payloads:
            try_message(kind, body)


def test_the_same_seed_makes_the_same_message() -> None:
    for kind in KINDS:
        assert create_message_mutant(kind, 7) == create_message_mutant(kind, 7)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", hostile_payloads.PAYLOADS)
def test_payloads_made_to_be_costly_are_of_no_stream_and_refused(name: str) -> None:
    body = hostile_payloads.PAYLOADS[name]()
    assert all(try_message(kind, body) in (READ, REFUSED) for kind in KINDS)
