"""The language of filters: what is read, and the sentence where nothing can be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from bot.filters import (
    FilterSyntaxError,
    parse_criteria,
    parse_filter,
)
from bot.filters.limits import MAX_CONDITIONS, MAX_LENGTH
from formatters.models.filter import (
    Filter,
)
from formatters.text.filter_sentences import filter_sentence
from tests.support.filter_strategies import any_filter


@settings(deadline=None)  # the first circle loads a module
@given(any_filter)
def test_a_filter_reads_as_it_is_written(wanted: Filter) -> None:
    assert parse_filter(wanted.canonical) == wanted
    assert parse_filter(wanted.canonical).canonical == wanted.canonical
    assert filter_sentence(wanted)


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("CBC BNS>0.5 distance<300 area90<500 far<1/month", None),
        ("cbc bns > 50% and DISTANCE < 300 Mpc", "CBC BNS>0.5 distance<300"),
        ("BNS>=0.5 NS hasremnant massgap Remnant>0.1", "all BNS NS HasRemnant HasMassGap remnant>0.1"),
        ("mock ssm or cbc bns", "all (search=SSM or (CBC BNS)) mock"),
        ("ssm>0.9 instruments≥2 v1", "all HasSSM>0.9 instruments>=2 V1"),
        ("(BNS or NSBH) not V1", "all (BNS or NSBH) not V1"),
        ("(CBC) & !(V1 | K1)", "CBC not (V1 or K1)"),
        ("not not BNS BNS", "all BNS"),
        ("CBC|Burst", "all (CBC or Burst)"),
        ("type=initial|Update early-warning or external", None),
        ("far < 2 per year far<1/100yr far<=1e-8 Hz far<3/2months", None),
        ("distance<0.3Gpc area90<1,234,567 deg2", "all distance<300 area90<1234567"),
        ("near 13h09m48s -23d22m53s 5deg > 0.1 BNS", "all near 197.45 -23.381389 5deg>0.1 BNS"),
        ("near 197.45 -23.38 30 arcmin CBC", "CBC near 197.45 -23.38 0.5deg>0.1"),
        ("visible from palomar >= 30% BNS", "all visible from palomar>=0.3 BNS"),
        ('visible from "Cerro Tololo" mock', 'all visible from "Cerro Tololo">0.1 mock'),
        ("group=cbc search=ssm pipeline=GstLAL", "CBC search=SSM pipeline=GstLAL"),
        ("CBC notify @here if BNS>0.3 or external", None),
        ("CBC notify @here if NS>=0.5", None),
        ("CBC notify @here if NS far<1/yr", None),
    ],
)
def test_the_grammar(words: str, canonical: str | None) -> None:
    criteria = parse_criteria(words)
    if canonical is not None:
        assert criteria.canonical == canonical
    assert parse_criteria(criteria.canonical) == criteria


KNOWN_SITES = {"palomar": "Palomar", "cerro tololo": "Cerro Tololo"}


def test_sites_are_called_by_any_of_their_names_and_unknown_ones_refused() -> None:
    def sites(words: Sequence[str]) -> tuple[str, int]:
        for count in range(len(words), 0, -1):
            if (name := KNOWN_SITES.get(" ".join(words[:count]).casefold())) is not None:
                return name, count
        raise ValueError(f"I know no site called {words[0]}.")

    assert (
        parse_criteria("visible from cerro tololo BNS", sites).canonical
        == 'all visible from "Cerro Tololo">0.1 BNS'
    )
    assert parse_criteria('visible from "PALOMAR"', sites).canonical == "all visible from Palomar>0.1"
    with pytest.raises(FilterSyntaxError, match="I know no site called Atlantis"):
        parse_criteria("visible from Atlantis", sites)
    with pytest.raises(FilterSyntaxError, match="is more than one site"):
        parse_criteria('visible from "Palomar Cerro Tololo"', sites)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("BNS and", '"and" needs a condition after it.'),
        ("or BNS", '"or" needs a condition before it.'),
        ("not", '"not" needs a condition after it.'),
        ("()", '"(" (character 1) needs a condition after it.'),
        ("(BNS", '"(" (character 1) isn\'t closed.'),
        ("BNS)", '")" (character 4) closes nothing.'),
        ("BNS or mock", '"mock" stands by itself, outside of "and", "or", "not" and "( )".'),
        ("(all)", '"all" stands by itself, outside of "and", "or", "not" and "( )".'),
        (
            "BNS 0.5",
            '"0.5" stands alone: a number follows a comparison, like BNS>0.5,'
            " and a range is written as distance>100 distance<300.",
        ),
        ("> 0.5", '">" (character 1) has nothing before it to compare.'),
        ("BNS>", '">" (character 4) needs a number as in BNS>0.5.'),
        ("BNS>high", '"high" is not a number as in BNS>0.5.'),
        ("BNS>50", '"50" is no probability: 0 to 1, or 0 % to 100 %.'),
        ("BNS>-1", '"-1" is no probability: 0 to 1, or 0 % to 100 %.'),
        ("distance", '"distance" needs a comparison, like distance<300.'),
        ("distance<300km", '"300km" is not a number as in distance<300.'),
        ("distance<1e999", '"1e999" is no number from 0 on.'),
        (
            "100<distance",
            '"100" stands alone: a number follows a comparison, like BNS>0.5,'
            " and a range is written as distance>100 distance<300.",
        ),
        ("BNS>0.1<0.5", '"<" (character 8) is one comparison too many: write the two with and.'),
        ("BNS!=0.5", '"!=" (character 4) isn\'t known: write "not" before the condition and "=" in it.'),
        ("V1=1", '"V1" is compared with nothing: it holds or it doesn\'t.'),
        ("far", '"far" needs a comparison, like far<1/month or far<1e-8 (Hz).'),
        ("far<1/fortnight", '"1/fortnight" is no rate: 1/yr, 1/100yr, 1/month, 1/week, 1/day, 1/h or Hz.'),
        ("far<1/0yr", '"1/0yr" is no rate: both its numbers are above 0.'),
        ("type=FINAL", '"FINAL" is no alert type: EARLYWARNING, PRELIMINARY, INITIAL or UPDATE.'),
        ("type=RETRACTION", '"RETRACTION" can\'t be chosen: a retraction goes to whoever has the event.'),
        ("type", '"type" needs a name after it, like type=INITIAL|UPDATE.'),
        ("search=", '"=" (character 7) needs a name after it, like search=SSM.'),
        ("near 400 10 5deg", '"near": RA 400 isn\'t between 0° and 360°.'),
        ("near here", '"near": That is no position; write it like 13h09m48s -23d22m53s or 197.45 -23.38.'),
        ("near 10 10", '"near" needs a radius after the position, like 5deg or 30arcmin.'),
        ("near 10 10 500deg", '"500deg" is no radius: more than 0, at most 180 degrees.'),
        ("visible Palomar", '"visible" needs a site, like visible from Palomar.'),
        ("(" * 500 + "BNS" + ")" * 500, '"(" (character 21) goes deeper than 20 parentheses.'),
        ("BNS " * 500, f"A filter has at most {MAX_CONDITIONS} conditions, and this one has more."),
        ("not " * 600 + "BNS or", '"or" needs a condition after it.'),
        ("B" * 10_000, f"That is too long: at most {MAX_LENGTH:,} characters, and these are 10,000."),
    ],
)
def test_invalid_filter_is_refused_in_a_sentence_naming_the_word(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    assert str(refused.value) == sentence
