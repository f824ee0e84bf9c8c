"""What people ask, and the answer from what was received."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot import __version__
from bot.commands.check import CheckCommand
from bot.commands.context import CommandContext as CommandContext
from bot.commands.event_details import DetailKind, EventDetailsCommand
from bot.commands.event_lookup import EventLookup, NoSuchEvent
from bot.commands.search import SearchCommands
from bot.commands.subscriptions import SubscriptionCommands
from bot.commands.visible import ObservabilityCommands
from bot.filters import FilterSyntaxError, parse_criteria
from bot.observing.observatories import canonical_site_name
from bot.sources import SourceStatus
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from bot.store.operations.incidents import IncidentRepository
from bot.store.outbox.outbox import Outbox
from formatters.answers import answer, recent, status
from formatters.answers import help as helping
from formatters.blockkit import mrkdwn
from formatters.blockkit.message import Message
from formatters.models.notice import Category, canonical_id
from formatters.models.subscription import Criteria
from formatters.posts import alert_card
from formatters.posts.alert_card import ChannelView
from formatters.views import subscription_modal

DEFAULT_RECENT = 5
MAX_RECENT = 20
RECENT_NUMBERS = frozenset(str(number) for number in range(1, MAX_RECENT + 1))
MAX_QUESTION_LENGTH = 1_000


class CommandRouter:
    """Answers `/gwevent …`, `@gwevent …` and `gwevent ask "…"` alike."""

    def __init__(
        self,
        notices: NoticeRepository,
        subscriptions: SubscriptionRepository,
        outbox: Outbox,
        clock: Callable[[], datetime],
        *,
        events: EventLookup,
        search_commands: SearchCommands,
        observability_commands: ObservabilityCommands,
        check_command: CheckCommand,
        details_command: EventDetailsCommand,
        sources: Callable[[], list[SourceStatus]] = list,
        wake_deliveries: Callable[[], None] = lambda: None,
        check_permission: Callable[[str, str, str], Awaitable[str | None]] | None = None,
        incidents: IncidentRepository | None = None,
    ) -> None:
        """`refusal(team, channel, user)` says why somebody may not change what a channel receives."""
        self._events = events
        self._notices = notices
        self._subscriptions = subscriptions
        self._outbox = outbox
        self._clock = clock
        self._observability_commands = observability_commands
        self._sources = sources
        self._started_monotonic = time.monotonic()
        self._check_permission = check_permission
        self._check_command = check_command
        self._details_command = details_command
        self._search_commands = search_commands
        self._subscription_commands = SubscriptionCommands(
            subscriptions, clock, wake_deliveries, canonical_site_name
        )
        self._incidents = incidents

    def parse_criteria(self, words: str) -> Criteria:
        """What words after "subscribe" mean. Raises FilterSyntaxError."""
        return self._subscription_commands.parse_criteria(words)

    async def dispatch(
        self,
        text: str,
        asker: CommandContext | None,
        *,
        shared: bool = False,
        max_length: int = MAX_QUESTION_LENGTH,
    ) -> Message:
        """Answer a question; `shared` leaves out the button that posts the answer to the channel.

        Whatever is asked gets words: nonsense gets help, a store in trouble gets a sentence.
        """
        question = " ".join(text.split())
        word, _, rest = question.partition(" ")
        lines = word.casefold() in _MULTILINE_COMMANDS
        if len(question) > max_length and not lines:
            if " " not in question[:40]:
                return helping.unknown_command(question[:40] + "…")
            return helping.error_message(
                f"A question has at most {max_length:,} characters, and this one has {len(question):,}."
            )
        if lines:
            question = text.strip()
            rest = question[len(word) :]
        if asker is not None and self._check_permission is not None and _is_mutating(word.casefold(), rest):
            refused = await self._check_permission(asker.team_id, asker.channel_id, asker.user_id)
            if refused is not None:
                return helping.error_message(refused)
        try:
            message = await self._dispatch(word.casefold(), rest, question, asker)
        except FilterSyntaxError as error:
            complaint = helping.error_message(str(error))
            wanted = asker is not None and word.casefold() in ("subscribe", "sub")
            return subscription_modal.with_modal_button(complaint) if wanted else complaint
        except NoSuchEvent as error:
            return await self._suggest_ids(error.superevent_id, error.gracedb_reason)
        except StoreUnavailable:
            return helping.error_message(
                "The store doesn't answer right now; alerts wait for it and aren't lost. Try again."
            )
        if shared and asker is not None:
            return answer.with_timestamp(message, asker.user_id, self._clock())
        about_event = canonical_id(word) or self._events.had_leading_nonstandard_id(question)
        if asker is None or not (word.casefold() in _SHAREABLE_COMMANDS or about_event):
            return message
        if answer.contains_file(message):
            # Who presses the button is answered where Slack takes no files.
            return message
        if mrkdwn.utf16_length(question) > mrkdwn.BUTTON_VALUE_MAX:
            # The button asks again, and couldn't hold the question.
            return message
        return answer.shareable(message, question)

    async def _dispatch(self, word: str, rest: str, question: str, asker: CommandContext | None) -> Message:
        match word:
            case "" | "help" | "?":
                return _help_message(rest.casefold())
            case "latest" | "last" | "newest":
                return await self._search_commands.latest(rest)
            case "recent":
                return await self._recent(rest)
            case "status":
                return await self._status()
            case "check":
                return await self._check_command.answer(rest)
            case "search" | "find":
                return await self._search_commands.search(rest)
            case "test":
                return await self._search_commands.test(rest)
            case "visible":
                return await self._observability_commands.visible(rest, asker)
            case "sites":
                return await self._observability_commands.sites(rest, asker)
            case "subscribe" | "sub":
                return await self._subscription_commands.subscribe(rest, asker)
            case "unsubscribe" | "unsub":
                return await self._subscription_commands.unsubscribe(rest, asker)
            case "edit":
                return await self._subscription_commands.edit(rest, asker)
            case "pause":
                return await self._subscription_commands.pause(rest, asker)
            case "resume":
                return await self._subscription_commands.pause(rest, asker, resume=True)
            case "dialog":
                return await self._subscription_commands.modal_button(asker)
            case "subscriptions" | "subs":
                if rest.partition(" ")[0].casefold() == "history":
                    return await self._subscription_commands.history(rest.partition(" ")[2], asker)
                return await self._subscription_commands.list(asker)
        superevent_id = canonical_id(question)
        if superevent_id is not None:
            return await self._event_card(superevent_id)
        superevent_id = canonical_id(word)
        if superevent_id is not None:
            return await self._event_detail(superevent_id, rest.casefold(), asker)
        named = await self._events.split_leading_nonstandard_id(question)
        if named is not None:
            superevent_id, detail = named
            if not detail:
                return await self._event_card(superevent_id)
            return await self._event_detail(superevent_id, detail.casefold(), asker)
        if re.fullmatch(r"[mt]?(s|gw)\d.*|\d{6}\w+", word) and not rest:
            return await self._suggest_ids(question)
        return helping.unknown_command(question)

    async def _event_card(self, superevent_id: str) -> Message:
        return alert_card.alert_card(await self._events.get(superevent_id), ChannelView())

    async def _event_detail(self, superevent_id: str, words: str, asker: CommandContext | None) -> Message:
        try:
            detail = DetailKind(words)
        except ValueError as error:
            choices = ", ".join(DetailKind)
            raise FilterSyntaxError(
                f'After an event\'s id comes one of {choices}, not "{words[:80]}".'
            ) from error
        superevent = await self._events.get(superevent_id)
        return await self._details_command.answer(
            superevent, detail, None if asker is None else asker.team_id
        )

    async def _suggest_ids(self, asked: str, looked_up: str | None = None) -> Message:
        ids = await self._notices.recent_ids()
        folded = {known.casefold(): known for known in ids}
        near = difflib.get_close_matches(asked.casefold(), folded, n=3, cutoff=0.75)
        return helping.no_such_event(asked, [folded[name] for name in near], looked_up)

    async def _recent(self, rest: str) -> Message:
        words = rest.split()
        numbers = [word for word in words if re.fullmatch(r"[+-]?[\d.]+", word)]
        category, group = _parse_category_and_group(" ".join(word for word in words if word not in numbers))
        if len(numbers) > 1 or (numbers and numbers[0] not in RECENT_NUMBERS):
            raise FilterSyntaxError(f'"recent" takes one number from 1 to {MAX_RECENT}.')
        limit = int(numbers[0]) if numbers else DEFAULT_RECENT
        found = await self._notices.newest(category=category, group=group, limit=limit)
        return recent.message(recent.RecentEvents(found), self._clock())

    async def _status(self) -> Message:
        counts = await self._outbox.counts()
        last = await self._notices.last_notice()
        return status.message(
            status.Status(
                version=__version__,
                # Not a time noted at the start: the clock may have been put right since.
                started_at=self._clock() - timedelta(seconds=time.monotonic() - self._started_monotonic),
                sources=tuple(self._sources()),
                last_notice=None
                if last is None or last.received is None
                else status.LastNotice(
                    superevent_id=last.superevent_id, alert_type=last.alert_type, received=last.received
                ),
                posting_time=await self._outbox.median_posting_time(),
                pending_deliveries=counts.waiting,
                dead_letters=counts.dead,
                quarantined=counts.quarantined,
                subscriptions=await self._subscriptions.count(),
                incidents=() if self._incidents is None else tuple(await self._incidents.open_incidents()),
            ),
            self._clock(),
        )


def _help_message(about: str) -> Message:
    match about.partition(" ")[0].rstrip("s"):
        case "filter":
            return helping.filters_help()
        case "subscribe" | "unsubscribe" | "subscription" | "notify" | "edit" | "pause" | "resume":
            return helping.subscribe_help()
        case "site" | "visible":
            return helping.sites_help()
    return helping.overview()


_MULTILINE_COMMANDS = {"check"}
"""Whose lines mean something; elsewhere a line end is a blank."""

_SHAREABLE_COMMANDS = frozenset(
    {"latest", "last", "newest", "recent", "search", "find", "test", "status", "check", "visible"}
)
"""Besides ids. What is help, or concerns subscriptions, is for who asked."""


_MUTATING_COMMANDS = {"subscribe", "sub", "unsubscribe", "unsub", "edit", "pause", "resume"}
"""What changes what a channel receives; with words behind it, `sites` does too."""


def _is_mutating(word: str, rest: str) -> bool:
    return word in _MUTATING_COMMANDS or (word in ("site", "sites") and bool(rest))


def _parse_category_and_group(words: str) -> tuple[Category, str | None]:
    """What `recent` chooses by: mock or test instead of real, and a group (None: any)."""
    said = f'"{words[:80]}" is no choice here; choose one of CBC, Burst, all, and one of mock, test.'
    try:
        criteria = parse_criteria(words)
    except FilterSyntaxError as error:
        raise FilterSyntaxError(said) from error
    if (
        criteria.lowsig
        or criteria.filter is not None
        or criteria.notify is not None
        or (criteria.mock and criteria.test)
    ):
        raise FilterSyntaxError(said)
    category = Category.MOCK if criteria.mock else Category.TEST if criteria.test else Category.REAL
    return category, None if criteria.group == "all" else criteria.group
