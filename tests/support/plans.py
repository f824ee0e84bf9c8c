"""Plans of pointings by formula, for the tests of how they are said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from formatters.models.event_plan import EventPlan, PlanRequest
from formatters.models.notice import Notice
from formatters.models.observing import ObservingConstraints, Site
from formatters.models.pointing import Footprint, Pointing, PointingPlan, Telescope

NOW = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
PALOMAR = Site(name="Palomar", latitude=33.356, longitude=-116.863, height=1_706, zone="America/Los_Angeles")


def made_plan(notice: Notice, count: int = 3, site: Site = PALOMAR, **changes: object) -> EventPlan:
    """Return a plan whose n-th field has the share 0.2/n, every 4 minutes from 02:00:30 UTC on."""
    telescope = Telescope(
        site=site.name,
        footprint=Footprint(polygons=(), radius=0.55, area=0.95, words="1.1deg circle"),
        exposure=timedelta(minutes=3),
        overhead=timedelta(minutes=1),
    )
    begin = datetime(2026, 11, 23, 2, 0, 30, tzinfo=UTC)
    pointings = tuple(
        Pointing(
            number=number,
            ra=(359 + number) % 360,
            dec=-10.0 - number / 10,
            start=begin + timedelta(minutes=4 * (number - 1)),
            altitude=45.0,
            share=0.2 / number,
        )
        for number in range(1, count + 1)
    )
    plan = PointingPlan(
        telescope=telescope,
        pointings=pointings,
        covered=sum(one.share for one in pointings),
        observable=0.83,
        begin=begin,
        end=begin + timedelta(hours=10),
    )
    made = EventPlan(
        request=PlanRequest(site=site, telescope=telescope, constraints=ObservingConstraints()),
        plan=plan,
        planned_at=NOW,
        notice=notice,
        is_combined=False,
    )
    return replace(made, **changes)  # type: ignore[arg-type]
