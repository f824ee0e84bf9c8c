"""What is stored of an answer: read back as it was, and refused in one sentence where it can't be."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta

import pytest
from sqlalchemy import insert

from bot.app.factory import Factory
from bot.store import schema
from bot.store.events.treasure_map_content import ReportedPointings, from_bytes, to_bytes
from formatters.models.observation import ObservationStatus, ObservedField
from formatters.models.treasure_map import ReportedObservation
from tests.support.clock import NOW

FIELDS = tuple(
    ObservedField(ra=float(n % 360), dec=float(-n % 90), time=NOW + timedelta(seconds=n), position_angle=12.5)
    for n in range(2_500)
)
POINTINGS = ReportedPointings(
    (
        ReportedObservation(
            instrument_id=47,
            instrument="ZTF é <!here>",
            status=ObservationStatus.DONE,
            status_word="completed",
            band="g",
            depths=(20.0, 21.5),
            depth_unit="ab_mag",
            fields=FIELDS,
        ),
        ReportedObservation(
            instrument_id=-1,
            instrument="instrument unknown",
            status=None,
            status_word="",
            fields=(ObservedField(ra=0.0, dec=0.0),),
        ),
        ReportedObservation(instrument_id=1, instrument="x", status=None, status_word="paused"),
    ),
    left_out=3,
)


@pytest.mark.parametrize("pointings", [POINTINGS, ReportedPointings(), ReportedPointings(left_out=9)])
def test_pointings_are_read_back_as_they_were(pointings: ReportedPointings) -> None:
    content = to_bytes(pointings)
    assert from_bytes(content) == pointings and to_bytes(from_bytes(content)) == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no deflate",
        zlib.compress(b""),
        zlib.compress(b"[]"),
        zlib.compress(b'{"left_out": 0}\n{"instrument": 5}'),
        zlib.compress(json.dumps({"left_out": 0}).encode() + b"\n" + b'{"lines": 2}\n[]'),
        to_bytes(POINTINGS)[:-20],
        zlib.compress(zlib.decompress(to_bytes(POINTINGS))[:-5]),
        zlib.compress(
            zlib.decompress(to_bytes(POINTINGS)).replace(b'"completed"', b'"x"', 2).replace(b"c", b"C")
        ),
    ],
)
async def test_what_a_later_version_or_nobody_wrote_is_a_reading_without_pointings(
    factory: Factory, content: bytes
) -> None:
    with pytest.raises(ValueError):
        from_bytes(content)
    row = {"superevent_id": "S1", "failures": 0, "read_at": NOW, "problem": "Why.", "content": content}
    async with factory.database.independent_transaction() as connection:
        await connection.execute(insert(schema.treasure_map_events).values(row))
    known = await factory.treasure_map.pointings("S1")
    assert (known.observations, known.read_at, known.problem) == ((), None, "Why.")
