"""What is said of one notice on root, push, reply, lists, picture and answers doesn't contradict itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formatters.answers import event_comparison, event_facts, event_history, recent
from formatters.blockkit.mrkdwn import replace_nbsp
from formatters.models.notice import Distance, Event, Localization, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update
from formatters.posts.channel_view import ChannelView
from formatters.skymap_image import alt_text, create_captions
from formatters.terminal import message_text
from formatters.text import map_lines, quantities
from tests.formatters.conftest import EVENT_TIME, event, localization, notice, swift, wide

NOW = EVENT_TIME + timedelta(hours=5)
ROOT = ChannelView(is_root=True)
SEARCH_CLASSES = {"BNS": 0.2, "NSBH": 0.4, "BBH": 0.0, "Terrestrial": 0.4}
CONDITIONAL_CLASSES = {"BNS": 0.05, "NSBH": 0.95, "BBH": 0.0, "Terrestrial": 0.0}

groups: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"search": "EarlyWarning"},
        {"search": "SSM", "classification": {}},
        {"group": "Burst", "search": "AllSky", "classification": {}, "properties": {}},
        {"group": "Burst", "search": "BBH", "classification": SEARCH_CLASSES},
        {"group": "New", "search": "Strange", "classification": {"Monster": 0.7}},
    ]
)
"""What an event is; none gives a burst's frequency or duration."""
distances = st.none() | st.builds(Distance, mean=st.floats(20, 6_000), std=st.floats(2, 900))
maps: st.SearchStrategy[Localization] = st.builds(
    lambda make, mean: make(distance=mean, peak_distance=mean),
    st.sampled_from([localization, wide]),
    distances,
)


def events(classification: dict[str, float]) -> st.SearchStrategy[Event]:
    return st.builds(
        lambda what, significant, far: event(
            **({"classification": classification} | what), significant=significant, far=far
        ),
        groups,
        st.booleans(),
        st.sampled_from([1e-12, 1e-8, 1e-5]),
    )


@st.composite
def superevents(draw: st.DrawFn) -> Superevent:
    name = draw(st.sampled_from(["S241126dm", "MS241126a", "TS241126a"]))
    made: list[Notice] = []
    for minutes, stage in ((1, "PRELIMINARY"), (30, "INITIAL"), (900, "UPDATE"))[: draw(st.integers(1, 3))]:
        made.append(
            notice(
                stage,
                minutes,
                superevent_id=name,
                event=draw(events(CONDITIONAL_CLASSES if stage == "UPDATE" else SEARCH_CLASSES)),
                localization=draw(st.none() | maps),
                external=draw(st.none() | st.builds(lambda sky: swift(localization=sky), st.none() | maps)),
            )
        )
    return Superevent.from_notices(made)


def root_text(superevent: Superevent) -> str:
    return message_text.render(alert_card.alert_card(superevent, ROOT))


def retracted(superevent: Superevent) -> Superevent:
    gone = notice("RETRACTION", 2_000, superevent_id=superevent.superevent_id)
    return Superevent.from_notices([*superevent.notices, gone])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(superevents())
def test_the_distance_is_that_of_the_area_beside_it(superevent: Superevent) -> None:
    best = superevent.latest.best_localization
    if best is None or best.distance is None:
        return
    words = replace_nbsp(quantities.distance(best.distance))
    assert words in root_text(superevent)
    assert (
        replace_nbsp(quantities.distance_compact(best.distance))
        in alert_card.alert_card(superevent, ROOT).text
    )
    assert words in replace_nbsp(" ".join(create_captions(superevent).facts))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(superevents())
def test_the_area_of_a_combined_map_is_called_that_wherever_it_stands_alone(superevent: Superevent) -> None:
    latest = superevent.latest
    area = map_lines.best_area(latest)
    gone = retracted(superevent)
    texts = [
        recent.event_line(superevent, NOW),
        alert_card.alert_card(superevent, ROOT).text,
        alert_card.alert_card(gone, ROOT).text,
        alert_update.alert_update(gone, gone.latest).text,
    ]
    if area is not None:
        # Without one a comparison gives the newest map that there is.
        texts.append(message_text.render(event_comparison.message([superevent, superevent])))
    for text in texts:
        if area is not None:
            assert replace_nbsp(area) in replace_nbsp(text)
        assert ("combined" in text) is (latest.best_localization is not latest.localization)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(superevents())
def test_a_condition_of_the_class_is_said_wherever_the_class_is(superevent: Superevent) -> None:
    conditional = "if astrophysical" in alert_card.title(superevent)
    texts = [
        recent.event_line(superevent, NOW),
        message_text.render(event_comparison.message([superevent, superevent])),
        alert_card.alert_card(retracted(superevent), ROOT).text,
    ]
    if superevent.latest.best_localization is not None:
        texts += [create_captions(superevent).title, alt_text(superevent)]
    assert all(("if astrophysical" in text) is conditional for text in texts)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(superevents())
