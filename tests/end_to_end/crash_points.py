"""Runs the bot until it dies by SIGKILL at a named step, written STEP:before|after:N.

N counts the calls of the step's function in this process. A step of which nothing comes (a claim that finds
nothing due, steps of escalations of which none is, a commit of no offset) doesn't count.
"""

from __future__ import annotations

import functools
import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import bot.app.application  # noqa: F401 - so that a fork has it
from bot.cli.main import app
from bot.slack.client import SlackClient
from bot.sources.hopskotch import HopskotchSource
from bot.sources.offset_committer import OffsetCommitter
from bot.store.events import deferred, notices, routing_state
from bot.store.events.escalations import EscalationRepository
from bot.store.outbox.images import ImageRepository
from bot.store.outbox.outbox import Outbox

STEPS: dict[str, tuple[Any, str]] = {
    "record": (notices.NoticeRepository, "record"),
    "plan": (routing_state, "write_plan"),
    "decide": (deferred.DeferredRouting, "complete"),
    "decided": (deferred, "write_deferred_plan"),
    "acknowledge": (HopskotchSource, "acknowledge"),
    "commit": (OffsetCommitter, "_commit"),
    "claim": (Outbox, "claim"),
    "take": (EscalationRepository, "take_due"),
    "post": (SlackClient, "post"),
    "edit": (SlackClient, "edit"),
    "upload": (SlackClient, "upload"),
    "uploaded": (ImageRepository, "record_upload"),
    "settle": (Outbox, "record_outcomes"),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash_at(step: str, side: str, number: int) -> None:
    """Replace the step's function by one that dies before or after its n-th call."""
    owner, name = STEPS[step]
    original: Callable[..., Any] = getattr(owner, name)
    calls = itertools.count(1)

    def due() -> bool:
        return next(calls) == number

    if step == "commit":

        @functools.wraps(original)
        def commit(self: Any, consumer: Any) -> None:
            now = bool(self._pending) and due()
            if now and side == "before":
                die()
            original(self, consumer)
            if now:
                die()

        setattr(owner, name, commit)
        return

    @functools.wraps(original)
    async def replaced(*args: Any, **kwargs: Any) -> Any:
        if side == "before" and due():
            die()
        result = await original(*args, **kwargs)
        if side == "after" and (step not in ("claim", "take") or result) and due():
            die()
        return result

    setattr(owner, name, replaced)


def run(environment: dict[str, str], folder: str, log: str, step: str | None, command: str = "run") -> None:
    """Become `gwevent run` or another of its commands, with nothing but this environment."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    stderr = os.open(log, os.O_WRONLY)
    os.dup2(stderr, 2)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    if step is not None:
        name, side, number = step.split(":")
        crash_at(name, side, int(number))
    app([command])
