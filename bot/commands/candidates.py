"""`/gwevent candidates [EVENT] [add|keep|reject|remove|export …]`: an event's counterpart candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.commands.authorization import ChannelAuthorizer
from bot.commands.candidate_changes import CandidateChange, CandidateChanges
from bot.commands.candidate_words import other_format, read_verb
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.counterparts.host_distance import PECULIAR_VELOCITY_KM_S, host_distance
from bot.counterparts.merging import MERGE_RADIUS_ARCSEC
from bot.runtime.threads import ThreadHangs
from bot.skymap_service.counterparts import CounterpartService
from bot.skymap_service.observability import ObservabilityService
from bot.skymaps.crossmatch import COSMOLOGY
from bot.store.channels.sites import SiteRepository
from formatters.answers import candidates as answers
from formatters.answers import candidates_table
from formatters.answers.event_details import MAX_CODE_CHARS
from formatters.blockkit.message import Message
from formatters.models.counterpart import Counterpart
from formatters.models.superevent import Superevent

CANDIDATES_NEED_CHANNEL = "Candidates of one's own belong to a channel: type this in Slack."
TOO_SLOW = "Listing the candidates takes too long right now. Try again."


class CandidatesCommand:
    """Answers `candidates`."""

    def __init__(
        self,
        service: CounterpartService,
        changes: CandidateChanges,
        observability: ObservabilityService,
        sites: SiteRepository,
        authorizer: ChannelAuthorizer,
        clock: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._changes = changes
        self._observability = observability
        self._sites = sites
        self._authorizer = authorizer
        self._clock = clock

    async def answer(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Make the change that is asked for, if any, and return the event's candidates.

        Raises CommandError, PermissionDenied, StoreUnavailable.
        """
        try:
            return await self._answer(superevent, arguments, context)
        except ThreadHangs:
            raise CommandError(TOO_SLOW) from None

    async def _answer(
        self, superevent: Superevent, arguments: str, context: CommandContext | None
    ) -> Message:
        verb, rest = read_verb(arguments)
        match verb:
            case "show":
                return await self._list(superevent, context)
            case "export":
                return await self._export(superevent, rest, context)
        if context is None:
            raise CommandError(CANDIDATES_NEED_CHANNEL)
        author = await self._authorizer.authorize(context)
        change = await self._changes.make(verb, superevent, rest, author)
        return await self._list(superevent, context, change)

    async def _list(
        self, superevent: Superevent, context: CommandContext | None, change: CandidateChange | None = None
    ) -> Message:
        found = await self._candidates(superevent, context)
        rows = await asyncio.to_thread(_rows, found)
        newest = await self._service.newest_map(superevent)
        windowed, windows_failed = None, False
        if context is not None:
            windowed, windows_failed = await self._with_windows(superevent, rows, context)
        return answers.message(
            answers.CandidateList(
                superevent=superevent,
                rows=windowed or rows,
                map_notice=None if newest is None else newest.notice,
                is_combined=newest is not None and newest.is_combined,
                unread=() if newest is None else newest.unread,
                change=await self._service.region_change(superevent, found),
                has_sites=windowed is not None,
                windows_failed=windows_failed,
                outcome=None if change is None else change.outcome,
                notes=() if change is None else change.notes,
                cosmology=COSMOLOGY,
                peculiar_velocity=PECULIAR_VELOCITY_KM_S,
                merge_radius=MERGE_RADIUS_ARCSEC,
            )
        )

    async def _with_windows(
        self, superevent: Superevent, rows: list[answers.CandidateRow], context: CommandContext
    ) -> tuple[list[answers.CandidateRow] | None, bool]:
        """Return the rows, those that are shown with their windows, and whether these took too long.

        There are no rows if there is nothing to observe from; a retracted event isn't followed up.
        """
        own = await self._sites.for_channel(*context.channel)
        if not own.sites or superevent.is_retracted:
            return None, False
        shown = rows[: answers.MAX_ROWS]
        windows = await self._observability.windows(
            [(row.candidate.position.ra, row.candidate.position.dec) for row in shown],
            own.sites,
            own.constraints,
            self._clock(),
        )
        if windows is None:
            return rows, True
        with_windows = [replace(row, window=window) for row, window in zip(shown, windows, strict=True)]
        return [*with_windows, *rows[len(shown) :]], False

    async def _export(self, superevent: Superevent, text: str, context: CommandContext | None) -> Message:
        other = other_format(text)
        if other is not None:
            raise CommandError(f'"{other[:40]}": candidates are exported as csv: candidates export csv.')
        rows = await asyncio.to_thread(_rows, await self._candidates(superevent, context))
        # A terminal has no limit of characters.
        return candidates_table.message(superevent, rows, None if context is None else MAX_CODE_CHARS)

    async def _candidates(
        self, superevent: Superevent, context: CommandContext | None
    ) -> tuple[Counterpart, ...]:
        if context is None:
            return await self._service.common_candidates(superevent)
        return await self._service.candidates(superevent, *context.channel)


def _rows(candidates: Sequence[Counterpart]) -> list[answers.CandidateRow]:
    return [answers.CandidateRow(candidate=one, host=host_distance(one.position)) for one in candidates]
