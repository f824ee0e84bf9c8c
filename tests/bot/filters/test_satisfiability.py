"""Criteria that no notice can meet, against brute force over generated notices."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, reduce
from itertools import product
from operator import and_
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.decode import notice_from_record
from bot.filters import FilterSyntaxError, evaluate_filter, extract_attributes, parse_criteria, parse_filter
from bot.filters.evaluator import MapProbabilities
from bot.filters.event_attributes import EventAttributes, median_mass
from bot.filters.limits import MAX_CONDITIONS
from bot.filters.satisfiability import find_filter_objection, find_objection, idle_conditions
from bot.samples.events import SAMPLE_EVENTS
from formatters.models.filter import (
    FIELDS,
    Compare,
    ConeQuery,
    Detector,
    DistanceQuery,
    External,
    FarCompare,
    Field,
    FieldIn,
    Filter,
    GradeCondition,
    GradeQuery,
    MapQuery,
    MassProbability,
    Near,
    Op,
    Significant,
    Within,
)
from formatters.models.notice import CLASSES, PROPERTIES, MassBins, Notice
from formatters.models.quantity import QUANTITIES
from formatters.models.superevent import Superevent
from tests.support.factories import NOW, REAL
from tests.support.filter_strategies import histograms

GRID = 16
"""Probabilities are multiples of a sixteenth, so that their sums are exact."""
grid = st.integers(0, GRID).map(lambda n: n / GRID)
areas = st.sampled_from([1.0, 10.0, 100.0, 1_000.0, 41_252.0])
distances = st.sampled_from([10.0, 100.0, 475.0, 1_000.0])
rates = st.sampled_from([1e-12, 1e-9, 1e-7, 1e-5])
CONE, OTHER_CONE = ConeQuery(10, 20, 5), ConeQuery(30, 40, 5)
NEAR, FAR = DistanceQuery(100), DistanceQuery(300)
RANGES = ((0.0, 1.0), (0.0, 2.3), (1.0, 2.3), (1.0, 5.5), (2.3, 5.5), (2.3, None), (5.5, None), (0.0, None))
GRADE = GradeQuery("x", Op.EQ, "A")
MEANING = parse_filter("BNS>0.5 not distance>100")
DETECTORS = ("H1", "L1", "V1", "X1")
ops = st.sampled_from(Op)
ranges = st.sampled_from(RANGES)

bounds: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Compare, st.sampled_from([*CLASSES, *CLASSES, "NS", "remnant", *PROPERTIES]), ops, grid),
    st.builds(Compare, st.sampled_from(["area50", "area90"]), ops, areas),
    st.builds(Compare, st.just("distance"), ops, distances),
    st.builds(Compare, st.just("z"), ops, st.sampled_from([0.0, 0.01, 0.1])),
    st.builds(Compare, st.just("mchirp"), ops, st.sampled_from([1.0, 2.0])),
    st.builds(Compare, st.just("instruments"), ops, st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0])),
    st.builds(FarCompare, ops, rates),
    st.builds(Near, st.sampled_from([CONE, OTHER_CONE]), ops, grid),
    st.builds(Within, st.sampled_from([NEAR, FAR]), ops, grid),
    st.builds(lambda two, op, share: MassProbability(two[0], two[1], op, share), ranges, ops, grid),
    st.builds(GradeCondition, st.just("x"), st.just(Op.EQ), st.just("A"), st.sampled_from([None, GRADE])),
    st.builds(GradeCondition, st.just("y"), st.just(Op.GE), st.just("B"), st.just(MEANING)),
)
names: st.SearchStrategy[Filter] = st.one_of(
    st.sampled_from(DETECTORS).map(Detector),
    st.just(External()),
    st.just(Significant()),
    st.builds(FieldIn, st.just("group"), st.sampled_from([("CBC",), ("Burst",), ("CBC", "Burst"), ("New",)])),
    st.builds(FieldIn, st.just("search"), st.sampled_from([("SSM",), ("AllSky",), ("SSM", "BBH")])),
    st.builds(
        FieldIn,
        st.just("type"),
        st.sampled_from([("EARLYWARNING",), ("INITIAL", "UPDATE"), ("PRELIMINARY",)]),
    ),
    st.builds(FieldIn, st.just("observatory"), st.sampled_from([("Fermi",), ("Fermi", "Swift"), ("Swift",)])),
)


def _combined(leaves: st.SearchStrategy[Filter], most: int) -> st.SearchStrategy[Filter]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
            st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
            st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
            inner.map(operator.invert),
        ),
        max_leaves=most,
    )


filters = _combined(st.one_of(bounds, bounds, names), 6)


@st.composite
def notices(draw: st.DrawFn) -> tuple[EventAttributes, MapProbabilities]:
    """Return a notice as LVK may send one, and what its sky map says."""
    kind = draw(st.sampled_from(["PRELIMINARY", "INITIAL", "UPDATE", "EARLYWARNING", "NEW"]))
    group = draw(
        st.sampled_from(["cbc", "cbc", "new"] if kind == "EARLYWARNING" else ["cbc", "burst", "new"])
    )
    search = draw(st.sampled_from(["allsky", "ssm", "bbh", "x"] if group != "burst" else ["allsky", "x"]))
    numbers: dict[str, float] = {}
    bins: MassBins | None = None
    if group != "burst":
        if search != "ssm":
            cuts = sorted(draw(st.tuples(*[st.integers(0, GRID)] * 3)))
            shares = [b - a for a, b in zip([0, *cuts], [*cuts, GRID], strict=True)]
            numbers |= {name: share / GRID for name, share in zip(CLASSES, shares, strict=True)}
            numbers["NS"] = numbers["BNS"] + numbers["NSBH"]
        numbers |= {name: draw(grid) for name in PROPERTIES if search != "ssm" or name != "HasRemnant"}
        if search != "ssm":
            numbers["remnant"] = numbers["HasRemnant"] * (1 - numbers["Terrestrial"])
        numbers["distance"] = draw(distances)
        if draw(st.booleans()):
            bins = draw(histograms())
            numbers["mchirp"] = median_mass(bins)
    numbers["area90"] = draw(areas)
    numbers["area50"] = min(draw(areas), numbers["area90"])
    used = draw(st.sets(st.sampled_from(DETECTORS), min_size=1))
    numbers["instruments"] = float(len(used))
    coincidences = draw(st.sets(st.sampled_from(["fermi", "swift", "other"])))
    for name in draw(st.sets(st.sampled_from(sorted(numbers)), max_size=2)):
        del numbers[name]
    attributes = EventAttributes(
        superevent_id=REAL,
        alert_type=kind,
        time_created=NOW,
        event_time=NOW,
        significant=kind not in ("PRELIMINARY", "NEW") or draw(st.booleans()),
        retracted=False,
        fields={"group": group, "search": search, "pipeline": "x", "type": kind.casefold()},
        quantities=numbers,
        far=draw(rates),
        far_is_joint=False,
        detectors=tuple(sorted(used)),
        external=bool(coincidences),
        has_map=True,
        observatories=tuple(sorted(coincidences)),
        mass_bins=bins,
    )
    probabilities: dict[MapQuery, float | None] = {CONE: draw(grid), OTHER_CONE: draw(grid)}
    if group != "burst":
        probabilities |= zip((NEAR, FAR), sorted(draw(st.tuples(grid, grid))), strict=True)
    else:
        probabilities |= {NEAR: None, FAR: None}
    probabilities[GRADE] = draw(st.sampled_from([0.0, 1.0, None]))
    return attributes, probabilities


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(filters, st.lists(notices(), min_size=10, max_size=20))
def test_what_a_notice_meets_is_never_called_impossible(
    wanted: Filter, some: list[tuple[EventAttributes, MapProbabilities]]
) -> None:
    objection = find_filter_objection(wanted)
    if objection is not None and not objection.is_boundary:
        assert not any(evaluate_filter(wanted, *one).matches for one in some), objection.sentence


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(_combined(bounds, 4), st.lists(notices(), min_size=10, max_size=20))
def test_what_holds_beside_the_limits_isnt_called_a_boundary(
    wanted: Filter, some: list[tuple[EventAttributes, MapProbabilities]]
) -> None:
    """Where no limit of the filter is a number of the notice, a match means that there is no objection."""
    if find_filter_objection(wanted) is None:
        return
    shifted = [(_shifted(attributes), _shifted_map(says)) for attributes, says in some]
    assert not any(evaluate_filter(wanted, *one).matches for one in shifted)


def _shifted(attributes: EventAttributes) -> EventAttributes:
    """Return the same notice with other numbers, none of which is a limit of a generated filter."""
    numbers = dict(attributes.quantities)
    if all(name in numbers for name in CLASSES):
        # A 32nd part of each class is spread, so that no class is on the grid and the sum stays.
        numbers |= {
            n: numbers[n] * 15 / 16 + part / 512 for n, part in zip(CLASSES, (5, 7, 9, 11), strict=True)
        }
        numbers |= {"NS": numbers["BNS"] + numbers["NSBH"]}
    numbers |= {name: numbers[name] * 0.999 + 0.0003 for name in PROPERTIES if name in numbers}
    numbers.pop("remnant", None)
    if "HasRemnant" in numbers and "Terrestrial" in numbers:
        numbers["remnant"] = numbers["HasRemnant"] * (1 - numbers["Terrestrial"])
    if "distance" in numbers:
        numbers["distance"] *= 1.0007
    bins = _shifted_bins(attributes.mass_bins)
    if bins is not None:
        numbers["mchirp"] = median_mass(bins)
    numbers |= {n: numbers[n] * f for n, f in (("area50", 0.9), ("area90", 0.99)) if n in numbers}
    far = None if attributes.far is None else attributes.far * 1.01
    return EventAttributes(
        **{
            **{name: getattr(attributes, name) for name in EventAttributes.__dataclass_fields__},
            "quantities": numbers,
            "far": far,
            "mass_bins": bins,
        }
    )


def _shifted_bins(bins: MassBins | None) -> MassBins | None:
    """Return a histogram with other probabilities, no sum of which is a limit of a generated filter."""
    if bins is None:
        return None
    weights = [share + 0.0101 * 1.013**at for at, share in enumerate(bins.probabilities)]
    return replace(bins, probabilities=tuple(weight / sum(weights) for weight in weights))


def _shifted_map(says: MapProbabilities) -> MapProbabilities:
    return {
        query: share if share is None or query == GRADE else share * 0.99 + 0.003
        for query, share in says.items()
    }


QUARTERS = st.integers(0, 4).map(lambda n: n / 4)
linear: st.SearchStrategy[Filter] = st.builds(Compare, st.sampled_from([*CLASSES, "NS"]), ops, QUARTERS)


def _simplex(parts: int) -> Iterator[dict[str, float]]:
    for one, two, three in product(range(parts + 1), repeat=3):
        if one + two + three <= parts:
            shares = (one, two, three, parts - one - two - three)
            found = {name: share / parts for name, share in zip(CLASSES, shares, strict=True)}
            yield found | {"NS": found["BNS"] + found["NSBH"]}


@cache
def simplex_events() -> list[EventAttributes]:
    """Return an event for each way of sharing a probability among the classes in steps of a 32nd."""
    return [
        EventAttributes(
            superevent_id=REAL,
            alert_type="INITIAL",
            time_created=NOW,
            event_time=NOW,
            significant=True,
            retracted=False,
            fields={},
            quantities=numbers,
            far=None,
            far_is_joint=False,
            detectors=(),
            external=False,
            has_map=False,
        )
        for numbers in _simplex(32)
    ]


@settings(max_examples=60, deadline=None)
@given(_combined(linear, 6))
def test_for_the_classes_it_is_said_exactly_when_no_point_of_the_simplex_fits(wanted: Filter) -> None:
    objection = find_filter_objection(wanted)
    fits = any(evaluate_filter(wanted, attributes).matches for attributes in simplex_events())
    assert fits is (objection is None or objection.is_boundary)


LINES: dict[str, tuple[list[float], list[float]]] = {
    "HasNS": ([0, 0.25, 0.5, 1], [n / 8 for n in range(9)]),
    "area90": ([0, 10, 100, 41_252, 50_000], [0, 5, 10, 50, 100, 1_000, 41_252, 41_252.9]),
    "distance": ([0, 10, 100], [0, 5, 10, 50, 100, 200]),
    "mchirp": ([0, 1, 2], [0, 0.5, 1, 1.5, 2, 3]),
    "instruments": ([0, 1, 1.5, 2, 3], [1, 2, 3, 4]),
}
"""Limits of conditions by quantity, and numbers of which one lies in every part between the limits."""


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_for_each_quantity_it_is_said_exactly_when_no_number_fits(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LINES)))
    limits, numbers = LINES[name]
    wanted = data.draw(_combined(st.builds(Compare, st.just(name), ops, st.sampled_from(limits)), 5))
    objection = find_filter_objection(wanted)
    fits = any(
        evaluate_filter(wanted, replace(simplex_events()[0], quantities={name: n})).matches for n in numbers
    )
    assert fits is (objection is None or objection.is_boundary)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    _combined(
        st.builds(Compare, st.sampled_from(["area50", "area90"]), ops, st.sampled_from([0.0, 8.0, 16.0])), 6
    )
)
def test_for_the_two_areas_it_is_said_exactly_when_no_pair_fits(wanted: Filter) -> None:
    pairs = [(inner, outer) for outer in range(0, 28, 2) for inner in range(0, outer + 1, 2)]
    objection = find_filter_objection(wanted)
    fits = any(
        evaluate_filter(
            wanted, replace(simplex_events()[0], quantities={"area50": one, "area90": two})
        ).matches
        for one, two in pairs
    )
    assert fits is (objection is None or objection.is_boundary)


@pytest.mark.parametrize(
    ("words", "conditions", "reason"),
    [
        ("BNS>100%", "BNS>1", "a probability is at most 100 %"),
        ("V1 BNS>0.9 far<1/yr BNS<0.1", "BNS>0.9 BNS<0.1", "BNS>0.9 and BNS<0.1 exclude each other"),
        ("Burst distance<100", "Burst distance<100", "a Burst states no distance"),
        ("Burst z<0.1", "Burst z<0.1", "a Burst states no distance"),
        ("Burst (BNS or HasNS>0.2)", "Burst (BNS or HasNS>0.2)", "a Burst states no BNS"),
        ("area90<10 area90>20", "area90<10 area90>20", "area90<10 and area90>20 exclude each other"),
        ("area50>20 area90<10", "area50>20 area90<10", "the 50 % area is a part of the 90 % area"),
        ("area90>41253", "area90>41253", "the whole sky is 41,253 deg²"),
        ("SSM BNS", "search=SSM BNS>=0.5", "a notice of the search for sub-solar masses states no BNS"),
        ("INITIAL UPDATE", "type=INITIAL type=UPDATE", "a notice has one type"),
        (
            "EARLYWARNING Burst",
            "Burst type=EARLYWARNING",
            "an early warning is of a binary, so never a Burst",
        ),
        (
            "lowsig early-warning not significant",
            "type=EARLYWARNING not significant",
            "only a preliminary notice is of low significance",
        ),
        ("not significant", "not significant", 'without "lowsig" only significant alerts come'),
        ("instruments<2 H1 L1", "instruments<2 H1 L1", "H1, L1 are 2 instruments"),
        ("far<1/yr far>1/month", "far<1/yr far>1/month", "far<1/yr and far>1/month exclude each other"),
        (
            "mchirp<2.3 > 0.9 mchirp>=22 > 0.5 BNS",
            "mchirp<2.3>0.9 mchirp>=22>0.5",
            "ranges of masses that don't overlap have at most 100 % together",
        ),
        (
            "mchirp<1>0.2 mchirp 1..2>0.2 mchirp 2..3>0.2 mchirp<5<0.6",
            "mchirp<1>0.2 mchirp 1..2>0.2 mchirp 2..3>0.2 mchirp<5<0.6",
            "a range of masses is at least as probable as the ranges inside it together",
        ),
        (
            "mchirp<2.3>0.9 mchirp>3",
            "mchirp<2.3>0.9 mchirp>3",
            "the median lies where most of the probability lies",
        ),
        (
            "mchirp>=22>0.9 mchirp<3",
            "mchirp>=22>0.9 mchirp<3",
            "the median lies where most of the probability lies",
        ),
        (
            "mchirp<2>0.9 mchirp<2<0.5",
            "mchirp<2>0.9 mchirp<2<0.5",
            "mchirp<2>0.9 and mchirp<2<0.5 exclude each other",
        ),
        ("mchirp<2>1", "mchirp<2>1", "a probability is at most 100 %"),
        ("Burst mchirp<2>0.5", "Burst mchirp<2>0.5", "a Burst states no mchirp"),
        ("Burst within 200Mpc", "Burst within 200Mpc>0.5", "a Burst states no distance"),
        (
            "within 100 Mpc > 0.5 within 200 Mpc < 0.3",
            "within 100Mpc>0.5 within 200Mpc<0.3",
            "what lies within 100 Mpc lies within 200 Mpc too",
        ),
        ("grade x>=A not grade x>=A", "grade x>=A not grade x>=A", "a set gives such a grade or it doesn't"),
        ("z<0.1 distance>500", "z<0.1 distance>500", "z<0.1 and distance>500 exclude each other"),
        (
            "remnant>0.6 Terrestrial>0.5",
            "remnant>0.6 Terrestrial>0.5",
            "remnant is HasRemnant × (1 − Terrestrial)",
        ),
        (
            "NS>0.5 BBH>0.5",
            "NS>0.5 BBH>0.5",
            "BNS, NSBH, BBH and Terrestrial of one notice add up to 100 %",
        ),
        (
            "BNS<0.2 NSBH<0.2 BBH<0.2 Terrestrial<0.2",
            "BNS<0.2 NSBH<0.2 BBH<0.2 Terrestrial<0.2",
            "BNS, NSBH, BBH and Terrestrial of one notice add up to 100 %",
        ),
    ],
)
def test_the_fewest_conditions_are_named_with_the_reason(words: str, conditions: str, reason: str) -> None:
    objection = find_objection(parse_criteria(words))
    assert objection is not None
    assert (objection.conditions, objection.reason) == (conditions, reason)
    assert not objection.is_boundary
    assert objection.sentence.startswith(f'"{conditions}" can never hold: {reason}.')


@pytest.mark.parametrize(
    "words", ["BNS NSBH", "BNS=0.5", "BNS>=0.25 NS<=0.25 Terrestrial=0.75", "distance=300"]
)
def test_what_holds_at_one_number_alone_is_said(words: str) -> None:
    objection = find_objection(parse_criteria(words))
    assert objection is not None and objection.is_boundary
    assert "practically never happens" in objection.sentence


def test_two_classes_at_once_are_taken_for_alternatives() -> None:
    objection = find_objection(parse_criteria("BNS NSBH"))
    assert objection is not None
    assert objection.sentence.endswith('Perhaps you mean "BNS or NSBH".')


@pytest.mark.parametrize(
    "words",
    ["mchirp<2.3>0.5 mchirp>=2.3>0.4", "mchirp<2.3>=0.5 mchirp>=2.3>=0.5", "mchirp<2.3<0.1 mchirp>=2.3<0.1",
     "mchirp<2.3>0.9 mchirp<2.3", "mchirp 2..3>0.9 mchirp 1..4>0.9", "within 100Mpc>0.3 within 200Mpc>0.5",
     "within 100Mpc<0.3 within 200Mpc>0.5", "grade x>=A not grade x>=B", "BNS within 200Mpc mchirp<2.3>0.9",
     "", "CBC", "BNS", "BNS=1", "BNS=0", "BNS or NSBH", "instruments=2", "Burst (BNS or V1)", "lowsig",
     "not significant lowsig", "BNS<0.5 NSBH<0.5", "SSM HasSSM", "group=New distance<100",
     "near 10 20 5deg>=1", "NS>0.3 far<1/yr", "early-warning", "Fermi Swift", "notify @here if BNS>0.5",
     "notify @here if NS"],
)  # fmt: skip
def test_usual_criteria_meet_no_objection(words: str) -> None:
    assert find_objection(parse_criteria(words)) is None


def test_a_mention_that_never_happens_is_said() -> None:
    objection = find_objection(parse_criteria("BNS>0.6 notify @here if BBH>0.6"))
    assert objection is not None and objection.is_mention
    assert "so nobody would be mentioned" in objection.sentence


def test_a_mention_for_light_alone_is_judged_too() -> None:
    assert find_objection(parse_criteria("BBH>0.9 notify @here if NS")) is None
    objection = find_objection(parse_criteria("Burst not external notify @here if NS"))
    assert objection is not None and objection.is_mention


@pytest.mark.parametrize(
    ("words", "idle"),
    [
        ("BNS>=0", ["BNS>=0"]),
        ("area90<50000 BNS>0.5", ["area90<50000"]),
        ("BNS or not BNS", ["BNS or not BNS"]),
        ("BNS distance>0", []),
        ("instruments>=1", ["instruments>=1"]),
    ],
)
def test_conditions_that_choose_nothing_are_found(words: str, idle: list[str]) -> None:
    assert idle_conditions(parse_filter(words)) == idle


@pytest.mark.slow
@pytest.mark.timeout(20)
@given(st.randoms(use_true_random=False), st.integers(8, MAX_CONDITIONS // 2))
@settings(max_examples=10, deadline=None)
def test_many_alternatives_are_judged_within_the_time_that_slack_gives_a_form(
    random: Random, alternatives: int
) -> None:
    def condition(name: str) -> str:
        limit = f"{random.random():.3f}" if QUANTITIES[name].unit == "probability" else random.randint(1, 999)
        return f"{name}{random.choice('<>')}{limit}"

    names = [name for name, quantity in QUANTITIES.items() if quantity.unit in ("probability", "Mpc", "deg²")]
    words = " ".join(
        f"({condition(one)} or {condition(other)})"
        for one, other in (random.sample(names, 2) for _ in range(alternatives))
    )
    criteria = parse_criteria(f"{words} notify @here if BNS>0.5")
    find_objection(criteria)


@pytest.mark.slow
@pytest.mark.timeout(20)
def test_what_grades_stand_for_is_judged_within_that_time_too() -> None:
    def grade(at: int) -> Filter:
        parts = (f"(BNS>0.{at + 10 * n} or distance<{at * n + 1} or mchirp<{n + 1}>0.{at})" for n in range(5))
        return parse_filter(" ".join(parts))

    meant = [GradeCondition("x", Op.EQ, f"G{at}", grade(at) & ~grade(at - 1)) for at in range(11, 31)]
    find_filter_objection(reduce(and_, meant))


@given(st.text("BNSHV1 <>=0.5()ornt&|", max_size=60))
def test_whatever_can_be_read_can_be_judged(words: str) -> None:
    try:
        criteria = parse_criteria(words)
    except FilterSyntaxError:
        return
    objection = find_objection(criteria)
    assert objection is None or len(objection.sentence) < 500


def test_every_quantity_has_bounds() -> None:
    for name in QUANTITIES:
        found = find_filter_objection(Compare(name, Op.LT, 0.0))
        assert found is not None, name


def _description(attributes: EventAttributes) -> Filter:
    """Return the filter that describes a notice as closely as the language can."""
    parts: list[Filter] = [FieldIn(name, (value,)) for name, value in _fields(attributes)]
    parts += [
        Compare(name, op, value) for name, value in attributes.quantities.items() for op in (Op.GE, Op.LE)
    ]
    parts += [Detector(name) for name in attributes.detectors]
    parts += [External() if attributes.external else ~External()]
    parts += [Significant() if attributes.significant else ~Significant()]
    if attributes.far is not None:
        parts += [FarCompare(Op.GE, attributes.far), FarCompare(Op.LE, attributes.far)]
    return reduce(and_, parts)


def _fields(attributes: EventAttributes) -> Iterator[tuple[Field, str]]:
    for name in FIELDS:
        if name in attributes.fields:
            yield name, attributes.fields[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE_EVENTS)
def test_no_notice_of_the_samples_is_called_impossible(name: str) -> None:
    known: list[Notice] = []
    for record in SAMPLE_EVENTS[name](NOW):
        known.append(notice_from_record(record))
        attributes = extract_attributes(Superevent.from_notices(known))
        assert attributes is not None
        # Sums of rounded numbers aren't exact.
        wanted = _description(replace(attributes, quantities=_loose(attributes)))
        objection = find_filter_objection(wanted)
        assert objection is None or objection.is_boundary, objection.sentence


def _loose(attributes: EventAttributes) -> dict[str, float]:
    return {n: v for n, v in attributes.quantities.items() if n not in ("NS", "remnant", "Terrestrial")}
