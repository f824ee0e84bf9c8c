"""The Follow-up reply: its golden files, what it says when, and Slack's limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formatters.blockkit.message import Message
from formatters.models.counterpart import (
    CandidateDecision,
    CandidateSource,
    Counterpart,
    Decision,
    RegionChange,
)
from formatters.models.follow_up import (
    CheckedPosition,
    FollowUp,
    FollowUpEntry,
    LevelsMap,
    pending_retraction,
)
from formatters.models.nearby_alert import NearbyAlert, NearbyCoincidence
from formatters.models.notice import Notice
from formatters.models.position_on_map import PositionOnMap
from formatters.models.related_message import (
    CoincidentNeutrino,
    GammaRayFollowUp,
    MessageKind,
    NeutrinoSearch,
    RelatedMessage,
    ReportedPosition,
    StoredMessage,
    Stream,
)
from formatters.models.superevent import Superevent
from formatters.posts import follow_up
from formatters.text import follow_up_lines
from tests.formatters.conftest import EVENT_TIME, localization, notice, swift, validated

Golden = Callable[[str, Message], None]
SID = "S241126dm"


def superevent(*more: Notice, **changes: Any) -> Superevent:
    first = notice("PRELIMINARY", 5, localization=localization(area_90=400.0), **changes)
    second = notice("UPDATE", 144, **changes)
    return Superevent.from_notices([first, second, *more])


def stored(number: int | None = 1, hours: float = 3, **changes: Any) -> StoredMessage:
    given: dict[str, Any] = {
        "stream": Stream.CIRCULARS,
        "key": str(number),
        "number": number and 38_000 + number,
        "created": EVENT_TIME + timedelta(hours=hours),
        "superevent_ids": (SID,),
        "kind": MessageKind.CANDIDATES,
        "subject": f"LIGO/Virgo/KAGRA {SID}: DECam counterpart candidates",
        "author": "Antonia Palm at Carnegie Mellon University",
    }
    message = RelatedMessage(**(given | changes))
    return StoredMessage(id=(number or 0) + 1, superevent_id=SID, message=message, received=message.created)


def place(level: float, level_3d: float | None = None) -> PositionOnMap:
    return PositionOnMap(
        credible_level=level,
        relative_density=1 - level,
        searched_area=100 * level,
        in_50=level < 0.5,
        in_90=level < 0.9,
        distance=None,
        credible_level_3d=level_3d,
    )


def at(
    name: str, level: float | None = None, level_3d: float | None = None, **changes: Any
) -> CheckedPosition:
    given: dict[str, Any] = {"ra": 194.3, "dec": -17.9, "name": name}
    position = ReportedPosition(**(given | changes))
    return CheckedPosition(position=position, on_map=None if level is None else place(level, level_3d))


def entry(*positions: CheckedPosition, overlap: float | None = None, **message: Any) -> FollowUpEntry:
    reported = tuple(one.position for one in positions)
    return FollowUpEntry(
        stored=stored(**({"positions": reported} | message)), positions=positions, overlap=overlap
    )


def neutrino_search(**changes: Any) -> FollowUpEntry:
    places = [at("138590_39138551", 0.324, radius=0.5), at("138590_39164579", 0.953, ra=13.8, radius=0.5)]
    direction = at("most probable direction", 0.021, ra=194.4)
    found = NeutrinoSearch(
        p_generic=0.0191,
        p_bayesian=None,
        coincident=2,
        neutrinos=(
            CoincidentNeutrino(
                position=places[0].position, offset_s=12.91, p_generic=0.0191, p_bayesian=None
            ),
            CoincidentNeutrino(
                position=places[1].position, offset_s=-222.46, p_generic=0.0928, p_bayesian=0.0656
            ),
        ),
        searched_notice=f"{SID}-1-Preliminary",
    )
    given: dict[str, Any] = {
        "stream": Stream.ICECUBE,
        "number": None,
        "key": f"{SID}-1-Preliminary",
        "kind": MessageKind.NEUTRINO_SEARCH,
        "subject": f"IceCube neutrino search in the map of {SID}-1-Preliminary: 2 coincident neutrinos",
        "author": "IceCube",
        "hours": 1.2,
        "details": found,
    }
    return entry(*places, direction, **(given | changes))


def guano(**changes: Any) -> FollowUpEntry:
    given: dict[str, Any] = {
        "stream": Stream.GUANO,
        "number": None,
        "key": "754189311",
        "kind": MessageKind.DETECTION,
        "subject": "Swift BAT GUANO: candidate burst (trigger 754189311)",
        "author": "Swift BAT",
        "hours": 2,
        "details": GammaRayFollowUp(is_detection=True, far_hz=1e-5, snr=15.8),
    }
    return entry(**(given | changes))


def candidate(
    name: str,
    level: float | None,
    decision: Decision | None = None,
    stream: Stream = Stream.CIRCULARS,
) -> Counterpart:
    when = EVENT_TIME + timedelta(hours=3)
    return Counterpart(
        name=name,
        aliases=(),
        position=ReportedPosition(ra=194.3, dec=-17.9, name=name),
        sources=(CandidateSource(label="GCN 38001", reported=when, stream=stream),),
        on_map=None if level is None else place(level),
        decision=None if decision is None else CandidateDecision(decision=decision, user_id="U1", at=when),
    )


def burst(**changes: Any) -> NearbyCoincidence:
    alert = NearbyAlert(
        stream="fermi-gbm",
        label="Fermi GBM",
        key="754189311",
        name="bn241126090",
        trigger_time=EVENT_TIME + timedelta(seconds=1.7),
        created=EVENT_TIME + timedelta(minutes=1),
        **changes,
    )
    return NearbyCoincidence(
        alert=alert, offset_s=1.7, overlap=0.45, expected_by_chance=0.002, window_s=(1, 11)
    )


def reply(*entries: FollowUpEntry, **changes: Any) -> FollowUp:
    event = changes.pop("superevent", None) or superevent()
    with_map = event.latest_with_map
    given: dict[str, Any] = {
        "superevent": event,
        "entries": entries,
        "levels_map": None if with_map is None else LevelsMap(notice=with_map),
    }
    return FollowUp(**(given | changes))


def said(told: FollowUp) -> str:
    message = follow_up.message(told)
    assert message is not None
    return validated(message).text


def full() -> FollowUp:
    transients = entry(
        at("AT2024abc", 0.324, 0.412, redshift=0.0098),
        at("AT2024abd", 0.953),
        at("", 0.61),
        at("AT2024abe"),
        at("AT2024abf", 0.71),
        number=7,
        hours=9,
    )
    limits = entry(
        number=5,
        hours=8,
        kind=MessageKind.UPPER_LIMITS,
        subject=f"LIGO/Virgo/KAGRA {SID}: Upper limits from Swift/BAT-GUANO",
        author="",
    )
    kept = candidate("AT2024abf", 0.71, Decision.KEEP)
    rejected = candidate("AT2024abg", 0.2, Decision.REJECT)
    return reply(
        transients,
        limits,
        guano(overlap=0.45),
        neutrino_search(),
        candidates=(candidate("AT2024abc", 0.324), candidate("AT2024abd", 0.953), kept, rejected),
        region_change=RegionChange(entered=("AT2024abc",), left=("AT2024abd",)),
        nearby=(burst(),),
    )


def test_what_this_channel_rejected_is_marked_in_its_circular_and_comes_last() -> None:
    rejected = replace(candidate("AT2024abg", 0.02, Decision.REJECT), aliases=("ZTF24aaaaaaa",))
    found = entry(at("ZTF24 aaaaaaa", 0.02), at("X1/AT2024abg", 0.02), at("AT2024abc", 0.7))
    message = follow_up.message(reply(found, candidates=(rejected, candidate("AT2024abc", 0.7))))
    assert message is not None
    lines = message.text.replace("\u00a0", " ")
    assert lines.count("level 2.0 % (inside 50 %), rejected here") == 2
    assert lines.index("AT2024abc: level 70.0 %") < lines.index("ZTF24 aaaaaaa")
    assert "(inside 90 %), rejected" not in lines
    numbered = candidate("GCN 38002 Source 1", 0.3, Decision.REJECT)
    both = (entry(at("Source 1", 0.3), number=2), entry(at("Source 1", 0.3), number=1))
    message = follow_up.message(reply(*both, candidates=(numbered,)))
    assert message is not None and message.text.count(", rejected here") == 1


def test_everything_about_an_event(golden: Golden) -> None:
    message = follow_up.message(full())
    assert message is not None
    golden("follow-up-full", validated(message))


def test_a_mock_without_a_map(golden: Golden) -> None:
    mock = Superevent.from_notices([notice(superevent_id="MS241126dm", localization=None)])
    message = follow_up.message(reply(entry(at("AT2024abc")), superevent=mock))
    assert message is not None
    golden("follow-up-mock-no-map", validated(message))


def test_a_combined_map_is_named(golden: Golden) -> None:
    event = superevent(notice("UPDATE", 200, external=swift()))
    levels = LevelsMap(notice=event.latest, is_combined=True)
    told = reply(entry(at("AT2024abc", 0.2)), superevent=event, levels_map=levels)
    message = follow_up.message(told)
    assert message is not None
    golden("follow-up-combined-map", validated(message))


RETRACTS: dict[str, Any] = {
    "number": 9,
    "hours": 10,
    "kind": MessageKind.RETRACTION,
    "retracts_event": True,
    "subject": f"LIGO/Virgo/KAGRA {SID}: Retraction of GW compact binary merger candidate",
    "author": "",
}
HASNT_COME = f"LVK's circular 38009 retracts {SID}; LVK's notice hasn't come"


def test_lvks_circular_retracts_the_event_before_its_notice(golden: Golden) -> None:
    message = follow_up.message(reply(entry(**RETRACTS), neutrino_search()))
    assert message is not None
    assert HASNT_COME in validated(message).text.splitlines()[1]
    golden("follow-up-retraction-circular", message)
    alone = follow_up.retraction_circular(superevent(), stored(**RETRACTS))
    assert alone is not None
    golden("retraction-circular", validated(alone))


def test_once_lvks_notice_has_come_the_top_line_is_gone(golden: Golden) -> None:
    retracted = superevent(notice("RETRACTION", 700))
    message = follow_up.message(reply(entry(**RETRACTS), superevent=retracted))
    assert message is not None
    assert "hasn't come" not in validated(message).text and message.text.startswith("RETRACTED · ")
    golden("follow-up-retracted", message)
    assert follow_up.retraction_circular(retracted, stored(**RETRACTS)) is None


def test_a_candidate_again_answers_the_circular_before_it_and_no_later_one() -> None:
    again = superevent(notice("RETRACTION", 500), notice("UPDATE", 800))
    before, after = stored(**RETRACTS), stored(**(RETRACTS | {"hours": 14}))
    assert pending_retraction(again, [before]) is None
    assert pending_retraction(again, [before, after]) == after
    assert pending_retraction(superevent(), [stored(kind=MessageKind.RETRACTION)]) is None


def test_an_edited_circular_is_of_the_time_at_which_it_was_sent() -> None:
    edited: dict[str, Any] = {"hours": 50, "first_created": stored().message.created}
    times = "2024-11-26 05:10 UTC (T+3 h), edited 2024-11-28 04:10 UTC (T+2 days)"
    assert f"· {times}" in said(reply(entry(author="", **edited)))
    alone = follow_up.retraction_circular(superevent(), stored(**(RETRACTS | edited)))
    assert alone is not None and alone.blocks[-1]["elements"][0]["text"].replace("\xa0", " ") == times


def test_a_retraction_that_is_edited_after_it_was_answered_stays_answered() -> None:
    again = superevent(notice("RETRACTION", 500), notice("UPDATE", 800))
    before = stored(**RETRACTS).message.created
    edited = stored(**(RETRACTS | {"hours": 50, "first_created": before}))
    assert pending_retraction(again, [edited]) is None
    assert follow_up.retraction_circular(again, edited) is None


def test_a_withdrawn_message_is_said_to_be_withdrawn_and_its_numbers_are_gone(golden: Golden) -> None:
    withdrawn = neutrino_search(is_retracted=True, kind=MessageKind.RETRACTION)
    message = follow_up.message(reply(withdrawn))
    assert message is not None
    text = validated(message).text
    assert "withdrawn by its sender" in text and "p-value" not in text and "level" not in text
    golden("follow-up-withdrawn", message)


def test_at_most_twenty_messages_are_shown_and_the_rest_is_counted(golden: Golden) -> None:
    entries = [entry(number=30 - n, hours=30 - n) for n in range(29)]
    message = follow_up.message(reply(*entries))
    assert message is not None
    validated(message)
    golden("follow-up-many", message)
    blocks = str(message.blocks)
    assert blocks.count("|GCN 380") == 20
    assert "GCN 38030" in blocks and "GCN 38010" not in blocks
    assert f"9 older messages not shown. <https://gcn.nasa.gov/circulars?query={SID}|" in blocks


def test_nothing_to_say_is_no_reply() -> None:
    assert follow_up.message(reply()) is None
    assert follow_up.message(reply(region_change=RegionChange(left=("AT2024abc",)))) is None
    assert follow_up.message(reply(nearby=(burst(is_retracted=True),))) is None


def test_a_reply_that_has_nothing_to_say_any_more(golden: Golden) -> None:
    golden("follow-up-emptied", validated(follow_up.emptied(superevent(notice("RETRACTION", 700)))))


def test_a_nearby_alert_is_a_line_with_time_overlap_and_chance_and_never_a_counterpart() -> None:
    text = said(reply(nearby=(burst(),)))
    assert (
        "Fermi GBM bn241126090: T+1.7 s, 45 % of the GW map inside its 90 % region,"
        " 0.0020 expected by chance from T−1 s to T+11 s" in text
    )
    assert "counterpart" not in text
    assert "The GW map is that of UPDATE, T+2.3 h." in text and "evel" not in text


def test_neutrinos_and_bursts_are_no_counterpart_candidates_until_somebody_decides() -> None:
    event = superevent()
    others = [candidate("A", 0.2, None, Stream.ICECUBE), candidate("B", 0.2, None, Stream.GUANO)]
    assert follow_up_lines.candidates_line(event, others) is None
    kept = candidate("A", 0.2, Decision.KEEP, Stream.ICECUBE)
    line = follow_up_lines.candidates_line(event, [kept, candidate("C", 0.95)])
    assert line is not None and "2 counterpart candidates, 1 inside the 90\u00a0% region: A (kept)" in line


def test_where_no_level_is_said_none_is_explained() -> None:
    unnamed = candidate("A", 0.2, None, Stream.ICECUBE)
    assert "evel" not in said(reply(entry(), candidates=(unnamed,)))
    assert "Levels are in the map of" in said(reply(entry(), candidates=(candidate("C", 0.95),)))


@pytest.mark.parametrize("chance", [0.0, -1.0, float("nan"), float("inf")])
def test_without_a_number_expected_by_chance_there_is_no_line(chance: float) -> None:
    assert follow_up_lines.nearby_line(replace(burst(), expected_by_chance=chance)) is None


@pytest.mark.parametrize(
    ("whole", "left"),
    [
        (f"LIGO/Virgo/KAGRA {SID}: Updated Sky localization", "Updated Sky localization"),
        (f" LIGO/Virgo {SID}: Swift XRT observations", "Swift XRT observations"),
        (f"Title: LIGO/Virgo/KAGRA {SID}: MAXI", "MAXI"),
        (f"LVK {SID.upper()} - MAXI", "MAXI"),
        (f"{SID}: MAXI", "MAXI"),
        ("LIGO/Virgo/KAGRA S230810af: MAXI", "LIGO/Virgo/KAGRA S230810af: MAXI"),
        (f"LIGO/Virgo/KAGRA {SID}b: MAXI", f"LIGO/Virgo/KAGRA {SID}b: MAXI"),
        (
            f"The Fermi GBM Trigger is not associated with {SID}.",
            f"The Fermi GBM Trigger is not associated with {SID}.",
        ),
        (f"LIGO/Virgo/KAGRA {SID}, S230810af: MAXI", f"LIGO/Virgo/KAGRA {SID}, S230810af: MAXI"),
        (f"{SID}, S230810af and GRB 230810A: MAXI", f"{SID}, S230810af and GRB 230810A: MAXI"),
        (f"{SID}, MAXI", "MAXI"),
        (f"LIGO/Virgo/KAGRA {SID}:", f"LIGO/Virgo/KAGRA {SID}:"),
    ],
)
def test_a_subject_loses_only_a_beginning_that_repeats_the_event(whole: str, left: str) -> None:
    assert follow_up_lines.subject(superevent(), stored(subject=whole).message) == left


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", None),
        (f"{SID}-2-Update", None),
        (f"{SID}-1-Preliminary", "searched the map of PRELIMINARY, not the newest"),
        # Ours at that place is another one: notices may be missing here.
        (f"{SID}-2-Initial", f"searched the map of {SID}-2-Initial"),
        (f"{SID}-9-Update", f"searched the map of {SID}-9-Update"),
        (f"{SID}-0-Update", f"searched the map of {SID}-0-Update"),
        ("S230914ak-2-Update", "searched the map of S230914ak-2-Update"),
        ("rubbish", "searched the map of rubbish"),
    ],
)
def test_which_map_icecube_searched_is_said_unless_it_is_the_newest(name: str, words: str | None) -> None:
    assert follow_up_lines.searched_map(reply(), name) == words


def test_a_searched_map_that_the_subject_names_is_not_repeated() -> None:
    name = f"{SID}-9-Update"
    assert follow_up_lines.searched_map(reply(), name, f"IceCube search in the map of {name}") is None


def test_a_search_of_the_same_map_sent_earlier_is_one_of_the_newest() -> None:
    same = Superevent.from_notices([notice("PRELIMINARY", 5), notice("INITIAL", 40)])
    assert follow_up_lines.searched_map(reply(superevent=same), f"{SID}-1-Preliminary") is None


@pytest.mark.parametrize(
    ("value", "words"), [(None, "not done"), (0.0, "0"), (0.0191, "0.019"), (1.0, "1.0"), (3e-7, "3.0e-7")]
)
def test_p_values(value: float | None, words: str) -> None:
    assert follow_up_lines.p_value(value) == words


def test_places_in_words() -> None:
    def words(checked: CheckedPosition) -> str:
        return follow_up_lines.position_text(checked).replace("\u00a0", " ")

    assert words(at("A", 0.324, 0.41)) == "A: level 32.4 % (inside 50 %), 3-D level 41.0 %"
    assert words(at("A", 0.3, 0.4, redshift=0.0098)).endswith("3-D level 40.0 % at z = 0.0098")
    assert words(at("A", 0.3, 0.4, redshift=0.0098, distance=41)).endswith("3-D level 40.0 % at 41.0 Mpc")
    assert words(at("A", 0.7)) == "A: level 70.0 % (inside 90 %)"
    assert words(at("A", 0.95)) == "A: level 95.0 % (outside 90 %)"
    assert words(at("A")) == "A: no level, the map has a gap there"
    assert words(at("", 0.7)) == "12h57m12.0s −17°54′00″: level 70.0 % (inside 90 %)"
    assert words(at("A", 0.7, radius=3.2)) == "A: centre of its 3.2° circle at level 70.0 % (inside 90 %)"


def test_the_newer_map_that_cant_be_read_is_named() -> None:
    event = superevent()
    levels = LevelsMap(notice=event.notices[0], unread=(event.notices[1],))
    text = said(reply(entry(at("A", 0.2)), superevent=event, levels_map=levels))
    assert "Levels are in the map of PRELIMINARY, T+4 min." in text
    assert "That of UPDATE is newer, but gwevent can't read it." in text


def test_positions_that_couldnt_be_compared_keep_the_list() -> None:
    text = said(reply(entry(at("AT2024abc")), levels_failed=True))
    assert "AT2024abc" in text and "Positions couldn't be compared with the sky map." in text
    assert "level" not in text.replace("credible", "")


def test_all_candidates_rejected_and_none_on_a_map() -> None:
    event = superevent()
    none = follow_up_lines.candidates_line(event, [candidate("A", 0.2, Decision.REJECT)])
    assert none == f"0 counterpart candidates · 1 rejected here · /gwevent candidates {SID}"
    unknown = follow_up_lines.candidates_line(event, [candidate("A", None), candidate("B", None)])
    assert unknown == f"2 counterpart candidates · /gwevent candidates {SID}"


HOSTILE = [
    "<!channel> <@U123> <https://evil.example|click> *bold* `code` ~no~ _it_ :tada: &amp; > quote",
    "\u202etxet desrever \u2066 hidden\u0000",
    "😀" * 1000,
    "&" * 3000,
    "a" * 100_000,
    "",
    "\n\n> quoted\n- list",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_neither_format_nor_mention_nor_exceed_limits(words: str) -> None:
    hostile = [
        entry(
            *(at(words, 0.3, ra=float(n)) for n in range(40)),
            number=n,
            subject=words,
            author=words,
        )
        for n in range(25)
    ]
    told = reply(
        *hostile,
        neutrino_search(subject=words, author=words),
        guano(subject=words, is_retracted=True),
        candidates=tuple(candidate(words, 0.3) for _ in range(30)),
        region_change=RegionChange(entered=(words,) * 30, left=(words,) * 30),
        nearby=tuple(replace(burst(), expected_by_chance=0.1 + n) for n in range(9)),
    )
    message = follow_up.message(told)
    assert message is not None
    validated(message)
    assert len(message.blocks) <= 50
    shown = str(message.blocks)
    assert "<!channel>" not in shown and "<@U123>" not in shown and "<https://evil" not in shown
    assert "\u202e" not in shown and "\u2066" not in shown


numbers = st.none() | st.floats(0, 1) | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    subject=st.text(max_size=300),
    author=st.text(max_size=100),
    stream=st.sampled_from(Stream),
    kind=st.sampled_from(MessageKind),
    is_retracted=st.booleans(),
    probability=st.none() | st.floats(0, 1),
    number=numbers,
    level=st.none() | st.floats(0, 1),
)
def test_any_message_is_worded_within_the_limits(
    subject: str,
    author: str,
    stream: Stream,
    kind: MessageKind,
    is_retracted: bool,
    probability: float | None,
    number: float | None,
    level: float | None,
) -> None:
    checked = at(author, level, level)
    details = [
        None,
        GammaRayFollowUp(is_detection=level is None, far_hz=number, snr=number),
        NeutrinoSearch(
            p_generic=probability,
            p_bayesian=None,
            coincident=3,
            neutrinos=(
                CoincidentNeutrino(
                    position=checked.position, offset_s=number, p_generic=probability, p_bayesian=None
                ),
            )
            * 5,
            searched_notice=subject,
        ),
    ]
    entries = [
        entry(
            checked,
            overlap=probability,
            stream=stream,
            kind=kind,
            subject=subject,
            author=author,
            is_retracted=is_retracted,
            details=one,
        )
        for one in details
    ]
    assert said(reply(*entries))
