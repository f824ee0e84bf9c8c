"""The App Home tab: the subscriptions of a user's channels, the newest events and the sources' state."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from formatters.answers import recent
from formatters.answers.status import LastNotice, last_notice_line, source_line
from formatters.answers.subscription_messages import summary
from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import bold, escape, link
from formatters.models.incident import Incident
from formatters.models.source_status import SourceStatus
from formatters.models.subscription import Subscription, fingerprint
from formatters.models.superevent import Superevent
from formatters.posts import incident
from formatters.posts.unreadable_notice import gracedb_url
from formatters.text import quantities

NEW_ACTION, EDIT_ACTION, PAUSE_ACTION, RESUME_ACTION, END_ACTION = (
    "home.new",
    "home.edit",
    "home.pause",
    "home.resume",
    "home.end",
)
"""Action ids of the tab's buttons; each button's value is a serialized `HomeAction`."""
MAX_EVENTS = 5
_MAX_CHANNEL_BLOCKS = 80
"""Maximum number of blocks for channels, within Slack's limit of 100 blocks per view
(docs.slack.dev/reference/views).
"""

View = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HomeAction:
    """The channel or subscription that a button of the App Home tab acts on."""

    channel_id: str
    number: int | None = None
    """Number of the subscription; None if the button is about the channel."""
    fingerprint: str | None = None
    """Fingerprint of the subscription when the button was shown; None if the action doesn't depend on it."""

    @property
    def value(self) -> str:
        """Return the action serialized as a button's value."""
        if self.number is None:
            return self.channel_id
        return f"{self.channel_id} {self.number}" + (
            "" if self.fingerprint is None else f"@{self.fingerprint}"
        )


def parse_action(value: str) -> HomeAction:
    """Parse a button's value. Raises ValueError if no button of the App Home tab has such a value."""
    match = re.fullmatch(r"([CDG][A-Z0-9]{1,30})(?: (\d{1,18})(?:@([0-9a-f]{8}))?)?", value)
    if match is None:
        raise ValueError("no target of a button")
    return HomeAction(match[1], None if match[2] is None else int(match[2]), match[3])


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Data shown in a user's App Home tab."""

    sources: tuple[SourceStatus, ...]
    last_notice: LastNotice | None
    subscriptions: Sequence[Subscription]
    """Subscriptions visible to the user (`visible_to`), grouped by channel."""
    newest: Sequence[Superevent]
    """Newest events; at most MAX_EVENTS are shown."""
    incidents: Sequence[Incident] = ()
    """Open incidents of gwevent or its sources, oldest first."""
    problem: str | None = None
    """Slack's error code if the user's channels couldn't be listed; None if they are known."""
    action_result: Message | None = None
    """Result of the button pressed last; None if there is none."""


def visible_to(
    user_id: str, subscriptions: Iterable[Subscription], channels: Collection[str]
) -> list[Subscription]:
    """Return the subscriptions of the user's channels and of their own direct messages with the bot."""
    return [
        s
        for s in subscriptions
        if s.channel_id in channels or (s.channel_id.startswith("D") and s.created_by == user_id)
    ]


def view(home: Home, now: datetime) -> View:
    """Return the App Home view at `now`."""
    shown: list[Block] = []
    if home.action_result is not None:
        shown += [*home.action_result.blocks[:2], {"type": "divider"}]
    sources = [source_line(source) for source in home.sources] or ["This process reads no source"]
    wrong = [f"{incident.sentence(one)}." for one in home.incidents]
    head, *rest = map(escape, [*wrong, *sources, last_notice_line(home.last_notice, now)])
    shown += [
        blocks.section(bold(head), *rest),
        blocks.header("Your channels"),
        *_channels(home),
        blocks.header("Newest events"),
        _events(home.newest, now),
        blocks.context(
            escape(f"As of {quantities.utc(now)}; updated whenever you open this tab."),
            "You see the channels that you are in; private ones only if gwevent is in them too.",
        ),
    ]
    return {"type": "home", "blocks": shown}


def _channels(home: Home) -> list[Block]:
    if home.problem is not None:
        text = f"Slack didn't say which channels you are in ({home.problem}), so none is shown."
        return [blocks.section(escape(text))]
    if not home.subscriptions:
        return [
            blocks.section(
                "No channel that you are in has a subscription. Type `/gwevent dialog` in a channel to make"
                " one."
            )
        ]
    shown: list[Block] = []
    listed = 0
    for channel_id, every in groupby(home.subscriptions, key=lambda s: s.channel_id):
        subscriptions = list(every)
        if len(shown) + 3 > _MAX_CHANNEL_BLOCKS:
            break
        button = blocks.button("Add a subscription", NEW_ACTION, value=HomeAction(channel_id).value)
        shown.append(blocks.section(bold(_channel_label(channel_id)), accessory=button))
        for subscription in subscriptions:
            if len(shown) + 2 > _MAX_CHANNEL_BLOCKS:
                break
            shown += [blocks.section(*summary(subscription)), _buttons(subscription)]
            listed += 1
    rest = len(home.subscriptions) - listed
    if rest:
        more = quantities.number(rest)
        shown.append(
            blocks.context(
                f"And {more} more: `/gwevent subscriptions` in a channel lists all of its subscriptions."
            )
        )
    return shown


def _channel_label(channel_id: str) -> str:
    # Slack displays a channel's name only to users who may see it.
    return "Your messages with gwevent" if channel_id.startswith("D") else f"<#{channel_id}>"


def _buttons(subscription: Subscription) -> Block:
    value = HomeAction(subscription.channel_id, subscription.number).value
    pausing = ("Pause", PAUSE_ACTION) if subscription.paused_at is None else ("Resume", RESUME_ACTION)
    end = HomeAction(subscription.channel_id, subscription.number, fingerprint(subscription)).value
    return blocks.actions(
        blocks.button("Edit", EDIT_ACTION, value=value),
        blocks.button(*pausing, value=value),
        blocks.button(
            "End",
            END_ACTION,
            value=end,
            confirmation=f"End number {subscription.number}? gwevent posts this in the channel.",
        ),
    )


def _events(newest: Sequence[Superevent], now: datetime) -> Block:
    if not newest:
        return blocks.section("No event was received yet.")
    return blocks.section(
        *(
            f"{recent.event_line(superevent, now)} · {_gracedb_link(superevent)}"
            for superevent in newest[:MAX_EVENTS]
        )
    )


def _gracedb_link(superevent: Superevent) -> str:
    address = superevent.latest.urls.get("gracedb") or gracedb_url(superevent.superevent_id)
    return link(address, "GraceDB")
