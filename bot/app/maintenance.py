"""Background jobs that keep the store tidy and complete; none is on the path of an alert."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog

from bot.app.repositories import Repositories
from bot.app.treasure_map import create_treasure_map_sync
from bot.gracedb.backfill import REPAIR_RETRY_S, Backfill, repair_gap
from bot.gracedb.importer import SupereventImporter
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.slack.client import Identity, SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.orphaned_channels import OrphanedChannels
from bot.store.database import StoreUnavailable
from bot.store.outbox.leases import PURGE_JOB, REPAIR_JOB
from bot.store.retention import NOTHING_PURGED, RetentionPolicy

PURGE_INTERVAL_S = 600.0
REPATRIATION_INTERVAL_S = 3600.0
PROBE_INTERVAL_S = 600.0
"""Seconds between two attempts to post in channels that couldn't be posted to."""
POLL_S = 1.0
"""Interval at which a job checks whether it may start: a lease, or a trusted clock."""
STORE_RETRY_S = 1.0

log = structlog.get_logger(__name__)


def retention_policy(settings: Settings) -> RetentionPolicy:
    """Return how long rows are kept. Deliveries are kept at least twice as long as they may be posted."""
    payloads = None if settings.payload_days is None else timedelta(days=settings.payload_days)
    return RetentionPolicy(
        payloads=payloads,
        deliveries=max(timedelta(days=settings.ledger_days), 2 * settings.max_age),
        quarantine=timedelta(days=settings.quarantine_days),
    )


class Maintenance:
    """The purge of old rows, the reassignment of orphaned channels, and what is read from other servers.

    Where several processes share a database, only the one that holds a job's lease does it.
    """

    def __init__(
        self,
        settings: Settings,
        repositories: Repositories,
        clients: Mapping[str, SlackClient],
        clock: Callable[[], datetime],
        wakeups: Wakeups,
        is_clock_trusted: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._repositories = repositories
        self._clients = clients
        self._clock = clock
        self._wakeups = wakeups
        self._is_clock_trusted = is_clock_trusted

    async def save_ops_channel(self, identity: Identity | None) -> None:
        """Store the configured ops channel; wait while the store is unavailable."""
        team, channel = self._settings.ops_team_and_channel
        team = team or (None if identity is None else identity.team_id)
        while True:
            try:
                await self._repositories.ops_channel.set(team or "", None if team is None else channel)
            except StoreUnavailable as error:
                log.warning("store_unavailable", subsystem="ops_channel", reason=str(error))
                await asyncio.sleep(STORE_RETRY_S)
            else:
                return

    async def reassign_orphaned_channels(
        self, ready: asyncio.Event, identity: Callable[[], Identity | None]
    ) -> None:
        """Move channels stored under a workspace without the app to the one that has it; until cancelled."""
        await ready.wait()
        orphaned = OrphanedChannels(
            self._repositories.channel_moves, self._clients, self._clock, self._settings.max_age
        )
        while True:
            try:
                installed = {one.team_id for one in await self._repositories.installations.list_all()}
                own = identity()
                if own is not None:
                    installed = {own.team_id}
                if await orphaned.reassign(installed):
                    self._wakeups.deliveries.set()
            except StoreUnavailable as error:
                log.warning("store_unavailable", subsystem="orphaned_channels", reason=str(error))
            await asyncio.sleep(REPATRIATION_INTERVAL_S)

    async def probe_unreachable_channels(self) -> None:
        """Try a post again in channels that couldn't be posted to, every ten minutes until cancelled.

        Slack's event of an invitation is missed while gwevent is down, and there is none for a restriction of
        who may post that was lifted.
        """
        while True:
            # Under a wrong clock old rows may look young.
            while not (self._is_clock_trusted() and self._repositories.leases.holds_lease(PURGE_JOB)):  # noqa: ASYNC110  neither sends a wake-up
                await asyncio.sleep(POLL_S)
            now = self._clock()
            try:
                count = await self._repositories.outbox.requeue_probes(now - self._settings.max_age, now)
            except StoreUnavailable as error:
                log.warning("store_unavailable", subsystem="channel_probes", reason=str(error))
            else:
                if count:
                    log.info("unreachable_channels_probed", channels=count)
                    self._wakeups.deliveries.set()
            await asyncio.sleep(PROBE_INTERVAL_S)

    async def repair_gaps(self, importer: SupereventImporter | None) -> None:
        """Import from GraceDB what a broker no longer kept after a long outage; until cancelled."""
        if importer is None:
            await asyncio.Event().wait()
            return
        backfill = Backfill(importer, self._repositories.gracedb_lookups, self._clock)
        broker_retention = timedelta(days=self._settings.broker_keeps_days)
        try:
            while True:
                while not self._repositories.leases.holds_lease(REPAIR_JOB):  # noqa: ASYNC110  another process grants it
                    await asyncio.sleep(POLL_S)
                await repair_gap(backfill, self._repositories.notices, broker_retention, self._clock())
                await asyncio.sleep(REPAIR_RETRY_S)
        finally:
            await importer.close()

    async def read_treasure_map(self, on_request: Callable[[str], None]) -> None:
        """Read others' pointings while events are young, if the settings say so; until cancelled.

        `on_request` is called with the outcome of each request for pointings.
        """
        sync = create_treasure_map_sync(self._settings, self._repositories, self._clock, on_request)
        if sync is None:
            await asyncio.Event().wait()
            return
        await sync.run()

    async def refresh_event_attributes(self) -> None:
        """Compute what searches need of superevents that an older version stored; every ten minutes."""
        while True:
            try:
                await self._repositories.event_search.refresh_stale_attributes()
            except StoreUnavailable as error:
                log.warning("store_unavailable", subsystem="event_attributes", reason=str(error))
            await asyncio.sleep(PURGE_INTERVAL_S)

    async def purge(self) -> None:
        """Delete what is older than the retention policy says, every ten minutes until cancelled."""
        while True:
            # Under a wrong clock young rows may look old.
            while not self._is_clock_trusted():  # noqa: ASYNC110  the clock sends no wake-up
                await asyncio.sleep(POLL_S)
            try:
                await self._purge_mocks(self._clock() - timedelta(days=self._settings.mock_payload_days))
                await self._purge_expired()
            except StoreUnavailable as error:
                log.warning("store_unavailable", subsystem="purge", reason=str(error))
            await asyncio.sleep(PURGE_INTERVAL_S)

    async def _purge_mocks(self, before: datetime) -> None:
        leases, images = self._repositories.leases, self._repositories.images
        if leases.holds_lease(PURGE_JOB):
            purged = await self._repositories.notices.purge_mock_payloads(before)
            if purged:
                log.info("mock_payloads_purged", payloads=purged)
        for image_id, team_id, file_id in await images.list_old_mocks(before):
            if not leases.holds_lease(team_id):
                continue
            if file_id is not None:
                client = self._clients.get(team_id)
                if client is None:
                    continue
                try:
                    await client.delete_file(file_id)
                except SlackFailure as failure:
                    log.warning("file_deletion_failed", file=file_id, reason=failure.reason)
                    continue
            await images.delete(image_id)

    async def _purge_expired(self) -> None:
        if not self._repositories.leases.holds_lease(PURGE_JOB):
            return
        removed = await self._repositories.retention.purge(retention_policy(self._settings), self._clock())
        if removed != NOTHING_PURGED:
            log.info("old_rows_purged", **asdict(removed))
