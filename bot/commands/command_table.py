"""The table of all commands after `/gwevent`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from bot.commands.command_handlers import CommandHandlers as CommandHandlers
from bot.commands.command_types import Command, CommandAnswer, Handler
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.plural_words import about_named_event as about_named_event
from bot.commands.plural_words import expand_plural as expand_plural
from bot.commands.plural_words import has_note as has_note
from bot.commands.plural_words import without_note as without_note
from bot.commands.understanding import unexplained_words
from bot.filters.vocabulary import is_filter_word
from bot.runtime.callbacks import always, never
from formatters.answers import help as helping
from formatters.blockkit.message import Message

SUBSCRIPTIONS_NEED_CHANNEL = "Subscriptions belong to a channel: type this in Slack."
SITES_NEED_CHANNEL = "Sites belong to a channel: type this in Slack."
CRITERIA_NEED_WORKSPACE = "Criteria of one's own belong to a workspace: type this in Slack."


def command_table(handlers: CommandHandlers) -> tuple[Command, ...]:
    """Return all commands; each that is listed stands in `formatters.answers.help` too."""
    search, subscriptions, details = handlers.search, handlers.subscriptions, handlers.event_details

    def subscription_command(
        name: str,
        handler: Callable[[str, CommandContext], Awaitable[Message]],
        aliases: Iterable[str] = (),
        *,
        is_mutating: bool = False,
        offers_modal: bool = False,
        is_listed: bool = True,
    ) -> Command:
        return Command(
            name,
            _in_channel(handler, SUBSCRIPTIONS_NEED_CHANNEL),
            tuple(aliases),
            is_mutating=always if is_mutating else never,
            may_change=is_mutating,
            offers_modal=offers_modal,
            is_listed=is_listed,
        )

    return (
        Command("help", _help, ("", "?", "commands", "menu", "usage")),
        Command("latest", search.latest, ("last", "newest"), is_shareable=True),
        Command(
            "events",
            _wrap(search.events),
            ("recent", "search", "find", "list", "event"),
            is_shareable=True,
        ),
        Command("history", None, ("notices",), event_handler=details.history, is_shareable=True),
        Command(
            "map", None, ("skymap", "picture", "image", "plot"), event_handler=details.map, is_shareable=True
        ),
        Command("export", None, ("download",), event_handler=details.export, is_shareable=True),
        *(
            Command(word, None, event_handler=handler, is_shareable=True, is_listed=False)
            for word, handler in details.export_words.items()
        ),
        Command(
            "check",
            _anywhere(handlers.check.answer),
            ("crossmatch", "position", "positions"),
            is_shareable=True,
            is_multiline=True,
            takes_event_id=True,
        ),
        Command(
            "visible",
            _wrap(handlers.visible.answer),
            ("observable", "observability", "visibility", "tonight"),
            is_shareable=True,
            takes_event_id=True,
        ),
        Command("galaxies", None, ("galaxy",), event_handler=handlers.galaxies.answer, is_shareable=True),
        Command(
            "candidates",
            None,
            ("candidate", "counterparts", "counterpart"),
            event_handler=handlers.candidates.answer,
            is_multiline=True,
            is_shareable=True,
        ),
        Command(
            "candidates change",
            None,
            event_handler=handlers.candidates.answer,
            is_multiline=True,
            is_mutating=always,
            may_change=True,
            is_listed=False,
        ),
        Command(
            "observe",
            None,
            ("obs", "observing", "observes", "observation", "observations", "observed"),
            event_handler=handlers.observe.list,
            is_multiline=True,
            may_change=True,
        ),
        # Everybody of the channel may report, as with the button, so nothing is authorized.
        Command(
            "observe change",
            None,
            event_handler=handlers.observe.report,
            report_handler=handlers.observe.tell,
            is_multiline=True,
            may_change=True,
            is_listed=False,
        ),
        Command(
            "coverage",
            None,
            ("covered", "cover"),
            event_handler=handlers.coverage.answer,
            is_shareable=True,
        ),
        Command(
            "plan",
            None,
            ("plans", "pointings", "pointing"),
            event_handler=handlers.plan.answer,
            is_shareable=True,
        ),
        # Everybody of the channel may, as with the menu below its messages, so nothing is authorized.
        Command("mute", None, event_handler=handlers.mute.mute, may_change=True),
        Command("unmute", None, event_handler=handlers.mute.unmute, may_change=True, is_listed=False),
        subscription_command(
            "subscribe", subscriptions.subscribe, ("sub",), is_mutating=True, offers_modal=True
        ),
        subscription_command("unsubscribe", subscriptions.unsubscribe, ("unsub",), is_mutating=True),
        subscription_command("subscriptions", subscriptions.subscriptions, ("subs", "subscription")),
        subscription_command("edit", subscriptions.edit, is_mutating=True, is_listed=False),
        subscription_command("pause", subscriptions.pause, is_mutating=True, is_listed=False),
        subscription_command("resume", subscriptions.resume, is_mutating=True, is_listed=False),
        subscription_command("drill", handlers.drill, ("drills",), is_mutating=True, is_listed=False),
        subscription_command("dialog", subscriptions.modal_button, ("form",), is_listed=False),
        Command("test", _backtest(handlers), is_shareable=True, is_listed=False),
        Command(
            "sites",
            _in_channel(handlers.sites.answer, SITES_NEED_CHANNEL),
            ("site",),
            is_mutating=_changes_sites,
            may_change=True,
        ),
        Command(
            "criteria",
            _wrap(handlers.criteria.list_sets),
            ("criterion",),
            is_multiline=True,
            is_shareable=True,
        ),
        # Two words, so that nobody types them as one: `expand_plural` gives them.
        Command(
            "criteria show",
            _wrap(handlers.criteria.show),
            takes_event_id=True,
            takes_set_names=True,
            is_shareable=True,
            is_listed=False,
        ),
        Command(
            "criteria change",
            _in_channel(handlers.criteria.change, CRITERIA_NEED_WORKSPACE),
            is_multiline=True,
            is_mutating=always,
            may_change=True,
            is_listed=False,
        ),
        Command(
            "grades",
            _wrap(handlers.criteria.answer_question),
            takes_event_id=True,
            is_shareable=True,
            is_listed=False,
        ),
        Command(
            "status", _anywhere(handlers.status.answer), ("version", "uptime", "health"), is_shareable=True
        ),
    )


def _changes_sites(arguments: str) -> bool:
    return bool(arguments)


def _backtest(handlers: CommandHandlers) -> Handler:
    """Return the handler of `test`: criteria, or the number of one of the channel's subscriptions."""

    async def handle(arguments: str, context: CommandContext | None) -> CommandAnswer:
        if context is not None:
            criteria = await handlers.subscriptions.criteria_of(arguments, context)
            if criteria is not None:
                return CommandAnswer(await handlers.search.backtest(criteria, context))
        return CommandAnswer(await handlers.search.test(arguments, context))

    return handle


