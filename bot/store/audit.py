"""The audit: everything that people did, read from the tables that keep it, the newest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.channels.change_log import change_from_row
from bot.store.database import Database
from formatters.models.audit import AuditEntry
from formatters.text.change_text import change_summary

MAX_ENTRIES = 10_000
"""The most entries of one answer."""

_a = schema.event_actions
_c = schema.channel_changes
_d = schema.counterpart_decisions
_g = schema.criteria_sets
_i = schema.installations


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """The conditions on the entries that are asked for; None for all."""

    channel_id: str | None = None
    user_id: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The entries, the newest first."""

    entries: tuple[AuditEntry, ...]
    is_cut: bool
    """True if there are more than MAX_ENTRIES, of which the oldest are left out."""


class AuditLog:
    """Reads what people did. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(self, query: AuditQuery) -> Audit:
        """Return people's actions and changes, the newest first.

        What concerns a workspace as a whole (criteria sets, installations) belongs to no channel, so it is
        left out if a channel is asked for.
        """
        async with self._database.read_transaction() as connection:
            parts = [
                await _changes(connection, query),
                await _actions(connection, query),
                await _decisions(connection, query),
            ]
            if query.channel_id is None:
                parts += [await _criteria_sets(connection, query), await _installations(connection, query)]
        merged = heapq.merge(*(_newest_first(part) for part in parts), key=lambda e: e.at, reverse=True)
        entries = [entry for _, entry in zip(range(MAX_ENTRIES + 1), merged, strict=False)]
        return Audit(tuple(entries[:MAX_ENTRIES]), is_cut=len(entries) > MAX_ENTRIES)


def _newest_first(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


async def _rows(
    connection: AsyncConnection,
    statement: Select[Any],
    query: AuditQuery,
    *,
    user: Column[Any],
    at: Column[Any],
    channel: Column[Any] | None = None,
) -> Sequence[Any]:
    if query.user_id is not None:
        statement = statement.where(user == query.user_id)
    if query.since is not None:
        statement = statement.where(at >= query.since)
    if query.channel_id is not None and channel is not None:
        statement = statement.where(channel == query.channel_id)
    newest = statement.order_by(at.desc()).limit(MAX_ENTRIES + 1)
    found: Sequence[Any] = (await connection.execute(newest)).all()
    return found


async def _changes(connection: AsyncConnection, query: AuditQuery) -> list[AuditEntry]:
    rows = await _rows(
        connection, select(_c), query, user=_c.c.changed_by, at=_c.c.changed_at, channel=_c.c.channel_id
    )
    found = []
    for row in rows:
        what, detail = change_summary(change_from_row(row))
        found.append(_entry(row, row.changed_by, row.changed_at, what, detail))
    return found


async def _actions(connection: AsyncConnection, query: AuditQuery) -> list[AuditEntry]:
    rows = await _rows(connection, select(_a), query, user=_a.c.user_id, at=_a.c.at, channel=_a.c.channel_id)
    return [
        _entry(row, row.user_id, row.at, f"{row.superevent_id or 'a drill'}: {row.action}", row.detail)
        for row in rows
    ]


async def _decisions(connection: AsyncConnection, query: AuditQuery) -> list[AuditEntry]:
    rows = await _rows(
        connection, select(_d), query, user=_d.c.decided_by, at=_d.c.decided_at, channel=_d.c.channel_id
    )
    return [
        _entry(
            row,
            row.decided_by,
            row.decided_at,
            f"{row.superevent_id}: counterpart candidate {row.decision}",
            row.name,
        )
        for row in rows
    ]


async def _criteria_sets(connection: AsyncConnection, query: AuditQuery) -> list[AuditEntry]:
    found = []
    for user, at, verb in (
        (_g.c.created_by, _g.c.created_at, "made"),
        (_g.c.changed_by, _g.c.changed_at, "changed"),
    ):
        columns = (_g.c.team_id, _g.c.slug, _g.c.grades, user.label("by"), at.label("done_at"))
        statement = select(*columns)
        if verb == "changed":
            statement = statement.where(_g.c.changed_at > _g.c.created_at)
        for row in await _rows(connection, statement, query, user=user, at=at):
            entry = AuditEntry(
                at=row.done_at,
                team_id=row.team_id,
                channel_id=None,
                user_id=row.by,
                what=f"criteria set {row.slug} {verb}",
                # What it was in between is kept by the channels that use it.
                detail=f"now {row.grades}",
            )
            found.append(entry)
    return found


async def _installations(connection: AsyncConnection, query: AuditQuery) -> list[AuditEntry]:
    columns = (_i.c.team_id, _i.c.team_name, _i.c.installed_by, _i.c.installed_at)
    rows = await _rows(connection, select(*columns), query, user=_i.c.installed_by, at=_i.c.installed_at)
    return [
        AuditEntry(
            at=row.installed_at,
            team_id=row.team_id,
            channel_id=None,
            user_id=row.installed_by,
            what="app installed",
            detail=row.team_name,
        )
        for row in rows
    ]


def _entry(row: Any, user_id: str, at: datetime, what: str, detail: str) -> AuditEntry:
    return AuditEntry(
        at=at, team_id=row.team_id, channel_id=row.channel_id, user_id=user_id, what=what, detail=detail
    )
