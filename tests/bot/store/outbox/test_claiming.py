"""The order of claims: the choice against its rules, and claims against a model that reads every row."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, insert, select, text, true
from structlog.testing import capture_logs

from bot.app.factory import Factory
from bot.filters import parse_criteria
from bot.routing.delivery_times import IMAGE_WAIT
from bot.routing.intents import AlertOperators, OperatorAlert, ReportUnreadableNotice
from bot.store import schema
from bot.store.outbox import claiming
from bot.store.outbox.claim_choice import (
    ROUND_ROBIN_EVERY,
    Candidate,
    ClaimRequest,
    FairShare,
    choose_candidates,
)
from bot.store.outbox.claiming import ClaimQuery
from bot.store.outbox.event_rank import event_rank
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.models import (
    DELIVERY_KINDS,
    EDIT_KINDS,
    MAX_DELAY,
    DeadLettered,
    Delivered,
    Delivery,
    DeliveryKind,
    EventRank,
    ImageState,
    Outcome,
    Priority,
    Retry,
    delivery_row,
)
from tests.support.factories import NOW, TEAM, decoded_notice, record_notices, subscribe

Place = tuple[str, str]
OTHER_TEAM = "T0SANDBOX2"
TEAMS = (TEAM, OTHER_TEAM)
PLACES = [(team, f"C{number}") for team in TEAMS for number in range(4)]
WORDS = "all mock test lowsig circulars"

# The documented order in words: of each pair, the left delivery is sent first in a channel.
REAL, MOCK = False, True
IN_WORDS = [
    ("a real root, a mock's", (REAL, Priority.ROOT, -1), (MOCK, Priority.ROOT, -9)),
    ("a real edit, a mock's root", (REAL, Priority.EDIT, -1), (MOCK, Priority.ROOT, -9)),
    ("a root, news of an older event", (REAL, Priority.ROOT, -2), (REAL, Priority.REPLY, -1)),
    ("a root, news of a newer event", (REAL, Priority.ROOT, -1), (REAL, Priority.REPLY, -2)),
    ("a root, what a person waits for", (REAL, Priority.ROOT, -1), (REAL, Priority.ANSWER, 0)),
    ("what a person waits for, a mock's root", (REAL, Priority.ANSWER, 0), (MOCK, Priority.ROOT, -9)),
    ("an edit that takes back, a reply", (REAL, Priority.RETRACTED, -1), (REAL, Priority.REPLY, -9)),
    ("the newer event's root", (REAL, Priority.ROOT, -2), (REAL, Priority.ROOT, -1)),
]


def candidate(number: int, rank: tuple[bool, int, int], place: Place = PLACES[0], **more: Any) -> Candidate:
    mock, priority, order = rank
    return Candidate(number, *place, more.get("edit", False), mock, priority, order)


def asked(limit: int = 1, **more: Any) -> ClaimRequest:
    usual: dict[str, Any] = {"busy_channels": (), "edit_quota": lambda *_: 1_000, "non_urgent_limit": 1_000}
    return ClaimRequest(limit, **(usual | more))


@pytest.mark.parametrize(("first", "second"), [pair[1:] for pair in IN_WORDS], ids=[p[0] for p in IN_WORDS])
def test_queue_order_matches_documented_order(
    first: tuple[bool, int, int], second: tuple[bool, int, int]
) -> None:
    # The older delivery (lower id) is the one that is expected to wait.
    one, other = candidate(2, first), candidate(1, second)
    assert choose_candidates([other, one], asked(), FairShare()) == ([one], 0)


def test_every_kind_has_a_place_in_the_order() -> None:
    answers = {kind for kind in DeliveryKind if DELIVERY_KINDS[kind].priority is Priority.ANSWER}
    assert answers == {
        DeliveryKind.MENTION,
        DeliveryKind.CONFIRMATION,
        DeliveryKind.CHANGE,
        DeliveryKind.MENTION_REFUSED,
        DeliveryKind.WELCOME,
        DeliveryKind.UNREADABLE_NOTICE,
        DeliveryKind.QUARANTINE_REPORT,
        DeliveryKind.INCIDENT_OPENED,
        DeliveryKind.INCIDENT_RESOLVED,
        DeliveryKind.FIRST_REAL_EVENT,
        DeliveryKind.ESCALATION,
        DeliveryKind.DRILL,
        DeliveryKind.DRILL_END,
        DeliveryKind.MUTE,
    }


_candidates = st.lists(
    st.builds(
        Candidate,
        id=st.integers(1, 10_000),
        team_id=st.sampled_from(TEAMS),
        channel_id=st.sampled_from(["C0", "C1", "C2", "C3", "C4", "C5"]),
        is_edit=st.booleans(),
        mock=st.booleans(),
        priority=st.sampled_from(list(map(int, Priority))),
        event_order=st.integers(-5, 0),
    ),
    unique_by=lambda one: one.id,
    max_size=40,
)


@pytest.mark.slow
@given(
    _candidates,
    st.integers(1, 8),
    st.sets(st.sampled_from(PLACES)),
    st.integers(0, 3),
    st.integers(0, 8),
    st.integers(0, 100),
)
def test_the_choice_keeps_its_rules(
    candidates: list[Candidate], limit: int, busy: set[Place], edits: int, others: int, owed: int
) -> None:
    turns = FairShare()
    turns.placed_by_order = owed
    criteria = asked(limit, busy_channels=busy, edit_quota=lambda *_: edits, non_urgent_limit=others)
    chosen, in_turn = choose_candidates(candidates, criteria, turns)
    places = [one.channel for one in chosen]
    assert len(chosen) <= limit and len(set(places)) == len(places) and not busy & set(places)
    assert all(sum(one.is_edit and one.team_id == team for one in chosen) <= edits for team in TEAMS)
    assert sum(not one.is_urgent for one in chosen) <= others
    assert in_turn <= -(-limit // 2)
    for left in set(candidates) - set(chosen):
        # Every delivery that was left out has a known reason.
        room = sum(one.is_edit and one.team_id == left.team_id for one in chosen) < edits
        stopped = (
            left.channel in busy
            or left.channel in places
            or (left.is_edit and not room)
            or (not left.is_urgent and sum(not one.is_urgent for one in chosen) >= others)
        )
        later = len(chosen) == limit and all(one.sort_key < left.sort_key for one in chosen[in_turn:])
        assert stopped or later


@pytest.mark.slow
@given(_candidates, st.integers(1, 5))
def test_every_waiting_channel_gets_a_turn(candidates: list[Candidate], limit: int) -> None:
    """Serve every channel in bounded time, however many real alerts arrive for other channels."""
    flood = [candidate(20_000 + n, (REAL, 0, -99 - n), ("T9", f"C{n}")) for n in range(10)]
    waiting = {one.channel for one in candidates}
    turns, claims = FairShare(), 0
    while waiting:
        chosen, in_turn = choose_candidates([*candidates, *flood], asked(limit), turns)
        turns.record_turns(chosen, in_turn, limit)
        waiting -= {one.channel for one in chosen}
        claims += 1
        assert claims <= 2 * ROUND_ROBIN_EVERY * (len(flood) + len(PLACES) * 2)


# Claims from the database: every claim is compared with a model.


@dataclass
class Story:
    """A random sequence of notices, claims and outcomes, with the expected result of each claim."""

    factory: Factory
    dice: random.Random
    fair: bool
    now: datetime = NOW
    number: int = 0
    claimed: list[Delivery] = field(default_factory=list)
    events: dict[str, int] = field(default_factory=dict)
    """Number of notices so far, by event."""
    compared: int = 0

    async def step(self) -> None:
        steps: Mapping[Callable[[], Any], int] = {
            self.notice: 4,
            self.claim: 6,
            self.settle: 6,
            self.later: 3,
            self.circular: 1,
            self.follow_up: 3,
            self.apology: 1,
            self.confirmation: 1,
            self.crash: 1,
            self.revival: 1,
        }
        await self.dice.choices(list(steps), list(steps.values()))[0]()

    async def notice(self) -> None:
        self.number += 1
        known = [e for e, count in self.events.items() if count < 5]
        if known and self.dice.random() < 0.6:
            superevent_id = self.dice.choice(known)
        else:
            letters = self.dice.choice(["S", "S", "MS", "MS", "TS"])
            superevent_id = f"{letters}261122{chr(97 + len(self.events) % 26)}"
        count = self.events.get(superevent_id, 0)
        type_ = (
            "PRELIMINARY" if not count else self.dice.choice(["INITIAL", "UPDATE", "UPDATE", "RETRACTION"])
        )
        self.events[superevent_id] = count + 1
        await record_notices(
            self.factory, decoded_notice(superevent_id, type_, minutes=self.number / 60), now=self.now
        )

    async def circular(self) -> None:
        """Add what waits in an outbox that is upgraded: a link in each thread of an event."""
        self.number += 1
        if not self.events:
            return
        about = self.dice.choice(list(self.events))
        table = schema.threads
        query = select(table).where(table.c.superevent_id == about)
        async with self.factory.database.exclusive_transaction() as connection:
            threads = (await connection.execute(query)).all()
            rank = await event_rank(connection, about)
            rows = [
                delivery_row(
                    *(row.team_id, row.channel_id, DeliveryKind.CIRCULAR, self.number, self.now),
                    thread_id=row.id,
                    event=rank,
                )
                for row in threads
            ]
            if rows:
                await connection.execute(insert(schema.deliveries), rows)

    async def follow_up(self) -> None:
        """Ask for the Follow-up replies of an event."""
        if not self.events:
            return
        table = schema.threads
        query = select(table).where(table.c.superevent_id == self.dice.choice(list(self.events)))
        async with self.factory.database.exclusive_transaction() as connection:
            rows = (await connection.execute(query)).all()
            channels = {row.id: (row.team_id, row.channel_id) for row in rows}
            is_earlier, is_news = self.dice.random() < 0.3, self.dice.random() < 0.7
            await request_follow_ups(connection, channels, self.now, is_earlier=is_earlier, create=is_news)

    async def apology(self) -> None:
        self.number += 1
        if self.events:
            about = self.dice.choice(list(self.events))
            body = str(self.number).encode()
            await self.factory.quarantine.add(
                body,
                "test:1",
                "Why.",
                about,
                self.now,
                _to_all_threads,
                tell_channels=True,
                ops_channel=(TEAM, "C0"),
            )

    async def confirmation(self) -> None:
        self.number += 1
        place = self.dice.choice(PLACES)
        await self.factory.subscriptions.request(
            *place, parse_criteria(f"BNS distance<{self.dice.randint(1, 3)}"), "U1", self.now
        )

    async def later(self) -> None:
        self.now += timedelta(seconds=self.dice.choice([0.5, 2, 20, 70]))

    async def crash(self) -> None:
        self.claimed.clear()
        await self.factory.outbox.requeue_stalled()

    async def revival(self) -> None:
        await self.factory.outbox.requeue_channel(
            *self.dice.choice(PLACES), self.now - timedelta(days=1), self.now
        )

    async def settle(self) -> None:
        some = self.dice.sample(self.claimed, self.dice.randint(0, len(self.claimed)))
        self.claimed = [d for d in self.claimed if d not in some]
        if some:
            await self.factory.outbox.record_outcomes([(d, self.outcome(d)) for d in some], self.now)

    def outcome(self, delivery: Delivery) -> Outcome:
        chance = self.dice.random()
        if chance < 0.25:
            wait = timedelta(seconds=self.dice.choice([0, 1, 5, 30]))
            return Retry(not_before=self.now + wait, reason="no", maybe_sent=self.dice.random() < 0.5)
        if chance < 0.3:
            return DeadLettered(reason="is_archived", channel_problem="is_archived")
        if chance < 0.35:
            return DeadLettered(reason="msg_too_long")
        if chance < 0.4 and delivery.kind in (DeliveryKind.EDIT, DeliveryKind.REPLY):
            return DeadLettered(reason="message_not_found", root_deleted=True)
        if chance < 0.45 and delivery.kind is DeliveryKind.EDIT:
            return DeadLettered(reason="edit_window_closed", root_uneditable=True)
        if chance < 0.6 and delivery.kind is DeliveryKind.FOLLOW_UP_EDIT:
            return DeadLettered(reason="message_not_found", is_follow_up_lost=True)
        revision = delivery.target_revision
        if delivery.kind in (DeliveryKind.FOLLOW_UP, DeliveryKind.FOLLOW_UP_EDIT):
            revision = delivery.follow_up_target
        again = self.now + timedelta(seconds=5) if self.dice.random() < 0.2 else None
        return Delivered(ts=f"1.{delivery.id}", revision=revision, follow_up_edit_at=again)

    async def claim(self) -> None:
        ours = {(d.team_id, d.channel_id) for d in self.claimed}
        busy = ours | set(self.dice.sample(PLACES, self.dice.choice([0, 0, 2, 5])))
        if self.dice.random() < 0.2:
            team = self.dice.choice(TEAMS)
            busy |= {(team, "*")} | {place for place in PLACES if place[0] == team}
        allowed = {team: self.dice.choice([0, 1, 9]) for team in TEAMS}
        limit, others = self.dice.randint(1, 5), self.dice.choice([0, 1, 9])
        turns = self.factory.outbox._claim_query._fair_share
        if not self.fair:
            turns.placed_by_order = 0
        wanted = await self.model(limit, busy, allowed, others, turns)
        got = await self.factory.outbox.claim(
            self.now,
            limit,
            busy_channels=busy,
            edit_quota=lambda team, _: allowed[team],
            non_urgent_limit=others,
        )
        assert [d.id for d in got] == wanted
        self.compared += len(got)
        self.claimed += got

    async def model(
        self, limit: int, busy: set[Place], allowed: dict[str, int], others: int, turns: FairShare
    ) -> list[int]:
        """Return the ids that a claim should take, computed from all rows."""
        d, t, n = schema.deliveries, schema.threads, schema.notices
        first = select(n.c.superevent_id, func.min(n.c.id).label("first")).group_by(n.c.superevent_id)
        known = first.subquery("known")
        query = (
            select(d, t.c.root_ts, t.c.superevent_id, known.c.first)
            .join(t, t.c.id == d.c.thread_id, isouter=True)
            .join(known, known.c.superevent_id == t.c.superevent_id, isouter=True)
        )
        async with self.factory.database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        unordered = ("edit", "mention", "circular", "follow_up", "follow_up_edit", "retraction_circ")

        def may_go(row: Any) -> bool:
            if row.state != "pending" or self.now < row.not_before <= self.now + MAX_DELAY:
                return False
            if row.thread_id is None or row.kind == "root":
                return True
            before = any(
                other.thread_id == row.thread_id
                and other.id < row.id
                and other.kind not in unordered
                and other.state in ("pending", "sending")
                for other in rows
            )
            return row.root_ts is not None and (row.kind in unordered or not before)

        def order(row: Any) -> tuple[bool, int, int, int]:
            mock = row.superevent_id is not None and not row.superevent_id.startswith("S")
            # An apology whose root was dead-lettered is posted alone, with the rank of its event.
            since = row.event_order if row.thread_id is None else -row.first
            return (row.mock if row.thread_id is None else mock, row.priority, since, row.id)

        able = sorted(filter(may_go, rows), key=order)
        chosen: list[Any] = []

        def go_through(queue: list[Any], until: int) -> None:
            for row in queue:
                place = (row.team_id, row.channel_id)
                urgent = not order(row)[0] and row.priority <= 1
                edits = sum(c.kind in EDIT_KINDS and c.team_id == row.team_id for c in chosen)
                if (
                    len(chosen) < until
                    and place not in busy
                    and place not in [(c.team_id, c.channel_id) for c in chosen]
                    and (urgent or sum(order(c)[0] or c.priority > 1 for c in chosen) < others)
                    and (row.kind not in EDIT_KINDS or edits < allowed[row.team_id])
                ):
                    chosen.append(row)

        def in_turn(row: Any) -> tuple[Any, ...]:
            place = (row.team_id, row.channel_id)
            return (place <= turns.last_channel, place, order(row))

        if turns.placed_by_order >= ROUND_ROBIN_EVERY:
            go_through(
                sorted(able, key=in_turn), min(-(-limit // 2), turns.placed_by_order // ROUND_ROBIN_EVERY)
            )
        go_through(able, limit)
        return [row.id for row in sorted(chosen, key=order)]


def _to_all_threads(_category: Any, threads: Any, _subscriptions: Any, ops_channel: Any) -> Any:
    return [
        *(ReportUnreadableNotice(thread.team_id, thread.channel_id, thread.id) for thread in threads),
        AlertOperators(ops_channel[0], ops_channel[1], OperatorAlert.UNREADABLE_PAYLOAD),
    ]


async def tell(factory: Factory, seed: int, steps: int, monkeypatch: pytest.MonkeyPatch) -> Story:
    dice = random.Random(seed)
    fair = dice.random() < 0.5
    # Otherwise the first page would contain the whole of such a short queue.
    if fair:
        monkeypatch.setattr(claiming, "MAX_PLACES_BY_ORDER", -1)
    else:
        monkeypatch.setattr(claiming, "EXTRA_CANDIDATES", dice.choice([-1, 0, 30]))
    await factory.leases.heartbeat(set(TEAMS))
    for team, channel in PLACES:
        await subscribe(factory, WORDS, channel, team=team)
    story = Story(factory, dice, fair)
    for _ in range(steps):
        await story.step()
    return story


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
async def test_claim_matches_model(factory: Factory, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    story = await tell(factory, seed, 120, monkeypatch)
    assert story.compared > 10


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("seed", [100, 101, 102])
async def test_claim_matches_model_on_postgresql(
    factory: Factory, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = await tell(factory, seed, 100, monkeypatch)
    assert story.compared > 10


# The amount of work of a claim.

READS_MORE = 1.3
"""Largest factor by which a claim's work may grow when twenty times as many deliveries wait."""


