"""What was read of the Treasure Map is taken apart once for a fan-out, and never shown out of date."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.app.factory import Factory
from bot.store.events import treasure_map
from bot.store.events.treasure_map import ReportedInstrument
from bot.store.events.treasure_map_content import ReportedPointings, from_bytes
from formatters.models.observation import ObservationStatus, ObservedField
from formatters.models.treasure_map import ReportedObservation, TreasureMapReading
from tests.support.factories import NOW, REAL, decoded_notice, record_notices

pytestmark = pytest.mark.backends("sqlite", "postgresql")

SQUARE = [[(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]]


def reported(instrument: int) -> ReportedObservation:
    return ReportedObservation(
        instrument_id=instrument,
        instrument=f"I{instrument}",
        status=ObservationStatus.DONE,
        status_word="completed",
        fields=(ObservedField(ra=10.0 * instrument, dec=-20.0),),
    )


async def test_a_fan_out_takes_the_pointings_apart_once_and_sees_every_change(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_apart = []

    def counted(content: bytes) -> ReportedPointings:
        taken_apart.append(content)
        return from_bytes(content)

    monkeypatch.setattr(treasure_map, "from_bytes", counted)
    await record_notices(factory, decoded_notice())
    repository = factory.treasure_map

    async def read() -> TreasureMapReading:
        found = await asyncio.gather(*(repository.pointings(REAL) for _ in range(20)))
        found.append(await repository.pointings(REAL))
        assert len(set(map(id, found))) == 1
        return found[0]

    await repository.record(REAL, ReportedPointings(observations=(reported(7),)), NOW, None)
    first = await read()
    assert len(taken_apart) == 1 and [len(one.fields) for one in first.observations] == [1]

    later = NOW + timedelta(minutes=5)
    await repository.record(REAL, ReportedPointings(observations=(reported(7), reported(8))), later, None)
    assert len((await read()).observations) == 2

    await repository.record_instruments([ReportedInstrument(id=7, name="Camera", nickname="C")], later)
    assert (await read()).observations[0].other_names == ("C", "Camera")

    await repository.record_footprint(7, SQUARE, later)
    assert (await read()).observations[0].footprint is not None

    await repository.record_failure(REAL, "It didn't answer.", later, None)
    last = await read()
    assert last.problem == "It didn't answer." and len(last.observations) == 2
    assert len(taken_apart) == 5, "once for each change"
