"""Grades of stored superevents: at once without the map, measured once with it, never at a message's cost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.criteria.parsing import parse_grades
from bot.criteria.presets import BUILT_IN
from bot.observing.rubin_sky import RubinSky, measure_rubin_sky
from bot.runtime.threads import ThreadHangs
from bot.samples import MS181101AB_PEAK, ms181101ab, sky_map, to_avro
from bot.samples import notice as announced
from bot.skymap_service import grading
from bot.skymap_service.filter_queries import SkyMapQueries
from bot.skymap_service.grading import PAST_MAX, GradingService
from bot.skymaps.skymap import SkyMap
from bot.store.database import StoreUnavailable
from formatters.models.criteria_set import CriteriaSet, GradeOutcome, Stage, Verdict, WhyUndecided
from formatters.models.filter import DistanceQuery, GradeQuery, MapQuery, Op
from formatters.models.notice import INITIAL, PRELIMINARY, UPDATE, NoticeKey
from formatters.models.superevent import Superevent
from tests.support.factories import NOW, notice_record, planner

HERE = "near {:.3f} {:.3f} 5deg".format(*MS181101AB_PEAK)
RUBIN = BUILT_IN["rubin-2026"]


def made_set(text: str) -> CriteriaSet:
    return CriteriaSet(slug="mine", grades=parse_grades(text))


class Counting(SkyMapQueries):
    """Counts what the maps are asked, and for which time."""

    def __init__(self, factory: Factory) -> None:
        super().__init__(factory.skymap_cache, self._visible_share)
        self.asked: list[MapQuery] = []
        self.times: list[datetime] = []
        self.threads: set[str] = set()

    def _visible_share(self, site: str, skymap: SkyMap, when: datetime) -> float | None:
        self.threads.add(threading.current_thread().name)
        return {"Palomar": 0.6}.get(site)

    async def probabilities(
        self, key: NoticeKey, queries: Collection[MapQuery], when: datetime
    ) -> dict[MapQuery, float | None]:
        self.asked += queries
        self.times.append(when)
        return await super().probabilities(key, queries, when)


def create(factory: Factory) -> tuple[GradingService, Counting]:
    queries = Counting(factory)
    return GradingService(factory.notices, factory.skymap_cache, queries), queries


async def store(factory: Factory, *bodies: bytes) -> Superevent:
    """Store notices that were received two days late."""
    for body in bodies:
        notice = replace(decode(body), received=NOW + timedelta(days=2))
        assert (await factory.notices.record(notice, body, "test:1", NOW, planner(NOW))).new
    found = await factory.notices.superevent(notice.superevent_id)
    assert found is not None
    return found


async def story(factory: Factory, *steps: int) -> Superevent:
    return await store(factory, *(to_avro(ms181101ab(NOW)[step]) for step in steps))


class TestWithoutMap:
    async def test_outcome_is_there_at_once_and_says_what_the_map_decides(self, factory: Factory) -> None:
        service, queries = create(factory)
        superevent = await story(factory, 1)
        set_ = made_set(f"Gold: {HERE}>0.01; Silver: BNS")
        outcome = service.outcome_without_map(set_, superevent)
        assert (outcome.grades, outcome.undecided) == (("Silver",), ("Gold",))
        assert outcome.why_undecided is WhyUndecided.MAP_PENDING
        assert service.cached_outcome(set_, superevent) is None
        assert queries.asked == []

    async def test_set_that_asks_no_map_has_its_outcome_at_once(self, factory: Factory) -> None:
        service, queries = create(factory)
        superevent = await story(factory, 1)
        set_ = made_set("Gold: BNS distance<5000")
        expected = GradeOutcome(slug="mine", grades=("Gold",), rank=0)
        assert service.outcome_without_map(set_, superevent) == expected
        assert service.cached_outcome(set_, superevent) == expected
        assert await service.outcome(set_, superevent) == expected
        assert queries.asked == [] and not service.needs_map(set_)

    async def test_map_is_not_measured_where_the_numbers_decide(self, factory: Factory) -> None:
        service, queries = create(factory)
        superevent = await story(factory, 1)
        set_ = made_set(f"Gold: BBH>0.9 {HERE}; Silver: BNS; Bronze: {HERE}")
        assert service.needs_map(set_)
        assert (await service.outcome(set_, superevent)).grades == ("Silver",)
        assert queries.asked == []


class TestWithMap:
    async def test_map_decides_and_is_asked_once_however_many_ask(self, factory: Factory) -> None:
        service, queries = create(factory)
        superevent = await story(factory, 1)
        set_ = made_set(f"Gold: {HERE}>0.01 visible from Palomar>0.5; Silver: BNS")
        outcomes = await asyncio.gather(*(service.outcome(set_, superevent) for _ in range(5)))
        assert set(outcomes) == {GradeOutcome(slug="mine", grades=("Gold",), rank=0)}
        assert service.cached_outcome(set_, superevent) == outcomes[0]
        other = replace(set_, slug="other")
        assert (await service.outcome(other, superevent)).grades == ("Gold",)
        assert len(queries.asked) == 2, "another set with the same conditions asks nothing again"
        assert "MainThread" not in queries.threads

    async def test_sites_are_judged_for_the_night_of_the_notice(self, factory: Factory) -> None:
        service, queries = create(factory)
        superevent = await story(factory, 1)
        await service.outcome(made_set("Gold: visible from Palomar"), superevent)
        assert queries.times == [superevent.latest.time_created]

    async def test_new_notice_is_judged_anew(self, factory: Factory) -> None:
        service, queries = create(factory)
        set_ = made_set(f"Gold: {HERE}>0.01")
        await service.outcome(set_, await story(factory, 1))
        later = await story(factory, 2)
        assert service.cached_outcome(set_, later) is None
        await service.outcome(set_, later)
        assert len(queries.asked) == 2

    async def test_distance_along_the_lines_of_sight_decides(self, factory: Factory) -> None:
        service, _ = create(factory)
        superevent = await story(factory, 1)
        where = superevent.latest.best_localization
        assert where is not None and where.distance is not None
        mean = where.distance.mean
        explained = await service.explain(
            made_set(f"Gold: within {mean * 3:.0f}Mpc>0.9; Silver: within {mean / 3:.0f}Mpc>0.9"), superevent
        )
        assert explained.outcome.grades == ("Gold",)
        values = [grade.conditions[0].value or 0.0 for grade in explained.grades]
        assert values[0] > 0.95 and values[1] < 0.1

    async def test_payload_that_is_gone_leaves_the_grade_not_stated(self, factory: Factory) -> None:
        service, _ = create(factory)
        superevent = await story(factory, 1)
        await factory.notices.purge_mock_payloads(NOW + timedelta(days=1))
        for set_ in (made_set(f"Gold: {HERE}"), RUBIN):
            outcome = await service.outcome(set_, superevent)
            assert (outcome.grades, outcome.why_undecided) == ((), WhyUndecided.NOT_STATED)

    async def test_explanation_has_the_maps_numbers_even_where_others_decide(self, factory: Factory) -> None:
        service, _ = create(factory)
        explained = await service.explain(made_set(f"Gold: BBH>0.9 {HERE}>0.99"), await story(factory, 1))
        bbh, here = explained.grades[0].conditions
        assert (bbh.verdict, here.verdict) == (Verdict.FAILED, Verdict.FAILED)
        assert here.value is not None and 0 < here.value < 0.99


class TestRubin:
    async def test_initial_and_newest_notice_are_measured_once_each(
        self, factory: Factory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        measured: list[datetime] = []

        def measure(skymap: SkyMap, event_time: datetime) -> RubinSky:
            measured.append(event_time)
            assert threading.current_thread() is not threading.main_thread()
            return measure_rubin_sky(skymap, event_time)

        monkeypatch.setattr(grading, "measure_rubin_sky", measure)
        service, queries = create(factory)
        where = sky_map(
            [(60.0, -30.0, 1.0, 1.5)],
            superevent_id="S261122a",
            time=NOW,
            distance=(100.0, 20.0),
            base_order=3,
            rounds=4,
        )
        bodies = [
            to_avro(notice_record(alert_type=kind, minutes=n, skymap=where))
            for n, kind in enumerate((PRELIMINARY, INITIAL, UPDATE))
        ]
        superevent = await store(factory, *bodies)
        before = superevent.up_to(superevent.notices[0])
        would_be = await service.outcome(RUBIN, before)
        assert (would_be.grades, would_be.stage) == (("Gold",), Stage.WOULD_BE)
        stands = await service.outcome(RUBIN, superevent)
        assert (stands.grades, stands.stage, stands.newest_grades) == (("Gold",), Stage.STANDS, ("Gold",))
        times = [one.event.time for one in superevent.notices if one.event is not None]
        assert measured == times and queries.asked == []
        await service.explain(RUBIN, superevent)
        assert len(measured) == 3
        assert service.outcome_without_map(RUBIN, superevent).why_undecided is WhyUndecided.MAP_PENDING

    async def test_filters_ask_for_the_grade(self, factory: Factory) -> None:
        where = sky_map([(60.0, -30.0, 1.0, 1.5)], superevent_id="S261122a", time=NOW, base_order=3, rounds=4)
        superevent = await store(factory, to_avro(notice_record(skymap=where)))
        queries: list[MapQuery] = [
            GradeQuery("rubin-2026", Op.GE, "Silver"),
            GradeQuery("rubin-2026", Op.LT, "Gold"),
            GradeQuery("rubin-2026", Op.GE, None),
            GradeQuery("tarot", Op.GE, None),
            GradeQuery("of-a-newer-version", Op.GE, None),
            DistanceQuery(200.0),
        ]
        found = await factory.skymap_queries.probabilities(superevent.latest.key, queries, NOW)
        assert [found[query] for query in queries] == [1.0, 0.0, 1.0, None, None, None]

    async def test_filters_get_an_answer_without_a_map_where_the_numbers_decide(
        self, factory: Factory
    ) -> None:
        query = GradeQuery("rubin-2026", Op.GE, None)
        superevent = await store(factory, to_avro(notice_record(far=1e-6)))
        key = superevent.latest.key
        assert await factory.skymap_queries.probabilities(key, [query], NOW) == {query: 0.0}
        open_ = await store(factory, to_avro(notice_record("S261122b")))
        key = open_.latest.key
        assert await factory.skymap_queries.probabilities(key, [query], NOW) == {query: None}
        unknown = ("S990101a", PRELIMINARY, NOW, "")
        assert await factory.skymap_queries.probabilities(unknown, [query], NOW) == {query: None}


class TestFailures:
    async def test_defect_is_logged_and_the_set_is_not_judged(
        self, factory: Factory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service, _ = create(factory)
        superevent = await story(factory, 1)

        def broken(*_: object) -> RubinSky:
            raise ZeroDivisionError

        monkeypatch.setattr(grading, "measure_rubin_sky", broken)
        with capture_logs() as logs:
            outcome = await service.outcome(RUBIN, superevent)
            explained = await service.explain(RUBIN, superevent)
        assert outcome.why_undecided is WhyUndecided.NOT_JUDGED and not outcome.grades
        assert explained.outcome == outcome
        assert [(log["event"], log["criteria_set"]) for log in logs] == [
            ("unexpected_error", "rubin-2026"),
            ("unexpected_error", "rubin-2026"),
        ]

    async def test_defect_of_judging_itself_is_logged_too(
        self, factory: Factory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service, _ = create(factory)
        superevent = await story(factory, 1)

        def broken(*_: object) -> GradeOutcome:
            raise ZeroDivisionError

        monkeypatch.setattr(grading, "grade", broken)
        set_ = made_set("Gold: BNS")
        with capture_logs() as logs:
            for outcome in (
                service.outcome_without_map(set_, superevent),
                service.cached_outcome(set_, superevent),
                await service.outcome(set_, superevent),
            ):
                assert outcome is not None and outcome.why_undecided is WhyUndecided.NOT_JUDGED
        assert len(logs) == 3

    @pytest.mark.parametrize("name", ["compare_grade", "needs_map", "outcome_of_failure"])
    async def test_question_whose_answer_meets_a_defect_has_none(
        self, factory: Factory, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """An exception would be met again and again, and keep the routing of other events waiting."""
        service, _ = create(factory)
        superevent = await story(factory, 1)

        def broken(*_: object) -> GradeOutcome:
            raise ZeroDivisionError

        monkeypatch.setattr(grading, name, broken)
        monkeypatch.setattr(grading, "grade", broken)
        with capture_logs() as logs:
            assert await service.answer(GradeQuery("tarot", Op.GE, None), superevent) is None
        assert {log["event"] for log in logs} == {"unexpected_error"}

    async def test_store_in_trouble_is_raised_and_asked_again(
        self, factory: Factory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service, _ = create(factory)
        superevent = await story(factory, 1)
        set_ = made_set(f"Gold: {HERE}>0.01")
        with monkeypatch.context() as patch:

            async def unavailable(_: object) -> None:
                raise StoreUnavailable("The database is locked.")

            patch.setattr(factory.skymap_cache, "get", unavailable)
            for ask in (service.outcome, service.explain):
                with pytest.raises(StoreUnavailable):
                    await ask(set_, superevent)
        assert (await service.outcome(set_, superevent)).grades == ("Gold",)


async def test_past_events_are_judged_in_their_order_up_to_a_number(factory: Factory) -> None:
    service, _ = create(factory)
    notices = [decode(to_avro(announced("S261122a", "RETRACTION", NOW)))]
    alone = Superevent.from_notices(notices)
    judged = await story(factory, 1)
    outcomes = await service.grades_of_past(made_set("Gold: BNS"), [judged, *[alone] * PAST_MAX])
    assert len(outcomes) == PAST_MAX
    assert [outcome.grades for outcome in outcomes[:2]] == [("Gold",), ()]


async def test_measurement_that_hangs_leaves_the_grade_not_stated(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hanging(*_: object) -> None:
        raise ThreadHangs("measure_rubin_sky took longer than 120 s.")

    service, _ = create(factory)
    superevent = await story(factory, 1)
    await factory.skymap_cache.get(superevent.latest.key)
    monkeypatch.setattr(grading, "run_in_thread", hanging)
    outcome = await service.outcome(RUBIN, superevent)
    assert (outcome.grades, outcome.why_undecided) == ((), WhyUndecided.NOT_STATED)
    assert service.cached_outcome(RUBIN, superevent) == outcome, "it isn't tried again at once"
