"""Plans of pointings: which map, for how long they are kept, and what is said where there is none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.observing.footprints import parse_footprint
from bot.observing.next_chance import nothing_to_observe
from bot.observing.observatories import find_site
from bot.observing.pointing_planner import plan_pointings
from bot.runtime.threads import ThreadHangs
from bot.samples import bbh, to_avro
from bot.skymap_service import pointings
from bot.skymap_service.pointings import PlanTakesTooLong, PointingService
from bot.skymaps.skymap import SkyMap
from formatters.models.event_plan import EventPlan, NothingReason, PlanRequest
from formatters.models.observing import ObservingConstraints, Site
from formatters.models.pointing import Telescope
from formatters.models.superevent import Superevent
from tests.support.factories import NOW, planner

PARANAL = find_site("Paranal")


def request_at(site: Site = PARANAL, altitude: float = 30, **changes: object) -> PlanRequest:
    telescope = Telescope(
        site=site.name,
        footprint=parse_footprint("3.5deg circle"),
        exposure=timedelta(minutes=3),
        overhead=timedelta(minutes=1),
    )
    constraints = ObservingConstraints(altitude=altitude)
    return replace(
        PlanRequest(site=site, telescope=telescope, constraints=constraints, count=3),
        **changes,  # type: ignore[arg-type]
    )


@pytest.fixture
async def superevent(factory: Factory) -> Superevent:
    """Binary black holes with two maps, around RA 132°, Dec −13°."""
    for body in map(to_avro, bbh(NOW)):
        notice = replace(decode(body), received=NOW)
        await factory.notices.record(notice, body, "hopskotch:1", NOW, planner(NOW))
    found = await factory.notices.superevent(notice.superevent_id)
    assert found is not None
    return found


@pytest.fixture
def service(factory: Factory) -> PointingService:
    return PointingService(factory.position_levels)


async def best_map(factory: Factory, superevent: Superevent) -> SkyMap:
    newest = await factory.position_levels.newest_map(superevent)
    assert newest is not None
    return newest.skymap


async def plan(
    service: PointingService, superevent: Superevent, now: datetime, request: PlanRequest | None = None
) -> EventPlan:
    made = await service.plan(superevent, request or request_at(), now)
    assert made is not None
    return made


async def test_a_plan_that_lies_ahead_is_kept_until_it_begins(
    service: PointingService, superevent: Superevent
) -> None:
    # By day at Paranal; the night begins at about half past midnight UTC.
    first = await plan(service, superevent, NOW)
    assert first.plan.begin > NOW + timedelta(hours=10)
    assert await plan(service, superevent, first.plan.begin) is first
    later = await plan(service, superevent, first.plan.begin + timedelta(hours=3))
    assert later is not first and later.plan.begin == first.plan.begin + timedelta(hours=3)


async def test_a_plan_that_has_begun_is_kept_for_a_minute_and_for_an_export_longer(
    service: PointingService, superevent: Superevent
) -> None:
    night = NOW + timedelta(hours=18)
    first = await plan(service, superevent, night)
    assert await plan(service, superevent, night + timedelta(seconds=50)) is first
    exported = await service.plan(
        superevent, request_at(), night + timedelta(minutes=5), timedelta(minutes=15)
    )
    assert exported is first
    assert await plan(service, superevent, night + timedelta(minutes=5)) is not first


async def test_another_request_is_another_plan(service: PointingService, superevent: Superevent) -> None:
    first = await plan(service, superevent, NOW)
    assert await plan(service, superevent, NOW, request_at(count=2)) is not first
    assert await plan(service, superevent, NOW, request_at(altitude=31)) is not first


async def test_several_who_ask_at_once_get_one_plan(
    service: PointingService, superevent: Superevent, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0

    def counted(*arguments: object, **keywords: object) -> object:
        nonlocal made
        made += 1
        return plan_pointings(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr("bot.skymap_service.pointings.plan_pointings", counted)
    plans = await asyncio.gather(*(plan(service, superevent, NOW) for _ in range(5)))
    assert made == 1 and all(one is plans[0] for one in plans)


async def test_a_hanging_computation_is_told_and_keeps_nothing(
    service: PointingService, superevent: Superevent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> EventPlan:
        raise ThreadHangs("")

    with monkeypatch.context() as patched:
        patched.setattr(pointings, "run_in_thread", hang)
        with pytest.raises(PlanTakesTooLong):
            await plan(service, superevent, NOW)
    assert (await plan(service, superevent, NOW)).plan.pointings


@pytest.mark.parametrize(
    ("site", "altitude", "reason"),
    [
        (Site(name="Far north", latitude=82.0, longitude=20.0, height=0), 30.0, NothingReason.NEVER_RISES),
        (
            Site(name="Far south", latitude=-80.0, longitude=20.0, height=0),
            20.0,
            NothingReason.NO_DARKNESS,
        ),
        (find_site("Palomar"), 10.0, NothingReason.TOO_LOW),
    ],
)
async def test_why_nothing_can_be_observed_and_when_next(
    factory: Factory, superevent: Superevent, site: Site, altitude: float, reason: NothingReason
) -> None:
    skymap = await best_map(factory, superevent)
    # In July the map is near the Sun; in November it is always day near the south pole.
    now = datetime(2026, 7, 22, 11, 30, tzinfo=UTC) if reason is NothingReason.TOO_LOW else NOW
    request = request_at(site, altitude)
    made = plan_pointings(skymap, site, request.telescope, request.constraints, now, count=3)
    assert not made.pointings
    found = nothing_to_observe(skymap, request, made)
    assert found.reason is reason
    assert (found.next_start is None) is (reason is NothingReason.NEVER_RISES)
    if found.next_start is not None:
        # The map's tiles are sampled there, so the limit of 1 % is met to some tenths of a percent.
        then = plan_pointings(
            skymap,
            site,
            request.telescope,
            request.constraints,
            found.next_start,
            duration=timedelta(hours=1),
        )
        before = plan_pointings(
            skymap,
            site,
            request.telescope,
            request.constraints,
            found.next_start - timedelta(days=2),
            duration=timedelta(hours=1),
        )
        assert then.observable > 0.008 and before.observable < 0.02
