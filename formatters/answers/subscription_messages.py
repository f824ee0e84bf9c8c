"""Confirmations, lists and errors about a channel's subscriptions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text, target_label, utf16_length
from formatters.models.subscription import (
    BROADCAST_WORDS,
    Criteria,
    RefusedMention,
    Subscription,
)
from formatters.text.criteria_text import describe, user_mention

_TARGET_KINDS = {"<@": "the person ", "<!": "the group "}
_MAX_LISTED = 40
_MAX_LIST_CHARS = 8_000
"""Maximum UTF-16 length of the listed subscriptions, within Slack's limit for a message."""


def confirmation(subscription: Subscription) -> Message:
    """Return the confirmation posted in the channel: the subscription's content and its author.

    It mentions the people and groups that alerts will mention, so that they are informed. Posting it also
    verifies that the bot can post in the channel.
    """
    criteria = subscription.criteria
    by = user_mention(subscription.created_by)
    what = describe(criteria)
    return blocks.message(
        f"Subscribed: {' '.join(what)}",
        blocks.section(f"{bold('Subscribed')} to {bold(criteria.mrkdwn)}, requested by {by}.", *what),
        blocks.context(
            "Each event is one message, which gwevent keeps up to date; its notices follow in the thread. "
            f"To stop: `/gwevent unsubscribe {subscription.number}`"
        ),
    )


def confirmation_pending(criteria: Criteria) -> Message:
    """Return the reply to the subscriber while the confirmation in the channel is pending."""
    return _text_message(
        f"Subscribing this channel to {criteria.mrkdwn}. gwevent will confirm it in the channel."
    )


def subscribed() -> Message:
    """Return the reply to the subscriber after the confirmation, which says all of it, was posted."""
    return _text_message("Done. The post in the channel confirms it.")


def already_subscribed(subscription: Subscription) -> Message:
    """Return the reply if the channel already has this subscription."""
    by = user_mention(subscription.created_by)
    text = f"This channel has {bold(subscription.criteria.mrkdwn)} already, requested by {by}."
    if subscription.paused_at is not None:
        text += f" It is paused: `/gwevent resume {subscription.number}` starts it again."
    return _text_message(text)


def edited(before: Subscription, after: Subscription) -> Message:
    """Return the reply to `edit`: the new and the old criteria, which the channel's post explains."""
    text = (
        f"Subscription {after.number} is now {bold(after.criteria.mrkdwn)}; it was"
        f" {bold(before.criteria.mrkdwn)}."
    )
    if after.paused_at is not None:
        text += " It stays paused."
    return _text_message(f"{text} gwevent posts this in the channel, in words and with the way back.")


def unchanged(subscription: Subscription) -> Message:
    """Return the reply to an edit that changes nothing."""
    return _text_message(
        f"Nothing was changed: subscription {subscription.number} is still"
        f" {bold(subscription.criteria.mrkdwn)}."
    )


def paused(subscription: Subscription) -> Message:
    """Return the reply to `pause`."""
    return _text_message(
        f"Paused {bold(subscription.criteria.mrkdwn)}, until `/gwevent resume {subscription.number}`."
        " gwevent posts this in the channel."
    )


def resumed(subscription: Subscription) -> Message:
    """Return the reply to `resume`."""
    return _text_message(
        f"{bold(subscription.criteria.mrkdwn)} is active again. gwevent posts this in the channel."
    )


def no_such_number(
    number: str, subscriptions: Sequence[Subscription], *, several_named: bool = False
) -> Message:
    """Return the reply to an unknown subscription number.

    `several_named` is True if it was one of several numbers in the command.
    """
    if not subscriptions:
        return no_subscriptions()
    has = ", ".join(f"{s.number} ({bold(s.criteria.mrkdwn)})" for s in subscriptions)
    text = f"This channel has no subscription {escape(plain_text(number))}; it has {has}."
    return _text_message(f"{text} Nothing was changed." if several_named else text)


