"""Limits of what people type, in one place: characters, conditions, targets."""

from __future__ import annotations

MAX_QUESTION_LENGTH = 1_000
"""Characters of a command that is no subscription."""
MAX_LIST_LENGTH = 6_000
"""Characters of a command that takes several lines; enough for 50 positions with names."""
MAX_LENGTH = 3_000
"""Characters of a filter and of a subscription's criteria, as typed and in canonical form.

The column `subscriptions.words` and the modal's text input have the same length.
"""
MAX_CONDITIONS = 40
"""Conditions of a filter."""
MAX_DEPTH = 20
"""Levels of nested parentheses."""
MAX_TARGETS = 10
"""People, groups and broadcasts that a subscription mentions."""
CACHE_SIZE = 20_000
"""Criteria that are kept parsed: those of all subscriptions are needed for every notice."""
