"""A person is forgotten: every column that may name them is known, and none names them afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import String, Table, Text, func, insert, select, update

from bot.app.factory import Factory
from bot.cli.channel_file import dumps, loads
from bot.criteria.parsing import parse_grades
from bot.filters import parse_criteria
from bot.store import schema
from bot.store.audit import AuditLog, AuditQuery
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.channel_history import ChannelHistory
from bot.store.outbox.models import DeliveryKind, delivery_row
from bot.store.personal_data import PERSON_COLUMNS, PersonalData, without_target
from formatters.models.channel_change import BY_FORGETTING
from formatters.models.criteria_set import CriteriaSet
from formatters.models.escalation import EscalationStep
from formatters.models.forgotten import FORGOTTEN
from formatters.models.related_message import ReportedPosition
from tests.support.factories import NOW, REAL, TEAM, decoded_notice, record_notices, subscribe

PERSON, ANOTHER, LONGER = "U7", "U2", "U72"

WITHOUT_PEOPLE = {
    *("team_id", "superevent_id", "kind", "slot", "state", "reason", "key", "ts", "root_ts", "claimed_by"),
    *("channel_conditions.channel_id", "channel_numbers.channel_id", "channel_sites.channel_id"),
    *("channel_telescopes.channel_id", "former_numbers.channel_id", "subscriptions.channel_id"),
    *("threads.channel_id", "operators.channel_id", "refused_mentions.channel_id"),
    *("channel_changes.channel_id", "counterparts.channel_id", "counterpart_decisions.channel_id"),
    *("escalations.channel_id", "event_actions.channel_id", "observations.channel_id"),
    *("channel_sites.folded", "channel_sites.name", "channel_sites.zone"),
    *("channel_telescopes.folded", "channel_telescopes.words", "channel_telescopes.shape"),
    "channels.problem",
    "webhook_calls.left_open",
    # The name and institution of a circular's author, who is nobody of Slack.
    *("circulars.subject", "circulars.author"),
    *("related_messages.facts", "related_messages.stream", "nearby_alerts.facts", "nearby_alerts.stream"),
    *("clocks.boot_id", "consumers.id", "consumers.sources", "database_identity.id", "workers.id"),
    *("leases.name", "leases.worker_id", "oauth_states.digest"),
    *("counterparts.name", "counterparts.position"),
    *("counterpart_decisions.name", "counterpart_decisions.decision"),
    *("criteria_sets.slug", "criteria_sets.grades"),
    *("escalations.end_reason", "event_actions.action", "mentions.occasion"),
    *("installations.team_name", "installations.bot_user_id", "installations.bot_id"),
    *("installations.app_id", "installations.scopes", "installations.token"),
    *("observations.instrument", "observations.folded", "observations.status", "observations.shape"),
    *("observations.fields", "observations.band"),
    *("quarantine.digest", "quarantine.origin", "quarantine.stream"),
    *("superevents.category", "superevents.group_name", "superevents.traits"),
    *("notices.alert_type", "notices.origin", "notices.facts", "notices.content"),
    *("pictures.alt_text", "pictures.file_id", "pictures.token"),
    *("troubles.what", "troubles.open_as", "troubles.detail"),
    *("treasure_map_events.problem", "treasure_map_instruments.name", "treasure_map_instruments.nickname"),
    "treasure_map_instruments.polygons",
}
"""Columns with text that names nobody, with their table, or alone if that holds in every table."""


def texts(table: Table) -> list[str]:
    return [column.name for column in table.c if isinstance(column.type, String | Text)]


def test_of_every_column_with_text_it_is_known_whether_it_names_people() -> None:
    known = {one.name for one in PERSON_COLUMNS}
    unknown = {
        f"{table.name}.{name}"
        for table in schema.metadata.sorted_tables
        for name in texts(table)
        if f"{table.name}.{name}" not in known | WITHOUT_PEOPLE and name not in WITHOUT_PEOPLE
    }
    assert unknown == set(), "say in PERSON_COLUMNS who it names and how they are forgotten, or here nobody"


async def everywhere(factory: Factory) -> list[str]:
    """Return the columns that name the person, in any spelling."""
    found = []
    async with factory.database.read_transaction() as connection:
        for table in schema.metadata.sorted_tables:
            for name in texts(table):
                for text in (await connection.execute(select(table.c[name]))).scalars():
                    words = (text or "").replace("<@", " ").replace(">", " ").replace('"', " ").split()
                    if PERSON in words:
                        found.append(f"{table.name}.{name}")
    return sorted(set(found))


async def fill(factory: Factory, person: str = PERSON, channel: str = "C1") -> None:
    """Have one person do everything that leaves their id somewhere."""
    by, place = ChangeAuthor(person, NOW), (TEAM, channel)
    words = f"CBC notify <@{person}> <@{ANOTHER}> escalate 5min <@{person}> 10min <@{ANOTHER}>"
    await factory.subscriptions.add_confirmed(*place, parse_criteria(words), person, NOW)
    number = (await factory.subscriptions.for_channel(*place))[-1].number
    await factory.subscriptions.pause(*place, number, by)
    await factory.subscriptions.pause(*place, number, by, resume=True)
    await factory.criteria_sets.add(
        TEAM, channel, CriteriaSet(slug=f"s{person.casefold()}", grades=parse_grades("Gold: BNS")), by
    )
    await record_notices(factory, decoded_notice())
    await factory.observers.toggle(*place, REAL, person, NOW)
    async with factory.database.exclusive_transaction() as connection:
        once = schema.escalation_steps.c
        named = update(schema.escalation_steps).where(once.targets == f"<@{person}>")
        await connection.execute(named.values(unless_told=f"<@{person}>"))
    await factory.acknowledgements.acknowledge(*place, REAL, person, NOW)
    await factory.mutes.mute(*place, REAL, person, NOW)
    await factory.counterparts.add(place, REAL, [(f"AT{person}", ReportedPosition(ra=1, dec=2))], by)
    welcome = delivery_row(TEAM, person, DeliveryKind.WELCOME, 0, NOW)
    refused = {"team_id": TEAM, "channel_id": channel, "target": f"<@{person}>", "reason": "x", "since": NOW}
    drill = {
        **{"team_id": TEAM, "channel_id": channel, "drill_number": 1, "started_by": person},
        **{"started_at": NOW, "acknowledged_by": person},
    }
    observation = {
        **{"team_id": TEAM, "channel_id": channel, "superevent_id": REAL, "instrument": "ZTF"},
        **{"folded": "ztf", "status": "planned", "user_id": person, "created_at": NOW, "changed_at": NOW},
        **{"fields": "[]", "note": f"ask <@{person}>"},
    }
    action = {
        **{"team_id": TEAM, "channel_id": channel, "superevent_id": REAL, "user_id": person},
        **{"action": "planned", "detail": f"told by <@{person}>", "at": NOW},
    }
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(insert(schema.deliveries).values(welcome))
        await connection.execute(
            insert(schema.channel_problems).values(team_id=TEAM, channel_id=person, problem="x", since=NOW)
        )
        for table, row in (
            (schema.refused_mentions, refused),
            (schema.escalations, drill),
            (schema.observations, observation),
            (schema.event_actions, action),
        ):
            await connection.execute(insert(table).values(row))
        await connection.execute(
            insert(schema.installations).values(
                **{
                    "team_id": f"T{person}",
                    "team_name": "x",
                    "bot_user_id": "U9",
                    "bot_id": "B",
                    "app_id": "A",
                },
                **{"scopes": "", "token": "", "installed_by": person, "installed_at": NOW},
            )
        )


@pytest.mark.backends("sqlite", "postgresql")
async def test_nothing_names_a_person_who_was_forgotten(factory: Factory) -> None:
    await fill(factory)
    named = set(await everywhere(factory))
    assert named == {one.name for one in PERSON_COLUMNS}, "the test has the person named everywhere"
    done = await PersonalData(factory.database).forget(PERSON, NOW)
    assert await everywhere(factory) == []
    assert set(done.rows) == named - {"subscriptions.words"}
    assert [(rule.channel_id, rule.problem) for rule in done.rules] == [("C1", None)]
    again = await PersonalData(factory.database).forget(PERSON, NOW)
    assert again.is_nothing and not again.cards


async def test_a_dry_run_says_the_same_and_changes_nothing(factory: Factory) -> None:
    await fill(factory)
    before = await everywhere(factory)
    would = await PersonalData(factory.database).forget(PERSON, NOW, dry_run=True)
    assert await everywhere(factory) == before
    assert await PersonalData(factory.database).forget(PERSON, NOW) == would


async def test_a_person_whose_id_begins_alike_is_left_alone(factory: Factory) -> None:
    await fill(factory, LONGER)
    done = await PersonalData(factory.database).forget(PERSON, NOW)
    assert done.is_nothing
    async with factory.database.read_transaction() as connection:
        note = (await connection.execute(select(schema.observations.c.note))).scalar_one()
    assert note == f"ask <@{LONGER}>"


async def test_the_channel_is_told_whose_mention_was_taken_out(factory: Factory) -> None:
    await fill(factory)
    await PersonalData(factory.database).forget(PERSON, NOW)
    (here,) = await factory.subscriptions.for_channel(TEAM, "C1")
    assert here.criteria.canonical == f"CBC notify <@{ANOTHER}> escalate 10min <@{ANOTHER}>"
    changes, _ = await factory.subscriptions.history(TEAM, "C1", 1)
    assert changes[0].changed_by == BY_FORGETTING and changes[0].number == here.number
    assert FORGOTTEN in str(changes[0].before) and FORGOTTEN not in str(changes[0].after)
    table = schema.deliveries
    async with factory.database.read_transaction() as connection:
        posts = select(func.count()).where(table.c.kind == DeliveryKind.CHANGE.value)
        assert (await connection.execute(posts)).scalar_one() > 0
    assert loads(dumps(await factory.channel_transfer.export()))


async def test_a_rule_that_would_mention_nobody_stays_and_is_named(factory: Factory) -> None:
    await subscribe(factory, f"CBC notify <@{PERSON}>", "C1")
    await subscribe(factory, f"CBC notify <@{PERSON}> <@{ANOTHER}>", "C2")
    await subscribe(factory, f"CBC notify <@{ANOTHER}>", "C2")
    await record_notices(factory, decoded_notice())
    done = await PersonalData(factory.database).forget(PERSON, NOW)
    problems = {rule.channel_id: rule.problem for rule in done.rules}
    assert problems["C1"] is not None and "mentions nobody else" in problems["C1"]
    assert problems["C2"] is not None and "the same as another" in problems["C2"]
    assert await everywhere(factory) == ["mentions.targets", "subscriptions.words"]


async def test_a_card_that_shows_the_person_is_edited(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    table = schema.threads
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(table.update().values(root_ts="1.0", shown_revision=1))
    await factory.mutes.mute(TEAM, "C1", REAL, PERSON, NOW)
    done = await PersonalData(factory.database).forget(PERSON, NOW + timedelta(hours=1))
    assert done.cards == 1
    deliveries = schema.deliveries
    async with factory.database.read_transaction() as connection:
        edits = select(deliveries.c.state).where(deliveries.c.kind == DeliveryKind.EDIT.value)
        assert (await connection.execute(edits)).scalars().all() == ["pending"]


@pytest.mark.parametrize("typed", ["", "u1", "C0123", "U1' OR 1=1", "@b", FORGOTTEN, "U" + "1" * 40])
async def test_what_is_no_id_of_a_person_is_refused(factory: Factory, typed: str) -> None:
    with pytest.raises(ValueError, match="isn't Slack's id"):
        await PersonalData(factory.database).forget(typed, NOW)


def test_a_step_that_mentions_nobody_else_is_left_out() -> None:
    rule = parse_criteria(f"CBC notify <@{ANOTHER}> escalate 5min <@{PERSON}> <@{ANOTHER}> 7min <@{PERSON}>")
    left = without_target(rule, f"<@{PERSON}>")
    assert left is not None and left.notify is not None
    assert left.notify.escalation == (EscalationStep(after=timedelta(minutes=5), targets=(f"<@{ANOTHER}>",)),)
    assert without_target(parse_criteria("CBC"), f"<@{PERSON}>") == parse_criteria("CBC")
    assert replace(left, notify=None) == parse_criteria("CBC")


@pytest.mark.backends("sqlite", "postgresql")
async def test_the_audit_reads_every_table_and_merges_them_by_time(factory: Factory) -> None:
    await fill(factory)
    audit = await AuditLog(factory.database).entries(AuditQuery(user_id=PERSON))
    assert {one.what.split(":")[0].split(" ")[0] for one in audit.entries} >= {
        *("subscription", "criteria", "app", REAL)
    }
    assert not audit.is_cut
    times = [one.at for one in audit.entries]
    assert times == sorted(times, reverse=True)
    here = await AuditLog(factory.database).entries(AuditQuery(channel_id="C1", since=NOW))
    assert here.entries and all(one.channel_id == "C1" for one in here.entries)
    page, total = await ChannelHistory(factory.database).page(TEAM, "C1", 1)
    assert 0 < len(page) <= total


async def test_what_goes_to_a_persons_direct_messages_is_named(factory: Factory) -> None:
    await factory.subscriptions.add_confirmed(TEAM, "D7", parse_criteria("CBC"), PERSON, NOW)
    done = await PersonalData(factory.database).forget(PERSON, NOW)
    (rule,) = done.rules
    assert rule.channel_id == "D7" and rule.problem is not None and "direct message" in rule.problem
