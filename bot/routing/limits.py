"""Limits of routing that no setting changes."""

from __future__ import annotations

from datetime import timedelta

INCIDENT_RESOLVED_AFTER = timedelta(seconds=40)
"""An incident that was not seen for this long is over: one that comes and goes stays one incident."""
INCIDENT_ANNOUNCED_WITHIN = timedelta(hours=24)
"""An incident that was seen last before this is not announced any more."""
