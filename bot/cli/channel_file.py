"""The JSON file of `gwevent export` and `gwevent import`: subscriptions, sites and criteria sets."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from bot.cli.telescope_in_file import FileTelescope
from bot.commands.sites import ALTITUDE_LIMITS, DARKNESS_LIMITS
from bot.criteria.parsing import parse_grades
from bot.filters import parse_criteria
from bot.observing.observatories import normalized_name
from bot.observing.places import MAX_HEIGHT_M, MIN_HEIGHT_M
from bot.observing.site_references import resolve_site
from bot.store.channels.bulk_transfer import Export, ExportedChannel, ExportedSubscription
from bot.store.channels.criteria_sets import StoredCriteriaSet
from bot.store.channels.telescope_rows import telescope_to_json
from formatters.models.channel_change import BY_IMPORT
from formatters.models.criteria_set import SLUG, SLUG_MAX, CriteriaSet
from formatters.models.observing import SITE_NAME_MAX, SITES_MAX, ChannelSites, ObservingConstraints, Site

FORMAT_VERSION = 1
MAX_SUBSCRIPTION_NUMBER = 1_000_000_000
"""Largest number of a subscription in its channel; it fits the database's integer."""
_MAX_REPORTED_ERRORS = 3
"""Number of errors of a file that are reported."""


class InvalidExportFile(ValueError):
    """A file that `gwevent export` did not write. The text says why, without a full stop."""


def _canonical_criteria(words: str) -> str:
    return parse_criteria(words, resolve_site).canonical


def _canonical_grades(text: str) -> str:
    return CriteriaSet(slug="", grades=parse_grades(text, resolve_site)).canonical


def _validate_time_zone(name: str | None) -> str | None:
    try:
        return name if name is None or ZoneInfo(name) else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'"{name}" is no time zone') from error


def _validate_site_name(name: str) -> str:
    if not normalized_name(name):
        raise ValueError("a site's name needs a letter or a digit")
    return name


class _StrictModel(BaseModel):
    # An unknown key was meant to have an effect, so it is refused.
    model_config = ConfigDict(extra="forbid", frozen=True)


_Author = Annotated[str, StringConstraints(pattern=rf"^(?:[UWB][A-Z0-9]{{1,31}}|{BY_IMPORT})$")]


class _Subscription(_StrictModel):
    words: Annotated[str, AfterValidator(_canonical_criteria)]
    created_by: Annotated[str, StringConstraints(pattern=r"^[UWB][A-Z0-9]{1,31}$")]
    created_at: AwareDatetime
    paused_at: AwareDatetime | None = None
    number: Annotated[int | None, Field(ge=1, le=MAX_SUBSCRIPTION_NUMBER)] = None


