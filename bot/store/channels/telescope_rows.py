"""Rows of the telescopes at channels' sites, and their form as JSON in rows and in the log of changes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.observing.observatories import normalized_name
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from formatters.models.observing import Site
from formatters.models.pointing import Footprint, Telescope

_t = schema.channel_telescopes


async def set_telescopes(
    connection: AsyncConnection, channel_ref: ChannelRef, telescopes: Sequence[Telescope]
) -> None:
    """Set the telescopes at these sites of a channel; those at other sites stay."""
    for telescope in telescopes:
        await remove_telescope(connection, channel_ref, telescope.site)
        row = {
            "team_id": channel_ref[0],
            "channel_id": channel_ref[1],
            "folded": normalized_name(telescope.site),
            "words": telescope.footprint.words,
            "shape": json.dumps(_shape(telescope.footprint)),
            "exposure_s": telescope.exposure.total_seconds(),
            "overhead_s": telescope.overhead.total_seconds(),
        }
        await connection.execute(insert(_t).values(row))


async def remove_telescope(connection: AsyncConnection, channel_ref: ChannelRef, site: str) -> None:
    """Remove the telescope at a site of this name, if there is one."""
    here = in_channel(_t, channel_ref) & (_t.c.folded == normalized_name(site))
    await connection.execute(delete(_t).where(here))


async def load_telescopes(
    connection: AsyncConnection, where: ColumnElement[bool], sites: Mapping[ChannelRef, Sequence[Site]]
) -> dict[ChannelRef, tuple[Telescope, ...]]:
    """Return the channels' telescopes in the order of their sites.

    Rows without a site, which an older gwevent leaves when it removes one, and rows in a form that only a
    later gwevent reads, are left out.
    """
    rows: defaultdict[ChannelRef, dict[str, Any]] = defaultdict(dict)
    for row in (await connection.execute(select(_t).where(where))).all():
        rows[row.team_id, row.channel_id][row.folded] = row
    found = {}
    for channel_ref, by_site in rows.items():
        pairs = [(site.name, by_site.get(normalized_name(site.name))) for site in sites.get(channel_ref, ())]
        telescopes = [_telescope_from_row(site, row) for site, row in pairs if row is not None]
        found[channel_ref] = tuple(one for one in telescopes if one is not None)
    return found


def telescope_to_json(telescope: Telescope) -> dict[str, object]:
    """Return a telescope as values of JSON."""
    return {
        "site": telescope.site,
        "words": telescope.footprint.words,
        "shape": _shape(telescope.footprint),
        "exposure_s": telescope.exposure.total_seconds(),
        "overhead_s": telescope.overhead.total_seconds(),
    }


def telescope_from_json(values: Mapping[str, Any]) -> Telescope | None:
    """Return the telescope of `telescope_to_json`; None for a form that only a later gwevent reads."""
    try:
        shape = values["shape"]
        footprint = Footprint(
            polygons=tuple(
                tuple((float(x), float(y)) for x, y in polygon) for polygon in shape.get("polygons", ())
            ),
            radius=None if shape.get("radius") is None else float(shape["radius"]),
            area=float(shape["area"]),
            words=str(values["words"]),
        )
        telescope = Telescope(
            site=str(values["site"]),
            footprint=footprint,
            exposure=timedelta(seconds=values["exposure_s"]),
            overhead=timedelta(seconds=values["overhead_s"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    return telescope if footprint.polygons or footprint.radius is not None else None


def _telescope_from_row(site: str, row: Any) -> Telescope | None:
    try:
        shape = json.loads(row.shape)
    except ValueError:
        return None
    values = {"site": site, "words": row.words, "shape": shape}
    return telescope_from_json(values | {"exposure_s": row.exposure_s, "overhead_s": row.overhead_s})


def _shape(footprint: Footprint) -> dict[str, object]:
    if footprint.radius is not None:
        return {"radius": footprint.radius, "area": footprint.area}
    return {"polygons": footprint.polygons, "area": footprint.area}
