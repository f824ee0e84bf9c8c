"""`/gwevent recent [N] [CBC|Burst] [mock|test]`: the events received last."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from bot.commands.errors import CommandError
from bot.filters import FilterSyntaxError, parse_criteria
from bot.store.events.notices import NoticeRepository
from formatters.answers import recent
from formatters.blockkit.message import Message
from formatters.models.notice import Category

DEFAULT_EVENTS = 5
MAX_EVENTS = 20

_NUMBER = re.compile(r"[+-]?[\d.]+")
_COUNTS = frozenset(str(count) for count in range(1, MAX_EVENTS + 1))


class RecentCommand:
    """Answers `recent`."""

    def __init__(self, notices: NoticeRepository, clock: Callable[[], datetime]) -> None:
        self._notices = notices
        self._clock = clock

    async def answer(self, arguments: str) -> Message:
        """Return the newest events of a category and a group. Raises CommandError, StoreUnavailable."""
        words = arguments.split()
        numbers = [word for word in words if _NUMBER.fullmatch(word)]
        category, group = _parse_category_and_group(" ".join(word for word in words if word not in numbers))
        if len(numbers) > 1 or (numbers and numbers[0] not in _COUNTS):
            raise CommandError(f'"recent" takes one number from 1 to {MAX_EVENTS}.')
        limit = int(numbers[0]) if numbers else DEFAULT_EVENTS
        found = await self._notices.newest(category=category, group=group, limit=limit)
        return recent.message(recent.RecentEvents(found), self._clock())


def _parse_category_and_group(words: str) -> tuple[Category, str | None]:
    """Parse "CBC mock": (real events unless mocks or tests are asked for, the group or None for any)."""
    complaint = f'"{words[:80]}" is no choice here; choose one of CBC, Burst, all, and one of mock, test.'
    try:
        criteria = parse_criteria(words)
    except FilterSyntaxError as error:
        raise CommandError(complaint) from error
    if (
        criteria.lowsig
        or criteria.filter is not None
        or criteria.notify is not None
        or (criteria.mock and criteria.test)
    ):
        raise CommandError(complaint)
    category = Category.MOCK if criteria.mock else Category.TEST if criteria.test else Category.REAL
    return category, None if criteria.group == "all" else criteria.group
