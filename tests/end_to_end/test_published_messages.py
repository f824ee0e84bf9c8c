"""The published circulars and notices of GCN, through hop and broker to where they belong, or nowhere."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from bot.demo.kafka_broker import EmbeddedBroker, Publisher
from bot.samples import to_avro
from tests.support.bot_process import LocalDeployment, bbh_record
from tests.support.messages import message_text
from tests.support.published_messages import Published, read_published
from tests.support.waiting import wait_until

LONG_AGO = "500000"
"""Hours; the messages are years old."""
WITH_THREADS = ("S230810af", "S230904n", "S230914ak", "S230922g", "S230922q", "S251117bs", "S230101x")
"""Events whose notices are made by formula; a circular retracts the first, no message names the last."""


@pytest.fixture
def published(shared_notices: Path) -> list[Published]:
    return read_published(shared_notices)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_through_hop_each_message_is_in_its_events_thread_and_nowhere_else(
    deployment: LocalDeployment, published: list[Published]
) -> None:
    broker = deployment.broker
    assert isinstance(broker, EmbeddedBroker)
    topics = sorted({message.topic for message in published})
    for topic in topics:
        broker.create_topic(topic)
    channel = deployment.local_slack.add_channel("gw")
    await deployment.subscribe(channel, "all streams circulars icecube guano nearby")
    bot = deployment.start_forked(GWEVENT_MAX_AGE_HOURS=LONG_AGO, GWEVENT_HOPSKOTCH_TOPICS=",".join(topics))
    await bot.wait_until_ready()
    await deployment.publish(*(to_avro(bbh_record(name, "PRELIMINARY")) for name in WITH_THREADS))
    await deployment.wait_until_delivered(len(WITH_THREADS))
    shuffled = published * 2
    random.Random(1).shuffle(shuffled)

    def publish() -> None:
        publishers = {topic: Publisher(broker.url(topic)) for topic in topics}
        for message in shuffled:
            publishers[message.topic].publish(message.body, "json")
        for publisher in publishers.values():
            publisher.close()

    await asyncio.to_thread(publish)
    names: dict[str, set[int]] = {name: set() for name in WITH_THREADS}

    def is_all_stored() -> bool:
        query = "select stream, superevent_id, key from related_messages"
        rows = deployment.query_database(query)
        for stream, superevent_id, key in rows:
            if stream == "circulars" and superevent_id in names:
                names[superevent_id].add(int(key))
        by_stream = Counter(stream for stream, *_ in rows)
        return by_stream == {"circulars": 40, "icecube": 1, "boom": 1}

    await wait_until(is_all_stored, what=f"all messages are stored, see {bot.log_path}")
    # What comes last of each topic is a repeat or about nothing; then the edits have their time.
    await wait_until(lambda: not deployment.pending_count(), what="all replies are posted and edited")
    for name, numbers in names.items():
        (root,) = deployment.roots(channel, name)
        replies = [message_text(reply) for reply in deployment.replies(channel, root)]
        listing = [reply for reply in replies if all(str(number) in reply for number in numbers)]
        if name == "S230101x":
            assert replies == [], "no message names it"
        elif name == "S251117bs":
            assert replies == [], "a candidate alone makes no reply"
        else:
            # LVK's circular retracts the first, and its notice hasn't come: that is a reply of its own.
            wanted = 2 if name == "S230810af" else 1
            assert len(listing) == len(replies) == wanted, (name, numbers, replies)
        for other in set().union(*names.values()) - numbers:
            assert not any(str(other) in reply for reply in replies), (name, other)
    assert len(deployment.roots(channel)) == len(WITH_THREADS)
    assert deployment.query_database("select count(*) from quarantine") == [(0,)]
    assert "<!" not in json.dumps(deployment.local_slack.messages(channel))
