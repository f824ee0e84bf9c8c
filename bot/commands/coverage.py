"""`/gwevent coverage [EVENT] [export csv|json]`: who has looked where, and what sky nobody has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from bot.commands.context import CommandContext
from bot.commands.coverage_words import read_coverage_words
from bot.commands.errors import CommandError
from bot.commands.galaxies import ProvideMarkedImage
from bot.observing.field_regions import is_on_sky
from bot.observing.footprints import outlines, simplified, turned
from bot.skymap_service.coverage import CoverageService, CoverageTakesTooLong
from bot.skymap_service.image_process import ImageFailed
from formatters.answers import coverage as answers
from formatters.answers import coverage_export
from formatters.answers import help as helping
from formatters.answers.event_details import MAX_CODE_CHARS
from formatters.blockkit.message import Message
from formatters.models.coverage import CoveredObservation, EventCoverage
from formatters.models.notice import Category
from formatters.models.observation import ObservationStatus, ObservedField
from formatters.models.pointing import Footprint
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ImageRef
from formatters.skymap_image import DrawnField, Marks

COVERAGE_NEEDS_CHANNEL = "Observations belong to a channel: type this in Slack."
IMAGE_TIMEOUT_S = 15.0
"""For the picture; the words don't wait for it any longer."""
MAX_DRAWN = 600
"""Fields in the picture: more are a smear, and take long to draw."""
_EDGE_POINTS, _FEW_POLYGONS = 6, 4


class TreasureMapQuestions(Protocol):
    """The part of `bot.store.events.treasure_map.TreasureMapRepository` that this command needs."""

    @property
    def is_read(self) -> bool:
        """True if this deployment reads the Treasure Map."""
        ...

    async def ask(self, superevent_id: str, now: datetime) -> None:
        """Request that an event is read soon, because somebody asks for it."""
        ...


class CoverageCommand:
    """Answers `coverage`."""

    def __init__(
        self,
        service: CoverageService,
        treasure_map: TreasureMapQuestions,
        clock: Callable[[], datetime],
        image_provider: ProvideMarkedImage | None = None,
    ) -> None:
        """Without `image_provider` answers have no picture."""
        self._service = service
        self._treasure_map = treasure_map
        self._clock = clock
        self._image_provider = image_provider

    async def answer(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Return the answer about the coverage of an event. Raises CommandError, StoreUnavailable."""
        export = read_coverage_words(arguments)
        if context is None:
            raise CommandError(COVERAGE_NEEDS_CHANNEL)
        now = self._clock()
        is_real = superevent.category is Category.REAL
        if self._treasure_map.is_read and is_real:
            # An event that is no longer young is read only when somebody asks; this answer doesn't wait.
            await self._treasure_map.ask(superevent.superevent_id, now)
        try:
            found = await self._service.coverage(superevent, *context.channel)
        except CoverageTakesTooLong:
            return helping.error_message(
                "Measuring what is covered takes too long right now; what is measured is kept, so try again."
            )
        if found is None:
            return answers.no_map(superevent)
        if export == "csv":
            return coverage_export.csv_message(superevent, found, MAX_CODE_CHARS)
        if export == "json":
            return coverage_export.json_message(superevent, found, MAX_CODE_CHARS)
        image, problem = await self._picture(superevent, found, context.team_id)
        return answers.message(
            answers.CoverageAnswer(
                superevent=superevent, coverage=found, asked_at=now, image=image, no_image=problem
            )
        )

    async def _picture(
        self, superevent: Superevent, found: EventCoverage, team_id: str
    ) -> tuple[ImageRef | None, str | None]:
        """Return the picture, or else the sentence why there is none."""
        if self._image_provider is None:
            return None, None
        try:
            async with asyncio.timeout(IMAGE_TIMEOUT_S):
                marks = await asyncio.to_thread(marks_of, found)
                if not marks.fields:
                    return None, None
                return await self._image_provider(team_id, superevent, found.notice, marks), None
        except ImageFailed as failure:
            return None, f"Without a picture: {failure.reason}"
        except TimeoutError:
            return None, "Without a picture: drawing it took too long. Ask again for it."


def marks_of(found: EventCoverage) -> Marks:
    """Return the fields as they are drawn, each with the number of its line in the answer."""
    every = list(_drawn_fields(found))
    shown = every[:MAX_DRAWN]
    fields = tuple(
        DrawnField(
            ra=field.ra % 360,
            dec=field.dec,
            number=number,
            outlines=_outlines(footprint, field),
            is_planned=status == ObservationStatus.PLANNED,
        )
        for number, status, footprint, field in shown
    )
    title = answers.picture_title(found)
    if len(shown) < len(every):
        title += f" (the first {len(shown)} of {len(every)} are drawn)"
    return Marks(title=title, fields=fields)


def _drawn_fields(
    found: EventCoverage,
) -> Iterator[tuple[int, ObservationStatus, Footprint, ObservedField]]:
    for number, row in answers.numbered_rows(found):
        one = row.observation if isinstance(row, CoveredObservation) else row.reported
        if one.footprint is None or one.status not in (ObservationStatus.DONE, ObservationStatus.PLANNED):
            continue
        for field in one.fields:
            if is_on_sky(field):
                yield number, one.status, one.footprint, field


def _outlines(footprint: Footprint, field: ObservedField) -> tuple[tuple[tuple[float, float], ...], ...]:
    shape = turned(simplified(footprint, _FEW_POLYGONS), field.position_angle)
    return tuple(
        tuple(zip(ra.tolist(), dec.tolist(), strict=True))
        for ra, dec in outlines(shape, field.ra % 360, field.dec, _EDGE_POINTS)
    )
