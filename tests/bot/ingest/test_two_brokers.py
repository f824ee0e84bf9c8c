"""One notice by two brokers: SCiMMA's Avro and GCN's JSON are the same notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app.factory import Factory
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.samples import bns, to_avro, to_json
from bot.sources.base import Origin
from tests.support.factories import NOW, Clock, create_pipeline, subscribe

HOPSKOTCH, GCN = (
    Origin("hopskotch", "igwn.gwalert[0]@1", live=True),
    Origin("gcn", "igwn.gwalert[0]@7", live=True),
)


@pytest.fixture
def way_in(factory: Factory, clock: Clock) -> Pipeline:
    return create_pipeline(factory, clock)


@pytest.mark.slow
@pytest.mark.parametrize("first", [HOPSKOTCH, GCN], ids=lambda origin: str(origin.source))
async def test_whichever_comes_first_is_posted_and_the_other_is_the_same(
    factory: Factory, way_in: Pipeline, first: Origin
) -> None:
    await subscribe(factory, "CBC", "C1")
    for record in bns(NOW):
        bodies = {HOPSKOTCH: to_avro(record), GCN: to_json(record)}
        second = GCN if first is HOPSKOTCH else HOPSKOTCH
        assert await way_in.handle(bodies[first], first) is IngestResult.STORED
        assert await way_in.handle(bodies[second], second) is IngestResult.DUPLICATE
    counts = await factory.outbox_statistics.counts()
    assert counts.quarantined == 0


async def test_published_avro_and_json_notices_are_duplicates(way_in: Pipeline, shared_notices: Path) -> None:
    for stage in ("preliminary", "ext-update", "retraction"):
        files = [shared_notices / "official" / f"MS181101ab-{stage}.{form}" for form in ("avro", "json")]
        avro, json = (file.read_bytes() for file in files)
        assert await way_in.handle(avro, HOPSKOTCH) is IngestResult.STORED
        assert await way_in.handle(json, GCN) is IngestResult.DUPLICATE
