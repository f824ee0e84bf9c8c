"""Hypothesis strategies: filters, criteria and event attributes."""

from __future__ import annotations

import operator
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from bot.filters.event_attributes import EventAttributes
from bot.filters.stream_words import in_order
from bot.filters.vocabulary import DETECTORS
from formatters.models.escalation import EscalationStep
from formatters.models.filter import (
    SECONDS_PER_UNIT,
    And,
    Compare,
    ConeQuery,
    Detector,
    DistanceQuery,
    External,
    FarCompare,
    FieldIn,
    Filter,
    GradeCondition,
    MassProbability,
    Near,
    Op,
    Significant,
    SiteQuery,
    VisibleFrom,
    Within,
    conditions,
    map_queries,
)
from formatters.models.notice import ALERT_TYPES, Distance, ExternalCoincidence, Localization, MassBins
from formatters.models.quantity import QUANTITIES
from formatters.models.related_message import THREAD_STREAMS
from formatters.models.subscription import Criteria, MentionRule
from tests.support.factories import NOW, REAL

numbers = st.one_of(st.sampled_from([0.5, 300.0, 1e-8, 0.0]), st.floats(0, 1e12))
shares = st.one_of(st.sampled_from([0.5, 0.1]), st.floats(0, 1))
ops = st.sampled_from(Op)
probabilities = [name for name, quantity in QUANTITIES.items() if quantity.unit == "probability"]
cones = st.builds(
    ConeQuery,
    ra=st.integers(0, 359_999_999).map(lambda n: n / 1e6),
    dec=st.integers(-90_000_000, 90_000_000).map(lambda n: n / 1e6),
    radius=st.integers(1, 180_000_000).map(lambda n: n / 1e6),
)
sites = st.sampled_from(["Palomar", "Cerro Tololo", "ESO-1.54", "La Silla (3.6)", "Mauna Kea"]).map(SiteQuery)
masses = st.one_of(st.sampled_from([0.87, 2.3, 5.5, 22.0]), st.floats(1e-3, 1e6))
MASS_EDGES = (0.1, 0.87, 1.0, 1.465, 2.3, 3.0, 5.5, 11.0, 22.0, 44.0)
mass_ranges = st.one_of(
    st.tuples(st.just(0.0), masses),
    st.tuples(st.one_of(st.just(0.0), masses), st.none()),
    st.tuples(masses, masses).map(sorted).filter(lambda two: two[0] < two[1]),
)
mass_probabilities = st.builds(
    lambda bounds, op, share: MassProbability(bounds[0], bounds[1], op, share), mass_ranges, ops, shares
)
SLUGS = ("rubin-2026", "ntt-kilonova", "x", "ntt-mass-gap", "our-binary-black-holes")
slugs = st.sampled_from(SLUGS)
GRADE_NAMES = ("Gold", "lensed A", "Priority 1", "A+", "Mass-gap", "Test", "Événement", "BNS")
grade_names = st.sampled_from(GRADE_NAMES)
grade_conditions = st.one_of(
    st.builds(GradeCondition, slugs), st.builds(GradeCondition, slugs, ops, grade_names)
)
"""Unresolved, as parsed text is."""
simple: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Compare, st.sampled_from(probabilities), ops, shares),
    st.builds(Compare, st.sampled_from(["area50", "area90", "distance", "instruments"]), ops, numbers),
    st.builds(Compare, st.just("z"), ops, st.floats(0, 1000)),
    st.builds(Compare, st.just("mchirp"), ops, numbers),
    st.just(Significant()),
    st.builds(
        FieldIn, st.just("observatory"), st.sampled_from([("Fermi",), ("Swift", "IceCube"), ("x.y-z",)])
    ),
    st.builds(FarCompare, ops, numbers, st.floats(1e-3, 1e9), st.sampled_from(sorted(SECONDS_PER_UNIT))),
    st.builds(FarCompare, ops, numbers),
    st.sampled_from(DETECTORS).map(Detector),
    st.just(External()),
    st.builds(FieldIn, st.just("group"), st.sampled_from([("CBC",), ("Burst",), ("CBC", "Burst"), ("New",)])),
    st.builds(FieldIn, st.just("search"), st.sampled_from([("SSM",), ("AllSky", "mock"), ("x.y-z",)])),
    st.builds(FieldIn, st.just("pipeline"), st.sampled_from([("gstlal",), ("pycbc", "all")])),
    st.builds(
        FieldIn,
        st.just("type"),
        st.lists(st.sampled_from(ALERT_TYPES[:-1]), min_size=1, unique=True).map(tuple),
    ),
    st.builds(Near, cones, ops, shares),
    st.builds(VisibleFrom, sites, ops, shares),
    st.builds(Within, st.floats(1e-3, 1e9).map(DistanceQuery), ops, shares),
    mass_probabilities,
    grade_conditions,
)
any_filter = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
        inner.map(operator.invert),
    ),
    max_leaves=8,
)