def subscription_list(subscriptions: Sequence[Subscription]) -> Message:
    """Return the list of a channel's subscriptions, with any problem that prevents their delivery."""
    if not subscriptions:
        return no_subscriptions()
    sections: list[Block] = []
    left = _MAX_LIST_CHARS
    for subscription in subscriptions[:_MAX_LISTED]:
        section = blocks.section(*summary(subscription))
        left -= utf16_length(section["text"]["text"])
        if left < 0:
            break
        sections.append(section)
    rest = len(subscriptions) - len(sections)
    if rest:
        numbers = ", ".join(str(s.number) for s in subscriptions[len(sections) :])
        sections.append(blocks.context(escape(f"And {rest} more, too long to list: {numbers}")))
    words = ", ".join(subscription.criteria.mrkdwn for subscription in subscriptions)
    return blocks.message(f"This channel's subscriptions: {words}", *sections)


def summary(subscription: Subscription, *, is_described: bool = True) -> list[str]:
    """Return the mrkdwn lines about one numbered subscription, by default with its criteria in words."""
    by = user_mention(subscription.created_by)
    since = escape(f"since {subscription.created_at.astimezone(UTC):%Y-%m-%d}")
    lines = [f"{subscription.number}. {bold(subscription.criteria.mrkdwn)} · {since} · by {by}"]
    if subscription.paused_at is not None:
        when = f"{subscription.paused_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        lines.append(f"{bold('Paused')} since {when}: `/gwevent resume {subscription.number}`")
    if is_described:
        lines += describe(subscription.criteria)
    if subscription.missing_sets:
        missing = " and ".join(escape(plain_text(one)) for one in subscription.missing_sets)
        lines.append(
            f"{bold('Missing criteria')}: {missing}. Conditions on it don't hold, and it isn't shown;"
            " `/gwevent criteria` lists what there is"
        )
    for refused in subscription.refused_mentions:
        since = (
            f"since {refused.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({escape(plain_text(refused.reason))})"
        )
        lines.append(
            f"{bold('Slack refuses')} {target_label(refused.target)} here, {since}:"
            " gwevent posts without it and tries again each time"
        )
    if subscription.delivery_problem is not None:
        lines.append(f"{bold('Nothing can be posted')}: {escape(plain_text(subscription.delivery_problem))}")
    return lines


def unsubscribed(subscriptions: Sequence[Subscription]) -> Message:
    """Return the reply to `unsubscribe`: the subscriptions that ended."""
    words = ", ".join(bold(s.criteria.mrkdwn) for s in subscriptions)
    if all(s.is_pending for s in subscriptions):
        was = "It wasn't" if len(subscriptions) == 1 else "They weren't"
        return _text_message(f"Unsubscribed from {words}. {was} active yet.")
    return _text_message(
        f"Unsubscribed from {words}. gwevent posts this in the channel, with the command that restores it."
    )


def already_paused(subscription: Subscription) -> Message:
    """Return the reply to `pause` if the subscription is already paused."""
    assert subscription.paused_at is not None
    when = f"{subscription.paused_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return _text_message(
        f"{bold(subscription.criteria.mrkdwn)} is paused already, since {when}:"
        f" `/gwevent resume {subscription.number}` starts it again."
    )


def not_paused(subscription: Subscription) -> Message:
    """Return the reply to `resume` if the subscription is active."""
    return _text_message(f"{bold(subscription.criteria.mrkdwn)} isn't paused, so nothing was changed.")


def stale_button(subscriptions: Sequence[Subscription]) -> Message:
    """Return the reply to an outdated button, with the channel's current subscriptions."""
    if not subscriptions:
        return _text_message("Nothing was changed: this channel has no subscription any more.")
    has = ", ".join(
        f"{s.number} ({bold(s.criteria.mrkdwn)}{', paused' if s.paused_at is not None else ''})"
        for s in subscriptions
    )
    return _text_message(
        "That button is out of date: somebody changed this channel's subscriptions after it was shown."
        " Nothing"
        f" was changed now; the channel has {has}."
    )


