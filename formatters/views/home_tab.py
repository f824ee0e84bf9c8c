"""The App Home tab: a person's channels, what came last, what to do next; gwevent's own state at the end."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from formatters.answers import recent
from formatters.answers.status import LastNotice, last_notice_line
from formatters.answers.subscription_messages import summary
from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import bold, escape, link, plain_text
from formatters.models.criteria_set import CriteriaSet
from formatters.models.incident import Incident
from formatters.models.notice import Category
from formatters.models.source_status import SourceStatus
from formatters.models.subscription import Subscription, fingerprint
from formatters.models.superevent import Superevent
from formatters.posts import incident
from formatters.posts.unreadable_notice import gracedb_url
from formatters.text import quantities
from formatters.text.broker_lines import broker_lines
from formatters.text.change_text import author_names
from formatters.views import criteria_modal

NEW_ACTION, EDIT_ACTION, PAUSE_ACTION, RESUME_ACTION, END_ACTION = (
    "home.new",
    "home.edit",
    "home.pause",
    "home.resume",
    "home.end",
)
"""Action ids of the tab's buttons; each button's value is a serialized `HomeAction`."""
NEW_SET_ACTION, EDIT_SET_ACTION, REMOVE_SET_ACTION = (
    "home.criteria_new",
    "home.criteria_edit",
    "home.criteria_remove",
)
"""Action ids of the buttons about criteria sets; the last two hold a `criteria_modal.SetState`."""
MAX_EVENTS = 5
MAX_THREADS = 2
"""Most threads of one event that are linked."""
_MAX_BLOCKS = 100
"""Slack's limit of blocks per view (docs.slack.dev/reference/views)."""
_MAX_CHANNEL_BLOCKS = 80
"""Maximum number of blocks for channels."""
_MIN_CHANNEL_BLOCKS = 44
"""Blocks that channels get however many criteria sets there are."""
_MAX_SHOWN_GRADES = 4
_GRADE_MAX = 150
"""Characters of a grade; the form has the whole."""
_FOLLOW_UP_TIME = timedelta(days=7)
"""Age up to which an event is worth observing still."""
_MAX_STEPS = 4
_MAX_NAMED_CHANNELS = 3
_MAX_DESCRIBED = 3
"""Most subscriptions that are described in words; more of them would push the events off the screen."""
_NOT_INVITED = ("not_in_channel", "channel_not_found")
"""Slack's errors that an invitation mends; for any other its word alone is shown."""

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


@dataclass(frozen=True, slots=True)
class EventThread:
    """The message of an event in one of the person's channels."""

    channel_id: str
    address: str | None
    """The message's address; None if Slack didn't tell it."""


@dataclass(frozen=True, slots=True)
class LastEvent:
    """An event that came lately, with the threads about it."""

    superevent: Superevent
    threads: Sequence[EventThread] = ()
    """Its threads in the person's channels; empty if it was posted in none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSet:
    """A criteria set of the workspace, and who gave it its present grades."""

    set_: CriteriaSet
    changed_by: str
    """Slack user id."""
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Data shown in a user's App Home tab."""

    sources: tuple[SourceStatus, ...]
    last_notice: LastNotice | None
    subscriptions: Sequence[Subscription]
    """Subscriptions visible to the user (`visible_to`), grouped by channel."""
    last_events: Sequence[LastEvent]
    """The last events, the newest first; at most MAX_EVENTS are shown."""
    sites: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of the channels' sites by channel id, with the areas of their fields of view."""
    criteria_sets: Sequence[ListedSet] = ()
    """The workspace's own criteria sets."""
    built_in_sets: Sequence[CriteriaSet] = ()
    incidents: Sequence[Incident] = ()
    """Open incidents of gwevent or its sources, oldest first."""
    problem: str | None = None
    """Slack's error code if the user's channels couldn't be listed; None if they are known."""
    action_result: Message | None = None
    """Result of the button pressed last; None if there is none."""
    direct_channel: str | None = None
    """The person's conversation with gwevent, which the view keeps for its buttons; None if not known."""
    is_store_down: bool = False
    """True if the database doesn't answer, so that nothing is known of channels and events."""
    version: str = ""


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
    if home.incidents:
        # What delays this person's alerts is no plumbing.
        wrong = [bold(escape(f"{incident.sentence(one)}.")) for one in home.incidents[:_MAX_STEPS]]
        shown.append(blocks.section(*wrong))
    if home.is_store_down:
        shown.append(blocks.section("The store doesn't answer right now. Open this page again later."))
        return {**_home(home), "blocks": [*shown, {"type": "divider"}, _plumbing(home, now)]}
    news = [
        blocks.header("What came last"),
        *_events(home, now),
        blocks.header("What to do next"),
        blocks.section(*(f"• {step}" for step in next_steps(home, now))),
    ]
    # Two headers, a divider and the small print come besides.
    room = _MAX_BLOCKS - len(shown) - len(news) - 4
    wanted_by_sets = 1 + 2 * len(home.criteria_sets)
    channels = _channels(home, min(_MAX_CHANNEL_BLOCKS, max(_MIN_CHANNEL_BLOCKS, room - wanted_by_sets)))
    shown += [
        blocks.header("Your channels"),
        *channels,
        *news,
        blocks.header("Criteria sets"),
        *_criteria_sets(home, room - len(channels)),
        {"type": "divider"},
        _plumbing(home, now),
    ]
    return {**_home(home), "blocks": shown}


