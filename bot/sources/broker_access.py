"""The properties of a broker that readers of topics need: its address, its errors, and how patient to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError

from bot.sources.reconnect import ReconnectTiming

ABSENT_ERRORS = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})
"""Errors of a topic that isn't there: GCN creates one with its first message, and a broker may hide one."""
TOPIC_ERRORS = ABSENT_ERRORS | {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError._UNKNOWN_PARTITION,
}
"""Errors that concern one topic, and neither the connection nor the other topics."""
DISCONNECT_ERRORS = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)
"""Errors after which the source counts as not connected."""

KAFKA_OPTIONS = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    # The end of a partition is the only proof that an empty topic can be read.
    "enable.partition.eof": True,
    "queued.max.messages.kbytes": 16_384,
    "socket.keepalive.enable": True,
    "log_level": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicTiming(ReconnectTiming):
    """Intervals and timeouts in seconds; tests use shorter ones."""

    watermark_interval_s: float = 30.0
    """The time between two queries of the broker's watermarks and a topic's partitions."""
    pattern_interval_s: float = 300.0
    """The time between two looks for new topics of a pattern."""
    refused_retry_s: float = 600.0
    """The time until a topic of a pattern that was refused is tried again."""
    query_timeout_s: float = 10.0
    heartbeat_timeout_s: float = 120.0
    """How long the heartbeat may be missing before the connection is reopened."""
    stuck_timeout_s: float = 120.0
    """How long nothing may come although the broker has more, before the connection is reopened."""
    hang_timeout_s: float = 180.0
    """How long the reader's thread may be silent before the source no longer counts as connected."""


REQUIRED_TIMING = TopicTiming()
OPTIONAL_TIMING = TopicTiming(first_backoff_s=5.0, max_backoff_s=300.0)
"""A topic that isn't there may come with its first message, in months; a permission takes up to an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    """A broker, and what Kafka's client needs to read it."""

    name: str
    """As stored with a payload: "hopskotch" or "gcn"."""
    title: str
    """As people read it."""
    options: Mapping[str, Any]
    """librdkafka's options, with the credential, and without the consumer group."""
    permission_advice: str
    """How somebody gets a credential to read a topic, after "or this credential may not read it: "."""
    consumer_class: type[Consumer] = Consumer
    marks_tests: bool = False
    """True if a header marks messages that nobody should act on, as hop does."""
