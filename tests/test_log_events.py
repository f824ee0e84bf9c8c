"""docs/log-events.md lists every event that the code logs, with its level."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.source_tree import syntax_nodes

REPOSITORY = Path(__file__).resolve().parents[1]
TABLE = REPOSITORY / "docs" / "log-events.md"
LEVELS = {name: name for name in ("debug", "info", "warning", "error", "critical")} | {"exception": "error"}
LOGGERS = re.compile(r"(self\._?)?(log|logger|bound)|_log_for\(\w+\)")
ROW = re.compile(r"\| `(?P<event>\w+)` \| (?P<levels>[\w, ]+) \| (?P<meaning>.+) \|")


@cache
def logged_events() -> dict[str, set[str]]:
    """Return the events that bot/ logs, each with the levels at which it does."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((REPOSITORY / "bot").rglob("*.py")):
        for node in syntax_nodes(path):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr in LEVELS and LOGGERS.fullmatch(ast.unparse(node.func.value)):
                names = list(event_names(node))
                assert names, f"{path.name}:{node.lineno} logs an event whose name isn't in the source"
                for name in names:
                    found[name].add(LEVELS[node.func.attr])
    return found


def event_names(call: ast.Call) -> Iterator[str]:
    """Yield the event names of a log call: several if it chooses one by a conditional expression."""
    waiting = call.args[:1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.IfExp):
            waiting += [node.body, node.orelse]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def listed_events() -> dict[str, set[str]]:
    """Return the events of the table, each with its levels."""
    lines = TABLE.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    parsed = [ROW.fullmatch(line) for line in rows]
    assert all(parsed), [line for line, row in zip(rows, parsed, strict=True) if row is None]
    events = [row["event"] for row in parsed if row is not None]
    assert events == sorted(set(events)), "the table is sorted, and lists an event once"
    return {row["event"]: set(row["levels"].split(", ")) for row in parsed if row is not None}


def test_table_lists_every_logged_event_with_its_level() -> None:
    assert listed_events() == logged_events()


def test_the_new_names_of_the_changelog_are_logged() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    renamed = re.findall(r"^\| `[\w ]+` \| `(\w+)` \|$", changelog, re.MULTILINE)
    assert [name for name in renamed if name not in logged_events()] == [] and len(renamed) > 90


def test_each_part_that_survives_a_defect_is_explained() -> None:
    (row,) = [
        line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| `unexpected_error`")
    ]
    every: set[str] = set()
    for path in (REPOSITORY / "bot").rglob("*.py"):
        for node in syntax_nodes(path):
            if isinstance(node, ast.Call) and "unexpected_error" in event_names(node):
                values = [one.value for one in node.keywords if one.arg == "subsystem"]
                assert values, f"{path.name}:{node.lineno} doesn't say where"
                every |= {str(value.value) for value in values if isinstance(value, ast.Constant)}
    assert {part for part in every if f"`{part}`:" not in row} == set()


def test_event_names_are_lower_case_words() -> None:
    assert [name for name in logged_events() if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", name)] == []
