"""Answer a typed question: find the command, or what is asked about which event."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot.commands.authorization import ChannelAuthorizer, PermissionDenied
from bot.commands.command_table import (
    CommandHandlers,
    about_named_event,
    command_table,
    expand_plural,
    has_note,
    without_note,
)
from bot.commands.command_types import Command, CommandAnswer, SentenceReport
from bot.commands.context import CommandContext
from bot.commands.errors import store_unavailable
from bot.commands.event_lookup import NO_EVENT, NoSuchEvent, UnresolvedEvent
from bot.commands.event_questions import EventQuestions
from bot.commands.sites import parse_site_names
from bot.commands.typed_events import (
    TypedEvent,
    find_typed_events,
    looks_like_event_id,
    refuse_described_event,
    replace_typed_events,
)
from bot.commands.understanding import (
    ABOUT_NO_EVENT,
    ParsedQuestion,
    Topic,
    clean_question,
    is_question,
    read_question,
    unexplained_words,
    without_fillers,
)
from bot.filters import FilterSyntaxError
from bot.filters.limits import MAX_LIST_LENGTH, MAX_QUESTION_LENGTH
from bot.runtime.typed_text import normalize_typed_text
from bot.store.database import StoreUnavailable
from formatters.answers import answer
from formatters.answers import help as helping
from formatters.blockkit import mrkdwn
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent
from formatters.views import subscription_modal

ACTING_COMMANDS: Mapping[str, ParsedQuestion | None] = {
    "observe change": ParsedQuestion(command="observe"),
    "mute": ParsedQuestion(topic=Topic.PEOPLE),
    "unmute": ParsedQuestion(topic=Topic.PEOPLE),
    "drill": None,
}
"""Commands that act at once, each with what says how things stand instead; None if nothing does."""
QUESTION_CHANGES_NOTHING = (
    "Nothing was changed, since that was a question; to do it, type it without the question mark."
)
MAX_SITE_WORDS = 12
"""Words of a question that may be names of sites alone."""
_BLANKS = re.compile(r" {2,}")
_LINE_ENDS = re.compile(r" *\n[ \n]*")
"""Tabs stay, since those at a line's end may be empty cells of a table."""


@dataclass(frozen=True, slots=True)
class _Answer:
    message: Message
    superevent_id: str | None = None
    """The event that it is about."""
    is_shareable: bool = False
    chosen_id: str | None = None
    """The event if nobody named it; a repeated question has to name it."""


