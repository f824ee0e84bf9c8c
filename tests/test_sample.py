"""Which tests the fast run takes: `./tests/run --fast`."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.sample import MAX_CASES, not_in_sample


def item(nodeid: str, *markers: str, uses: Sequence[str] = ()) -> pytest.Item:
    """Return what the sample reads of a collected test."""
    found = SimpleNamespace(
        nodeid=nodeid,
        fixturenames=list(uses),
        get_closest_marker=lambda name: name if name in markers else None,
    )
    return cast(pytest.Item, found)


def left_out(*items: pytest.Item) -> list[str]:
    return [one.nodeid for one in not_in_sample(items)]


def test_of_a_test_without_a_database_the_first_cases_stay() -> None:
    cases = [item(f"a.py::test_one[{number}]") for number in range(5)]
    assert left_out(*cases, item("a.py::test_two")) == [one.nodeid for one in cases[MAX_CASES:]]


@pytest.mark.parametrize("fixture", ["database_url", "local_slack"])
def test_of_a_files_tests_on_a_database_or_slack_the_first_stays(fixture: str) -> None:
    items = [item(f"{file}.py::test_{name}", uses=[fixture]) for file in "ab" for name in ("one", "two")]
    assert left_out(*items) == ["a.py::test_two", "b.py::test_two"]


def test_an_essential_test_stays_with_all_its_cases_and_takes_no_others_place() -> None:
    essential = [item(f"a.py::test_one[{n}]", "essential", uses=["database_url"]) for n in range(5)]
    assert left_out(*essential, item("a.py::test_two", uses=["database_url"])) == []


@pytest.mark.parametrize("marker", ["slow", "process", "browser"])
def test_what_is_marked_slow_is_left_out_and_takes_no_others_place(marker: str) -> None:
    items = [
        item("a.py::test_one", marker, "essential", uses=["database_url"]),
        item("a.py::test_two", uses=["database_url"]),
    ]
    assert left_out(*items) == ["a.py::test_one"]
