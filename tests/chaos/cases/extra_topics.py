"""Cases in which topics beside LVK's alerts are absent, denied, dying, or flooded: no notice hears of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import replace

from confluent_kafka import KafkaError, KafkaException

from bot.demo.kafka_broker import Publisher
from tests.chaos.bot_entrypoint import READER_DEFECT
from tests.chaos.harness import ChaosHarness
from tests.support.bot_process import GROUP
from tests.support.messages import message_text

CIRCULARS, GUANO, HERMES = "gcn.circulars", "gcn.notices.swift.bat.guano", "hermes.discovery"
SETTINGS = {
    "GWEVENT_HOPSKOTCH_TOPICS": f"{CIRCULARS},{GUANO},hermes.*",
    "GWEVENT_COMMANDS_PER_MINUTE": "10000",
}
WORDS = "all mock circulars"
FLOOD = 1_000
FIRST = 40_000
"""GCN's number of the circular before the first."""


async def absent(chaos: ChaosHarness) -> None:
    """No extra topic exists; one comes later, and is read then."""
    await _start(chaos)
    await chaos.wait_until_logged("topic_not_read", times=3)
    await _wait_until_status_says(chaos, f"doesn't read {CIRCULARS}, {GUANO} (optional): isn't on")
    await _notices_come(chaos)
    chaos.broker.send_command("create", CIRCULARS)
    await _publish(chaos, CIRCULARS, [circular(1)])
    await _wait_until_committed(chaos, CIRCULARS, 1)
    await _wait_until_status_says(chaos, f"also: {CIRCULARS}")
    _check_no_incident(chaos)


