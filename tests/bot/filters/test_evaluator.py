"""Filters and criteria evaluated against superevents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.criteria.resolution import resolve_filter
from bot.filters import (
    category_allowed,
    evaluate_filter,
    extract_attributes,
    matches,
    mention_targets,
    parse_criteria,
    parse_filter,
    parse_stored_criteria,
)
from bot.filters.evaluator import UNKNOWN, CriteriaEvaluator, TruthRange, evaluate_criteria
from bot.filters.event_attributes import EventAttributes
from formatters.models.criteria_set import CriteriaSet, Grade
from formatters.models.filter import (
    DistanceQuery,
    Filter,
    MapQuery,
    MassProbability,
    Op,
    SiteQuery,
    map_queries,
)
from formatters.models.notice import Category, MassBins
from formatters.models.quantity import QUANTITIES
from formatters.models.subscription import Criteria
from formatters.models.superevent import Superevent
from tests.support.factories import MOCK, REAL, TEST, decoded_notice
from tests.support.filter_strategies import (
    GRADE_NAMES,
    MASS_EDGES,
    SKY,
    SLUGS,
    any_filter,
    histograms,
    shares,
    stated,
)

SETS = {
    slug: CriteriaSet(
        slug=slug,
        grades=tuple(
            Grade(name, parse_filter(f"distance<{100 * at} mchirp<5.5>0.{at} or near {at} 10 5deg"))
            for at, name in enumerate(GRADE_NAMES, 1)
        ),
        judges_initial=slug == "rubin-2026",
    )
    for slug in SLUGS
}
resolved_filters = any_filter.map(lambda found: resolve_filter(found, SETS))

answers = st.dictionaries(
    st.sampled_from([SiteQuery(name) for name in ("Palomar", "Cerro Tololo", "ESO-1.54")]), st.floats(0, 1)
)
some = st.one_of(st.none(), st.floats(0, 1))


@pytest.mark.slow
@given(st.one_of(any_filter, resolved_filters), stated, st.data())
def test_a_filter_and_its_negation_never_both_match(
    wanted: Filter, attributes: EventAttributes, data: st.DataObject
) -> None:
    asked: dict[MapQuery, float | None] = {
        question: data.draw(some) for question in sorted(map_queries(wanted), key=repr)
    }
    yes, no = evaluate_filter(wanted, attributes, asked), evaluate_filter(~wanted, attributes, asked)
    assert yes[0] == yes[1], "once the map is asked, all is decided"
    assert not (yes.matches and no.matches)
    first = evaluate_filter(wanted, attributes)
    assert first[0] <= yes[0] <= first[1], "what the map says lies within what was open"


@given(resolved_filters, stated, st.data())
def test_a_filter_or_its_negation_matches_where_every_fact_is_known(
    wanted: Filter, attributes: EventAttributes, data: st.DataObject
) -> None:
    known = replace(
        attributes,
        fields={"group": "cbc", "search": "ssm", "pipeline": "gstlal", "type": "initial"}
        | dict(attributes.fields),
        quantities=dict.fromkeys(QUANTITIES, 0.5) | dict(attributes.quantities),
        far=attributes.far or 0.0,
        detectors=attributes.detectors or ("L1",),
        has_map=True,
        mass_bins=attributes.mass_bins or MassBins(bin_edges=(1.0, 2.0), probabilities=(1.0,)),
        observatories=("fermi",) if attributes.external else (),
    )
    asked: dict[MapQuery, float | None] = {
        question: data.draw(shares) for question in sorted(map_queries(wanted), key=repr)
    }
    found, negated = evaluate_filter(wanted, known, asked), evaluate_filter(~wanted, known, asked)
    assert found.matches is not negated.matches


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("BNS", True),
        ("BNS>0.95", False),
        ("BNS>=0.95", True),
        ("NSBH or BNS", True),
        ("NS>0.955", True),
        ("remnant>0.9", True),
        ("remnant>0.901", False),
        ("massgap", False),
        ("not massgap", True),
        ("HasSSM", None),
        ("ssm", False),
        ("distance<300", True),
        ("distance<=40 area90<31.1 area50>8", True),
        ("instruments>=2 H1", True),
        ("V1", False),
        ("external", False),
        ("not external", True),
        ("far<1/yr", True),
        ("far<1e-9", False),
        ("type=INITIAL|PRELIMINARY", True),
        ("type=UPDATE", False),
        ("search=allsky pipeline=GSTLAL group=cbc", True),
        ("near 197 -23 5deg", None),
        ("HasSSM or BNS", True),
        ("HasSSM and BNS", None),
        ("HasSSM and not BNS", False),
    ],
)
def test_each_condition(words: str, expected: bool | None) -> None:
    attributes = extract_attributes(
        Superevent.from_notices([replace(decoded_notice(instruments=["H1", "L1"]), localization=SKY)])
    )
    assert attributes is not None
    found = evaluate_filter(parse_filter(words), attributes, dict.fromkeys(map_queries(parse_filter(words))))
    assert found == ({True: (1, 1), False: (-1, -1), None: UNKNOWN}[expected])


@pytest.mark.parametrize(
    "words", ["distance<300", "not distance<300", "BNS", "not BNS", "NS", "near 1 2 3deg"]
)
def test_attribute_missing_in_bursts_matches_neither_comparison(words: str) -> None:
    burst = decoded_notice(group="Burst", search="AllSky", classification={}, properties={})
    assert not matches(parse_criteria(f"Burst {words}"), Superevent.from_notices([burst]))


@pytest.mark.parametrize(
    ("condition", "whom"),
    [("BNS>0.9", 1), ("BNS>0.99", 0), ("not BNS", 0), ("HasSSM", 0), ("NS far<1/yr", 1)],
)
def test_any_filter_after_if(condition: str, whom: int) -> None:
    superevent = Superevent.from_notices([decoded_notice()])
    assert len(mention_targets(parse_criteria(f"CBC notify @here if {condition}"), superevent)) == whom


NO_NS = {"classification": {"BNS": 0.0, "NSBH": 0.3, "BBH": 0.6, "Terrestrial": 0.1}, "properties": {}}


@pytest.mark.parametrize(
    ("facts", "light"),
    [
        (NO_NS, False),
        (NO_NS | {"classification": {"BNS": 0.15, "NSBH": 0.16}}, True),
        (NO_NS | {"classification": {"Terrestrial": 0.5}, "properties": {"HasRemnant": 0.2}}, False),
        (NO_NS | {"classification": {"Terrestrial": 0.5}, "properties": {"HasRemnant": 0.21}}, True),
        (NO_NS | {"classification": {}, "properties": {"HasRemnant": 0.11}}, True),
        (NO_NS | {"classification": {}, "search": "SSM"}, True),
        ({"group": "Burst", "classification": {}, "properties": {}}, False),
    ],
)
def test_if_ns_matches_only_with_a_possible_counterpart(facts: dict[str, Any], light: bool) -> None:
    superevent = Superevent.from_notices([decoded_notice(**facts)])
    assert mention_targets(parse_criteria("all notify @here"), superevent) == ("<!here>",)
    assert bool(mention_targets(parse_criteria("all notify @here if NS"), superevent)) is light


@pytest.mark.parametrize(
    ("superevent_id", "words", "whom"),
    [
        (REAL, "CBC", 0),
        (REAL, "Burst notify @here", 0),
        (REAL, "CBC notify @here @channel", 2),
        (MOCK, "CBC mock notify @here", 0),
        (MOCK, "CBC mock notify @here notify-mocks", 1),
        (MOCK, "CBC mock test notify @here notify-tests", 0),
        (TEST, "CBC test notify @here", 0),
        (TEST, "CBC test notify @here notify-tests", 1),
    ],
)
def test_mocks_and_tests_mention_only_by_a_word_of_their_own(
    superevent_id: str, words: str, whom: int
) -> None:
    assert (
        len(mention_targets(parse_criteria(words), Superevent.from_notices([decoded_notice(superevent_id)])))
        == whom
    )


def test_retracted_event_mentions_nobody() -> None:
    gone = Superevent.from_notices([decoded_notice(), decoded_notice(alert_type="RETRACTION", minutes=5)])
    assert mention_targets(parse_criteria("all notify @here"), gone) == ()


@pytest.mark.parametrize("words", ["all", "all mock", "all test", "all mock test lowsig"])
def test_mocks_and_tests_only_where_asked_for(words: str) -> None:
    criteria = parse_criteria(words)
    assert category_allowed(criteria, Category.REAL)
    assert category_allowed(criteria, Category.MOCK) is ("mock" in words)
    assert category_allowed(criteria, Category.TEST) is ("test" in words)


GROUPS = ("CBC", "Burst", "NewGroup")


@pytest.mark.parametrize("superevent_id", [REAL, MOCK, TEST])
@pytest.mark.parametrize("significant", [True, False])
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("asked", ["CBC", "Burst", "all"])
@pytest.mark.parametrize("switches", ["", "mock", "test", "lowsig", "mock lowsig", "mock test lowsig"])
def test_every_switch_and_group(
    superevent_id: str, significant: bool, group: str, asked: str, switches: str
) -> None:
    superevent = Superevent.from_notices(
        [decoded_notice(superevent_id, group=group, significant=significant)]
    )
    expected = (
        asked in ("all", group)
        and (superevent_id != MOCK or "mock" in switches)
        and (superevent_id != TEST or "test" in switches)
        and (significant or "lowsig" in switches)
    )
    assert matches(parse_criteria(f"{asked} {switches}"), superevent) is expected


def test_newest_notice_decides_and_retraction_keeps_the_match() -> None:
    became = [decoded_notice(significant=False), decoded_notice(minutes=5, significant=True)]
    assert matches(parse_criteria("CBC"), Superevent.from_notices(became))
    assert not matches(parse_criteria("CBC"), Superevent.from_notices(became[:1]))
    assert matches(
        parse_criteria("CBC"),
        Superevent.from_notices([*became, decoded_notice(alert_type="RETRACTION", minutes=9)]),
    )


def test_of_a_retraction_alone_nothing_is_known() -> None:
    assert not matches(
        parse_criteria("all mock test lowsig"),
        Superevent.from_notices([decoded_notice(alert_type="RETRACTION")]),
    )


def test_equal_criteria_have_equal_results_whether_or_not_they_are_one_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluated: list[Criteria] = []

    def counting(criteria: Criteria, *rest: Any) -> TruthRange:
        evaluated.append(criteria)
        return evaluate_criteria(criteria, *rest)

    monkeypatch.setattr("bot.filters.evaluator.evaluate_criteria", counting)
    evaluator = CriteriaEvaluator(Superevent.from_notices([decoded_notice()]))
    stored = [parse_stored_criteria("CBC BNS>0.5"), parse_stored_criteria("CBC BNS>0.5")]
    assert stored[0] is stored[1], "equal words of the store give one object"
    assert all(evaluator.evaluate(one).matches for one in stored) and len(evaluated) == 1
    # Objects that nobody else keeps: an identity must not be taken for that of one that is gone.
    for words in ("CBC BNS>0.5", "Burst", "CBC BNS>0.5", "Burst") * 5:
        assert evaluator.evaluate(parse_criteria(words)).matches is (words != "Burst")


edges = st.one_of(st.sampled_from(MASS_EDGES), st.floats(0.01, 100))


@given(histograms(), edges, st.none() | edges, st.sampled_from(Op), st.integers(0, 64))
def test_bins_that_lie_whole_inside_a_range_are_summed(
    bins: MassBins, low: float, high: float | None, op: Op, part: int
) -> None:
    attributes = replace(known_attributes(), mass_bins=bins)
    both = zip(bins.bin_edges, bins.bin_edges[1:], bins.probabilities, strict=False)
    total = sum(share for a, b, share in both if low <= a and (high is None or b <= high))
    limit = part / 64
    expected = {
        Op.LT: total < limit, Op.LE: total <= limit, Op.EQ: total == limit, Op.GE: total >= limit,
        Op.GT: total > limit,
    }[op]  # fmt: skip
    found = evaluate_filter(MassProbability(low, high, op, limit), attributes)
    assert found == (TruthRange(1, 1) if expected else TruthRange(-1, -1))
    assert (
        evaluate_filter(MassProbability(low, high, op, limit), replace(attributes, mass_bins=None)) == UNKNOWN
    )


def known_attributes() -> EventAttributes:
    found = extract_attributes(Superevent.from_notices([decoded_notice()]))
    assert found is not None
    return found


def test_a_sum_that_is_the_limit_but_for_rounding_is_the_limit() -> None:
    bins = MassBins(bin_edges=(1.0, 2.0, 3.0, 4.0, 5.0), probabilities=(0.3, 0.3, 0.3, 0.1))
    assert sum(bins.probabilities[:3]) < 0.9
    attributes = replace(known_attributes(), mass_bins=bins)
    assert evaluate_filter(parse_filter("mchirp<4>=0.9"), attributes).matches
    assert evaluate_filter(parse_filter("mchirp<4=0.9"), attributes).matches
    assert evaluate_filter(parse_filter("not mchirp<4>0.9"), attributes).matches
    assert evaluate_filter(parse_filter("mchirp<4.5>=0.9"), attributes).matches, "a part of a bin counts not"
    assert not evaluate_filter(parse_filter("mchirp<3.9>=0.9"), attributes).matches


def test_only_masses_of_the_source_frame_are_summed() -> None:
    bins = MassBins(bin_edges=(10.0, 20.0, 30.0), probabilities=(0.5, 0.5))
    notice = decoded_notice(pipeline="CWB", search="BBH", group="Burst")
    assert notice.event is not None
    for pipeline, kept in (("CWB", None), ("pycbc", bins)):
        event = replace(notice.event, pipeline=pipeline, mchirp_source=bins)
        found = extract_attributes(Superevent.from_notices([replace(notice, event=event)]))
        assert found is not None and found.mass_bins == kept


def test_probabilities_that_sum_to_more_than_one_are_no_histogram() -> None:
    notice = decoded_notice()
    assert notice.event is not None
    bins = MassBins(bin_edges=(1.0, 2.0, 3.0), probabilities=(0.9, 0.9))
    found = extract_attributes(
        Superevent.from_notices([replace(notice, event=replace(notice.event, mchirp_source=bins))])
    )
    assert found is not None and found.mass_bins is None


def test_a_distance_asks_the_map_and_nothing_without_one() -> None:
    attributes = known_attributes()
    wanted = parse_filter("within 200Mpc>0.5")
    query = DistanceQuery(200)
    with_map = replace(attributes, has_map=True)
    assert evaluate_filter(wanted, with_map).is_undecided
    assert evaluate_filter(wanted, with_map, {query: 0.6}).matches
    assert evaluate_filter(~wanted, with_map, {query: 0.5}).matches
    assert evaluate_filter(wanted, with_map, {query: None}) == UNKNOWN
    assert evaluate_filter(wanted, replace(attributes, has_map=False)) == UNKNOWN
