"""Tests of event ids of any form: which count as real, and that no message interprets their content."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.decode import decode
from bot.samples import to_json
from formatters.answers import event_history, recent
from formatters.answers import help as helping
from formatters.models.notice import (
    ID_MAX,
    Category,
    canonical_id,
    category_from_id,
    folded_id,
    id_as_file_name,
    is_unusual_id,
    parse_event_id,
)
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update, mention, unreadable_notice
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text
from formatters.views import home_tab
from tests.support.factories import NOW, notice_record

HOSTILE = (
    "<!channel>", "<!here|x>", "<@U123ABC>", "S1234/../../etc/passwd", "S1234?x=1&y=2#z", "S 12 34", "*S1*",
    "`S1`", "~S1~", ":boom:1", "S1|S2", "../..", "..", ".", "%2e%2e", "S1🌩️", "Ω-7", "http://example.org/S1",
    "'; DROP TABLE notices; --", "S_1_", "&lt;!channel&gt;", "\\u202e", "{S1}", "S1\u0301", "x" * ID_MAX,
)  # fmt: skip
"""Hostile ids. All are printable, so each is kept as it is, except for the emoji's variation selector."""


@pytest.mark.parametrize(
    ("given_", "found"),
    [
        ("S190425z", "S190425z"),
        ("ms181101AB", "MS181101ab"),
        ("gw170817a", "GW170817A"),
        ("S1234", "S1234"),
        ("MS181101ab2", "MS181101ab2"),
        ("S200224", "S200224"),
        ("GW170817", "GW170817"),
        ("  S1234\n", "S1234"),
        ("S  12", "S 12"),
        ("S12\n34", None),
        ("S12\u202e34", None),
        ("S12\u200f34", None),
        ("S12\x0034", None),
        ("S12\ud80034", None),
        ("S12\u00a034", None),
        ("x" * ID_MAX, "x" * ID_MAX),
        ("x" * (ID_MAX + 1), None),
        ("S190425" + "z" * ID_MAX, None),
        ("", None),
        (" \t", None),
        (None, None),
        (1234, None),
        (["S1234"], None),
    ],
)
def test_any_printable_id_of_at_most_64_characters_is_a_key(given_: object, found: str | None) -> None:
    assert parse_event_id(given_) == found


@given(st.text(max_size=80))
def test_parsed_event_id_parses_to_itself(text: str) -> None:
    found = parse_event_id(text)
    if found is None:
        return
    assert parse_event_id(found) == found and found.isprintable() and 0 < len(found) <= ID_MAX
    assert folded_id(found) == folded_id(found.upper().lower()) or not found.isascii()
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", id_as_file_name(found))


@pytest.mark.parametrize(
    ("id_", "category"),
    [
        ("S190425z", Category.REAL),
        ("GW170817", Category.REAL),
        ("S1234", Category.REAL),
        ("MS181101ab", Category.MOCK),
        ("MS181101ab2", Category.MOCK),
        ("ms1234", Category.MOCK),
        ("M1234", Category.MOCK),
        ("MGW170817", Category.MOCK),
        ("MDC-1", Category.MOCK),
        ("Mock-event", Category.MOCK),
        ("TS1234", Category.TEST),
        ("TGW170817A", Category.TEST),
        ("T-S1234", Category.TEST),
        ("TEST", Category.TEST),
        ("Trigger123", Category.REAL),
        ("Merger-5", Category.REAL),
        ("May12", Category.REAL),
        ("T", Category.REAL),
        ("<!channel>", Category.REAL),
    ],
)
def test_first_letter_of_an_id_gives_its_category(id_: str, category: Category) -> None:
    assert category_from_id(id_) is category


def _event(id_: str) -> Superevent:
    facts: dict[str, Any] = {"urls": {"gracedb": "https://gracedb.ligo.org/superevents/S1234/view/"}}
    records = [
        notice_record(id_),
        notice_record(id_, "UPDATE", 5, far=3e-9),
        notice_record(id_, "RETRACTION", 9),
    ]
    return Superevent.from_notices([decode(to_json({**one, **facts})) for one in records])


def _texts(value: object, plain_text: bool = False) -> list[str]:
    """Return all mrkdwn texts in blocks, without plain_text, which isn't interpreted as mark-up."""
    match value:
        case {"type": "plain_text", "text": str()}:
            return []
        case {"type": "mrkdwn", "text": str(said)}:
            return [said]
        case dict():
            return [text for inner in value.values() for text in _texts(inner)]
        case list() | tuple():
            return [text for inner in value for text in _texts(inner)]
    return []


def _urls(value: object) -> list[str]:
    match value:
        case dict():
            return [u for k, v in value.items() for u in ([v] if k == "url" else _urls(v))]
        case list() | tuple():
            return [u for inner in value for u in _urls(inner)]
    return []


@pytest.mark.parametrize("id_", [id_ for id_ in HOSTILE if parse_event_id(id_) is not None])
def test_nothing_in_an_id_does_anything_in_a_message(id_: str) -> None:
    whole = _event(id_)
    assert whole.superevent_id == parse_event_id(id_)
    _, second, _ = whole.notices
    until = whole.up_to(second)
    messages = [
        alert_card.alert_card(until, ChannelView(is_root=True)),
        alert_card.alert_card(whole, ChannelView(is_root=True)),
        *(alert_update.alert_update(whole, notice) for notice in whole.notices),
        event_history.message(whole, whole.latest.time_created),
        mention.mention_message(until, second, ("<!here>",), "https://example.org"),
        mention.retraction_mention(whole, ("<!here>",), None),
        unreadable_notice.message(id_, "It can't be read."),
        helping.no_such_event(id_, [id_]),
        recent.message(recent.RecentEvents([whole]), NOW),
    ]
    for message in messages:
        assert message_text.render(message) and message_text.notification_text(message)
        for text in [message.text, *_texts(message.blocks)]:
            marks = set(re.findall(r"<[^>]*>", text))
            assert all(m == "<!here>" or m.startswith(("<http", "<!date^")) for m in marks), text
        for url in _urls(message.blocks):
            assert re.fullmatch(r"https://[\w.]+/[^\s<>|]*", url)
    assert home_tab._gracedb_link(whole).count("<") <= 1


def test_unusual_id_is_pointed_out() -> None:
    for id_, said in (("S1234", True), ("MS181101ab2", True), ("S190425z", False), ("MS181101ab", False)):
        whole = _event(id_)
        for message in (
            alert_card.alert_card(whole.up_to(whole.notices[0]), ChannelView()),
            alert_card.alert_card(whole, ChannelView()),
            *(alert_update.alert_update(whole, notice) for notice in whole.notices),
        ):
            assert ("unusual id" in message_text.render(message)) is said
        assert is_unusual_id(id_) is said is (canonical_id(id_) is None)


def test_an_unusual_ids_links_go_nowhere_wrong() -> None:
    whole = _event("S12/34?x")
    urls = _urls(alert_card.alert_card(whole.up_to(whole.notices[0]), ChannelView()).blocks)
    assert "https://gcn.nasa.gov/circulars?query=S12%2F34%3Fx" in urls
    assert not any("treasuremap" in url for url in urls)
    assert (
        unreadable_notice.gracedb_url("S12/34?x") is None
        and unreadable_notice.gracedb_url("s190425z") is not None
    )
