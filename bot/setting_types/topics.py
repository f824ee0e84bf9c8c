"""The topics of the brokers, and the stream of messages that each brings.

A topic stands in the settings by its name, or as a pattern: a beginning with a `*` behind it ("hermes.*").
Which stream a topic brings is configuration too, because GCN splits and renames its topics.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from formatters.models.related_message import Stream

ALERTS = "alerts"
"""The stream of LVK's notices. A topic that brings it is required: without it no alert comes."""
UNKNOWN_STREAM = "unknown"
"""The stream of a topic that no mapping names: each message's content tells it. It is never a notice."""
STREAM_NAMES = (ALERTS, *(stream.value for stream in Stream))
"""Streams that a topic can be said to bring. `nearby` leaves the kind of alert to the content."""
HEARTBEAT_TOPIC = "gcn.heartbeat"
"""GCN's topic of one message a second, which is no news but proves that the connection works."""
ALERT_TOPIC = "igwn.gwalert"

_MIXED_TOPICS = (
    "gcn.circulars",
    "gcn.notices.icecube.lvk_nu_track_search",
    "gcn.notices.swift.bat.guano",
    "gcn.notices.boom.alert",
)
DEFAULT_HOPSKOTCH_TOPICS = ",".join((*_MIXED_TOPICS, "hermes.*"))
"""The topics read on Hopskotch beside the alerts."""
DEFAULT_GCN_TOPICS = ",".join((ALERT_TOPIC, *_MIXED_TOPICS, HEARTBEAT_TOPIC))
"""The topics read on GCN."""

DEFAULT_TOPIC_STREAMS: Mapping[str, str] = {
    "igwn.gwalert*": ALERTS,
    "gcn.notices.igwn.gwalert": ALERTS,
    "gcn.circulars": Stream.CIRCULARS.value,
    "gcn.notices.icecube.lvk_nu_track_search": Stream.ICECUBE.value,
    "gcn.notices.swift.bat.guano": Stream.GUANO.value,
    "gcn.notices.boom.*": Stream.BOOM.value,
    "hermes.*": Stream.HERMES.value,
    "gcn.notices.fermi.gbm.*": Stream.NEARBY.value,
    "gcn.notices.svom.*": Stream.NEARBY.value,
    "gcn.notices.einstein_probe.*": Stream.NEARBY.value,
    "gcn.notices.chime.*": Stream.NEARBY.value,
    "gcn.notices.icecube.gold_bronze_track_alerts": Stream.NEARBY.value,
    "gcn.notices.km3net.*": Stream.NEARBY.value,
    "gcn.notices.dsa110.*": Stream.NEARBY.value,
    "gcn.notices.superk.*": Stream.NEARBY.value,
}
"""The stream of each topic, by its name or a pattern, where the settings say nothing else."""

_ENTRY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}\*?", re.ASCII)
"""A topic's name in Kafka, or a pattern. A bare `*`, every topic of a broker, is none."""


def is_test_topic(topic: str) -> bool:
    """Return True if a word in a topic's name begins with "test": "hermes.test2", but not "hermes.latest"."""
    return any(word.startswith("test") for word in re.split(r"[._-]", topic.casefold()))


@dataclass(frozen=True, slots=True)
class ConfiguredTopic:
    """A topic or pattern that the settings name."""

    entry: str
    """The name, or a pattern that ends with `*`."""
    is_optional: bool
    """False for LVK's notices, without which no alert comes."""

    @property
    def is_pattern(self) -> bool:
        """Return True if this stands for all topics that begin so."""
        return self.entry.endswith("*")

    def matches(self, topic: str) -> bool:
        """Return True if this names a topic, or is a pattern for it.

        A pattern takes no topic for tests ("hermes.test"), since their messages look like real ones.
        """
        if not self.is_pattern:
            return topic == self.entry
        return topic.startswith(self.entry[:-1]) and not is_test_topic(topic) and not topic.startswith("_")


@dataclass(frozen=True, slots=True)
class TopicStreams:
    """The stream of messages that each topic brings."""

    by_entry: Mapping[str, str]
    """Stream -> a value of STREAM_NAMES, by a topic's name or a pattern."""

    def stream_of(self, topic: str) -> str:
        """Return the stream of a topic: a value of STREAM_NAMES, or UNKNOWN_STREAM.

        The name itself counts before a pattern, and a longer pattern before a shorter one.
        """
        if topic in self.by_entry:
            return self.by_entry[topic]
        fitting = [
            entry for entry in self.by_entry if entry.endswith("*") and topic.startswith(entry.rstrip("*"))
        ]
        return self.by_entry[max(fitting, key=len)] if fitting else UNKNOWN_STREAM

    def configure(self, entries: Iterable[str]) -> tuple[ConfiguredTopic, ...]:
        """Return the topics of a list of the settings; each brings alerts or is optional."""
        return tuple(
            ConfiguredTopic(entry, entry.endswith("*") or self.stream_of(entry) != ALERTS)
            for entry in dict.fromkeys(entries)
        )


def split_list(text: str) -> list[str]:
    """Return the parts of a list with commas, without blanks and empty parts."""
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_topics(text: str) -> tuple[str, ...]:
    """Return the names and patterns of a list, each once; "off" and nothing are none.

    Raises ValueError, whose text can be shown.
    """
    entries = () if text.strip().casefold() == "off" else tuple(dict.fromkeys(split_list(text)))
    for entry in entries:
        _check_entry(entry)
    return entries


def parse_topic_streams(text: str) -> TopicStreams:
    """Return the mapping that "topic=stream, …" gives, beside the default.

    Raises ValueError, whose text can be shown.
    """
    given = {}
    for part in split_list(text):
        entry, equals, stream = (word.strip() for word in part.partition("="))
        if not equals:
            raise ValueError("each part must look like topic=stream")
        _check_entry(entry)
        if stream.casefold() not in STREAM_NAMES:
            raise ValueError(f"a topic's stream must be one of {', '.join(STREAM_NAMES)}")
        given[entry] = stream.casefold()
    return TopicStreams({**DEFAULT_TOPIC_STREAMS, **given})


def _check_entry(entry: str) -> None:
    if _ENTRY.fullmatch(entry) is None:
        raise ValueError(
            "each topic must be a name of letters, digits, dots, hyphens and underscores, or the beginning of"
            " one with a * behind it"
        )
