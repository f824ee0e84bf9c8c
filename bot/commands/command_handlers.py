"""The handlers of the commands in the table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.commands.candidates import CandidatesCommand
from bot.commands.check import CheckCommand
from bot.commands.context import CommandContext
from bot.commands.coverage import CoverageCommand
from bot.commands.criteria import CriteriaCommands
from bot.commands.event_details import EventDetailsCommand
from bot.commands.galaxies import GalaxiesCommand
from bot.commands.mute import MuteCommand
from bot.commands.observe import ObserveCommand
from bot.commands.plan import PlanCommand
from bot.commands.search import SearchCommands
from bot.commands.sites import SiteCommands
from bot.commands.status import StatusCommand
from bot.commands.subscriptions import SubscriptionCommands
from bot.commands.visible import VisibleCommand
from formatters.blockkit.message import Message


@dataclass(frozen=True, slots=True)
class CommandHandlers:
    """The commands' handlers, by subject."""

    candidates: CandidatesCommand
    check: CheckCommand
    coverage: CoverageCommand
    criteria: CriteriaCommands
    drill: Callable[[str, CommandContext], Awaitable[Message]]
    """`subscriptions drill`."""
    event_details: EventDetailsCommand
    galaxies: GalaxiesCommand
    mute: MuteCommand
    observe: ObserveCommand
    plan: PlanCommand
    search: SearchCommands
    sites: SiteCommands
    status: StatusCommand
    subscriptions: SubscriptionCommands
    visible: VisibleCommand
