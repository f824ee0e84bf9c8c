"""Conditions by name: detectors, observatories, pipelines; redshift, chirp mass, significance, long rates."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.filters import (
    FilterSyntaxError,
    evaluate_filter,
    extract_attributes,
    matches,
    parse_criteria,
    parse_filter,
)
from bot.filters.event_attributes import EventAttributes
from bot.filters.redshifts import distance_of_redshift
from bot.skymaps.crossmatch import luminosity_distance
from formatters.models.filter import FieldIn, Filter
from formatters.models.notice import MassBins, Notice
from formatters.models.superevent import Superevent
from tests.support.factories import decoded_notice
from tests.support.filter_strategies import GRB, any_filter


def attributes_of(notice: Notice) -> EventAttributes:
    found = extract_attributes(Superevent.from_notices([notice]))
    assert found is not None
    return found


def holds(words: str, attributes: EventAttributes) -> bool:
    return evaluate_filter(parse_filter(words), attributes).matches


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("H1 L1", "H1 L1"),
        ("H1L1V1", "H1 L1 V1"),
        ("HLV", "H1 L1 V1"),
        ("Virgo", "V1"),
        ("from Virgo", "V1"),
        ("not KAGRA", "not K1"),
        ("LIGO", "H1 or L1"),
        ("detectors>=2", "instruments>=2"),
        ("Fermi", "observatory=Fermi"),
        ("swift or icecube", "observatory=Swift or observatory=IceCube"),
        ("from Fermi", "observatory=Fermi"),
        ("external=NewSat", "observatory=NewSat"),
        ("observatory=fermi|swift", "observatory=Fermi|Swift"),
        ("gstlal", "pipeline=gstlal"),
        ("pipeline=aframe", "pipeline=aframe"),
        ("far<1/century", "far<1/100yr"),
        ("far<1/3 centuries", "far<1/300yr"),
        ("far<1 per decade", "far<1/10yr"),
        ("far<1/10yr BBH", "far<1/10yr BBH"),
        ("z<0.1", "z<0.1"),
        ("redshift<0.1", "z<0.1"),
        ("mchirp<2", "mchirp<2"),
        ("chirp-mass<2Msun", "mchirp<2"),
        ("massgap", "HasMassGap"),
        ("HasMassGap>0.3", "HasMassGap>0.3"),
        ("significant", "significant"),
    ],
)
def test_a_condition_is_read_as_people_call_it(words: str, canonical: str) -> None:
    assert parse_filter(words).canonical == canonical
    assert parse_filter(canonical).canonical == canonical


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("early warning", "type=EARLYWARNING"),
        ("Early warnings", "type=EARLYWARNING"),
        ("EW", "type=EARLYWARNING"),
        ("mass gap > 0.3", "HasMassGap>0.3"),
        ("chirp mass below 2", "mchirp<2"),
        ("binary neutron stars within 100 Mpc", "BNS within 100Mpc>0.5"),
        ("BNS nearer than 100 Mpc", "BNS distance<100"),
        ("chirp mass between 2.3 and 5.5 solar masses above 90%", "mchirp 2.3..5.5>0.9"),
        ("chirp mass below 2.3 solar masses with more than 90 %", "mchirp<2.3>0.9"),
        ("neutron star black hole or BBH", "NSBH or BBH"),
        ("BNS above 50%", "BNS>0.5"),
        ("BNS is at least 50%", "BNS"),
        ("FAR less than 1 per 10 years", "far<1/10yr"),
        ("at least 3 detectors", "instruments>=3"),
        ("2 or more instruments", "instruments>=2"),
        ("p_astro>0.9", "Terrestrial<0.1"),
        ("p-astro", "Terrestrial<=0.5"),
        ('visible from "Over 3"', 'visible from "Over 3">0.1'),
        ("pipeline=below", "pipeline=below"),
    ],
)
def test_phrases_of_several_words_are_read(words: str, canonical: str) -> None:
    assert parse_filter(words).canonical == canonical


@settings(deadline=None)  # the first circle loads a module
@given(any_filter)
def test_no_phrase_changes_what_is_written_in_canonical_words(wanted: Filter) -> None:
    assert parse_filter(wanted.canonical) == wanted


@pytest.mark.parametrize(
    ("words", "category", "is_brought"),
    [
        ("all", "S", True),
        ("all mock", "S", True),
        ("all mock", "MS", True),
        ("only mock", "S", False),
        ("only mock", "MS", True),
        ("only mock", "TS", False),
        ("only test mock", "TS", True),
    ],
)
def test_only_mock_brings_no_real_event(words: str, category: str, is_brought: bool) -> None:
    superevent = Superevent.from_notices([decoded_notice(f"{category}261122a")])
    assert matches(parse_criteria(words), superevent) is is_brought


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("all", "all"),
        ("CBC BNS NSBH>0.9 distance<300 mock test lowsig circulars", None),
        ("CBC (BNS>0.1 or NSBH>0.1) far<1/100yr area90<500 notify @here if NS", None),
        ("all type=INITIAL|UPDATE search=SSM pipeline=gstlal V1 external instruments>=2", None),
        ("all near 197.45 -23.381389 5deg>0.1 visible from Palomar>0.3 not H1", None),
        ("Burst far<1e-08 area50<=100 remnant NS>0.3 HasSSM HasMassGap>=0.2 Terrestrial<0.1", None),
        ("all group=New pipeline=MLy notify <@U1> if far<1/yr or BNS", None),
    ],
)
def test_what_was_stored_before_keeps_its_words(words: str, canonical: str | None) -> None:
    """Subscriptions are compared by their canonical words, so these may not change."""
    assert parse_criteria(words).canonical == (canonical or words)


@pytest.mark.parametrize("word", ["since 2023", "yesterday", "last week", "O4a", "in O4", "2023-05"])
def test_a_subscription_refuses_a_period_in_one_sentence(word: str) -> None:
    with pytest.raises(FilterSyntaxError, match="belongs to a period of past events"):
        parse_criteria(f"BNS {word}")


@settings(deadline=None)  # astropy is imported on the first call
@given(st.floats(1e-4, 10))
def test_redshifts_are_those_of_check(redshift: float) -> None:
    assert distance_of_redshift(redshift) == pytest.approx(luminosity_distance(redshift), rel=5e-5)


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_the_distance_grows_with_the_redshift(one: float, other: float) -> None:
    if one < other:
        assert distance_of_redshift(one) <= distance_of_redshift(other)


def test_a_redshift_compares_the_mean_distance() -> None:
    attributes = replace(attributes_of(decoded_notice()), quantities={"distance": 475.0})
    assert holds("z<0.1", attributes) and not holds("z<0.09", attributes) and holds("z>0.09", attributes)
    unknown = replace(attributes, quantities={})
    assert not holds("z<0.1", unknown) and not holds("not z<0.1", unknown)


@pytest.mark.parametrize("words", ["z<1001", "z<-1", "z<0.1Mpc", "z"])
def test_what_is_no_redshift_is_refused(words: str) -> None:
    with pytest.raises(FilterSyntaxError):
        parse_filter(words)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).filter(lambda some: sum(some) > 0))
def test_half_of_the_chirp_masses_probability_lies_below_its_median(probabilities: list[float]) -> None:
    edges = tuple(float(n * n) for n in range(len(probabilities) + 1))
    notice = decoded_notice()
    assert notice.event is not None
    event = replace(notice.event, mchirp_source=MassBins(bin_edges=edges, probabilities=tuple(probabilities)))
    median = attributes_of(replace(notice, event=event)).quantities["mchirp"]
    below = 0.0
    for probability, low, high in zip(probabilities, edges, edges[1:], strict=False):
        below += probability * min(max((median - low) / (high - low), 0), 1)
    assert below == pytest.approx(sum(probabilities) / 2)


def test_every_coincidence_of_a_notice_counts() -> None:
    swift = replace(GRB, observatory="Swift")
    both = attributes_of(replace(decoded_notice(), external=GRB, more_external=(swift,)))
    assert holds("Fermi Swift", both) and not holds("IceCube", both) and holds("not IceCube", both)
    none = attributes_of(decoded_notice())
    assert not holds("Fermi", none) and holds("not Fermi", none)


def test_an_observatory_that_an_older_version_left_out_is_unknown() -> None:
    older = replace(attributes_of(replace(decoded_notice(), external=GRB)), observatories=())
    assert not holds("Fermi", older) and not holds("not Fermi", older)


def test_significance_is_lvks_flag() -> None:
    attributes = attributes_of(decoded_notice())
    for significant in (True, False):
        some = replace(attributes, significant=significant)
        assert holds("significant", some) is significant
        assert holds("not significant", some) is not significant


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,12}", fullmatch=True))
def test_an_observatory_that_no_list_names_can_be_asked_for(name: str) -> None:
    found = parse_filter(f"observatory={name}")
    assert isinstance(found, FieldIn) and found.values[0].casefold() == name.casefold()
    notice = replace(decoded_notice(), external=replace(GRB, observatory=name.upper()))
    assert evaluate_filter(found, attributes_of(notice)).matches
