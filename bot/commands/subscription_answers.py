"""Answers to changes of subscriptions, the same for text commands, buttons, the modal and App Home."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import assert_never

from bot.commands.authorization import PermissionDenied
from bot.commands.errors import store_unavailable
from bot.commands.subscription_service import (
    AlreadyPaused,
    AlreadySubscribed,
    ConfirmationFailed,
    ConfirmationPending,
    Edited,
    NeverHolds,
    NoSuchSubscription,
    NotPaused,
    OutOfDate,
    Paused,
    Removed,
    Renumbered,
    Resumed,
    Subscribed,
    SubscriptionResult,
    Unchanged,
)
from bot.filters import FilterSyntaxError
from bot.filters.satisfiability import idle_conditions
from bot.store.database import StoreUnavailable
from formatters.answers import help as helping
from formatters.answers import subscription_messages
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import escape
from formatters.models.subscription import Criteria


async def answer_change(change: Callable[[], Awaitable[SubscriptionResult]]) -> Message:
    """Make a change of subscriptions and return its answer, also if it is refused or the store is away."""
    try:
        return answer_for(await change())
    except PermissionDenied as refusal:
        return helping.error_message(str(refusal))
    except FilterSyntaxError as error:
        # A criteria set was removed after the criteria were read.
        return helping.error_message(str(error))
    except StoreUnavailable:
        return store_unavailable()


def answer_for(result: SubscriptionResult) -> Message:
    """Return the answer for the outcome of a change."""
    match result:
        case Subscribed(criteria):
            return _with_idle_conditions(criteria, subscription_messages.subscribed())
        case ConfirmationPending(criteria):
            return _with_idle_conditions(criteria, subscription_messages.confirmation_pending(criteria))
        case ConfirmationFailed(reason):
            return subscription_messages.refused(reason)
        case NeverHolds(_, sentence):
            return helping.error_message(
                f"{sentence} Nothing was changed. To have it all the same, repeat it with the word anyway."
            )
        case AlreadySubscribed(subscription):
            return subscription_messages.already_subscribed(subscription)
        case NoSuchSubscription(number, subscriptions, is_one_of_several):
            return subscription_messages.no_such_number(
                str(number), subscriptions, several_named=is_one_of_several
            )
        case Renumbered(number, subscription):
            return subscription_messages.renumbered(number, subscription)
        case Edited(before, after):
            return _with_idle_conditions(after.criteria, subscription_messages.edited(before, after))
        case Unchanged(subscription):
            return subscription_messages.unchanged(subscription)
        case Paused(subscription):
            return subscription_messages.paused(subscription)
        case AlreadyPaused(subscription):
            return subscription_messages.already_paused(subscription)
        case Resumed(subscription):
            return subscription_messages.resumed(subscription)
        case NotPaused(subscription):
            return subscription_messages.not_paused(subscription)
        case Removed(subscriptions):
            return subscription_messages.unsubscribed(subscriptions)
        case OutOfDate(subscriptions):
            return subscription_messages.stale_button(subscriptions)
    assert_never(result)


def _with_idle_conditions(criteria: Criteria, message: Message) -> Message:
    """Add a sentence about conditions that every notice meets: they choose nothing."""
    idle = idle_conditions(criteria.filter)
    if not idle:
        return message
    named = " and ".join(f'"{words[:40]}"' for words in idle[:3])
    note = blocks.context(
        escape(f"{named} chooses nothing: it holds for every notice that states a value for it.")
    )
    return Message(message.text, (*message.blocks, note))
