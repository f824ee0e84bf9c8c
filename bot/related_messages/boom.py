"""Decoding of BOOM's alerts of optical transients that lie in sky maps.

Topic `gcn.notices.boom.alert`; GCN's schema gcn/notices/boom/alert.schema.json and its first version, which
had `name`, a list of `classifications` and plain texts in `gcn_crossmatch`. BOOM's producer sends one target
a message, again with every new detection.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from bot.alerts import fields
from bot.alerts.payload import Record, UndecodablePayload
from bot.related_messages.message_fields import (
    MAX_NAME,
    MAX_POSITIONS,
    is_about_the_sky,
    is_retraction,
    line,
    mapping,
    mappings,
    message_key,
    position,
    sent_time,
    superevent_ids,
    without_real_events,
)
from bot.related_messages.photometry import Brightness, brightness_by_source
from formatters.models.related_message import MessageKind, RelatedMessage, ReportedPosition, Stream

_MAX_KEY = 200
_MAX_NAMES_SHOWN = 3


def decode_boom(record: Record, received: datetime | None) -> RelatedMessage:
    """Decode an alert of BOOM. Raises UndecodablePayload.

    Of several targets in one alert, those count that lie in the maps of the same events as the first that
    lies in one: a message has one list of events for all its positions.
    """
    data = mapping(record.get("data"))
    targets = mappings(data.get("targets"), MAX_POSITIONS)
    if not targets:
        raise UndecodablePayload("The BOOM alert has no target.")
    events = [_matched_events(target) for target in targets]
    ids = next(filter(None, events), ())
    chosen = [target for target, own in zip(targets, events, strict=True) if set(own) == set(ids)]
    brightness = brightness_by_source(data.get("photometry"))
    positions = [_position(target, brightness) for target in chosen]
    if not is_about_the_sky(record):
        ids = without_real_events(ids)
    withdrawn = is_retraction(record)
    return RelatedMessage(
        stream=Stream.BOOM,
        key=message_key(record, _key(targets)),
        created=sent_time(record, received),
        superevent_ids=ids,
        kind=MessageKind.CANDIDATES,
        subject=_subject(chosen),
        author="BOOM",
        is_retracted=withdrawn,
        positions=() if withdrawn else tuple(one for one in positions if one is not None),
    )


def _matched_events(target: Record) -> tuple[str, ...]:
    """Return LVK's events of `gcn_crossmatch`; one that says to be of another type is none."""
    matches = target.get("gcn_crossmatch")
    found: list[str] = []
    for one in matches[:MAX_POSITIONS] if isinstance(matches, list | tuple) else [matches]:
        if isinstance(one, str):
            found += superevent_ids(one, is_lvk=False)
            continue
        match = mapping(one)
        kind = line(match.get("ref_type"), MAX_NAME).casefold()
        instrument = line(match.get("ref_instrument"), MAX_NAME).casefold()
        is_lvk = kind.startswith(("gw", "grav")) or any(name in instrument for name in ("lvk", "ligo", "lvc"))
        if is_lvk or not kind:
            found += superevent_ids(match.get("ref_ID"), is_lvk=is_lvk)
    return tuple(dict.fromkeys(found))


def _name(target: Record) -> str:
    given = target.get("event_name", target.get("name"))
    return line(given[0] if isinstance(given, list | tuple) and given else given, MAX_NAME)


def _position(target: Record, brightness: dict[str, Brightness]) -> ReportedPosition | None:
    name = _name(target)
    seen = brightness.get(name, Brightness())
    return position(target, name=name, time=seen.first_detection, magnitude=seen.newest)


def _scores(target: Record) -> dict[str, float]:
    """Return classes with their scores, 0 to 1, the highest first."""
    listed = {
        line(one.get("classification"), MAX_NAME): one.get("probability")
        for one in mappings(target.get("classifications"), fields.MAX_ENTRIES)
    }
    scores = fields.probabilities(target.get("classification_scores") or listed)
    named = {line(name, MAX_NAME): score for name, score in scores.items()}
    return dict(sorted(named.items(), key=lambda one: -one[1]))


def _subject(targets: list[Record]) -> str:
    words = []
    for target in targets[:_MAX_NAMES_SHOWN]:
        best = next(((name, score) for name, score in _scores(target).items() if name), None)
        words.append(
            (_name(target) or "an unnamed transient") + ("" if best is None else f": {best[0]} {best[1]:.2f}")
        )
    more = len(targets) - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more else "")


def _key(targets: list[Record]) -> str:
    """Return the targets' names: an alert takes the place of the one with less photometry before it."""
    names = "+".join(
        _name(target) or f"{target.get('ra')!s:.20} {target.get('dec')!s:.20}" for target in targets
    )
    names = line(names, MAX_NAME * MAX_POSITIONS) or "unnamed"
    return names if len(names) <= _MAX_KEY else hashlib.sha256(names.encode()).hexdigest()
