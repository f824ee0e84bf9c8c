"""Fields of a notice that can't be read: said, never replaced by what is left of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts import fields
from bot.alerts.decode import notice_from_record
from formatters.models import classes
from formatters.models.notice import CLASSES, PROPERTIES, Event, Notice
from formatters.models.significance import is_neutron_star_likely
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text
from formatters.text import event_lines, source_lines
from tests.support.factories import notice_record

UNREADABLE: tuple[object, ...] = ("n/a", "0.9.5", "95 %", [], {}, [0.1, 0.2], 1.5, -0.2, "NaN", None, True)


def decoded(**changed: Any) -> Notice:
    record = notice_record()
    return notice_from_record(record | {"event": record["event"] | changed})


def event_of(**changed: Any) -> Event:
    event = decoded(**changed).event
    assert event is not None
    return event


def class_line_of(event: Event) -> str | None:
    notice = replace(decoded(), event=event)
    return source_lines.class_line(Superevent.from_notices([notice]), notice, event)


def source_lines_of(event: Event) -> list[str]:
    notice = replace(decoded(), event=event)
    return source_lines.source_lines(Superevent.from_notices([notice]), notice, event)


def changes(before: Notice, notice: Notice) -> list[str]:
    later = replace(notice, time_created=before.time_created + timedelta(minutes=5))
    return alert_update.changes(Superevent.from_notices([before, later]), before, later)


def card(notice: Notice) -> str:
    shown = alert_card.alert_card(Superevent.from_notices([notice]), ChannelView())
    return message_text.render(shown).replace("\xa0", " ")


@pytest.mark.parametrize("value", UNREADABLE)
def test_unreadable_class_is_named_and_no_other_class_takes_its_place(value: object) -> None:
    given = {"BNS": value, "NSBH": 0.05, "BBH": 0.03, "Terrestrial": 0.02}
    event = event_of(classification=given)
    assert event.unread == ("classification.BNS",)
    assert event_lines.headline(event) == "Class unclear"
    assert (class_line_of(event) or "").startswith("BNS can't be read · NSBH 5")
    text = card(decoded(classification=given))
    assert "BNS can't be read" in text and "Class unclear" in text


@given(
    st.dictionaries(st.sampled_from(CLASSES), st.floats(0, 1), min_size=2),
    st.sets(st.sampled_from(CLASSES), min_size=1),
    st.sampled_from(UNREADABLE),
)
def test_headline_names_a_class_only_if_no_unread_one_may_be_more_probable(
    weights: dict[str, float], broken: set[str], value: object
) -> None:
    total = sum(weights.values()) or 1.0
    true = {name: weight / total for name, weight in weights.items()}
    event = event_of(classification={name: value if name in broken else true[name] for name in true})
    top = max(true, key=lambda name: true[name])
    best = classes.most_probable_class(event)
    if best is not None:
        assert true[best[0]] == pytest.approx(true[top]) and top not in broken
        assert event_lines.headline(event).startswith(best[0])
    for name in broken & set(true):
        assert name in (class_line_of(event) or "")


def test_an_unread_class_that_cannot_matter_leaves_the_headline() -> None:
    event = event_of(classification={"BNS": 0.95, "NSBH": "?", "BBH": 0.02, "Terrestrial": 0.02})
    assert event_lines.headline(event).startswith("BNS 95")
    assert (class_line_of(event) or "").startswith("NSBH can't be read · BNS 95")


@pytest.mark.parametrize("value", ["BNS", [0.9], 3, [{}, {}], True])
def test_classification_of_which_nothing_can_be_read_is_said(value: object) -> None:
    event = event_of(classification=value)
    assert event.unread == ("classification",)
    assert event_lines.headline(event) == "Class unclear"
    assert "The class probabilities can't be read" in source_lines_of(event)


@pytest.mark.parametrize("value", [None, {}, [], ""])
def test_absent_classification_is_not_unread(value: object) -> None:
    assert event_of(classification=value).unread == ()


@given(st.sampled_from(PROPERTIES), st.sampled_from(UNREADABLE))
def test_unreadable_property_is_named(name: str, value: object) -> None:
    event = event_of(properties={"HasNS": 0.5, name: value})
    assert f"{name} can't be read" in (source_lines.properties_line(event) or "")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("far", "FAR"),
        ("duration", "duration"),
        ("central_frequency", "frequency"),
        ("mchirp_source", "chirp mass"),
    ],
)
@pytest.mark.parametrize("value", ["n/a", [1], {"a": 1}, -3.0])
def test_other_unreadable_numbers_are_named(key: str, words: str, value: object) -> None:
    assert f"Can't be read: {words}" in source_lines_of(event_of(**{key: value}))


def test_a_neutron_star_is_likely_as_long_as_an_unread_class_may_be_one() -> None:
    assert is_neutron_star_likely(event_of(classification={"BNS": "?", "BBH": 0.1, "Terrestrial": 0.1}))
    assert not is_neutron_star_likely(event_of(classification={"BNS": "?", "BBH": 0.98, "Terrestrial": 0.02}))
    assert not is_neutron_star_likely(event_of(classification={"BNS": 0.0, "BBH": 0.2, "Terrestrial": "?"}))


def test_update_says_which_class_can_no_longer_be_read_and_which_can_again() -> None:
    whole = {"BNS": 0.95, "NSBH": 0.02, "BBH": 0.01, "Terrestrial": 0.02}
    good, bad = decoded(classification=whole), decoded(classification=whole | {"BNS": "?"})
    lost = " ".join(changes(good, bad))
    assert "BNS can't be read" in lost and "no longer given" not in lost
    found = " ".join(changes(bad, good)).replace("\xa0", " ")
    assert "BNS 95 %" in found and "→" not in found
    assert changes(bad, bad) == []


def test_notice_stored_without_unread_fields_is_read() -> None:
    notice = decoded(classification={"BNS": "?", "BBH": 0.1})
    assert Notice.from_json(notice.to_json()) == notice
    older = notice.to_json().replace('"unread":["classification.BNS"]', '"flag_unread":null')
    event = Notice.from_json(older).event
    assert event is not None and event.unread == ()


@pytest.mark.slow
@given(st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_value_has_a_verdict(value: object) -> None:
    keys = ("classification", "properties", "far", "mchirp_source", "duration", "central_frequency")
    for key in keys:
        for name in fields.unread_fields({key: value}):
            assert name.startswith(key) and "\0" not in name
