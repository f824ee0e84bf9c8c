"""Stored criteria sets are read as they were written, and subscriptions with what they name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.criteria.presets import BUILT_IN
from bot.filters import parse_stored_criteria
from bot.store.channels.criteria_set_rows import (
    decode_set,
    encode_grades,
    find_missing,
    may_name_sets,
    resolve_stored_criteria,
)
from formatters.models.criteria_set import CriteriaSet, Grade
from formatters.models.subscription import Criteria
from tests.support.filter_strategies import GRADE_NAMES, SLUGS, any_filter, criteria_list

grade_lists = st.lists(
    st.builds(Grade, st.sampled_from(GRADE_NAMES), any_filter),
    min_size=1,
    max_size=4,
    unique_by=lambda grade: grade.name.casefold(),
)


@pytest.mark.slow
@given(grades=grade_lists)
@settings(deadline=None, max_examples=60)
def test_a_stored_set_is_read_as_it_was_written(grades: list[Grade]) -> None:
    written = CriteriaSet(slug="ours", grades=tuple(grades))
    read = decode_set("ours", encode_grades(written))
    assert read == written and read.fingerprint == written.fingerprint
    assert decode_set("ours", encode_grades(written)) is read


@pytest.mark.slow
@given(criteria=criteria_list, grades=grade_lists, names=st.sets(st.sampled_from(SLUGS)))
@settings(deadline=None, max_examples=100)
def test_whatever_a_subscription_names_is_defined_or_said_to_be_missing(
    criteria: Criteria, grades: list[Grade], names: set[str]
) -> None:
    words = criteria.canonical
    parsed = parse_stored_criteria(words)
    assert may_name_sets(words) or not parsed.used_sets
    text = encode_grades(CriteriaSet(slug="ours", grades=tuple(grades)))
    resolved, missing = resolve_stored_criteria(words, dict.fromkeys(names, text))
    assert resolved.canonical == words
    known = {**BUILT_IN, **{name: decode_set(name, text) for name in names}}
    assert missing == find_missing(parsed, known)
    for condition in resolved.grade_conditions:
        gone = {condition.slug, f"{condition.slug} {condition.grade}"} & {*missing}
        assert (condition.definition is None) is bool(gone), condition
    assert {one for one in missing if " " not in one} == {s for s in parsed.used_sets if s not in known}
    again, _ = resolve_stored_criteria(words, dict.fromkeys(names, text))
    assert again is resolved
