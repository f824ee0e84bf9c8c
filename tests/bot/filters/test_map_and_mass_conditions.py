"""Conditions on ranges of chirp masses, distances along each line of sight, and grades, as typed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.filters import FilterSyntaxError, parse_criteria, parse_filter, parse_stored_criteria
from bot.filters.event_question import parse_event_question
from bot.filters.set_names import is_language_word, read_slug
from formatters.models.criteria_set import SLUG, SLUG_MAX
from formatters.models.filter import GradeCondition, MassProbability, Op
from formatters.models.subscription import Criteria
from formatters.text.filter_sentences import filter_sentence
from tests.support.filter_strategies import mass_ranges

EXAMPLES = "grade rubin-2026 or grade ntt-kilonova>=Silver"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("mchirp<2.3 > 0.9", "mchirp<2.3>0.9"),
        ("mchirp<=2.3>90%", "mchirp<2.3>0.9"),
        ("MCHIRP >= 22 > 90 %", "mchirp>=22>0.9"),
        ("mchirp>22 Msun >= 0.9", "mchirp>=22>=0.9"),
        ("chirp mass < 2.3 M☉ with > 90 % BNS", "mchirp<2.3>0.9 BNS"),
        ("mchirp<2.3M⊙>0.9", "mchirp<2.3>0.9"),
        ("mchirp<2.3 M_sun>0.9", "mchirp<2.3>0.9"),
        ("mchirp 2.3..5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3...5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3…5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3 … 5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2..5 > 0.9", "mchirp 2..5>0.9"),
        ("mchirp 2.3-5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3–5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3--5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3—5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3 — 5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3 - 5.5 > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3 to 5.5 Msun > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 2.3Msun to 5.5Msun > 0.9", "mchirp 2.3..5.5>0.9"),
        ("mchirp 0..2.3>0.9", "mchirp<2.3>0.9"),
        ("mchirp<2", "mchirp<2"),
        ("mchirp>2 mchirp<3", "mchirp>2 mchirp<3"),
        ("within 200Mpc > 0.5", "within 200Mpc>0.5"),
        ("within 200 Mpc", "within 200Mpc>0.5"),
        ("Within 0.2 Gpc >= 90%", "within 200Mpc>=0.9"),
        ("within 40000kpc BNS", "within 40Mpc>0.5 BNS"),
        ("within 200 Mpc with more than 30 % BNS", "within 200Mpc>0.3 BNS"),
        ("grade ntt-kilonova >= Silver", "grade ntt-kilonova>=Silver"),
        ("grade rubin-2026", "grade rubin-2026"),
        ("Grade Rubin_2026 BNS", "grade rubin-2026 BNS"),
        ("grade rubin 2026", "grade rubin-2026"),
        ("grade ntt kilonova ≥ Silver", "grade ntt-kilonova>=Silver"),
        ('grade rubin-2026 = "lensed A"', 'grade rubin-2026="lensed A"'),
        ("grade rubin-2026 = “lensed A”", 'grade rubin-2026="lensed A"'),
        ("grade rubin-2026 = ‘lensed A’ BNS", 'grade rubin-2026="lensed A" BNS'),
        ("grade rubin-2026 = lensed A or BNS", 'grade rubin-2026="lensed A" or BNS'),
        ("(grade rubin-2026=Gold or grade x = Priority 1) V1",
         '(grade rubin-2026=Gold or grade x="Priority 1") V1'),
        ("not grade ntt-kilonova==A+", "not grade ntt-kilonova=A+"),
        ("grade ntt-mass-gap > Mass-gap mass gap", "grade ntt-mass-gap>Mass-gap HasMassGap"),
    ],
)  # fmt: skip
def test_conditions_are_read_as_people_and_their_phones_write_them(words: str, canonical: str) -> None:
    found = parse_filter(words)
    assert found.canonical == canonical
    assert parse_filter(canonical) == found


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("mchirp", '"mchirp" needs a comparison, like mchirp<2 (the median), or a range\'s probability, like'
                   " mchirp 2.3..5.5>0.9."),
        ("mchirp 2.3..5.5", '"2.3..5.5" needs a probability: mchirp 2.3..5.5>0.9. The median in it is written'
                            " mchirp>=2.3 mchirp<5.5."),
        ("mchirp 5.5..2.3>0.9", '"5.5..2.3" is no range from the lower to the higher mass, as 2.3..5.5 is.'),
        ("mchirp>1<2", '"2" is no probability (0 to 1, or 0 % to 100 %); a range\'s is mchirp 2.3..5.5>0.9.'),
        ("mchirp<2>0.9>0.8", '">" (character 13) is one comparison too many: write it like mchirp<2.3>0.9,'
                             " mchirp>=22>0.9 or mchirp 2.3..5.5>0.9."),
        ("mchirp=2>0.9", '"=" (character 7) has no probability after it: a range has, like mchirp<2.3>0.9,'
                         " mchirp>=22>0.9 or mchirp 2.3..5.5>0.9."),
        ("mchirp<0>0.9", '"mchirp<0" is no range of masses: write it like mchirp<2.3>0.9,'
                         " mchirp>=22>0.9 or mchirp 2.3..5.5>0.9."),
        ("mchirp<2>", '">" (character 9) needs a number as in mchirp<2.3>0.9.'),
        ("within", '"within" needs a distance, like within 200Mpc>0.5.'),
        ("within 200", '"within" needs a unit at the distance, like within 200Mpc>0.5.'),
        ("within 200deg", '"within" needs a unit at the distance, like within 200Mpc>0.5.'),
        ("within 0Mpc", '"0Mpc" is no distance above 0, as in within 200Mpc>0.5.'),
        ("within 200Mpc>50", '"50" is no probability: 0 to 1, or 0 % to 100 %.'),
        ("grade",
         '"grade" needs the name of a criteria set, like grade rubin-2026 or grade ntt-kilonova>=Silver.'),
        ("grade >= Gold", '"grade" needs the name of a criteria set, like grade rubin-2026 or'
                          " grade ntt-kilonova>=Silver."),
        ("grade and BNS", '"and" is no name of a criteria set, as in grade rubin-2026 or'
                          " grade ntt-kilonova>=Silver."),
        ("grade 2026",
         '"2026" is no name of a criteria set, as in grade rubin-2026 or grade ntt-kilonova>=Silver.'),
        ("grade ntt-kilonova >=",
         '">=" (character 20) needs a grade after it, like grade ntt-kilonova>=Gold.'),
        ("grade Gold of ntt", "The criteria set stands first: grade ntt>=Gold, or grade ntt=Gold for that"
                              " grade alone."),
        ("grade lensed A rubin-2026", 'The criteria set stands first: grade rubin-2026>="lensed A", or grade'
                                      ' rubin-2026="lensed A" for that grade alone.'),
        ("grade ntt-kilonova A+ BNS", '"A+" is none of CBC, Burst, all, mock, test, lowsig, circulars,'
                                      " notify, nor a condition like BNS."),
        ("grade x >= 3rd", '"3rd" is no name of a grade, as in grade x>=Gold or grade x="Priority 1".'),
        ("grade x>=Silver<Gold", '"<" (character 16) is one comparison too many: write the two with and.'),
        ("grade x != Gold",
         '"!=" (character 9) isn\'t known: write "not" before the condition and "=" in it.'),
        ("grade x >= Gold distanse<3", '"distanse" is no condition; did you mean "distance"?'),
        ("grade x bnss", '"bnss" is no condition; did you mean "BNS"?'),
    ],
)  # fmt: skip
def test_a_sentence_points_at_what_is_wrong(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    assert str(refused.value) == sentence


@settings(deadline=None)
@given(mass_ranges, st.sampled_from(["..", "...", "…", "-", "–", " to ", " .. ", " - "]), st.sampled_from(Op))
def test_any_two_masses_make_a_range(bounds: tuple[float, float | None], between: str, op: Op) -> None:
    low, high = bounds
    if high is None or low == 0:
        return
    found = parse_filter(f"mchirp {low!r}{between}{high!r}{op}25%")
    assert found == MassProbability(low, high, op, 0.25)


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("CBC criteria rubin-2026 ntt-kilonova", "CBC criteria rubin-2026 ntt-kilonova"),
        ("criteria rubin-2026, ntt-kilonova CBC", "CBC criteria rubin-2026 ntt-kilonova"),
        ("criteria rubin-2026 and ntt-kilonova BNS>0.9 mock",
         "all BNS>0.9 mock criteria rubin-2026 ntt-kilonova"),
        ("criteria x criteria x y BNS above 0.9", "all BNS>0.9 criteria x y"),
        ("Criteria NTT_Kilonova lowsig", "all lowsig criteria ntt-kilonova"),
        ("criteria x HLV", "all H1 L1 V1 criteria x"),
        ("criteria x only mock", "all only mock criteria x"),
        ("criteria x visible from Palomar", "all visible from Palomar>0.1 criteria x"),
        ("criteria x grade x>=Gold", "all grade x>=Gold criteria x"),
        ("criteria x (BNS or NSBH)", "all (BNS or NSBH) criteria x"),
        ("criteria x notify @here if grade x=\"lensed A\"",
         'all criteria x notify @here if grade x="lensed A"'),
        ("CBC criteria ntt-mass-gap notify @here", "CBC criteria ntt-mass-gap notify @here"),
        ("search=criteria", "all search=criteria"),
    ],
)  # fmt: skip
def test_criteria_sets_are_chosen_anywhere_before_notify(words: str, canonical: str) -> None:
    found = parse_criteria(words)
    assert found.canonical == canonical
    assert parse_criteria(canonical) == found


ALONE = 'stands by itself, outside of "and", "or", "not" and "( )".'


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("criteria", '"criteria" needs the name of a criteria set, like criteria rubin-2026.'),
        ("criteria CBC",
         '"criteria" needs the name of a criteria set before "CBC", like criteria rubin-2026.'),
        ("criteria notify @here", '"criteria" needs the name of a criteria set, like criteria rubin-2026.'),
        ("criteria 2026", '"2026" is no name of a criteria set, as in criteria rubin-2026.'),
        ("BNS or criteria x", f'"criteria" {ALONE}'),
        ("not criteria x", f'"criteria" {ALONE}'),
        ("(criteria x)", f'"criteria" {ALONE}'),
        ("criteria x or y", f'"criteria" {ALONE}'),
        ("criteria x and BNS", f'"criteria" {ALONE}'),
        ("notify @here if criteria x", f'"criteria" {ALONE}'),
        ("critera x", '"critera" is no condition; did you mean "criteria"?'),
    ],
)  # fmt: skip
def test_a_choice_of_sets_that_isnt_one_gets_a_sentence(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("any BNS within 100 Mpc this week?", "BNS within 100Mpc>0.5"),
        ("BNS within 2020 Mpc within the last month", "BNS within 2020Mpc>0.5"),
        ("5 mchirp 2.3 to 5.5 > 0.9 mock", "mchirp 2.3..5.5>0.9 mock"),
        ("events of grade ntt-kilonova >= Candidates since O4", "grade ntt-kilonova>=Candidates"),
        ("grade x=Test mock", "grade x=Test mock"),
        ('grade rubin-2026="lensed A" last 7 days', 'grade rubin-2026="lensed A"'),
    ],
)
def test_a_question_about_events_takes_the_same_conditions(words: str, text: str) -> None:
    assert parse_event_question(words, NOW).text == text


def test_a_question_points_from_criteria_to_grade() -> None:
    with pytest.raises(FilterSyntaxError, match='"criteria" belongs to a subscription; events with'):
        parse_event_question("criteria rubin-2026", NOW)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("mchirp<2.3>0.9", "a source-frame chirp mass below 2.3 M☉ with more than 90 %"),
        ("mchirp>=22>=0.9", "a source-frame chirp mass of 22 M☉ or more with 90 % or more"),
        ("mchirp 2.3..5.5<0.1", "a source-frame chirp mass from 2.3 to 5.5 M☉ with less than 10 %"),
        ("within 200Mpc>0.5", "more than 50 % of the probability nearer than 200 Mpc"),
        ("grade x", "any grade of x"),
        ("not grade x", "no grade of x"),
        ("grade x>=Silver", "grade Silver or better of x"),
        ("grade x>Silver", "a grade better than Silver of x"),
        ("grade x<=Silver", "grade Silver or worse of x"),
        ("grade x<Silver", "a grade worse than Silver of x"),
        ('not grade x="lensed A"', "not (grade lensed A of x)"),
    ],
)
def test_sentences_say_what_holds(words: str, sentence: str) -> None:
    assert filter_sentence(parse_filter(words)).replace("\N{NO-BREAK SPACE}", " ") == sentence


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.from_regex(SLUG, fullmatch=True).filter(lambda slug: len(slug) <= SLUG_MAX))
def test_every_name_that_no_word_of_the_language_is_can_be_chosen_and_asked_for(slug: str) -> None:
    assert read_slug(slug) == slug
    stored = Criteria(mock=True, criteria_sets=(slug,))
    assert parse_stored_criteria(stored.canonical) == stored, "a word that the language gets later"
    if is_language_word(slug):
        return
    assert parse_criteria(f"mock criteria {slug} BNS notify @here").criteria_sets == (slug,)
    assert parse_filter(f"BNS grade {slug} distance<300") == parse_filter("BNS") & GradeCondition(
        slug
    ) & parse_filter("distance<300")


@pytest.mark.parametrize(
    ("typed", "slug"),
    [("NTT Kilonova", "ntt-kilonova"), ("rubin_2026", "rubin-2026"), ("-x-", "x"), ("2026", None),
     ("a.b", None), ("é", None), ("", None), ("a" * 31, None)],
)  # fmt: skip
def test_a_sets_name_gets_the_nearest_reading(typed: str, slug: str | None) -> None:
    assert read_slug(typed) == slug


@pytest.mark.parametrize(
    "word",
    ["BNS", "mock", "all", "early-warning", "chirp-mass", "Fermi", "hlv", "o4a", "grb", "grade"],
)
def test_a_word_of_the_language_is_known_as_one(word: str) -> None:
    assert is_language_word(word)
