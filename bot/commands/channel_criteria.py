"""The criteria sets that a question may name: the workspace's own and the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.commands.context import CommandContext
from bot.criteria.presets import BUILT_IN
from bot.criteria.resolution import check_references, resolve_grades
from bot.skymap_service.grading import GradingService
from bot.store.channels.criteria_set_rows import find_missing
from bot.store.channels.criteria_sets import CriteriaSetRepository
from formatters.models.criteria_set import CriteriaSet, GradeOutcome
from formatters.models.subscription import Criteria
from formatters.models.superevent import Superevent


class ChannelCriteriaSets:
    """Returns criteria sets by name, and gives typed conditions on grades their definitions."""

    def __init__(self, repository: CriteriaSetRepository, grading: GradingService) -> None:
        self._repository = repository
        self._grading = grading

    async def by_slug(self, context: CommandContext | None) -> Mapping[str, CriteriaSet]:
        """Return the sets that a question may name; in the terminal the built-in ones alone.

        Raises StoreUnavailable.
        """
        return BUILT_IN if context is None else await self._repository.sets_by_slug(context.team_id)

    async def shown_in(self, context: CommandContext | None) -> tuple[CriteriaSet, ...]:
        """Return the sets that the channel's messages show, in their order. Raises StoreUnavailable."""
        if context is None:
            return ()
        return (await self._repository.for_channels([context.channel])).get(context.channel, ())

    async def resolve(self, criteria: Criteria, context: CommandContext | None) -> Criteria:
        """Return typed criteria with the definitions of the grades that they compare.

        Criteria that name no set are returned unchanged, without a look at the store. Raises
        FilterSyntaxError for a set or grade that there isn't, StoreUnavailable.
        """
        if not criteria.used_sets:
            return criteria
        sets = await self.by_slug(context)
        check_references(criteria, sets)
        return resolve_grades(criteria, sets)

    async def define(self, criteria: Criteria, context: CommandContext | None) -> Criteria:
        """Return stored criteria with the definitions of the grades that they compare.

        A condition on a set or grade that isn't there any more stays without, and so unknown. Raises
        StoreUnavailable.
        """
        return resolve_grades(criteria, await self.by_slug(context)) if criteria.used_sets else criteria

    async def missing_from(self, criteria: Criteria, context: CommandContext | None) -> tuple[str, ...]:
        """Return the sets and grades that criteria name and that aren't there. Raises StoreUnavailable."""
        return find_missing(criteria, await self.by_slug(context)) if criteria.used_sets else ()

    async def grades_of_past(
        self, slugs: Sequence[str], superevents: Sequence[Superevent], context: CommandContext | None
    ) -> list[tuple[GradeOutcome, ...]]:
        """Return the grades that the sets of these names give each of these events, in their order.

        Sets that aren't there are left out, and so are events after the newest `PAST_MAX`, for maps take
        time. Raises StoreUnavailable.
        """
        sets = await self.by_slug(context) if slugs else {}
        chosen = [sets[slug] for slug in slugs if slug in sets]
        by_set = [await self._grading.grades_of_past(one, superevents) for one in chosen]
        judged = min(map(len, by_set), default=0)
        return [
            tuple(outcomes[at] for outcomes in by_set) if at < judged else ()
            for at in range(len(superevents))
        ]
