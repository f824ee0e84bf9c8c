"""Deferred routing: filters that need the sky map are decided in a second transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.filters import FilterSyntaxError, parse_criteria
from bot.ingest.deferred_routing import DeferredRoutingWorker
from bot.observing.rubin_sky import RubinSky
from bot.observing.site_references import resolve_site
from bot.routing.planner import plan_after_map_queries
from bot.runtime.wakeups import Wakeups
from bot.samples import MS181101AB_PEAK, bns, ms181101ab, retracted, sky_map, to_avro
from bot.skymap_service import grading
from bot.skymap_service.filter_queries import SkyMapQueries
from bot.skymaps.skymap import SkyMap
from bot.store.database import Database, StoreUnavailable
from formatters.models.filter import MapQuery
from formatters.models.notice import Notice, NoticeKey
from tests.support.factories import MAX_AGE, NOW, Clock, notice_record, planner, subscribe

pytestmark = pytest.mark.backends("sqlite", "postgresql")

HERE = "near {:.3f} {:.3f} 5deg".format(*MS181101AB_PEAK)
THERE = "near 10 60 5deg"
STORY = [to_avro(record) for record in ms181101ab(NOW)]


async def store(factory: Factory, *bodies: bytes, now: datetime = NOW) -> list[Notice]:
    notices = [decode(body) for body in bodies]
    for notice, body in zip(notices, bodies, strict=True):
        received = replace(notice, received=now)
        assert (
            await factory.notices.record(received, body, "test:1", now, planner(now), draw_image=True)
        ).new
    return notices


class Asking(SkyMapQueries):
    """Counts what the maps are asked."""

    def __init__(self, factory: Factory) -> None:
        super().__init__(factory.skymap_cache, self._visible_share)
        self.asked: list[str] = []

    def _visible_share(self, site: str, skymap: SkyMap, when: datetime) -> float | None:
        assert skymap.uniq.size and when == NOW
        self.asked.append(site)
        if site == "Broken":
            raise ZeroDivisionError
        return {"Palomar": 0.6, "Paranal": 0.01}.get(site)


class Shares(Asking):
    """Answers with shares that a test changes."""

    def __init__(self, factory: Factory) -> None:
        super().__init__(factory)
        self.of: dict[str, float] = {"Palomar": 0.6}

    def _visible_share(self, site: str, skymap: SkyMap, when: datetime) -> float | None:
        return self.of.get(site)


class Failing(Asking):
    """Meets a store in trouble the first time."""

    async def probabilities(
        self, key: NoticeKey, questions: Collection[MapQuery], when: datetime
    ) -> dict[MapQuery, float | None]:
        if not self.asked:
            self.asked.append("in vain")
            raise StoreUnavailable("The database is locked.")
        return await super().probabilities(key, questions, when)


def decisions(
    factory: Factory, asker: SkyMapQueries | None = None, clock: Clock | None = None
) -> DeferredRoutingWorker:
    clock = clock or Clock()
    return DeferredRoutingWorker(
        factory.deferred_routing, asker or Asking(factory), clock, Wakeups(), max_age=MAX_AGE
    )


async def rows(factory: Factory, query: str) -> list[tuple[object, ...]]:
    async with factory.database.read_transaction() as connection:
        return [tuple(row) for row in (await connection.execute(text(query))).all()]


async def deliveries(factory: Factory) -> list[tuple[object, ...]]:
    return await rows(factory, "SELECT channel_id, kind FROM deliveries ORDER BY channel_id, id")


async def test_others_get_the_notice_at_once_and_the_map_decides_for_the_rest(factory: Factory) -> None:
    await subscribe(factory, "CBC mock", "C1")
    await subscribe(factory, f"CBC {HERE} mock", "C2", "C3")
    await subscribe(factory, f"CBC {THERE} mock", "C4")
    await subscribe(factory, f"CBC (BNS<0.1 and {HERE}) mock", "C5")
    await store(factory, STORY[1])
    assert await deliveries(factory) == [("C1", "root")]
    assert await factory.deferred_routing.pending_superevents() == ["MS181101ab"]
    await decisions(factory).process_pending()
    assert await deliveries(factory) == [("C1", "root"), ("C2", "root"), ("C3", "root")]
    assert await factory.deferred_routing.pending_superevents() == []
    assert len(await rows(factory, "SELECT * FROM pictures")) == 1, "asked for once a workspace"
    await store(factory, STORY[2])
    replies = [("C2", "reply") in await deliveries(factory), ("C4", "reply") in await deliveries(factory)]
    assert replies == [True, False], "a channel with the root keeps getting its notices"
    await decisions(factory).process_pending()
    assert ("C4", "root") not in await deliveries(factory)


async def test_nothing_waits_where_no_filter_needs_the_map(factory: Factory) -> None:
    await subscribe(factory, "CBC mock", "C1")
    await subscribe(factory, f"CBC (BNS or {THERE}) mock", "C2")
    await subscribe(factory, f"CBC {HERE}", "C3")
    await store(factory, STORY[1])
    assert await deliveries(factory) == [("C1", "root"), ("C2", "root")]
    assert await factory.deferred_routing.pending_superevents() == []


async def test_deferred_routing_survives_a_restart_and_is_decided_once(
    factory: Factory, database_url: str
) -> None:
    await subscribe(factory, f"CBC {HERE} mock", "C2")
    await store(factory, STORY[1])
    other = Factory(Database(database_url))
    question = await factory.deferred_routing.get_map_queries("MS181101ab")
    assert question is not None
    for again in (decisions(other), decisions(factory)):
        await again.process_pending()
    plan = partial(plan_after_map_queries, probabilities={}, now=NOW, max_age=MAX_AGE)
    assert await factory.deferred_routing.complete("MS181101ab", question.notice_key, plan, NOW) == 0
    assert await deliveries(factory) == [("C2", "root")]
    await other.database.close()


async def test_a_newer_notice_is_asked_instead(factory: Factory) -> None:
    await subscribe(factory, f"CBC {HERE} mock", "C2")
    await store(factory, STORY[1])
    question = await factory.deferred_routing.get_map_queries("MS181101ab")
    await store(factory, STORY[2])
    assert question is not None
    plan = partial(
        plan_after_map_queries,
        probabilities=dict.fromkeys(question.map_queries, 1.0),
        now=NOW,
        max_age=MAX_AGE,
    )
    assert await factory.deferred_routing.complete("MS181101ab", question.notice_key, plan, NOW) is None
    await decisions(factory).process_pending()
    assert await deliveries(factory) == [("C2", "root")]
    assert await factory.deferred_routing.pending_superevents() == []


async def test_each_position_and_site_is_asked_once_and_a_broken_one_harms_no_other(factory: Factory) -> None:
    asker = Asking(factory)
    for channel, share in (("C1", 0.5), ("C2", 0.7), ("C3", 0.1)):
        await subscribe(factory, f"CBC visible from Palomar>{share} mock", channel)
    await subscribe(factory, "CBC not visible from Paranal mock", "C4")
    await subscribe(factory, "CBC visible from Broken or not visible from Broken mock", "C5")
    await store(factory, STORY[1])
    await decisions(factory, asker).process_pending()
    assert [place for place, _ in await deliveries(factory)] == ["C1", "C3", "C4"]
    assert sorted(asker.asked) == ["Broken", "Palomar", "Paranal"]


async def test_a_payload_that_is_gone_leaves_the_map_unknown(factory: Factory) -> None:
    await subscribe(factory, f"CBC not {THERE} mock", "C1")
    await store(factory, STORY[1])
    await factory.notices.purge_mock_payloads(NOW + timedelta(days=1))
    await decisions(factory).process_pending()
    assert await deliveries(factory) == []
    assert await factory.deferred_routing.pending_superevents() == []


async def test_deferred_routing_of_retracted_or_old_events_opens_nothing(factory: Factory) -> None:
    await subscribe(factory, f"CBC {HERE} mock", "C1")
    await subscribe(factory, "all near 10 10 180deg", "C2")
    await store(factory, STORY[1], STORY[-1])
    assert await factory.deferred_routing.pending_superevents() == ["MS181101ab"]
    await decisions(factory).process_pending()
    assert await deliveries(factory) == [] and await factory.deferred_routing.pending_superevents() == []
    await store(factory, to_avro(retracted(NOW)[0]))
    clock = Clock()
    clock.advance(hours=30)
    await decisions(factory, clock=clock).process_pending()
    assert await deliveries(factory) == [] and await factory.deferred_routing.pending_superevents() == []


async def test_subscription_made_after_the_notice_is_not_routed_by_it(factory: Factory) -> None:
    await subscribe(factory, f"CBC {HERE} mock", "C1")
    await store(factory, STORY[1])
    await factory.subscriptions.add_confirmed(
        "T0SANDBOX1", "C2", parse_criteria(f"CBC {HERE} mock"), "U1", NOW + timedelta(seconds=1)
    )
    await decisions(factory).process_pending()
    assert await deliveries(factory) == [("C1", "root")]


async def test_mentions_that_hang_on_the_map_come_together_once_it_was_asked(factory: Factory) -> None:
    await subscribe(factory, "CBC notify @here", "C1", "C2")
    await subscribe(factory, "CBC notify <@U1> if visible from Palomar", "C1")
    await subscribe(factory, "CBC notify <@U2> if visible from Paranal", "C1")
    first, second = [to_avro(record) for record in bns(NOW)[:2]]
    await store(factory, first)
    mentions = "SELECT occasion, targets, channel_id FROM mentions JOIN threads ON threads.id = thread_id"
    assert await rows(factory, mentions) == [("root", "<!here>", "C2")]
    await decisions(factory).process_pending()
    told = [("root", "<!here>", "C2"), ("root", "<!here> <@U1>", "C1")]
    assert await rows(factory, mentions) == told
    await store(factory, second)
    await decisions(factory).process_pending()
    assert await rows(factory, mentions) == told, "a further notice mentions nobody again"


async def test_steps_end_where_the_newer_map_no_longer_fulfils_their_condition(factory: Factory) -> None:
    await subscribe(factory, "CBC notify <@U1> if visible from Palomar escalate 5min <@U2>", "C1", "C2")
    await subscribe(factory, "CBC notify <@U3> if visible from Paranal escalate 9min <@U2>", "C2")
    await subscribe(factory, "CBC notify <@U1> if visible from Broken escalate 5min <@U4>", "C2")
    first, second = [to_avro(record) for record in bns(NOW)[:2]]
    shares = Shares(factory)
    await store(factory, first)
    await decisions(factory, shares).process_pending()
    steps = (
        "SELECT channel_id, targets, state FROM escalations JOIN escalation_steps"
        " ON escalation_id = escalations.id ORDER BY channel_id, position"
    )
    waiting = [("C1", "<@U2>", "waiting"), ("C2", "<@U2>", "waiting")]
    assert await rows(factory, steps) == waiting
    shares.of = {"Palomar": 0.0, "Paranal": 0.0}
    await store(factory, second)
    assert await rows(factory, steps) == waiting, "the map isn't asked yet"
    await decisions(factory, shares).process_pending()
    assert [row[-1] for row in await rows(factory, steps)] == ["cancelled", "cancelled"]


async def test_steps_go_on_where_the_newer_map_cant_be_asked(factory: Factory) -> None:
    await subscribe(factory, "CBC notify <@U1> if visible from Palomar escalate 5min <@U2>", "C1")
    first, second = [to_avro(record) for record in bns(NOW)[:2]]
    shares = Shares(factory)
    await store(factory, first)
    await decisions(factory, shares).process_pending()
    shares.of = {}
    await store(factory, second)
    await decisions(factory, shares).process_pending()
    assert await rows(factory, "SELECT state FROM escalation_steps") == [("waiting",)]


async def test_a_store_in_trouble_loses_nothing(factory: Factory) -> None:
    await subscribe(factory, f"CBC {HERE} mock", "C1")
    await store(factory, STORY[1])
    asker = Failing(factory)
    with pytest.raises(StoreUnavailable):
        await decisions(factory, asker).process_pending()
    await decisions(factory, asker).process_pending()
    assert await deliveries(factory) == [("C1", "root")]


def test_unknown_site_is_refused_while_parsing() -> None:
    with pytest.raises(FilterSyntaxError, match="no site called “Atlantis”"):
        parse_criteria("CBC visible from Atlantis", resolve_site)


async def test_grades_that_judge_the_map_decide_who_gets_the_notice(factory: Factory) -> None:
    where = sky_map([(60.0, -30.0, 1.0, 1.5)], superevent_id="S261122a", time=NOW, base_order=3, rounds=4)
    await subscribe(factory, "CBC grade rubin-2026 >= Silver", "C1")
    await subscribe(factory, "CBC grade rubin-2026 = Bronze", "C2")
    await subscribe(factory, "CBC notify @here if grade rubin-2026 = Gold", "C3")
    await subscribe(factory, "CBC not grade rubin-2026", "C4")
    await store(factory, to_avro(notice_record(skymap=where)))
    assert await deliveries(factory) == [("C3", "root")], (
        "who doesn't wait for the map gets the words at once"
    )
    await decisions(factory, factory.skymap_queries).process_pending()
    assert await deliveries(factory) == [("C1", "root"), ("C3", "root")]
    mentioned = await rows(factory, "SELECT targets FROM mentions")
    assert mentioned == [("<!here>",)]


async def test_grade_that_cannot_be_judged_opens_nothing_and_holds_up_nobody(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> RubinSky:
        raise ZeroDivisionError

    monkeypatch.setattr(grading, "measure_rubin_sky", broken)
    where = sky_map([(60.0, -30.0, 1.0, 1.5)], superevent_id="S261122a", time=NOW, base_order=3, rounds=4)
    await subscribe(factory, "CBC grade rubin-2026", "C1")
    await subscribe(factory, "CBC not grade rubin-2026", "C2")
    await subscribe(factory, "CBC near 60 -30 5deg", "C3")
    await store(factory, to_avro(notice_record(skymap=where)))
    await decisions(factory, factory.skymap_queries).process_pending()
    assert await deliveries(factory) == [("C3", "root")]
    assert await factory.deferred_routing.pending_superevents() == []


async def test_grades_that_need_no_map_bring_the_words_at_once(factory: Factory) -> None:
    await subscribe(factory, "CBC not grade rubin-2026", "C1")
    await subscribe(factory, "CBC grade rubin-2026", "C2")
    await subscribe(factory, "CBC not grade tarot", "C3")
    where = sky_map(
        [(60.0, -30.0, 1.0, 9.0)],
        superevent_id="S261122a",
        time=NOW,
        distance=(900.0, 200.0),
        base_order=3,
        rounds=4,
    )
    await store(factory, to_avro(notice_record(skymap=where, far=1e-6)))
    assert await deliveries(factory) == [("C1", "root"), ("C3", "root")]
    assert await factory.deferred_routing.pending_superevents() == []


async def test_mention_that_needs_no_map_comes_with_one_that_does(factory: Factory) -> None:
    """The mentions of a channel are planned together, once the map was asked."""
    await subscribe(factory, "CBC notify <@U1> if near 60 -30 5deg > 0.99", "C1")
    await subscribe(factory, "CBC notify <@U2> if grade tarot", "C1")
    where = sky_map(
        [(60.0, -30.0, 1.0, 1.5)],
        superevent_id="S261122a",
        time=NOW,
        distance=(90.0, 20.0),
        base_order=3,
        rounds=4,
    )
    await store(factory, to_avro(notice_record(skymap=where)))
    await decisions(factory, factory.skymap_queries).process_pending()
    mentioned = await rows(factory, "SELECT targets FROM mentions")
    assert sorted(str(mentioned[0][0]).split()) == ["<@U1>", "<@U2>"]


class OvertakenByTheInitial(SkyMapQueries):
    """Has its first answers ready when the INITIAL comes, later than the UPDATE."""

    def __init__(self, factory: Factory, initial: bytes) -> None:
        super().__init__(factory.skymap_cache, grades=factory.grading)
        self._factory = factory
        self._initial: bytes | None = initial

    async def probabilities(
        self, key: NoticeKey, questions: Collection[MapQuery], when: datetime
    ) -> dict[MapQuery, float | None]:
        found = await super().probabilities(key, questions, when)
        if self._initial is not None:
            late, self._initial = self._initial, None
            await store(self._factory, late)
        return found


async def test_initial_that_comes_after_its_update_while_the_maps_are_asked_is_judged(
    factory: Factory,
) -> None:
    """Its grade stands, whatever the newer UPDATE's numbers say."""
    await subscribe(factory, "CBC notify @here if grade rubin-2026 >= Silver", "C1")

    def announced(alert_type: str, minutes: float, radius: float) -> bytes:
        lobe = (60.0, -30.0, 1.0, radius)
        where = sky_map([lobe], superevent_id="S261122a", time=NOW, base_order=3, rounds=4)
        return to_avro(notice_record(alert_type=alert_type, minutes=minutes, skymap=where))

    await store(factory, announced("UPDATE", 20, 9.0))
    asker = OvertakenByTheInitial(factory, announced("INITIAL", 10, 1.5))
    await decisions(factory, asker).process_pending()
    assert await rows(factory, "SELECT targets FROM mentions") == [("<!here>",)]
