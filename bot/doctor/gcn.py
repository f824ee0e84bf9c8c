"""Check of the connection to GCN's brokers."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException

from bot.setting_types.topics import ConfiguredTopic
from bot.sources.base import SourceConfigError
from bot.sources.broker_access import DISCONNECT_ERRORS, KAFKA_OPTIONS
from bot.sources.gcn import GcnAccess, connection_options
from formatters.terminal.findings import Finding, Level


def check_gcn(access: GcnAccess, topics: Sequence[ConfiguredTopic], timeout: float) -> Finding:
    """Check that GCN answers and has the topics. Blocks for up to about `timeout` seconds."""
    name = "GCN"
    try:
        options, consumer_class = connection_options(access)
    except SourceConfigError as error:
        return Finding(name, Level.FAIL, str(error), "deploy/example.env says what to set.")
    errors: list[KafkaError] = []
    consumer = consumer_class(
        {**options, **KAFKA_OPTIONS, "group.id": "gwevent-doctor", "error_cb": errors.append}
    )
    try:
        consumer.poll(0)
        known = consumer.list_topics(timeout=timeout).topics
    except KafkaException as error:
        consumer.poll(0)
        reason = next((e.str() for e in errors if e.code() in DISCONNECT_ERRORS), str(error.args[0].str()))
        todo = "Check client id and secret (gcn.nasa.gov/user/credentials), and the way out (443, 9092)."
        return Finding(name, Level.FAIL, f"GCN doesn't answer: {reason.rstrip('.')}.", todo)
    finally:
        consumer.close()
    missing = [topic for topic in topics if not any(topic.matches(shown) for shown in known)]
    if not missing:
        return Finding(name, Level.OK, f"answers, and has {', '.join(topic.entry for topic in topics)}.")
    found = f"GCN doesn't show {', '.join(topic.entry for topic in missing)}"
    todo = (
        "A topic appears with its first message; check the spelling in GWEVENT_GCN_TOPICS and"
        " GWEVENT_NEARBY_TOPICS."
    )
    if all(topic.is_optional for topic in missing):
        return Finding(name, Level.WARN, f"{found} (optional: the alerts come without).", todo)
    return Finding(name, Level.WARN, f"{found}.", todo)
