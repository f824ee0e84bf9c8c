"""Related messages for tests, as models and as what the store holds of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from bot.app.factory import Factory
from bot.store import schema
from bot.store.outbox.models import DeliveryKind
from formatters.models.related_message import MessageKind, RelatedMessage, Stream
from tests.support.factories import NOW, REAL

FOLLOW_UP_KINDS = (
    DeliveryKind.FOLLOW_UP,
    DeliveryKind.FOLLOW_UP_EDIT,
    DeliveryKind.RETRACTION_CIRCULAR,
)


def related_message(key: str = "45640", *about: str, created: datetime = NOW, **given: Any) -> RelatedMessage:
    """Return a message about these events, by default a circular about `REAL`."""
    usual: dict[str, Any] = {
        "stream": Stream.CIRCULARS,
        "kind": MessageKind.REPORT,
        "subject": f"Circular {key}",
        "number": int(key) if key.isdigit() else None,
    }
    return RelatedMessage(key=key, superevent_ids=about or (REAL,), created=created, **(usual | given))


async def planned_follow_ups(factory: Factory) -> list[tuple[str, str]]:
    """Return channel and kind of all deliveries about related messages, in order of their planning."""
    table = schema.deliveries
    query = select(table.c.channel_id, table.c.kind).where(table.c.kind.in_(FOLLOW_UP_KINDS))
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(query.order_by(table.c.id))).all()
    return [(row.channel_id, row.kind) for row in rows]


async def stored_messages(factory: Factory) -> list[tuple[str, str, str, datetime, str]]:
    """Return what the store holds of all messages (stream, key, event, created, JSON), in a fixed order."""
    table = schema.related_messages
    query = select(table.c.stream, table.c.key, table.c.superevent_id, table.c.created_at, table.c.facts)
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(query)).all()
    return sorted((row.stream, row.key, row.superevent_id, row.created_at, row.facts) for row in rows)
