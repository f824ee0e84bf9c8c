"""Waiting for a subscription's confirmation."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from bot.app.factory import Factory
from bot.filters import parse_criteria
from bot.store.channels import subscriptions
from formatters.models.subscription import Subscription
from tests.support.factories import AUTHOR, NOW, TEAM

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def requested(factory: Factory) -> Subscription:
    asked, is_active = await factory.subscriptions.request(TEAM, "C1", parse_criteria("CBC"), "U1", NOW)
    assert not is_active
    return asked


async def test_an_end_in_this_process_is_noticed_at_once(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "CONFIRMATION_POLL_S", 300.0)
    asked = await requested(factory)
    waiting = asyncio.create_task(factory.subscriptions.wait_for_confirmation(asked, 300.0))
    await asyncio.sleep(0.05)
    await factory.subscriptions.end(TEAM, "C1", [asked.number], AUTHOR)
    async with asyncio.timeout(30):
        assert await waiting == "unsubscribed meanwhile"


async def test_confirmation_by_another_process_is_noticed_by_polling(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "CONFIRMATION_POLL_S", 0.05)
    asked = await requested(factory)
    waiting = asyncio.create_task(factory.subscriptions.wait_for_confirmation(asked, 300.0))
    await asyncio.sleep(0.05)
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE subscriptions SET confirmed_at = created_at"))
    async with asyncio.timeout(30):
        assert await waiting is True


async def test_the_wait_ends_after_its_time(factory: Factory) -> None:
    assert await factory.subscriptions.wait_for_confirmation(await requested(factory), 0.05) is False
