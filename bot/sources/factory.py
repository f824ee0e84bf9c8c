"""Creation of the sources that the settings name."""

from __future__ import annotations

from bot.settings import Settings
from bot.sources.base import Source
from bot.sources.credentials import DEFAULT_GROUP, auth_username, consumer_group, load_auth
from bot.sources.gcn import GcnAccess, GcnSource
from bot.sources.hopskotch import HopskotchSource


def create_sources(settings: Settings) -> list[Source]:
    """Return the sources that the settings name, not yet started. Raises SourceConfigError."""
    sources: list[Source] = []
    if "hopskotch" in settings.source_names:
        auth = load_auth(settings.kafka_url, settings.kafka_auth)
        group = consumer_group(auth_username(auth), settings.kafka_group)
        sources.append(HopskotchSource(settings.kafka_url, group, auth))
    if "gcn" in settings.source_names:
        group = settings.kafka_group or DEFAULT_GROUP
        sources.append(GcnSource(gcn_access(settings), settings.gcn_topic_names, group))
    return sources


def gcn_access(settings: Settings) -> GcnAccess:
    """Return the address of GCN and the credential for it, from the settings."""
    secret = settings.gcn_client_secret
    return GcnAccess(
        client_id=settings.gcn_client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        domain=settings.gcn_domain,
        broker=settings.gcn_broker,
    )
