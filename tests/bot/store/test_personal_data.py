"""Who wants to be forgotten is, by the words of deploy/README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.app.factory import Factory
from bot.cli.channel_file import dumps, loads
from bot.criteria.parsing import parse_grades
from bot.filters import parse_criteria
from bot.store.channels.change_log import ChangeAuthor
from formatters.models.criteria_set import CriteriaSet
from formatters.models.related_message import ReportedPosition
from tests.support.factories import NOW, REAL, TEAM, decoded_notice, record_notices, subscribe

README = (Path(__file__).resolve().parents[3] / "deploy" / "README.md").read_text("utf-8")


@pytest.mark.backends("sqlite", "postgresql")
async def test_documented_sql_erases_person(factory: Factory) -> None:
    await subscribe(factory, "CBC notify <@U1>", "C1")
    await factory.subscriptions.edit(TEAM, "C1", 1, parse_criteria("CBC"), ChangeAuthor("U1", NOW))
    ours = CriteriaSet(slug="ours", grades=parse_grades("Gold: BNS"))
    await factory.criteria_sets.add(TEAM, "C1", ours, ChangeAuthor("U1", NOW))
    await record_notices(factory, decoded_notice())
    await factory.observers.toggle(TEAM, "C1", REAL, "U1", NOW)
    candidate = ("AT2026abc", ReportedPosition(ra=197.45, dec=-23.38))
    await factory.counterparts.add((TEAM, "C1"), REAL, [candidate], ChangeAuthor("U1", NOW))
    [block] = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)
    async with factory.database.exclusive_transaction() as connection:
        for statement in block.strip().split("\n"):
            done = await connection.execute(text(statement.replace("U0123456789", "U1")))
            assert done.rowcount >= 1
    [here] = await factory.subscriptions.for_channel(TEAM, "C1")
    assert here.created_by != "U1"
    assert '"U1"' not in dumps(await factory.channel_transfer.export())
    own = await factory.counterparts.for_event((TEAM, "C1"), REAL)
    assert [one.user_id for one in own.added] == ["USLACKBOT"]
    changes, total = await factory.subscriptions.history(TEAM, "C1", 1)
    assert total == 3 and "U1" not in str(changes)
    assert loads(dumps(await factory.channel_transfer.export()))
