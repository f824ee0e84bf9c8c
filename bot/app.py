"""The bot in one process: builds every part, starts them, and stops them within 5 seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta

import aiohttp
import structlog
from slack_bolt.async_app import AsyncApp

from bot.answers import Asker
from bot.gracedb.backfill import PACE_S, REPAIR_AGAIN_S, Backfill, repair
from bot.http import HttpServer
from bot.http import listen as open_port
from bot.lookout import LOOKED_OUT_FOR_S, Lookout
from bot.pictures import Pictures
from bot.pipeline import Handled
from bot.reading import consumers_of
from bot.rooms import Rooms, archive_of, utc_now, webhook_of
from bot.settings import Settings
from bot.slack import listeners
from bot.slack.client import Identity, SlackClient
from bot.slack.delivery import CONNECTIONS
from bot.slack.dialog import Dialogs
from bot.slack.errors import SlackFailure
from bot.slack.front import Front
from bot.slack.gate import Allowance, protect
from bot.slack.home import Homes
from bot.slack.illustrations import Illustrations
from bot.slack.permission import Permission
from bot.slack.pictures import PictureWorker
from bot.sources import Source, SourceStatus
from bot.store.database import StoreUnavailable
from bot.store.retention import NOTHING, Keep
from bot.store.shares import PURGE, REPAIR
from bot.store.wakeups import listen
from bot.watch.caller import Caller
from bot.watch.judge import Limits
from bot.watch.metrics import Metrics
from bot.watch.watch import Watch
from formatters.message import Message

STOP_S = 3.5
PURGE_EVERY_S = 600.0
HEAR_S = 5.0

log = structlog.get_logger(__name__)


def keep_of(settings: Settings) -> Keep:
    """How long things are kept; what is young enough to be posted is kept in any case."""
    payloads = None if settings.payload_days is None else timedelta(days=settings.payload_days)
    return Keep(
        payloads=payloads,
        deliveries=max(timedelta(days=settings.ledger_days), 2 * settings.max_age),
        quarantine=timedelta(days=settings.quarantine_days),
    )


class Bot:
    """Everything in one process: a source, the pipeline, the deliveries, and the answers in Slack."""

    def __init__(
        self,
        settings: Settings,
        rooms: Rooms,
        sources: Sequence[Source],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`sources` is empty where consumers of their own read them. Raises SettingsError without tokens."""
        self._settings = settings
        access = settings.slack_access()
        self._rooms = rooms
        self._sources = sources
        # What other processes' sources said last.
        self._heard: list[SourceStatus] = []
        self._clock = clock
        self._clients: dict[str, SlackClient] = {}
        self._identity: Identity | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.ready = asyncio.Event()
        """Set once Slack knows us and the source is being read."""
        draw = Pictures()
        self.metrics = Metrics()
        self.worker = rooms.worker(
            self._clients,
            clock,
            public_url=settings.public_url,
            poll_s=LOOKED_OUT_FOR_S,
            settled=lambda outcomes: self.metrics.settled(outcomes, clock()),
        )
        self._front = Front(
            access,
            settings,
            rooms.installations,
            self._clients,
            clock,
            register=self._register,
            wake=self.worker.wake,
            called=self.metrics.called,
        )
        self.pictures = PictureWorker(
            rooms.store,
            rooms.pictures,
            self._clients,
            draw,
            clock,
            wake_deliveries=self.worker.wake,
            serve=settings.public_url is not None,
            poll_s=LOOKED_OUT_FOR_S,
        )
        self.decisions = rooms.decisions(clock, settings.max_age, self._wake, LOOKED_OUT_FOR_S)
        self._lookout = Lookout(
            rooms.glance,
            clock,
            deliveries=self.worker.wake,
            pictures=self.pictures.wake,
            maps=self.decisions.wake,
        )
        webhook = webhook_of(settings)
        self._caller = (
            None if webhook is None else Caller(webhook, rooms.calls, rooms.troubles, rooms.store, clock)
        )
        self.watch = Watch(
            rooms.store,
            rooms.ledger,
            rooms.troubles,
            clock,
            sources=self._statuses,
            link=lambda: self._front.state,
            ops=lambda: rooms.operators.known,
            wake=self.worker.wake,
            caller=self._caller,
            metrics=self.metrics,
            limits=Limits(silence=timedelta(hours=settings.silence_hours)),
        )
        port = settings.listens_on
        self._http = (
            None
            if port is None
            else HttpServer(
                rooms.pictures,
                settings.http_host,
                port,
                self.watch,
                self._front.add_routes,
            )
        )
        self.pipeline = rooms.pipeline(settings, clock, self._stored, self.metrics.stored)
        self._consumers = consumers_of(settings, rooms, sources, self.pipeline, self._handled)
        self._archive = archive_of(settings, rooms, clock)
        self.answers = rooms.answers(
            clock,
            archive=self._archive,
            illustrate=Illustrations(rooms.store, rooms.pictures, self._clients, draw, settings.public_url),
            sources=self._statuses,
            wake=self.worker.wake,
            refusal=Permission(settings.who_may_subscribe, self._clients).refusal,
        )

        self._homes = Homes(
            rooms.store,
            rooms.subscriptions,
            rooms.troubles,
            self._clients,
            clock,
            self._statuses,
        )
        self._dialogs = Dialogs(self.answers, rooms.subscriptions, self._clients, self._homes)

    @property
    def identity(self) -> Identity | None:
        """Who the bot is in Slack, once Slack said so."""
        return self._identity

    @property
    def http_port(self) -> int | None:
        """Where health is served, once it is."""
        return None if self._http is None else self._http.port

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or until one of the parts ends by a fault, which is raised."""
        if self._http is not None:
            await open_port(self._http, self._settings)
        # aiohttp's own limit is 100: as many calls that hang would hold up an alert, and every answer.
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector) as session:
            for consumer in self._consumers:
                self._start(consumer.consume(), "consume")
            self._start(self.worker.run(), "deliver")
            self._start(self.pictures.run(), "draw")
            self._start(self.decisions.run(), "ask_maps")
            self._start(self._lookout.run(), "look_out")
            self._start(self._front.run(session, self._known, self.ready.set), "serve_slack")
            self._start(self._purge(), "purge")
            self._start(self._repair_gap(), "repair_gap")
            self._start(self.watch.run(), "watch")
            if self._caller is not None:
                self._start(self._caller.run(), "call")
            if not self._rooms.database.sqlite:
                self._start(listen(self._rooms.database, self._stored), "listen")
                for consumer in self._consumers:
                    self._start(consumer.tell(), "tell")
                if not self._consumers:
                    self._start(self._hear(), "hear")
            stopped = asyncio.create_task(stop.wait())
            try:
                done, _ = await asyncio.wait([*self._tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopped}:
                    task.result()
            finally:
                stopped.cancel()
                await self._stop()

    def _start(self, work: Coroutine[object, object, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def _stop(self) -> None:
        log.info("stopping")
        parts = [self.worker.stop(), self.pictures.close(), self._front.close()]
        parts += [consumer.stop() for consumer in self._consumers]
        if self._http is not None:
            parts.append(self._http.stop())
        if self._archive is not None:
            parts.append(self._archive.close())
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                for result in await asyncio.gather(*parts, return_exceptions=True):
                    if isinstance(result, Exception):
                        log.warning("stop_incomplete", exc_info=result)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        log.info("stopped")

    async def _hear(self) -> None:
        """Keep what the other processes say of their sources, for `status`."""
        while True:
            try:
                self._heard = await self._rooms.consumers.sources()
            except StoreUnavailable as error:
                log.warning("status_waits_for_store", reason=str(error))
            await asyncio.sleep(HEAR_S)

    def _register(self, app: AsyncApp) -> None:
        protect(app, self._settings.slack_api_url, Allowance(self._settings.commands_per_minute))
        listeners.register(
            app, self.answers, self._revive, self._observe, self._homes, self._dialogs, self._show
        )

    async def _known(self, identity: Identity | None) -> None:
        """Slack said who we are; None: one in each of many workspaces."""
        self._identity = identity
        team, channel = self._settings.ops_place
        team = team or (None if identity is None else identity.team_id)
        await self._tell_where_operators_are(team, channel)

    def _statuses(self) -> list[SourceStatus]:
        return [source.status() for source in self._sources] if self._sources else self._heard

    def _handled(self, handled: Handled) -> None:
        self.metrics.handled(handled)
        if handled is not Handled.CIRCULAR:
            # People's circulars come whether or not LVK's mocks do.
            self.watch.heard()

    async def _tell_where_operators_are(self, team_id: str | None, channel: str | None) -> None:
        while True:
            try:
                await self._rooms.operators.are_in(team_id or "", None if team_id is None else channel)
            except StoreUnavailable as error:
                log.warning("operators_wait_for_store", reason=str(error))
                await asyncio.sleep(1.0)
            else:
                return

    async def _revive(self, team_id: str, channel_id: str) -> None:
        now = self._clock()
        waiting = await self._rooms.ledger.revive(team_id, channel_id, now - self._settings.max_age, now)
        if waiting:
            log.info("channel_revived", channel=channel_id, deliveries=waiting)
            self.worker.wake()

    async def _observe(self, team_id: str, channel_id: str, superevent_id: str, user_id: str) -> None:
        now = self._clock()
        observes = await self._rooms.observers.toggle(team_id, channel_id, superevent_id, user_id, now)
        log.info("observer", superevent_id=superevent_id, channel=channel_id, observes=observes)
        self.worker.wake()

    async def _show(self, asker: Asker, message: Message, thread_ts: str | None) -> bool:
        client = self._clients.get(asker.team_id)
        if client is None:
            return False
        try:
            await client.show(asker.channel_id, asker.user_id, message, thread_ts=thread_ts)
        except SlackFailure as failure:
            log.info("answer_not_shown", channel=asker.channel_id, reason=failure.reason)
            return False
        return True

    async def _repair_gap(self) -> None:
        """After a silence longer than the broker keeps messages, fill the gap from GraceDB."""
        archive = archive_of(self._settings, self._rooms, self._clock, pace_s=PACE_S, beside=self._archive)
        if archive is None:
            await asyncio.Event().wait()
            return
        backfill = Backfill(archive, self._rooms.lookups, self._clock)
        keeps = timedelta(days=self._settings.broker_keeps_days)
        try:
            while True:
                while not self._rooms.shares.holds(REPAIR):  # noqa: ASYNC110  it comes from another process
                    await asyncio.sleep(1.0)
                await repair(backfill, self._rooms.store, keeps, self._clock())
                await asyncio.sleep(REPAIR_AGAIN_S)
        finally:
            await archive.close()

    async def _purge(self) -> None:
        while True:
            try:
                await self._purge_once(self._clock() - timedelta(days=self._settings.mock_payload_days))
                await self._purge_old()
            except StoreUnavailable as error:
                log.warning("purge_waits_for_store", reason=str(error))
            await asyncio.sleep(PURGE_EVERY_S)

    async def _purge_once(self, before: datetime) -> None:
        shares = self._rooms.shares
        purged = await self._rooms.store.purge_mock_payloads(before) if shares.holds(PURGE) else 0
        if purged:
            log.info("mock_payloads_purged", payloads=purged)
        for picture_id, team_id, file_id in await self._rooms.pictures.of_old_mocks(before):
            client = self._clients.get(team_id)
            if not shares.holds(team_id):
                continue
            try:
                if file_id is not None and client is None:
                    continue
                if file_id is not None and client is not None:
                    await client.delete_file(file_id)
            except SlackFailure as failure:
                log.warning("file_not_deleted", file=file_id, reason=failure.reason)
                continue
            await self._rooms.pictures.forget(picture_id)

    async def _purge_old(self) -> None:
        if not self._rooms.shares.holds(PURGE):
            return
        removed = await self._rooms.retention.purge(keep_of(self._settings), self._clock())
        if removed != NOTHING:
            log.info("old_rows_purged", **asdict(removed))

    def _wake(self) -> None:
        self.worker.wake()
        self.pictures.wake()
        if self._caller is not None:
            self._caller.wake()

    def _stored(self) -> None:
        self._wake()
        self.decisions.wake()
