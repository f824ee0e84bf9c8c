"""`gwevent doctor --live`: what the brokers and GraceDB answer, read without acknowledging anything.

`bot.doctor.kafka` and `bot.doctor.gcn` find out why a broker can't be used; this shows what one sends.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from bot.alerts.decode import decode
from bot.alerts.payload import UndecodablePayload
from bot.doctor.live_report import LiveReport
from bot.gracedb.client import GraceDb, GraceDbError
from bot.setting_types.topics import HEARTBEAT_TOPIC, ConfiguredTopic
from bot.settings import Settings
from bot.sources.base import SourceConfigError
from bot.sources.credentials import KafkaUrl, auth_username, consumer_group, load_auth
from bot.sources.factory import gcn_access
from bot.sources.gcn import connection_options
from formatters.models.notice import Category, Notice, category_from_id
from formatters.terminal.findings import Level

QUERY_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 30.0
"""For a window of messages; a notice with its map has a megabyte or more."""
WINDOWS = (1, 5, 30)
"""Newest messages of a partition among which a mock is looked for: each window reaches further back."""
MAX_CLOCK_OFFSET_S = 30.0
MAX_PATTERN_TOPICS = 5
"""Most topics of a pattern that are tried."""
PUBLIC_PREFIXES = ("igwn.", "gcn.")
"""Topics that a report may name. The names of others may be a group's own affair."""
NOTICE_TOPIC = "igwn.gwalert"


def try_sources(settings: Settings, report: LiveReport) -> None:
    """Ask each configured broker for its topics, a mock notice and the newest message of each. Blocks."""
    if "hopskotch" in settings.source_names:
        _try_hopskotch(settings, report)
    if "gcn" in settings.source_names:
        access = gcn_access(settings)
        try:
            options, consumer_class = connection_options(access)
        except SourceConfigError as error:
            report.add("GCN", Level.FAIL, str(error), "deploy/example.env says what to set.")
            return
        consumer = consumer_class({**options, **_reading_options("gwevent-doctor")})
        heartbeat = [ConfiguredTopic(HEARTBEAT_TOPIC, True)] if settings.reads_gcn_heartbeat else []
        _try_broker("GCN", consumer, [*settings.configured_gcn_topics, *heartbeat], report)


def _try_hopskotch(settings: Settings, report: LiveReport) -> None:
    try:
        url = KafkaUrl.parse(settings.kafka_url)
        auth = load_auth(settings.kafka_url, settings.kafka_auth)
    except SourceConfigError as error:
        report.add("Hopskotch", Level.FAIL, str(error), "The findings above say what to do.")
        return
    consumer = Consumer(
        {
            "bootstrap.servers": url.broker,
            **_reading_options(consumer_group(auth_username(auth), settings.kafka_group)),
            **({} if isinstance(auth, bool) else auth()),
        }
    )
    _try_broker("Hopskotch", consumer, settings.configured_hopskotch_topics, report)


def _reading_options(group: str) -> dict[str, Any]:
    return {
        "group.id": group,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "log_level": 2,
        "error_cb": lambda _: None,
    }


def _try_broker(name: str, consumer: Consumer, topics: Sequence[ConfiguredTopic], report: LiveReport) -> None:
    try:
        consumer.poll(0)
        shown = frozenset(consumer.list_topics(timeout=QUERY_TIMEOUT_S).topics)
    except KafkaException as error:
        reason = _reason(error)
        report.add(name, Level.FAIL, f"doesn't answer: {reason}.", "The findings above say what to do.")
        consumer.close()
        return
    try:
        _report_topics(name, shown, topics, report)
        for topic, is_optional in _expand(topics, shown):
            if topic not in shown:
                continue  # reported with the topics
            try:
                _try_topic(name, consumer, topic, report)
            except KafkaException as error:
                consequence = "Alerts come without it." if is_optional else "Without it no alert comes."
                level = Level.WARN if is_optional else Level.FAIL
                report.add(topic, level, f"{name} doesn't let it be read: {_reason(error)}.", consequence)
    finally:
        consumer.close()


