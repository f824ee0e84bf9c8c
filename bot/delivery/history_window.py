"""Compute how far back in Slack's history a post can be, by Slack's clock. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

CLOCK_TOLERANCE = timedelta(hours=2)
"""Margin before our clock's time: clocks differ, and are set by an hour."""


def earliest_post_time(
    created_at: datetime, root_ts: str | None, now: datetime, *, is_clock_trusted: bool
) -> float | None:
    """Return the Unix time before which a delivery can't have been posted; None if the clocks can't tell.

    `root_ts` is the `ts` of its thread's root, which is older by Slack's own clock. `is_clock_trusted` states
    that `now` is right, and has been for an hour.
    """
    if not is_clock_trusted or created_at > now:
        return None
    since = (created_at - CLOCK_TOLERANCE).timestamp()
    return since if root_ts is None else min(since, float(root_ts))
