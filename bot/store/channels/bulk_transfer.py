"""Exports all workspaces' subscriptions, sites and criteria sets; imports them into another database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.criteria.resolution import check_references
from bot.filters import FilterSyntaxError, parse_stored_criteria
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.change_log import ChangeAuthor, ChangeRecord, last_canonical_of_number, record_changes
from bot.store.channels.clauses import in_channel
from bot.store.channels.criteria_set_rows import all_sets, load_grades, readable_sets
from bot.store.channels.criteria_sets import (
    CriteriaSetExists,
    StoredCriteriaSet,
    add_set,
    edit_set,
    load_sets,
)
from bot.store.channels.sites import add_sites, load_all_sites, recording_changes, set_conditions
from bot.store.channels.subscription_numbers import (
    allocate_subscription_number,
    assign_missing_subscription_numbers,
    is_former_subscription_number,
    last_number,
    reserve_subscription_number,
)
from bot.store.channels.telescope_rows import set_telescopes
from bot.store.database import Database
from bot.store.outbox.models import DeliveryKind, DeliveryState
from formatters.models.channel_change import BY_IMPORT, SubscriptionState
from formatters.models.observing import ChannelSites, ObservingConstraints

_d = schema.deliveries
_s = schema.subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedSubscription:
    """A confirmed subscription as it is exported."""

    words: str
    """The canonical words of its criteria."""
    created_by: str
    created_at: datetime
    paused_at: datetime | None = None
    number: int | None = None
    """Its number in the channel; None to give it the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedChannel:
    """The subscriptions and sites of one channel."""

    team_id: str
    channel_id: str
    subscriptions: tuple[ExportedSubscription, ...]
    sites: ChannelSites
    last_number: int = 0
    """The highest number that a subscription of the channel ever had; 0 if that is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """The channels and criteria sets of all workspaces, as people set them up."""

    channels: tuple[ExportedChannel, ...]
    criteria_sets: tuple[tuple[str, StoredCriteriaSet], ...] = ()
    """The workspaces' own sets, each with its team."""


class InvalidReference(ValueError):
    """A subscription names a criteria set or a grade that isn't there; the text is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferResult:
    """The numbers of things that an import read and changed."""

    channels: int
    """Channels in the import."""
    subscriptions: int
    """Subscriptions that are active since the import."""
    already_known: int
    """Subscriptions that were active before."""
    sites: int
    """Sites in the import, new or known."""
    criteria_sets: int = 0
    """Criteria sets that are as in the import now, new or known."""
    kept_sets: tuple[tuple[str, str], ...] = ()
    """Team and name of the criteria sets that differ from those of the import, and were kept as they were."""


class ChannelTransfer:
    """Exports and imports channels. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self) -> Export:
        """Return all criteria sets, and every channel with subscriptions or sites by team and channel.

        A subscription whose confirmation was not posted yet is left out. Subscriptions that an older version
        of gwevent stored without a number get one first.
        """
        async with self._database.exclusive_transaction() as connection:
            nameless = select(_s.c.team_id, _s.c.channel_id).where(_s.c.number.is_(None)).distinct()
            for row in (await connection.execute(nameless)).all():
                await assign_missing_subscription_numbers(connection, (row.team_id, row.channel_id))
        async with self._database.read_transaction() as connection:
            rows = (
                await connection.execute(select(_s).where(_s.c.confirmed_at.is_not(None)).order_by(_s.c.id))
            ).all()
            sites = await load_all_sites(connection)
            numbers = (await connection.execute(select(schema.channel_numbers))).all()
            sets = await load_sets(connection)
        last = {(row.team_id, row.channel_id): row.last_number for row in numbers}
        subscriptions: defaultdict[ChannelRef, list[ExportedSubscription]] = defaultdict(list)
        for row in rows:
            subscriptions[row.team_id, row.channel_id].append(
                ExportedSubscription(
                    words=row.words,
                    created_by=row.created_by,
                    created_at=row.created_at,
                    paused_at=row.paused_at,
                    number=row.number,
                )
            )
        channels = [
            ExportedChannel(
                team_id=channel_ref[0],
                channel_id=channel_ref[1],
                subscriptions=tuple(subscriptions.get(channel_ref, ())),
                sites=sites.get(channel_ref, ChannelSites()),
                last_number=last.get(channel_ref, 0),
            )
            for channel_ref in sorted(subscriptions.keys() | sites.keys())
        ]
        return Export(channels=tuple(channels), criteria_sets=tuple(sets))

    async def is_unused(self) -> bool:
        """Return True if no bot ever used this database: no notices, subscriptions, sites, criteria sets."""
        tables = (schema.notices, _s, _d, schema.installations, schema.channel_sites, schema.criteria_sets)
        async with self._database.read_transaction() as connection:
            for table in tables:
                if (await connection.execute(select(table).limit(1))).first() is not None:
                    return False
        return True

    async def import_channels(
        self, given: Export, now: datetime, *, replace_sets: bool = False
    ) -> TransferResult:
        """Activate what people of another bot asked for, in one transaction, and plan the posts.

        Subscriptions that are active already are not changed, so a repeated import changes nothing; a site
        of the same name gets the imported coordinates and telescope. A criteria set of the same name with
        other grades is kept unless `replace_sets`, since it decides what other channels receive. Raises
        TooManySites, TooManyCriteriaSets, CriteriaSetInUse, InvalidReference: then nothing was changed.
        """
        new = known = sites = 0
        by = ChangeAuthor(BY_IMPORT, now)
        async with self._database.exclusive_transaction() as connection:
            kept = [
                (team_id, stored.set.slug)
                for team_id, stored in given.criteria_sets
                if not await _import_set(connection, team_id, stored, by, replace=replace_sets)
            ]
            grades = await load_grades(connection)
            for channel in given.channels:
                channel_ref = (channel.team_id, channel.channel_id)
                fresh: list[ChangeRecord] = []
                before = await last_number(connection, channel_ref)
                # A subscription that needs another number gets one that no other has in the export.
                beyond = max([channel.last_number, *(a.number or 0 for a in channel.subscriptions)])
                for exported in channel.subscriptions:
                    change = await _import_subscription(
                        connection, channel_ref, exported, before, beyond, now
                    )
                    if change is not None:
                        _check_references(channel_ref, exported, grades.get(channel.team_id, {}))
                    known += change is None
                    fresh += [] if change is None else [change]
                new += len(fresh)
                if channel.last_number:
                    await reserve_subscription_number(connection, channel_ref, channel.last_number)
                await record_changes(connection, channel_ref, by, fresh)
                async with recording_changes(connection, channel_ref, by):
                    if channel.sites.sites:
                        await add_sites(connection, channel_ref, channel.sites.sites)
                        await set_telescopes(connection, channel_ref, channel.sites.telescopes)
                        sites += len(channel.sites.sites)
                    if channel.sites.constraints != ObservingConstraints():
                        await set_conditions(connection, channel_ref, channel.sites.constraints)
        return TransferResult(
            channels=len(given.channels),
            subscriptions=new,
            already_known=known,
            sites=sites,
            criteria_sets=len(given.criteria_sets) - len(kept),
            kept_sets=tuple(kept),
        )


