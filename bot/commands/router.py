"""Dispatch the text after `/gwevent` to a command, or answer it as an event's id."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.commands.authorization import ChannelAuthorizer, PermissionDenied
from bot.commands.command_table import Command, CommandHandlers, command_table
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError, store_unavailable
from bot.commands.event_details import DetailKind
from bot.commands.event_lookup import EventLookup, NoSuchEvent
from bot.filters import FilterSyntaxError
from bot.filters.limits import MAX_QUESTION_LENGTH
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from formatters.answers import answer
from formatters.answers import help as helping
from formatters.blockkit import mrkdwn
from formatters.blockkit.message import Message
from formatters.models.notice import canonical_id
from formatters.posts import alert_card
from formatters.posts.alert_card import ChannelView
from formatters.views import subscription_modal


@dataclass(frozen=True, slots=True)
class _Answer:
    message: Message
    is_shareable: bool = False


class CommandRouter:
    """Answers `/gwevent …`, `@gwevent …` and `gwevent ask "…"` alike."""

    def __init__(
        self,
        handlers: CommandHandlers,
        events: EventLookup,
        notices: NoticeRepository,
        authorizer: ChannelAuthorizer,
        clock: Callable[[], datetime],
    ) -> None:
        self._event_details = handlers.event_details
        self._events = events
        self._notices = notices
        self._authorizer = authorizer
        self._clock = clock
        self.commands = command_table(handlers)
        """All commands; what is none of them may be an event's id."""
        self._commands_by_word = {
            word: command for command in self.commands for word in (command.name, *command.aliases)
        }

    async def dispatch(self, text: str, context: CommandContext | None, *, shared: bool = False) -> Message:
        """Return the answer to a question. Every expected failure is an answer too.

        With `shared` the answer is for the channel: it names who asked and when, and has no button that
        shares it.
        """
        question = " ".join(text.split())
        word, _, arguments = question.partition(" ")
        command = self._commands_by_word.get(word.casefold())
        if command is not None and command.is_multiline:
            question = text.strip()
            arguments = question[len(word) :]
        elif len(question) > MAX_QUESTION_LENGTH:
            if " " not in question[:40]:
                return helping.unknown_command(question[:40] + "…")
            return helping.error_message(
                f"A question has at most {MAX_QUESTION_LENGTH:,} characters,"
                f" and this one has {len(question):,}."
            )
        try:
            found = await self._answer(command, word, arguments, question, context)
        except PermissionDenied as refusal:
            return helping.error_message(str(refusal))
        except FilterSyntaxError as error:
            complaint = helping.error_message(str(error))
            if context is not None and command is not None and command.offers_modal:
                return subscription_modal.with_modal_button(complaint)
            return complaint
        except NoSuchEvent as error:
            return await self._suggest_ids(error.superevent_id, error.gracedb_reason)
        except StoreUnavailable:
            return store_unavailable()
        if shared and context is not None:
            return answer.with_timestamp(found.message, context.user_id, self._clock())
        if context is None or not found.is_shareable:
            return found.message
        if answer.contains_file(found.message):
            # The share button is answered through a response URL, which takes no files.
            return found.message
        if mrkdwn.utf16_length(question) > mrkdwn.BUTTON_VALUE_MAX:
            # The button holds the question and asks it again.
            return found.message
        return answer.shareable(found.message, question)

    async def _answer(
        self,
        command: Command | None,
        word: str,
        arguments: str,
        question: str,
        context: CommandContext | None,
    ) -> _Answer:
        if command is None:
            return await self._answer_about_event(word, arguments, question, context)
        if context is not None and command.is_mutating(arguments):
            # Before the arguments are parsed: a person who may not change anything needs no hint about them.
            context = await self._authorizer.authorize(context)
        return _Answer(await command.handler(arguments, context), command.is_shareable)

    async def _answer_about_event(
        self, word: str, detail: str, question: str, context: CommandContext | None
    ) -> _Answer:
        """Answer a question that begins with an event's id, or with no known word."""
        superevent_id = canonical_id(word)
        if superevent_id is None:
            named = await self._events.split_leading_nonstandard_id(question)
            if named is None:
                if re.fullmatch(r"[mt]?(s|gw)\d.*|\d{6}\w+", word.casefold()) and not detail:
                    return _Answer(await self._suggest_ids(question))
                return _Answer(helping.unknown_command(question))
            superevent_id, detail = named
        if not detail:
            card = alert_card.alert_card(
                await self._events.get(superevent_id), ChannelView(asked_at=self._clock())
            )
            return _Answer(card, is_shareable=True)
        kind = _parse_detail_kind(detail.casefold())
        superevent = await self._events.get(superevent_id)
        team_id = None if context is None else context.team_id
        return _Answer(
            await self._event_details.answer(superevent, kind, team_id, self._clock()), is_shareable=True
        )

    async def _suggest_ids(self, unknown_id: str, gracedb_reason: str | None = None) -> Message:
        ids = await self._notices.recent_ids()
        folded = {known.casefold(): known for known in ids}
        near = difflib.get_close_matches(unknown_id.casefold(), folded, n=3, cutoff=0.75)
        return helping.no_such_event(unknown_id, [folded[name] for name in near], gracedb_reason)


def _parse_detail_kind(word: str) -> DetailKind:
    try:
        return DetailKind(word)
    except ValueError as error:
        choices = ", ".join(DetailKind)
        raise CommandError(f'After an event\'s id comes one of {choices}, not "{word[:80]}".') from error
