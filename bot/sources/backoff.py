"""How long a reader waits before it tries its broker again."""

from __future__ import annotations


def backoff_delay(failures: int, first_s: float, max_s: float, jitter: float) -> float:
    """Return the seconds to wait after so many failures in a row (1 or more), doubling up to `longest`.

    Between half of it and all of it, as `jitter` (0 to 1) says: it keeps many readers from coming back at
    once.
    """
    whole = min(max_s, first_s * 2.0 ** min(failures - 1, 30))
    return whole * (1.0 - 0.5 * jitter)
