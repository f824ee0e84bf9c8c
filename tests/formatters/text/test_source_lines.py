import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formatters.models.notice import PROPERTIES, Event, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text
from formatters.text.source_lines import NO_MATTER, class_line, properties_line, source_lines

BBH = {"BBH": 0.97, "NSBH": 0.02, "BNS": 0.0, "Terrestrial": 0.01}
NSBH = {"NSBH": 0.86, "BBH": 0.04, "BNS": 0.0, "Terrestrial": 0.1}
NONE = {"HasNS": 0.0, "HasRemnant": 0.0, "HasMassGap": 0.003, "HasSSM": 0.0}


def plain(text: str | None) -> str | None:
    return None if text is None else text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("classes", "properties", "words"),
    [
        (BBH, NONE, None),
        (BBH, NONE | {"HasMassGap": 0.12}, "If astrophysical: HasMassGap 12 %"),
        # Where HasNS isn't negligible or isn't given, HasRemnant is worth saying.
        (
            BBH,
            NONE | {"HasNS": 0.05},
            "If astrophysical: HasNS 5 % · HasRemnant, HasMassGap, HasSSM <1 %",
        ),
        (BBH, {"HasRemnant": 0.0}, "If astrophysical: HasRemnant <1 %"),
        # What gwevent doesn't know isn't left out.
        (BBH, NONE | {"HasHair": 0.0}, "If astrophysical: HasHair <1 %"),
        # Terrestrial leads, but the properties leave it aside.
        ({"Terrestrial": 0.9, "BBH": 0.1}, NONE, None),
        (
            NSBH,
            NONE | {"HasNS": 1.0},
            f"If astrophysical: HasNS >99 % · HasMassGap, HasSSM <1 % · {NO_MATTER} (HasRemnant <1 %)",
        ),
        (NSBH, {"HasRemnant": 0.0}, f"If astrophysical: {NO_MATTER} (HasRemnant <1 %)"),
        (NSBH, {"HasRemnant": 0.01, "HasNS": 1.0}, "If astrophysical: HasRemnant 1 % · HasNS >99 %"),
        (NSBH, {"HasNS": 1.0}, "If astrophysical: HasNS >99 %"),
        (
            {"BNS": 0.95, "Terrestrial": 0.05},
            {"HasRemnant": 0.0, "HasNS": 1.0},
            "If astrophysical: HasNS >99 % · HasRemnant <1 %",
        ),
        ({}, {"HasSSM": 1.0, "HasNS": 0.0}, "If astrophysical: HasSSM >99 % · HasNS <1 %"),
        (BBH, {}, None),
    ],
)
def test_properties_that_go_without_saying_are_left_out(
    classes: dict[str, float],
    properties: dict[str, float],
    words: str | None,
    make_event: Callable[..., Event],
) -> None:
    assert plain(properties_line(make_event(classification=classes, properties=properties))) == words


probabilities = st.floats(min_value=0, max_value=1)


@given(
    st.dictionaries(st.sampled_from(["BNS", "NSBH", "BBH", "Terrestrial"]), probabilities),
    st.dictionaries(st.sampled_from([*PROPERTIES, "HasHair"]), probabilities),
)
def test_no_property_from_1_percent_on_is_ever_left_out(
    make_event: Callable[..., Event], classes: dict[str, float], properties: dict[str, float]
) -> None:
    line = properties_line(make_event(classification=classes, properties=properties)) or ""
    assert all(name in line for name, p in properties.items() if p >= 0.01)
    assert not re.search(r"(?<![\d.])(0|100)\u00a0%", line)
    if NO_MATTER in line:
        assert properties["HasRemnant"] < 0.01
        assert classes.get("NSBH", 0) >= max(classes.get("BNS", 0), classes.get("BBH", 0))


def said_of_classes(*notices: Notice) -> str | None:
    superevent = Superevent.from_notices(notices)
    event = superevent.latest.event
    assert event is not None
    return plain(class_line(superevent, superevent.latest, event))


CONDITIONAL = {"NSBH": 0.95, "BBH": 0.05, "BNS": 0.0, "Terrestrial": 0.0}


