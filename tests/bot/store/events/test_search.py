"""Searching all stored superevents by attributes that are stored beside them."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import text

from bot.app.factory import Factory
from bot.filters.event_attributes import MASS_BINS_KEY, OBSERVATORIES_KEY
from formatters.models.notice import Category, MassBins
from tests.support.factories import MOCK, REAL, decoded_notice, record_notices
from tests.support.filter_strategies import GRB

BOTH = pytest.mark.backends("sqlite", "postgresql")


@BOTH
async def test_a_stored_notice_that_cant_be_read_hides_no_other(factory: Factory) -> None:
    await record_notices(factory, [decoded_notice(REAL), decoded_notice(MOCK)])
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(
            text("UPDATE notices SET facts = '{}' WHERE superevent_id = :id"), {"id": MOCK}
        )
        await connection.execute(text("UPDATE superevents SET traits = NULL, traits_revision = NULL"))
    await factory.event_search.refresh_stale_attributes()
    found = await factory.event_search.attributes([Category.REAL, Category.MOCK])
    assert [attributes.superevent_id for attributes in found] == [REAL]
    assert [e.superevent_id for e in await factory.event_search.superevents([MOCK, REAL])] == [REAL]


@BOTH
async def test_attributes_that_an_older_version_wrote_are_completed(factory: Factory) -> None:
    await record_notices(factory, [replace(decoded_notice(REAL), external=GRB)])
    async with factory.database.exclusive_transaction() as connection:
        stored = json.loads((await connection.execute(text("SELECT traits FROM superevents"))).scalar_one())
        del stored[OBSERVATORIES_KEY]
        await connection.execute(text("UPDATE superevents SET traits = :old"), {"old": json.dumps(stored)})
    assert [a.observatories for a in await factory.event_search.attributes([Category.REAL])] == [()]
    await factory.event_search.refresh_stale_attributes()
    assert [a.observatories for a in await factory.event_search.attributes([Category.REAL])] == [("fermi",)]


@BOTH
async def test_the_bins_of_the_chirp_mass_that_an_older_version_left_out_are_added(factory: Factory) -> None:
    bins = MassBins(bin_edges=(1.0, 2.3, 5.5), probabilities=(0.25, 0.75))
    notice = decoded_notice(REAL)
    assert notice.event is not None
    await record_notices(factory, [replace(notice, event=replace(notice.event, mchirp_source=bins))])
    async with factory.database.exclusive_transaction() as connection:
        stored = json.loads((await connection.execute(text("SELECT traits FROM superevents"))).scalar_one())
        del stored[MASS_BINS_KEY]
        await connection.execute(text("UPDATE superevents SET traits = :old"), {"old": json.dumps(stored)})
    assert [a.mass_bins for a in await factory.event_search.attributes([Category.REAL])] == [None]
    await factory.event_search.refresh_stale_attributes()
    assert [a.mass_bins for a in await factory.event_search.attributes([Category.REAL])] == [bins]
