"""The buttons and the menu below a superevent's card, and what a press of them means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

from formatters.blockkit import blocks
from formatters.blockkit.blocks import MenuOption
from formatters.blockkit.message import Block
from formatters.blockkit.mrkdwn import OVERFLOW_MAX, OVERFLOW_MIN, plain_text, web_url
from formatters.models.event_people import EventPeople
from formatters.models.notice import Category, ExternalCoincidence, Notice, is_unusual_id
from formatters.posts.channel_view import ChannelView
from formatters.posts.people_lines import people_block
from formatters.text import vocabulary

TOGGLE_OBSERVER_ACTION = "observe.toggle"
"""Slack action id of the button "I'm observing". The button's value is the superevent's id."""
ACKNOWLEDGE_ACTION = "escalation.acknowledge"
"""Slack action id of the button "I have it". The button's value is the superevent's id."""
CHECK_ACTION = "check.open"
"""Slack action id of the button "Check position". The button's value is the superevent's id."""
MENU_ACTION = "event.menu"
"""Slack action id of a card's overflow menu. The value of each option says what it does, and the event."""
HAVE_IT = "I have it"
"""The words on the button by which somebody takes an event."""
_MAX_TRIGGER_LINKS = 3
"""Maximum number of coincidences whose trigger's page is linked."""


class MenuVerb(StrEnum):
    """The actions of the menu's lines. The values are stored in Slack's messages."""

    HISTORY = "history"
    MUTE = "mute"
    UNMUTE = "unmute"
    HAND_BACK = "handback"


@dataclass(frozen=True, slots=True)
class MenuChoice:
    """A choice that somebody made in a card's menu."""

    verb: MenuVerb
    superevent_id: str


@dataclass(frozen=True, slots=True)
class _Link:
    text: str
    action_id: str
    url: str

    def button(self) -> Block:
        return blocks.button(self.text, self.action_id, url=self.url)

    def option(self) -> MenuOption:
        return MenuOption(text=self.text, value=self.action_id, url=self.url)


def parse_menu_choice(value: str) -> MenuChoice | None:
    """Parse the value of a menu's option; None for a page's link, or an option of another version."""
    word, _, superevent_id = value.partition(" ")
    try:
        verb = MenuVerb(word)
    except ValueError:
        return None
    return MenuChoice(verb, superevent_id) if superevent_id else None


def acknowledge_button(superevent_id: str) -> Block:
    """Return the button "I have it"."""
    return blocks.button(HAVE_IT, ACKNOWLEDGE_ACTION, value=superevent_id, is_primary=True)


def people_and_buttons(notice: Notice, view: ChannelView, event_time: datetime | None) -> list[Block]:
    """Return the blocks below a card's picture: the lines about people, and the row of buttons.

    `event_time` is the merger's; None if no notice says it.
    """
    buttons = card_buttons(notice, view)
    people = people_block(view.people, view.observers, event_time, is_retracted=notice.is_retraction)
    return [*people, *([] if buttons is None else [buttons])]


def card_buttons(notice: Notice, view: ChannelView) -> Block | None:
    """Return the row below a card: for a channel's root message with buttons that act and a menu.

    A retracted candidate needs no observations, so all that asks for them is left out for it.
    """
    if not view.is_root:
        return link_buttons(notice)
    buttons = [] if notice.is_retraction else _acting_buttons(notice, view)
    gracedb = _gracedb(notice)
    if gracedb is not None:
        buttons.append(gracedb.button())
    acting = _acting_options(notice.superevent_id, view.people)
    links = _page_links(notice)
    # The menu has five lines, and what it can't hold is a button of its own.
    in_menu = links[: OVERFLOW_MAX - len(acting)]
    buttons += [link.button() for link in links[len(in_menu) :]]
    options = [*(link.option() for link in in_menu), *acting]
    if len(options) >= OVERFLOW_MIN:
        buttons.append(blocks.overflow(MENU_ACTION, options))
    return blocks.actions(*buttons)


def link_buttons(notice: Notice) -> Block | None:
    """Return a row of buttons that open pages about an event, or None if there are none.

    GraceDB is linked if the notice gives its address; Circulars and Treasure Map only for real events.
    """
    gracedb = _gracedb(notice)
    links = [*([] if gracedb is None else [gracedb]), *_page_links(notice)]
    return blocks.actions(*(link.button() for link in links)) if links else None


def _acting_buttons(notice: Notice, view: ChannelView) -> list[Block]:
    superevent_id = notice.superevent_id
    if view.people.is_waiting:
        first = [acknowledge_button(superevent_id)]
    elif notice.event is not None:
        first = [blocks.button("I'm observing", TOGGLE_OBSERVER_ACTION, value=superevent_id)]
    else:
        first = []
    return [*first, blocks.button("Check position", CHECK_ACTION, value=superevent_id)]


def _acting_options(superevent_id: str, people: EventPeople) -> Sequence[MenuOption]:
    chosen = [
        (MenuVerb.HISTORY, "History"),
        (MenuVerb.MUTE, "Mute here") if people.mute is None else (MenuVerb.UNMUTE, "Unmute here"),
    ]
    if people.acknowledgements:
        # Everybody sees the same menu; who doesn't have the event is told so.
        chosen.append((MenuVerb.HAND_BACK, "I no longer have it"))
    return [MenuOption(text=text, value=f"{verb} {superevent_id}") for verb, text in chosen]


def _gracedb(notice: Notice) -> _Link | None:
    url = web_url(notice.urls.get("gracedb"))
    return None if url is None else _Link("GraceDB", "link.gracedb", url)


def _page_links(notice: Notice) -> list[_Link]:
    """Return links to Circulars, Treasure Map and triggers' pages, which know real events only."""
    if notice.category is not Category.REAL:
        return []
    links = []
    # GCN's query page always exists; the event's own page only after the first circular.
    circulars = web_url(f"https://gcn.nasa.gov/circulars?query={quote(notice.superevent_id, safe='')}")
    if circulars is not None:
        links.append(_Link("Circulars", "link.circulars", circulars))
    if not is_unusual_id(notice.superevent_id) and not notice.is_retraction:
        treasure_map = web_url(f"https://treasuremap.space/alerts?graceids={notice.superevent_id}")
        if treasure_map is not None:
            links.append(_Link("Treasure Map", "link.treasuremap", treasure_map))
    for number, external in enumerate(notice.coincidences[:_MAX_TRIGGER_LINKS]):
        trigger = _trigger_page_url(external)
        if trigger is not None:
            text = f"{plain_text(vocabulary.observatory_label(external.observatory))} trigger"
            # Slack refuses two buttons with the same action id, and two options with the same value.
            links.append(_Link(text, f"link.trigger.{number}" if number else "link.trigger", trigger))
    return links


def _trigger_page_url(external: ExternalCoincidence) -> str | None:
    """Return the address of GCN's page about an onboard trigger ("…/other/524666471.fermi"), or None.

    GCN keeps these pages, for example that of GW170817. Other observatories and sub-threshold searches have
    no public, permanent page.
    """
    if external.search.upper() != "GRB" or external.gcn_notice_id is None:
        return None
    ending = {"fermi": "fermi", "swift": "swift"}.get(external.observatory.casefold())
    number = external.gcn_notice_id
    if ending is None or not (number.isascii() and number.isdigit()):
        return None
    return web_url(f"https://gcn.gsfc.nasa.gov/other/{number}.{ending}")
