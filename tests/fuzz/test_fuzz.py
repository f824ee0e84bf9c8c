"""A sample of the hostile payloads, and all the crafted ones; `./tests/run --corpus` tries 20,000."""

from collections import Counter

import pytest

from tests.fuzz import hostile_payloads
from tests.fuzz.__main__ import table
from tests.fuzz.mutations import MUTATIONS, create_mutant
from tests.fuzz.seeds import published_corpus, synthetic_corpus
from tests.fuzz.trial import MAP_REFUSED, READ, REFUSED
from tests.fuzz.trial_pool import run_trials

pytestmark = pytest.mark.slow

SAMPLE = 300


@pytest.mark.timeout(600)
def test_hostile_payloads_are_refused_with_a_reason_at_a_bounded_cost() -> None:
    report = run_trials(range(SAMPLE), workers=1)
    # What is slow is for the full run to judge, on a machine that does nothing else.
    assert [fault for fault in report.failures if fault.outcome in ("crash", "hang")] == []
    assert [fault for fault in report.failures if fault.grown > 256] == []
    outcomes = Counter(done.outcome for done in report.results)
    assert sum(outcomes.values()) == SAMPLE
    assert outcomes[REFUSED] > 50 and outcomes[MAP_REFUSED] > 20 and outcomes[READ] > 20
    assert {done.kind for done in report.results[len(hostile_payloads.PAYLOADS) :]} == set(MUTATIONS)
    assert "all" in table(report)


def test_same_seed_gives_same_payload() -> None:
    own, real = synthetic_corpus(), published_corpus()
    for seed in range(len(hostile_payloads.PAYLOADS), len(hostile_payloads.PAYLOADS) + 40):
        assert create_mutant(seed, own, real) == create_mutant(seed, own, real)