def _anywhere(handler: Callable[[str], Awaitable[Message]]) -> Handler:
    """Adapt a handler that needs no context."""

    async def handle(arguments: str, context: CommandContext | None) -> CommandAnswer:
        return CommandAnswer(await handler(arguments))

    return handle


def _wrap(handler: Callable[[str, CommandContext | None], Awaitable[Message]]) -> Handler:
    async def handle(arguments: str, context: CommandContext | None) -> CommandAnswer:
        return CommandAnswer(await handler(arguments, context))

    return handle


def _in_channel(handler: Callable[[str, CommandContext], Awaitable[Message]], otherwise: str) -> Handler:
    """Adapt a handler that needs a channel; `otherwise` is the answer in the terminal, which has none."""

    async def handle(arguments: str, context: CommandContext | None) -> CommandAnswer:
        if context is None:
            raise CommandError(otherwise)
        return CommandAnswer(await handler(arguments, context))

    return handle


async def _help(arguments: str, context: CommandContext | None) -> CommandAnswer:
    words = arguments.split()
    for word in (arguments, *words):
        found = helping.page_for(word) if word else None
        if found is not None:
            return CommandAnswer(found)
    for word in (word.casefold() for word in words):
        filters = helping.page_for("filters") if is_filter_word(word) else None
        if filters is not None:
            return CommandAnswer(filters)
    is_about_a_word = bool(unexplained_words(arguments))
    return CommandAnswer(helping.no_page(arguments) if is_about_a_word else helping.overview())