async def denied(chaos: ChaosHarness) -> None:
    """The extra topics may not be read, from the start and again later; then they may."""
    for topic in (CIRCULARS, GUANO, HERMES):
        chaos.broker.send_command("create", topic)
        _refuse(chaos, topic, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    await _start(chaos)
    for _ in range(3):
        await _wait_until_status_says(chaos, "may not be read with this credential")
        await _notices_come(chaos)
        _refuse(chaos, CIRCULARS, 0)
        await _wait_until_status_says(chaos, f"also: {CIRCULARS}")
        await _notices_come(chaos)
        _refuse(chaos, CIRCULARS, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    _refuse(chaos, CIRCULARS, 0)
    await _publish(chaos, CIRCULARS, [circular(1)])
    await _wait_until_committed(chaos, CIRCULARS, 1)
    _check_no_incident(chaos)


async def dying(chaos: ChaosHarness) -> None:
    """A topic's reader ends by defects, its messages are nonsense, it goes away and comes back."""
    chaos.tuning = replace(chaos.tuning, reader_defects=4)
    for topic in (CIRCULARS, GUANO, HERMES):
        chaos.broker.send_command("create", topic)
    await _start(chaos)
    await _publish(chaos, CIRCULARS, [READER_DEFECT, b"", b"\xff" * 50, b"{", b"[1]", circular(1)])
    await _publish(chaos, GUANO, [b"nonsense", READER_DEFECT, b"null"])
    await _notices_come(chaos)
    # Repeats of the same error are counted, not logged.
    await chaos.wait_until_logged("unexpected_error subsystem=extra_topic")
    await _wait_until_committed(chaos, CIRCULARS, 6)
    await _wait_until_committed(chaos, GUANO, 3)
    for code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION, KafkaError.UNKNOWN):
        _refuse(chaos, CIRCULARS, code)
        await _wait_until_status_says(chaos, f"doesn't read {CIRCULARS} (optional)")
        await _notices_come(chaos)
        _refuse(chaos, CIRCULARS, 0)
        await _wait_until_status_says(chaos, f"also: {CIRCULARS}")
    _check_no_incident(chaos)


async def flooded(chaos: ChaosHarness, *, circulars: int = FLOOD) -> None:
    """1,000 circulars are there at once, some of them about a live event, while notices come."""
    chaos.broker.send_command("create", CIRCULARS)
    await _start(chaos)
    event = await chaos.publish_alert()
    await chaos.wait_until_delivered()
    named = (circular(number, event if number % 20 == 0 else None) for number in range(1, circulars + 1))
    flood = asyncio.create_task(_publish(chaos, CIRCULARS, named))
    await chaos.wait_until(lambda: _stored_circulars(chaos) >= 5, "circulars are being stored")
    await chaos.publish(10)
    await chaos.wait_until_stored()
    waiting = circulars - _stored_circulars(chaos)
    assert waiting > 0, "the notices waited for all circulars"
    await flood
    await _wait_until_committed(chaos, CIRCULARS, circulars)
    chaos.circulars[event] = [FIRST + number for number in range(20, circulars + 1, 20)]
    await chaos.publish(5)
    await chaos.wait_until_delivered()
    assert _stored_circulars(chaos) == circulars
    _check_no_incident(chaos)


def circular(number: int, event: str | None = None) -> bytes:
    """Return a circular about an event, or about one that nobody heard of."""
    return json.dumps(
        {
            "$schema": "https://gcn.nasa.gov/schema/v4.1.0/gcn/circulars.schema.json",
            "circularId": FIRST + number,
            "subject": f"LIGO/Virgo/KAGRA {event or f'S200101{_letters(number)}'}: Observations",
            "eventId": None,
            "submitter": "Jane Doe at University <jane@example.org>",
            "createdOn": time.time() * 1_000,
            "body": f"We observed the field for {number} s and found nothing new.\n" * 5,
        }
    ).encode()


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + number // 26**power % 26) for power in (2, 1, 0))


async def _start(chaos: ChaosHarness) -> None:
    chaos.grant_history()
    await chaos.open_channels(2, words=WORDS)
    chaos.start(**SETTINGS)
    await chaos.wait_until_ready()
    await _notices_come(chaos)


async def _notices_come(chaos: ChaosHarness) -> None:
    await chaos.publish(3)
    await chaos.wait_until_delivered()


async def _publish(chaos: ChaosHarness, topic: str, bodies: Iterable[bytes]) -> None:
    def work() -> None:
        with Publisher(chaos.broker.url(topic)) as publisher:
            for body in bodies:
                publisher.publish(body, "json")

    # The broker takes nothing for a topic that it made, or refused, a moment ago.
    for _ in range(5):
        try:
            await asyncio.to_thread(work)
            return
        except KafkaException:
            await asyncio.sleep(0.5)
    await asyncio.to_thread(work)


async def _wait_until_committed(chaos: ChaosHarness, topic: str, offset: int) -> None:
    async with asyncio.timeout(300):
        while await asyncio.to_thread(chaos.broker.committed, GROUP, topic) < offset:
            assert not chaos.bot.has_exited, f"The bot ended, see {chaos.bot.log_path}"
            await asyncio.sleep(0.2)


async def _wait_until_status_says(chaos: ChaosHarness, words: str) -> None:
    said = ""
    try:
        async with asyncio.timeout(100):
            while words not in said:
                await asyncio.sleep(0.2)
                asked = await chaos.local_slack.command("/gwevent", "status", channel=chaos.channels[0])
                said = message_text(await asked.wait_for_answer(10.0))
    except TimeoutError:
        raise AssertionError(f"`status` never said {words!r}, but {said!r}") from None


def _refuse(chaos: ChaosHarness, topic: str, code: int) -> None:
    chaos.broker.send_command("refuse", topic, str(code))


def _stored_circulars(chaos: ChaosHarness) -> int:
    return int(chaos.deployment.query_database("select count(*) from related_messages")[0][0])


def _check_no_incident(chaos: ChaosHarness) -> None:
    opened = chaos.bot.logged_events("incident_opened")
    assert not opened, f"an extra topic opened an incident: {opened}"
    assert not chaos.bot.logged_events("source_disconnected"), "the alerts' reader heard of it"
    assert not chaos.bot.logged_events("task_ended"), "a task ended"
