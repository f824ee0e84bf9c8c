"""The audit as a table: what was typed can't break it."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from formatters.models.audit import AuditEntry
from formatters.models.forgotten import FORGOTTEN
from formatters.terminal import audit_text
from tests.support.factories import NOW

TEXT = st.text(max_size=200)


def entry(
    what: str = "S1: muted", detail: str = "", user: str = "U1", channel: str | None = "C1"
) -> AuditEntry:
    return AuditEntry(at=NOW, team_id="T1", channel_id=channel, user_id=user, what=what, detail=detail)


@settings(deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=5))
def test_whatever_was_typed_stays_on_its_line(texts: list[tuple[str, str, str]]) -> None:
    table = audit_text.to_table([entry(what, detail, user) for what, detail, user in texts])
    assert len(table.split("\n")) == 1 + len(texts)
    assert all(character.isprintable() for line in table.split("\n") for character in line)


@settings(deadline=None)
@given(TEXT, TEXT)
def test_json_keeps_what_was_stored(what: str, detail: str) -> None:
    values = json.loads(json.dumps(audit_text.to_json(entry(what, detail)), ensure_ascii=True))
    assert (values["what"], values["detail"]) == (what, detail)


def test_the_columns_stand_below_each_other() -> None:
    lines = audit_text.to_table(
        [entry(), entry(channel=None, user="U0123456789"), entry(user=FORGOTTEN)]
    ).split("\n")
    assert len({line.index(word) for line, word in zip(lines[1:], ["S1"] * 3, strict=True)}) == 1
    assert "a forgotten person" in lines[3] and lines[2].split()[2] == "-"
