"""Decides what a muted thread receives of a notice: nothing but a retraction, and what corrects one."""

from __future__ import annotations

from bot.routing.state import Thread
from formatters.models.superevent import Superevent


def is_held_back(thread: Thread, superevent: Superevent) -> bool:
    """Return whether a thread gets no replies and edits about the superevent as it is now."""
    return thread.is_muted and can_be_muted(superevent)


def can_be_muted(superevent: Superevent) -> bool:
    """Return whether a mute holds back what there is to say of the superevent as it is now.

    A muted thread hears of a retraction. If LVK takes the retraction back, it hears of that and of what
    follows too: else its card would say for good that the event is retracted.
    """
    return not any(notice.is_retraction for notice in superevent.notices)
