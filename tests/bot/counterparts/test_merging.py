"""Reports of the same source become one candidate, whatever the order in which they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.counterparts import reports
from bot.counterparts.merging import (
    MERGE_RADIUS_ARCSEC,
    candidate_keys,
    match_names,
    merge_reports,
)
from bot.counterparts.names import normalize_name
from bot.counterparts.reports import AddedCandidate, NamedDecision, added_reports, message_reports
from formatters.models.counterpart import Counterpart, Decision
from formatters.models.related_message import (
    MessageKind,
    RelatedMessage,
    ReportedPosition,
    StoredMessage,
    Stream,
)

MERGER = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVENT = "S261122a"
RA, DEC = 197.450354, -23.381484
ARCSEC = 1 / 3_600


def at(name: str = "", ra: float = RA, dec: float = DEC, **more: Any) -> ReportedPosition:
    return ReportedPosition(ra=ra, dec=dec, name=name, **more)


def message(
    key: str, *positions: ReportedPosition, hours: float = 1, stream: Stream = Stream.CIRCULARS, **more: Any
) -> StoredMessage:
    number = int(key) if stream is Stream.CIRCULARS else None
    made = RelatedMessage(
        stream=stream,
        key=key,
        number=number,
        created=MERGER + timedelta(hours=hours),
        superevent_ids=(EVENT,),
        kind=more.pop("kind", MessageKind.CANDIDATES),
        subject="candidates",
        positions=positions,
        **more,
    )
    return StoredMessage(id=int(hours * 60), superevent_id=EVENT, message=made, received=made.created)


def merged(*messages: StoredMessage, decisions: tuple[NamedDecision, ...] = ()) -> tuple[Counterpart, ...]:
    return merge_reports(message_reports(messages), decisions, MERGER)


def test_the_same_name_in_two_spellings_is_one_source() -> None:
    [one] = merged(
        message("1", at("AT2017gfo")), message("2", at("at 2017gfo", dec=DEC + 0.5 * ARCSEC), hours=2)
    )
    assert one.name == "AT2017gfo" and one.aliases == ()
    assert [source.label for source in one.sources] == ["GCN 1", "GCN 2"]
    assert one.sources[0].url == "https://gcn.nasa.gov/circulars/1"
    # The newest precise position counts.
    assert one.position.dec == DEC + 0.5 * ARCSEC


def test_names_that_one_report_gives_together_are_aliases() -> None:
    [one] = merged(
        message("1", at("SSS17a")),
        message("2", at("SSS17a = AT2017gfo"), hours=2),
        message("3", at("AT2017gfo", dec=DEC + 5 * ARCSEC), hours=3),
    )
    assert one.name == "AT2017gfo" and one.aliases == ("SSS17a",)
    assert one.spread == pytest.approx(5 * ARCSEC)


def test_one_place_is_one_source_and_says_both_names() -> None:
    [one] = merged(
        message("1", at("ZTF23abidzvf")), message("2", at("AT2023xyz", dec=DEC + 2 * ARCSEC), hours=2)
    )
    assert one.name == "AT2023xyz" and one.aliases == ("ZTF23abidzvf",)
    apart = merged(message("1", at("ZTF23a")), message("2", at("AT2023xyz", dec=DEC + 4 * ARCSEC)))
    assert len(apart) == 2


def test_two_designations_are_never_one_source() -> None:
    found = merged(
        message("1", at("AT2023abc")),
        message("2", at("AT2023abd", dec=DEC + ARCSEC)),
        message("3", at("ZTF23x/AT2023abc")),
        message("4", at("ZTF23x/AT2023abd", dec=DEC + ARCSEC)),
    )
    assert [one.name for one in found] == ["AT2023abc", "AT2023abd"]
    assert len(match_names("ztf 23x", found)) == 2
    assert [one.name for one in match_names("at 2023abd", found)] == ["AT2023abd"]


def test_error_circles_never_merge() -> None:
    found = merged(
        message("1", at(radius=0.5, containment=0.9)),
        message("2", at("AT2023abc")),
        message("3", at(radius=1.5), stream=Stream.ICECUBE, kind=MessageKind.NEUTRINO_SEARCH),
        message("4", at(radius=0.1), stream=Stream.GUANO, kind=MessageKind.DETECTION),
    )
    assert len(found) == 4
    assert len({normalize_name(one.name) for one in found}) == 4
    assert sum(one.is_neutrino for one in found) == sum(one.is_burst for one in found) == 1


def test_a_description_is_no_name() -> None:
    neutrinos = MessageKind.NEUTRINO_SEARCH
    words = "most probable direction"
    found = merged(message("1", at(words, radius=1.5), at(words, dec=DEC + 3, radius=2.5), kind=neutrinos))
    assert [one.name[0] for one in found] == ["J", "J"]


@pytest.mark.parametrize(
    "name", ["Source 1", "candidate #1", "XRT source 1", "C1", "1", "Host 2", "new X-ray candidate source 3"]
)
def test_a_number_in_one_message_is_no_name_in_another(name: str) -> None:
    first, second, third = merged(
        message("1", at(name)), message("2", at(name, RA + 5), hours=2), message("3", at("AT2026abc", RA + 9))
    )
    assert (first.name, second.name) == ("AT2026abc", f"GCN 1 {name}")
    assert third.name == f"GCN 2 {name}" and third.spread == 0
    [unnumbered] = merged(message("uuid", at(name), stream=Stream.HERMES))
    assert unnumbered.name.startswith("J1309")


@pytest.mark.parametrize("name", ["SSS17a", "NGC 253", "DLT17ck", "AT2017gfo", "IceCube-230416A", "GOTO26x"])
def test_a_name_with_a_number_is_the_same_in_each_message(name: str) -> None:
    [one] = merged(message("1", at(name)), message("2", at(name, RA + 1), hours=2))
    assert one.name == name


def test_a_neutrino_of_a_circular_is_no_host_either() -> None:
    [one] = merged(message("1", at(radius=1.5), kind=MessageKind.NEUTRINO_SEARCH))
    assert one.is_neutrino


def test_the_newest_version_of_a_message_counts() -> None:
    older, newer = message("1", at("AT2023abc")), message("1", at("AT2023abd"), hours=2)
    for order in ((older, newer), (newer, older)):
        assert [one.name for one in merged(*order)] == ["AT2023abd"]


def test_withdrawn_messages_have_no_candidates() -> None:
    assert (
        merged(message("1", at("AT2023abc")), message("1", at("AT2023abc"), hours=2, is_retracted=True)) == ()
    )


def test_a_telescopes_pointing_is_no_candidate() -> None:
    limits = message("1", at(), at("AT2023abc", dec=DEC + 1), kind=MessageKind.UPPER_LIMITS)
    assert [one.name for one in merged(limits)] == ["AT2023abc"]


def test_what_is_no_position_is_left_out() -> None:
    nan = float("nan")
    assert merged(message("1", at(ra=nan), at(dec=nan), at(dec=91.0), at(ra=float("inf")))) == ()


def test_a_position_without_a_name_keeps_its_made_name_when_it_gets_one() -> None:
    [unnamed] = merged(message("1", at()))
    assert unnamed.name == "J130948.0-232253"
    decision = NamedDecision(name=unnamed.name, decision=Decision.KEEP, user_id="U1", at=MERGER)
    [named] = merged(message("1", at()), message("2", at("AT2023abc"), hours=2), decisions=(decision,))
    assert named.name == "AT2023abc" and named.decision is not None
    assert named.decision.decision is Decision.KEEP


def test_the_newest_decision_counts_by_any_name() -> None:
    keep = NamedDecision(name="sss17a", decision=Decision.KEEP, user_id="U1", at=MERGER)
    reject = NamedDecision(
        name="2017gfo", decision=Decision.REJECT, user_id="U2", at=MERGER + timedelta(hours=1)
    )
    for order in ((keep, reject), (reject, keep)):
        [one] = merged(message("1", at("SSS17a/AT2017gfo")), decisions=order)
        assert one.decision is not None and one.decision.user_id == "U2"


def test_redshift_and_distance_are_of_the_newest_report_that_has_them() -> None:
    [one] = merged(
        message("1", at("AT2017gfo", distance=40.0, distance_error=8.0)),
        message("2", at("AT2017gfo", redshift=0.0098), hours=2),
        message("3", at("AT2017gfo"), hours=3),
    )
    assert (one.position.redshift, one.position.distance, one.position.distance_error) == (0.0098, None, None)


def test_the_first_time_is_counted_from_the_merger() -> None:
    [one] = merged(
        message("1", at("AT2017gfo", time=MERGER + timedelta(hours=11))),
        message("2", at("AT2017gfo", time=MERGER - timedelta(days=2)), hours=2),
    )
    assert one.offset == timedelta(days=-2)


def test_what_people_add_merges_with_messages() -> None:
    added = AddedCandidate(name="2017gfo", position=at(redshift=0.0098), user_id="U1", at=MERGER)
    [one] = merge_reports([*message_reports([message("1", at("AT2017gfo"))]), *added_reports([added])])
    assert [source.user_id for source in one.sources] == ["U1", None]


def test_long_equal_names_of_unlike_sources_stay_apart() -> None:
    name = "A" * 300
    found = merged(
        message("1", at(name)),
        message("2", at(name), stream=Stream.ICECUBE),
        message("3", at(name), stream=Stream.GUANO),
    )
    assert len({normalize_name(one.name) for one in found}) == 3


_NAMES = st.sampled_from(
    [
        "",
        "AT2023abc",
        "at 2023abc",
        "AT2023abd",
        "ZTF23x",
        "ZTF23x/AT2023abc",
        "SSS=ZTF23x",
        "2023abd (SSS)",
        "Ünö",
    ]
)
_POSITIONS = st.builds(
    lambda name, step, radius, z: at(name, dec=DEC + step * ARCSEC, radius=radius, redshift=z),
    _NAMES,
    st.integers(0, 12),
    st.sampled_from([None, None, ARCSEC, 0.5]),
    st.sampled_from([None, 0.01, -1.0, float("inf")]),
)
_MESSAGES = st.builds(
    lambda key, hours, positions, stream, retracted: message(
        str(key), *positions, hours=hours, stream=stream, is_retracted=retracted
    ),
    st.integers(1, 9),
    st.integers(1, 50),
    st.lists(_POSITIONS, max_size=4),
    st.sampled_from(list(Stream)),
    st.booleans(),
)


@given(st.lists(_MESSAGES, max_size=8, unique_by=lambda one: (one.message.key, one.id)), st.randoms())
@settings(deadline=None)
def test_the_table_is_a_function_of_the_set_of_messages(messages: list[StoredMessage], random: Any) -> None:
    # Ids and times of arrival differ between two orders of arrival.
    again = [replace(one, id=number) for number, one in enumerate(messages)]
    random.shuffle(again)
    found = merged(*messages)
    assert merged(*again, *again[:2]) == found
    names = [normalize_name(one.name) for one in found]
    assert len(set(names)) == len(names) and all(names)
    for one in found:
        assert one.sources
        assert sum(key.startswith("2023") for key in candidate_keys(one)) <= 2
        assert [candidate.name for candidate in match_names(one.name, found)] == [one.name]


@given(st.integers(0, 359), st.floats(-89.9, 89.9), st.floats(0, 2 * 3.14159))
@settings(deadline=None)
def test_near_positions_merge_everywhere_on_the_sky(ra: int, dec: float, angle: float) -> None:
    from math import cos, radians, sin

    step = 0.9 * MERGE_RADIUS_ARCSEC * ARCSEC
    other = at("B", ra=(ra + step * cos(angle) / cos(radians(dec))) % 360, dec=dec + step * sin(angle))
    found = merged(message("1", at("A", ra=float(ra), dec=dec)), message("2", other))
    # Above 89° the step in RA isn't a straight line.
    assert len(found) == 1 or abs(dec) > 89


def test_of_too_many_reports_those_that_anyone_may_send_go_first_and_the_oldest_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reports, "MAX_REPORTS", 3)
    sent = [
        StoredMessage(
            id=number,
            superevent_id=EVENT,
            message=RelatedMessage(
                stream=stream,
                key=str(number),
                created=MERGER + timedelta(hours=number),
                superevent_ids=(EVENT,),
                kind=MessageKind.CANDIDATES,
                subject="",
                positions=(at(f"AT2026aa{number}"),),
            ),
            received=MERGER,
        )
        for number, stream in enumerate([Stream.CIRCULARS, Stream.HERMES, Stream.BOOM, Stream.HERMES])
    ]
    found = {name for one in message_reports(sent) for name in one.names}
    assert found == {"AT2026aa0", "AT2026aa2", "AT2026aa3"}