async def wait(factory: Factory, events: int, held: int = 0) -> None:
    """Enqueue mocks for every channel, and before them deliveries that cannot be sent yet."""
    async with factory.database.exclusive_transaction() as connection:
        rows = []
        for number in range(events + held):
            for place in PLACES:
                rows.append(
                    delivery_row(
                        *place,
                        DeliveryKind.INCIDENT_OPENED,
                        number,
                        NOW,
                        not_before=NOW + timedelta(minutes=1) if number >= events else None,
                        event=EventRank(mock=True, order=-number),
                    )
                )
        await connection.execute(schema.deliveries.insert(), rows)


async def work_of_a_claim(factory: Factory, criteria: ClaimRequest) -> int:
    """Return the number of SQLite's virtual machine instructions for one claim, in hundreds."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    async with factory.database._engine.connect() as connection:
        raw = await connection.get_raw_connection()
        await raw.driver_connection.set_progress_handler(count, 100)  # type: ignore[union-attr]
        taker = ClaimQuery(lambda _: true())
        assert criteria.busy_channels or await taker.select_claimable(connection, NOW, criteria)
        steps = 0
        await taker.select_claimable(connection, NOW, criteria)
        await raw.driver_connection.set_progress_handler(None, 100)  # type: ignore[union-attr]
    return steps


@pytest.mark.parametrize(
    ("busy", "held"),
    [(set(), 0), (set(PLACES), 0), ({*PLACES, (TEAM, "*"), (OTHER_TEAM, "*")}, 0), (set(PLACES[:6]), 400)],
    ids=["free", "busy", "without clients", "held"],
)
async def test_a_claim_reads_as_much_however_many_wait(
    factory: Factory, busy: set[Place], held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "EXTRA_CANDIDATES", 0)
    await wait(factory, 20)
    few = await work_of_a_claim(factory, asked(8, busy_channels=busy))
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(schema.deliveries.delete())
    await wait(factory, 400, held)
    many = await work_of_a_claim(factory, asked(8, busy_channels=busy))
    assert few <= many + 5 and many <= few * READS_MORE + 5


async def test_every_claim_statement_uses_its_index(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without care SQLite would choose the index on the state alone and read all waiting rows."""
    monkeypatch.setattr(claiming, "EXTRA_CANDIDATES", -15)
    await wait(factory, 20)
    seen: list[tuple[str, Any]] = []
    engine = factory.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *call: seen.append((call[2], call[3])))
    assert await factory.outbox.claim(NOW, 8)
    found = []
    async with factory.database.read_transaction() as connection:
        for statement, values in list(seen):
            if statement.lstrip().startswith(("SELECT", "WITH", "UPDATE")):
                plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                found += [str(row.detail) for row in plan.all()]
    used = [line for line in found if "deliveries" in line or " d " in line or "head" in line]
    assert len(used) > 6
    indexes = ("ix_deliveries_ready", "ix_deliveries_held", "INTEGER PRIMARY KEY", "ix_deliveries_thread_id")
    assert all(any(index in line for index in indexes) for line in used), used


