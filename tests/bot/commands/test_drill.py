"""Who may begin and stop a drill."""

from __future__ import annotations

import pytest

from bot.app.factory import Factory
from bot.commands.authorization import ChannelAuthorizer, PermissionDenied
from bot.commands.context import CommandContext
from bot.commands.drill_service import DrillService
from bot.runtime.wakeups import Wakeups
from tests.support.factories import TEAM, Clock, subscribe

WORDS = "CBC notify <!subteam^S1> if NS escalate 5min <@U2>"


async def refuse(_team: str, _channel: str, user: str) -> str | None:
    return None if user == "U0ADMIN" else "Only admins change what this channel receives."


async def test_a_drill_is_begun_and_stopped_by_whoever_may_change_subscriptions(
    factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, WORDS, "C1")
    service = DrillService(factory.drills, ChannelAuthorizer(refuse), Wakeups(), clock)
    admin, other = CommandContext(TEAM, "C1", "U0ADMIN"), CommandContext(TEAM, "C1", "U0OTHER")
    with pytest.raises(PermissionDenied, match="Only admins"):
        await service.begin(other, 1)
    assert (await service.stop(admin)).text == "No drill is running in this channel."
    begun = await service.begin(admin, 1)
    assert begun.text.startswith("The drill of subscription 1 has begun")
    with pytest.raises(PermissionDenied):
        await service.stop(other)
    stopped = await service.stop(admin)
    assert stopped.text == "The drill of subscription 1 is stopped."


async def test_anybody_may_take_a_drill(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, WORDS, "C1")
    service = DrillService(factory.drills, ChannelAuthorizer(refuse), Wakeups(), clock)
    begun = await factory.drills.begin((TEAM, "C1"), 1, "U0ADMIN", clock())
    assert begun.drill is not None
    clock.advance(seconds=42)
    taken = await service.acknowledge(CommandContext(TEAM, "C1", "U0OTHER"), begun.drill.report.id)
    assert taken.text.replace("\u00a0", " ").startswith("You had it after 42 s. That was a drill")
    unknown = await service.acknowledge(CommandContext(TEAM, "C1", "U0OTHER"), 999)
    assert unknown.text == "Nothing is known of this drill any more."
