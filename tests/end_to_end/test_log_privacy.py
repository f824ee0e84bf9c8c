"""All that the bot says in its log at DEBUG, and whom it calls, while it meets all that it can meet."""

from __future__ import annotations

import asyncio
import base64
import re

from confluent_kafka import Producer

from bot.demo.kafka_broker import EmbeddedBroker
from bot.samples import to_avro, to_json
from bot.samples.edge_cases import few_rows
from tests.support.bot_process import TOPIC, LocalDeployment, bbh_record
from tests.support.messages import message_text
from tests.support.waiting import wait_until

TYPED = "what-a-person-typed"


class RequestTrap:
    """A listener on this machine to which every address in a message leads."""

    def __init__(self) -> None:
        self.calls = 0

    async def __aenter__(self) -> RequestTrap:
        async def called(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.calls += 1
            writer.close()

        self._server = await asyncio.start_server(called, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()


def produce(broker: EmbeddedBroker, body: bytes, kind: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 2})
    producer.produce(TOPIC, body, headers={"_format": kind})
    assert producer.flush(60) == 0


async def test_logs_leak_nothing_and_no_link_is_fetched(deployment: LocalDeployment) -> None:
    local_slack = deployment.local_slack
    channel = local_slack.add_channel("gw")
    await deployment.subscribe(channel, "all")
    assert isinstance(deployment.broker, EmbeddedBroker)
    async with RequestTrap() as trap:
        notice = bbh_record("S240101a", "PRELIMINARY")
        notice["urls"] = {name: f"{trap.url}/{name}" for name in ("gracedb", "skymap", "combined_skymap")}
        notice |= {"$schema": f"{trap.url}/schema", "logo": f"{trap.url}/logo.png"}
        bot = deployment.start_forked(GWEVENT_LOG_LEVEL="DEBUG", GWEVENT_MOCK_PICTURES="true")
        await bot.wait_until_ready()
        # hop would fetch what such a message names, if it were let.
        await asyncio.to_thread(
            produce, deployment.broker, f'{{"url": "{trap.url}/x"}}'.encode(), b"external"
        )
        await deployment.publish(
            to_avro(notice), to_json(bbh_record("S240101a", "INITIAL", 60)), to_json(notice)[:9_000]
        )
        await deployment.wait_until_delivered(2)
        quarantined = "select count(*) from quarantine"
        await wait_until(
            lambda: deployment.query_database(quarantined) == [(2,)], what="two payloads are quarantined"
        )
        for words in ("help", "status", "latest", TYPED, f"subscribe {TYPED}", f"S240101a {TYPED}"):
            done = await local_slack.command("/gwevent", words, channel=channel)
            await done.wait_for_answer(60)
        seen = len(local_slack.ephemerals(channel))
        await local_slack.say(f"@gwevent {TYPED}", channel)
        await local_slack.wait_for(lambda: len(local_slack.ephemerals(channel)) > seen, 60)
        # Slack in trouble: what libraries say of it is theirs to word.
        local_slack.fail("chat.postMessage", error="internal_error")
        await local_slack.close_sockets(abort=True)
        await deployment.publish(to_avro(bbh_record("S240101b", "PRELIMINARY")))
        await deployment.wait_until_delivered(3)
        assert await bot.terminate() == 0
        assert trap.calls == 0, "an address in a message was called"
    said = bot.stderr
    assert bot.logged_events("notice_stored") and bot.logged_events("payload_quarantined")
    for line in bot.logged_events("notice_stored"):
        assert line["superevent_id"].startswith("S240101") and line["alert_type"] and line["level"] == "info"
    for secret in (local_slack.bot_token, local_slack.app_token, TYPED):
        assert secret not in said
    map_file = few_rows()
    for start in range(0, len(map_file) - 90, 960):
        piece = map_file[start : start + 48]
        assert base64.b64encode(piece).decode() not in said
    assert "SIMPLE  =" not in said and "PROBDENSITY" not in said
    assert not re.search(r"\\x[0-9a-f]{2}\\x[0-9a-f]{2}\\x[0-9a-f]{2}", said), "bytes of something"
    assert not re.search(r"[A-Za-z0-9+/]{200}", said), "base64 of something"
    assert max(map(len, said.splitlines())) < 20_000
    assert "LIGO" not in said and "classification" not in said
    assert message_text(deployment.roots(channel, "S240101a")[0])