def _home(home: Home) -> View:
    kept = {} if home.direct_channel is None else {"private_metadata": home.direct_channel}
    return {"type": "home", **kept}


def parse_direct_channel(shown: Mapping[str, Any]) -> str | None:
    """Return the person's conversation with gwevent that an App Home view keeps; None if it keeps none."""
    kept = str(shown.get("private_metadata") or "")
    return kept if re.fullmatch(r"D[A-Z0-9]{1,30}", kept) else None


def next_steps(home: Home, now: datetime) -> list[str]:
    """Return suggestions of what this person may do next as mrkdwn, the most urgent first."""
    steps: list[str] = []
    problems = [s.delivery_problem for s in home.subscriptions if s.delivery_problem is not None]
    for problem in dict.fromkeys(problems):
        refused = _channels_of(s for s in home.subscriptions if s.delivery_problem == problem)
        way_out = " `/invite @gwevent` there." if problem in _NOT_INVITED else ""
        steps.append(
            f"Nothing can be posted in {_named(refused)}: Slack says {escape(plain_text(problem))}.{way_out}"
        )
    newest = next((one.superevent for one in home.last_events if _is_observable(one, now)), None)
    if newest is not None:
        name = escape(newest.superevent_id)
        steps.append(
            f"{bold(name)}: `/gwevent visible {name}` says what your sites can observe,"
            f" `/gwevent check RA Dec {name}` whether a candidate lies in its map."
        )
    if not home.subscriptions and home.problem is None:
        steps.append(
            "`/invite @gwevent` in a channel, then `/gwevent subscribe` there: it offers what to choose."
        )
    channels = _channels_of(home.subscriptions)
    without_sites = [channel for channel in channels if not home.sites.get(channel)]
    if without_sites:
        steps.append(
            f"No sites are set in {_named(without_sites)}: with `/gwevent sites add Palomar` there, alerts"
            " say what can be observed."
        )
    paused = [channel for channel in channels if _is_all_paused(home.subscriptions, channel)]
    if paused:
        steps.append(f"Nothing new comes to {_named(paused)}, where everything is paused.")
    return [*steps[:_MAX_STEPS], "`/gwevent help` lists all commands, `/gwevent events` what came before."]


def _channels_of(subscriptions: Iterable[Subscription]) -> list[str]:
    return list(dict.fromkeys(s.channel_id for s in subscriptions))


def _is_all_paused(subscriptions: Sequence[Subscription], channel: str) -> bool:
    return all(s.paused_at is not None for s in subscriptions if s.channel_id == channel)


def _named(channels: Sequence[str]) -> str:
    """Return the channels' names as mrkdwn: "#a, #b and 3 more"."""
    names = ", ".join(map(_place, channels[:_MAX_NAMED_CHANNELS]))
    more = len(channels) - _MAX_NAMED_CHANNELS
    return f"{names} and {quantities.number(more)} more" if more > 0 else names


def _is_observable(one: LastEvent, now: datetime) -> bool:
    """Return whether the event was posted, and is real, not retracted and recent."""
    superevent = one.superevent
    event = superevent.event
    when = superevent.latest.time_created if event is None else event.time
    is_real = superevent.category is Category.REAL and not superevent.is_retracted
    return bool(one.threads) and is_real and now - when < _FOLLOW_UP_TIME


def _plumbing(home: Home, now: datetime) -> Block:
    """Return the small print: the sources, the last notice, the version, and what this page shows."""
    sources = broker_lines(home.sources) or ["This process reads no source"]
    state = " · ".join([*sources, last_notice_line(home.last_notice, now)])
    version = f"gwevent {home.version} · " if home.version else ""
    return blocks.context(
        escape(state),
        escape(f"{version}as of {quantities.utc(now)}; updated whenever you open this tab."),
        "You see the channels that you are in; private ones only if gwevent is in them too.",
    )