async def test_held_delivery_is_claimed_again_without_a_release(
    factory: Factory,
) -> None:
    """Check that a missing release only delays a delivery, until `HOLD_DURATION` has passed."""
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, WORDS, "C1")
    await record_notices(factory, decoded_notice())
    (root,) = await factory.outbox.claim(NOW, 10)
    await factory.outbox.record_outcomes(
        [(root, Retry(not_before=NOW + timedelta(minutes=9), reason="no"))], NOW
    )
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=1))
    assert await factory.outbox.claim(NOW, 10) == [], "the reply waits for its root"
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE deliveries SET state = 'sent' WHERE kind = 'root'"))
        await connection.execute(text("UPDATE threads SET root_ts = '1.1'"))
    assert await factory.outbox.claim(NOW, 10) == []
    assert {d.kind for d in await factory.outbox.claim(NOW + claiming.HOLD_DURATION, 10)} == {
        DeliveryKind.REPLY
    }


# The other queues that an alert passes through.


@pytest.mark.parametrize("why", ["root_fixed", "root_gone"])
async def test_reposted_reply_does_not_match_its_first_message(factory: Factory, why: str) -> None:
    await subscribe(factory, WORDS, "C1")
    await record_notices(factory, decoded_notice())
    (root,) = await factory.outbox.claim(NOW, 10)
    await factory.outbox.record_outcomes([(root, Delivered(ts="1.1", revision=root.target_revision))], NOW)
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=1))
    (reply,) = await factory.outbox.claim(NOW, 10)
    await factory.outbox.record_outcomes([(reply, Delivered(ts="1.2"))], NOW)
    (edit,) = await factory.outbox.claim(NOW + IMAGE_WAIT, 10)
    gone = DeadLettered(reason="no", root_uneditable=why == "root_fixed", root_deleted=why == "root_gone")
    await factory.outbox.record_outcomes([(edit, gone)], NOW)
    (again,) = await factory.outbox.claim(NOW + IMAGE_WAIT, 10)
    first = reply if why == "root_fixed" else root
    assert again.id == first.id and again.message_key not in (None, first.message_key)