async def _import_set(
    connection: AsyncConnection, team_id: str, stored: StoredCriteriaSet, by: ChangeAuthor, *, replace: bool
) -> bool:
    """Import one criteria set; return False if another one of its name was kept."""
    try:
        await add_set(connection, team_id, stored.set, by, imported=stored)
    except CriteriaSetExists:
        if replace:
            return await edit_set(connection, team_id, stored.set, by) is not None
        here = readable_sets((await load_grades(connection, team_id)).get(team_id, {}))
        known = here.get(stored.set.slug)
        return known is not None and known.canonical == stored.set.canonical
    return True


def _check_references(
    channel_ref: ChannelRef, exported: ExportedSubscription, grades: Mapping[str, str]
) -> None:
    """Raise InvalidReference if a subscription names a criteria set or a grade that isn't there."""
    try:
        check_references(parse_stored_criteria(exported.words), all_sets(grades))
    except FilterSyntaxError as error:
        where = f'the subscription "{exported.words}" of {channel_ref[1]} in {channel_ref[0]}'
        raise InvalidReference(f"{where}: {error}") from error


async def _import_subscription(
    connection: AsyncConnection,
    channel_ref: ChannelRef,
    exported: ExportedSubscription,
    last: int,
    beyond: int,
    now: datetime,
) -> ChangeRecord | None:
    """Import one subscription; return the change, or None if it was active before.

    `last` is the highest number that was given here before, `beyond` the highest one of the export.
    """
    mine = in_channel(_s, channel_ref) & (_s.c.words == exported.words)
    await assign_missing_subscription_numbers(connection, channel_ref)
    row = (await connection.execute(select(_s).where(mine))).first()
    if row is not None and row.confirmed_at is not None:
        return None
    if row is None:
        number = await _choose_number(connection, channel_ref, exported, last, beyond)
        values = {
            "team_id": channel_ref[0],
            "channel_id": channel_ref[1],
            "words": exported.words,
            "number": number,
            "created_by": exported.created_by,
            "created_at": exported.created_at,
            "confirmed_at": now,
            "paused_at": exported.paused_at,
        }
        result = await connection.execute(insert(_s).values(values))
        assert result.inserted_primary_key is not None
        subscription_id = int(result.inserted_primary_key[0])
    else:
        # Its confirmation is pending here; the channel has seen one from the other bot.
        subscription_id, number = row.id, row.number
        await connection.execute(
            update(_s).where(_s.c.id == row.id).values(confirmed_at=now, paused_at=exported.paused_at)
        )
        waiting = (_d.c.kind == DeliveryKind.CONFIRMATION.value) & (_d.c.subject_id == row.id)
        await connection.execute(delete(_d).where(waiting, _d.c.state == DeliveryState.PENDING.value))
    after = SubscriptionState(
        canonical=exported.words,
        is_paused=exported.paused_at is not None,
        criteria=parse_stored_criteria(exported.words),
    )
    return ChangeRecord(subscription_id=subscription_id, number=number, before=None, after=after)


async def _choose_number(
    connection: AsyncConnection,
    channel_ref: ChannelRef,
    exported: ExportedSubscription,
    last: int,
    beyond: int,
) -> int:
    """Return its number in the export if no other subscription had it here; otherwise the next number."""
    wanted = exported.number
    if wanted is not None and not await is_former_subscription_number(connection, channel_ref, wanted):
        taken = select(_s.c.id).where(in_channel(_s, channel_ref), _s.c.number == wanted)
        free = (await connection.execute(taken)).first() is None
        if free and (
            wanted > last or await last_canonical_of_number(connection, channel_ref, wanted) == exported.words
        ):
            await reserve_subscription_number(connection, channel_ref, wanted)
            return wanted
    return await allocate_subscription_number(connection, channel_ref, beyond=beyond)
