"""NASA's GCN over Kafka: where its brokers are, and the credential for them.

Its topics are read by `bot.sources.topic_source`: LVK's notices as JSON, circulars, and what Hopskotch lacks,
a heartbeat message once a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer

from bot.sources.base import SourceConfigError
from bot.sources.broker_access import BrokerAccess

PERMISSION_ADVICE = "check its name; GCN makes a topic with its first message"


@dataclass(frozen=True, slots=True)
class GcnAccess:
    """The address of GCN, and the credential for it."""

    client_id: str | None = None
    client_secret: str | None = None
    domain: str = "gcn.nasa.gov"
    broker: str | None = None
    """host:port of a broker without login, used instead of GCN's; then no client id is needed."""


def gcn_broker(access: GcnAccess) -> BrokerAccess:
    """Return GCN as a broker to read. Raises SourceConfigError without a credential or gcn-kafka."""
    options, consumer_class = connection_options(access)
    return BrokerAccess(
        name="gcn",
        title="GCN",
        options=options,
        permission_advice=PERMISSION_ADVICE,
        consumer_class=consumer_class,
    )


def connection_options(access: GcnAccess) -> tuple[dict[str, Any], type[Consumer]]:
    """Return the connection's options and the consumer class that takes them. Raises SourceConfigError."""
    if access.broker is not None:
        return {"bootstrap.servers": access.broker}, Consumer
    if access.client_id is None or access.client_secret is None:
        raise SourceConfigError(
            "GWEVENT_GCN_CLIENT_ID and GWEVENT_GCN_CLIENT_SECRET must be set to read GCN"
            " (gcn.nasa.gov/quickstart makes them)."
        )
    try:
        from gcn_kafka import Consumer as GcnConsumer
    except ModuleNotFoundError as error:
        raise SourceConfigError(
            "GCN is read with the package gcn-kafka: pip install 'gwevent-bot[gcn]'."
        ) from error
    return {
        "client_id": access.client_id,
        "client_secret": access.client_secret,
        "domain": access.domain,
    }, GcnConsumer
