"""Subscriptions of channels: the one service that the text commands, the modal and App Home call.

Every method that changes something authorizes its caller first, and wakes the delivery worker afterwards,
since each change is posted in the channel. Outcomes are typed; `bot.commands.subscription_answers` words
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bot.commands.authorization import AuthorizedContext, ChannelAuthorizer
from bot.commands.channel_sites import ChannelSiteResolvers
from bot.commands.context import CommandContext
from bot.criteria.presets import BUILT_IN
from bot.criteria.resolution import check_references, resolve_grades
from bot.filters import FilterSyntaxError, SiteNameResolver, parse_criteria
from bot.filters.rate_units import find_missing_rate_unit
from bot.filters.satisfiability import find_contradiction
from bot.runtime.wakeups import Wakeups
from bot.setting_types.escalation_webhook import EscalationWebhookPolicy
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.criteria_sets import CriteriaSetRepository
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.database import StoreUnavailable
from formatters.models.criteria_set import CriteriaSet
from formatters.models.subscription import Criteria, Subscription

CONFIRMATION_TIMEOUT_S = 8.0
"""Seconds that `subscribe` waits for the confirmation to be posted."""
SETS_TIMEOUT_S = 0.8
"""Seconds that a form waits for the workspace's criteria sets; Slack waits 3 s for the form."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The confirmation was posted, so the subscription is in force."""

    criteria: Criteria


@dataclass(frozen=True, slots=True)
class ConfirmationPending:
    """The confirmation was not posted in time; the subscription comes into force as soon as it is."""

    criteria: Criteria


@dataclass(frozen=True, slots=True)
class ConfirmationFailed:
    """The confirmation could not be posted, so nothing was subscribed."""

    reason: str
    """Slack's error code, or a sentence of gwevent's own."""


@dataclass(frozen=True, slots=True)
class NeverHolds:
    """The criteria hold for no notice, and nobody insisted on them; nothing was changed."""

    criteria: Criteria
    sentence: str
    """Why they don't."""


@dataclass(frozen=True, slots=True)
class AlreadySubscribed:
    """The channel has a subscription with these criteria; nothing was changed."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class NoSuchSubscription:
    """The channel has no subscription with this number; nothing was changed."""

    number: int
    subscriptions: Sequence[Subscription]
    """The subscriptions that the channel has."""
    is_one_of_several: bool = False
    """More numbers than this one were given."""


@dataclass(frozen=True, slots=True)
class Renumbered:
    """The number is one from before channels numbered their own subscriptions; nothing was changed."""

    number: int
    subscription: Subscription
    """The subscription that had this number, with its present one."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A subscription has new criteria."""

    before: Subscription
    after: Subscription


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The edit asked for the criteria that the subscription has."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Paused:
    """A subscription was paused."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class AlreadyPaused:
    """The subscription to pause was paused before."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Resumed:
    """A paused subscription was resumed."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class NotPaused:
    """The subscription to resume was not paused."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Removed:
    """These subscriptions were ended."""

    subscriptions: Sequence[Subscription]


@dataclass(frozen=True, slots=True)
class OutOfDate:
    """The subscriptions are no longer as they were when the button was shown; nothing was changed."""

    subscriptions: Sequence[Subscription]
    """The subscriptions that the channel has."""


NotFound = NoSuchSubscription | Renumbered
SubscribeResult = Subscribed | ConfirmationPending | ConfirmationFailed | AlreadySubscribed | NeverHolds
EditResult = Edited | Unchanged | AlreadySubscribed | NeverHolds | NotFound
PauseResult = Paused | AlreadyPaused | NotFound
ResumeResult = Resumed | NotPaused | NotFound
RemoveResult = Removed | OutOfDate | NotFound
SubscriptionResult = SubscribeResult | EditResult | PauseResult | ResumeResult | RemoveResult


