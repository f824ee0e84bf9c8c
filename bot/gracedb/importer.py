"""What was never received, looked up in GraceDB and stored as an archive's; never routed (law 2)."""

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
from bot.gracedb.client import MAX_FILE_BYTES, Busy, GraceDb, GraceDbError, NotPublic, Unreadable
from bot.gracedb.conversion import SupereventFiles, SupereventRecord
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.sources.base import GRACEDB, Origin
from bot.sources.files import why_not_a_notice
from bot.store.events.gracedb_lookups import GraceDbLookups

IMPORT_TIMEOUT_S = 60.0
"""For all requests of one superevent together; longer nobody waits for an answer."""
MAX_CONCURRENT_IMPORTS = 2
"""Superevents looked up at the same time."""
NOT_PUBLIC_CACHED_S = 60.0
"""How long "not public" is taken for the answer: a new event is public within minutes."""
FAILURE_CACHED_S = 15.0
"""The same for any other failure."""
MAX_NOTICES_BYTES = 64 * 2**20
"""Bytes of all notices of one superevent, which are held at once; ten large ones have 25 MB."""
MAX_CACHED_FAILURES = 1_000
"""Failures that are kept."""
MAX_MAP_BYTES = MAX_PAYLOAD_BYTES * 5 // 8
"""Bytes of a map that fits a payload as base64, which takes 4/3 of them; the largest of O4 have 3 MB."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class SupereventImporter:
    """Looks superevents up; of one superevent never twice at the same time."""

    def __init__(
        self,
        gracedb: GraceDb,
        pipeline: Pipeline,
        lookups: GraceDbLookups,
        clock: Callable[[], datetime],
        *,
        shared_with: SupereventImporter | None = None,
    ) -> None:
        """`pipeline` is the one way in; what comes from here isn't live, so it opens nothing.

        What another archive, `beside` this one, is looking up this one waits for too.
        """
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
        """Store what GraceDB has of a superevent; return the id it has there (a GW… name is another's).

        Who asks for one that is being looked up waits for the same answer, and a failure stands for a short
        while. Raises GraceDbError, StoreUnavailable.
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
        """Store what GraceDB has of this superevent; return how many notices were new.

        Everything is fetched before the first is stored. Raises GraceDbError, StoreUnavailable.
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
            running = asyncio.create_task(work(), name=f"look_up {superevent_id}")
            self._in_flight[superevent_id] = running
            self._own_tasks.add(running)
            running.add_done_callback(partial(self._on_done, superevent_id))
        return await asyncio.shield(running)

    def _on_done(self, superevent_id: str, task: asyncio.Task[tuple[str, int]]) -> None:
        self._in_flight.pop(superevent_id, None)
        self._own_tasks.discard(task)
        if not task.cancelled():
            # Looked at here too: nobody may be waiting any more.
            task.exception()

    async def may_be_outdated(self, superevent_id: str, created: datetime, after: timedelta) -> bool:
        """Whether GraceDB may know more than when it was asked last, if that is longer than `after` ago."""
        looked_up = (await self._lookups.get([superevent_id])).get(superevent_id)
        if looked_up is None:
            return True
        return looked_up - created <= conversion.SETTLED_AFTER and self._clock() - looked_up > after

    @property
    def gracedb(self) -> GraceDb:
        """What it asks."""
        return self._gracedb

    async def close(self) -> None:
        """Break off what is being looked up, and let go of the connections."""
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
            error: GraceDbError = Busy("GraceDB takes too long; try again.")
        except GraceDbError as failure:
            error = failure
        else:
            return entry.superevent_id, await self._ingest_all(entry, payloads)
        stands = NOT_PUBLIC_CACHED_S if isinstance(error, NotPublic) else FAILURE_CACHED_S
        self._recent_failures[superevent_id] = (time.monotonic() + stands, error)
        self._recent_failures.move_to_end(superevent_id)
        while len(self._recent_failures) > MAX_CACHED_FAILURES:
            self._recent_failures.popitem(last=False)
        log.info("gracedb_gave_nothing", superevent_id=superevent_id, reason=str(error))
        raise error

    async def _ingest_all(self, entry: SupereventRecord, payloads: Sequence[tuple[str, bytes]]) -> int:
        handled = [await self._ingest_payload(entry, name, body) for name, body in payloads]
        await self._lookups.record(entry.superevent_id, self._clock())
        new = handled.count(IngestResult.STORED)
        log.info("gracedb_looked_up", superevent_id=entry.superevent_id, notices=len(handled), new=new)
        return new

    async def _fetch_payloads(self, entry: SupereventRecord) -> list[tuple[str, bytes]]:
        """The notices that GraceDB keeps, by their files' names; else what can be put together."""
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
        """The notices' files that GraceDB keeps, and its list of files where that was needed."""
        files: object = None
        listed = await self._gracedb.notices(entry.superevent_id)
        names = [] if listed is None else conversion.parse_notice_list(listed)
        if not names:
            files = await self._gracedb.files(entry.superevent_id)
            names = conversion.notice_file_names(entry.superevent_id, files)
        found = []
        left = MAX_NOTICES_BYTES
        for name in names:
            most = min(left, MAX_FILE_BYTES)
            body = await self._or_none(self._gracedb.file(entry.superevent_id, name, most))
            left -= len(body or b"")
            if body is not None and why_not_a_notice(body) is None:
                found.append((name, body))
        return found, files

    async def _fetch_files(self, entry: SupereventRecord, files: object) -> SupereventFiles:
        """What a record is put together from. Raises GraceDbError."""
        superevent_id, pipeline = entry.superevent_id, conversion.preferred_pipeline(entry)
        labelled = conversion.parse_label_times(await self._or_none(self._gracedb.labels(superevent_id)))
        uploaded = conversion.parse_upload_times(await self._or_none(self._gracedb.logs(superevent_id)))
        names: list[str] = []

        async def facts(kind: str) -> Mapping[str, Any] | None:
            name = conversion.preferred_json_file(kind, files, pipeline, uploaded)
            if name is None:
                return None
            found = await self._or_none(self._gracedb.file_json(superevent_id, name))
            if not isinstance(found, Mapping):
                return None
            names.append(name)
            return found

        async def newest(*, combined: bool, most: int) -> bytes | None:
            for name in conversion.maps_newest_first(files, uploaded, combined=combined):
                fits = await self._or_none(self._gracedb.file(superevent_id, name, most))
                if fits is not None:
                    names.append(name)
                    return fits
            return None

        p_astro = await facts("p_astro.json")
        em_bright = await facts("em_bright.json")
        mchirp_source = await facts("mchirp_source.json")
        skymap = await newest(combined=False, most=MAX_MAP_BYTES)
        left = MAX_MAP_BYTES - len(skymap or b"")
        return SupereventFiles(
            label_times=labelled,
            upload_times=uploaded,
            p_astro=p_astro,
            em_bright=em_bright,
            mchirp_source=mchirp_source,
            skymap=skymap,
            combined_skymap=await newest(combined=True, most=left),
            file_names=tuple(names),
        )

    async def _or_none(self, asked: Awaitable[T]) -> T | None:
        """An answer, or None where this part isn't public or isn't readable: the rest is told without it."""
        try:
            return await asked
        except (NotPublic, Unreadable) as error:
            log.info("gracedb_part_missing", reason=str(error))
            return None