def _expand(topics: Sequence[ConfiguredTopic], shown: frozenset[str]) -> list[tuple[str, bool]]:
    """Return each topic once, and whether it is optional; of a pattern the first that the broker shows."""
    found: dict[str, bool] = {}
    for topic in topics:
        named = [topic.entry]
        if topic.is_pattern:
            named = [name for name in sorted(shown) if topic.matches(name)][:MAX_PATTERN_TOPICS]
        for name in named:
            found.setdefault(name, topic.is_optional)
    return list(found.items())


def _report_topics(
    name: str, shown: frozenset[str], topics: Sequence[ConfiguredTopic], report: LiveReport
) -> None:
    public = sorted(topic for topic in shown if topic.startswith(PUBLIC_PREFIXES))
    report.record(f"{name} topics", {"public": public, "others": len(shown) - len(public)})
    entries = [topic.entry for topic in topics]
    missing = [topic.entry for topic in topics if not any(topic.matches(name) for name in shown)]
    there = f"shows {len(shown)} topics"
    if missing:
        todo = "Check the spelling, and the credential's permissions; a topic appears with its first message."
        is_needed = any(topic.entry in missing and not topic.is_optional for topic in topics)
        level = Level.FAIL if is_needed else Level.WARN
        report.add(f"{name} topics", level, f"{there}, and {', '.join(missing)} not.", todo)
    else:
        report.add(f"{name} topics", Level.OK, f"{there}, {', '.join(entries)} among them.")


def _try_topic(name: str, consumer: Consumer, topic: str, report: LiveReport) -> None:
    """Report a topic's newest message, and of the notices' topic a mock. Raises KafkaException."""
    newest: Message | None = None
    problem: str | None = None
    for message in _newest_first(consumer, topic):
        if newest is None:
            newest = message
            _report_clock(name, topic, message, report)
        if topic != NOTICE_TOPIC:
            break
        try:
            notice = decode(message.value() or b"")
        except UndecodablePayload as error:
            problem = problem or str(error)
            _record(report, topic, message, None)
            continue
        if category_from_id(notice.superevent_id) is Category.MOCK:
            _record(report, topic, message, notice)
            _report_mock(topic, message, notice, problem, report)
            return
    if newest is None:
        report.add(topic, Level.WARN, "can be read, and holds no message now.", _when_quiet(topic))
    elif topic != NOTICE_TOPIC:
        _record(report, topic, newest, None)
        size = len(newest.value() or b"")
        report.add(topic, Level.OK, f"its newest message has {size:,} bytes{_age(newest)}.")
    elif problem is not None:
        todo = "File an issue with this report and what --record keeps: gwevent doesn't know this form yet."
        report.add(topic, Level.FAIL, f"its messages can't be read: {problem.rstrip('.')}.", todo)
    else:
        found = f"no mock is among the newest {max(WINDOWS)} messages of a partition{_age(newest)}."
        report.add(topic, Level.WARN, found, _when_quiet(topic))


def _when_quiet(topic: str) -> str:
    if topic == NOTICE_TOPIC:
        return (
            "LVK sends a mock every hour or so; if there is none for some hours, see emfollow.docs.ligo.org."
        )
    return "Nothing is wrong if nobody has sent anything; look again once somebody has."


