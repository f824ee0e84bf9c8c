"""Choose which due deliveries one claim takes: order, limits and fairness, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.routing.intents import ChannelRef
from bot.store.outbox.models import Priority

ROUND_ROBIN_EVERY = 10
"""Of this many places, one is given to the channels in turn, whatever their deliveries are."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that may be next in its channel."""

    id: int
    team_id: str
    channel_id: str
    is_edit: bool
    mock: bool
    priority: int
    event_order: int

    @property
    def channel(self) -> ChannelRef:
        """The channel that the delivery is for."""
        return (self.team_id, self.channel_id)

    @property
    def sort_key(self) -> tuple[bool, int, int, int]:
        """The key by which deliveries are ordered; the smallest is sent first."""
        return (self.mock, self.priority, self.event_order, self.id)

    @property
    def is_urgent(self) -> bool:
        """True if the delivery may take one of the places that are reserved for urgent ones."""
        return not self.mock and self.priority <= Priority.ANSWER

    @property
    def is_urgent_edit(self) -> bool:
        """True for an edit about a real event that goes before other edits: a retraction, "I have it"."""
        return self.is_edit and not self.mock and self.priority < Priority.EDIT


class FairShare:
    """The state of the round robin between channels, used when more is due than one claim may take."""

    def __init__(self) -> None:
        self.last_channel: ChannelRef = ("", "")
        """The channel that was given the most recent turn."""
        self.placed_by_order = 0
        """Number of places given by order alone that no turns have made up for yet."""

    def record_turns(self, chosen: Sequence[Candidate], in_turn: int, limit: int) -> None:
        """Record a claim's choice, of which the first `in_turn` candidates were chosen by turn."""
        if len(chosen) < limit:
            # Every channel that could send does, so nobody is owed a turn.
            self.placed_by_order = 0
            return
        if in_turn:
            self.last_channel = chosen[in_turn - 1].channel
        self.placed_by_order = max(
            0, self.placed_by_order + len(chosen) - in_turn - in_turn * ROUND_ROBIN_EVERY
        )


def unlimited_edits(_team_id: str, _is_urgent: bool) -> int:
    """Return a quota of edits that no claim reaches."""
    return 1_000_000


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """The limits of one claim."""

    limit: int
    busy_channels: Container[ChannelRef]
    """Channels for which nothing is claimed; (team, "*") stands for a whole workspace."""
    edit_quota: Callable[[str, bool], int]
    """Returns how many edits may be claimed for a workspace (team id): up to which number an urgent one may
    be among them (True), or another one (False)."""
    non_urgent_limit: int
    """Number of deliveries that are not urgent that may be claimed."""


def choose_candidates(
    candidates: Collection[Candidate], request: ClaimRequest, fair_share: FairShare
) -> tuple[list[Candidate], int]:
    """Choose deliveries among the candidates of all channels.

    Return the choice, and how many of its first entries were chosen by turn instead of by order.
    """
    places = min(-(-request.limit // 2), fair_share.placed_by_order // ROUND_ROBIN_EVERY)
    chosen: list[Candidate] = []
    if places:
        in_turn = sorted(
            candidates, key=lambda c: (c.channel <= fair_share.last_channel, c.channel, c.sort_key)
        )
        chosen = select_within_limits(in_turn, replace(request, limit=places))
    by_order = sorted(candidates, key=lambda c: c.sort_key)
    return select_within_limits(by_order, request, chosen), len(chosen)


def select_within_limits(
    candidates: Iterable[Candidate], request: ClaimRequest, chosen: Sequence[Candidate] = ()
) -> list[Candidate]:
    """Return `chosen` and the first candidates that the limits still allow, at most one for each channel."""
    taken = list(chosen)
    seen = {one.channel for one in taken}
    non_urgent_left = request.non_urgent_limit - sum(not one.is_urgent for one in taken)
    edits = Counter(one.team_id for one in taken if one.is_edit)
    for one in candidates:
        if len(taken) >= request.limit:
            break
        if (
            one.channel in seen
            or one.channel in request.busy_channels
            or not (one.is_urgent or non_urgent_left > 0)
        ):
            continue
        if one.is_edit and edits[one.team_id] >= request.edit_quota(one.team_id, one.is_urgent_edit):
            continue
        edits[one.team_id] += one.is_edit
        non_urgent_left -= not one.is_urgent
        seen.add(one.channel)
        taken.append(one)
    return taken
