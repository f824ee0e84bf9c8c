"""What cards show beside their events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, insert, select, update

from bot.app.factory import Factory
from bot.store import schema
from bot.store.channels.card_details import CardDetail
from tests.support.factories import NOW, TEAM, decoded_notice, record_notices, subscribe

ID = "S261122a"
HERE = {"team_id": TEAM, "channel_id": "C1"}
SITE = {
    **HERE,
    "folded": "a",
    "ordinal": 1,
    "name": "A",
    "latitude": 0.0,
    "longitude": 0.0,
    "height": 0.0,
    "radio": False,
}
OBSERVATION = {
    **HERE,
    "superevent_id": ID,
    "instrument": "A",
    "folded": "a",
    "status": "planned",
    "user_id": "U1",
    "created_at": NOW,
    "changed_at": NOW,
    "fields": "[]",
    "note": "",
}
IMAGE = {
    "team_id": TEAM,
    "superevent_id": ID,
    "file_id": "F1",
    "attempts": 1,
    "not_before": NOW,
    "created_at": NOW,
}


async def two_threads(factory: Factory, words: str = "CBC") -> dict[str, int]:
    """Let an alert go to two channels; return the threads' ids by channel. `words` are those of C1."""
    await subscribe(factory, words, "C1")
    await subscribe(factory, "CBC", "C2")
    await record_notices(factory, decoded_notice(ID))
    async with factory.database.read_transaction() as connection:
        query = select(schema.threads.c.channel_id, schema.threads.c.id)
        return {row.channel_id: row.id for row in (await connection.execute(query)).all()}


async def found(factory: Factory, threads: dict[str, int]) -> dict[str, set[CardDetail]]:
    by_id = await factory.card_details.for_threads(threads.values())
    return {channel: set(by_id[thread]) for channel, thread in threads.items() if thread in by_id}


async def write(factory: Factory, table: Table, **row: Any) -> None:
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(insert(table).values(row))


async def test_a_card_of_nothing_but_its_event_has_no_details(factory: Factory) -> None:
    assert await found(factory, await two_threads(factory)) == {}


async def test_what_is_stored_of_another_thread_or_channel_is_no_detail(factory: Factory) -> None:
    threads = await two_threads(factory)
    await write(factory, schema.observers, thread_id=threads["C1"], user_id="U1", since=NOW)
    await write(factory, schema.channel_sites, **SITE)
    assert await found(factory, threads) == {"C1": {CardDetail.OBSERVERS, CardDetail.SITES}}
    assert await found(factory, {"C2": threads["C2"]}) == {}


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (schema.acknowledgements, {"user_id": "U1", "since": NOW}),
        (schema.escalations, {**HERE, "started_at": NOW}),
        (schema.muted_threads, {"muted_by": "U1", "muted_at": NOW}),
    ],
)
async def test_an_acknowledgement_an_escalation_and_a_mute_are_people(
    factory: Factory, table: Table, row: dict[str, Any]
) -> None:
    threads = await two_threads(factory)
    await write(factory, table, thread_id=threads["C1"], **row)
    assert await found(factory, threads) == {"C1": {CardDetail.PEOPLE}}
    assert (await factory.event_people.for_threads([threads["C1"]])).keys() == {threads["C1"]}


async def test_observations_are_of_the_event_and_the_channel(factory: Factory) -> None:
    threads = await two_threads(factory)
    await write(factory, schema.observations, **{**OBSERVATION, "superevent_id": "S261122b"})
    assert await found(factory, threads) == {}
    await write(factory, schema.observations, **OBSERVATION)
    assert await found(factory, threads) == {"C1": {CardDetail.OBSERVATIONS}}


async def test_limits_of_observability_without_sites_are_loaded_with_them(factory: Factory) -> None:
    threads = await two_threads(factory)
    await write(factory, schema.channel_conditions, **HERE, altitude=30.0, darkness=-18.0)
    assert await found(factory, threads) == {"C1": {CardDetail.SITES}}


async def test_only_an_image_that_was_made_is_a_detail_of_all_its_workspace_s_threads(
    factory: Factory,
) -> None:
    threads = await two_threads(factory)
    async with factory.database.exclusive_transaction() as connection:
        (notice,) = (await connection.execute(select(schema.notices.c.id))).scalars()
        await connection.execute(schema.images.delete())
    await write(factory, schema.images, **IMAGE, notice_id=notice, state="wanted")
    assert await found(factory, threads) == {}
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(schema.images).values(state="uploaded"))
    assert await found(factory, threads) == {"C1": {CardDetail.IMAGE}, "C2": {CardDetail.IMAGE}}


@pytest.mark.parametrize(
    ("words", "detail"),
    [
        ("CBC criteria rubin-2026", CardDetail.CRITERIA_SETS),
        ("CBC quiet BBH", CardDetail.QUIET_CRITERIA),
        ("CBC notify @here", CardDetail.MENTIONS),
    ],
)
async def test_what_a_subscription_in_force_adds(factory: Factory, words: str, detail: CardDetail) -> None:
    threads = await two_threads(factory, words)
    assert await found(factory, threads) == {"C1": {detail}}
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(schema.subscriptions).values(paused_at=NOW + timedelta(hours=1)))
    # A planned mention stays; whether it is still due is asked of the channel's subscriptions.
    still = {"C1": {detail}} if detail is CardDetail.MENTIONS else {}
    assert await found(factory, threads) == still