@pytest.mark.backends("sqlite", "postgresql")
async def test_new_edit_resets_the_age_of_a_refused_edit(factory: Factory) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, WORDS, "C1")
    await record_notices(factory, decoded_notice())
    (root,) = await factory.outbox.claim(NOW, 10)
    await factory.outbox.record_outcomes([(root, Delivered(ts="1.1", revision=root.target_revision))], NOW)
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=1))
    day = NOW + timedelta(hours=23)
    for now, type_ in ((NOW + IMAGE_WAIT, None), (day, "RETRACTION")):
        if type_ is not None:
            await record_notices(factory, decoded_notice(alert_type=type_, minutes=2), now=day)
        got = {d.kind: d for d in [*await factory.outbox.claim(now, 1), *await factory.outbox.claim(now, 1)]}
        no = Retry(not_before=now, reason="zomeru")
        await factory.outbox.record_outcomes(
            [(d, no if k is DeliveryKind.EDIT else Delivered(ts=f"2.{d.id}")) for k, d in got.items()], now
        )
    assert got[DeliveryKind.EDIT].created_at == day


@pytest.mark.backends("sqlite", "postgresql")
async def test_kinds_of_a_newer_gwevent_wait_for_it_and_hold_nothing_up(factory: Factory) -> None:
    """Simulate a downgrade: more rows of unknown kinds than a claim reads, inside threads and outside."""
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, WORDS, "C1")
    await record_notices(factory, decoded_notice())
    (root,) = await factory.outbox.claim(NOW, 10)
    await factory.outbox.record_outcomes([(root, Delivered(ts="1.1", revision=root.target_revision))], NOW)
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=1))
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE deliveries SET kind = 'reply2' WHERE kind = 'reply'"))
        await connection.execute(text("DELETE FROM deliveries WHERE kind = 'edit'"))
        rows = [
            delivery_row(TEAM, channel, DeliveryKind.INCIDENT_OPENED, number, NOW, priority=Priority.ROOT)
            | {"kind": f"novelty{number % 2}", "slot": f"novelty:{number}"}
            for number in range(60)
            for channel in ("C1", "C2")
        ]
        await connection.execute(schema.deliveries.insert(), rows)
    await record_notices(factory, decoded_notice(alert_type="RETRACTION", minutes=2))
    with capture_logs() as logs:
        got = await factory.outbox.claim(NOW, 10)
        assert [d.kind for d in got] == [DeliveryKind.REPLY], (
            "the retraction, though an unknown one stands before it"
        )
        done = Delivered(ts="1.2", revision=got[0].target_revision)
        await factory.outbox.record_outcomes([(got[0], done)], NOW)
        later = NOW + IMAGE_WAIT
        got = await factory.outbox.claim(later, 10)
        assert [d.kind for d in got] == [DeliveryKind.EDIT]
        await factory.outbox.record_outcomes(
            [(got[0], Delivered(ts="1.1", revision=got[0].target_revision))], later
        )
        assert await factory.outbox.claim(later, 10) == []
        assert not (await factory.due_check.check(later)).deliveries, "nobody looks for them without end"
        assert await factory.outbox.claim(later + claiming.HOLD_DURATION, 10) == []
    told = [line["kind"] for line in logs if line["event"] == "unknown_deliveries_held"]
    assert sorted(set(told)) == sorted(told) and set(told) <= {"novelty0", "novelty1", "reply2"} and told
    # They count as waiting, so that the statistics show them.
    assert (await factory.outbox_statistics.counts()).waiting == 121


