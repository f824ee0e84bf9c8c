"""Lists whose verb stands behind what they are of: "only mock latest" is "latest only mock". Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands.question_cleaning import TRAILING_MARKS

LIST_VERBS = {
    **dict.fromkeys(("latest", "newest", "last"), "latest"),
    **dict.fromkeys(("events", "recent"), "events"),
}
"""The verbs that take kinds of events and a filter, with their commands; "search", "find" and "list" begin
sentences.
"""


def read_verb_behind(words: Sequence[str]) -> tuple[str, str] | None:
    """Return the command and arguments of a list whose verb isn't its first word, None if it is no list.

    What stands before the verb is not looked at: if it is no filter, the question isn't understood.
    """
    for at, word in enumerate(words[1:], 1):
        command = LIST_VERBS.get(word.casefold().strip(TRAILING_MARKS))
        if command is not None:
            return command, " ".join([*words[:at], *words[at + 1 :]])
    return None
