"""The lines of a card about people: who has the event, and what each instrument covers of the newest map.

A post never waits for shares of the map: what isn't measured yet comes by an edit, and an edit that brings
something else (somebody has it, a newer notice) waits for no longer than a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from bot.delivery.batch_loader import BatchLoader
from bot.delivery.render_repositories import RenderRepositories
from bot.observing.coverage import unmeasured_shares
from bot.skymap_service.coverage import CoverageTakesTooLong
from bot.store.channels.card_details import CardDetail
from bot.store.database import StoreUnavailable
from bot.store.outbox.models import Delivery, DeliveryKind
from formatters.models.event_people import NOBODY, EventPeople
from formatters.models.observation import InstrumentShare, Observation
from formatters.models.superevent import Superevent

EDIT_WAITS_S = 2.0
"""Seconds that an edit waits for shares that are being measured; most take tenths of one."""

log = structlog.get_logger(__name__)


class InstrumentShares(Protocol):
    """Measures what instruments cover of maps (`bot.skymap_service.coverage.CoverageService`)."""

    async def shares(
        self, superevent: Superevent, observations: Sequence[Observation]
    ) -> tuple[InstrumentShare, ...]:
        """Return each instrument's share of the newest map, planned and done."""
        ...

    def shares_at_once(
        self, superevent: Superevent, observations: Sequence[Observation]
    ) -> tuple[InstrumentShare, ...] | None:
        """Return the same if it is known without waiting; None otherwise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleAtOnce:
    """The people of a thread, as far as they are known without waiting."""

    people: EventPeople
    is_incomplete: bool
    """True if shares are being measured, which an edit is to bring."""


class ThreadPeople:
    """Loads people for cards. Methods raise StoreUnavailable."""

    def __init__(self, repositories: RenderRepositories, shares: InstrumentShares) -> None:
        # A fan-out renders hundreds of roots at once; one query for each would cost more than the posts.
        self._load_people = BatchLoader(repositories.event_people.for_threads)
        self._load_observations = BatchLoader(repositories.cards.observations.for_threads)
        self._shares = shares

    async def of_thread(
        self, delivery: Delivery, superevent: Superevent, details: Collection[CardDetail]
    ) -> PeopleAtOnce:
        """Return the people for the card of a root's post or edit; `details` is what the card has."""
        assert delivery.thread_id is not None
        people = NOBODY
        if CardDetail.PEOPLE in details:
            people = await self._load_people(delivery.thread_id) or NOBODY
        observations: tuple[Observation, ...] = ()
        if CardDetail.OBSERVATIONS in details:
            observations = await self._load_observations(delivery.thread_id) or ()
        if not observations:
            return PeopleAtOnce(people=people, is_incomplete=False)
        instruments, is_incomplete = await self._instruments(delivery, superevent, observations)
        return PeopleAtOnce(people=replace(people, instruments=instruments), is_incomplete=is_incomplete)

    async def _instruments(
        self, delivery: Delivery, superevent: Superevent, observations: tuple[Observation, ...]
    ) -> tuple[tuple[InstrumentShare, ...], bool]:
        without = unmeasured_shares(observations)
        if superevent.is_retracted:
            # Shares of a map of nothing.
            return without, False
        known = self._shares.shares_at_once(superevent, observations)
        if known is not None:
            return known, False
        if delivery.kind is DeliveryKind.ROOT:
            return without, True
        try:
            async with asyncio.timeout(EDIT_WAITS_S):
                return await self._shares.shares(superevent, observations), False
        except TimeoutError:
            # It goes on being measured, and is kept.
            return without, True
        except CoverageTakesTooLong:
            return without, False
        except StoreUnavailable:
            raise
        except Exception:
            # A line about telescopes must not keep the news from the channel.
            log.exception("unexpected_error", subsystem="coverage", superevent_id=superevent.superevent_id)
            return without, False