def renumbered(number: int, now: Subscription) -> Message:
    """Return the reply to a subscription number from an older version, with the current number."""
    return _text_message(
        f"Nothing was changed: each channel numbers its own subscriptions now, and what was number {number}"
        f" is"
        f" number {now.number} ({bold(now.criteria.mrkdwn)})."
    )


def confirm_unsubscribe(subscriptions: Sequence[Subscription]) -> Message:
    """Return the request to confirm an `unsubscribe`: the subscriptions and the command that ends them."""
    sections: list[Block] = []
    left = _MAX_LIST_CHARS
    for s in subscriptions[:_MAX_LISTED]:
        section = blocks.section(f"{s.number}. {bold(s.criteria.mrkdwn)}")
        left -= utf16_length(section["text"]["text"])
        if left < 0:
            break
        sections.append(section)
    numbers = " ".join(str(s.number) for s in subscriptions)
    unlisted = [str(s.number) for s in subscriptions[len(sections) :]]
    more = [blocks.context(f"And {len(unlisted)} more: {', '.join(unlisted)}")] if unlisted else []
    if len(subscriptions) == 1:
        head = f"Nothing has ended yet. To end it: `/gwevent unsubscribe {numbers}`"
    else:
        head = (
            f"Nothing has ended yet. To end all {len(subscriptions)} of these:"
            f" `/gwevent unsubscribe {numbers}`; to end one, type only its number."
        )
    words = ", ".join(s.criteria.mrkdwn for s in subscriptions)
    return blocks.message(f"{head} {words}".replace("`", ""), blocks.section(head), *sections, *more)


def not_subscribed(criteria: Criteria | None, subscriptions: Sequence[Subscription]) -> Message:
    """Return the reply to an `unsubscribe` without a match; `criteria` is None if all were meant."""
    if not subscriptions or criteria is None:
        return no_subscriptions()
    words = ", ".join(bold(subscription.criteria.mrkdwn) for subscription in subscriptions)
    return _text_message(f"This channel isn't subscribed to {bold(criteria.mrkdwn)}; it has {words}.")


def no_subscriptions() -> Message:
    """Return the reply if the channel has no subscription."""
    return _text_message("This channel has no subscription. `/gwevent subscribe CBC` creates one.")


def refused(problem: str) -> Message:
    """Return the reply if the bot can't post in the channel, so that nothing was stored.

    `problem` is Slack's error code or one of gwevent's own sentences.
    """
    if " " in problem:
        # An error code has no spaces, so this is gwevent's own sentence: inviting the bot wouldn't help.
        return _text_message(f"Nothing was subscribed: {escape(plain_text(problem))}.")
    return _text_message(
        f"I can't post in this channel (`{escape(plain_text(problem))}`), so nothing was subscribed. "
        "Type `/invite @gwevent` here, then subscribe again."
    )


def mention_refused(refused: Sequence[RefusedMention]) -> Message:
    """Return the one-time post about mentions that Slack refuses in this channel; it mentions nobody."""
    who = _join_and([_plain_target_label(r.target) for r in refused])
    reasons = _join_and(list(dict.fromkeys(f"`{escape(plain_text(r.reason))}`" for r in refused)))
    text = (
        f"{bold(f'Slack refuses the mention of {who} here')} ({reasons}), so gwevent posts alerts without it."
    )
    todo = (
        "To fix this, ask an admin of this workspace to let gwevent use it (for @here and @channel in"
        " Slack's settings, Permissions, Messaging), or choose another mention: `/gwevent subscriptions`."
        " gwevent tries again with each alert."
    )
    return _text_message("\n".join([text, todo]))


def _plain_target_label(target: str) -> str:
    """Describe a mention target in plain text that notifies nobody."""
    kind, shown = _TARGET_KINDS.get(target[:2], ""), re.sub(r"[^A-Za-z0-9]", "", target.rpartition("^")[2])
    return BROADCAST_WORDS.get(target) or f"{kind}{shown}"


def _join_and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _text_message(text: str) -> Message:
    return blocks.message(text.replace("*", "").replace("`", ""), blocks.section(text))
