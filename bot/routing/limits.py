"""Limits of routing that no setting changes."""

from __future__ import annotations

from datetime import timedelta

EARLIER_CIRCULARS_MAX = 5
"""Circulars linked in a new thread that came before it: an event may have a hundred."""
EARLIER_CIRCULARS_MAX_AGE = timedelta(hours=24)
"""Older circulars are not linked in a thread that is opened after they came."""
INCIDENT_RESOLVED_AFTER = timedelta(seconds=40)
"""An incident that was not seen for this long is over: one that comes and goes stays one incident."""
INCIDENT_ANNOUNCED_WITHIN = timedelta(hours=24)
"""An incident that was seen last before this is not announced any more."""
