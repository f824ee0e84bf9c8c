"""A subscription: what a channel asked for, and how that is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from formatters import blocks
from formatters.message import Message
from formatters.mrkdwn import bold, escape, plain

_INCLUDED = "early warnings, SSM, cWB-BBH and alerts significant by coincidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for, before anybody asked: the words after `/gwevent subscribe`."""

    group: str = "all"
    """"CBC", "Burst" or "all" (any group, unknown ones too)."""
    mock: bool = False
    """Mock events too (they come every hour)."""
    test: bool = False
    """Test events too."""
    lowsig: bool = False
    """Low-significance alerts too."""

    @property
    def words(self) -> str:
        """The canonical words, as one would type them: "CBC mock lowsig"."""
        switches = [word for word in ("mock", "test", "lowsig") if getattr(self, word)]
        return " ".join([self.group, *switches])


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A wish of one channel."""

    id: int
    team_id: str
    channel_id: str
    wish: Wish
    created_by: str
    """Slack's user id of who asked."""
    created_at: datetime
    problem: str | None = None
    """Why nothing can be delivered to the channel now, in Slack's word (`is_archived`); None if it can."""


def sentence(wish: Wish) -> str:
    """Exactly what will come: "Real, significant CBC alerts (early warnings, …); mocks too"."""
    if wish.group == "Burst":
        what = "Real, significant Burst alerts (alerts significant by coincidence included)"
    else:
        which = "CBC alerts" if wish.group == "CBC" else "alerts of every group"
        what = f"Real, significant {which} ({_INCLUDED} included)"
    extras = [
        words
        for asked, words in (
            (wish.mock, "mocks too (about one every hour)"),
            (wish.test, "tests too"),
            (wish.lowsig, "low-significance alerts too (several a day while the detectors observe)"),
        )
        if asked
    ]
    return "; ".join([what, *extras]) + "."


def confirmed(subscription: Subscription) -> Message:
    """The post in the channel that proves delivery: what will come, and who asked for it."""
    words = escape(subscription.wish.words)
    by = _user(subscription.created_by)
    what = sentence(subscription.wish)
    return blocks.message(
        f"Subscribed: {escape(what)}",
        blocks.section(f"{bold('Subscribed')} to {bold(words)}, asked for by {by}.", escape(what)),
        blocks.context(
            "Each event is one message, kept up to date; its notices follow in the thread. "
            f"To stop: `/gwevent unsubscribe {words}`"
        ),
    )


def promised(wish: Wish) -> Message:
    """The answer to who subscribed: the confirmation follows in the channel."""
    return _short(f"Subscribing this channel to {escape(wish.words)}; a confirmation follows in the channel.")


def subscribed(wish: Wish) -> Message:
    """The answer to who subscribed, once the confirmation stands in the channel."""
    return _short(f"Done: {escape(sentence(wish))} The post in the channel confirms it.")


def already(subscription: Subscription) -> Message:
    """The answer where the channel has just this subscription."""
    by = _user(subscription.created_by)
    return _short(f"This channel has {bold(escape(subscription.wish.words))} already, asked for by {by}.")


def listed(subscriptions: Sequence[Subscription]) -> Message:
    """All subscriptions of one channel, with what keeps them from being delivered."""
    if not subscriptions:
        return none()
    lines: list[str] = []
    for subscription in subscriptions:
        by = _user(subscription.created_by)
        since = escape(f"since {subscription.created_at.astimezone(UTC):%Y-%m-%d}")
        lines.append(f"{bold(escape(subscription.wish.words))} · {since} · by {by}")
        lines.append(escape(sentence(subscription.wish)))
        if subscription.problem is not None:
            lines.append(f"{bold('Nothing can be posted')}: {escape(plain(subscription.problem))}")
    words = ", ".join(escape(subscription.wish.words) for subscription in subscriptions)
    return blocks.message(f"This channel's subscriptions: {words}", blocks.section(*lines))


def removed(wishes: Sequence[Wish]) -> Message:
    """After `unsubscribe`: what comes no more."""
    words = ", ".join(bold(escape(wish.words)) for wish in wishes)
    return _short(f"Unsubscribed from {words}. Messages already here stay true, but no replies follow.")


def not_subscribed(wish: Wish | None, subscriptions: Sequence[Subscription]) -> Message:
    """After an `unsubscribe` that found nothing to end; `wish` is what it named, None if all were meant."""
    if not subscriptions or wish is None:
        return none()
    words = ", ".join(bold(escape(subscription.wish.words)) for subscription in subscriptions)
    return _short(f"This channel isn't subscribed to {bold(escape(wish.words))}; it has {words}.")


def none() -> Message:
    """Where a channel has no subscription."""
    return _short("This channel has no subscription. `/gwevent subscribe CBC` makes one.")


def refused(problem: str) -> Message:
    """Where the bot may not post, so that nothing was stored; `problem` is Slack's word."""
    return _short(
        f"I can't post in this channel (`{escape(plain(problem))}`), so nothing was subscribed. "
        "Type `/invite @gwevent` here, then subscribe again."
    )


def _short(text: str) -> Message:
    return blocks.message(text.replace("*", "").replace("`", ""), blocks.section(text))


def _user(user_id: str) -> str:
    # An id from Slack; anything that isn't one must not become mark-up.
    return f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]+", user_id) else escape(plain(user_id))
