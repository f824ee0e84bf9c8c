"""Who gets what: one pure function from what is known to what is to be done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.filters import admits_category, matches, mentioned
from formatters.mention import upgrades
from formatters.notice import Category, Notice
from formatters.subscription import Subscription, Wish
from formatters.superevent import Superevent


class RootState(StrEnum):
    """How far a thread's root message got."""

    WAITING = "waiting"
    """Planned, and never handed to Slack."""
    ATTEMPTED = "attempted"
    """Handed to Slack at least once; whether it arrived isn't known yet."""
    POSTED = "posted"
    DEAD = "dead"
    """Given up; the channel never saw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One superevent in one channel."""

    id: int
    team_id: str
    channel_id: str
    subscription_id: int
    """The subscription that opened it."""
    root: RootState
    mentioned: frozenset[str] = frozenset()
    """Who was mentioned, or will be by what waits; as Slack writes them."""
    told: frozenset[str] = frozenset()
    """Those of them whose mention may stand in the channel already."""


class Occasion(StrEnum):
    """What a mention is for."""

    ROOT = "root"
    """The event itself, in the post of its root."""
    NEWS = "news"
    """What a later notice brings, in a message of its own."""
    STAND_DOWN = "standdown"
    """A retraction, to those who were mentioned before."""


@dataclass(frozen=True, slots=True)
class OpenRoot:
    """Post the superevent's root message in a channel that has none."""

    team_id: str
    channel_id: str
    subscription_id: int
    mention: tuple[str, ...] = ()
    """Whom it mentions."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Say in the thread what this notice says."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class Edit:
    """Bring the root to the newest state."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class CancelRoot:
    """Don't post a root that hasn't been attempted: its event is gone."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class Mention:
    """Mention these people, groups or the channel because of this notice."""

    thread_id: int
    targets: tuple[str, ...]
    occasion: Occasion


Intent = OpenRoot | Reply | Edit | CancelRoot | Mention


def plan(
    superevent: Superevent,
    notice: Notice,
    threads: Sequence[Thread],
    subscriptions: Sequence[Subscription],
    *,
    live: bool,
    now: datetime,
    max_age: timedelta,
) -> list[Intent]:
    """Say what to do about `notice`, which `superevent` already contains.

    `threads` are this superevent's, `subscriptions` all that are in force. Archives (`live` false) fill the
    store and cause nothing. Old news opens no root, adds no reply and mentions nobody, yet edits the roots
    that exist.
    """
    if not live:
        return []
    old = now - notice.time_created > max_age
    wanted = {s.id: s for s in subscriptions if matches(s.wish, superevent)}
    in_force = {s.id for s in subscriptions}
    by_channel: dict[tuple[str, str], int] = {}
    for subscription in wanted.values():
        by_channel.setdefault((subscription.team_id, subscription.channel_id), subscription.id)
    notifying: defaultdict[tuple[str, str], list[Wish]] = defaultdict(list)
    for subscription in subscriptions:
        if subscription.wish.notify is not None:
            notifying[subscription.team_id, subscription.channel_id].append(subscription.wish)
    before = _without(superevent, notice)

    intents: list[Intent] = []
    seen: set[tuple[str, str]] = set()
    for thread in threads:
        channel = (thread.team_id, thread.channel_id)
        if thread.root is RootState.DEAD:
            continue
        seen.add(channel)
        if thread.root is RootState.WAITING and superevent.retracted:
            intents.append(CancelRoot(thread.id))
            continue
        if thread.root is not RootState.WAITING:
            # A waiting root needs no edit: it is rendered from the newest state when it is sent.
            intents.append(Edit(thread.id))
        if not old and (thread.subscription_id in in_force or channel in by_channel):
            intents.append(Reply(thread.id))
        if not old and channel in notifying:
            intents += _mentions(thread, superevent, before, notifying[channel])
    if not old and not superevent.retracted:
        intents += [
            OpenRoot(*channel, by_channel[channel], _whom(notifying.get(channel, ()), superevent))
            for channel in by_channel
            if channel not in seen
        ]
    return intents


def _mentions(
    thread: Thread, superevent: Superevent, before: Superevent | None, wishes: Sequence[Wish]
) -> list[Mention]:
    """Whom this notice mentions in a channel that has a thread: once for the event, once for each upgrade."""
    if superevent.retracted:
        asked = dict.fromkeys(t for wish in wishes if wish.notify is not None for t in wish.notify.targets)
        down = tuple(target for target in asked if target in thread.told)
        newly = before is not None and not before.retracted
        return [Mention(thread.id, down, Occasion.STAND_DOWN)] if down and newly else []
    whom = _whom(wishes, superevent)
    if thread.root is RootState.WAITING:
        # Not posted yet, it says the newest by itself; who is new stands in it too.
        new = tuple(target for target in whom if target not in thread.mentioned)
        return [Mention(thread.id, new, Occasion.ROOT)] if new else []
    upgraded = bool(upgrades(before, superevent))
    held = set(whom if before is None else _whom(wishes, before))
    again = tuple(t for t in whom if upgraded or t not in thread.mentioned or t not in held)
    return [Mention(thread.id, again, Occasion.NEWS)] if again else []


def _whom(wishes: Sequence[Wish], superevent: Superevent) -> tuple[str, ...]:
    return tuple(dict.fromkeys(target for wish in wishes for target in mentioned(wish, superevent)))


def _without(superevent: Superevent, notice: Notice) -> Superevent | None:
    """What was known before this notice came; None if nothing was."""
    known = [n for n in superevent.notices if n.key != notice.key]
    return Superevent.of(known) if known else None


def apology_channels(
    category: Category, threads: Sequence[Thread], subscriptions: Sequence[Subscription]
) -> list[tuple[str, str, int | None]]:
    """Where to say that a notice of a known event couldn't be read: (team, channel, thread or None).

    In the event's threads; where there is none, in every channel that admits the event's category, for
    nothing else is known of it.
    """
    known = {(t.team_id, t.channel_id): t.id for t in threads if t.root is not RootState.DEAD}
    asked = {(s.team_id, s.channel_id) for s in subscriptions if admits_category(s.wish, category)}
    return [(*channel, known.get(channel)) for channel in sorted(asked | known.keys())]