def test_titles_carry_the_marks_and_low_significance_is_never_vetted(superevent: Superevent) -> None:
    root = alert_card.alert_card(superevent, ROOT)
    messages = [root]
    if len(superevent.notices) > 1:
        messages.append(alert_update.alert_update(superevent, superevent.latest))
    low = not superevent.latest.significant
    for message in messages:
        shown = message_text.render(message)
        title = shown.splitlines()[0]
        for text in (title, message.text):
            assert ("LOW SIGNIFICANCE" in text) is low
            assert ("MOCK" in text) is superevent.superevent_id.startswith("MS")
            assert ("TEST" in text) is superevent.superevent_id.startswith("TS")
        assert not (low and "vetted" in shown)
    gone = retracted(superevent)
    answered = alert_update.alert_update(gone, gone.latest)
    assert ("MOCK" in message_text.render(answered).splitlines()[0]) is gone.superevent_id.startswith("MS")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(superevents())
def test_no_line_is_empty_or_begins_with_a_dot(superevent: Superevent) -> None:
    messages = [alert_card.alert_card(superevent, view) for view in (ROOT, ChannelView())]
    messages += [alert_update.alert_update(superevent, n) for n in superevent.notices[1:]]
    for message in messages:
        shown = message_text.render(message).splitlines()
        assert all(line.strip() and not line.strip().startswith("·") and "·  ·" not in line for line in shown)
    said = event_facts.sentence(superevent, "class", NOW)
    assert said is not None and "·  ·" not in said


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(superevents())
def test_a_distance_of_the_map_is_not_denied(superevent: Superevent) -> None:
    best = superevent.latest.best_localization
    if best is not None and best.distance is not None:
        assert "no distance" not in root_text(superevent).casefold()


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(superevents(), st.booleans())
def test_a_notice_without_facts_takes_none_away(superevent: Superevent, is_first: bool) -> None:
    empty = notice(
        "ANNOUNCEMENT", 2_000, superevent_id=superevent.superevent_id, event=None, localization=None
    )
    later = Superevent.from_notices([*superevent.notices, empty] if not is_first else [empty])
    shown = message_text.render(alert_card.alert_card(later, ROOT))
    state = event_facts.sentence(later, "state", NOW) or ""
    assert alert_card.NO_FACTS in shown
    if is_first:
        assert "Significance not given" in state and "threshold" not in state
        return
    facts = alert_card.last_known_facts(later, superevent.latest)
    assert facts is not None and replace_nbsp(facts) in replace_nbsp(shown)
    assert ("Below LVK's threshold" in state) is not superevent.latest.significant
    assert alert_card.NO_FACTS in message_text.render(alert_update.alert_update(later, empty))


def test_the_question_where_names_the_combined_map_and_its_pieces() -> None:
    both = Superevent.from_notices([notice(external=swift())])
    said = replace_nbsp(event_facts.sentence(both, "area", NOW) or "")
    assert "combined map 90 %: 873 deg²" in said and "75 % near 15h03 −48°" in said
    assert "GW alone 90 %: 31 deg²" in said
    alone = replace_nbsp(event_facts.sentence(Superevent.from_notices([notice()]), "area", NOW) or "")
    assert "combined" not in alone


def test_an_unreadable_coincidence_is_a_sentence() -> None:
    odd = notice()
    odd = replace(odd, published={"external_coinc": "strange"})
    assert odd.has_unreadable_coincidence
    said = event_facts.sentence(Superevent.from_notices([odd]), "coincidence", NOW)
    assert said == (
        "S241126dm: its newest notice names a coincidence in a form that gwevent doesn't understand."
    )


def test_only_a_coincidence_with_a_combined_map_is_called_combined_in_the_history() -> None:
    without = Superevent.from_notices([notice(external=swift(localization=None))])
    shown = message_text.render(event_history.message(without, NOW))
    assert "↳ coincidence" in shown and "combined" not in shown


def test_a_uniform_map_is_near_nothing() -> None:
    uniform = localization(area_50=20_626.5, area_90=37_128.0)
    described = alt_text(Superevent.from_notices([notice(localization=uniform)]))
    assert "uniform" in described and "near" not in described


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_push_names_first_whose_joint_far_it_gives(order: tuple[int, int]) -> None:
    pair = (
        swift(time_sky_position_coincidence_far=1e-9),
        swift(
            observatory="IceCube", search="HEN", time_sky_position_coincidence_far=1e-11, localization=None
        ),
    )
    first, second = (pair[at] for at in order)
    both = notice(event=event(far=1e-5), external=first, more_external=(second,))
    text = alert_card.alert_card(Superevent.from_notices([both]), ROOT).text
    assert "joint FAR 1/3,200 yr +IceCube +Swift" in text


def test_who_becomes_significant_is_called_vetted_then() -> None:
    low, high = (notice("UPDATE", m, event=event(significant=s)) for m, s in ((1, False), (2, True)))
    both = Superevent.from_notices([notice(minutes=0.5, event=event(significant=False)), low, high])
    shown = [message_text.render(alert_update.alert_update(both, one)).splitlines()[0] for one in (low, high)]
    assert "vetted" not in shown[0] and "vetted by people" in shown[1]
