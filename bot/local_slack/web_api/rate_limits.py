"""Slack's rate limits: tiers for each method and workspace, and one message a second for each channel.

The numbers: https://docs.slack.dev/apis/web-api/rate-limits. Slack says "1+", "20+", "50+", "100+" a minute;
the local Slack allows exactly these numbers.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from time import monotonic

MINUTE = 60.0
POST_INTERVAL = 1.0
"""Seconds between two messages to one channel."""
POST_BURST = 3
"""Messages that one channel accepts at once (Slack documents "short bursts" without a number)."""


class RateLimiter:
    """A counter of calls that enforces the limits. `minute` is the length of a tier's minute in seconds."""

    def __init__(
        self, *, enabled: bool = True, minute: float = MINUTE, clock: Callable[[], float] = monotonic
    ) -> None:
        self.enabled = enabled
        self._minute = minute
        self._clock = clock
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._free_at: defaultdict[tuple[str, str], float] = defaultdict(float)

    def count_call(self, team: str, method: str, per_minute: int) -> int:
        """Count a call of a method with a tier. Return the seconds to wait, 0 if the call is allowed.

        A rejected call is not counted.
        """
        if not self.enabled:
            return 0
        now = self._clock()
        calls = self._calls[team, method]
        while calls and calls[0] <= now - self._minute:
            calls.popleft()
        if len(calls) >= per_minute:
            return max(1, math.ceil(calls[0] + self._minute - now))
        calls.append(now)
        return 0

    def count_post(self, team: str, channel: str) -> int:
        """Count a message to a channel. Return the seconds to wait, 0 if the message is allowed."""
        if not self.enabled:
            return 0
        now = self._clock()
        free_at = max(self._free_at[team, channel], now)
        early = free_at - now - (POST_BURST - 1) * POST_INTERVAL
        if early > 1e-9:
            return max(1, math.ceil(early))
        self._free_at[team, channel] = free_at + POST_INTERVAL
        return 0
