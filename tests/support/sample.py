"""Which tests `./tests/run --fast` runs: some of every file that has fast ones, always the same.

All tests take half an hour, and most of that is the tenth of a second that a test spends on its database, or
ten more cases of one test. So of a file's tests that use a database or the local Slack the first is run, and
of any other test the first two cases. Of a test that is marked `essential` every case is run that isn't
`slow`, as those on PostgreSQL are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

MAX_CASES = 2
"""Cases that are run of a test that needs neither database nor Slack."""

COSTLY_FIXTURES = frozenset({"database_url", "local_slack"})
EXCLUDED_MARKERS = frozenset({"slow", "process", "browser"})
"""What the marker expression of `--fast` leaves out."""


def not_in_sample(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that aren't part of the sample, in their order."""
    cases: Counter[str] = Counter()
    costly: Counter[str] = Counter()
    left_out = []
    for item in items:
        if any(item.get_closest_marker(name) for name in EXCLUDED_MARKERS):
            left_out.append(item)
            continue
        if item.get_closest_marker("essential"):
            continue
        file, _, _ = item.nodeid.partition("::")
        if COSTLY_FIXTURES & set(getattr(item, "fixturenames", ())):
            costly[file] += 1
            is_chosen = costly[file] == 1
        else:
            function = item.nodeid.partition("[")[0]
            cases[function] += 1
            is_chosen = cases[function] <= MAX_CASES
        if not is_chosen:
            left_out.append(item)
    return left_out
