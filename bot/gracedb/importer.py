"""Import superevents that were never received from GraceDB.

Imported notices count as an archive's copies: they are stored and never routed, so nothing is posted.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog

from bot.alerts.payload import MAX_PAYLOAD_BYTES
from bot.gracedb import conversion
from bot.gracedb.client import (
    MAX_FILE_BYTES,
    GraceDb,
    GraceDbBusy,
    GraceDbError,
    SupereventNotPublic,
    UnreadableAnswer,
)
from bot.gracedb.conversion import SupereventFiles, SupereventRecord
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.sources.base import GRACEDB, Origin
from bot.sources.files import why_not_a_notice
from bot.store.events.gracedb_lookups import GraceDbLookups

IMPORT_TIMEOUT_S = 60.0
"""For all requests of one superevent that somebody asked for, and waits for."""
MAX_CONCURRENT_IMPORTS = 2
NOT_PUBLIC_CACHED_S = 60.0
"""Time for which "not public" is answered from the cache; new events become public within minutes."""
FAILURE_CACHED_S = 15.0
"""Time for which any other failure is answered from the cache."""
MAX_NOTICES_BYTES = 64 * 2**20
"""Limit of all notices of one superevent, which are in memory together; ten large ones have 25 MB."""
MAX_CACHED_FAILURES = 1_000
MAX_MAP_BYTES = MAX_PAYLOAD_BYTES * 5 // 8
"""Limit of a sky map, so that it fits in a payload as base64 (4/3 of its size); O4's largest have 3 MB."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class SupereventImporter:
    """Fetches superevents from GraceDB and ingests them, each superevent once at a time."""

    def __init__(
        self,
        gracedb: GraceDb,
        pipeline: Pipeline,
        lookups: GraceDbLookups,
        clock: Callable[[], datetime],
        *,
        shared_with: SupereventImporter | None = None,
    ) -> None:
        """`shared_with` is an importer whose running imports this one joins instead of repeating them."""
        self._gracedb = gracedb
        self._pipeline = pipeline
        self._lookups = lookups
        self._clock = clock
        self._in_flight: dict[str, asyncio.Task[tuple[str, int]]] = (
            {} if shared_with is None else shared_with._in_flight
        )
        self._own_tasks: set[asyncio.Task[tuple[str, int]]] = set()
        self._resolved_ids: dict[str, str] = {}
        self._recent_failures: OrderedDict[str, tuple[float, GraceDbError]] = OrderedDict()
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_IMPORTS)

    async def import_superevent(self, superevent_id: str) -> str:
        """Import a superevent and return its own id, which differs if `superevent_id` is a GW… name.

        A failure is cached for a short time. Raises GraceDbError, StoreUnavailable.
        """
        if superevent_id in self._resolved_ids:
            return self._resolved_ids[superevent_id]
        failed = self._recent_failures.get(superevent_id)
        if failed is not None and failed[0] > time.monotonic():
            raise failed[1].with_traceback(None)
        found, _ = await self._join_or_start(superevent_id, partial(self._fetch_and_ingest, superevent_id))
        if found != superevent_id:
            self._resolved_ids[superevent_id] = found
        return found

    async def import_record(self, entry: SupereventRecord) -> int:
        """Import a superevent whose record is at hand; return the number of notices that were new.

        All notices are fetched before the first one is stored. Raises GraceDbError, StoreUnavailable.
        """

        async def work() -> tuple[str, int]:
            return entry.superevent_id, await self._ingest_all(entry, await self._fetch_payloads(entry))

        _, new = await self._join_or_start(entry.superevent_id, work)
        return new

    async def _join_or_start(
        self, superevent_id: str, work: Callable[[], Coroutine[object, object, tuple[str, int]]]
    ) -> tuple[str, int]:
        running = self._in_flight.get(superevent_id)
        if running is None:
            running = asyncio.create_task(work(), name=f"import {superevent_id}")
            self._in_flight[superevent_id] = running
            self._own_tasks.add(running)
            running.add_done_callback(partial(self._on_done, superevent_id))
        return await asyncio.shield(running)

    def _on_done(self, superevent_id: str, task: asyncio.Task[tuple[str, int]]) -> None:
        self._in_flight.pop(superevent_id, None)
        self._own_tasks.discard(task)
        if not task.cancelled():
            # Retrieved here too, so that asyncio doesn't complain if nobody waits for it any more.
            task.exception()

    async def may_be_outdated(self, superevent_id: str, created: datetime, after: timedelta) -> bool:
        """Return whether the event isn't settled yet, and its last import is longer ago than `after`."""
        looked_up = (await self._lookups.get([superevent_id])).get(superevent_id)
        if looked_up is None:
            return True
        return looked_up - created <= conversion.SETTLED_AFTER and self._clock() - looked_up > after

    @property
    def gracedb(self) -> GraceDb:
        """The client that it uses."""
        return self._gracedb

    async def close(self) -> None:
        """Cancel this importer's running imports, and close its connections."""
        running = list(self._own_tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._gracedb.close()

    async def _fetch_and_ingest(self, superevent_id: str) -> tuple[str, int]:
        try:
            async with asyncio.timeout(IMPORT_TIMEOUT_S), self._slots:
                entry = conversion.parse_superevent(await self._gracedb.superevent(superevent_id))
                payloads = await self._fetch_payloads(entry)
        except TimeoutError:
            error: GraceDbError = GraceDbBusy("GraceDB takes too long; try again.")
        except GraceDbError as failure:
            error = failure
        else:
            return entry.superevent_id, await self._ingest_all(entry, payloads)
        cached_s = NOT_PUBLIC_CACHED_S if isinstance(error, SupereventNotPublic) else FAILURE_CACHED_S
        self._recent_failures[superevent_id] = (time.monotonic() + cached_s, error)
        self._recent_failures.move_to_end(superevent_id)
        while len(self._recent_failures) > MAX_CACHED_FAILURES:
            self._recent_failures.popitem(last=False)
        log.info("gracedb_import_failed", superevent_id=superevent_id, reason=str(error))
        raise error

    async def _ingest_all(self, entry: SupereventRecord, payloads: Sequence[tuple[str, bytes]]) -> int:
        results = [await self._ingest_payload(entry, name, body) for name, body in payloads]
        await self._lookups.record(entry.superevent_id, self._clock())
        new = results.count(IngestResult.STORED)
        log.info(
            "gracedb_superevent_imported", superevent_id=entry.superevent_id, notices=len(results), new=new
        )
        return new

    async def _fetch_payloads(self, entry: SupereventRecord) -> list[tuple[str, bytes]]:
        """Return (file name, payload) of each notice in GraceDB; without any, assemble payloads."""
        page = self._gracedb.page_url(entry.superevent_id)
        found, files = await self._fetch_notices(entry)
        if not found:
            if files is None:
                files = await self._gracedb.files(entry.superevent_id)
            made = conversion.build_payloads(entry, page, await self._fetch_files(entry, files))
        elif entry.retracted and not any(conversion.is_retraction(body) for _, body in found):
            labelled = conversion.parse_label_times(
                await self._or_none(self._gracedb.labels(entry.superevent_id))
            )
            made = [conversion.build_retraction(entry, page, labelled, [body for _, body in found])]
        else:
            made = []
        return [*found, *(("assembled", body) for body in made)]

    async def _ingest_payload(self, entry: SupereventRecord, name: str, body: bytes) -> IngestResult:
        origin = Origin(GRACEDB, f"{entry.superevent_id} {name}", live=False, archive="GraceDB")
        return await self._pipeline.handle(body, origin)

    async def _fetch_notices(self, entry: SupereventRecord) -> tuple[list[tuple[str, bytes]], object]:
        """Return (file name, content) of each notice, and GraceDB's list of files if it had to be fetched."""
        files: object = None
        listed = await self._gracedb.notices(entry.superevent_id)
        names = [] if listed is None else conversion.parse_notice_list(listed)
        if not names:
            files = await self._gracedb.files(entry.superevent_id)
            names = conversion.notice_file_names(entry.superevent_id, files)
        found = []
        left = MAX_NOTICES_BYTES
        for name in names:
            max_bytes = min(left, MAX_FILE_BYTES)
            body = await self._or_none(self._gracedb.file(entry.superevent_id, name, max_bytes))
            left -= len(body or b"")
            if body is not None and why_not_a_notice(body) is None:
                found.append((name, body))
        return found, files

    async def _fetch_files(self, entry: SupereventRecord, files: object) -> SupereventFiles:
        """Fetch the files that a payload is assembled from. Raises GraceDbError."""
        superevent_id, pipeline = entry.superevent_id, conversion.preferred_pipeline(entry)
        labelled = conversion.parse_label_times(await self._or_none(self._gracedb.labels(superevent_id)))
        uploaded = conversion.parse_upload_times(await self._or_none(self._gracedb.logs(superevent_id)))
        names: list[str] = []

        async def fetch_json(kind: str) -> Mapping[str, Any] | None:
            name = conversion.preferred_json_file(kind, files, pipeline, uploaded)
            if name is None:
                return None
            found = await self._or_none(self._gracedb.file_json(superevent_id, name))
            if not isinstance(found, Mapping):
                return None
            names.append(name)
            return found

        async def fetch_newest_map(*, combined: bool, max_bytes: int) -> bytes | None:
            for name in conversion.maps_newest_first(files, uploaded, combined=combined):
                fits = await self._or_none(self._gracedb.file(superevent_id, name, max_bytes))
                if fits is not None:
                    names.append(name)
                    return fits
            return None

        p_astro = await fetch_json("p_astro.json")
        em_bright = await fetch_json("em_bright.json")
        mchirp_source = await fetch_json("mchirp_source.json")
        skymap = await fetch_newest_map(combined=False, max_bytes=MAX_MAP_BYTES)
        left = MAX_MAP_BYTES - len(skymap or b"")
        return SupereventFiles(
            label_times=labelled,
            upload_times=uploaded,
            p_astro=p_astro,
            em_bright=em_bright,
            mchirp_source=mchirp_source,
            skymap=skymap,
            combined_skymap=await fetch_newest_map(combined=True, max_bytes=left),
            file_names=tuple(names),
        )

    async def _or_none(self, request: Awaitable[T]) -> T | None:
        """Return an answer, or None if this part is not public or unreadable: the import omits it."""
        try:
            return await request
        except (SupereventNotPublic, UnreadableAnswer) as error:
            log.info("gracedb_part_missing", reason=str(error))
            return None
