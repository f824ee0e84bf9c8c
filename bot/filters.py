"""The words of a subscription: their grammar and their meaning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from formatters.mention import neutron_star
from formatters.notice import Category
from formatters.subscription import Notify, Wish
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


NOTIFY_SWITCHES = {
    "notifymock": "mock",
    "notifymocks": "mock",
    "notifytest": "test",
    "notifytests": "test",
}
MOST_TARGETS = 10

_LABEL = re.compile(r"<([@!][^<>|]*)\|[^<>]*>")
_TARGET = re.compile(r"<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>")
_BROADCAST = {"@here": "<!here>", "<!here>": "<!here>", "@channel": "<!channel>", "<!channel>": "<!channel>"}


class UnknownWord(ValueError):
    """A word that is no part of the grammar; its text is a sentence for who typed it."""


def parse(words: str) -> Wish:
    """Read "[CBC|Burst|all] [mock] [test] [lowsig] [notify TARGET… [notify-mocks] [notify-tests] [if NS]]".

    What stands before `notify` comes in any order, everything in any case. A target is @here, @channel, or
    a person or group as Slack writes them ("<@U…|name>", "<!subteam^S…|@group>"). Raises UnknownWord for
    anything else, and for two groups at once ("all" is both).
    """
    # A name is Slack's to say; it may hold spaces, and may change.
    every = _LABEL.sub(r"<\1>", words).replace(",", " ").split()
    at = next((n for n, word in enumerate(every) if _folded(word) == "notify"), len(every))
    wish = _what(every[:at])
    return wish if at == len(every) else replace(wish, notify=_notify(every[at + 1 :], wish))


def _folded(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "")


def _quoted(word: str) -> str:
    return f'"{word}"' if len(word) <= 40 else f'"{word[:40]}…"'


def _what(words: Sequence[str]) -> Wish:
    switches: set[str] = set()
    group: str | None = None
    for word in words:
        folded = _folded(word)
        if folded in GROUPS:
            if group not in (None, GROUPS[folded]):
                raise UnknownWord(
                    f'"{group}" and "{GROUPS[folded]}" together: subscribe to each, or to "all".'
                )
            group = GROUPS[folded]
        elif folded in SWITCHES:
            switches.add(SWITCHES[folded])
        else:
            raise UnknownWord(f"{_quoted(word)} is none of CBC, Burst, all, mock, test, lowsig, notify.")
    return Wish(
        group=group or "all", mock="mock" in switches, test="test" in switches, lowsig="lowsig" in switches
    )


def _notify(words: Sequence[str], wish: Wish) -> Notify:
    at = next((n for n, word in enumerate(words) if word.casefold() == "if"), len(words))
    condition = [word.casefold() for word in words[at + 1 :]]
    if at < len(words) and condition != ["ns"]:
        raise UnknownWord('"if" knows one condition and ends with it: if NS.')
    targets: list[str] = []
    switches: set[str] = set()
    for word in words[:at]:
        folded = _folded(word)
        if folded in NOTIFY_SWITCHES:
            switches.add(NOTIFY_SWITCHES[folded])
        elif folded in SWITCHES or folded in GROUPS:
            raise UnknownWord(f'{_quoted(word)} is nobody to mention: write it before "notify".')
        else:
            targets.append(_target(word))
    if not targets:
        raise UnknownWord('"notify" needs somebody to mention: @here, @channel, a person or a group.')
    targets = list(dict.fromkeys(targets))
    if len(targets) > MOST_TARGETS:
        raise UnknownWord(f'"notify" mentions at most {MOST_TARGETS}: make it a user group.')
    for switch in sorted(switches):
        if not getattr(wish, switch):
            raise UnknownWord(f'"notify-{switch}s" needs "{switch}" before "notify".')
    return Notify(
        targets=tuple(targets),
        mock="mock" in switches,
        test="test" in switches,
        only_ns=at < len(words),
    )


def _target(word: str) -> str:
    broadcast = _BROADCAST.get(word.casefold())
    if broadcast is not None:
        return broadcast
    if _TARGET.fullmatch(word):
        return word
    if word.startswith("@"):
        raise UnknownWord(
            f"Slack didn't say who {_quoted(word)} is: pick the name from its list while typing."
        )
    raise UnknownWord(f"{_quoted(word)} can't be mentioned: @here, @channel, a person or a group.")


def mentioned(wish: Wish, superevent: Superevent) -> tuple[str, ...]:
    """Whom a subscription mentions because of the superevent as it stands; empty for nobody.

    Nobody for a retracted event. Mocks and tests only by a word of their own: wanting to see them isn't
    wanting to be woken by them.
    """
    notify, newest = wish.notify, superevent.latest_with_event
    if notify is None or newest is None or superevent.retracted or not matches(wish, superevent):
        return ()
    category = superevent.category
    if category is not Category.REAL and getattr(notify, category.value) is not True:
        return ()
    return notify.targets if neutron_star(newest) or not notify.only_ns else ()


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
