"""Plans of pointings on the newest sky map of an event, made off the event loop and kept for a while."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from cachetools import LRUCache

from bot.observing.next_chance import nothing_to_observe
from bot.observing.pointing_planner import plan_pointings
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.position_levels import EventMap, PositionLevels
from formatters.models.event_plan import EventPlan, PlanRequest
from formatters.models.notice import NoticeKey
from formatters.models.superevent import Superevent

PLANS_KEPT = 32
MAX_AGE = timedelta(minutes=1)
"""Age from which a plan that has begun is made again: its first field would be over."""

_Key = tuple[NoticeKey, bool, PlanRequest]


class PlanTakesTooLong(RuntimeError):
    """The plan couldn't be made in the time that a computation has."""


class PointingService:
    """Plans pointings. The map is the newest that can be read, combined with an external event if it is.

    A plan that lies ahead (of the coming night, asked for by day) is kept until it begins; one that has
    begun for `MAX_AGE`, or for as long as the caller says.
    """

    def __init__(self, levels: PositionLevels) -> None:
        self._levels = levels
        self._plans: LRUCache[_Key, EventPlan] = LRUCache(PLANS_KEPT)
        # Each takes both cores for up to two seconds: several at a time would take them from the posts.
        self._lock = asyncio.Lock()

    async def plan(
        self, superevent: Superevent, request: PlanRequest, now: datetime, max_age: timedelta = MAX_AGE
    ) -> EventPlan | None:
        """Return the plan from `now` (aware) on; None if no map of the event can be read.

        Raises PlanTakesTooLong, StoreUnavailable.
        """
        map_ = await self._levels.newest_map(superevent)
        if map_ is None:
            return None
        key = (map_.notice.key, map_.is_combined, request)
        async with self._lock:
            kept = self._plans.get(key)
            if kept is not None and _still_holds(kept, now, max_age):
                return kept
            try:
                made = await run_in_thread(_make_plan, map_, request, now.astimezone(UTC))
            except ThreadHangs as error:
                raise PlanTakesTooLong(str(error)) from error
            self._plans[key] = made
            return made


def _still_holds(kept: EventPlan, now: datetime, max_age: timedelta) -> bool:
    """Return whether a plan made before is the one that would be made now, but for `max_age`."""
    if now < kept.planned_at:
        return False
    has_not_begun = kept.planned_at < kept.plan.begin and now <= kept.plan.begin
    return has_not_begun or now - kept.planned_at <= max_age


def _make_plan(map_: EventMap, request: PlanRequest, now: datetime) -> EventPlan:
    plan = plan_pointings(
        map_.skymap,
        request.site,
        request.telescope,
        request.constraints,
        now,
        count=request.count,
        duration=request.duration,
    )
    return EventPlan(
        request=request,
        plan=plan,
        planned_at=now,
        notice=map_.notice,
        is_combined=map_.is_combined,
        unread=map_.unread,
        nothing=None if plan.pointings else nothing_to_observe(map_.skymap, request, plan),
    )
