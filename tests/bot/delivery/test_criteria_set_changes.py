"""A changed criteria set changes what channels receive, so each that uses it is told, once."""

from __future__ import annotations

import pytest

from bot.app.criteria_services import create_criteria_service
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.context import CommandContext
from bot.commands.criteria_service import Added, CriteriaService, SetEdited
from bot.runtime.wakeups import Wakeups
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import TEAM, subscribe

ALICE, BOB = "U024BE7LH", "U0OTHER"


def service(harness: DeliveryHarness) -> CriteriaService:
    return create_criteria_service(harness.factory, harness.clock, Wakeups(), ChannelAuthorizer())


@pytest.mark.backends("sqlite", "postgresql")
async def test_each_channel_that_uses_a_set_is_told_who_changed_it_and_how_to_bring_it_back(
    harness: DeliveryHarness,
) -> None:
    user, other, where = harness.create_channels(3)
    sets = service(harness)
    here = CommandContext(TEAM, where, ALICE)
    assert isinstance(await sets.add(here, "ours", "Gold: BNS distance<150; Silver: BNS"), Added)
    await subscribe(harness.factory, "CBC criteria ours", user)
    await subscribe(harness.factory, "CBC", other)
    edited = await sets.edit(here, "ours", "Gold: BNS distance<120; Silver: BNS")
    assert isinstance(edited, SetEdited) and edited.notified_channels == (user,)
    harness.wake()
    await harness.wait_until_delivered()
    [said] = harness.local_slack.messages(user)
    blocks = str(said["blocks"])
    assert f"<@{ALICE}> changed the criteria set *ours* (subscription 1 of this channel)" in blocks
    assert "Gold: BNS distance&lt;150 → BNS distance&lt;120" in blocks
    assert "`/gwevent criteria edit ours Gold: BNS distance&lt;150; Silver: BNS`" in blocks
    assert not harness.local_slack.messages(other) and not harness.local_slack.messages(where)
    # What it says brings the set back does.
    back = await sets.edit(here, "ours", "Gold: BNS distance<150; Silver: BNS")
    assert isinstance(back, SetEdited) and back.after == edited.before


async def test_edits_in_a_row_are_one_post_that_shows_the_last_state(harness: DeliveryHarness) -> None:
    [channel] = harness.create_channels(1)
    sets = service(harness)
    await sets.add(CommandContext(TEAM, channel, ALICE), "ours", "Gold: BNS distance<150")
    await subscribe(harness.factory, "CBC criteria ours", channel)
    for distance, person in ((140, ALICE), (130, BOB), (120, ALICE), (110, BOB)):
        await sets.edit(CommandContext(TEAM, channel, person), "ours", f"Gold: BNS distance<{distance}")
    harness.wake()
    await harness.wait_until_delivered()
    harness.advance(minutes=1)
    [said] = harness.local_slack.messages(channel)
    blocks = str(said["blocks"])
    assert "Gold: BNS distance&lt;150 → BNS distance&lt;110" in blocks and "distance&lt;130" not in blocks
    assert f"<@{BOB}> changed" in blocks and f"<@{ALICE}> changed it too" in blocks
    changes, total = await harness.factory.subscriptions.history(TEAM, channel, 1)
    assert total == 6 and [one.subject for one in changes].count("ours") == 5, "each is kept"
