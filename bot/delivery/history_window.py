"""How far back in Slack's history a post is looked for, by Slack's clock. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

CLOCK_TOLERANCE = timedelta(hours=2)
"""How much earlier than our clock says: clocks differ, and are set by an hour."""


def earliest_post_time(
    created_at: datetime, root_ts: str | None, now: datetime, *, is_clock_trusted: bool
) -> float | None:
    """The Unix time before which it can't have been posted; None where the clocks don't say.

    `root_ts` is of its thread's root, which is older than it by Slack's own clock; `sure` says that `now` is
    right, and was for an hour.
    """
    if not is_clock_trusted or created_at > now:
        return None
    since = (created_at - CLOCK_TOLERANCE).timestamp()
    return since if root_ts is None else min(since, float(root_ts))
