"""The table of all commands after `/gwevent`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from bot.commands.check import CheckCommand
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.event_details import EventDetailsCommand
from bot.commands.recent import RecentCommand
from bot.commands.search import SearchCommands
from bot.commands.sites import SiteCommands
from bot.commands.status import StatusCommand
from bot.commands.subscriptions import SubscriptionCommands
from bot.commands.visible import VisibleCommand
from formatters.answers import help as helping
from formatters.blockkit.message import Message

SUBSCRIPTIONS_NEED_CHANNEL = "Subscriptions belong to a channel: type this in Slack."
SITES_NEED_CHANNEL = "Sites belong to a channel: type this in Slack."

Handler = Callable[[str, CommandContext | None], Awaitable[Message]]
"""(arguments, context) -> the answer.

Raises FilterSyntaxError, NoSuchEvent, PermissionDenied, StoreUnavailable.
"""


def _never(arguments: str) -> bool:
    return False


def _always(arguments: str) -> bool:
    return True


def _with_arguments(arguments: str) -> bool:
    return bool(arguments)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words, its handler and its properties."""

    name: str
    """The word that help shows."""
    handler: Handler
    aliases: tuple[str, ...] = ()
    """Other words for the same command, in lower case."""
    is_multiline: bool = False
    """Line ends in its arguments count; for other commands they are blanks."""
    is_shareable: bool = False
    """Its answer has a button that posts the answer in the channel."""
    is_mutating: Callable[[str], bool] = _never
    """Returns True for arguments that change what the channel receives; then it is authorized first."""
    offers_modal: bool = False
    """The answer to invalid arguments has a button that opens the subscription modal."""


@dataclass(frozen=True, slots=True)
class CommandHandlers:
    """The commands' handlers, by subject."""

    check: CheckCommand
    event_details: EventDetailsCommand
    recent: RecentCommand
    search: SearchCommands
    sites: SiteCommands
    status: StatusCommand
    subscriptions: SubscriptionCommands
    visible: VisibleCommand


def command_table(handlers: CommandHandlers) -> tuple[Command, ...]:
    """Return all commands; each stands in `formatters.answers.help` too, which a test checks."""
    search, subscriptions = handlers.search, handlers.subscriptions

    def subscription_command(
        name: str,
        handler: Callable[[str, CommandContext], Awaitable[Message]],
        aliases: Iterable[str] = (),
        *,
        is_mutating: bool = False,
        offers_modal: bool = False,
    ) -> Command:
        return Command(
            name,
            _in_channel(handler, SUBSCRIPTIONS_NEED_CHANNEL),
            tuple(aliases),
            is_mutating=_always if is_mutating else _never,
            offers_modal=offers_modal,
        )

    return (
        Command("help", _help, ("", "?")),
        Command("latest", _anywhere(search.latest), ("last", "newest"), is_shareable=True),
        Command("recent", _anywhere(handlers.recent.answer), is_shareable=True),
        Command("search", _anywhere(search.search), ("find",), is_shareable=True),
        Command("test", _anywhere(search.test), is_shareable=True),
        Command("status", _anywhere(handlers.status.answer), is_shareable=True),
        Command("check", _anywhere(handlers.check.answer), is_shareable=True, is_multiline=True),
        Command("visible", handlers.visible.answer, is_shareable=True),
        Command("sites", _in_channel(handlers.sites.answer, SITES_NEED_CHANNEL), is_mutating=_with_arguments),
        subscription_command(
            "subscribe", subscriptions.subscribe, ("sub",), is_mutating=True, offers_modal=True
        ),
        subscription_command("unsubscribe", subscriptions.unsubscribe, ("unsub",), is_mutating=True),
        subscription_command("edit", subscriptions.edit, is_mutating=True),
        subscription_command("pause", subscriptions.pause, is_mutating=True),
        subscription_command("resume", subscriptions.resume, is_mutating=True),
        subscription_command("subscriptions", subscriptions.subscriptions, ("subs",)),
        subscription_command("dialog", subscriptions.modal_button),
    )


def _anywhere(handler: Callable[[str], Awaitable[Message]]) -> Handler:
    """Adapt a handler that needs no context."""

    async def handle(arguments: str, context: CommandContext | None) -> Message:
        return await handler(arguments)

    return handle


def _in_channel(handler: Callable[[str, CommandContext], Awaitable[Message]], otherwise: str) -> Handler:
    """Adapt a handler that needs a channel; `otherwise` is the answer in the terminal, which has none."""

    async def handle(arguments: str, context: CommandContext | None) -> Message:
        if context is None:
            raise CommandError(otherwise)
        return await handler(arguments, context)

    return handle


async def _help(arguments: str, context: CommandContext | None) -> Message:
    match arguments.casefold().partition(" ")[0].rstrip("s"):
        case "filter":
            return helping.filters_help()
        case "subscribe" | "unsubscribe" | "subscription" | "notify" | "edit" | "pause" | "resume":
            return helping.subscribe_help()
        case "site" | "visible":
            return helping.sites_help()
    return helping.overview()
