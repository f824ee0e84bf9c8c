"""IceCube's searches around LVK's events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.alerts.payload import UndecodablePayload
from bot.related_messages.recognition import decode_message
from bot.samples import SampleNeutrino, neutrino_search
from bot.samples.messages import ABSENT
from formatters.models.related_message import MessageKind, NeutrinoSearch, RelatedMessage, Stream

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MERGER = NOW - timedelta(minutes=30)
EARLY = SampleNeutrino(-12.91, 17.48, 16.15, p_generic=0.0191, id="138590_39138551")
LATE = SampleNeutrino(222.46, 13.82, 18.66, p_generic=None, p_bayesian=0.0656, id="138590_39164579")


def search(superevent_id: str = "S261122a", **given: Any) -> RelatedMessage:
    body = neutrino_search(superevent_id, created=NOW, event_time=MERGER, **given)
    return decode_message(Stream.ICECUBE, body)


def details(message: RelatedMessage) -> NeutrinoSearch:
    assert isinstance(message.details, NeutrinoSearch)
    return message.details


@pytest.mark.parametrize("is_flat", [True, False])
def test_neutrinos_have_their_position_time_and_p_values_nested_or_flat(is_flat: bool) -> None:
    found = search(neutrinos=(EARLY, LATE), is_flat=is_flat, most_probable=(17.49, 16.18))
    assert (found.kind, found.superevent_ids, found.created) == (
        MessageKind.NEUTRINO_SEARCH,
        ("S261122a",),
        NOW,
    )
    assert (
        found.subject
        == "IceCube neutrino search in the map of S261122a-2-Preliminary: 2 coincident neutrinos"
    )
    result = details(found)
    assert (result.p_generic, result.p_bayesian, result.coincident) == (0.0191, 0.0549, 2)
    assert result.searched_notice == "S261122a-2-Preliminary"
    first, second = result.neutrinos
    assert (first.position.ra, first.position.dec, first.position.radius) == (17.48, 16.15, 0.5)
    assert (first.position.containment, first.position.name) == (0.9, "138590_39138551")
    assert first.position.time == MERGER + timedelta(seconds=-12.91)
    assert (first.offset_s, first.p_generic, first.p_bayesian) == (-12.91, 0.0191, None)
    assert (second.offset_s, second.p_generic, second.p_bayesian) == (222.46, None, 0.0656)
    (direction,) = found.positions
    assert (direction.ra, direction.dec, direction.name) == (17.49, 16.18, "most probable direction")


def test_search_that_found_nothing_says_so_and_one_that_states_no_number_does_not() -> None:
    nothing = search(p_generic=0.63, p_bayesian=None)
    assert details(nothing) == NeutrinoSearch(
        p_generic=0.63, p_bayesian=None, coincident=0, searched_notice="S261122a-2-Preliminary"
    )
    assert nothing.subject.endswith("no coincident neutrino") and nothing.positions == ()
    silent = search(extra={"n_events_coincident": ABSENT, "reference": ABSENT})
    assert details(silent).coincident is None and silent.subject == "IceCube neutrino search"
    assert search(neutrinos=(EARLY,)).subject.endswith("1 coincident neutrino")


def test_stated_number_stands_where_neutrinos_have_no_position() -> None:
    found = search(
        neutrinos=(EARLY,),
        extra={"coincident_events": [{"event_dt": 1.0}, None, 3], "n_events_coincident": 4.0},
    )
    assert details(found).coincident == 4 and details(found).neutrinos == ()


@pytest.mark.parametrize("value", [None, "unknown", -0.5, 1.5, float("nan"), float("inf"), True, [0.1], {}])
def test_unusable_p_value_is_none(value: object) -> None:
    found = details(search(extra={"pval_generic": value, "pval_bayesian": "3e-3"}))
    assert (found.p_generic, found.p_bayesian) == (None, 0.003)


@pytest.mark.parametrize(
    ("reference", "notice"),
    [
        ({"gcn.notices.LVK.alert": "S261122a-3-Initial"}, "S261122a-3-Initial"),
        ({"gcn.notices.lvk.ALERT": ["S261122a-3-Initial"]}, "S261122a-3-Initial"),
        ([{"gcn circulars": "45640"}, {"gcn.notices.LVK.alert": "S261122a-3-Initial"}], "S261122a-3-Initial"),
        ("S261122a-3-Initial", "S261122a-3-Initial"),
        (
            {"skymap_filename": "bayestar.multiorder.fits,1", "gcn.notices.LVK.alert": "S261122a-3"},
            "S261122a-3",
        ),
        ({"gcn.circulars": "45640"}, ""),
        (None, ""),
        (7, ""),
    ],
)
def test_searched_notice_is_read_in_every_form(reference: object, notice: str) -> None:
    assert details(search(extra={"reference": reference})).searched_notice == notice


@pytest.mark.parametrize(
    "ref_id",
    [
        "S261122a",
        " s261122A ",
        "LVK S261122a",
        "GW S261122a",
        "S261122a_test",
        "S261122a-2-Preliminary",
        "LVC#S261122a",
    ],
)
def test_event_is_found_in_every_spelling_of_its_id(ref_id: str) -> None:
    assert search(extra={"ref_ID": ref_id, "reference": ABSENT}).superevent_ids == ("S261122a",)


def test_event_is_found_in_the_notice_s_name_alone_and_ids_of_another_form_are_kept() -> None:
    assert search(extra={"ref_ID": ABSENT}).superevent_ids == ("S261122a",)
    assert search("MS261122ab").superevent_ids == ("MS261122ab",)
    assert search("S1234").superevent_ids == ("S1234",)
    for ref_id in (ABSENT, None, 7, "", "Fermi 694215970", "unknown"):
        with pytest.raises(UndecodablePayload, match="no usable ref_ID"):
            search(extra={"ref_ID": ref_id, "reference": ABSENT})


def test_search_of_the_next_map_is_another_message_and_a_corrected_one_the_same() -> None:
    first, corrected = search(), search(p_generic=0.5)
    assert first.key == corrected.key == "S261122a-2-Preliminary"
    assert search(notice="4-Update").key == "S261122a-4-Update"
    assert search(extra={"pipeline": "HE Cascades"}).key == "S261122a-2-Preliminary/HE Cascades"
    assert search(extra={"reference": ABSENT}).key == "S261122a"


def test_withdrawn_search_is_marked_and_keeps_its_key() -> None:
    found = search(extra={"alert_type": "retraction"})
    assert found.is_retracted and found.key == search().key
    assert not found.retracts_event and found.kind is MessageKind.NEUTRINO_SEARCH, "the event isn't retracted"
    assert found.subject == "IceCube neutrino search in the map of S261122a-2-Preliminary"
    assert not search(extra={"alert_type": "update"}).is_retracted


@pytest.mark.parametrize("tense", ["test", "injection", "mock", "planned", "of a kind that comes next year"])
def test_what_is_no_observation_says_nothing_of_a_real_event(tense: str) -> None:
    assert search(extra={"alert_tense": tense}).superevent_ids == ()
    assert search("MS261122ab", extra={"alert_tense": tense}).superevent_ids == ("MS261122ab",)
    assert search(extra={"alert_tense": "current"}).superevent_ids == ("S261122a",)
    assert search(extra={"alert_tense": tense}).key == f"{tense}: {search().key}", "it replaces no real one"


def test_message_without_its_time_has_that_of_its_arrival() -> None:
    body = neutrino_search("S261122a", created=NOW, event_time=MERGER, extra={"alert_datetime": ABSENT})
    assert decode_message(Stream.ICECUBE, body, NOW).created == NOW
    assert decode_message(Stream.ICECUBE, body).created == MERGER + timedelta(seconds=500)
    nowhere = {"alert_datetime": "9999-01-01T00:00:00Z", "observation_stop": 7, "trigger_time": None}
    with pytest.raises(UndecodablePayload, match="no usable alert_datetime"):
        search(extra=nowhere)