def _newest_first(consumer: Consumer, topic: str) -> Iterator[Message]:
    """Yield a topic's messages, newest first, over windows that reach further back. Raises KafkaException."""
    found = consumer.list_topics(topic, timeout=QUERY_TIMEOUT_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    ends = {}
    for number in found.partitions:
        place = TopicPartition(topic, number)
        ends[number] = consumer.get_watermark_offsets(place, timeout=QUERY_TIMEOUT_S)
    already = 0
    for window in WINDOWS:
        read = []
        for number, (low, high) in ends.items():
            first, last = max(low, high - window), max(low, high - already)
            if first < last:
                read += _read(consumer, TopicPartition(topic, number, first), last)
        yield from sorted(read, key=lambda message: message.timestamp()[1], reverse=True)
        already = window


def _read(consumer: Consumer, start: TopicPartition, end: int) -> list[Message]:
    """Return the messages from an offset up to `end`, excluding it. Raises KafkaException."""
    # Assigned, so that the group's readers notice nothing; nothing is committed.
    consumer.assign([start])
    deadline = time.monotonic() + READ_TIMEOUT_S
    messages: list[Message] = []
    try:
        while True:
            message = consumer.poll(1.0)
            if message is None:
                if time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
                continue
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    return messages
                raise KafkaException(error)
            offset = message.offset()
            if offset is None or offset >= end:
                return messages
            messages.append(message)
            if offset == end - 1:
                return messages
    finally:
        consumer.unassign()


def _report_mock(
    topic: str, message: Message, notice: Notice, problem: str | None, report: LiveReport
) -> None:
    sky = "with a sky map" if notice.localization else "without a sky map"
    if notice.map_problem is not None:
        sky = f"with a sky map that can't be read ({notice.map_problem.rstrip('.')})"
    size = len(message.value() or b"")
    found = f"read {notice.superevent_id} {notice.alert_type}, {sky}, {size:,} bytes{_age(message)}"
    if problem is None and notice.map_problem is None:
        report.add(topic, Level.OK, f"{found}; nothing was acknowledged.")
        return
    todo = "File an issue with this report and what --record keeps: gwevent doesn't know this form yet."
    newer = "" if problem is None else f"; a newer message can't be read: {problem.rstrip('.')}"
    report.add(topic, Level.WARN, f"{found}{newer}.", todo)


def _report_clock(name: str, topic: str, message: Message, report: LiveReport) -> None:
    """Compare this machine's clock with a message's time; only a heartbeat tells it to the second."""
    age_s = _age_s(message)
    if age_s is None:
        return
    clock = f"{name} clock"
    if age_s < -MAX_CLOCK_OFFSET_S:
        found = f"{topic}'s newest message comes {-age_s:,.0f} s from the future by this machine's clock."
        report.add(clock, Level.FAIL, found, "Set the clock: timedatectl set-ntp true.")
    elif topic == HEARTBEAT_TOPIC and age_s > MAX_CLOCK_OFFSET_S:
        found = f"the heartbeat, sent every second, is {age_s:,.0f} s old by this machine's clock."
        todo = "Set the clock (timedatectl set-ntp true), or see gcn.nasa.gov: the heartbeat may be down."
        report.add(clock, Level.WARN, found, todo)
    elif topic == HEARTBEAT_TOPIC:
        found = f"the newest heartbeat is {max(age_s, 0):.1f} s old: the clocks agree that well."
        report.add(clock, Level.OK, found)
    elif topic == NOTICE_TOPIC:
        report.add(clock, Level.OK, "isn't behind this machine's: no message comes from the future.")


def _age_s(message: Message) -> float | None:
    kind, created_ms = message.timestamp()
    return None if kind == TIMESTAMP_NOT_AVAILABLE else time.time() - created_ms / 1000


def _age(message: Message) -> str:
    age_s = _age_s(message)
    return "" if age_s is None else f", {max(age_s, 0.0) / 60:,.0f} min old"


def _record(report: LiveReport, topic: str, message: Message, notice: Notice | None) -> None:
    """Keep what a message looks like, and of a notice the record without its maps."""
    headers = dict(message.headers() or [])
    report.record(
        topic,
        {
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": list(message.timestamp()),
            "headers": {str(key): _text(value) for key, value in headers.items()},
            "bytes": len(message.value() or b""),
            "record": None if notice is None else dict(notice.published),
        },
    )


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _reason(error: KafkaException) -> str:
    cause = error.args[0]
    return cause.str().rstrip(".") if isinstance(cause, KafkaError) else str(cause)


async def try_gracedb(settings: Settings, report: LiveReport) -> None:
    """Read GraceDB's service document, which names what the API offers."""
    if settings.gracedb_url is None:
        return
    client = GraceDb(settings.gracedb_url)
    without = "Events that were never received can't be looked up."
    try:
        document = await client.service_document()
    except GraceDbError as error:
        todo = f"{without} Check the network and GWEVENT_GRACEDB_URL, or set it to off."
        report.add("GraceDB", Level.WARN, str(error), todo)
        return
    finally:
        await client.close()
    report.record("GraceDB", document)
    links = document.get("links") if isinstance(document, dict) else None
    if not isinstance(links, dict) or "superevents" not in links:
        todo = f"{without} Is GWEVENT_GRACEDB_URL the API's address, https://gracedb.ligo.org/api/?"
        report.add("GraceDB", Level.WARN, "its service document names no superevents.", todo)
        return
    server = document.get("server-version")
    version = f"version {server}" if isinstance(server, str) else "its version isn't told"
    report.add("GraceDB", Level.OK, f"its service document names superevents; {version}.")
