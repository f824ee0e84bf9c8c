"""Tries payloads in processes of their own, which a watchdog ends when one hangs."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tests.fuzz.mutations import create_mutant
from tests.fuzz.seeds import SHARED_NOTICES, published_corpus, synthetic_corpus
from tests.fuzz.trial import try_payload

SLOW_S = 1.0
"""CPU seconds that a payload may take; by the CPU's clock, for a busy machine slows everything."""
HANGS_S = 120.0
"""Wall clock after which the process is ended."""
MEMORY_MB = 256
"""What a process may grow by for one payload: the largest map, unpacked, is 64 MiB."""
PROC = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What became of one payload."""

    seed: int
    kind: str
    outcome: str
    """"read", "map refused", "refused", "crash", "hang"."""
    cpu: float = 0.0
    """Seconds."""
    grown: int = 0
    """MB that the process grew by, at its peak."""
    detail: str = ""


@dataclass(slots=True)
class Report:
    """All of it."""

    results: list[TrialResult] = field(default_factory=list)

    @property
    def failures(self) -> list[TrialResult]:
        """Crashes, hangs, what was slow, and what took too much memory."""
        return [
            d for d in self.results if d.outcome in ("crash", "hang") or d.cpu > SLOW_S or d.grown > MEMORY_MB
        ]


def run_trials(
    seeds: Sequence[int],
    *,
    workers: int = 1,
    shared: Path = SHARED_NOTICES,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Try the payloads of these seeds, dealt out to so many processes; `progress` hears how many are done."""
    report = Report()
    watched = [_TrialProcess(list(seeds[n::workers]), shared) for n in range(workers)]
    while running := [w for w in watched if w.remaining]:
        for worker in running:
            worker.collect(report)
        progress(len(report.results))
        wait([worker.pipe for worker in running if worker.remaining], timeout=1.0)
    report.results.sort(key=lambda done: done.seed)
    return report


class _TrialProcess:
    """A process that tries payloads, and the time since it last spoke."""

    def __init__(self, seeds: list[int], shared: Path) -> None:
        self.remaining = seeds
        self._shared = shared
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_try_all, args=(self.remaining, self._shared, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self._last_message = time.monotonic()

    def collect(self, report: Report) -> None:
        """Take what was said; end and replace the process where it said nothing for too long, or died."""
        ended = False
        try:
            while self.pipe.poll():
                done = self.pipe.recv()
                self._last_message = time.monotonic()
                if done is not None:
                    self.remaining.remove(done.seed)
                    report.results.append(done)
        except EOFError:
            ended = True
        hangs = time.monotonic() - self._last_message > HANGS_S
        if not self.remaining or not (ended or hangs):
            if not self.remaining:
                self._process.join(HANGS_S)
            return
        self._process.kill()
        self._process.join()
        outcome, said = ("hang", "") if hangs else ("crash", f"exit status {self._process.exitcode}")
        report.results.append(TrialResult(self.remaining.pop(0), "?", outcome, detail=said))
        if self.remaining:
            self._start()


def _try_all(seeds: list[int], shared: Path, pipe: Connection) -> None:
    own, real = synthetic_corpus(), published_corpus(shared)
    warnings.simplefilter("error")
    for body in own.payloads:
        try_payload(body)
    pipe.send(None)
    for seed in seeds:
        hostile = create_mutant(seed, own, real)
        _forget_peak()
        before, began, detail = _peak_mb(), time.process_time(), ""
        try:
            outcome = try_payload(hostile.body)
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            outcome, detail = "crash", traceback.format_exc(limit=-4)
        cpu = time.process_time() - began
        pipe.send(TrialResult(seed, hostile.kind, outcome, cpu, _peak_mb() - before, detail))
    pipe.close()


def _peak_mb() -> int:
    """The most memory since the peak was last forgotten; where that can't be done, since the start."""
    if PROC.is_dir():
        words = (PROC / "status").read_text().split()
        return int(words[words.index("VmHWM:") + 1]) // 1024
    # macOS counts bytes, others kilobytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (
        1024**2 if sys.platform == "darwin" else 1024
    )


def _forget_peak() -> None:
    # Linux, proc(5): 5 sets the peak to what is in use now.
    with suppress(OSError):
        (PROC / "clear_refs").write_text("5")
