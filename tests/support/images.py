"""The ten synthetic sky maps whose images are inspected after every change of the drawing code."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from bot import samples
from bot.alerts.decode import notice_from_record
from formatters.models.superevent import Superevent

WHEN = datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC)
REAL, MOCK = "S261120a", "MS261120a"

Lobes = tuple[tuple[float, float, float, float], ...]

SKIES: dict[str, Lobes] = {
    "a tile": (samples.Lobe(200, -30, 1, 0.08),),
    "one detector": (samples.Lobe(290, 30, 1, 35), samples.Lobe(110, -30, 1, 35)),
    "across RA 0 h": samples.streak(1, 20, bearing=60, length=8, width=1.5),
    "the north pole": (samples.Lobe(100, 88, 1, 2.0),),
    "the south pole": samples.streak(250, -87, bearing=20, length=6, width=1.0),
    "a burst": samples.streak(359, -32, bearing=5, length=6, width=1.5),
    "combined": samples.ring(80, 20, radius=70, width=3, brightest=40),
    "a mock": samples.streak(195, -20, bearing=160, length=5, width=0.6),
    "several lobes": (
        samples.Lobe(40, 30, 0.6, 1.5),
        samples.Lobe(200, -40, 0.3, 3),
        samples.Lobe(300, 60, 0.1, 5),
    ),
    "a ring": samples.ring(80, 20, radius=70, width=3, brightest=40),
}
SWIFT: Lobes = (samples.Lobe(125, 70, 1, 8.0),)


class Sample(NamedTuple):
    """A superevent with one notice, and the notice's sky maps."""

    superevent: Superevent
    gw_map: bytes
    combined_map: bytes | None


@cache
def sample(kind: str) -> Sample:
    """Return the sample of one of SKIES."""
    identity = MOCK if kind == "a mock" else REAL
    burst = kind == "a burst"
    instruments = ("L1",) if kind == "one detector" else ("H1", "L1", "V1")

    def fits(times: Lobes | None = None) -> bytes:
        return samples.sky_map(
            SKIES[kind],
            superevent_id=identity,
            time=WHEN,
            instruments=instruments,
            distance=None if burst else (120.0, 30.0),
            external_sky=times,
            external_observatory=None if times is None else "Swift",
        )

    gw_map = fits()
    combined = fits(SWIFT) if kind == "combined" else None
    record = samples.notice(
        identity,
        "PRELIMINARY",
        WHEN,
        event=samples.event(
            WHEN,
            far=1e-9,
            instruments=instruments,
            skymap=gw_map,
            group="Burst" if burst else "CBC",
            pipeline="cwb" if burst else "gstlal",
            classification={} if burst else {"BNS": 0.97, "Terrestrial": 0.03},
        ),
        external_coinc=None
        if combined is None
        else samples.coincidence(
            observatory="Swift",
            search="SubGRBTargeted",
            gcn_notice_id=1,
            ivorn="ivo://nasa.gsfc.gcn/Swift#1",
            time_difference=0.25,
            time_coincidence_far=1e-10,
            time_sky_position_coincidence_far=1e-10,
            combined_skymap=combined,
        ),
    )
    return Sample(Superevent.from_notices([notice_from_record(record)]), gw_map, combined)
