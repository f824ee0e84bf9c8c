"""`/gwevent plan SITE [N | M minutes | until dawn] [EVENT]`: what a telescope points at this night."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.galaxies import ProvideMarkedImage
from bot.commands.plan_words import EXAMPLES, PlanWords, parse_plan_words
from bot.commands.sites import parse_site_names
from bot.observing.footprints import outlines
from bot.observing.observatories import find_own_site
from bot.skymap_service.image_process import ImageFailed
from bot.skymap_service.pointings import MAX_AGE, PlanTakesTooLong, PointingService
from bot.store.channels.sites import SiteRepository
from formatters.answers import help as helping
from formatters.answers import plan as answers
from formatters.answers import plan_export
from formatters.blockkit.message import Message
from formatters.models.event_plan import EventPlan, PlanRequest
from formatters.models.observing import ChannelSites, Site
from formatters.models.pointing import Telescope
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import ImageRef, status_labels
from formatters.skymap_image import DrawnField, Marks
from formatters.text import quantities

PLAN_NEEDS_CHANNEL = "Telescopes belong to a channel: type this in Slack."
IMAGE_TIMEOUT_S = 15.0
"""For the picture; the table doesn't wait for it any longer."""
EXPORTED_PLAN_MAX_AGE = timedelta(minutes=15)
"""An export repeats the plan that the person saw, if it isn't older."""
_EDGE_POINTS, _FEW_POLYGONS = 6, 4
_FOV_EXAMPLE = "fov 1.1deg circle exposure 3min overhead 1min"


