"""Formula-made events with the ids that people type in `tests/bot/commands/typed_questions.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.samples import Record, coincidence, event, notice, ring, sky_map, streak, to_avro
from tests.support.factories import NOW, planner

BNS = {"BNS": 0.97, "NSBH": 0.01, "BBH": 0.0, "Terrestrial": 0.02}
NSBH = {"BNS": 0.0, "NSBH": 0.86, "BBH": 0.04, "Terrestrial": 0.1}
BBH = {"BNS": 0.0, "NSBH": 0.01, "BBH": 0.98, "Terrestrial": 0.01}
NS = {"HasNS": 1.0, "HasRemnant": 1.0, "HasMassGap": 0.0}
GAP = {"HasNS": 1.0, "HasRemnant": 0.0, "HasMassGap": 0.6}
HOLES = {"HasNS": 0.0, "HasRemnant": 0.0, "HasMassGap": 0.0}
Sky = Sequence[tuple[float, float, float, float]]


def _map(name: str, time: datetime, sky: Sky, distance: tuple[float, float] | None, **more: Any) -> bytes:
    return sky_map(sky, superevent_id=name, time=time, distance=distance, rounds=5, **more)


def _notices(
    name: str,
    time: datetime,
    stages: Sequence[str],
    facts: Record | None,
    external: Record | None = None,
) -> list[Record]:
    return [
        notice(
            name,
            stage,
            time + timedelta(minutes=3 + 60 * number),
            event=None if stage == "RETRACTION" else facts,
            external_coinc=None if stage == "RETRACTION" else external,
        )
        for number, stage in enumerate(stages)
    ]


@cache
def question_payloads() -> tuple[bytes, ...]:
    """Return the payloads of all notices, oldest event first."""
    made: list[Record] = []

    def add(
        name: str,
        time: datetime,
        sky: Sky,
        distance: tuple[float, float] | None,
        stages: Sequence[str] = ("PRELIMINARY",),
        grb: tuple[str, Sky] | None = None,
        **facts: Any,
    ) -> None:
        external = None
        if grb is not None:
            observatory, gamma = grb
            external = coincidence(
                observatory=observatory,
                search="GRB",
                gcn_notice_id=524666471,
                ivorn="ivo://x/y",
                time_difference=1.7,
                time_coincidence_far=2e-6,
                time_sky_position_coincidence_far=1.5e-6,
                combined_skymap=_map(
                    name, time, sky, distance, external_sky=gamma, external_observatory=observatory
                ),
            )
        usual: dict[str, Any] = {"far": 1e-10, "classification": BNS, "properties": NS}
        made.extend(
            _notices(
                name,
                time,
                stages,
                event(time, skymap=_map(name, time, sky, distance), **(usual | facts)),
                external,
            )
        )

    ngc_4993 = streak(197.45, -23.38, bearing=150, length=9, width=2)
    add(
        "S180628f",
        _utc(2018, 6, 28, 6),
        streak(194.3042, -17.8569, bearing=150, length=9, width=2),
        (40.0, 8.0),
    )
    add("S190425z", _utc(2019, 4, 25, 8), ngc_4993, (156.0, 41.0), ("PRELIMINARY", "INITIAL"))
    add(
        "S230518h",
        _utc(2023, 5, 18, 12, 59, 8),
        streak(95.7, -10.96, bearing=20, length=14, width=4),
        (204.0, 57.0),
        ("PRELIMINARY", "INITIAL", "UPDATE"),
        classification=NSBH,
        properties=GAP,
        far=3.2e-10,
    )
    add(
        "S230522a",
        _utc(2023, 5, 22, 9),
        ring(20, 70, radius=40, width=5, brightest=10),
        None,
        group="Burst",
        search="AllSky",
        pipeline="CWB",
        classification={},
        properties={},
        duration=0.02,
        central_frequency=700.0,
    )
    add(
        "S240110c",
        _utc(2024, 1, 10, 3),
        ring(50, 10, radius=40, width=6, brightest=90),
        (300.0, 90.0),
        significant=False,
        far=3e-6,
        classification={"BNS": 0.3, "NSBH": 0.0, "BBH": 0.0, "Terrestrial": 0.7},
    )
    add(
        "S241125n",
        _utc(2024, 11, 25, 1),
        streak(60, 20, bearing=80, length=20, width=6),
        (4200.0, 900.0),
        ("PRELIMINARY", "INITIAL", "UPDATE"),
        ("Swift", [(70, 22, 1.0, 6.0)]),
        classification=BBH,
        properties=HOLES,
        pipeline="pycbc",
    )
    add(
        "S241126dm",
        _utc(2024, 11, 26, 5),
        streak(10, 20, bearing=80, length=20, width=6),
        (900.0, 200.0),
        ("PRELIMINARY", "RETRACTION"),
        far=1e-8,
    )
    add(
        "S250720j",
        _utc(2025, 7, 20, 2),
        streak(225.9, -53.5, bearing=30, length=18, width=5),
        (76.0, 20.0),
        ("PRELIMINARY",),
        ("Fermi", [(230, -50, 1.0, 6.0)]),
        far=2e-6,
    )
    add(
        "S251015b",
        _utc(2025, 10, 15, 7),
        ring(50, 10, radius=40, width=8, brightest=90),
        (120.0, 40.0),
        ("EARLYWARNING",),
        search="EarlyWarning",
    )
    add(
        "S251112cm",
        _utc(2025, 11, 12, 15),
        streak(40, 20, bearing=10, length=20, width=6),
        (93.0, 27.0),
        pipeline="MBTA",
        search="SSM",
        classification={},
        properties={"HasNS": 1.0, "HasMassGap": 0.0, "HasSSM": 0.99},
    )
    add("MS260605l", _utc(2026, 6, 5, 4), streak(110, 30, bearing=10, length=12, width=4), (60.0, 15.0))
    add("S261120c", _utc(2026, 11, 20, 4), streak(150, 30, bearing=10, length=12, width=4), (160.0, 35.0))
    return tuple(map(to_avro, made))


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


async def store_question_events(factory: Factory) -> None:
    """Store all notices as if they had come from a live broker long ago; nothing is posted."""
    for body in question_payloads():
        found = replace(decode(body), received=NOW)
        await factory.notices.record(found, body, "test:1", NOW, planner(NOW))
