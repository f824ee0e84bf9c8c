"""Run a short seed of the chaos harness; `./tests/run --chaos` runs all cases."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.chaos.cases import database, extra_topics, follow_ups, kills, storm
from tests.chaos.runner import Case, run_case

pytestmark = pytest.mark.process

SEED = 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("kills", functools.partial(kills.kills, lives=4, notices=12, channels=3)),
        ("kills-with-history", functools.partial(kills.kills_with_history, lives=4, notices=12, channels=3)),
        (
            "follow-ups-killed",
            functools.partial(follow_ups.killed, lives=4, notices=8, circulars=24, channels=3),
        ),
        ("storm", functools.partial(storm.storm, rounds=8, notices=16, channels=3)),
        ("database-full", database.full),
        ("topic-denied", extra_topics.denied),
        ("topic-dying", extra_topics.dying),
        ("topic-flooded", functools.partial(extra_topics.flooded, circulars=150)),
    ],
)
async def test_short_chaos_cases_lose_no_alert(tmp_path: Path, name: str, case: Case) -> None:
    result = await run_case(name, case, tmp_path, SEED)
    assert result.passed, result
