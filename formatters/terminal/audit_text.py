"""The audit as a plain table for a terminal, and as JSON values."""

from __future__ import annotations

from collections.abc import Sequence

from formatters.blockkit.mrkdwn import plain_text, replace_nbsp
from formatters.models.audit import AuditEntry
from formatters.models.event_action import action_words
from formatters.models.forgotten import FORGOTTEN, FORGOTTEN_WORDS
from formatters.text.quantities import iso

_HEADER = ("time (UTC)", "workspace", "channel", "who", "what")
_DETAIL_MAX = 2_000
"""Characters of a detail; the rest is cut off."""


def to_table(entries: Sequence[AuditEntry]) -> str:
    """Return one line for each entry, in columns, with what was typed cleaned of control characters."""
    rows = [_HEADER, *map(_row, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER) - 1)]
    lines = []
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return replace_nbsp("\n".join(lines))


def to_json(entry: AuditEntry) -> dict[str, str | None]:
    """Return an entry as JSON values: times in ISO 8601, texts as they were stored."""
    return {
        "at": iso(entry.at),
        "team": entry.team_id,
        "channel": entry.channel_id,
        "user": entry.user_id,
        "what": entry.what,
        "detail": entry.detail,
    }


def _row(entry: AuditEntry) -> tuple[str, ...]:
    what = plain_text(action_words(entry.what), _DETAIL_MAX)
    if entry.detail:
        what = f"{what}: {plain_text(entry.detail, _DETAIL_MAX)}"
    who = FORGOTTEN_WORDS if entry.user_id == FORGOTTEN else plain_text(entry.user_id)
    return (
        iso(entry.at.replace(microsecond=0)),
        plain_text(entry.team_id),
        plain_text(entry.channel_id or "-"),
        who,
        what,
    )
