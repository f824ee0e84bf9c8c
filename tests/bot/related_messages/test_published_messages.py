"""The circulars and notices of the shared folder, read one by one against what a person found in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from bot.related_messages.recognition import decode_message, recognize
from formatters.models.related_message import (
    GammaRayFollowUp,
    MessageKind,
    NeutrinoSearch,
    RelatedMessage,
    Stream,
)
from tests.fuzz.messages import SHARED_MESSAGES
from tests.fuzz.seeds import published_corpus
from tests.support.shared_data import NO_MESSAGES

pytestmark = pytest.mark.skipif(not SHARED_MESSAGES.is_dir(), reason=NO_MESSAGES)

OF_EVENTS = {
    MessageKind.IDENTIFICATION: (
        "34314 S230802aq, 34337 S230805x, 34352 S230806ak, 34360 S230807f, 34366 S230808i, 34494 S230819ax, "
        "34504 S230820bq, 34520 S230822bm, 34534 S230824r, 34546 S230825k, 34605 S230831e, 34741 S230920al, "
        "34756 S230922q, 34760 S230924an, 34775 S230927be"
    ),
    MessageKind.UPDATE: (
        "34302 S230729z, 34382 S230811n, 34426 S230814r, 34629 S230904n, 34695 S230914ak, 34746 S230920al, "
        "34758 S230922g, 34770 S230922q"
    ),
    MessageKind.RETRACTION: "34378 S230810af, 34599 S230830b",
    MessageKind.NEUTRINO_SEARCH: "34407 S230812aj, 34616 S230904n, 34646 S230908b",
    MessageKind.UPPER_LIMITS: (
        "34304 S230731an, 34310 S230731an, 34316 S230802aq, 34319 S230802aq, 34713 S230914ak, 34767 S230920al"
    ),
    MessageKind.CANDIDATES: "34688 S230904n, 34736 S230917af, 34763 S230922g",
    MessageKind.REPORT: "34307 S230731an, 34372 S230807f, 34723 S230917af",
}
"""The circulars about an event of LVK, by kind."""
OF_NO_EVENT = {
    32814, 34289, 34332, 34358, 34430, 34526, 34556, 34590, 34596, 34607, 34657, 34668, 34678, 34754,
}  # fmt: skip
"""Those about bursts and a magnetar: they link nowhere."""
NAMED_BY_NUMBER_ALONE = {34310, 34713, 34767}
"""Circulars whose text doesn't name the event."""


@cache
def circulars() -> dict[int, dict[str, Any]]:
    paths = (SHARED_MESSAGES / "circulars").glob("*.json")
    return {int(path.stem): json.loads(path.read_bytes()) for path in paths}


def decode(record: dict[str, Any]) -> RelatedMessage:
    return decode_message(Stream.CIRCULARS, json.dumps(record).encode())


def expected() -> Iterator[tuple[int, MessageKind, tuple[str, ...]]]:
    for kind, listed in OF_EVENTS.items():
        for one in listed.split(", "):
            number, superevent_id = one.split()
            yield int(number), kind, (superevent_id,)


def test_every_circular_has_its_kind_and_its_event_or_none() -> None:
    by_number = {number: decode(record) for number, record in circulars().items()}
    about = {number: (kind, ids) for number, kind, ids in expected()}
    assert set(about) | OF_NO_EVENT == set(by_number)
    for number, message in by_number.items():
        assert message.number == number and message.key == str(number)
        if number in OF_NO_EVENT:
            assert message.superevent_ids == (), message.subject
        else:
            assert (message.kind, message.superevent_ids) == about[number], message.subject
        assert message.retracts_event == (number in (34378, 34599))
        assert "@" not in message.author + message.subject
        assert recognize(json.dumps(circulars()[number]).encode()) == Stream.CIRCULARS


def test_text_alone_finds_the_right_event_or_none() -> None:
    found = set()
    for number, record in circulars().items():
        anonymous = {**record, "subject": "Further observations", "eventId": None}
        ids = decode(anonymous).superevent_ids
        assert ids in ((), decode(record).superevent_ids), number
        found |= {number} if ids else set()
    assert found == {number for number, _, _ in expected()} - NAMED_BY_NUMBER_ALONE


def test_text_of_another_event_links_no_burst() -> None:
    text = circulars()[34763]["body"]
    for number in OF_NO_EVENT:
        cited = {**circulars()[number], "body": text, "createdOn": circulars()[34763]["createdOn"]}
        assert decode(cited).superevent_ids == ()


NOTICES = {
    "boom.alert": "boom",
    "chime.frb.detection": "nearby",
    "chime.frb.retraction": "nearby",
    "einstein_probe.wxt.alert": "nearby",
    "fermi.gbm.trigger.flight1": "fermi-gbm",
    "fermi.gbm.trigger.ground2": "fermi-gbm",
    "icecube.lvk_nu_track_search": "icecube",
    "icecube.single_neutrino_alerts.gold_bronze_track_alerts": "icecube-track",
    "svom.eclairs.trigger.slewing": "svom",
    "svom.grm.trigger": "svom",
    "swift.bat.Guano": "guano",
    "swift.bat.Guano.Retraction": "guano",
}


def test_every_notice_of_gcn_is_recognized() -> None:
    bodies = {path.stem: path.read_bytes() for path in (SHARED_MESSAGES / "notices").glob("*.json")}
    assert {name: recognize(body) for name, body in bodies.items()} == NOTICES


def test_no_notice_of_lvk_is_taken_for_a_message() -> None:
    assert {recognize(body) for body in published_corpus().payloads} <= {None}


def notice(name: str) -> RelatedMessage:
    stream = Stream(NOTICES[name])
    return decode_message(stream, (SHARED_MESSAGES / "notices" / f"{name}.json").read_bytes())


def test_notices_about_events_are_decoded() -> None:
    search = notice("icecube.lvk_nu_track_search")
    assert search.superevent_ids == ("S230914ak",) and isinstance(search.details, NeutrinoSearch)
    assert (search.details.p_generic, search.details.p_bayesian, search.details.coincident) == (
        0.0191,
        0.0549,
        2,
    )
    assert [one.offset_s for one in search.details.neutrinos] == [12.91, 222.46]
    transient = notice("boom.alert")
    assert (transient.superevent_ids, transient.subject) == (("S251117bs",), "ZTF25acffkdr: Type II 0.90")
    assert transient.positions[0].magnitude == "ztfr = 17.98"
    burst = notice("swift.bat.Guano")
    assert burst.superevent_ids == () and isinstance(burst.details, GammaRayFollowUp)
    assert burst.details.is_detection and burst.details.far_hz == 1e-5
    withdrawn = notice("swift.bat.Guano.Retraction")
    assert withdrawn.is_retracted and withdrawn.key == burst.key and withdrawn.superevent_ids == ()