class SubscriptionService:
    """Reads and changes the subscriptions of channels. All methods raise StoreUnavailable."""

    def __init__(
        self,
        subscriptions: SubscriptionRepository,
        authorizer: ChannelAuthorizer,
        wakeups: Wakeups,
        clock: Callable[[], datetime],
        sites: ChannelSiteResolvers,
        criteria_sets: CriteriaSetRepository,
        escalation_webhook: EscalationWebhookPolicy,
    ) -> None:
        self._subscriptions = subscriptions
        self._authorizer = authorizer
        self._wakeups = wakeups
        self._clock = clock
        self._sites = sites
        self._criteria_sets = criteria_sets
        self._escalation_webhook = escalation_webhook

    async def parse_criteria(self, context: CommandContext, text: str) -> Criteria:
        """Parse the criteria of a subscription in this channel. Raises FilterSyntaxError."""
        return (await self.criteria_parser(context, text))(text)

    async def criteria_parser(self, context: CommandContext, text: str) -> Callable[[str], Criteria]:
        """Return the parser of criteria in this channel, which raises FilterSyntaxError.

        In it `visible from` takes the channel's own sites too, if `text`, which is to be parsed, names one.
        Criteria sets and grades that are named must be there; the criteria get the definitions of grades. The
        operators' webhook is taken as a step where they let this workspace call it.
        """
        sites = await self._sites.for_text(context, text)
        sets = await self._criteria_sets.sets_by_slug(context.team_id)
        return partial(_parse_with_sets, sites, sets, self._escalation_webhook.refusal(context.team_id))

    def may_call_webhook(self, team_id: str) -> bool:
        """Return whether an escalation of this workspace may call the operators' webhook."""
        return self._escalation_webhook.allows(team_id)

    async def choosable_sets(self, team_id: str) -> Sequence[CriteriaSet]:
        """Return the criteria sets that a subscription may choose, in less than a second.

        If the store doesn't answer in that time, these are the built-in ones.
        """
        try:
            async with asyncio.timeout(SETS_TIMEOUT_S):
                return tuple((await self._criteria_sets.sets_by_slug(team_id)).values())
        except (StoreUnavailable, TimeoutError):
            return tuple(BUILT_IN.values())

    async def subscribe(
        self, context: CommandContext, criteria: Criteria, *, anyway: bool = False
    ) -> SubscribeResult:
        """Request a subscription and wait for its confirmation to be posted. Raises PermissionDenied.

        Criteria that no notice can meet are taken only `anyway`. Raises FilterSyntaxError if a criteria set
        that they name was removed since they were parsed.
        """
        author = await self._authorizer.authorize(context)
        contradiction = None if anyway else await asyncio.to_thread(_find_objection, criteria)
        if contradiction is not None:
            return NeverHolds(criteria, contradiction)
        requested, is_in_force = await self._subscriptions.request(
            author.team_id, author.channel_id, criteria, author.user_id, self._clock()
        )
        if is_in_force:
            return AlreadySubscribed(requested)
        self._wakeups.deliveries.set()
        status = await self._subscriptions.wait_for_confirmation(requested, CONFIRMATION_TIMEOUT_S)
        if isinstance(status, str):
            return ConfirmationFailed(status)
        return Subscribed(criteria) if status else ConfirmationPending(criteria)

    async def edit(
        self, context: CommandContext, number: int, criteria: Criteria, *, anyway: bool = False
    ) -> EditResult:
        """Replace the criteria of a subscription, which stays in force. Raises PermissionDenied.

        Criteria that no notice can meet are taken only `anyway`. Raises FilterSyntaxError like `subscribe`.
        """
        author = await self._authorizer.authorize(context)
        contradiction = None if anyway else await asyncio.to_thread(_find_objection, criteria)
        if contradiction is not None:
            return NeverHolds(criteria, contradiction)
        found = await self._subscriptions.edit(*author.channel, number, criteria, self._change_author(author))
        if found is None:
            return await self._not_found(author, number)
        before, after = found
        if after.number != number:
            return AlreadySubscribed(after)
        if after == before:
            return Unchanged(after)
        self._wakeups.deliveries.set()
        return Edited(before, after)

    async def pause(self, context: CommandContext, number: int) -> PauseResult:
        """Stop what a subscription brings, until it is resumed. Raises PermissionDenied."""
        found = await self._set_paused(context, number, resume=False)
        if not isinstance(found, tuple):
            return found
        after, is_changed = found
        return Paused(after) if is_changed else AlreadyPaused(after)

    async def resume(self, context: CommandContext, number: int) -> ResumeResult:
        """Put a paused subscription in force again. Raises PermissionDenied."""
        found = await self._set_paused(context, number, resume=True)
        if not isinstance(found, tuple):
            return found
        after, is_changed = found
        return Resumed(after) if is_changed else NotPaused(after)

    async def remove(
        self,
        context: CommandContext,
        numbers: Sequence[int],
        fingerprints: Mapping[int, str] | None = None,
    ) -> RemoveResult:
        """End subscriptions by number: all of them, or none if one doesn't exist.

        `fingerprints`, by number, are the states in which they were shown to the person; a subscription that
        was changed since is not ended. Raises PermissionDenied.
        """
        author = await self._authorizer.authorize(context)
        removed = await self._subscriptions.end(
            *author.channel, numbers, self._change_author(author), fingerprints or {}
        )
        if removed is not None:
            self._wakeups.deliveries.set()
            return Removed(removed)
        if fingerprints:
            return OutOfDate(await self.for_channel(author))
        known = {s.number for s in await self.for_channel_with_unconfirmed(author)}
        missing = next((number for number in numbers if number not in known), numbers[0])
        return await self._not_found(author, missing, is_one_of_several=len(numbers) > 1)

    async def for_channel(self, context: CommandContext) -> list[Subscription]:
        """Return the channel's subscriptions, paused ones too, the oldest first."""
        return await self._subscriptions.for_channel(*context.channel)

    async def for_channel_with_unconfirmed(self, context: CommandContext) -> list[Subscription]:
        """Return the channel's subscriptions, followed by those whose confirmation isn't posted yet."""
        return [
            *await self.for_channel(context),
            *await self._subscriptions.list_unconfirmed(*context.channel),
        ]

    async def for_team(self, team_id: str) -> list[Subscription]:
        """Return a workspace's subscriptions, channel by channel, the oldest first."""
        return await self._subscriptions.for_team(team_id)

    async def find(self, context: CommandContext, number: int) -> Subscription | NotFound:
        """Return the channel's subscription with this number, or why there is none."""
        found = next((s for s in await self.for_channel(context) if s.number == number), None)
        return await self._not_found(context, number) if found is None else found

    async def _set_paused(
        self, context: CommandContext, number: int, *, resume: bool
    ) -> tuple[Subscription, bool] | NotFound:
        """Return the subscription, paused or resumed, and whether that is a change."""
        author = await self._authorizer.authorize(context)
        found = await self._subscriptions.pause(
            *author.channel, number, self._change_author(author), resume=resume
        )
        if found is None:
            return await self._not_found(author, number)
        before, after = found
        if before != after:
            self._wakeups.deliveries.set()
        return after, before != after

    async def _not_found(
        self, context: CommandContext, number: int, *, is_one_of_several: bool = False
    ) -> NotFound:
        renumbered = await self._subscriptions.get_by_former_number(*context.channel, number)
        if renumbered is not None:
            return Renumbered(number, renumbered)
        return NoSuchSubscription(number, await self.for_channel(context), is_one_of_several)

    def _change_author(self, author: AuthorizedContext) -> ChangeAuthor:
        return ChangeAuthor(author.user_id, self._clock())


def _parse_with_sets(
    sites: SiteNameResolver, sets: Mapping[str, CriteriaSet], webhook_refusal: str | None, text: str
) -> Criteria:
    """Parse criteria, and give them the definitions of grades. Raises FilterSyntaxError."""
    criteria = parse_criteria(text, sites)
    steps = () if criteria.notify is None else criteria.notify.escalation
    if webhook_refusal is not None and any(step.webhook for step in steps):
        raise FilterSyntaxError(f"{webhook_refusal} Let the last step mention a person or a group.")
    check_references(criteria, sets)
    return resolve_grades(criteria, sets)


def _find_objection(criteria: Criteria) -> str | None:
    """Return why criteria are hardly meant, one sentence: nothing can meet them, or a unit is missing."""
    return find_contradiction(criteria) or find_missing_rate_unit(criteria)
