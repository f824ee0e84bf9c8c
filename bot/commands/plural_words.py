"""Commands spelled as a word with a verb behind it: "subscriptions add CBC", "export plan csv". Pure."""

from __future__ import annotations

from bot.commands.candidate_words import changes_candidates
from bot.commands.galaxy_sentences import expand_galaxies
from bot.commands.list_verbs import read_verb_behind
from bot.commands.observe_words import expand_observe
from bot.commands.observe_words import has_note as has_note
from bot.commands.observe_words import without_note as without_note
from bot.commands.plan_words import PLAN_WORDS, exports_plan

SUBSCRIPTION_VERBS = {
    "add": "subscribe",
    "new": "subscribe",
    "create": "subscribe",
    "show": "subscriptions",
    "list": "subscriptions",
    "edit": "edit",
    "change": "edit",
    "remove": "unsubscribe",
    "delete": "unsubscribe",
    "end": "unsubscribe",
    "stop": "unsubscribe",
    "pause": "pause",
    "resume": "resume",
    "test": "test",
    "drill": "drill",
    "form": "dialog",
    "dialog": "dialog",
}
"""The words after `subscriptions`, and the commands that they stand for."""
CRITERIA_VERBS = {
    **dict.fromkeys(("add", "new", "create"), "add"),
    **dict.fromkeys(("edit", "change", "replace"), "edit"),
    **dict.fromkeys(("remove", "delete", "drop"), "remove"),
}
"""The words after `criteria` that change a set, and what each does."""


def expand_plural(word: str, arguments: str) -> tuple[str, str]:
    """Return the command and arguments that "subscriptions add CBC", "sites show" stand for."""
    verb, _, rest = arguments.partition(" ")
    if word in ("subscriptions", "subs", "subscription") and verb.casefold() in SUBSCRIPTION_VERBS:
        command = SUBSCRIPTION_VERBS[verb.casefold()]
        if command == "edit" and (not rest or rest.strip().lstrip("#").isdecimal()):
            command = "dialog"
        return command, "" if command == "subscriptions" else rest.strip()
    if word == "edit" and arguments.strip().lstrip("#").isdecimal():
        return "dialog", arguments
    if word == "test" and (listed := read_verb_behind((word, *arguments.split()))) is not None:
        # Test events: no subscription is tried with "latest".
        return listed
    if word in CRITERIA_WORDS:
        return _expand_criteria(arguments)
    if word in CANDIDATE_WORDS and verb.casefold() == "help":
        return "help", "candidates"
    if word in CANDIDATE_WORDS and changes_candidates(arguments):
        return "candidates change", arguments
    if word == "export" and verb.casefold() in CANDIDATE_WORDS:
        return "candidates", f"export {rest.strip()}"
    if word == "export" and rest.strip().casefold() in CANDIDATE_WORDS:
        return "candidates", f"export {verb}"
    if (galaxies := expand_galaxies(word, arguments)) is not None:
        return galaxies
    if (observe := expand_observe(word, arguments)) is not None:
        return observe
    if word in COVERAGE_WORDS and verb.casefold() == "help":
        return "help", "coverage"
    if word == "export" and COVERAGE_WORDS & set(arguments.casefold().split()):
        return "coverage", f"export {_without(arguments, COVERAGE_WORDS)}"
    if word in PLAN_WORDS and verb.casefold() == "help":
        return "help", "plan"
    exported = exports_plan(word, arguments)
    if exported is not None:
        return "plan", exported
    if word in ("sites", "site") and verb.casefold() in ("show", "list"):
        return "sites", rest.strip()
    return word, arguments


COVERAGE_WORDS = frozenset(("coverage", "covered"))
CANDIDATE_WORDS = ("candidates", "candidate", "counterparts", "counterpart")
CRITERIA_WORDS = ("criteria", "criterion")


def _expand_criteria(arguments: str) -> tuple[str, str]:
    """Return the command and arguments that "criteria add …", "criteria rubin" stand for."""
    verb, *rest = arguments.split(maxsplit=1)[:2] or ("",)
    match verb.casefold():
        case "" | "list":
            return "criteria", "".join(rest)
        case "help":
            return "help", "criteria"
        case "show":
            return "criteria show", "".join(rest)
        case word if word in CRITERIA_VERBS:
            return "criteria change", " ".join([CRITERIA_VERBS[word], *rest])
    return "criteria show", arguments


def about_named_event(word: str, arguments: str) -> tuple[str, str]:
    """Return the command that is meant where an event is named: "S251112cm criteria" judges it."""
    if word not in CRITERIA_WORDS:
        return word, arguments
    expanded = expand_plural(word, arguments)
    return {"criteria": ("criteria show", ""), "criteria show": expanded}.get(expanded[0], (word, arguments))


def _without(arguments: str, words: frozenset[str]) -> str:
    return " ".join(word for word in arguments.split() if word.casefold() not in words)
