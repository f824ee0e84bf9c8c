"""The bot's process among hanging, broken and missing neighbours."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from bot.demo.kafka_broker import BrokerProcess, EmbeddedBroker
from tests.support.bot_process import TOPIC, BotProcess, LocalDeployment, avro_bbh, open_deployment
from tests.support.messages import message_text
from tests.support.waiting import wait_until

SENTENCE = "gwevent: "


async def connected(deployment: LocalDeployment, **changes: str | None) -> BotProcess:
    bot = deployment.start_forked(**changes)
    await bot.wait_until_ready()
    await bot.wait_until_logged("source_connected")
    return bot


def complaints(bot: BotProcess) -> list[str]:
    return [line for line in bot.stderr.splitlines() if line.startswith(SENTENCE)]


@pytest.fixture
async def frozen(tmp_path: Path) -> AsyncIterator[tuple[LocalDeployment, BrokerProcess]]:
    """A world whose broker can be made to hang."""
    with BrokerProcess([TOPIC]) as broker:
        async with open_deployment(tmp_path, broker=broker) as deployment:
            yield deployment, broker
            broker.thaw()


@pytest.mark.slow
async def test_stop_while_broker_hangs(frozen: tuple[LocalDeployment, BrokerProcess]) -> None:
    deployment, broker = frozen
    channel = deployment.local_slack.add_channel("gw")
    await deployment.subscribe(channel, "all")
    bot = await connected(deployment)
    await deployment.publish(avro_bbh("S240101a", "PRELIMINARY"))
    await deployment.wait_until_delivered(1)
    broker.freeze()
    asked = await deployment.local_slack.command("/gwevent", "S240101a", channel=channel)
    assert "BBH" in message_text(await asked.wait_for_answer())
    assert await bot.terminate() == 0
    assert bot.logged_events("process_stopped")


async def test_stop_while_slack_hangs(deployment: LocalDeployment) -> None:
    channel = deployment.local_slack.add_channel("gw")
    await deployment.subscribe(channel, "all")
    bot = await connected(deployment)
    deployment.local_slack.fail("*", delay=600, times=None)
    await deployment.publish(avro_bbh("S240101a", "PRELIMINARY"))
    await wait_until(
        lambda: deployment.query_database("select 1 from deliveries where state = 'sending'"),
        what="it is sent",
    )
    assert await bot.terminate() == 0
    assert bot.logged_events("process_stopped")
    # What hung is taken up by the next one.
    deployment.local_slack.faults.clear()
    await connected(deployment)
    await deployment.wait_until_delivered(1)
    assert len(deployment.roots(channel, "S240101a")) >= 1


@pytest.mark.slow
async def test_slack_unavailable_at_start_loses_nothing(tmp_path: Path, unused_port: int) -> None:
    async with open_deployment(tmp_path) as deployment:
        channel = deployment.local_slack.add_channel("gw")
        await deployment.subscribe(channel, "all")
        await deployment.local_slack.stop()
        bot = deployment.start_forked(GWEVENT_SLACK_API_URL=f"http://127.0.0.1:{unused_port}/api/")
        await bot.wait_until_logged("slack_unreachable", times=2)
        await deployment.publish(
            avro_bbh("S240101a", "PRELIMINARY"), avro_bbh("S240101a", "INITIAL", after=60)
        )
        await wait_until(lambda: deployment.stored_count() == 2, what="notices are stored without Slack")
        await deployment.local_slack.start(unused_port)
        await deployment.wait_until_delivered(2)
        (root,) = deployment.roots(channel)
        assert "INITIAL" in root["blocks"][0]["text"]["text"]
        assert len(deployment.replies(channel, root)) == 1


async def test_broker_unavailable_at_start_is_read_later(deployment: LocalDeployment) -> None:
    channel = deployment.local_slack.add_channel("gw")
    await deployment.subscribe(channel, "all")
    assert isinstance(deployment.broker, EmbeddedBroker)
    deployment.broker.set_down()
    bot = deployment.start_forked()
    await bot.wait_until_ready()
    await bot.wait_until_logged("source_disconnected")
    asked = await deployment.local_slack.command("/gwevent", "status", channel=channel)
    assert "NOT CONNECTED" in message_text(await asked.wait_for_answer())
    deployment.broker.set_up()
    await deployment.publish(avro_bbh("S240101a", "PRELIMINARY"))
    await deployment.wait_until_delivered(1)
    assert deployment.roots(channel, "S240101a")


@pytest.mark.parametrize("abort", [False, True])
async def test_a_closed_socket_is_opened_again(deployment: LocalDeployment, abort: bool) -> None:
    channel = deployment.local_slack.add_channel("gw")
    await connected(deployment)
    opened = deployment.local_slack.sockets.opened
    await deployment.local_slack.close_sockets(abort=abort)
    await wait_until(
        lambda: deployment.local_slack.sockets.opened > opened and deployment.local_slack.sockets.count > 0,
        what="a new socket is open",
    )
    asked = await deployment.local_slack.command("/gwevent", "help", channel=channel)
    assert "subscribe" in message_text(await asked.wait_for_answer())


async def test_notices_of_one_event_at_one_moment_open_one_root(deployment: LocalDeployment) -> None:
    channels = [deployment.local_slack.add_channel(f"gw-{n}") for n in range(3)]
    for channel in channels:
        await deployment.subscribe(channel, "all")
    await connected(deployment)
    await asyncio.gather(
        deployment.publish(avro_bbh("S240101a", "PRELIMINARY")),
        deployment.publish(avro_bbh("S240101a", "PRELIMINARY", after=60)),
    )
    await deployment.wait_until_delivered(2)
    for channel in channels:
        (root,) = deployment.roots(channel)
        assert len(deployment.replies(channel, root)) == 1
        assert "PRELIMINARY 2" in root["blocks"][0]["text"]["text"]


async def test_second_bot_on_same_database_is_refused(deployment: LocalDeployment) -> None:
    await connected(deployment)
    second = deployment.start_forked()
    assert await second.wait_for_exit() == 2
    (sentence,) = complaints(second)
    assert str(deployment.database) in sentence
    assert [line["event"] for line in second.log_records] == ["process_started"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SLACK_BOT_TOKEN": None}, "SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": None, "SLACK_APP_TOKEN": ""}, "SLACK_BOT_TOKEN and SLACK_APP_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xapp-wrong-way-round"}, "SLACK_BOT_TOKEN"),
        ({"GWEVENT_SLACK_API_URL": "http://example.com/api/"}, "GWEVENT_SLACK_API_URL"),
        ({"GWEVENT_KAFKA_URL": "kafka.scimma.org"}, "GWEVENT_KAFKA_URL"),
        ({"GWEVENT_KAFKA_AUTH": "hop", "GWEVENT_KAFKA_URL": "kafka://kafka.example.org/t"}, "hop auth add"),
        ({"GWEVENT_DATABASE_URL": "nonsense"}, "GWEVENT_DATABASE_URL"),
        ({"GWEVENT_DATABASE_URL": "sqlite:////proc/nowhere/gwevent.sqlite"}, "/proc/nowhere"),
        ({"GWEVENT_MAX_AGE_HOURS": "long"}, "GWEVENT_MAX_AGE_HOURS"),
        ({"GWEVENT_LOG_LEVEL": "LOUD"}, "GWEVENT_LOG_LEVEL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_wrong_settings_end_in_one_sentence(
    deployment: LocalDeployment, changes: dict[str, str | None], named: str
) -> None:
    bot = deployment.start_forked(**changes)
    assert await bot.wait_for_exit() == 2
    # Where the settings themselves can be read, the log's first line says which they are.
    said = [line for line in bot.stderr.splitlines() if "process_started" not in line]
    assert said == complaints(bot) and len(said) == 1, bot.stderr
    assert named in said[0]
    assert "wrong-way-round" not in bot.stderr


async def test_run_as_command(deployment: LocalDeployment) -> None:
    """Once as people start it, not from a fork."""
    channel = deployment.local_slack.add_channel("gw")
    bot = deployment.start()
    await bot.wait_until_ready()
    asked = await deployment.local_slack.command("/gwevent", "subscribe all", channel=channel)
    await asked.wait_for_answer(20.0)
    (confirmation,) = deployment.roots(channel)
    assert deployment.local_slack.user in message_text(confirmation)
    await deployment.publish(avro_bbh("S240101a", "PRELIMINARY"))
    await deployment.wait_until_delivered(1)
    assert deployment.roots(channel, "S240101a")
    assert await bot.terminate() == 0


async def test_a_refused_token_is_logged_at_each_try_and_notices_wait(deployment: LocalDeployment) -> None:
    channel = deployment.local_slack.add_channel("gw")
    await deployment.subscribe(channel, "all")
    bot = deployment.start_forked(SLACK_BOT_TOKEN="xoxb-0-refused")
    await bot.wait_until_logged("slack_unreachable", times=2)
    await deployment.publish(avro_bbh("S240101a", "PRELIMINARY"))
    await wait_until(lambda: deployment.stored_count() == 1, what="the notice is stored")
    tries = len([call for call in deployment.local_slack.calls if call.method == "auth.test"])
    lines = bot.logged_events("slack_unreachable")
    assert abs(tries - len(lines)) <= 1
    assert all("invalid_auth" in line["reason"] and line["level"] == "error" for line in lines)
    assert await bot.terminate() == 0
    await connected(deployment)
    await deployment.wait_until_delivered(1)
    assert len(deployment.local_slack.messages(channel)) == 1


async def test_a_revoked_token_loses_nothing(deployment: LocalDeployment) -> None:
    channel = deployment.local_slack.add_channel("gw")
    await deployment.subscribe(channel, "all")
    bot = await connected(deployment)
    deployment.local_slack.revoke_token()
    await deployment.publish(avro_bbh("S240101a", "PRELIMINARY"))
    await bot.wait_until_logged("delivery_failed")
    deployment.local_slack.restore_token()
    await deployment.wait_until_delivered(1)
    assert len(deployment.local_slack.messages(channel)) == 1


async def test_unreadable_payloads_are_quarantined(deployment: LocalDeployment) -> None:
    channel, ops = deployment.local_slack.add_channel("gw"), deployment.local_slack.add_channel("ops")
    await deployment.subscribe(channel, "all")
    bot = await connected(deployment, GWEVENT_OPS_CHANNEL=ops, GWEVENT_LOG_LEVEL="DEBUG")
    good = [avro_bbh(f"S24010{n}a", "PRELIMINARY") for n in range(1, 5)]
    secret = b"the payload's own bytes"
    mangled = [b"", secret, good[0][:2000], b'{"superevent_id": "S240105a", "alert_type": 3}', b"\x00" * 100]
    await deployment.publish(*(body for pair in zip(mangled, [*good, good[0]], strict=True) for body in pair))
    await deployment.wait_until_delivered(4)
    await wait_until(
        lambda: deployment.query_database("select count(*) from quarantine") == [(5,)], what="5 are kept"
    )

    def told() -> bool:
        said = [message["text"] for message in deployment.local_slack.messages(ops)]
        return not deployment.pending_count() and sum("quarantine" in text for text in said) == 5

    await wait_until(told, what="ops is told")
    for n in range(1, 5):
        assert len(deployment.roots(channel, f"S24010{n}a")) == 1
    asked = await deployment.local_slack.command("/gwevent", "status", channel=channel)
    assert "5 payloads" in message_text(await asked.wait_for_answer())
    assert await bot.terminate() == 0
    assert len(bot.logged_events("payload_quarantined")) == 5
    for hidden in (
        deployment.local_slack.bot_token,
        deployment.local_slack.app_token,
        secret.decode(),
        "SIMPLE  =",
    ):
        assert hidden not in bot.stderr


@pytest.mark.process
def test_help_needs_no_settings(tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "bot", "--help"], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0
    for command in ("run", "demo", "show", "preview", "ask", "replay", "doctor", "migrate", "samples"):
        assert command in asked.stdout


@pytest.fixture
def unused_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
async def test_a_log_that_nobody_reads_holds_no_alert_up(deployment: LocalDeployment) -> None:
    """The reader of the log is stopped, as with a pipe to a program that hangs."""
    channel = deployment.local_slack.add_channel("gw")
    await deployment.subscribe(channel, "all")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "run"],
        env=deployment.environment(GWEVENT_LOG_LEVEL="DEBUG"),
        cwd=deployment.folder,
        stdout=subprocess.DEVNULL,
        stderr=writer,
    )
    bot = BotProcess(process.pid, process.poll, deployment.folder / "no log")
    bot.log_path.touch()
    deployment.processes.append(bot)
    try:
        await deployment.publish(avro_bbh("S261122a", "INITIAL"))
        await deployment.wait_until_delivered(1)
        assert len(deployment.roots(channel)) == 1
        assert await bot.terminate() == 0
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(writer)
