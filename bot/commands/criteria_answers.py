"""Answers to changes of criteria sets, the same for text commands, the form and App Home."""

from __future__ import annotations

from typing import assert_never

from bot.commands.criteria_service import (
    Added,
    BuiltIn,
    CriteriaResult,
    Doubtful,
    InUse,
    InvalidGrades,
    InvalidName,
    NameTaken,
    NoSuchSet,
    SetEdited,
    SetOutOfDate,
    SetRemoved,
    SetUnchanged,
    TooManySets,
)
from formatters.answers import criteria_changes
from formatters.answers import help as helping
from formatters.blockkit.message import Message


def answer_for(result: CriteriaResult) -> Message:
    """Return the answer for the outcome of a change."""
    match result:
        case Added(new, notified_channels):
            return criteria_changes.added(new, notified_channels)
        case SetEdited(_, after, notified_channels):
            return criteria_changes.edited(after, notified_channels)
        case SetUnchanged(same):
            return criteria_changes.unchanged(same)
        case SetRemoved(gone):
            return criteria_changes.removed(gone)
        case NameTaken(known, slug):
            return criteria_changes.name_taken(slug, known)
        case InvalidName(sentence) | InvalidGrades(sentence):
            return helping.error_message(sentence)
        case Doubtful(_, sentences):
            return criteria_changes.doubtful(sentences)
        case TooManySets():
            return criteria_changes.too_many()
        case InUse(slug, uses, grades):
            return criteria_changes.in_use(slug, [(use.channel_id, use.number) for use in uses], grades)
        case BuiltIn(one):
            return criteria_changes.built_in(one)
        case NoSuchSet(name, nearest, known):
            return criteria_changes.no_such_set(name, nearest, known)
        case SetOutOfDate(current):
            return criteria_changes.out_of_date(current)
        case _:
            assert_never(result)