def _without_group(found: Filter) -> Filter | None:
    kept: Filter | None = None
    for part in found.parts if isinstance(found, And) else (found,):
        if part not in (FieldIn("group", ("CBC",)), FieldIn("group", ("Burst",))):
            kept = part if kept is None else kept & part
    return kept


targets = st.sampled_from(["<!here>", "<!channel>", "<@U024BE7LH>", "<@W1>", "<!subteam^S0AB1>", "<@U2>"])


def _needs_only_the_notice(found: Filter) -> bool:
    return not map_queries(found) and not any(isinstance(one, GradeCondition) for one in conditions(found))


quiet_filters = any_filter.filter(_needs_only_the_notice)


@st.composite
def any_escalation(draw: st.DrawFn) -> tuple[EscalationStep, ...]:
    """Return up to five steps at increasing times; the last may be the webhook."""
    has_webhook: bool = draw(st.booleans())
    minutes: list[int] = sorted(draw(st.sets(st.integers(1, 720), max_size=5)))
    chosen = st.lists(targets, min_size=1, max_size=3, unique=True).map(tuple)
    steps = [EscalationStep(after=timedelta(minutes=after), targets=draw(chosen)) for after in minutes]
    if steps and has_webhook:
        steps[-1] = replace(steps[-1], targets=(), webhook=True)
    return tuple(steps)


@st.composite
def any_criteria(draw: st.DrawFn) -> Criteria:
    criteria = draw(
        st.builds(
            Criteria,
            group=st.sampled_from(["CBC", "Burst", "all"]),
            mock=st.booleans(),
            test=st.booleans(),
            lowsig=st.booleans(),
            streams=st.sets(st.sampled_from(THREAD_STREAMS)).map(in_order),
            criteria_sets=st.lists(slugs, max_size=3, unique=True).map(tuple),
        )
    )
    if criteria.mock or criteria.test:
        criteria = replace(criteria, real=draw(st.booleans()))
    if draw(st.booleans()):
        # A group at the top of a filter is the filter itself.
        criteria = replace(criteria, filter=_without_group(draw(any_filter)))
    if draw(st.booleans()):
        criteria = replace(criteria, quiet=draw(quiet_filters))
    if not draw(st.booleans()):
        return criteria
    notify = MentionRule(
        targets=tuple(draw(st.lists(targets, min_size=1, unique=True))),
        mock=criteria.mock and draw(st.booleans()),
        test=criteria.test and draw(st.booleans()),
        only_ns=draw(st.booleans()),
    )
    if not notify.only_ns and draw(st.booleans()):
        notify = replace(notify, condition=draw(any_filter))
    return replace(criteria, notify=replace(notify, escalation=draw(any_escalation())))


criteria_list = any_criteria()


@st.composite
def histograms(draw: st.DrawFn) -> MassBins:
    """Return a chirp mass's histogram whose probabilities, multiples of a 64th, sum to 1."""
    edges = sorted(draw(st.sets(st.sampled_from(MASS_EDGES), min_size=2)))
    cuts = sorted(draw(st.lists(st.integers(0, 64), min_size=len(edges) - 2, max_size=len(edges) - 2)))
    shares = [(b - a) / 64 for a, b in zip([0, *cuts], [*cuts, 64], strict=True)]
    return MassBins(bin_edges=tuple(edges), probabilities=tuple(shares))


stated = st.builds(
    lambda numbers, named, far, joint, detectors, external, has_map, bins: EventAttributes(
        superevent_id=REAL,
        alert_type="INITIAL",
        time_created=NOW,
        event_time=NOW,
        significant=True,
        retracted=False,
        fields={name: value.casefold() for name, value in named.items()},
        quantities=numbers,
        far=far,
        far_is_joint=joint,
        detectors=tuple(detectors),
        external=external,
        has_map=has_map,
        mass_bins=bins,
    ),
    st.dictionaries(st.sampled_from(sorted(QUANTITIES)), numbers),
    st.dictionaries(st.sampled_from(["group", "search", "pipeline", "type"]), st.sampled_from(["CBC", "x"])),
    st.one_of(st.none(), numbers),
    st.booleans(),
    st.lists(st.sampled_from(DETECTORS)),
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), histograms()),
)

SKY = Localization(
    ra=197.0,
    dec=-23.0,
    area_50=8.9,
    area_90=31.0,
    regions=(),
    distance=Distance(mean=40.0, std=8.0),
    peak_distance=None,
)
GRB = ExternalCoincidence(
    observatory="Fermi",
    search="GRB",
    gcn_notice_id=None,
    ivorn=None,
    time_difference=1.7,
    time_coincidence_far=2e-10,
    time_sky_position_coincidence_far=1e-10,
)
