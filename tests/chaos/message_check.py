"""What channels hold, compared with what was published; pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from formatters.models.notice import EARLYWARNING, RETRACTION
from tests.support.messages import message_text

LABELS = {EARLYWARNING: "EARLY WARNING", RETRACTION: "RETRACTED"}
"""How a headline names an alert type that it doesn't call by its name."""

_ID = re.compile(r"\bM?S\d{6}[a-z]+\b")
_SIDE_MESSAGE = re.compile(
    r"Stand down: |Now significant|New coincidence: |A candidate again: |Light may be expected now"
    r"|Slack refuses the mention"
)
_NUMBER = re.compile(r"Notice (\d+) of this event")


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message of a channel, as far as the judge looks at it."""

    headline: str
    superevent_id: str
    number: int
    """Which notice of its event it shows."""
    in_thread: bool
    delivery_id: int
    """From its metadata; 0 where Slack took it without."""


@dataclass
class Verdict:
    """What is wrong, a sentence each."""

    messages: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    excused: int = 0
    """Messages too many, each of which Slack posted while nobody was left to learn of it."""

    @property
    def passed(self) -> bool:
        """Nothing is lost, and nothing doubled without excuse."""
        return not (self.lost or self.duplicated)


def is_side_message(message: Mapping[str, Any]) -> bool:
    """Whether a message is none of an alert's own: it wakes people, or says that Slack refused to."""
    said = _SIDE_MESSAGE.search(str(message["text"])) is not None
    return said and _NUMBER.search(message_text(dict(message))) is None


def parse_alert_message(message: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> AlertMessage:
    """A message of the local Slack. Raises ValueError for one that is no alert's."""
    words = message_text(dict(message))
    headers = [block for block in message.get("blocks") or () if block["type"] in ("header", "section")]
    titles = [str(block["text"]["text"]) for block in headers] or words.splitlines()
    name, number = _ID.search(words), _NUMBER.search(words)
    # Where Slack takes words alone, the title is one of their lines; a mention may stand before it.
    headline = next((title for title in titles if name is not None and name[0] in title), titles[0])
    if name is None or number is None:
        raise ValueError(f"A message that is no alert's: {words!r}")
    return AlertMessage(
        headline,
        name[0],
        int(number[1]),
        message.get("thread_ts") not in (None, message["ts"]),
        int(metadata["event_payload"]["delivery_id"]) if metadata else 0,
    )


def check_messages(
    events: Mapping[str, Sequence[str]],
    held: Mapping[str, Sequence[AlertMessage]],
    *,
    excused: Mapping[int, int] | None = None,
    revived: Collection[str] = (),
) -> Verdict:
    """Compare. `events` are the published alert types by superevent, `held` the messages by channel.

    In each channel each event has one root, which shows the newest notice, and one reply for each notice
    after the first. An event that was retracted before its root went out has nothing. `excused` is how many
    surplus posts of a delivery id may stand; `revived` are channels that nothing reached for a while:
    what came meanwhile stands in their roots, not in replies.
    """
    verdict = Verdict(messages=sum(map(len, held.values())))
    for channel, messages in held.items():
        by_event: defaultdict[str, list[AlertMessage]] = defaultdict(list)
        for said in messages:
            by_event[said.superevent_id].append(said)
        for name in by_event.keys() - events.keys():
            verdict.duplicated.append(f"{channel}: {name} was never published")
        for name, kinds in events.items():
            _check_event(
                verdict, f"{channel} {name}", kinds, by_event[name], excused or {}, channel in revived
            )
    return verdict


def _check_event(
    verdict: Verdict,
    where: str,
    kinds: Sequence[str],
    messages: Sequence[AlertMessage],
    excused: Mapping[int, int],
    revived: bool,
) -> None:
    if not messages and kinds[-1] == RETRACTION:
        return
    roots = [said for said in messages if not said.in_thread]
    replies: defaultdict[int, list[AlertMessage]] = defaultdict(list)
    for said in messages:
        if said.in_thread:
            replies[said.number].append(said)
    newest = [said for said in roots if said.number == len(kinds) and _label(kinds[-1]) in said.headline]
    if not roots:
        verdict.lost.append(f"{where}: no root")
    elif not newest:
        shown = ", ".join(f"{said.number} ({said.headline})" for said in roots)
        verdict.lost.append(f"{where}: the root shows notice {shown}, not {len(kinds)}, {kinds[-1]}")
    for number, kind in enumerate(kinds[1:], start=2):
        if not replies[number] and not revived:
            verdict.lost.append(f"{where}: no reply for notice {number}, {kind}")
        if any(_label(kind) not in said.headline for said in replies[number]):
            verdict.lost.append(f"{where}: the reply for notice {number} doesn't say {kind}")
    for number in replies.keys() - set(range(2, len(kinds) + 1)):
        if replies[number]:
            verdict.duplicated.append(f"{where}: a reply for notice {number}")
    _check_surplus(verdict, f"{where}: root", roots, excused)
    for number, found in replies.items():
        _check_surplus(verdict, f"{where}: reply for notice {number}", found, excused)


def _check_surplus(
    verdict: Verdict, what: str, found: Sequence[AlertMessage], excused: Mapping[int, int]
) -> None:
    surplus = len(found) - 1
    if surplus <= 0:
        return
    allowed = sum(
        min(times - 1, excused.get(delivery, 0)) for delivery, times in _times(found).items() if times > 1
    )
    verdict.excused += min(surplus, allowed)
    if surplus > allowed:
        verdict.duplicated.append(f"{what} stands {len(found)} times, {allowed} of them excused")


def _times(found: Iterable[AlertMessage]) -> Counter[int]:
    return Counter(said.delivery_id for said in found)


def _label(kind: str) -> str:
    return LABELS.get(kind, kind)
