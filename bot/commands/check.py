"""`/gwevent check <RA> <Dec> [distance] [event]`: positions compared with the sky maps of an event."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.commands.event_lookup import EventLookup
from bot.filters import FilterSyntaxError
from bot.skymap_service.cache import SkyMapCache
from bot.skymaps.coordinates import EXAMPLE_POSITION, InvalidPosition, UnrecognizedPosition, parse_position
from bot.skymaps.crossmatch import COSMOLOGY, crossmatch, luminosity_distance
from bot.skymaps.skymap import SkyMap
from formatters.answers import help as helping
from formatters.answers import position_check
from formatters.answers.position_check import (
    MAX_POSITIONS,
    MapResult,
    PositionCheck,
    PositionOnMap,
    SkyPosition,
)
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import NAME_MAX, plain_text
from formatters.models.notice import Notice, canonical_id, folded_id
from formatters.models.superevent import Superevent

NO_NONSTANDARD_IDS: Mapping[str, str] = {}
MAX_LIST_LENGTH = 6_000
"""Characters; enough for MAX_POSITIONS lines with names."""
MAX_DISTANCE_MPC = 1e6
MAX_REDSHIFT = 20.0
MAX_NAME_WORDS = 4
"""Words of the name that a line may begin with, as in "NGC 4993 13h09m48s -23d22m53s"."""
_USAGE = f"Say a position: check {EXAMPLE_POSITION} [40 Mpc or z=0.0098] [S190425z]."
_FILLER_WORDS = frozenset({"in", "on", "of", "for", "at", "@"})
_DISTANCE = re.compile(
    r"(?:(?P<number>\d{1,12}(?:\.\d{0,12})?)\s*(?P<unit>[kmg]pc)"
    r"|z\s*=?\s*(?P<redshift>\d{1,3}(?:\.\d{0,12})?))",
    re.IGNORECASE,
)
_COORDINATE = re.compile(r"[+−-]?[\d.]+([hd:°ʰ,]|$)", re.IGNORECASE)
_MPC_PER_UNIT = {"kpc": 1e-3, "mpc": 1.0, "gpc": 1e3}


@dataclass(frozen=True, slots=True)
class PositionQuery:
    """A parsed question."""

    targets: tuple[SkyPosition, ...]
    superevent_id: str | None
    omitted: tuple[str, ...]
    """A sentence for each line that is not a position."""


class CheckCommand:
    """Answers `check`."""

    def __init__(self, events: EventLookup, maps: SkyMapCache, clock: Callable[[], datetime]) -> None:
        self._events = events
        self._maps = maps
        self._clock = clock

    async def answer(self, text: str) -> Message:
        """Answer `check` with one position on each line.

        Raises FilterSyntaxError with a sentence for the person, NoSuchEvent, StoreUnavailable.
        """
        # In a thread: a redshift imports a module that takes a second to load.
        query = await asyncio.to_thread(parse_query, text, await self._events.find_nonstandard_ids(text))
        superevent, introduction = await self._events.get_or_newest(query.superevent_id)
        if superevent is None:
            return helping.error_message("No event was received yet.")
        several = len(query.targets) > 1
        maps = await (self._newest_map if several else self._all_maps)(superevent, query.targets)
        return position_check.message(
            PositionCheck(
                superevent=superevent,
                targets=query.targets,
                maps=maps,
                cosmology=COSMOLOGY,
                introduction=introduction,
                omitted=query.omitted,
                asked_at=self._clock(),
            )
        )

    async def _all_maps(self, superevent: Superevent, targets: Sequence[SkyPosition]) -> list[MapResult]:
        return [
            result for notice in superevent.notices for result in await self._crossmatch_maps(notice, targets)
        ]

    async def _newest_map(self, superevent: Superevent, targets: Sequence[SkyPosition]) -> list[MapResult]:
        results: list[MapResult] = []
        for notice in reversed(superevent.notices):
            found = await self._crossmatch_maps(notice, targets)
            results = [*found, *results]
            if any(result.positions for result in found):
                break
        return results

    async def _crossmatch_maps(self, notice: Notice, targets: Sequence[SkyPosition]) -> list[MapResult]:
        external = notice.external
        problems = [
            (False, notice.map_problem),
            (True, None if external is None else external.map_problem),
        ]
        found = [
            MapResult(notice=notice, is_combined=combined, problem=f"The map can't be read: {problem}")
            for combined, problem in problems
            if problem is not None
        ]
        if notice.best_localization is None:
            return found
        maps = await self._maps.get(notice.key)
        if maps is None:
            return [*found, MapResult(notice=notice, problem="The map isn't kept any more.")]
        for combined, skymap in ((False, maps.gw), (True, maps.combined)):
            if skymap is not None:
                positions = await asyncio.to_thread(_crossmatch_positions, skymap, targets)
                found.append(MapResult(notice=notice, is_combined=combined, positions=positions))
        return found


def _crossmatch_positions(skymap: SkyMap, targets: Sequence[SkyPosition]) -> list[PositionOnMap | None]:
    nan = float("nan")
    return crossmatch(
        skymap,
        [target.ra for target in targets],
        [target.dec for target in targets],
        [nan if target.distance is None else target.distance for target in targets],
    )


def parse_query(text: str, nonstandard_ids: Mapping[str, str] = NO_NONSTANDARD_IDS) -> PositionQuery:
    """Parse a question: a position on each line, optionally with a name before it and a distance after it.

    The event's id may stand on any line, or on its own. `nonstandard_ids` maps words, folded, to ids that
    don't have LVK's form. Raises FilterSyntaxError.
    """
    if len(text) > MAX_LIST_LENGTH:
        raise FilterSyntaxError(f"That is too long; one question has room for {MAX_POSITIONS} positions.")
    targets: list[SkyPosition] = []
    omitted: list[str] = []
    ids: dict[str, None] = {}
    lines = [words for words in (_split_words(line) for line in text.splitlines()) if words]
    for words in lines:
        named = {word: _find_superevent_id(word.strip(",;()"), nonstandard_ids) for word in words}
        ids |= {found: None for found in named.values() if found is not None}
        rest = [word for word in words if named[word] is None]
        if len(rest) < len(words):
            rest = [word for word in rest if word.casefold() not in _FILLER_WORDS]
        if not rest:
            continue
        try:
            targets.append(parse_position_line(rest))
        except InvalidPosition as error:
            if len(lines) == 1:
                raise FilterSyntaxError(str(error)) from error
            omitted.append(f"Left out “{plain_text(' '.join(words), NAME_MAX)}”: {error}")
    if len(ids) > 1:
        raise FilterSyntaxError(f"One event at a time, please, not {' and '.join(list(ids)[:3])}.")
    if not targets:
        raise FilterSyntaxError(omitted[0] if omitted else _USAGE)
    if len(targets) > MAX_POSITIONS:
        omitted.insert(
            0, f"These are the first {MAX_POSITIONS} of {len(targets)} positions; ask again for the rest."
        )
    return PositionQuery(tuple(targets[:MAX_POSITIONS]), next(iter(ids), None), tuple(omitted))


def _find_superevent_id(word: str, nonstandard_ids: Mapping[str, str]) -> str | None:
    return canonical_id(word) or nonstandard_ids.get(folded_id(word))


def _split_words(line: str) -> list[str]:
    # Lines may be pasted from a table: with tabs, bars, or commas without a blank after them.
    return re.sub(r"[|\t]", " ", line).replace(",", ", ").split()


def parse_position_line(words: Sequence[str]) -> SkyPosition:
    """Parse one line: [name] position [distance]. Raises InvalidPosition with a sentence."""
    problem: InvalidPosition | None = None
    # A name is not a number: no part of "12 30 40" may be taken for one.
    max_name_words = 0 if _COORDINATE.match(words[0]) else min(MAX_NAME_WORDS, len(words) - 1)
    for name_words in range(max_name_words + 1):
        try:
            ra, dec, used = parse_position(words[name_words:])
            distance, redshift = _parse_distance(words[name_words + used :])
        except InvalidPosition as error:
            # An invalid position explains more than the first word not being one.
            if problem is None or not isinstance(error, UnrecognizedPosition):
                problem = error
            continue
        name = " ".join(words[:name_words]).rstrip(",:;")
        return SkyPosition(ra=ra, dec=dec, distance=distance, redshift=redshift, name=name)
    if isinstance(problem, UnrecognizedPosition) and words[0][0].isalpha():
        raise UnrecognizedPosition(
            f"That is no position, and names aren't looked up; write it like {EXAMPLE_POSITION}."
        )
    raise problem or UnrecognizedPosition(_USAGE)


def _parse_distance(words: Sequence[str]) -> tuple[float | None, float | None]:
    """Parse what follows a position: (luminosity distance in Mpc, redshift), each None if absent."""
    text = " ".join(words).strip(",; ")
    if not text:
        return None, None
    match = _DISTANCE.fullmatch(text)
    if match is None:
        shown = plain_text(text, NAME_MAX)
        raise InvalidPosition(
            f"“{shown}” after the position is no distance; write it like 40 Mpc or z=0.0098."
        )
    if match["redshift"] is not None:
        redshift = float(match["redshift"])
        if not 0 < redshift <= MAX_REDSHIFT:
            raise InvalidPosition(f"A redshift here is above 0 and at most {MAX_REDSHIFT:g}.")
        return luminosity_distance(redshift), redshift
    distance = float(match["number"]) * _MPC_PER_UNIT[match["unit"].casefold()]
    if not 0 < distance <= MAX_DISTANCE_MPC:
        raise InvalidPosition(f"A distance here is above 0 and at most {MAX_DISTANCE_MPC:,.0f} Mpc.")
    return distance, None
