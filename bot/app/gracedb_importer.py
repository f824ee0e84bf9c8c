"""Creates the importer of GraceDB's events from the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.repositories import Repositories
from bot.gracedb.client import GraceDb
from bot.gracedb.importer import SupereventImporter
from bot.ingest.pipeline import IngestRules, Pipeline
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings


def create_gracedb_importer(
    settings: Settings,
    repositories: Repositories,
    clock: Callable[[], datetime],
    *,
    pace_s: float = 0.0,
    shared_with: SupereventImporter | None = None,
) -> SupereventImporter | None:
    """Create the importer of GraceDB's events, which the caller closes; None if the settings switch it off.

    Requests are at least `pace_s` seconds apart; none is made for an event that `shared_with` is importing.
    """
    if settings.gracedb_url is None:
        return None
    # No worker is woken: an imported event causes no delivery and no image.
    pipeline = Pipeline(repositories.ingest_stores, clock, Wakeups(), IngestRules(max_age=settings.max_age))
    gracedb = GraceDb(settings.gracedb_url, pace_s=pace_s)
    return SupereventImporter(gracedb, pipeline, repositories.gracedb_lookups, clock, shared_with=shared_with)
