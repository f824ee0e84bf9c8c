"""The list of cases, and the code that runs and checks them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from confluent_kafka import KafkaException

from bot.local_slack.errors import ApiError
from tests.chaos.cases import (
    backlog,
    broker,
    clock,
    database,
    escalations,
    extra_topics,
    follow_ups,
    kills,
    mutes,
    odd_answers,
    pauses,
    process_roles,
    resource_limits,
    shared_channels,
    slack,
    storm,
    subscription_changes,
)
from tests.chaos.harness import CaseUnsupported, ChaosHarness, open_chaos_harness
from tests.chaos.message_check import Verdict

CASE_ERRORS = (
    AssertionError,
    ValueError,
    RuntimeError,
    OSError,
    sqlite3.Error,
    psycopg.Error,
    KafkaException,
    ApiError,
)
"""Exceptions that fail a case without stopping the others."""

Case = Callable[[ChaosHarness], Awaitable[None]]

CASES: Mapping[str, Case] = {
    "kills": kills.kills,
    "kills-with-history": kills.kills_with_history,
    "follow-ups-killed": follow_ups.killed,
    "escalations-killed": escalations.killed,
    "mutes-killed": mutes.killed,
    "storm": storm.storm,
    "slack-rate-limited": slack.rate_limited,
    "slack-server-errors": slack.server_errors,
    "slack-timeouts": slack.timeouts,
    "slack-cut-before": slack.cut_before,
    "slack-cut-after": slack.cut_after,
    "slack-cut-after-unseen": slack.cut_after_unseen,
    "sockets-closed": slack.sockets_closed,
    "sockets-refused": slack.sockets_refused,
    "sockets-half-open": slack.sockets_half_open,
    "changes-and-kills": subscription_changes.changes,
    "channel-archived": slack.channel_archived,
    "bot-kicked": slack.bot_kicked,
    "token-revoked": slack.token_revoked,
    "foreign-teams": shared_channels.foreign_teams,
    "slack-unlisted-words": odd_answers.unlisted_words,
    "slack-refused-parts": odd_answers.refused_parts,
    "slack-restricted-mentions": odd_answers.restricted_mentions,
    "slack-odd-answers": odd_answers.odd_answers,
    "slack-odd-answers-unseen": odd_answers.odd_answers_unseen,
    "slack-foreign-deliveries": odd_answers.foreign_deliveries,
    "broker-down-at-start": broker.down_at_start,
    "broker-down-in-between": broker.down_in_between,
    "broker-frozen": broker.frozen,
    "broker-restarted": broker.restarted,
    "broker-offset-lost": broker.offset_lost,
    "broker-doubled": broker.doubled,
    "broker-wrong-credentials": broker.wrong_credentials,
    "broker-topic-later": broker.topic_later,
    "reader-stuck": broker.reader_stuck,
    "database-locked": database.locked,
    "database-locked-and-killed": database.locked_and_killed,
    "database-full": database.full,
    "disk-full": database.disk_full,
    "disk-really-full": database.disk_really_full,
    "database-restarted": database.restarted,
    "database-swapped": database.swapped,
    "database-emptied": database.emptied_and_restarted,
    "database-linked": database.linked,
    "postgres-restarted": process_roles.postgres_restarted,
    "postgres-read-only": process_roles.postgres_read_only,
    "roles-killed": process_roles.roles_killed,
    "clock-forward": clock.forward,
    "clock-back": clock.back,
    "clock-mended": clock.set_right,
    "clock-jumps": clock.jumps,
    "clock-jumps-and-crashes": clock.jumps_and_crashes,
    "clock-wrong-at-start": clock.wrong_at_start,
    "paused-run": pauses.paused_run,
    "paused-worker": pauses.paused_worker,
    "paused-roles": pauses.paused_roles,
    "backlog": backlog.slow_channels,
    "full-queue": backlog.full_queue,
    "drawing-process": resource_limits.drawing,
    "descriptor-limit": resource_limits.descriptors,
    "topic-absent": extra_topics.absent,
    "topic-denied": extra_topics.denied,
    "topic-dying": extra_topics.dying,
    "topic-flooded": extra_topics.flooded,
    "thousand-at-once": backlog.thousand_at_once,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """The result of a case."""

    name: str
    seed: int
    seconds: float
    kills: int = 0
    notices: int = 0
    channels: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    error: str = ""
    """The reason if the case could not be checked, or its failed assertion."""
    skipped: str = ""
    """The reason if the case could not run on this machine."""

    @property
    def passed(self) -> bool:
        """True if nothing was lost, doubled or broken."""
        return self.verdict.passed and not self.error


async def run_case(name: str, case: Case, folder: Path, seed: int) -> CaseResult:
    """Run one case in a folder of its own, in which its bots' logs are kept."""
    began = time.monotonic()
    async with open_chaos_harness(folder, seed, name) as chaos:
        broken = skipped = ""
        verdict = Verdict()
        try:
            await case(chaos)
            verdict = await chaos.check()
        except CaseUnsupported as reason:
            skipped = str(reason)
        except CASE_ERRORS as error:
            broken = f"{type(error).__name__}: {error}"
        return CaseResult(
            name=name,
            seed=seed,
            seconds=time.monotonic() - began,
            kills=chaos.kills,
            notices=chaos.notice_generator.count,
            channels=len(chaos.channels),
            verdict=verdict,
            error=broken,
            skipped=skipped,
        )


def run_cases(names: Sequence[str], folder: Path, seed: int, jobs: int) -> Iterator[CaseResult]:
    """Run cases, `jobs` at a time, each in a process of its own, and yield results as they finish."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1) as pool:
        started = [pool.submit(_run_in_process, name, folder / name, seed) for name in names]
        for done in as_completed(started):
            yield done.result()


def _run_in_process(name: str, folder: Path, seed: int) -> CaseResult:
    folder.mkdir(parents=True)
    # Kafka's clients log each intentionally broken connection to the terminal.
    with (folder / "harness.log").open("wb") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    return asyncio.run(run_case(name, CASES[name], folder, seed))
