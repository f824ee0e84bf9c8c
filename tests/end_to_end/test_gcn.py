"""Both brokers at once: each notice is posted once, and a circular is linked in its thread."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

from bot.demo.kafka_broker import EmbeddedBroker
from bot.samples import to_avro, to_json
from tests.bot.related_messages.test_circular import circular
from tests.support.bot_process import TOPIC, bbh_record, open_deployment
from tests.support.messages import message_text
from tests.support.waiting import TIMEOUT_S, wait_until


@pytest.mark.slow
async def test_two_brokers_and_a_circular(tmp_path: Path) -> None:
    with EmbeddedBroker() as gcn:
        for topic in (TOPIC, "gcn.circulars", "gcn.heartbeat"):
            gcn.create_topic(topic)
        producer = Producer({"bootstrap.servers": gcn.address, "log_level": 2})

        async def publish(topic: str, body: bytes) -> None:
            producer.produce(topic, body)
            assert await asyncio.to_thread(producer.flush, 30) == 0

        async with open_deployment(tmp_path) as deployment:
            channel = deployment.local_slack.add_channel("gw")
            await deployment.subscribe(channel, "all circulars")
            bot = deployment.start_forked(GWEVENT_SOURCES="hopskotch,gcn", GWEVENT_GCN_BROKER=gcn.address)
            await bot.wait_until_ready()
            first, second = (bbh_record(name, "PRELIMINARY") for name in ("S240101a", "S240101b"))
            await deployment.publish(to_avro(first))
            await publish(TOPIC, to_json(first))
            await publish(TOPIC, to_json(second))
            await deployment.publish(to_avro(second))
            await deployment.wait_until_delivered(2)
            said = circular(subject="S240101b: a candidate", eventId=None, createdOn=time.time() * 1000)
            await publish("gcn.circulars", said)
            await wait_until(
                lambda: [m for m in deployment.local_slack.messages(channel) if "45640" in message_text(m)],
                what="the circular is linked",
            )
            (link,) = [m for m in deployment.local_slack.messages(channel) if "45640" in message_text(m)]
            assert link["thread_ts"] == deployment.roots(channel, "S240101b")[0]["ts"]
            await wait_until(
                lambda: bot.logged_events("notice_repeated"), what="the other broker's is recognised"
            )
            for name in ("S240101a", "S240101b"):
                assert len(deployment.roots(channel, name)) == 1
            told = ""
            async with asyncio.timeout(TIMEOUT_S):
                while "heartbeat" not in told:
                    await publish("gcn.heartbeat", b"{}")
                    asked = await deployment.local_slack.command("/gwevent", "status", channel=channel)
                    told = message_text(await asked.wait_for_answer(TIMEOUT_S))
                    await asyncio.sleep(1.0)
            assert "hopskotch" in told.casefold() and "gcn" in told.casefold()
