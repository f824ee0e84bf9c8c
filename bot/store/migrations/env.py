"""Alembic's way in; the connection is handed over by `bot.store.database`."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from bot.store.schema import UtcDateTime, metadata


def _render(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    # A migration must not depend on code that may change after it.
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=_render,
    compare_type=True,
)
# The caller owns the connection and its transaction.
context.run_migrations()
