"""Repository of channels' sites, the telescopes there, and observing conditions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy import ColumnElement, delete, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.observing.observatories import normalized_name
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.change_log import ChangeAuthor, ChangeRecord, record_changes
from bot.store.channels.clauses import in_channel
from bot.store.channels.telescope_rows import load_telescopes, remove_telescope, set_telescopes
from bot.store.database import Database
from formatters.models.observing import SITES_MAX, ChannelSites, ObservingConstraints, Site
from formatters.models.pointing import Telescope

FixedFields = tuple[tuple[float, float], ...]
"""Centres of fields, RA and Dec in ICRS degrees."""

_s = schema.channel_sites
_c = schema.channel_conditions
_t = schema.channel_telescopes


class TooManySites(ValueError):
    """The channel would have more sites than `SITES_MAX`."""


def _no_fixed_fields(_instrument: str) -> FixedFields:
    return ()


class SiteRepository:
    """Stores sites and conditions with the posts about their changes. All methods raise StoreUnavailable."""

    def __init__(
        self, database: Database, fixed_fields: Callable[[str], FixedFields] = _no_fixed_fields
    ) -> None:
        """`fixed_fields` gives the centres that an instrument may point at, by its name; none: anywhere."""
        self._database = database
        self._fixed_fields = fixed_fields

    async def for_channel(self, team_id: str, channel_id: str) -> ChannelSites:
        """Return a channel's sites and conditions; no sites and the default conditions if it set none."""
        channel_ref = (team_id, channel_id)
        return (await self.for_channels([channel_ref])).get(channel_ref, ChannelSites())

    async def for_channels(self, channel_refs: Collection[ChannelRef]) -> dict[ChannelRef, ChannelSites]:
        """Return the sites and conditions of these channels; those that set none are left out."""
        teams, channels = {team for team, _ in channel_refs}, {channel for _, channel in channel_refs}
        async with self._database.read_transaction() as connection:
            found = await _load_channels(connection, teams, channels)
        return {channel: self._with_fixed_fields(sites) for channel, sites in found.items()}

    def _with_fixed_fields(self, sites: ChannelSites) -> ChannelSites:
        """Return sites with the fixed fields of the instruments there, which aren't stored."""
        telescopes = tuple(
            replace(one, fixed_fields=fields) if (fields := self._fixed_fields(one.footprint.words)) else one
            for one in sites.telescopes
        )
        return sites if telescopes == sites.telescopes else replace(sites, telescopes=telescopes)

    async def telescopes(self, channel: ChannelRef) -> tuple[Telescope, ...]:
        """Return a channel's telescopes in the order of their sites, at most one at each.

        `Telescope.site` is the name of one of the channel's sites: `find_own_site(telescope.site, sites)`.
        """
        return (await self.for_channel(*channel)).telescopes

    async def add(
        self,
        team_id: str,
        channel_id: str,
        sites: Sequence[Site],
        by: ChangeAuthor,
        telescopes: Sequence[Telescope] = (),
    ) -> ChannelSites:
        """Add sites to a channel, and the telescopes there; return the sites after that.

        A site with an existing name replaces that, and keeps its telescope unless it gets another one.

        Raises TooManySites: then none was added.
        """
        channel_ref = (team_id, channel_id)
        async with (
            self._database.exclusive_transaction() as connection,
            recording_changes(connection, channel_ref, by),
        ):
            await add_sites(connection, channel_ref, sites)
            await set_telescopes(connection, channel_ref, telescopes)
            return await _load_channel(connection, team_id, channel_id)

    async def remove(self, team_id: str, channel_id: str, name: str, by: ChangeAuthor) -> ChannelSites:
        """Remove a site of a channel by its name there, with its telescope; return the sites after that."""
        in_this_channel = in_channel(_s, (team_id, channel_id))
        async with (
            self._database.exclusive_transaction() as connection,
            recording_changes(connection, (team_id, channel_id), by),
        ):
            await connection.execute(delete(_s).where(in_this_channel, _s.c.folded == normalized_name(name)))
            await remove_telescope(connection, (team_id, channel_id), name)
            return await _load_channel(connection, team_id, channel_id)

    async def remove_telescope(
        self, team_id: str, channel_id: str, site: str, by: ChangeAuthor
    ) -> ChannelSites:
        """Remove the telescope at a site of a channel, which stays; return the sites after that."""
        channel_ref = (team_id, channel_id)
        async with (
            self._database.exclusive_transaction() as connection,
            recording_changes(connection, channel_ref, by),
        ):
            await remove_telescope(connection, channel_ref, site)
            return await _load_channel(connection, team_id, channel_id)

    async def set_conditions(
        self, team_id: str, channel_id: str, conditions: ObservingConstraints, by: ChangeAuthor
    ) -> ChannelSites:
        """Set a channel's observing conditions; return its sites and conditions after that."""
        channel_ref = (team_id, channel_id)
        async with (
            self._database.exclusive_transaction() as connection,
            recording_changes(connection, channel_ref, by),
        ):
            await set_conditions(connection, channel_ref, conditions)
            return await _load_channel(connection, team_id, channel_id)


