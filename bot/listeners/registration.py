"""Registration of all Bolt listeners, in the order in which Bolt tries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp

from bot.commands.router import CommandRouter
from bot.commands.subscription_service import SubscriptionService
from bot.listeners.buttons import register_buttons
from bot.listeners.channel_events import MoveChannel, RequeueChannel, register_channel_events
from bot.listeners.check_modal import CheckModal
from bot.listeners.criteria_listeners import register_criteria_listeners
from bot.listeners.criteria_modal import CriteriaModal
from bot.listeners.direct_messages import register_direct_messages
from bot.listeners.drill_button import AcknowledgeDrill, register_drill_button
from bot.listeners.event_buttons import EventButtons
from bot.listeners.event_listeners import register_event_listeners
from bot.listeners.home_listeners import register_home_listeners
from bot.listeners.home_tab import HomeTab
from bot.listeners.mentions import register_mentions
from bot.listeners.modal_listeners import register_modal_listeners
from bot.listeners.observe_listeners import register_observe_listeners
from bot.listeners.observe_modal import ObserveModal
from bot.listeners.responses import SendAnswer, transport_failure
from bot.listeners.slash_command import register_slash_command
from bot.listeners.subscription_modal import SubscriptionModal

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerServices:
    """The services and callbacks that the listeners call."""

    router: CommandRouter
    subscription_service: SubscriptionService
    home_tab: HomeTab
    subscription_modal: SubscriptionModal
    criteria_modal: CriteriaModal
    check_modal: CheckModal
    event_buttons: EventButtons
    acknowledge_drill: AcknowledgeDrill
    send_ephemeral: SendAnswer
    send_direct: SendAnswer
    observe_modal: ObserveModal
    requeue_channel: RequeueChannel
    move_channel: MoveChannel


def register_listeners(app: AsyncApp, services: ListenerServices) -> None:
    """Register every listener; those of any command, action or event come after the particular ones."""
    register_modal_listeners(app, services.subscription_modal)
    register_home_listeners(
        app, services.subscription_service, services.home_tab, services.subscription_modal
    )
    register_criteria_listeners(app, services.criteria_modal, services.home_tab)
    register_event_listeners(app, services.router, services.event_buttons, services.check_modal)
    register_drill_button(app, services.acknowledge_drill)
    register_observe_listeners(app, services.observe_modal)
    register_slash_command(app, services.router, services.send_ephemeral)
    register_mentions(app, services.router, services.send_ephemeral)
    register_direct_messages(app, services.router, services.send_ephemeral, services.send_direct)
    register_buttons(app, services.router, services.subscription_service)
    register_channel_events(app, services.requeue_channel, services.move_channel)

    @app.error
    async def on_error(error: Exception, body: dict[str, Any]) -> None:
        reason = transport_failure(error)
        if reason is not None:
            log.warning("answer_not_shown", type=body.get("type"), command=body.get("command"), reason=reason)
            return
        # Errors that no listener expected. What people wrote isn't logged.
        log.error("listener_failed", type=body.get("type"), command=body.get("command"), exc_info=error)
