"""`gwevent doctor --live` against the embedded broker and a GraceDB made here: nothing is acknowledged."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from confluent_kafka import Consumer, Producer, TopicPartition

from bot.demo.kafka_broker import EmbeddedBroker, Publisher
from bot.doctor import live_sources
from bot.doctor.live import run_live_checks
from bot.doctor.live_report import LiveReport, to_json_lines
from bot.doctor.live_sources import try_gracedb, try_sources
from bot.local_slack.server import LocalSlack
from bot.samples import bbh, superevent_id, to_avro
from bot.setting_types.topics import HEARTBEAT_TOPIC
from bot.settings import Settings
from formatters.terminal.findings import Finding, Level
from tests.bot.doctor.test_checks import settings

NOTICES, CIRCULARS, SECRET = "igwn.gwalert", "gcn.circulars", "somegroup.private-search"


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        for topic in (NOTICES, CIRCULARS, HEARTBEAT_TOPIC, SECRET):
            broker.create_topic(topic)
        yield broker


def deployment(broker: EmbeddedBroker, **changes: object) -> Settings:
    return Settings.model_validate(
        {
            "kafka_url": broker.url(NOTICES),
            "hopskotch_topics": "",
            "kafka_auth": "off",
            "kafka_group": "gwevent",
            "gracedb_url": "off",
            **changes,
        }
    )


def notice(letter: str = "") -> bytes:
    now = datetime.now(UTC)
    return to_avro({**bbh(now)[0], "superevent_id": superevent_id(now, "live", letter)})


def publish(broker: EmbeddedBroker, topic: str, *bodies: bytes) -> None:
    with Publisher(broker.url(topic)) as publisher:
        for body in bodies:
            publisher.publish(body)


def look(asked: Settings) -> tuple[dict[str, Finding], LiveReport]:
    report = LiveReport()
    try_sources(asked, report)
    return {finding.name: finding for finding in report.findings}, report


def committed(broker: EmbeddedBroker) -> int:
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "gwevent", "log_level": 2})
    try:
        return int(consumer.committed([TopicPartition(NOTICES, 0)], timeout=10)[0].offset)
    finally:
        consumer.close()


@pytest.mark.slow
def test_a_mock_behind_newer_notices_is_read_and_nothing_is_acknowledged(broker: EmbeddedBroker) -> None:
    publish(broker, NOTICES, notice("M"), *[notice() for _ in range(3)])
    before = committed(broker)
    found, report = look(deployment(broker))
    assert {finding.level for finding in found.values()} == {Level.OK}, found
    mock = found[f"Live {NOTICES}"].result
    assert "PRELIMINARY, with a sky map" in mock and "nothing was acknowledged" in mock
    assert committed(broker) == before < 0
    kept = json.loads(to_json_lines(report).splitlines()[-1])["answer"]
    assert kept["record"]["alert_type"] == "PRELIMINARY" and kept["offset"] == 0 and kept["bytes"] > 1_000


@pytest.mark.slow
def test_topics_are_told_by_name_only_where_the_name_is_public(broker: EmbeddedBroker) -> None:
    publish(broker, NOTICES, notice("M"))
    found, report = look(deployment(broker, kafka_url=f"kafka://{broker.address}/{NOTICES}"))
    assert found["Live Hopskotch topics"].result == f"shows 4 topics, {NOTICES} among them."
    told = to_json_lines(report) + "".join(finding.result for finding in report.findings)
    assert SECRET not in told and CIRCULARS in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bodies", "level", "words"),
    [
        ([], Level.WARN, "holds no message now"),
        ([notice()], Level.WARN, "no mock is among the newest 30"),
        ([b"\x00not a notice"], Level.FAIL, "can't be read"),
        ([notice("M"), b"\x00not a notice"], Level.WARN, "a newer message can't be read"),
    ],
)
def test_a_topic_without_a_readable_mock_is_told_with_what_to_do(
    broker: EmbeddedBroker, bodies: list[bytes], level: Level, words: str
) -> None:
    publish(broker, NOTICES, *bodies)
    mock = look(deployment(broker))[0][f"Live {NOTICES}"]
    assert (mock.level, words in mock.result, bool(mock.advice)) == (level, True, True), mock


@pytest.mark.slow
def test_each_optional_topic_is_tried_by_itself(broker: EmbeddedBroker) -> None:
    publish(broker, NOTICES, notice("M"))
    publish(broker, CIRCULARS, b"{}")
    publish(broker, SECRET, b"abc")
    topics = f"{CIRCULARS},gcn.not-there,somegroup.*"
    found, _ = look(deployment(broker, hopskotch_topics=topics))
    assert found[f"Live {NOTICES}"].level is Level.OK
    assert found[f"Live {CIRCULARS}"].result == "its newest message has 2 bytes, 0 min old."
    assert found[f"Live {SECRET}"].result == "its newest message has 3 bytes, 0 min old."
    assert "Live gcn.not-there" not in found, "told with the topics"
    missing = found["Live Hopskotch topics"]
    assert missing.level is Level.WARN and "gcn.not-there not" in missing.result


@pytest.mark.slow
def test_a_missing_topic_of_the_alerts_is_a_failure(broker: EmbeddedBroker) -> None:
    publish(broker, CIRCULARS, b"{}")
    elsewhere = broker.url("igwn.gwalerts")
    found, _ = look(deployment(broker, kafka_url=elsewhere, hopskotch_topics=CIRCULARS))
    assert "Live igwn.gwalerts" not in found
    assert found["Live Hopskotch topics"].level is Level.FAIL


@pytest.mark.slow
@pytest.mark.parametrize(("age_s", "level"), [(0, Level.OK), (300, Level.WARN), (-300, Level.FAIL)])
def test_the_heartbeat_compares_the_clocks(broker: EmbeddedBroker, age_s: int, level: Level) -> None:
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 2})
    producer.produce(HEARTBEAT_TOPIC, b"{}", timestamp=int((time.time() - age_s) * 1_000))
    producer.flush(10)
    found, _ = look(
        deployment(
            broker, sources="gcn", gcn_broker=broker.address, gcn_topics=f"{NOTICES},{HEARTBEAT_TOPIC}"
        )
    )
    assert found["Live GCN clock"].level is level


@pytest.mark.slow
def test_a_broker_that_is_down_is_a_finding(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_sources, "QUERY_TIMEOUT_S", 1.0)
    asked = deployment(broker)
    broker.set_down()
    assert look(asked)[0]["Live Hopskotch"].level is Level.FAIL


async def gracedb(answer: Any, status: int = 200) -> Finding:
    async def root(_: web.Request) -> web.Response:
        if isinstance(answer, str):
            return web.Response(text=answer, content_type="text/html", status=status)
        return web.json_response(answer, status=status)

    app = web.Application()
    app.router.add_get("/api/", root)
    report = LiveReport()
    async with TestServer(app) as server:
        await try_gracedb(Settings.model_validate({"gracedb_url": str(server.make_url("/api/"))}), report)
    return report.findings[-1]


async def test_gracedbs_service_document_is_read() -> None:
    document = {"links": {"superevents": "https://x/api/superevents/"}, "server-version": "2.31.0"}
    good = await gracedb(document)
    assert (good.level, good.result) == (
        Level.OK,
        "its service document names superevents; version 2.31.0.",
    )


@pytest.mark.parametrize(
    ("answer", "status"), [("<html>Sign in</html>", 200), ([], 200), ({"links": {}}, 200), ("", 503)]
)
async def test_a_gracedb_that_is_none_is_told(answer: Any, status: int) -> None:
    found = await gracedb(answer, status)
    assert found.level is Level.WARN and "GWEVENT_GRACEDB_URL" in found.advice


@pytest.mark.slow
async def test_one_report_tells_all_and_holds_no_secret(
    broker: EmbeddedBroker, local_slack: LocalSlack, database_path: Path
) -> None:
    publish(broker, NOTICES, notice("M"))
    asked = settings(local_slack, database_path, kafka_url=broker.url(NOTICES), hopskotch_topics="")
    report = await run_live_checks(asked, local_slack.add_channel("gw"))
    names = [finding.name for finding in report.findings]
    assert names[0] == "Live versions" and names[-1] == f"Live {NOTICES}" and "Live clean-up" in names
    told = to_json_lines(report) + repr(report.findings)
    assert local_slack.bot_token not in told and local_slack.app_token not in told
