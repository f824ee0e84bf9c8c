"""Hostile messages of every stream: what is mutated, and the trial of one.

`python -m tests.fuzz.messages [how many]` tries so many of each and prints what became of them.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from bot.alerts.decode import decode
from bot.alerts.payload import UndecodablePayload
from bot.related_messages.nearby import NEARBY_KINDS, decode_nearby_alert, is_nearby_kind
from bot.related_messages.recognition import decode_message, recognize
from bot.samples import (
    SampleDetection,
    SampleNeutrino,
    boom,
    circular,
    guano,
    hermes,
    neutrino_search,
    to_json,
)
from bot.samples.nearby import gbm_trigger, icecube_track, svom_trigger
from bot.store.events import message_json
from formatters.models.follow_up import CheckedPosition, FollowUp, FollowUpEntry
from formatters.models.related_message import MessageKind, RelatedMessage, StoredMessage, Stream
from formatters.models.superevent import Superevent
from formatters.posts import follow_up
from tests.fuzz.mutations import MUTATIONS, Mutant
from tests.fuzz.seeds import SHARED_NOTICES, SeedCorpus, notice_with_map
from tests.fuzz.trial import LONGEST_REASON, READ, REFUSED

NOW = datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC)
MERGER = NOW - timedelta(hours=1)
STREAMS = (Stream.CIRCULARS, Stream.ICECUBE, Stream.GUANO, Stream.BOOM, Stream.HERMES)
KINDS: tuple[str, ...] = (*STREAMS, *(kind for kind in NEARBY_KINDS if kind != Stream.NEARBY))
"""Every stream of related messages, and every kind of nearby alert."""
MESSAGE_MUTATIONS = ("bits flipped", "cut off", "spliced", *["JSON values"] * 3)
"""The mutations that know nothing of Avro and maps; mostly of values, which leaves many readable."""
SHARED_MESSAGES = SHARED_NOTICES.parent / "gcn"
_FILES: Mapping[str, str] = {
    Stream.CIRCULARS: "circulars/*.json",
    Stream.ICECUBE: "notices/icecube.lvk*.json",
    Stream.GUANO: "notices/swift.bat.Guano*.json",
    Stream.BOOM: "notices/boom*.json",
    "fermi-gbm": "notices/fermi.gbm*.json",
    "svom": "notices/svom*.json",
    "icecube-track": "notices/icecube.single*.json",
}
_TABLE = "\n".join(f"AT2026a{n} | 13:09:4{n}.1 -23:22:5{n} | z = 0.00{n}9 | g = 20.{n}" for n in range(9))


@cache
def message_corpus(kind: str) -> SeedCorpus:
    """The messages of a kind that mutations begin with: by formula, and published ones where they are."""
    published = sorted(SHARED_MESSAGES.glob(_FILES[kind])) if kind in _FILES else []
    payloads = (*_made(kind), *(path.read_bytes() for path in published))
    return SeedCorpus(payloads, tuple(json.loads(body) for body in payloads), ())


def create_message_mutant(kind: str, seed: int) -> Mutant:
    """Return the hostile message of a kind and a seed."""
    rng = random.Random(f"{kind} {seed}")
    mutation = rng.choice(MESSAGE_MUTATIONS)
    return Mutant(mutation, MUTATIONS[mutation](message_corpus(kind), rng))


def try_message(kind: str, body: bytes) -> str:
    """Return what became of a payload of a topic that brings this. Raises whatever isn't a refusal."""
    recognized = recognize(body)
    assert recognized is None or is_nearby_kind(recognized) or Stream(recognized)
    try:
        if is_nearby_kind(kind):
            decode_nearby_alert(kind, body)
        else:
            check_message(decode_message(Stream(kind), body, NOW))
    except UndecodablePayload as problem:
        reason = problem.reason
        assert 10 < len(reason) <= LONGEST_REASON and reason.endswith(".") and "\n" not in reason, reason
        return REFUSED
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
    assert message_json.from_json(message_json.to_json(message)) == message
    stored = StoredMessage(id=1, superevent_id="S260102ab", message=message, received=NOW)
    places = tuple(CheckedPosition(position=one, on_map=None) for one in message.positions)
    shown = FollowUp(superevent=_superevent(), entries=(FollowUpEntry(stored=stored, positions=places),))
    assert follow_up.message(shown) is not None


@cache
def _superevent() -> Superevent:
    return Superevent.from_notices([decode(to_json(notice_with_map(None)))])


def _made(stream: str) -> tuple[bytes, ...]:
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
        case "fermi-gbm":
            classes = {"GRB": 0.9, "SFLARE": 0.1}
            return (gbm_trigger(MERGER, 120, -30), gbm_trigger(MERGER, 120, -30, classification=classes))
        case "svom":
            return (svom_trigger(MERGER, 120, -30), svom_trigger(MERGER, 120, -30, instrument="GRM"))
        case "icecube-track":
            return (icecube_track(MERGER, 120, -30), icecube_track(MERGER, 120, -30, record_number=0))
        case _:
            target = {"name": "AT2026a", "ra": "13:09:48.1", "dec": "-23:22:53", "distance": 40}
            row = {"target_name": "AT2026a", "date_obs": 61042.5, "bandpass": "g", "brightness": "20.1"}
            return (
                hermes("S260102ab", targets=[target | {"distance_units": "Mpc"}], photometry=[row]),
                hermes("S260102ab", targets=[{"name": "AT2026b", "ra": 12.5, "dec": -3}], published=NOW),
            )


def main() -> None:
    """Print what becomes of the hostile messages of every kind, and the slowest."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    print(f"{'kind':<16}{REFUSED:>9}{READ:>9}   slowest")
    for kind in KINDS:
        outcomes: Counter[str] = Counter()
        slowest = (0.0, 0)
        for seed in range(count):
            body = create_message_mutant(kind, seed).body
            began = time.process_time()
            outcomes[try_message(kind, body)] += 1
            slowest = max(slowest, (time.process_time() - began, seed))
        print(
            f"{kind:<16}{outcomes[REFUSED]:>9,}{outcomes[READ]:>9,}"
            f"{slowest[0] * 1000:>7,.0f} ms, seed {slowest[1]}"
        )


if __name__ == "__main__":
    main()
