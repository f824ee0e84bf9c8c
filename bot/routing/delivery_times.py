"""Time limits of deliveries: how long each waits, and when it is too old. No setting changes them."""

from __future__ import annotations

from datetime import timedelta

IMAGE_WAIT = timedelta(seconds=10)
"""How long an edit waits for the image of the new sky map, so that one edit shows both."""
COALESCE_FOR = timedelta(seconds=5)
"""Time from the first message that changes a Follow-up reply to its edit."""
COALESCE_CANDIDATES_FOR = timedelta(seconds=60)
"""The same for BOOM's and HERMES' messages: hundreds a night, in each channel of a workspace, must not use up
the 50 edits a minute that Slack allows it, since roots are edited too, and retracted so."""
REPOST_INTERVAL = timedelta(seconds=60)
"""Least time between two posts of a Follow-up reply, where Slack refuses its edits."""
MIN_POST_INTERVAL = timedelta(seconds=30)
"""The least time between two posts about changes in one channel."""
CHANGES_KEPT_FOR = timedelta(days=400)
"""How long a change of a channel is kept: more than a year."""
REQUEUE_MAX_AGE = timedelta(hours=24)
"""Age from which deliveries that were given up with their channel aren't posted when it comes back."""
MAYBE_POSTED_MAX_AGE = timedelta(hours=24)
"""How long after its creation a root that may have been posted is looked for in the channel's history.

After that its news is old, and the next notice opens a new root message.
"""
DRILL_CLOSES_AFTER = timedelta(minutes=15)
"""Time after its last step at which a drill ends, if nobody has pressed "I have it"."""