@pytest.mark.backends("sqlite", "postgresql")
async def test_images_of_real_events_are_drawn_first(factory: Factory) -> None:
    await factory.leases.heartbeat({TEAM})
    for number, name in enumerate(("S261122a", "S261122b", "MS261122c", "TS261122d")):
        await record_notices(factory, decoded_notice(name))
        async with factory.database.exclusive_transaction() as connection:
            notice = select(schema.notices.c.id).where(schema.notices.c.superevent_id == name)
            await connection.execute(
                schema.images.insert().values(
                    team_id=TEAM,
                    superevent_id=name,
                    notice_id=notice.scalar_subquery(),
                    mock=not name.startswith("S"),
                    state=ImageState.WANTED.value,
                    attempts=0,
                    not_before=NOW,
                    created_at=NOW + timedelta(seconds=number),
                )
            )
    drawn = []
    while (job := await factory.images.next_wanted(NOW + timedelta(seconds=9))) is not None:
        drawn.append(job.superevent_id)
        await factory.images.mark_failed(job.id, "tried", NOW)
    assert drawn == ["S261122b", "S261122a", "TS261122d", "MS261122c"]


@pytest.mark.backends("sqlite", "postgresql")
async def test_deferred_routing_of_real_events_comes_first(factory: Factory) -> None:
    names = ("S261122a", "MS261122b", "S261122c", "TS261122d")
    for name in names:
        await record_notices(factory, decoded_notice(name))
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO undecided (notice_id, superevent_id, picture, created_at) "
                "SELECT id, superevent_id, false, received_at FROM notices"
            )
        )
    assert await factory.deferred_routing.pending_superevents() == [
        "S261122c",
        "S261122a",
        "TS261122d",
        "MS261122b",
    ]
