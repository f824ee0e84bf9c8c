"""Creation of the sources that the settings name: one for each topic, so that none waits for another."""

from __future__ import annotations

from functools import partial

from bot.setting_types.topics import ConfiguredTopic
from bot.settings import Settings
from bot.sources.base import Source, SourceConfigError
from bot.sources.broker_access import BrokerAccess
from bot.sources.credentials import DEFAULT_GROUP, KafkaUrl, auth_username, consumer_group, load_auth
from bot.sources.gcn import GcnAccess, gcn_broker
from bot.sources.hopskotch import HopskotchSource, hopskotch_broker
from bot.sources.restartable import RestartableSource
from bot.sources.topic_source import TopicSource

NO_ALERTS = (
    "No topic that is read brings LVK's alerts: igwn.gwalert must stand in GWEVENT_KAFKA_URL or"
    " GWEVENT_GCN_TOPICS, and a topic of another name in GWEVENT_TOPIC_STREAMS too (name=alerts)."
)


def create_sources(settings: Settings) -> list[Source]:
    """Return the sources that the settings name, not yet started: alerts first.

    Raises SourceConfigError, also if none of them brings LVK's alerts: that must not be found out by the
    silence.
    """
    if all(topic.is_optional for topic in settings.configured_topics):
        raise SourceConfigError(NO_ALERTS)
    sources: list[Source] = []
    if "hopskotch" in settings.source_names:
        sources += _hopskotch_sources(settings)
    if "gcn" in settings.source_names:
        sources += _gcn_sources(settings)
    return sorted(sources, key=lambda source: source.status().is_optional)


def _hopskotch_sources(settings: Settings) -> list[Source]:
    url = KafkaUrl.parse(settings.kafka_url)
    auth = load_auth(settings.kafka_url, settings.kafka_auth)
    group = consumer_group(auth_username(auth), settings.kafka_group)
    topics = settings.configured_hopskotch_topics
    sources: list[Source] = [
        HopskotchSource(f"kafka://{url.broker}/{topic.entry}", group, auth)
        for topic in topics
        if not topic.is_optional
    ]
    return sources + _optional_sources(settings, hopskotch_broker(url, auth), topics, group)


def _gcn_sources(settings: Settings) -> list[Source]:
    broker = gcn_broker(gcn_access(settings))
    group = settings.kafka_group or DEFAULT_GROUP
    topics = settings.configured_gcn_topics
    sources: list[Source] = [
        TopicSource(
            broker, topic, group, settings.streams_by_topic, has_heartbeat=settings.reads_gcn_heartbeat
        )
        for topic in topics
        if not topic.is_optional
    ]
    return sources + _optional_sources(settings, broker, topics, group)


def _optional_sources(
    settings: Settings, broker: BrokerAccess, topics: tuple[ConfiguredTopic, ...], group: str
) -> list[Source]:
    named = frozenset(topic.entry for topic in topics if not topic.is_pattern)
    return [
        RestartableSource(
            partial(TopicSource, broker, topic, group, settings.streams_by_topic, not_read=named)
        )
        for topic in topics
        if topic.is_optional
    ]


def gcn_access(settings: Settings) -> GcnAccess:
    """Return the address of GCN and the credential for it, from the settings."""
    secret = settings.gcn_client_secret
    return GcnAccess(
        client_id=settings.gcn_client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        domain=settings.gcn_domain,
        broker=settings.gcn_broker,
    )
