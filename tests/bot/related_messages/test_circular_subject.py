"""Kinds of circulars by their subjects, and which subject is LVK's retraction."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.related_messages.circular_subject import (
    classify,
    ids_in_subject,
    parse_subject,
    retracts_event,
)
from formatters.models.related_message import MessageKind

IDENTIFICATION, UPDATE, RETRACTION = (
    MessageKind.IDENTIFICATION,
    MessageKind.UPDATE,
    MessageKind.RETRACTION,
)
CANDIDATES, LIMITS, REPORT = MessageKind.CANDIDATES, MessageKind.UPPER_LIMITS, MessageKind.REPORT
NEUTRINOS, CORRECTION = MessageKind.NEUTRINO_SEARCH, MessageKind.CORRECTION
OF_CIRCULARS = {
    IDENTIFICATION, UPDATE, RETRACTION, CANDIDATES, LIMITS, REPORT, NEUTRINOS, CORRECTION,
}  # fmt: skip

LVK = "LIGO/Virgo/KAGRA S261122a: "
RETRACTED = "Retraction of GW compact binary merger candidate"


def kind(subject: str, *, opens_as_lvk: bool = False) -> MessageKind:
    return classify(parse_subject(subject), opens_as_lvk=opens_as_lvk)


def is_retraction(subject: str, *, opens_as_lvk: bool = False) -> bool:
    return retracts_event(parse_subject(subject), opens_as_lvk=opens_as_lvk)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Identification of a GW compact binary merger candidate", IDENTIFICATION),
        ("Identification of a GW unmodeled transient candidate", IDENTIFICATION),
        ("Identification of a GW burst candidate", IDENTIFICATION),
        ("Identification of a sub-solar-mass binary merger candidate", IDENTIFICATION),
        ("Identification of a GW compact binary merger candidate with sub-solar mass", REPORT),
        ("Identification of an optical counterpart candidate", CANDIDATES),
        ("Identification of the host galaxy of AT2026abc", REPORT),
        ("Spectroscopic identification of a candidate counterpart", CANDIDATES),
        ("Updated Sky localization", UPDATE),
        ("Updated Sky localization and EM Bright Classification", UPDATE),
        ("Updated sky localisation", UPDATE),
        ("Further update of the sky map", UPDATE),
        ("Updated localization of an X-ray source", REPORT),
        ("Updated upper limits from Fermi-GBM", LIMITS),
        ("Update on DECam candidates", CANDIDATES),
        (RETRACTED, RETRACTION),
        ("two counterpart neutrino candidates from IceCube neutrino searches", NEUTRINOS),
        ("Upper limits from the IceCube neutrino search", NEUTRINOS),
        ("No neutrino counterpart candidates from KM3NeT", NEUTRINOS),
        ("One ZTF candidate counterpart to coincident neutrino event", CANDIDATES),
        ("Optical follow-up of an IceCube neutrino", REPORT),
        ("Upper limits from Swift/BAT-GUANO", LIMITS),
        ("Coverage and upper limits from MAXI/GSC observations", LIMITS),
        ("No counterpart candidates in INTEGRAL SPI-ACS prompt observation", LIMITS),
        ("No significant new X-ray sources in Swift XRT observations", LIMITS),
        ("AGILE/GRID non-detection", LIMITS),
        ("MAXI/GSC upper-limits", LIMITS),
        ("not observable by Fermi-GBM", REPORT),
        ("MAXI/GSC observations", REPORT),
        ("Swift XRT observations, 6 X-ray sources", CANDIDATES),
        ("DECam GW-MMADS candidates", CANDIDATES),
        ("Swift/BAT observations of the GW compact binary merger candidate", REPORT),
        ("Correction to GCN 34763", CORRECTION),
        ("DECam candidates (correction)", CORRECTION),
        ("Erratum: DECam candidates", CORRECTION),
        ("DECam candidates - Corrigendum", CORRECTION),
        ("Retraction of the counterpart candidate AT2026abc", CORRECTION),
        ("Withdrawal of DECam candidates", CORRECTION),
        ("Photometry with Galactic extinction corrected", REPORT),
        ("", REPORT),
    ],
)
def test_kind_follows_from_the_subject(title: str, expected: MessageKind) -> None:
    assert kind(LVK + title) is expected
    assert kind(f"Title: {LVK.replace(': ', ' - ')}{title}") is expected
    assert kind(LVK.lower() + title) is expected


def test_reply_is_a_report_and_a_corrected_reply_a_correction() -> None:
    assert kind(f"Re: {LVK}{RETRACTED}") is REPORT
    assert kind(f"Fwd: RE: {LVK}DECam candidates") is REPORT
    assert kind(f"Re: {LVK}Correction to GCN 34763") is CORRECTION
    assert parse_subject(f"Re: {LVK}DECam candidates").text == f"Re: {LVK}DECam candidates"


def test_lvks_update_in_other_words_is_known_by_its_text() -> None:
    assert kind(f"{LVK}Updated remarks") is REPORT
    assert kind(f"{LVK}Updated remarks", opens_as_lvk=True) is UPDATE
    unusual = f"{LVK}Identification of a GW compact binary merger candidate with sub-solar mass"
    assert kind(unusual) is REPORT and kind(unusual, opens_as_lvk=True) is IDENTIFICATION
    assert kind(f"{LVK}Identification of the host galaxy of the GW event", opens_as_lvk=True) is REPORT


def test_retraction_of_an_event_that_is_not_in_lvks_form_is_a_report() -> None:
    assert kind(f"S261122a: {RETRACTED}") is REPORT and kind(RETRACTED) is REPORT
    assert kind(f"Re: {LVK}{RETRACTED}") is REPORT


@pytest.mark.parametrize("separator", [": ", ":", " : ", " - ", " – ", "; ", " ", " :  "])
@pytest.mark.parametrize(
    "who",
    [
        "LIGO/Virgo/KAGRA", "LIGO/VIRGO/KAGRA", "ligo/virgo/kagra", "LIGO / Virgo / KAGRA",
        "LIGO, Virgo, KAGRA", "LIGO/Virgo", "LIGO", "LVK", "LVC", "LVK event", "Title: LIGO/Virgo/KAGRA",
        "LIGO/Virgo/KAGRA Collaboration", "LIGO-Virgo-KAGRA",
    ],
)  # fmt: skip
def test_lvks_retraction_is_known_in_every_spelling(who: str, separator: str) -> None:
    line = " ".join(f"{who} S261122a{separator}{RETRACTED}".split())
    subject = parse_subject(line)
    assert retracts_event(subject, opens_as_lvk=False)
    assert subject.lvk_id == "S261122a"
    assert is_retraction(line.replace("S261122a", "ms261122A"))


@pytest.mark.parametrize(
    "subject",
    [
        f"Re: {LVK}{RETRACTED}",
        f"Correction: {LVK}{RETRACTED}",
        f"GRB 261122A / {LVK}{RETRACTED}",
        f"LIGO/Virgo/KAGRA S261122a and S261123b: {RETRACTED}",
        f"{LVK}Retraction of GW candidate S261123b",
        f"{LVK}Retraction of GW",
        f"{LVK}Retraction of GW counterpart candidate AT2026abc",
        f"{LVK}Retraction of GW optical counterpart candidate",
        f"{LVK}Retraction of GW follow-up observations",
        f"{LVK}Retraction of Swift observations of the GW candidate",
        f"{LVK}Swift observations, and the Retraction of GW candidate",
        f"{LVK}Retracted DECam candidates",
        f"{LVK}No retraction of GW candidate",
        f"S261122a: {RETRACTED}",
        RETRACTED,
        "The Fermi GBM Trigger 713134237 / 230807868 is not associated with LIGO/Virgo/KAGRA S230807f.",
    ],
)
def test_other_subjects_retract_no_event(subject: str) -> None:
    assert not is_retraction(subject)
    assert kind(subject) is not RETRACTION


def test_retraction_in_unknown_words_counts_if_the_text_begins_as_lvks() -> None:
    subject = f"{LVK}Retraction of GW echo candidate"
    assert not is_retraction(subject) and is_retraction(subject, opens_as_lvk=True)
    corrected = f"{LVK}Retraction of GW candidate (correction)"
    assert (
        not is_retraction(corrected, opens_as_lvk=True) and kind(corrected, opens_as_lvk=True) is CORRECTION
    )
    counterpart = f"{LVK}Retraction of GW counterpart candidate"
    assert not is_retraction(counterpart, opens_as_lvk=True), "a telescope's, whoever it is said to be"


WORDS = st.sampled_from(
    [
        *(
            "retraction",
            "of",
            "GW",
            "the",
            "candidate",
            "merger",
            "counterpart",
            "neutrino",
            "search",
            "update",
        ),
        *(
            "identification",
            "no",
            "upper",
            "limits",
            "from",
            "AT2026abc",
            "S261123b",
            "Re:",
            "correction",
            "-",
        ),
        *(":", "(", ")", "similar", "to", "Swift", "6", "sources", "withdrawn", "LIGO/Virgo/KAGRA"),
    ]
)


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(st.lists(WORDS, max_size=12), st.booleans())
def test_any_subject_gets_one_of_the_kinds_and_only_lvks_form_retracts(words: list[str], lvk: bool) -> None:
    subject = (LVK if lvk else "") + " ".join(words)
    found = kind(subject)
    assert found in OF_CIRCULARS
    if found is RETRACTION:
        rest = subject.removeprefix(LVK)
        assert subject.startswith("LIGO/Virgo/KAGRA S") and rest.casefold().lstrip(" -:").startswith(
            ("retraction of gw", "retraction of the gw", "s261123b")
        )
        assert "counterpart" not in subject
    if found is IDENTIFICATION:
        assert subject.startswith("LIGO/Virgo/KAGRA S")


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=300))
def test_any_text_is_a_subject(text: str) -> None:
    line = " ".join(text.split())
    assert kind(line) in OF_CIRCULARS
    assert ids_in_subject(line, line) is not None


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["neutrino ", "LIGO/", "re: ", "no a ", "GW candidate ", "S261122a ", "updated ", ": "]
)
def test_long_repetitive_subjects_are_read_at_once(piece: str) -> None:
    subject = piece * (1_000 // len(piece))
    assert kind(subject) in OF_CIRCULARS
    ids_in_subject(subject, subject)


def test_event_of_a_comparison_is_not_what_a_circular_is_about() -> None:
    about = "LIGO/Virgo/KAGRA S261122a"
    assert ids_in_subject(f"{about}: a kilonova similar to S230922g", about) == ("S261122a",)
    assert ids_in_subject("AT2026abc: an S230922g-like kilonova", "LIGO/Virgo S230922g") == ()
    assert ids_in_subject("AT2026abc: unlike the GW event S230922g", "") == ()
    assert ids_in_subject(f"{about} and S261123b: no counterpart", about) == ("S261122a", "S261123b")
    assert ids_in_subject("Trigger 713134237 is not associated with LIGO/Virgo/KAGRA S230807f.", "") == (
        "S230807f",
    )
    assert ids_in_subject("Upper limits from AGILE/MCAL LIGO/Virgo-S200224ca observations", "") == (
        "S200224ca",
    )
