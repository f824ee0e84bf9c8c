"""Hostile messages of every stream: what is mutated, and the trial of one."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from bot.alerts.payload import UndecodablePayload
from bot.related_messages.nearby import decode_nearby_alert, is_nearby_kind
from bot.related_messages.recognition import decode_message, recognize
from bot.samples import SampleDetection, SampleNeutrino, boom, circular, guano, hermes, neutrino_search
from formatters.models.related_message import MessageKind, RelatedMessage, Stream
from tests.fuzz.mutations import MUTATIONS, Mutant
from tests.fuzz.seeds import SHARED_NOTICES, SeedCorpus
from tests.fuzz.trial import LONGEST_REASON, READ, REFUSED

NOW = datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC)
MERGER = NOW - timedelta(hours=1)
KINDS = (Stream.CIRCULARS, Stream.ICECUBE, Stream.GUANO, Stream.BOOM, Stream.HERMES)
MESSAGE_MUTATIONS = ("bits flipped", "cut off", "spliced", *["JSON values"] * 3)
"""The mutations that know nothing of Avro and maps; mostly of values, which leaves many readable."""
SHARED_MESSAGES = SHARED_NOTICES.parent / "gcn"
_FILES: Mapping[Stream, str] = {
    Stream.CIRCULARS: "circulars/*.json",
    Stream.ICECUBE: "notices/icecube.lvk*.json",
    Stream.GUANO: "notices/swift.bat.Guano*.json",
    Stream.BOOM: "notices/boom*.json",
}
_TABLE = "\n".join(f"AT2026a{n} | 13:09:4{n}.1 -23:22:5{n} | z = 0.00{n}9 | g = 20.{n}" for n in range(9))


@cache
def message_corpus(stream: Stream) -> SeedCorpus:
    """The messages of a stream that mutations begin with: by formula, and published ones where they are."""
    published = sorted(SHARED_MESSAGES.glob(_FILES[stream])) if stream in _FILES else []
    payloads = (*_made(stream), *(path.read_bytes() for path in published))
    return SeedCorpus(payloads, tuple(json.loads(body) for body in payloads), ())


def create_message_mutant(stream: Stream, seed: int) -> Mutant:
    """Return the hostile message of a stream and a seed."""
    rng = random.Random(f"{stream} {seed}")
    kind = rng.choice(MESSAGE_MUTATIONS)
    return Mutant(kind, MUTATIONS[kind](message_corpus(stream), rng))


def try_message(stream: Stream, body: bytes) -> str:
    """Return what became of a payload of a stream's topic. Raises whatever isn't a refusal with a reason."""
    recognized = recognize(body)
    assert recognized is None or is_nearby_kind(recognized) or Stream(recognized)
    if recognized is not None and is_nearby_kind(recognized):
        try:
            decode_nearby_alert(recognized, body)
        except UndecodablePayload as problem:
            _check_reason(problem.reason)
    try:
        message = decode_message(stream, body, NOW)
    except UndecodablePayload as problem:
        _check_reason(problem.reason)
        return REFUSED
    check_message(message)
    return READ


def check_message(message: RelatedMessage) -> None:
    """Assert what every reader of a message relies on."""
    lines = (message.key, message.subject, message.author, *(one.name for one in message.positions))
    for text in (*lines, *message.superevent_ids):
        assert text.isprintable() and len(text) <= 1_200, text
        text.encode()
    assert message.key and message.subject
    assert message.created.utcoffset() == timedelta(0)
    assert len(message.superevent_ids) == len(set(message.superevent_ids)) <= 20
    assert "@" not in message.author.replace(" @ ", "") or " " in message.author
    assert not message.retracts_event or (
        message.kind is MessageKind.RETRACTION and len(message.superevent_ids) == 1
    )
    for one in message.positions:
        assert 0 <= one.ra < 360 and -90 <= one.dec <= 90
        assert one.radius is None or 0 < one.radius <= 180
        assert one.redshift is None or one.redshift > 0


def _check_reason(reason: str) -> None:
    assert 10 < len(reason) <= LONGEST_REASON and reason.endswith(".") and "\n" not in reason, reason


def _made(stream: Stream) -> tuple[bytes, ...]:
    seen = [SampleDetection(MERGER + timedelta(hours=n), "ztfr", 18.0 + n) for n in range(3)]
    match stream:
        case Stream.CIRCULARS:
            return (
                circular("S260102ab", created=NOW, body=_TABLE),
                circular("S260102ab", created=NOW, title="Retraction of GW compact binary merger candidate"),
                circular("", created=NOW, title="AT2026a: spectrum", body="A counterpart of S260102ab …"),
            )
        case Stream.ICECUBE:
            found = (SampleNeutrino(12.9, 17.48, 16.15), SampleNeutrino(222.4, 13.82, 18.66))
            return tuple(
                neutrino_search(
                    "S260102ab", created=NOW, event_time=MERGER, neutrinos=found[:n], is_flat=n == 1
                )
                for n in range(3)
            )
        case Stream.GUANO:
            return (
                guano("S260102ab", created=NOW, event_time=MERGER, position=(120, -30, 0.5)),
                guano("LVK S260102ab", created=NOW, event_time=MERGER, region_fits=b"SIMPLE  =" + bytes(99)),
                guano("S260102ab", created=NOW, event_time=MERGER, alert_type="retraction"),
            )
        case Stream.BOOM:
            return (boom(["S260102ab", "S260101a"], created=NOW, scores={"Ia": 0.9}, photometry=seen),)
        case _:
            target = {"name": "AT2026a", "ra": "13:09:48.1", "dec": "-23:22:53", "distance": 40}
            row = {"target_name": "AT2026a", "date_obs": 61042.5, "bandpass": "g", "brightness": "20.1"}
            return (
                hermes("S260102ab", targets=[target | {"distance_units": "Mpc"}], photometry=[row]),
                hermes("S260102ab", targets=[{"name": "AT2026b", "ra": 12.5, "dec": -3}], published=NOW),
            )
