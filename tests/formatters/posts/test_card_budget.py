"""What a root message leaves out, in which order, and what never."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formatters.posts.card_budget import (
    MAX_FACT_LINES,
    MAX_ROWS,
    CardLines,
    Line,
    Style,
    by_yielding,
    fit,
    fits,
    rows,
)

texts = st.text(alphabet=st.sampled_from([*"aemMW1 .·%°²\u00a0\u2212＞漢"]), min_size=1, max_size=120)


@st.composite
def lines(draw: st.DrawFn, *, is_fact: bool = True, style: Style | None = None) -> Line:
    parts = tuple(draw(st.lists(texts, min_size=1, max_size=5)))
    kept = draw(st.integers(1, len(parts)))
    return Line(
        parts=parts,
        kept=kept,
        least=draw(st.none() | st.integers(0, kept)),
        style=style or draw(st.sampled_from([Style.BOLD, Style.PLAIN, Style.FIRST_BOLD])),
        is_fact=is_fact,
    )


whole_lines = texts.map(lambda text: Line(parts=(text,)))
cards = st.builds(
    CardLines,
    fixed=st.lists(lines(), min_size=1, max_size=8).map(tuple),
    foot=lines(is_fact=False, style=Style.SMALL),
    coincidence=st.none() | lines(),
    warning=st.none() | whole_lines,
    sites=st.none() | whole_lines,
    shorter_sites=st.lists(whole_lines, max_size=2).map(tuple),
    criteria=st.none() | whole_lines,
    shorter_criteria=st.lists(whole_lines, max_size=2).map(tuple),
)


def limit(line: Line) -> int:
    return line.kept if line.least is None else line.least


@given(card=cards)
def test_fixed_lines_never_yield_more_than_their_details(card: CardLines) -> None:
    chosen = fit(card)
    assert len(chosen.fixed) == len(card.fixed)
    for before, after in zip((*card.fixed, card.foot), (*chosen.fixed, chosen.foot), strict=True):
        assert before.parts[: len(after.parts)] == after.parts
        assert len(after.parts) >= limit(before)
    assert len(chosen.foot.parts) >= card.foot.kept
    assert (chosen.coincidence is None) is (card.coincidence is None)


@pytest.mark.slow
@given(card=cards)
def test_criteria_yield_first_then_sites_then_the_warning(card: CardLines) -> None:
    chosen = fit(card)
    gone = [
        getattr(card, name) is not None and getattr(chosen, name) is None
        for name in ("criteria", "sites", "warning")
    ]
    wished = [getattr(card, name) is not None for name in ("criteria", "sites", "warning")]
    for earlier in range(3):
        for later in range(earlier + 1, 3):
            if gone[later] and wished[earlier]:
                assert gone[earlier], "a line that yields first stayed while a later one went"
    below_kept = any(
        len(after.parts) < before.kept for before, after in zip(card.fixed, chosen.fixed, strict=True)
    )
    if below_kept:
        assert gone == wished, "what never yields yielded before what does"


@given(card=cards)
def test_the_criterias_reasons_are_the_first_detail_to_yield(card: CardLines) -> None:
    chosen = fit(card)
    if (
        card.criteria is not None
        and card.shorter_criteria
        and chosen.criteria == card.criteria != (card.shorter_criteria[0])
    ):
        assert chosen == card, "another detail yielded before"


@given(card=cards)
def test_a_set_is_left_out_only_after_all_details(card: CardLines) -> None:
    late = card.shorter_criteria[1:]
    for step in by_yielding(card):
        if step.criteria in late and step.criteria not in (card.criteria, *card.shorter_criteria[:1]):
            every = (*card.fixed, card.foot, *([] if card.coincidence is None else [card.coincidence]))
            left = (*step.fixed, step.foot, *([] if step.coincidence is None else [step.coincidence]))
            assert all(len(b.parts) <= a.kept for a, b in zip(every, left, strict=True))


@given(card=cards)
def test_no_more_yields_than_must(card: CardLines) -> None:
    chosen = fit(card)
    steps = list(by_yielding(card))
    first = next((step for step in steps if fits(step)), steps[-1])
    names = ("criteria", "sites", "warning")
    assert [getattr(chosen, name) for name in names] == [getattr(first, name) for name in names]
    if fits(card):
        assert chosen == card
    if fits(chosen):
        for index, whole in enumerate(card.fixed):
            count = len(chosen.fixed[index].parts)
            if count < len(whole.parts):
                line = replace(whole, parts=whole.parts[: count + 1])
                fixed = (*chosen.fixed[:index], line, *chosen.fixed[index + 1 :])
                assert not fits(replace(chosen, fixed=fixed)), "a detail was left out though it fits"


@pytest.mark.slow
@given(card=cards)
def test_a_card_that_fits_keeps_both_limits(card: CardLines) -> None:
    chosen = fit(card)
    if fits(chosen):
        assert sum(line.is_fact for line in chosen.lines) <= MAX_FACT_LINES
        assert sum(map(rows, chosen.lines)) <= MAX_ROWS
    else:
        assert chosen == list(by_yielding(card))[-1], "it is too long though something could still yield"


@given(card=cards)
def test_fitting_again_changes_nothing(card: CardLines) -> None:
    once = fit(card)
    assert fit(once).lines == once.lines or not fits(once)


@given(text=texts, more=texts, style=st.sampled_from(Style))
def test_a_longer_line_takes_no_fewer_rows(text: str, more: str, style: Style) -> None:
    line = Line(parts=(text,), style=style)
    assert 1 <= rows(line) <= rows(replace(line, parts=(f"{text} {more}",)))


def test_unknown_characters_count_as_wide() -> None:
    assert rows(Line(parts=("漢" * 40,))) >= 3
    assert rows(Line(parts=("i" * 40,))) == 1
