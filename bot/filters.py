"""The words of a subscription: their grammar and their meaning."""

from __future__ import annotations

from formatters.notice import Category
from formatters.subscription import Wish
from formatters.superevent import Superevent

GROUPS = {"cbc": "CBC", "burst": "Burst", "all": "all"}
SWITCHES = {
    "mock": "mock",
    "mocks": "mock",
    "test": "test",
    "tests": "test",
    "lowsig": "lowsig",
    "lowsignificance": "lowsig",
}


class UnknownWord(ValueError):
    """A word that is no part of the grammar; its text is a sentence for who typed it."""


def parse(words: str) -> Wish:
    """Read "[CBC|Burst|all] [mock] [test] [lowsig]", in any order and case.

    Raises UnknownWord for anything else, and for two groups at once ("all" is both).
    """
    switches: set[str] = set()
    group: str | None = None
    for word in words.replace(",", " ").split():
        folded = word.casefold().replace("-", "").replace("_", "")
        if folded in GROUPS:
            if group not in (None, GROUPS[folded]):
                raise UnknownWord(
                    f'"{group}" and "{GROUPS[folded]}" together: subscribe to each, or to "all".'
                )
            group = GROUPS[folded]
        elif folded in SWITCHES:
            switches.add(SWITCHES[folded])
        else:
            shown = word if len(word) <= 40 else word[:40] + "…"
            raise UnknownWord(f'"{shown}" is none of CBC, Burst, all, mock, test, lowsig.')
    return Wish(
        group=group or "all", mock="mock" in switches, test="test" in switches, lowsig="lowsig" in switches
    )


def admits_category(wish: Wish, category: Category) -> bool:
    """Whether events of this category may come at all: real ones always, mocks and tests on request."""
    return category is Category.REAL or getattr(wish, category.value) is True


def matches(wish: Wish, superevent: Superevent) -> bool:
    """Whether the superevent, as its newest event states it, is what was asked for.

    LVK's own flag decides what is significant: it is also set through a coincidence, where the FAR alone
    would not say so. A superevent of which only a retraction is known matches nothing.
    """
    event = superevent.event
    if event is None or not admits_category(wish, superevent.category):
        return False
    if not (event.significant or wish.lowsig):
        return False
    return wish.group == "all" or wish.group.casefold() == event.group.casefold()
