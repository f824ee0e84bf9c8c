"""Which cases there are, and how one is run and judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.cases import kills
from tests.chaos.judge import Verdict
from tests.chaos.world import Chaos, chaos_in

Case = Callable[[Chaos], Awaitable[None]]

CASES: Mapping[str, Case] = {
    "kills": kills.kills,
    "kills-with-history": kills.kills_with_history,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a case."""

    name: str
    seed: int
    seconds: float
    kills: int = 0
    notices: int = 0
    channels: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    broken: str = ""
    """Why it couldn't be judged, or what else it asserts."""

    @property
    def good(self) -> bool:
        """Nothing lost, nothing doubled, nothing broken."""
        return self.verdict.good and not self.broken


async def run_case(name: str, case: Case, folder: Path, seed: int) -> Result:
    """Run one case in a folder of its own, where its bots' logs stay."""
    began = time.monotonic()
    async with chaos_in(folder, seed, name) as chaos:
        broken = ""
        verdict = Verdict()
        try:
            await case(chaos)
            verdict = await chaos.verdict()
        except (AssertionError, TimeoutError, ValueError, RuntimeError) as error:
            broken = f"{type(error).__name__}: {error}"
        return Result(
            name=name,
            seed=seed,
            seconds=time.monotonic() - began,
            kills=chaos.kills,
            notices=chaos.story.told,
            channels=len(chaos.channels),
            verdict=verdict,
            broken=broken,
        )


async def run_plan(
    cases: Mapping[str, Case], folder: Path, seed: int, jobs: int, tell: Callable[[Result], None]
) -> list[Result]:
    """Run cases, `jobs` at a time, and tell of each when it is done."""
    room = asyncio.Semaphore(jobs)

    async def one(name: str, case: Case) -> Result:
        async with room:
            result = await run_case(name, case, folder / name, seed)
        tell(result)
        return result

    return list(await asyncio.gather(*(one(name, case) for name, case in cases.items())))