@asynccontextmanager
async def recording_changes(
    connection: AsyncConnection, channel_ref: ChannelRef, by: ChangeAuthor
) -> AsyncIterator[None]:
    """Record, and plan the post about, what the block changes in a channel's sites and conditions."""
    before = await _load_channel(connection, *channel_ref)
    yield
    after = await _load_channel(connection, *channel_ref)
    if after != before:
        await record_changes(connection, channel_ref, by, [ChangeRecord(before=before, after=after)])


async def add_sites(connection: AsyncConnection, channel_ref: ChannelRef, sites: Sequence[Site]) -> None:
    """Add sites to a channel; one with an existing name replaces it.

    Raises TooManySites: then the caller must roll back.
    """
    in_this_channel = in_channel(_s, channel_ref)
    present = (await connection.execute(select(_s.c.folded, _s.c.ordinal).where(in_this_channel))).all()
    known = {row.folded: row.ordinal for row in present}
    for site in sites:
        key = normalized_name(site.name)
        if key in known:
            await connection.execute(
                update(_s).where(in_this_channel, _s.c.folded == key).values(_site_columns(site))
            )
            continue
        # An older gwevent removes a site without its telescope.
        await remove_telescope(connection, channel_ref, site.name)
        known[key] = max(known.values(), default=0) + 1
        named = {
            "team_id": channel_ref[0],
            "channel_id": channel_ref[1],
            "folded": key,
            "ordinal": known[key],
        }
        await connection.execute(insert(_s).values({**named, **_site_columns(site)}))
    if len(known) > SITES_MAX:
        raise TooManySites


async def set_conditions(
    connection: AsyncConnection, channel_ref: ChannelRef, conditions: ObservingConstraints
) -> None:
    """Set a channel's observing conditions."""
    in_this_channel = in_channel(_c, channel_ref)
    row = {"altitude": conditions.altitude, "darkness": conditions.darkness}
    changed = await connection.execute(update(_c).where(in_this_channel).values(row))
    if not changed.rowcount:
        named = {"team_id": channel_ref[0], "channel_id": channel_ref[1]}
        await connection.execute(insert(_c).values({**named, **row}))


def _site_columns(site: Site) -> dict[str, object]:
    return {
        "name": site.name,
        "latitude": site.latitude,
        "longitude": site.longitude,
        "height": site.height,
        "radio": site.radio,
        "zone": site.zone,
    }


async def _load_channel(connection: AsyncConnection, team_id: str, channel_id: str) -> ChannelSites:
    found = await _load_channels(connection, {team_id}, {channel_id})
    return found.get((team_id, channel_id), ChannelSites())


async def load_all_sites(connection: AsyncConnection) -> dict[ChannelRef, ChannelSites]:
    """Return the sites and conditions of all channels that set any."""
    return await _load_sites(connection, true(), true(), true())


async def _load_channels(
    connection: AsyncConnection, teams: Collection[str], channels: Collection[str]
) -> dict[ChannelRef, ChannelSites]:
    return await _load_sites(
        connection,
        _s.c.team_id.in_(teams) & _s.c.channel_id.in_(channels),
        _c.c.team_id.in_(teams) & _c.c.channel_id.in_(channels),
        _t.c.team_id.in_(teams) & _t.c.channel_id.in_(channels),
    )


async def _load_sites(
    connection: AsyncConnection,
    sites_where: ColumnElement[bool],
    conditions_where: ColumnElement[bool],
    telescopes_where: ColumnElement[bool],
) -> dict[ChannelRef, ChannelSites]:
    query = select(_s).where(sites_where)
    sites: defaultdict[ChannelRef, list[Site]] = defaultdict(list)
    for row in (await connection.execute(query.order_by(_s.c.ordinal, _s.c.folded))).all():
        sites[row.team_id, row.channel_id].append(
            Site(
                name=row.name,
                latitude=row.latitude,
                longitude=row.longitude,
                height=row.height,
                radio=row.radio,
                zone=row.zone,
            )
        )
    chosen = select(_c).where(conditions_where)
    conditions = {
        (row.team_id, row.channel_id): ObservingConstraints(altitude=row.altitude, darkness=row.darkness)
        for row in (await connection.execute(chosen)).all()
    }
    telescopes = await load_telescopes(connection, telescopes_where, sites)
    return {
        channel_ref: ChannelSites(
            sites=tuple(sites.get(channel_ref, ())),
            constraints=conditions.get(channel_ref, ObservingConstraints()),
            telescopes=telescopes.get(channel_ref, ()),
        )
        for channel_ref in sites.keys() | conditions.keys()
    }