class _Site(_StrictModel):
    name: Annotated[str, StringConstraints(max_length=SITE_NAME_MAX), AfterValidator(_validate_site_name)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    height: Annotated[float, Field(ge=MIN_HEIGHT_M, le=MAX_HEIGHT_M)]
    radio: bool = False
    zone: Annotated[str | None, AfterValidator(_validate_time_zone)] = None


class _Constraints(_StrictModel):
    altitude: Annotated[float, Field(ge=ALTITUDE_LIMITS[0], le=ALTITUDE_LIMITS[1])]
    darkness: Annotated[float, Field(ge=DARKNESS_LIMITS[0], le=DARKNESS_LIMITS[1])]


class _Channel(_StrictModel):
    team: Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{1,31}$")]
    channel: Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{1,31}$")]
    subscriptions: tuple[_Subscription, ...] = ()
    sites: Annotated[tuple[_Site, ...], Field(max_length=SITES_MAX)] = ()
    telescopes: Annotated[tuple[FileTelescope, ...], Field(max_length=SITES_MAX)] = ()
    conditions: _Constraints | None = None
    last_number: Annotated[int, Field(ge=0, le=MAX_SUBSCRIPTION_NUMBER)] = 0

    @model_validator(mode="after")
    def _telescopes_have_sites(self) -> Self:
        known = {normalized_name(site.name) for site in self.sites}
        for telescope in self.telescopes:
            if normalized_name(telescope.site) not in known:
                raise ValueError(f'there is no site "{telescope.site}" for a telescope')
        return self


class _CriteriaSet(_StrictModel):
    team: Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{1,31}$")]
    name: Annotated[str, StringConstraints(max_length=SLUG_MAX, pattern=rf"^{SLUG.pattern}$")]
    grades: Annotated[str, AfterValidator(_canonical_grades)]
    created_by: _Author
    created_at: AwareDatetime
    changed_by: _Author
    changed_at: AwareDatetime


class _Export(_StrictModel):
    gwevent_export: Literal[1]
    channels: tuple[_Channel, ...]
    criteria_sets: tuple[_CriteriaSet, ...] = ()


def dumps(given: Export) -> str:
    """Return the text of the file. It identifies people and channels by Slack's ids only."""
    rows: dict[str, object] = {
        "gwevent_export": FORMAT_VERSION,
        "channels": [_channel_to_json(channel) for channel in given.channels],
    }
    if given.criteria_sets:
        rows["criteria_sets"] = [_set_to_json(team_id, one) for team_id, one in given.criteria_sets]
    return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"


def _set_to_json(team_id: str, stored: StoredCriteriaSet) -> dict[str, object]:
    return {
        "team": team_id,
        "name": stored.set.slug,
        "grades": stored.set.canonical,
        "created_by": stored.created_by,
        "created_at": stored.created_at.isoformat(),
        "changed_by": stored.changed_by,
        "changed_at": stored.changed_at.isoformat(),
    }


def _channel_to_json(channel: ExportedChannel) -> dict[str, object]:
    row: dict[str, object] = {"team": channel.team_id, "channel": channel.channel_id}
    if channel.subscriptions:
        row["subscriptions"] = [
            {
                "words": subscription.words,
                "created_by": subscription.created_by,
                "created_at": subscription.created_at.isoformat(),
                **(
                    {}
                    if subscription.paused_at is None
                    else {"paused_at": subscription.paused_at.isoformat()}
                ),
                **({} if subscription.number is None else {"number": subscription.number}),
            }
            for subscription in channel.subscriptions
        ]
    if channel.sites.sites:
        row["sites"] = [asdict(site) for site in channel.sites.sites]
    if channel.sites.telescopes:
        row["telescopes"] = [telescope_to_json(one) for one in channel.sites.telescopes]
    if channel.sites.constraints != ObservingConstraints():
        row["conditions"] = asdict(channel.sites.constraints)
    if channel.last_number:
        row["last_number"] = channel.last_number
    return row


def loads(text: str) -> Export:
    """Parse the text of a file. Raises InvalidExportFile."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidExportFile("it isn't JSON") from error
    if not isinstance(given, dict) or "gwevent_export" not in given:
        raise InvalidExportFile("it isn't what gwevent export writes")
    if given["gwevent_export"] != FORMAT_VERSION:
        raise InvalidExportFile(f"another gwevent wrote it: its form isn't {FORMAT_VERSION}")
    try:
        export = _Export.model_validate(given)
    except ValidationError as error:
        raise InvalidExportFile(_describe_errors(error)) from error
    return Export(
        channels=tuple(_channel_from_model(row) for row in export.channels),
        criteria_sets=tuple((row.team, _set_from_model(row)) for row in export.criteria_sets),
    )


def _set_from_model(row: _CriteriaSet) -> StoredCriteriaSet:
    return StoredCriteriaSet(
        set=CriteriaSet(slug=row.name, grades=parse_grades(row.grades)),
        created_by=row.created_by,
        created_at=row.created_at,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )


def _channel_from_model(row: _Channel) -> ExportedChannel:
    conditions = (
        ObservingConstraints()
        if row.conditions is None
        else ObservingConstraints(**row.conditions.model_dump())
    )
    return ExportedChannel(
        team_id=row.team,
        channel_id=row.channel,
        subscriptions=tuple(ExportedSubscription(**one.model_dump()) for one in row.subscriptions),
        sites=ChannelSites(
            sites=tuple(Site(**one.model_dump()) for one in row.sites),
            constraints=conditions,
            telescopes=tuple(one.telescope() for one in row.telescopes),
        ),
        last_number=row.last_number,
    )


def _describe_errors(error: ValidationError) -> str:
    """Return the first errors, each with its path: "channels[0].subscriptions[1].words: …"."""
    errors = error.errors()
    described = []
    for detail in errors[:_MAX_REPORTED_ERRORS]:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ").rstrip(".")
        described.append(f"{path.removeprefix('.')}: {message}")
    more = len(errors) - len(described)
    return "; ".join([*described, *([f"and {more} more faults"] if more else [])])
