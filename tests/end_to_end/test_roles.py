"""Two consumers and two servers on one PostgreSQL: kill any of them, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.bot_process import BotProcess, LocalDeployment, avro_bbh, open_deployment
from tests.support.messages import message_text
from tests.support.postgres import Databases
from tests.support.waiting import TIMEOUT_S, wait_until

EVENT = "S240101k"
CHANNELS = 4


@pytest.fixture
async def postgres_deployment(
    tmp_path: Path, postgres: Databases, migrated_postgres: str
) -> AsyncIterator[LocalDeployment]:
    """The world with a database for many processes."""
    async with open_deployment(tmp_path) as made:
        made.postgres = postgres.create(migrated_postgres)
        yield made


def consumer(deployment: LocalDeployment, number: int) -> BotProcess:
    nothing_of_slack = {"SLACK_BOT_TOKEN": None, "SLACK_APP_TOKEN": None}
    return deployment.start_forked(
        command="consume", GWEVENT_KAFKA_GROUP=f"gwevent-host-{number}", **nothing_of_slack
    )


async def status(deployment: LocalDeployment, channel: str) -> str:
    asked = await deployment.local_slack.command("/gwevent", "status", channel=channel)
    return message_text(await asked.wait_for_answer(TIMEOUT_S))


@pytest.mark.slow
async def test_crash_of_one_consumer_and_one_server(postgres_deployment: LocalDeployment) -> None:
    deployment = postgres_deployment
    for scope in ("channels:history", "groups:history"):
        deployment.local_slack.grant(scope)
    channels = [deployment.local_slack.add_channel(f"gw-{number}") for number in range(CHANNELS)]
    for channel in channels:
        await deployment.subscribe(channel, "CBC")

    doomed = deployment.start_forked("post:after:2", command="serve")
    await doomed.wait_until_ready()
    await wait_until(
        lambda: deployment.query_database("select 1 from leases where worker_id is not null"), what="it works"
    )
    survivor = deployment.start_forked(command="serve")
    consumers = [consumer(deployment, number) for number in range(2)]
    await survivor.wait_until_ready()
    for one in consumers:
        await one.wait_until_logged("source_started")

    # Both read it, one stores it; the server dies with two of the posts made and none written down.
    await deployment.publish(avro_bbh(EVENT, "PRELIMINARY"))
    assert await doomed.wait_for_exit() == -9, doomed.stderr
    died = time.monotonic()
    await deployment.wait_until_delivered(1)
    print(f"takeover: all channels {time.monotonic() - died:.1f} s after the server was killed")
    for channel in channels:
        (root,) = deployment.local_slack.messages(channel)
        assert EVENT in root["text"]
    await wait_until(
        lambda: all(
            one.logged_events("notice_stored") or one.logged_events("notice_repeated") for one in consumers
        ),
        what="both have read it",
    )

    # A consumer dies, the other goes on. The first comes back in its own group; its repeats change nothing.
    await consumers[0].kill()
    await deployment.publish(avro_bbh(EVENT, "INITIAL", after=60))
    await deployment.wait_until_delivered(2)
    back = consumer(deployment, 0)
    await back.wait_until_logged("notice_repeated")
    for channel in channels:
        root, reply = deployment.local_slack.messages(channel)
        assert "INITIAL" in message_text(reply) and "INITIAL" in root["blocks"][0]["text"]["text"]
    stored = [line for one in (*consumers, back) for line in one.logged_events("notice_stored")]
    assert len(stored) == 2
    async with asyncio.timeout(TIMEOUT_S):
        while (said := await status(deployment, channels[0])).count("hopskotch: connected") < 2:
            await asyncio.sleep(0.5)
    assert "reads no source" not in said
    for process in (survivor, consumers[1], back):
        assert await process.terminate() == 0, process.stderr
        assert [line for line in process.log_records if line["level"] in ("error", "critical")] == []
