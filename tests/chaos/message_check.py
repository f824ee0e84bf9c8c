"""Compare the messages in channels with the published notices; pure functions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from formatters.models.notice import EARLYWARNING, RETRACTION
from tests.support.messages import message_text

LABELS = {EARLYWARNING: "EARLY WARNING", RETRACTION: "RETRACTED"}
"""Alert types whose name in a headline differs from their own."""

_ID = re.compile(r"\bM?S\d{6}[a-z]+\b")
_SIDE_MESSAGE = re.compile(
    r"Stand down: |Now significant|New coincidence: |A candidate again: |Light may be expected now"
    r"|Slack refuses the mention|retracted by circular|nobody had it|[Mm]uted here: "
)
_FOLLOW_UP = re.compile(r"· Follow-up$", re.MULTILINE)
_CIRCULAR = re.compile(r"\bGCN (\d+)\b")
MAX_LISTED = 20
"""Messages that a Follow-up reply lists; the others are counted."""
_NUMBER = re.compile(r"Notice (\d+) of this event")


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """A message in a channel, with the properties that the check uses."""

    headline: str
    superevent_id: str
    number: int
    """Number of the notice that the message shows, within its event."""
    in_thread: bool
    delivery_id: int
    """The delivery id in the metadata; 0 if the message was posted without metadata."""


@dataclass(frozen=True, slots=True)
class FollowUpMessage:
    """A Follow-up reply in a channel."""

    superevent_id: str
    circulars: frozenset[int]
    """Numbers of the circulars that it lists."""
    in_thread: bool
    delivery_id: int
    """The delivery id in the metadata; 0 if the message was posted without metadata."""


@dataclass
class Verdict:
    """The problems that the check found, a sentence for each."""

    messages: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    excused: int = 0
    """Number of surplus messages that are allowed, because the bot could not learn of the first post."""

    @property
    def passed(self) -> bool:
        """True if no message is lost, and none doubled without a valid reason."""
        return not (self.lost or self.duplicated)


def is_side_message(message: Mapping[str, Any]) -> bool:
    """Return True for messages beside an alert: mentions, steps, and hints that Slack rejected a mention."""
    said = _SIDE_MESSAGE.search(str(message["text"])) is not None
    return said and _NUMBER.search(message_text(dict(message))) is None


def parse_alert_message(message: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> AlertMessage:
    """Parse a message of the local Slack. Raises ValueError if it is not an alert's."""
    words = message_text(dict(message))
    headers = [block for block in message.get("blocks") or () if block["type"] in ("header", "section")]
    titles = [str(block["text"]["text"]) for block in headers] or words.splitlines()
    name, number = _ID.search(words), _NUMBER.search(words)
    # A message without blocks has the title on one of its lines; a mention may precede it.
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


def is_follow_up(message: Mapping[str, Any]) -> bool:
    """Return True for a Follow-up reply, by its title."""
    return _FOLLOW_UP.search(message_text(dict(message)).replace("*", "")) is not None


def parse_follow_up(message: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> FollowUpMessage:
    """Parse a Follow-up reply of the local Slack. Raises ValueError if it names no event."""
    words = message_text(dict(message))
    name = _ID.search(words)
    if name is None:
        raise ValueError(f"A Follow-up reply about no event: {words!r}")
    return FollowUpMessage(
        name[0],
        frozenset(map(int, _CIRCULAR.findall(words))),
        message.get("thread_ts") not in (None, message["ts"]),
        int(metadata["event_payload"]["delivery_id"]) if metadata else 0,
    )


def check_follow_ups(
    verdict: Verdict,
    circulars: Mapping[str, Sequence[int]],
    alerts: Mapping[str, Sequence[AlertMessage]],
    held: Mapping[str, Sequence[FollowUpMessage]],
    *,
    excused: Mapping[int, int] | None = None,
) -> None:
    """Compare published circulars by superevent with the Follow-up replies by channel; add to the verdict.

    Where an event has a root message and circulars, its thread has one Follow-up reply, which lists the
    newest of them. All channels subscribe to circulars. `alerts` are the alerts' messages by channel.
    """
    verdict.messages += sum(map(len, held.values()))
    for channel, replies in held.items():
        rooted = {said.superevent_id for said in alerts.get(channel, ()) if not said.in_thread}
        for name in {said.superevent_id for said in replies} - {n for n, some in circulars.items() if some}:
            verdict.duplicated.append(f"{channel} {name}: a Follow-up reply about nothing")
        for name, numbers in circulars.items():
            where = f"{channel} {name}: Follow-up reply"
            own = [said for said in replies if said.superevent_id == name]
            if not own:
                if numbers and name in rooted:
                    verdict.lost.append(f"{where} isn't there")
                continue
            newest = frozenset(numbers[-MAX_LISTED:])
            if not any(said.circulars == newest for said in own):
                shown = [sorted(said.circulars) for said in own]
                verdict.lost.append(f"{where} lists {shown}, not {sorted(newest)}")
            if not all(said.in_thread for said in own):
                verdict.duplicated.append(f"{where} stands outside its thread")
            _check_surplus(verdict, where, own, excused or {})


def check_messages(
    events: Mapping[str, Sequence[str]],
    held: Mapping[str, Sequence[AlertMessage]],
    *,
    excused: Mapping[int, int] | None = None,
    revived: Collection[str] = (),
) -> Verdict:
    """Compare published alert types by superevent (`events`) with messages by channel (`held`).

    In each channel each event has one root, which shows the newest notice, and one reply for each notice
    after the first. An event that was retracted before its root was posted has no message. `excused` is the
    number of surplus posts allowed by delivery id. `revived` are channels that could not be reached for a
    while; notices of that time appear in their root messages, but have no replies.
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
    verdict: Verdict,
    what: str,
    found: Sequence[AlertMessage | FollowUpMessage],
    excused: Mapping[int, int],
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


def _times(found: Iterable[AlertMessage | FollowUpMessage]) -> Counter[int]:
    return Counter(said.delivery_id for said in found)


def _label(kind: str) -> str:
    return LABELS.get(kind, kind)