class PlanCommand:
    """Answers `plan`."""

    def __init__(
        self,
        service: PointingService,
        sites: SiteRepository,
        clock: Callable[[], datetime],
        image_provider: ProvideMarkedImage | None = None,
    ) -> None:
        """Without `image_provider` plans have no picture."""
        self._service = service
        self._sites = sites
        self._clock = clock
        self._image_provider = image_provider

    async def answer(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Return the plan for a telescope of the channel. Raises CommandError, StoreUnavailable."""
        if context is None:
            raise CommandError(PLAN_NEEDS_CHANNEL)
        own = await self._sites.for_channel(*context.channel)
        # In a thread: names are compared with all that are known, which takes tenths of a second.
        request, export = await asyncio.to_thread(_read_request, arguments, own)
        refusal = _refusal(superevent)
        if refusal is not None:
            return helping.error_message(refusal)
        max_age = MAX_AGE if export is None else EXPORTED_PLAN_MAX_AGE
        try:
            made = await self._service.plan(superevent, request, self._clock(), max_age)
        except PlanTakesTooLong:
            return helping.error_message(
                "That plan took too long and was given up; fewer fields take less time:"
                f" /gwevent plan {request.site.name} 10."
            )
        if made is None:
            return helping.error_message(f"The sky map of {_name(superevent)} isn't kept any more.")
        if export is not None and made.nothing is None:
            write = plan_export.json_message if export == "json" else plan_export.csv_message
            return write(superevent, made)
        image, problem = await self._picture(superevent, made, context.team_id)
        return answers.message(
            answers.PlanAnswer(superevent=superevent, plan=made, image=image, no_image=problem)
        )

    async def _picture(
        self, superevent: Superevent, made: EventPlan, team_id: str
    ) -> tuple[ImageRef | None, str | None]:
        """Return the picture, or else the sentence why there is none."""
        if self._image_provider is None or made.nothing is not None:
            return None, None
        try:
            async with asyncio.timeout(IMAGE_TIMEOUT_S):
                marks = await asyncio.to_thread(_marks, made)
                return await self._image_provider(team_id, superevent, made.notice, marks), None
        except ImageFailed as failure:
            return None, f"Without a picture: {failure.reason}"
        except TimeoutError:
            return None, "Without a picture: drawing it took too long. Ask again for it."


def _marks(made: EventPlan) -> Marks:
    """Return the plan's fields as they are drawn."""
    footprint = made.request.telescope.footprint
    # A camera of many detectors: its shape shows without points along each edge.
    points = _EDGE_POINTS if len(footprint.polygons) <= _FEW_POLYGONS else 1
    fields = tuple(
        DrawnField(
            ra=one.ra % 360,
            dec=one.dec,
            number=one.number,
            outlines=tuple(
                tuple(zip(ra.tolist(), dec.tolist(), strict=True))
                for ra, dec in outlines(footprint, one.ra, one.dec, points)
            ),
        )
        for one in made.plan.pointings
    )
    return Marks(title=answers.picture_title(made), fields=fields)


def _refusal(superevent: Superevent) -> str | None:
    """Return why nothing is planned for an event; None if there is something to plan."""
    if superevent.is_retracted:
        return f"{_name(superevent)} was retracted: there is nothing to observe."
    if superevent.latest_with_map is None:
        return f"{_name(superevent)} has no sky map, so nobody can say where to look."
    return None


def _name(superevent: Superevent) -> str:
    return " ".join([*status_labels(superevent), superevent.superevent_id])


def _read_request(arguments: str, own: ChannelSites) -> tuple[PlanRequest, str | None]:
    """Return what is to be planned, and the format to export it in if any. Raises CommandError."""
    words = parse_plan_words(arguments, own.sites)
    if words.unknown:
        raise CommandError(_unknown_words(words, own))
    site, telescope = _find_telescope(words, own)
    if words.duration is not None and words.duration < telescope.exposure:
        raise CommandError(
            f"One field takes {quantities.duration_text(telescope.exposure)} at {site.name}:"
            " the time that you give is shorter."
        )
    request = PlanRequest(
        site=site,
        telescope=telescope,
        constraints=own.constraints,
        count=words.count,
        duration=words.duration,
    )
    return request, words.export


def _find_telescope(words: PlanWords, own: ChannelSites) -> tuple[Site, Telescope]:
    """Return the telescope that is named, else the channel's only one, with its site. Raises CommandError."""
    telescopes = {
        site: one for one in own.telescopes if (site := find_own_site(one.site, own.sites)) is not None
    }
    if words.site is not None:
        if words.site not in telescopes:
            raise CommandError(_no_field_of_view(words.site.name, telescopes))
        return words.site, telescopes[words.site]
    if not telescopes:
        name = own.sites[0].name if own.sites else "Palomar"
        raise CommandError(
            "No site of this channel has a field of view yet; to give it one:"
            f" /gwevent sites add {name} {_FOV_EXAMPLE}."
        )
    if len(telescopes) > 1:
        names = [site.name for site in telescopes]
        raise CommandError(f"Which telescope, {_either(names)}? For example: /gwevent plan {names[0]}.")
    return next(iter(telescopes.items()))


def _unknown_words(words: PlanWords, own: ChannelSites) -> str:
    """Return the sentence about words that aren't of `plan`: a site that isn't the channel's, or none."""
    try:
        named = parse_site_names(words.unknown, own.sites)
    except CommandError as error:
        here = [one.site for one in own.telescopes]
        which = f" This channel's telescopes: {', '.join(here)}." if here else ""
        return f"{error}{which} A plan reads like this: {EXAMPLES}."
    name = named[0].name if named else words.unknown[:40]
    return _no_field_of_view(name, [one for one in own.sites if _has_telescope(one, own)])


def _has_telescope(site: Site, own: ChannelSites) -> bool:
    return any(find_own_site(one.site, [site]) is not None for one in own.telescopes)


def _no_field_of_view(name: str, others: Iterable[Site]) -> str:
    """Return that a site has none, how to give it one, and which `others` of the channel have one."""
    known = ", ".join(site.name for site in others)
    with_one = f" With one: {known}." if known else ""
    return (
        f"{name} has no field of view in this channel; to give it one:"
        f" /gwevent sites add {name} {_FOV_EXAMPLE}.{with_one}"
    )


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
