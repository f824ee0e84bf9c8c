"""The result of reading a typed question: a command with its arguments, or a topic."""

from __future__ import annotations

from dataclasses import dataclass

from bot.commands.sentence_reports import SentenceReport
from bot.commands.topics import Topic


@dataclass(frozen=True, slots=True)
class ParsedQuestion:
    """A question as it was understood: one of `command` and `topic` is given, or neither."""

    command: str | None = None
    """A word of the command table."""
    arguments: str = ""
    topic: Topic | None = None
    corrected: str | None = None
    """The typed word that was taken for `command`; None if it was typed as it is spelled."""
    nearest: str | None = None
    """For a question that isn't understood: the command that is the most similar."""
    is_filter_guess: bool = False
    """True if `arguments` are read as a filter because nothing else fits; they may be none."""
    report: SentenceReport | None = None
    """What a sentence tells of an observation; `arguments` are its words."""
