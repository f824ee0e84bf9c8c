"""What channels asked for as a JSON file, for another database: `gwevent export`, `gwevent import`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from bot.commands.visible import ALTITUDES, DARKNESS, HIGHEST, LOWEST
from bot.filters import parse
from bot.observing.observatories import canonical_site_name, folded
from bot.store.channels.bulk_transfer import ExportedChannel, ExportedSubscription
from formatters.models.observing import SITE_NAME_MAX, SITES_MAX, ChannelSites, ObservingConstraints, Site

VERSION = 1
NUMBER_MAX = 1_000_000_000
"""Of a subscription in its channel; the database's own integer ends above it."""
_SHOWN = 3
"""Faults of a file that are told at once."""


class InvalidExportFile(ValueError):
    """It is no file that `gwevent export` wrote; its text says why, without a full stop."""


def _canonical(words: str) -> str:
    return parse(words, canonical_site_name).canonical


def _zone(name: str | None) -> str | None:
    try:
        return name if name is None or ZoneInfo(name) else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'"{name}" is no time zone') from error


def _named(name: str) -> str:
    if not folded(name):
        raise ValueError("a site's name needs a letter or a digit")
    return name


class _Strict(BaseModel):
    # What isn't known here was meant to do something.
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Subscription(_Strict):
    words: Annotated[str, AfterValidator(_canonical)]
    created_by: Annotated[str, StringConstraints(pattern=r"^[UWB][A-Z0-9]{1,31}$")]
    created_at: AwareDatetime
    paused_at: AwareDatetime | None = None
    number: Annotated[int | None, Field(ge=1, le=NUMBER_MAX)] = None


class _Site(_Strict):
    name: Annotated[str, StringConstraints(max_length=SITE_NAME_MAX), AfterValidator(_named)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    height: Annotated[float, Field(ge=LOWEST, le=HIGHEST)]
    radio: bool = False
    zone: Annotated[str | None, AfterValidator(_zone)] = None


class _Conditions(_Strict):
    altitude: Annotated[float, Field(ge=ALTITUDES[0], le=ALTITUDES[1])]
    darkness: Annotated[float, Field(ge=DARKNESS[0], le=DARKNESS[1])]


class _Channel(_Strict):
    team: Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{1,31}$")]
    channel: Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{1,31}$")]
    subscriptions: tuple[_Subscription, ...] = ()
    sites: Annotated[tuple[_Site, ...], Field(max_length=SITES_MAX)] = ()
    conditions: _Conditions | None = None
    last_number: Annotated[int, Field(ge=0, le=NUMBER_MAX)] = 0


class _Export(_Strict):
    gwevent_export: Literal[1]
    channels: tuple[_Channel, ...]


def write(channels: Sequence[ExportedChannel]) -> str:
    """The file's text. Of people and channels there is nothing in it but Slack's ids."""
    rows = [_row(channel) for channel in channels]
    return json.dumps({"gwevent_export": VERSION, "channels": rows}, ensure_ascii=False, indent=2) + "\n"


def _row(channel: ExportedChannel) -> dict[str, object]:
    row: dict[str, object] = {"team": channel.team_id, "channel": channel.channel_id}
    if channel.subscriptions:
        row["subscriptions"] = [
            {
                "words": asked.words,
                "created_by": asked.created_by,
                "created_at": asked.created_at.isoformat(),
                **({} if asked.paused_at is None else {"paused_at": asked.paused_at.isoformat()}),
                **({} if asked.number is None else {"number": asked.number}),
            }
            for asked in channel.subscriptions
        ]
    if channel.sites.sites:
        row["sites"] = [asdict(site) for site in channel.sites.sites]
    if channel.sites.conditions != ObservingConstraints():
        row["conditions"] = asdict(channel.sites.conditions)
    if channel.last_number:
        row["last_number"] = channel.last_number
    return row


def read(text: str) -> list[ExportedChannel]:
    """The channels of a file's text. Raises InvalidExportFile."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidExportFile("it isn't JSON") from error
    if not isinstance(given, dict) or "gwevent_export" not in given:
        raise InvalidExportFile("it isn't what gwevent export writes")
    if given["gwevent_export"] != VERSION:
        raise InvalidExportFile(f"another gwevent wrote it: its form isn't {VERSION}")
    try:
        export = _Export.model_validate(given)
    except ValidationError as error:
        raise InvalidExportFile(_faults(error)) from error
    return [_channel(row) for row in export.channels]


def _channel(row: _Channel) -> ExportedChannel:
    conditions = (
        ObservingConstraints()
        if row.conditions is None
        else ObservingConstraints(**row.conditions.model_dump())
    )
    return ExportedChannel(
        team_id=row.team,
        channel_id=row.channel,
        subscriptions=tuple(ExportedSubscription(**one.model_dump()) for one in row.subscriptions),
        sites=ChannelSites(sites=tuple(Site(**one.model_dump()) for one in row.sites), conditions=conditions),
        last_number=row.last_number,
    )


def _faults(error: ValidationError) -> str:
    """The first faults, each with its place: "channels[0].subscriptions[1].words: …"."""
    faults = error.errors()
    said = []
    for fault in faults[:_SHOWN]:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
        what = fault["msg"].removeprefix("Value error, ").rstrip(".")
        said.append(f"{place.removeprefix('.')}: {what}")
    more = len(faults) - len(said)
    return "; ".join([*said, *([f"and {more} more faults"] if more else [])])
