"""Composition of the process's side towards Slack: commands, listeners, modal, App Home and connection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from bot.app.criteria_services import create_criteria_service
from bot.app.escalation_parts import create_drill_service
from bot.app.factory import Factory
from bot.app.gracedb_importer import create_gracedb_importer
from bot.app.observation_services import create_observation_dialog
from bot.app.permalinks import create_permalinks
from bot.app.slack_interface import SlackInterface, register_middleware_and_listeners
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.check import CheckCommand
from bot.commands.event_lookup import EventLookup
from bot.commands.mute import Mutes
from bot.delivery.image_drawer import ImageDrawer
from bot.delivery.image_provider import ImageProvider
from bot.listeners.answer_sender import AnswerSender
from bot.listeners.channel_membership import ChannelMembership
from bot.listeners.channel_updates import ChannelUpdates
from bot.listeners.check_modal import CheckModal
from bot.listeners.criteria_modal import CriteriaModal
from bot.listeners.event_buttons import EventButtons
from bot.listeners.home_content import HomeContent
from bot.listeners.home_tab import HomeTab
from bot.listeners.observe_modal import ObserveModal
from bot.listeners.registration import ListenerServices
from bot.listeners.subscription_modal import SubscriptionModal
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.slack.channel_policy import ChannelPolicy
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.gateway import SlackGateway
from bot.sources.base import SourceStatus


def create_slack_interface(
    factory: Factory,
    settings: Settings,
    clock: Callable[[], datetime],
    wakeups: Wakeups,
    *,
    image_drawer: ImageDrawer,
    source_statuses: Callable[[], list[SourceStatus]],
    on_api_call: Callable[[str, SlackFailure | None], None],
) -> SlackInterface:
    """Create the commands, listeners and connection of a process that answers in Slack.

    Raises SettingsError without tokens.
    """
    clients: dict[str, SlackClient] = {}
    importer = create_gracedb_importer(settings, factory, clock)
    authorizer = ChannelAuthorizer(ChannelPolicy(settings.who_may_subscribe, clients).check)
    subscription_service = factory.create_subscription_service(clock, wakeups, authorizer)
    get_permalink = create_permalinks(clients)
    images = ImageProvider(factory.notices, factory.images, clients, image_drawer, settings.public_url)
    router = factory.create_command_router(
        clock,
        importer=importer,
        image_provider=images,
        marked_image_provider=images.marked,
        source_statuses=source_statuses,
        wakeups=wakeups,
        authorizer=authorizer,
        get_permalink=get_permalink,
    )
    membership = ChannelMembership(subscription_service, clients)
    home_content = HomeContent(
        subscription_service, factory.home_repositories(), source_statuses, get_permalink
    )
    home_tab = HomeTab(home_content, membership, clients, clock)
    subscription_modal = SubscriptionModal(
        subscription_service,
        factory.create_search_commands(clock),
        membership,
        clients,
        on_saved=lambda context: home_tab.publish(context.team_id, context.user_id),
    )
    criteria_modal = CriteriaModal(
        create_criteria_service(factory, clock, wakeups, authorizer),
        clients,
        on_saved=lambda context: home_tab.publish(context.team_id, context.user_id),
    )
    channel_updates = ChannelUpdates(
        factory.outbox,
        factory.channel_moves,
        factory.ops_channel,
        clock,
        wakeups,
        max_age=settings.max_age,
        configured_ops_channel=settings.ops_team_and_channel[1],
    )
    sender = AnswerSender(clients)
    check = CheckCommand(EventLookup(factory.notices, importer, clock), factory.skymap_cache, clock)
    listeners = ListenerServices(
        router=router,
        subscription_service=subscription_service,
        home_tab=home_tab,
        subscription_modal=subscription_modal,
        criteria_modal=criteria_modal,
        check_modal=CheckModal(check, clients, sender.send_ephemeral),
        event_buttons=EventButtons(
            factory.acknowledgements, Mutes(factory.mutes, wakeups, clock), factory.notices, clock, wakeups
        ),
        acknowledge_drill=create_drill_service(factory, clock, wakeups, authorizer).acknowledge,
        send_ephemeral=sender.send_ephemeral,
        send_direct=sender.send_direct,
        observe_modal=ObserveModal(
            create_observation_dialog(factory, factory.create_observation_reports(clock, wakeups), clock),
            EventLookup(factory.notices, importer, clock),
            clients,
        ),
        requeue_channel=channel_updates.requeue_channel,
        move_channel=channel_updates.move_channel,
    )
    gateway = SlackGateway(
        settings,
        factory.installations,
        clients,
        clock,
        register_listeners=partial(register_middleware_and_listeners, settings, listeners),
        wakeups=wakeups,
        on_call=on_api_call,
    )
    return SlackInterface(clients, gateway, listeners, importer)
