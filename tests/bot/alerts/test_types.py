"""Every field of a notice, of every type that it shouldn't have: posted with the rest, and never guessed."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.decode import UndecodablePayload, decode, notice_from_record
from bot.alerts.digest import MAP_KEYS
from bot.filters import matches, parse_criteria
from bot.samples import bns, mock, to_json
from bot.samples.edge_cases import few_rows
from formatters.answers import event_history
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text, notice_text
from tests.support.factories import NOW, notice_record

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    7,
    0.5,
    1e308,
    10**400,
    "",
    "text",
    "1",
    "true",
    "NaN",
    "<!channel>",
    "\0\ud800",
    [],
    [None],
    ["text"],
    [[]],
    [1, 2],
    {},
    {"text": "text"},
    {"": None},
    {"a": {"b": [{}]}},
    [{}, {}],
    "é" * 5000,
)
NEEDED = (("superevent_id",), ("alert_type",), ("time_created",), ("event",), ("event", "time"))
"""What a notice can't do without; all else may be anything."""

Path_ = tuple[str | int, ...]


def paths(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*at, key)
        yield from paths(inner, (*at, key))


def with_value(record_: Any, path: Path_, value: Any) -> Any:
    made = json.loads(json.dumps(record_))
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return made


def bases() -> list[Any]:
    burst = {"observatory": "Swift", "search": "GRB", "gcn_notice_id": 5, "time_coincidence_far": 1e-9}
    made: list[Any] = [
        {**notice_record(alert_type="UPDATE"), "external_coinc": [burst, {**burst, "observatory": "Fermi"}]},
        {**notice_record(alert_type="INITIAL"), "external_coinc": burst},
        notice_record(alert_type="RETRACTION"),
        next(one for one in mock(NOW) if one["event"] is not None),
        bns(NOW)[1],
    ]
    read = [json.loads(to_json(one)) for one in made]
    # The smallest map that there is: it is measured thousands of times.
    for holder, key in ((one[name], key) for one in read for name, key in MAP_KEYS.items()):
        if isinstance(holder, dict) and holder.get(key):
            holder[key] = base64.b64encode(few_rows()).decode()
    return read


def said(notice: Notice) -> str:
    whole = Superevent.from_notices(
        [notice_from_record(notice_record(notice.superevent_id, minutes=-600)), notice]
    )
    alone = Superevent.from_notices([notice])
    messages = [
        alert_card.alert_card(alone, ChannelView(is_root=True)),
        alert_card.alert_card(whole, ChannelView()),
        alert_update.alert_update(whole, notice),
        event_history.message(whole, whole.latest.time_created),
    ]
    assert notice_text.to_text(notice) and json.dumps(notice_text.to_show_json(notice), allow_nan=False)
    assert Notice.from_json(notice.to_json()) == notice
    return "\n".join(message_text.render(message) for message in messages)


@pytest.mark.slow
@pytest.mark.parametrize("base", range(5))
def test_any_field_may_be_of_any_type(base: int) -> None:
    known = bases()[base]
    rng = random.Random(base)
    for path in paths(known):
        small = [value for value in VALUES if not isinstance(value, str) or len(value) < 100]
        # Maps cost the most; of those every value is tried once, in the first base that has one.
        values = [..., *(VALUES if len(path) < 3 else rng.sample(small, 6))]
        for value in values:
            made = with_value(known, path, value)
            try:
                notice = decode(json.dumps(made).encode())
            except UndecodablePayload as refusal:
                assert path in NEEDED, (path, value, refusal.reason)
                if path != ("superevent_id",):
                    assert refusal.superevent_id == known["superevent_id"], (path, value)
                continue
            assert said(notice)
            if notice.event is not None and path != ("superevent_id",):
                criteria = parse_criteria("all lowsig mock test")
                assert matches(criteria, Superevent.from_notices([notice])), (path, value)
            if path[:1] == ("event",) and path[-1] in ("group", "search", "pipeline", "far", "significant"):
                insignificant = value is False or (value in (0, "false") and value is not ...)
                if notice.event is not None and path[-1] == "significant":
                    assert notice.event.significant is not insignificant, value


@pytest.mark.parametrize(
    ("flag", "significant", "unread"),
    [
        (True, True, None),
        (False, False, None),
        ("true", True, None),
        ("False", False, None),
        (" YES ", True, None),
        ("no", False, None),
        (1, True, None),
        (0, False, None),
        (1.0, True, None),
        (0.0, False, None),
        ("1", True, None),
        ("0", False, None),
        ([True], True, None),
        ([False], False, None),
        ("maybe", True, "maybe"),
        (2, True, "2"),
        (0.5, True, "0.5"),
        (None, True, "null"),
        ({}, True, "a dict"),
        ([], True, "a list"),
        ("", True, ""),
    ],
)
def test_the_flag_of_significance(flag: object, significant: bool, unread: str | None) -> None:
    made = notice_record()
    made = {**made, "event": {**made["event"], "significant": flag}}
    notice = decode(json.dumps(made).encode())
    assert notice.event is not None
    assert (notice.event.significant, notice.event.flag_unread) == (significant, unread)
    told = message_text.render(alert_card.alert_card(Superevent.from_notices([notice]), ChannelView()))
    assert ("Taken as significant: LVK's flag says" in told) is (unread is not None)
    assert ("LOW SIGNIFICANCE" in told) is (not significant)


def test_unreadable_group_matches_every_group_filter() -> None:
    notice = decode(
        json.dumps({**notice_record(), "event": {**notice_record()["event"], "group": 7}}).encode()
    )
    assert matches(parse_criteria("CBC"), Superevent.from_notices([notice])) and matches(
        parse_criteria("Burst"), Superevent.from_notices([notice])
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000+00:00"),
        ("2017-01-01 00:59:60+01:00", "2017-01-01T00:00:00+00:00"),
        ("2026-01-02T03:04:60", "2026-01-02T03:05:00+00:00"),
    ],
)
def test_a_leap_seconds_time(given: str, read: str) -> None:
    made: Any = {
        **notice_record(),
        "time_created": given,
        "event": {**notice_record()["event"], "time": given},
    }
    notice = decode(json.dumps(made).encode())
    assert notice.event is not None
    assert notice.time_created.isoformat() == notice.event.time.isoformat() == read


@pytest.mark.parametrize("given", ["2016-12-31T23:59:61Z", "9999-12-31T23:59:60Z", "2016-12-31T23:60:60Z"])
def test_impossible_time_is_rejected(given: str) -> None:
    with pytest.raises(UndecodablePayload, match="time_created"):
        decode(json.dumps({**notice_record(), "time_created": given}).encode())


def test_unreadable_coincidence_is_reported_and_matches_no_filter() -> None:
    notice = decode(json.dumps({**notice_record(), "external_coinc": "Fermi GRB"}).encode())
    told = said(notice)
    assert "Names a coincidence in a form that gwevent doesn't understand" in told
    whole = Superevent.from_notices([notice])
    assert not matches(parse_criteria("all external"), whole) and not matches(
        parse_criteria("all not external"), whole
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["real", "mock", "official"])
def test_published_notices_of_mutated_types(shared_notices: Path, kind: str) -> None:
    rng = random.Random(7)
    for path in sorted((shared_notices / kind).glob("*.json")):
        known = json.loads(path.read_bytes())
        for _ in range(6):
            place = rng.choice(list(paths(known)))
            made = with_value(known, place, rng.choice([..., *VALUES]))
            try:
                assert said(decode(json.dumps(made).encode()))
            except UndecodablePayload:
                assert place in NEEDED
