"""The words of a subscription."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import (
    MAX_TARGETS,
    FilterSyntaxError,
    category_allowed,
    evaluate_filter,
    extract_attributes,
    is_match,
    matches,
    mention_targets,
    parse_criteria,
    parse_filter,
)
from bot.filters.evaluator import UNKNOWN
from bot.filters.event_attributes import EventAttributes
from bot.filters.parser import DETECTORS, MAX_CONDITIONS, MAX_LENGTH
from formatters.models.filter import (
    QUANTITIES,
    SECONDS_PER_UNIT,
    And,
    Compare,
    ConeQuery,
    Detector,
    External,
    FarCompare,
    FieldIn,
    Filter,
    MapQuery,
    Near,
    Op,
    SiteQuery,
    VisibleFrom,
    map_queries,
)
from formatters.models.notice import ALERT_TYPES, Category, Distance, ExternalCoincidence, Localization
from formatters.models.subscription import Criteria, MentionRule
from formatters.models.superevent import Superevent
from formatters.text.filter_sentences import filter_sentence
from tests.support.factories import MOCK, NOW, REAL, TEST, decoded_notice

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
simple: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Compare, st.sampled_from(probabilities), ops, shares),
    st.builds(Compare, st.sampled_from(["area50", "area90", "distance", "instruments"]), ops, numbers),
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


@st.composite
def any_wish(draw: st.DrawFn) -> Criteria:
    criteria = draw(
        st.builds(
            Criteria,
            group=st.sampled_from(["CBC", "Burst", "all"]),
            mock=st.booleans(),
            test=st.booleans(),
            lowsig=st.booleans(),
            circulars=st.booleans(),
        )
    )
    if draw(st.booleans()):
        # A group at the top of a filter is the wish's own.
        criteria = replace(criteria, filter=_without_group(draw(any_filter)))
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
    return replace(criteria, notify=notify)


criteria_list = any_wish()


@given(criteria_list)
def test_a_wish_reads_as_it_is_written(criteria: Criteria) -> None:
    assert parse_criteria(criteria.canonical) == criteria


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("", "all"),
        ("   ", "all"),
        ("cbc", "CBC"),
        ("BURST", "Burst"),
        ("mock CBC", "CBC mock"),
        ("Mocks, tests", "all mock test"),
        ("LowSig burst", "Burst lowsig"),
        ("low-significance", "all lowsig"),
        ("cbc CBC mock mock", "CBC mock"),
        ("cbc notify @here", "CBC notify @here"),
        ("CBC NOTIFY @Here IF ns", "CBC notify @here if NS"),
        ("notify <!channel> <!here|here> <!here>", "all notify @channel @here"),
        (
            "CBC notify <@U024BE7LH|ada>, <!subteam^S0AB1|@on call>",
            "CBC notify <@U024BE7LH> <!subteam^S0AB1>",
        ),
        ("mock notify @here notify-mock if NS", "all mock notify @here notify-mocks if NS"),
        ("test mock notify notify-tests @here", "all mock test notify @here notify-tests"),
    ],
)
def test_order_and_case_dont_matter(words: str, canonical: str) -> None:
    assert parse_criteria(words).canonical == canonical


@pytest.mark.parametrize("words", ["frob", "' OR 1=1 --", "*", "<!channel>", "🛰", "CBC <@U1>"])
def test_unknown_words_get_a_sentence_with_the_word(words: str) -> None:
    with pytest.raises(FilterSyntaxError, match="none of CBC, Burst, all, mock, test, lowsig"):
        parse_criteria(words)


@pytest.mark.parametrize(
    ("words", "meant"),
    [("CBC mok", "mock"), ("bnss", "BNS"), ("distanse<300", "distance"), ("bsn>0.5", "BNS")],
)
def test_a_misspelled_word_gets_the_one_that_was_meant(words: str, meant: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    assert str(refused.value).endswith(f'is no condition; did you mean "{meant}"?')


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
        ("distance<0.3Gpc area90<1,000 deg2", "all distance<300 area90<1000"),
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
    def sites(name: str) -> str | None:
        return KNOWN_SITES.get(name.casefold())

    assert (
        parse_criteria("visible from cerro tololo BNS", sites).canonical
        == 'all visible from "Cerro Tololo">0.1 BNS'
    )
    assert parse_criteria('visible from "PALOMAR"', sites).canonical == "all visible from Palomar>0.1"
    with pytest.raises(FilterSyntaxError, match='"Atlantis" is no site I know'):
        parse_criteria("visible from Atlantis", sites)


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
        ("BNS 0.5", '"0.5" stands alone: a number follows a comparison, like BNS>0.5.'),
        ("> 0.5", '">" (character 1) has nothing before it to compare.'),
        ("BNS>", '">" (character 4) needs a number as in BNS>0.5.'),
        ("BNS>high", '"high" is not a number as in BNS>0.5.'),
        ("BNS>50", '"50" is no probability: 0 to 1, or 0 % to 100 %.'),
        ("BNS>-1", '"-1" is no probability: 0 to 1, or 0 % to 100 %.'),
        ("distance", '"distance" needs a comparison, like distance<300.'),
        ("distance<300km", '"300km" is not a number as in distance<300.'),
        ("distance<1e999", '"1e999" is no number from 0 on.'),
        ("100<distance", '"100" stands alone: a number follows a comparison, like BNS>0.5.'),
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
def test_what_is_no_filter_gets_a_sentence_that_points_at_the_word(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    assert str(refused.value) == sentence


answers = st.dictionaries(
    st.sampled_from([SiteQuery(name) for name in ("Palomar", "Cerro Tololo", "ESO-1.54")]), st.floats(0, 1)
)
some = st.one_of(st.none(), st.floats(0, 1))
stated = st.builds(
    lambda numbers, named, far, joint, detectors, external, has_map: EventAttributes(
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
    ),
    st.dictionaries(st.sampled_from(sorted(QUANTITIES)), numbers),
    st.dictionaries(st.sampled_from(["group", "search", "pipeline", "type"]), st.sampled_from(["CBC", "x"])),
    st.one_of(st.none(), numbers),
    st.booleans(),
    st.lists(st.sampled_from(DETECTORS)),
    st.booleans(),
    st.booleans(),
)


@given(any_filter, stated, st.data())
def test_a_filter_and_its_negation_never_both_match(
    wanted: Filter, traits: EventAttributes, data: st.DataObject
) -> None:
    asked: dict[MapQuery, float | None] = {
        question: data.draw(some) for question in sorted(map_queries(wanted), key=repr)
    }
    yes, no = evaluate_filter(wanted, traits, asked), evaluate_filter(~wanted, traits, asked)
    assert yes[0] == yes[1], "once the map is asked, all is decided"
    assert not (is_match(yes) and is_match(no))
    first = evaluate_filter(wanted, traits)
    assert first[0] <= yes[0] <= first[1], "what the map says lies within what was open"


@given(any_filter, stated, st.data())
def test_a_filter_or_its_negation_matches_where_every_fact_is_known(
    wanted: Filter, traits: EventAttributes, data: st.DataObject
) -> None:
    known = replace(
        traits,
        fields={"group": "cbc", "search": "ssm", "pipeline": "gstlal", "type": "initial"}
        | dict(traits.fields),
        quantities=dict.fromkeys(QUANTITIES, 0.5) | dict(traits.quantities),
        far=traits.far or 0.0,
        detectors=traits.detectors or ("L1",),
        has_map=True,
    )
    asked: dict[MapQuery, float | None] = {
        question: data.draw(shares) for question in sorted(map_queries(wanted), key=repr)
    }
    assert is_match(evaluate_filter(wanted, known, asked)) is not is_match(
        evaluate_filter(~wanted, known, asked)
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
    traits = extract_attributes(
        Superevent.from_notices([replace(decoded_notice(instruments=["H1", "L1"]), localization=SKY)])
    )
    assert traits is not None
    found = evaluate_filter(parse_filter(words), traits, dict.fromkeys(map_queries(parse_filter(words))))
    assert found == ({True: (1, 1), False: (-1, -1), None: UNKNOWN}[expected])


@pytest.mark.parametrize(
    "words", ["distance<300", "not distance<300", "BNS", "not BNS", "NS", "near 1 2 3deg"]
)
def test_what_a_burst_lacks_matches_neither_way(words: str) -> None:
    burst = decoded_notice(group="Burst", search="AllSky", classification={}, properties={})
    assert not matches(parse_criteria(f"Burst {words}"), Superevent.from_notices([burst]))


def test_an_alert_significant_by_coincidence_passes_by_its_joint_far() -> None:
    weak = decoded_notice(far=3e-5)
    for notice, passes in (
        (weak, False),
        (replace(weak, external=GRB), True),
        (decoded_notice(far=9e-8), False),
    ):
        assert matches(parse_criteria("CBC far<1/yr"), Superevent.from_notices([notice])) is passes
    strong = extract_attributes(Superevent.from_notices([replace(decoded_notice(far=1e-9), external=GRB)]))
    assert strong is not None and strong.far == 1e-9 and not strong.far_is_joint
    for search, group, passes in (("SSM", "CBC", True), ("AllSky", "Burst", True), ("BBH", "Burst", False)):
        middling = replace(decoded_notice(far=9e-8, search=search, group=group), external=GRB)
        assert matches(parse_criteria("far<1/yr"), Superevent.from_notices([middling])) is passes
    lone = replace(GRB, time_sky_position_coincidence_far=None)
    traits = extract_attributes(Superevent.from_notices([replace(weak, external=lone)]))
    assert traits is not None and traits.far == 2e-10 and traits.far_is_joint


@given(stated)
def test_traits_are_kept_as_json(traits: EventAttributes) -> None:
    assert EventAttributes.from_json(traits.superevent_id, traits.to_json()) == traits


@pytest.mark.parametrize(
    ("condition", "whom"),
    [("BNS>0.9", 1), ("BNS>0.99", 0), ("not BNS", 0), ("HasSSM", 0), ("NS far<1/yr", 1)],
)
def test_any_filter_after_if(condition: str, whom: int) -> None:
    superevent = Superevent.from_notices([decoded_notice()])
    assert len(mention_targets(parse_criteria(f"CBC notify @here if {condition}"), superevent)) == whom


def test_two_groups_get_a_sentence() -> None:
    with pytest.raises(FilterSyntaxError, match='"CBC" and "Burst" together'):
        parse_criteria("cbc burst")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("CBC notify", '"notify" needs somebody to mention: @here, @channel, a person or a group.'),
        ("CBC notify if NS", '"notify" needs somebody to mention: @here, @channel, a person or a group.'),
        ("CBC notify @here if", '"if" needs a condition after it: if NS, or any filter.'),
        (
            "CBC notify @here if NS mock",
            '"mock" stands by itself, outside of "and", "or", "not" and "( )".',
        ),
        ("CBC mock notify @here if NS notify-mocks", '"notify-mocks" belongs before "if".'),
        ("CBC notify here", '"here" can\'t be mentioned: @here, @channel, a person or a group.'),
        (
            "CBC notify <!everyone>",
            '"<!everyone>" can\'t be mentioned: @here, @channel, a person or a group.',
        ),
        (
            "CBC notify @ada",
            'Slack didn\'t say who "@ada" is: pick the name from its list while typing.',
        ),
        ("CBC notify @here mock", '"mock" is nobody to mention: write it before "notify".'),
        ("CBC notify @here notify-mocks", '"notify-mocks" needs "mock" before "notify".'),
        (
            "CBC notify-mocks",
            '"notify-mocks" is none of CBC, Burst, all, mock, test, lowsig, circulars, notify,'
            " nor a condition like BNS.",
        ),
        (
            "notify " + " ".join(f"<@U{n}>" for n in range(MAX_TARGETS + 1)),
            '"notify" mentions at most 10: make it a user group.',
        ),
    ],
)
def test_what_cant_be_mentioned_gets_a_sentence(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    assert str(refused.value) == sentence


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


def test_what_is_retracted_mentions_nobody() -> None:
    gone = Superevent.from_notices([decoded_notice(), decoded_notice(alert_type="RETRACTION", minutes=5)])
    assert mention_targets(parse_criteria("all notify @here"), gone) == ()


@given(st.text(max_size=300))
def test_whatever_is_typed_is_read_or_refused_in_a_short_sentence(words: str) -> None:
    try:
        assert parse_criteria(parse_criteria(words).canonical) == parse_criteria(words)
    except FilterSyntaxError as refused:
        assert len(str(refused)) < 150


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


def test_the_newest_event_decides_and_a_retraction_keeps_what_it_withdraws() -> None:
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
