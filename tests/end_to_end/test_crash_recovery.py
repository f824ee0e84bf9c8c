"""The bot killed between any two steps and started again: nothing is lost, and nothing comes twice.

What was in flight at the kill may: Slack may have posted it without our learning. Where the bot may read the
channel's history, not even that.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from tests.support.bot_process import LocalDeployment, avro_bbh
from tests.support.messages import message_text
from tests.support.waiting import wait_until

EVENT = "S240101k"

STEPS = (
    "record:before:1",
    "plan:after:1",  # inside the transaction
    "acknowledge:before:1",
    "acknowledge:after:1",
    "commit:before:1",
    "commit:after:1",
    "claim:before:1",
    "claim:after:1",
    "post:before:1",
    "post:after:1",
    "settle:before:1",
    "settle:after:1",
    # with the root in the channel: the second notice's reply, and the root's edit
    "record:before:2",
    "plan:after:2",
    "acknowledge:before:2",
    "claim:after:2",
    "post:before:2",
    "post:after:2",
    "settle:before:2",
    "settle:after:2",
    "edit:before:1",
    "edit:after:1",
)
IN_FLIGHT = {"post:after:1", "settle:before:1", "post:after:2", "settle:before:2"}
"""Kills between Slack's post and its record in the outbox: without the history scope it may come twice."""
HISTORY = ("channels:history", "groups:history")


async def run_until_crash(deployment: LocalDeployment, channel: str, step: str) -> None:
    bot = deployment.start_forked(step)
    await deployment.publish(avro_bbh(EVENT, "PRELIMINARY"))
    await wait_until(
        lambda: bot.has_exited or (deployment.roots(channel) and not deployment.pending_count()),
        what="root or death",
    )
    await deployment.publish(avro_bbh(EVENT, "INITIAL", after=60))
    assert await bot.wait_for_exit() == -9, bot.stderr


async def restart_and_finish(deployment: LocalDeployment, notices: int) -> None:
    """Start again, as it is, and let it finish; it ends in good order."""
    bot = deployment.start_forked()
    await deployment.wait_until_delivered(notices)
    assert await bot.terminate() == 0, bot.stderr
    complaints = [line for line in bot.log_records if line["level"] in ("error", "critical")]
    assert complaints == []


async def test_crash_at_every_step(deployment: LocalDeployment, crash_subtests: str) -> None:
    step, _, history = crash_subtests.partition("+")
    for scope in HISTORY if history else ():
        deployment.local_slack.grant(scope)
    channel = deployment.local_slack.add_channel("gw-cbc")
    await deployment.subscribe(channel, "CBC")
    await run_until_crash(deployment, channel, step)
    await restart_and_finish(deployment, notices=2)

    roots = deployment.roots(channel)
    messages = deployment.local_slack.messages(channel)
    twice = 1 if step in IN_FLIGHT and not history else 0
    assert len(messages) == 2 + twice, [message_text(message) for message in messages]
    assert len(roots) == 1 + (twice and step.endswith("1"))
    # One thread only, and its root shows the newest state, whichever of two roots the ledger knows.
    threads = [(root, deployment.replies(channel, root)) for root in roots]
    used = [(root, replies) for root, replies in threads if replies]
    assert len(used) == 1
    root, replies = used[0]
    assert len(replies) == 1 + (twice and step.endswith("2"))
    assert all("INITIAL" in message_text(reply) for reply in replies)
    assert "INITIAL" in root["blocks"][0]["text"]["text"]
    assert EVENT in root["text"]


@pytest.fixture(params=[*STEPS, *(f"{step}+history" for step in STEPS if step in IN_FLIGHT)])
def crash_subtests(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("seed", "history"), [(1, False), (2, False), (3, True)])
async def test_a_kill_at_any_moment(deployment: LocalDeployment, seed: int, history: bool) -> None:
    chance = random.Random(seed)
    for scope in HISTORY if history else ():
        deployment.local_slack.grant(scope)
    channels = [deployment.local_slack.add_channel(f"gw-{n}") for n in range(3)]
    for channel in channels:
        await deployment.subscribe(channel, "all")
    events = ["S240101a", "S240102b"]
    in_flight: Counter[str] = Counter()
    for life, kind in enumerate(("PRELIMINARY", "INITIAL", "UPDATE")):
        await deployment.publish(*(avro_bbh(name, kind, after=60 * life) for name in events))
        bot = deployment.start_forked()
        await bot.wait_until_logged("source_started")
        await asyncio.sleep(chance.uniform(0.0, 2.5))
        await bot.kill()
        sending = "select channel_id from deliveries where state = 'sending' and kind != 'edit'"
        in_flight.update(channel for (channel,) in deployment.query_database(sending))
    await restart_and_finish(deployment, notices=6)

    for channel in channels:
        # A root that waits when a further notice is stored says all of them: it needs no reply to each.
        planned = "select count(*) from deliveries where channel_id = ? and kind in ('root', 'reply')"
        wanted = deployment.query_database(planned.replace("?", f"'{channel}'"))[0][0]
        surplus = len(deployment.local_slack.messages(channel)) - wanted
        assert 0 <= surplus <= (0 if history else in_flight[channel])
        for name in events:
            threads = [deployment.replies(channel, root) for root in deployment.roots(channel, name)]
            assert [len(replies) for replies in threads].count(0) == len(threads) - 1
            said = "".join(message_text(reply) for replies in threads for reply in replies)
            assert "INITIAL" in said
            assert "UPDATE" in said
