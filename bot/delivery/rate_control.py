"""Keep to Slack's rate limits: pauses of channels, of workspaces, and of edits.

Slack takes about one post per second and channel, and answers 429 with Retry-After beyond that. All other
limits count "per API method per workspace/team per app" (https://docs.slack.dev/apis/web-api/rate-limits).
`chat.update` has tier 3, some 50 calls a minute, whatever the channel: its 429 pauses all edits of the
workspace, and no post. All pauses live in memory: a delivery that was refused also carries its own
`not_before` in the outbox.

After a pause of edits Slack may take only few: which of ten that begin together it takes is chance. Therefore
they begin one by one, in the order of the queue, and each that is made allows one more at once. Urgent edits
(a retraction, "I have it") wait for no others in flight.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Container, Mapping

from bot.routing.intents import ChannelRef
from bot.store.outbox.models import Delivery

CHANNEL_PAUSE_S = 1.0
"""Pause of a channel after each post: Slack's own pace."""
MAX_EDITS_PER_WORKSPACE = 10
"""Edits in flight in one workspace: their limit is low, and an urgent edit must not find it used up."""
EXTRA_URGENT_EDITS = 2
"""Urgent edits that may begin while as many others as may are in flight, since those may hang."""
WORKSPACE_LIMIT_WINDOW_S = 1.0
"""Two channels that are refused within this time mean that the limit is the workspace's."""
_WHOLE_WORKSPACE = "*"


class RateControl:
    """Records what Slack's limits allow; times are those of the running event loop."""

    def __init__(self, channel_pause_s: float = CHANNEL_PAUSE_S) -> None:
        self._channel_pause_s = channel_pause_s
        self._paused_until: dict[ChannelRef, float] = {}
        self._edits_paused_until: dict[str, float] = {}
        self._edits_in_flight: Counter[str] = Counter()
        self._edits_at_once: dict[str, int] = {}
        """Team id -> edits in flight that a workspace is given after a pause; absent once it has them all."""
        self._last_rate_limit: dict[str, tuple[str, float]] = {}
        """Team id -> the channel that was refused last, and when."""

    def record_post(self, channel: ChannelRef) -> None:
        """Pause a channel in which a message was just posted."""
        self._pause(channel, self._channel_pause_s)

    def record_rate_limit(self, delivery: Delivery, retry_after_s: float) -> None:
        """Pause what Slack's 429 is about: the workspace's edits, the channel, or the whole workspace."""
        now = asyncio.get_running_loop().time()
        if delivery.is_edit:
            # A shorter wait, which another answer named, would let others go before who waits for this one.
            until = self._edits_paused_until.get(delivery.team_id, 0.0)
            self._edits_paused_until[delivery.team_id] = max(until, now + retry_after_s)
            self._edits_at_once[delivery.team_id] = 1
            return
        channel, refused_at = self._last_rate_limit.get(delivery.team_id, (delivery.channel_id, 0.0))
        self._last_rate_limit[delivery.team_id] = (delivery.channel_id, now)
        if channel != delivery.channel_id and now - refused_at < WORKSPACE_LIMIT_WINDOW_S:
            self.pause_workspace(delivery.team_id, retry_after_s)
        else:
            self._pause((delivery.team_id, delivery.channel_id), retry_after_s)

    def pause_workspace(self, team_id: str, seconds: float) -> None:
        """Pause all channels of a workspace."""
        self._pause((team_id, _WHOLE_WORKSPACE), seconds)

    def begin_edit(self, team_id: str) -> None:
        """Count an edit that was claimed."""
        self._edits_in_flight[team_id] += 1

    def end_edit(self, team_id: str) -> None:
        """Count an edit that ended."""
        self._edits_in_flight[team_id] -= 1

    def record_edit(self, team_id: str) -> None:
        """Record that Slack made an edit: after a pause, one more may be in flight."""
        at_once = self._edits_at_once.get(team_id)
        if at_once is None or self._are_edits_paused(team_id):
            return
        if at_once + 1 < MAX_EDITS_PER_WORKSPACE:
            self._edits_at_once[team_id] = at_once + 1
        else:
            del self._edits_at_once[team_id]

    def free_edit_slots(self, team_id: str, is_urgent: bool) -> int:
        """Return how many edits of a workspace may be claimed now, urgent ones or others."""
        if self._are_edits_paused(team_id):
            return 0
        if is_urgent:
            at_once = MAX_EDITS_PER_WORKSPACE + EXTRA_URGENT_EDITS
        else:
            at_once = self._edits_at_once.get(team_id, MAX_EDITS_PER_WORKSPACE)
        return at_once - self._edits_in_flight[team_id]

    def _are_edits_paused(self, team_id: str) -> bool:
        return self._edits_paused_until.get(team_id, 0.0) > asyncio.get_running_loop().time()

    def drop_ended_pauses(self) -> None:
        """Forget the pauses of channels and workspaces that are over."""
        now = asyncio.get_running_loop().time()
        self._paused_until = {ref: until for ref, until in self._paused_until.items() if until > now}

    def seconds_to_next_end(self) -> float | None:
        """Return the seconds until the first pause ends; None if there is none."""
        now = asyncio.get_running_loop().time()
        pauses = [*self._paused_until.values(), *self._edits_paused_until.values()]
        return min((until - now for until in pauses if until > now), default=None)

    def is_paused(self, channel: ChannelRef) -> bool:
        """Return whether a channel or its workspace is paused, as of the last `drop_ended_pauses`."""
        return channel in self._paused_until or (channel[0], _WHOLE_WORKSPACE) in self._paused_until

    def _pause(self, ref: ChannelRef, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        self._paused_until[ref] = max(until, self._paused_until.get(ref, 0.0))


class BusyChannels:
    """The channels that nothing may be claimed for: paused, in flight, or of a workspace without a client."""

    def __init__(
        self, clients: Container[str], in_flight: Mapping[ChannelRef, object], rate_control: RateControl
    ) -> None:
        """`in_flight` holds at most one delivery for each channel; `clients` the workspaces with a client."""
        self._clients = clients
        self._in_flight = in_flight
        self._rate_control = rate_control

    def __contains__(self, channel: object) -> bool:
        """Return whether a (team, channel) is busy; the channel "*" asks for the whole workspace."""
        assert isinstance(channel, tuple)
        return (
            channel[0] not in self._clients
            or channel in self._in_flight
            or self._rate_control.is_paused(channel)
        )