def _channels(home: Home, most: int) -> list[Block]:
    """Return at most this number of blocks about the person's channels."""
    if home.problem is not None:
        text = f"Slack didn't say which channels you are in ({home.problem}), so none is shown."
        return [blocks.section(escape(text))]
    if not home.subscriptions:
        return [blocks.section("gwevent posts in no channel that you are in.")]
    shown: list[Block] = []
    listed = 0
    for channel_id, every in groupby(home.subscriptions, key=lambda s: s.channel_id):
        subscriptions = list(every)
        if len(shown) + 4 > most:
            break
        button = blocks.button("Add a subscription", NEW_ACTION, value=HomeAction(channel_id).value)
        sites = ", ".join(plain_text(name) for name in home.sites.get(channel_id, ()))
        head = [bold(_channel_label(channel_id)), *([escape(f"Sites: {sites}")] if sites else [])]
        shown.append(blocks.section(*head, accessory=button))
        for subscription in subscriptions:
            if len(shown) + 3 > most:
                break
            is_described = len(home.subscriptions) <= _MAX_DESCRIBED
            lines = summary(subscription, is_described=is_described)
            shown += [blocks.section(*lines), _buttons(subscription)]
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


def _criteria_sets(home: Home, most: int) -> list[Block]:
    """Return at most this number of blocks (at least three) about the workspace's criteria sets.

    Where two blocks a set are too many, each has one, without the button that removes it, which the form has
    too; where one is too many, the last block counts the rest.
    """
    built_in = ", ".join(plain_text(one.slug) for one in home.built_in_sets)
    intro = "Rules with grades: messages say which grade they give an event, in channels that chose them."
    head = blocks.section(
        intro,
        *([escape(f"Built in: {built_in}")] if built_in else []),
        accessory=blocks.button("New set", NEW_SET_ACTION),
    )
    sets = home.criteria_sets
    if 1 + 2 * len(sets) <= most:
        return [
            head,
            *(block for one in sets for block in (blocks.section(*_set_lines(one)), _set_buttons(one))),
        ]
    listed = sets if 1 + len(sets) <= most else sets[: most - 2]
    shown = [head, *(blocks.section(*_set_lines(one), accessory=_edit_set_button(one)) for one in listed)]
    if len(listed) < len(sets):
        more = quantities.number(len(sets) - len(listed))
        shown.append(blocks.context(f"And {more} more: `/gwevent criteria` lists all of them."))
    return shown


def _set_lines(listed: ListedSet) -> list[str]:
    """Return a set's name, its best grades as people type them, and who changed it, as escaped mrkdwn."""
    grades = [
        escape(one.name if one.filter is None else f"{one.name}: {one.filter.canonical}", _GRADE_MAX)
        for one in listed.set_.grades[:_MAX_SHOWN_GRADES]
    ]
    more = len(listed.set_.grades) - len(grades)
    return [
        bold(escape(listed.set_.slug)),
        *grades,
        *([f"and {more} more"] if more > 0 else []),
        f"Last changed by {author_names([listed.changed_by])}, {escape(quantities.utc(listed.changed_at))}.",
    ]


def _edit_set_button(listed: ListedSet) -> Block:
    return blocks.button("Edit", EDIT_SET_ACTION, value=criteria_modal.state_of(listed.set_).value)


def _set_buttons(listed: ListedSet) -> Block:
    state = criteria_modal.state_of(listed.set_)
    return blocks.actions(
        _edit_set_button(listed), criteria_modal.remove_button("Remove", state, REMOVE_SET_ACTION)
    )


def _events(home: Home, now: datetime) -> list[Block]:
    if not home.last_events:
        return [blocks.section("No event was received yet.")]
    lines = [_event_line(one, now) for one in home.last_events[:MAX_EVENTS]]
    if any(one.threads for one in home.last_events) or not home.subscriptions:
        return [blocks.section(*lines)]
    return [blocks.section("Nothing was posted in your channels yet; the newest events are:", *lines)]


def _event_line(one: LastEvent, now: datetime) -> str:
    places = [
        f"{link(thread.address, 'thread')} in {_place(thread.channel_id)}"
        if thread.address is not None
        else f"in {_place(thread.channel_id)}"
        for thread in one.threads[:MAX_THREADS]
    ]
    return " · ".join([recent.event_line(one.superevent, now), *places, _gracedb_link(one.superevent)])


def _place(channel_id: str) -> str:
    return "your messages with gwevent" if channel_id.startswith("D") else f"<#{channel_id}>"


def _gracedb_link(superevent: Superevent) -> str:
    address = superevent.latest.urls.get("gracedb") or gracedb_url(superevent.superevent_id)
    return link(address, "GraceDB")
