"""`/gwevent plan SITE [N | M minutes | until dawn] [EVENT]`: what a telescope points at this night."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.galaxies import ProvideMarkedImage
from bot.commands.plan_request import read_plan_request
from bot.observing.footprints import outlines
from bot.skymap_service.image_process import ImageFailed
from bot.skymap_service.pointings import MAX_AGE, PlanTakesTooLong, PointingService
from bot.store.channels.sites import SiteRepository
from formatters.answers import help as helping
from formatters.answers import plan as answers
from formatters.answers import plan_export
from formatters.blockkit.message import Message
from formatters.models.event_plan import EventPlan
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import name_without_retraction, status_labels
from formatters.posts.channel_view import ImageRef
from formatters.skymap_image import DrawnField, Marks

PLAN_NEEDS_CHANNEL = "Telescopes belong to a channel: type this in Slack."
IMAGE_TIMEOUT_S = 15.0
"""For the picture; the table doesn't wait for it any longer."""
EXPORTED_PLAN_MAX_AGE = timedelta(minutes=15)
"""An export repeats the plan that the person saw, if it isn't older."""
_EDGE_POINTS, _FEW_POLYGONS = 6, 4


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
        request, export = await asyncio.to_thread(read_plan_request, arguments, own)
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
        return f"{name_without_retraction(superevent)} was retracted: there is nothing to observe."
    if superevent.latest_with_map is None:
        return f"{_name(superevent)} has no sky map, so nobody can say where to look."
    return None


def _name(superevent: Superevent) -> str:
    return " ".join([*status_labels(superevent), superevent.superevent_id])
