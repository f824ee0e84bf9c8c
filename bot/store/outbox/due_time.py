"""The condition that a row's time has come: the same for deliveries, images and webhook calls."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, bindparam

from bot.store.outbox.models import MAX_DELAY


def due_conditions(time: ColumnElement[datetime]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return two conditions of which either makes a row due; `due_parameters` gives their values.

    `time` is the column of the time for which the row waits. A time further ahead than MAX_DELAY was written
    before the clock was set back. Two conditions instead of one, so that each can read a range of an index.
    """
    return time <= bindparam("now"), time > bindparam("too_late")


def due_parameters(now: datetime) -> dict[str, object]:
    """Return the values of the parameters in `due_conditions`."""
    return {"now": now, "too_late": now + MAX_DELAY}