class CommandRouter:
    """Answers `/gwevent …`, `@gwevent …`, direct messages and `gwevent ask "…"` alike."""

    def __init__(
        self,
        handlers: CommandHandlers,
        events: EventQuestions,
        authorizer: ChannelAuthorizer,
        clock: Callable[[], datetime],
        load_own_telescopes: Callable[[CommandContext], Awaitable[frozenset[str]]],
    ) -> None:
        self._events = events
        self._authorizer = authorizer
        self._clock = clock
        self._load_own_telescopes = load_own_telescopes
        self.commands = command_table(handlers)
        """All commands; what is none of them may be an event's id, a filter or a sentence."""
        self._commands_by_word = {
            word: command for command in self.commands for word in (command.name, *command.aliases)
        }
        self._safe_words = {
            word: command.name for word, command in self._commands_by_word.items() if not command.may_change
        }

    async def dispatch(self, text: str, context: CommandContext | None, *, shared: bool = False) -> Message:
        """Return the answer to a question. Every expected failure is an answer too.

        With `shared` the answer is for the channel: it names who asked and when, and has no button that
        shares it.
        """
        asked = _BLANKS.sub(" ", _LINE_ENDS.sub("\n", normalize_typed_text(text))).strip(" \n")
        question = " ".join(asked.split())
        if self._takes_lines(question):
            question = asked.strip()
            if len(question) > MAX_LIST_LENGTH:
                return helping.error_message(
                    f"That is too long: a list has room for {MAX_LIST_LENGTH:,} characters."
                )
        elif len(asked) > MAX_QUESTION_LENGTH:
            if " " not in question[:40]:
                return helping.unknown_command(question[:40] + "…")
            return helping.error_message(
                f"A question has at most {MAX_QUESTION_LENGTH:,} characters, and this one has {len(asked):,}."
            )
        try:
            found = await self._answer_or_refuse(
                clean_question(asked), context, is_question=is_question(asked)
            )
        except StoreUnavailable:
            return store_unavailable()
        if shared and context is not None:
            return answer.with_timestamp(found.message, context.user_id, self._clock())
        return self._shareable(found, question, context)

    def _shareable(self, found: _Answer, question: str, context: CommandContext | None) -> Message:
        """Return the answer with a button that repeats the question for the channel, if that is possible."""
        if found.chosen_id is not None:
            separator = "\n" if "\n" in question else " "
            question = f"{question}{separator}{found.chosen_id}"
        if context is None or not found.is_shareable or context.is_direct_message:
            return found.message
        if answer.contains_file(found.message):
            # The share button is answered through a response URL, which takes no files.
            return found.message
        if mrkdwn.utf16_length(question) > mrkdwn.BUTTON_VALUE_MAX:
            # The button holds the question and asks it again.
            return found.message
        return answer.shareable(found.message, question)

    def _takes_lines(self, question: str) -> bool:
        words = [word.casefold() for word in question.split(maxsplit=2)[:2]]
        return any(
            word in self._commands_by_word and self._commands_by_word[word].is_multiline for word in words
        )

    async def _answer_or_refuse(
        self, asked: str, context: CommandContext | None, *, is_question: bool
    ) -> _Answer:
        """Return the answer, or the sentence that says why there is none. Raises StoreUnavailable."""
        if context is not None and not self._begins_with_command(asked):
            context = replace(context, own_telescopes=await self._load_own_telescopes(context))
        parsed, typed = self._read(asked, context)
        is_question = is_question or self._asks_before_event(asked, typed)
        if is_question and not typed and (named := await self._split_nonstandard(asked)) is not None:
            about = self._read_about_nonstandard(named[1], context)
            if about.command is not None and _acts(about):
                shown = ACTING_COMMANDS[about.command] or ParsedQuestion(topic=Topic.CARD)
                try:
                    found = await self._answer_nonstandard(named[0], shown, context)
                except FilterSyntaxError as error:
                    return _Answer(helping.error_message(str(error)))
                return replace(
                    found, message=answer.with_introduction(QUESTION_CHANGES_NOTHING, found.message)
                )
        if is_question and parsed.command is not None and _acts(parsed):
            # "ZTF done?" asks, and nothing is stored, muted or begun because of a question.
            standing = ACTING_COMMANDS[parsed.command]
            if standing is not None and not typed:
                # The last word may be an event's id that isn't in LVK's form.
                standing = replace(standing, arguments=asked.split()[-1])
            if standing is None:
                return _Answer(helping.error_message(QUESTION_CHANGES_NOTHING))
            found = await self._answer_parsed(standing, typed, asked, context)
            return replace(found, message=answer.with_introduction(QUESTION_CHANGES_NOTHING, found.message))
        found = await self._answer_parsed(parsed, typed, asked, context)
        if parsed.corrected is None:
            return found
        introduction = f"“{mrkdwn.plain_text(parsed.corrected)}” is read as “{parsed.command}”."
        return replace(found, message=answer.with_introduction(introduction, found.message))

    @staticmethod
    def _asks_before_event(asked: str, typed: list[TypedEvent]) -> bool:
        """Return whether the words without the events they name end as a question: "ZTF done? S230518h"."""
        if typed:
            return is_question(replace_typed_events(asked, typed, [""] * len(typed)))
        # An id that isn't in LVK's form may stand last: "mute it? Trigger1".
        return "\n" not in asked and is_question(" ".join(asked.split()[:-1]))

    async def _answer_parsed(
        self, parsed: ParsedQuestion, typed: list[TypedEvent], asked: str, context: CommandContext | None
    ) -> _Answer:
        command = None if parsed.command is None else self._commands_by_word[parsed.command]
        try:
            if command is not None:
                return await self._answer_command(command, parsed, typed, asked, context)
            return await self._answer_sentence(parsed, typed, asked, context)
        except PermissionDenied as refusal:
            return _Answer(helping.error_message(str(refusal)))
        except FilterSyntaxError as error:
            complaint = helping.error_message(str(error))
            if context is not None and command is not None and command.offers_modal:
                return _Answer(subscription_modal.with_modal_button(complaint))
            return _Answer(complaint)
        except UnresolvedEvent as error:
            found = self._events.answer_unresolved(error)
            if command is not None and command.is_about_event:
                day = mrkdwn.plain_text(error.typed.text)
                needed = f"“{command.name}” needs an event's id, and {day} is none."
                found = answer.with_introduction(needed, found)
            return _Answer(found, is_shareable=bool(error.superevents))
        except NoSuchEvent as error:
            return _Answer(await self._events.suggest_ids(error.superevent_id, error.gracedb_reason))

    def _begins_with_command(self, asked: str) -> bool:
        """Return whether a question is a command's word, alone or with what belongs to it, or a lone id."""
        first, _, rest = asked.partition(" ")
        return not rest or first.casefold() in self._commands_by_word

    def _read(self, asked: str, context: CommandContext | None) -> tuple[ParsedQuestion, list[TypedEvent]]:
        """Return how the question is understood, and the events that it names."""
        typed = find_typed_events(asked)
        first = asked.split(maxsplit=1)[0].casefold() if asked.strip() else ""
        command = self._commands_by_word.get(expand_plural(first, asked[len(first) :].strip())[0])
        if (
            command is not None
            and not command.is_about_event
            and command.name not in ("latest", "events", "status")
        ):
            # In "sites add …" and "subscribe …" an id is what that command makes of it.
            return self._expanded(ParsedQuestion(command=first, arguments=asked[len(first) :].strip())), []
        if any(event.superevent_id is not None and not event.is_bare for event in typed):
            # Beside a whole id, "GW170817" or "230518a" are names of something else.
            typed = [event for event in typed if event.superevent_id is not None and not event.is_bare]
        elif "\n" in asked:
            typed = [event for event in typed if not event.is_bare and not event.is_catalogue_name]
        without = replace_typed_events(asked, typed, [""] * len(typed))
        parsed = self._read_sentence(without, len(typed), context)
        if typed and parsed.command is not None:
            word, arguments = about_named_event(parsed.command, parsed.arguments)
            parsed = replace(parsed, command=word, arguments=arguments)
            named = self._commands_by_word[word]
            name = named.name
            if name in ("latest", "events", "status"):
                parsed = ParsedQuestion(topic=Topic.NEWS if name == "latest" else Topic.CARD, arguments="")
                parsed = replace(parsed, topic=Topic.STATE) if name == "status" else parsed
            elif not named.is_about_event and name not in ("help", "test"):
                # "S230518h unsubscribe 1" isn't about that event, and what it means is a guess.
                return ParsedQuestion(topic=Topic.CARD, arguments=f"{name} {parsed.arguments}"), typed
            # A verb of one event is refused for several, not answered by a comparison.
            if len(typed) > 1 and not named.is_about_event and name not in ("check", "visible"):
                parsed = ParsedQuestion(topic=Topic.COMPARE)
        return self._expanded(parsed), typed

    def _expanded(self, parsed: ParsedQuestion) -> ParsedQuestion:
        if parsed.command is None:
            return parsed
        command, arguments = expand_plural(parsed.command, parsed.arguments)
        if parsed.corrected is not None and self._commands_by_word[command].may_change:
            # "subscripions add CBC" is a guess, and nothing is changed because of one.
            return ParsedQuestion(nearest=parsed.command)
        return replace(parsed, command=command, arguments=arguments)

    async def _answer_command(
        self,
        command: Command,
        parsed: ParsedQuestion,
        typed: list[TypedEvent],
        asked: str,
        context: CommandContext | None,
    ) -> _Answer:
        arguments = parsed.arguments if command.is_multiline else " ".join(parsed.arguments.split())
        if context is not None and command.is_mutating(arguments):
            # Before the arguments are parsed: a person who may not change anything needs no hint about them.
            context = await self._authorizer.authorize(context)
        if command.is_about_event:
            if not typed and not command.takes_set_names:
                refuse_described_event(
                    without_note(asked) if command.name in ACTING_COMMANDS else asked,
                    names_sources=command.name in ("check", "candidates", "candidates change"),
                )
            found = await self._answer_about_event(command, arguments, typed, context, report=parsed.report)
        else:
            assert command.handler is not None
            try:
                answered = await command.handler(arguments, context)
            except FilterSyntaxError:
                if not parsed.is_filter_guess:
                    raise
                again = without_fillers(arguments)
                if again in ("", arguments):
                    return await self._not_understood(parsed, asked, context)
                try:
                    answered = await command.handler(again, context)
                except FilterSyntaxError:
                    return await self._not_understood(parsed, asked, context)
            found = await self._with_thread_link(answered, context, command.is_shareable)
        return found

    async def _answer_about_event(
        self,
        command: Command,
        arguments: str,
        typed: list[TypedEvent],
        context: CommandContext | None,
        *,
        report: SentenceReport | None = None,
    ) -> _Answer:
        subject = await self._events.find_subject(
            typed, arguments, context, load=command.event_handler is not None
        )
        arguments = subject.arguments
        if command.event_handler is not None:
            if subject.superevent is None:
                return _Answer(helping.error_message(NO_EVENT))
            if subject.is_doubtful and command.name in ACTING_COMMANDS:
                # A report about the wrong event would be counted there.
                refusal = f"{subject.introduction} Nothing was changed: say which one, by its id."
                return _Answer(helping.error_message(refusal))
            message = await command.answer_about(subject.superevent, arguments, report, context)
        else:
            assert command.handler is not None
            if subject.name is not None:
                arguments = f"{arguments} {subject.name}"
            message = (await command.handler(arguments, context)).message
        if subject.introduction is not None:
            message = answer.with_introduction(subject.introduction, message)
        answered = CommandAnswer(message, subject.name)
        found = await self._with_thread_link(answered, context, command.is_shareable)
        return replace(found, chosen_id=subject.name if subject.is_chosen else None)

    async def _answer_sentence(
        self, parsed: ParsedQuestion, typed: list[TypedEvent], asked: str, context: CommandContext | None
    ) -> _Answer:
        if parsed.topic is None:
            return await self._not_understood(parsed, asked, context)
        if parsed.topic in ABOUT_NO_EVENT:
            return _Answer(self._events.answer_without_event(parsed.topic))
        if parsed.topic is Topic.COMPARE and len(typed) > 1:
            superevents = [await self._events.get(event) for event in typed]
            return _Answer(self._events.compare(superevents), is_shareable=True)
        if parsed.topic is Topic.COMPARE and typed and context is not None and context.thread_ts is not None:
            here = await self._events.find_subject([], "", context)
            if here.superevent is not None and here.introduction is None:
                # In an event's thread "compare S230518h" means that event with the thread's.
                return _Answer(
                    self._events.compare([here.superevent, await self._events.get(typed[0])]),
                    is_shareable=True,
                )
        if parsed.topic is Topic.CARD and names_sites(" ".join(unexplained_words(parsed.arguments))):
            # "Palomar S230518h"
            words = " ".join(unexplained_words(parsed.arguments))
            return await self._answer_about_event(self._commands_by_word["visible"], words, typed, context)
        # "mute it? Trigger1" asks about that event, in another event's thread too.
        words = parsed.arguments if parsed.topic is Topic.PEOPLE else ""
        subject = await self._events.find_subject(typed, words, context)
        if subject.superevent is None:
            return _Answer(helping.error_message(NO_EVENT))
        answered = await self._answer_topic(subject.superevent, parsed, context)
        if subject.introduction is not None:
            answered = replace(
                answered, message=answer.with_introduction(subject.introduction, answered.message)
            )
        return replace(answered, chosen_id=subject.name if subject.is_chosen else None)

    async def _answer_topic(
        self, superevent: Superevent, parsed: ParsedQuestion, context: CommandContext | None
    ) -> _Answer:
        assert parsed.topic is not None
        message = await self._events.answer_topic(superevent, parsed.topic, parsed.arguments, context)
        return await self._with_thread_link(CommandAnswer(message, superevent.superevent_id), context, True)

    async def _split_nonstandard(self, asked: str) -> tuple[str, str] | None:
        """Return the id in another form than LVK's that a question begins with, and the rest."""
        return await self._events.split_leading_nonstandard_id(" ".join(asked.split()))

    def _read_about_nonstandard(self, rest: str, context: CommandContext | None) -> ParsedQuestion:
        return self._expanded(self._read_sentence(rest, 1, context))

    def _read_sentence(self, text: str, event_count: int, context: CommandContext | None) -> ParsedQuestion:
        own = frozenset[str]() if context is None else context.own_telescopes
        return read_question(text, event_count, self._commands_by_word.keys(), self._safe_words, own)

    async def _answer_nonstandard(
        self, superevent_id: str, parsed: ParsedQuestion, context: CommandContext | None
    ) -> _Answer:
        """Answer a question that begins with an id which isn't in LVK's form, and may hold blanks."""
        superevent = await self._events.get_by_id(superevent_id)
        command = None if parsed.command is None else self._commands_by_word[parsed.command]
        if command is not None and command.event_handler is not None:
            if context is not None and command.is_mutating(parsed.arguments):
                context = await self._authorizer.authorize(context)
            message = await command.answer_about(superevent, parsed.arguments, parsed.report, context)
            return await self._with_thread_link(CommandAnswer(message, superevent_id), context, True)
        topic = parsed.topic or Topic.CARD
        return await self._answer_topic(superevent, replace(parsed, command=None, topic=topic), context)

    async def _not_understood(
        self, parsed: ParsedQuestion, asked: str, context: CommandContext | None
    ) -> _Answer:
        question = " ".join(asked.split())
        named = await self._split_nonstandard(asked)
        if named is not None:
            return await self._answer_nonstandard(
                named[0], self._read_about_nonstandard(named[1], context), context
            )
        if names_sites(question):
            return await self._answer_about_event(self._commands_by_word["visible"], question, [], context)
        site, _, last_word = question.rpartition(" ")
        if last_word.casefold() == "plan" and names_sites(site.rstrip(",:")):
            return await self._answer_about_event(self._commands_by_word["plan"], site, [], context)
        first = question.partition(" ")[0]
        if looks_like_event_id(first):
            return _Answer(await self._events.suggest_ids(first))
        return _Answer(helping.unknown_command(question, parsed.nearest))

    async def _with_thread_link(
        self, answered: CommandAnswer, context: CommandContext | None, is_shareable: bool
    ) -> _Answer:
        """Return the answer with a link to this channel's thread of the event, unless it is asked there."""
        message = answered.message
        if answered.superevent_id is not None and context is not None:
            url = await self._events.thread_url(answered.superevent_id, context)
            if url is not None:
                message = answer.with_thread_link(message, answered.superevent_id, url)
        return _Answer(message, answered.superevent_id, is_shareable)


def _acts(parsed: ParsedQuestion) -> bool:
    """Return whether a command acts at once, and its words don't end with a note, in which all may stand."""
    takes_note = parsed.command == "observe change" and parsed.report is None
    return parsed.command in ACTING_COMMANDS and not (takes_note and has_note(parsed.arguments))


def names_sites(text: str) -> bool:
    """Return whether a text is nothing but names of sites: "Palomar and Keck"."""
    if not text.strip() or len(text.split()) > MAX_SITE_WORDS or any(digit in text for digit in "0123456789"):
        return False
    try:
        return bool(parse_site_names(text, ()))
    except FilterSyntaxError:
        return False
