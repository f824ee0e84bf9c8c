"""How long criteria sets take: 20 for one notice, rubin-2026 with its map, and 10,000 channels with one each.

Run: python -m tests.benchmarks.grades
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from functools import partial

from bot.alerts.decode import decode, extract_sky_maps
from bot.criteria.grading import PENDING, grade
from bot.criteria.measurements import MapMeasurements
from bot.criteria.parsing import parse_grades
from bot.criteria.presets import BUILT_IN
from bot.criteria.resolution import resolve_grades
from bot.filters import parse_stored_criteria
from bot.observing.rubin_sky import measure_rubin_sky
from bot.routing.planner import plan
from bot.routing.state import RoutingState
from bot.samples import ms181101ab, to_avro
from bot.skymaps.distance_probability import probability_within
from bot.skymaps.skymap import read_sky_map
from formatters.models.criteria_set import CriteriaSet
from formatters.models.notice import Notice
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent
from tests.benchmarks.filters import COUNT, timed
from tests.support.factories import MAX_AGE, NOW, TEAM

SETS = 20


def made_set(slug: str) -> CriteriaSet:
    """A set of three grades of four conditions, as no other has them."""
    far, share = random.randint(1, 99), random.random()
    mpc = random.uniform(1, 100)
    grades = (
        f"{name}: NS>{share:.4f} distance<{mpc * factor:.3f} area90<{area} far<1/{far}month"
        for name, factor, area in (("Gold", 0.2, 50), ("Silver", 0.5, 200), ("Bronze", 1, 900))
    )
    return CriteriaSet(slug=slug, grades=parse_grades("; ".join(grades)))


def judging(superevent: Superevent) -> None:
    """Judge sets without map conditions for one superevent."""
    sets = [made_set(f"set-{number}") for number in range(SETS)]
    took = timed(lambda: [grade(one, superevent, {}) for one in sets], 50)
    print(f"{SETS} sets without map conditions for one notice: {took * 1000:.2f} ms (≤ 1 ms)")


def rubin(notice: Notice, body: bytes) -> None:
    """Measure and judge rubin-2026 on a map of 19,200 tiles, and ask it for a distance."""
    fits, _ = extract_sky_maps(body)
    assert fits is not None and notice.event is not None
    skymap, when = read_sky_map(fits), notice.event.time
    superevent = Superevent.from_notices([notice])
    set_ = BUILT_IN["rubin-2026"]

    def judge() -> None:
        measured = MapMeasurements(rubin=measure_rubin_sky(skymap, when))
        assert grade(set_, superevent, {notice.key: measured}).why_undecided is None

    tiles = f"{skymap.uniq.size:,} tiles"
    print(f"rubin-2026 on {tiles}: {timed(judge, 10) * 1000:.0f} ms (≤ 60 ms)")
    without = timed(lambda: grade(set_, superevent, {notice.key: PENDING}), 50)
    print(f"rubin-2026 before the map: {without * 1000:.2f} ms")
    print(f"within 200Mpc on {tiles}: {timed(lambda: probability_within(skymap, 200), 10) * 1000:.1f} ms")


def routing(superevent: Superevent) -> None:
    """Plan one notice for 10,000 channels that ask for the grade of a set each, and for rubin-2026's."""
    sets = {f"set-{number}": made_set(f"set-{number}") for number in range(COUNT)} | dict(BUILT_IN)
    own = [f"CBC grade set-{number}>=Silver mock" for number in range(COUNT)]
    began = time.perf_counter()
    subscriptions(own, sets)
    print(f"reading {COUNT:,} grades, once: {time.perf_counter() - began:.2f} s")
    again = timed(lambda: subscriptions(own, sets))
    print(f"reading them again, for each notice: {again * 1000:.0f} ms")
    typed = [f"CBC ({_as_filter(sets[f'set-{number}'])}) mock" for number in range(COUNT)]
    rubin_words = ("CBC grade rubin-2026>=Silver mock", "CBC mock notify @here if grade rubin-2026")
    for what, words in (
        ("ask for the grade of a set each", own),
        ("ask for the same, typed as filters", typed),
        ("ask for rubin-2026's grade", [rubin_words[number % 2] for number in range(COUNT)]),
    ):
        asked = subscriptions(words, sets)
        state = RoutingState(superevent=superevent, notice=superevent.latest, subscriptions=asked)
        took = timed(partial(plan, state, live=True, now=NOW, max_age=MAX_AGE))
        planned = len(plan(state, live=True, now=NOW, max_age=MAX_AGE))
        print(f"routing {COUNT:,} channels that {what}: {took * 1000:.0f} ms, {planned:,} intents")


def _as_filter(set_: CriteriaSet) -> str:
    """Return the two best grades as one filter."""
    return " or ".join(f"({one.filter.canonical})" for one in set_.grades[:2] if one.filter is not None)


def subscriptions(words: list[str], sets: Mapping[str, CriteriaSet]) -> list[Subscription]:
    """Read subscriptions as the store does, one a channel."""
    return [
        Subscription(
            id=number,
            number=number,
            team_id=TEAM,
            channel_id=f"C{number}",
            criteria=resolve_grades(parse_stored_criteria(text), sets),
            created_by="U1",
            created_at=NOW,
        )
        for number, text in enumerate(words)
    ]


def main() -> None:
    """Print what each takes."""
    random.seed(1)
    body = to_avro(ms181101ab(NOW)[1])
    notice = decode(body)
    superevent = Superevent.from_notices([notice])
    judging(superevent)
    rubin(notice, body)
    routing(superevent)


if __name__ == "__main__":
    main()
