"""Find statements that read a whole table that grows with every alert, in PostgreSQL's query plans."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from bot.store.database import Database

GROWING = frozenset(
    {"superevents", "notices", "payloads", "threads", "deliveries", "mentions", "pictures", "observers"}
)
"""Tables with rows for every alert that are kept for years."""

_EXPLAINED = re.compile(r"\s*(SELECT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)


class QueryPlans:
    """The query plans of all executed statements, one for each statement."""

    def __init__(self) -> None:
        self.by_statement: dict[str, Mapping[str, Any]] = {}
        """Query plans by statement."""

    def full_scans(self) -> list[tuple[str, str]]:
        """Return (table, statement) for each full scan of a growing table."""
        return [
            (node["Relation Name"], statement)
            for statement, plan in self.by_statement.items()
            for node in _nodes(plan)
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in GROWING
        ]


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


@contextmanager
def explain_statements(database: Database) -> Iterator[QueryPlans]:
    """Within this context, explain every statement with its values right before it is executed."""
    plans = QueryPlans()
    engine = database._engine.sync_engine

    def explain(
        connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, many: bool
    ) -> None:
        if statement in plans.by_statement or not _EXPLAINED.match(statement) or "pg_advisory" in statement:
            return
        plans.by_statement[statement] = {}
        first = values[0] if many and isinstance(values, Sequence) else values
        found = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", first).scalar_one()
        tree = json.loads(found) if isinstance(found, str) else found
        plans.by_statement[statement] = tree[0]["Plan"]

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", explain)