def test_classes_of_parameter_estimation_hold_if_the_event_is_astrophysical(
    make_notice: Callable[..., Notice], make_event: Callable[..., Event]
) -> None:
    first = make_notice("INITIAL", event=make_event(classification={"NSBH": 0.55, "Terrestrial": 0.4}))
    update = make_notice("UPDATE", 60, event=make_event(classification=CONDITIONAL))
    later = make_notice("UPDATE", 90, event=make_event(classification={"NSBH": 0.97, "BBH": 0.03}))
    words = "If astrophysical: NSBH 95 % · BBH 5 % · BNS <1 % (Terrestrial was 40 % in INITIAL)"
    assert said_of_classes(first, update) == words
    assert said_of_classes(first, update, later) == (
        "If astrophysical: NSBH 97 % · BBH 3 % (Terrestrial was 40 % in INITIAL)"
    )
    assert (
        said_of_classes(update) == "If astrophysical: NSBH 95 % · BBH 5 % · BNS <1 % (Terrestrial not given)"
    )


@pytest.mark.parametrize(
    ("terrestrial", "words"),
    [(0.4, "NSBH 95 % if astrophysical · UPDATE"), (0.1, "NSBH 95 % if astrophysical · UPDATE")]
    + [(p, "NSBH 95 % · UPDATE") for p in (0.09, 0.0, None)],
)
def test_a_title_says_the_condition_where_terrestrial_was_likely(
    terrestrial: float | None,
    words: str,
    make_notice: Callable[..., Notice],
    make_event: Callable[..., Event],
) -> None:
    classes = {"NSBH": 0.55} if terrestrial is None else {"NSBH": 0.55, "Terrestrial": terrestrial}
    first = make_notice("INITIAL", event=make_event(classification=classes))
    update = make_notice("UPDATE", 60, event=make_event(classification=CONDITIONAL))
    card = alert_card.alert_card(Superevent.from_notices([first, update]), ChannelView())
    assert words in message_text.render(card).splitlines()[0]
    assert ("NSBH 95% if astrophysical UPDATE" in card.text) is ("if" in words)
    assert "if astrophysical" not in alert_card.title(Superevent.from_notices([first]))


@pytest.mark.parametrize("alert_type", ["EARLYWARNING", "PRELIMINARY", "INITIAL", "REVIEW"])
def test_a_searchs_own_terrestrial_of_0_is_no_condition(
    alert_type: str, make_notice: Callable[..., Notice], make_event: Callable[..., Event]
) -> None:
    notice = make_notice(alert_type, event=make_event(classification=CONDITIONAL))
    assert said_of_classes(notice) == "NSBH 95 % · BBH 5 % · BNS, Terrestrial <1 %"


@pytest.mark.parametrize("terrestrial", [1.1e-5, 1e-16, 0.2])
def test_an_update_that_keeps_the_searchs_terrestrial_has_no_condition(
    terrestrial: float, make_notice: Callable[..., Notice], make_event: Callable[..., Event]
) -> None:
    event = make_event(classification={"NSBH": 1 - terrestrial, "Terrestrial": terrestrial})
    line = said_of_classes(make_notice("UPDATE", event=event))
    assert line is not None
    assert "If astrophysical" not in line
    assert "Terrestrial" in line


def test_an_update_without_any_probability_has_no_condition(
    make_notice: Callable[..., Notice], make_event: Callable[..., Event]
) -> None:
    event = make_event(classification=dict.fromkeys(CONDITIONAL, 0.0))
    line = said_of_classes(make_notice("UPDATE", event=event))
    assert line is not None
    assert "If astrophysical" not in line


def test_a_bbh_needs_no_more_lines_than_its_classes(
    make_notice: Callable[..., Notice], make_event: Callable[..., Event]
) -> None:
    notice = make_notice(event=make_event(classification=BBH, properties=NONE))
    superevent = Superevent.from_notices([notice])
    assert notice.event is not None
    lines = source_lines(superevent, notice, notice.event)
    assert [plain(line) for line in lines] == ["BBH 97 % · NSBH 2 % · Terrestrial 1 % · BNS <1 %"]
