"""The types of the command table: commands, their handlers and answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.commands.context import CommandContext
from bot.commands.sentence_reports import SentenceReport as SentenceReport
from bot.runtime.callbacks import never
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """The answer of a command, and the event that it is about."""

    message: Message
    superevent_id: str | None = None
    """None for an answer about no event, or several."""


Handler = Callable[[str, CommandContext | None], Awaitable[CommandAnswer]]
"""(arguments, context) -> the answer.

Raises FilterSyntaxError, NoSuchEvent, PermissionDenied, StoreUnavailable.
"""
EventHandler = Callable[[Superevent, str, CommandContext | None], Awaitable[Message]]
"""(event, other arguments, context) -> the answer. Raises the same."""
ReportHandler = Callable[[Superevent, SentenceReport, CommandContext | None], Awaitable[Message]]
"""(event, what a sentence tells of it, context) -> the answer. Raises the same."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words, its handler and its properties."""

    name: str
    """The word that help shows."""
    handler: Handler | None
    aliases: tuple[str, ...] = ()
    """Other words for the same command, in lower case; help lists none of them."""
    event_handler: EventHandler | None = None
    """For a command about one event, which the router finds; then `handler` is None."""
    report_handler: ReportHandler | None = None
    """For a report about one event that is told in a sentence, instead of in arguments."""
    takes_event_id: bool = False
    """The handler finds the event's id among its arguments; the router puts it there if nobody typed it."""
    takes_set_names: bool = False
    """Its arguments name criteria sets: "ntt-bns" is one, and describes no event by its class."""
    is_multiline: bool = False
    """Line ends in its arguments count; for other commands they are blanks."""
    is_shareable: bool = False
    """Its answer has a button that posts the answer in the channel."""
    is_mutating: Callable[[str], bool] = never
    """Returns True for arguments that change what the channel receives; then it is authorized first."""
    may_change: bool = False
    """True if any arguments do; no typing error is ever taken for its word."""
    offers_modal: bool = False
    """The answer to invalid arguments has a button that opens the subscription modal."""
    is_listed: bool = True
    """False for an older word of another command, which help doesn't show."""

    @property
    def is_about_event(self) -> bool:
        """True if it answers about one event."""
        return self.event_handler is not None or self.takes_event_id

    async def answer_about(
        self,
        superevent: Superevent,
        arguments: str,
        report: SentenceReport | None,
        context: CommandContext | None,
    ) -> Message:
        """Return the answer about an event, of a command that has an event handler.

        `report` is what a sentence tells, without which the command is asked with its arguments.
        """
        if report is not None and self.report_handler is not None:
            return await self.report_handler(superevent, replace(report, words=arguments), context)
        assert self.event_handler is not None
        return await self.event_handler(superevent, arguments, context)
