"""GCN's Circulars: from bytes to what they are about, when, by whom."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import samples
from bot.alerts.decode import UndecodablePayload
from bot.related_messages.circular import decode_circular
from bot.samples.messages import ABSENT, LVK_REPORTS
from formatters.models.circular import named_superevent_ids
from formatters.models.related_message import MessageKind, RelatedMessage, Stream

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def circular(**given: Any) -> bytes:
    usual = {
        "$schema": "https://gcn.nasa.gov/schema/v4.1.0/gcn/circulars.schema.json",
        "eventId": "LIGO/Virgo/KAGRA S261122a",
        "submitter": "Jane Doe at Example Observatory <jane@example.org>",
        "submittedHow": "web",
        "subject": "LIGO/Virgo/KAGRA S261122a: Identification of a GW compact binary merger candidate",
        "circularId": 45_640,
        "format": "text/plain",
        "body": "We report …",
        "createdOn": NOW.timestamp() * 1000,
    }
    return json.dumps(usual | given).encode()


def test_reads_number_author_and_time_without_mail_address() -> None:
    read = decode_circular(circular())
    assert (read.number, read.superevent_ids, read.created) == (45_640, ("S261122a",), NOW)
    assert read.author == "Jane Doe at Example Observatory", "a mail address isn't ours to keep"
    assert read.url == "https://gcn.nasa.gov/circulars/45640"


@pytest.mark.parametrize(
    "given",
    [
        {"circularId": None},
        {"circularId": True},
        {"circularId": -1},
        {"createdOn": "x"},
        {"createdOn": 1e300},
    ],
)
def test_circular_without_usable_number_or_time_is_undecodable(given: dict[str, Any]) -> None:
    with pytest.raises(UndecodablePayload, match="no usable"):
        decode_circular(circular(**given))


def test_superevent_ids_are_found_in_subject_and_event_id() -> None:
    assert named_superevent_ids("S261122a/GRB 261122B and MS261122ab: no counterpart", "s261122A") == (
        "S261122a",
        "MS261122ab",
    )
    assert named_superevent_ids("SN2017abc, XS261122a, S261122a1, GRB 261122A") == ()
    assert decode_circular(circular(subject="GRB 261122B: optical", eventId=None)).superevent_ids == ()


def decoded(superevent_id: str = "S261122a", **given: Any) -> RelatedMessage:
    return decode_circular(samples.circular(superevent_id, created=NOW, **given))


def test_circular_becomes_a_message_with_its_number_as_key() -> None:
    found = decoded(number=45_641)
    assert (found.stream, found.key, found.number) == (Stream.CIRCULARS, "45641", 45_641)
    assert found.url == "https://gcn.nasa.gov/circulars/45641"
    assert (found.kind, found.superevent_ids) == (MessageKind.IDENTIFICATION, ("S261122a",))
    assert not found.is_retracted and not found.retracts_event and found.details is None


def test_edited_circular_is_a_newer_version_of_the_same() -> None:
    edited = decoded(edited=NOW + timedelta(days=2))
    assert (edited.key, edited.created) == (decoded().key, NOW + timedelta(days=2))
    assert (edited.sent, edited.first_created, decoded().first_created) == (NOW, NOW, None)
    assert "moderator" not in repr(edited).casefold(), "nobody's address is kept"
    assert decoded(extra={"version": 3, "editedOn": None}).created == NOW, "a version without its time"
    earlier = decoded(edited=NOW - timedelta(days=2))
    assert earlier.created == earlier.sent == NOW and earlier.first_created is None


@pytest.mark.parametrize(
    "submitter",
    [
        "Jane Doe at Example Observatory <jane@example.org>",
        "Jane Doe at Example Observatory (jane@example.org)",
        "jane@example.org Jane Doe at Example Observatory",
        "Jane Doe\tat Example\r\nObservatory <mailto:jane@example.org>",
    ],
)
def test_mail_addresses_are_stored_nowhere(submitter: str) -> None:
    assert decoded(submitter=submitter).author == "Jane Doe at Example Observatory"
    assert decoded(title="candidates, ask jane@example.org").subject.endswith("candidates, ask")
    assert decoded(submitter="someone@example.org").author == ""


def test_subject_is_one_line_without_its_label_or_what_turns_the_line() -> None:
    found = decoded(extra={"subject": "  Title:  LIGO/Virgo/KAGRA\nS261122a:\tcandidates \u202e\x00 "})
    assert found.subject == "LIGO/Virgo/KAGRA S261122a: candidates \ufffd"
    assert decoded(extra={"subject": ABSENT}).subject == "Circular 45640 without a subject"
    assert len(decoded(title="a" * 5_000).subject) == 1_000


def test_lvks_retraction_names_the_event_of_its_subject_alone() -> None:
    title = "Retraction of GW compact binary merger candidate"
    found = decoded(title=title, extra={"eventId": "LIGO/Virgo/KAGRA S261123b"})
    assert found.retracts_event and found.kind is MessageKind.RETRACTION
    assert found.superevent_ids == ("S261122a",)
    assert not found.is_retracted, "the circular itself stands"


def test_neither_body_nor_event_type_retracts_an_event() -> None:
    found = decoded(
        title="the Fermi GBM trigger is not associated",
        body=LVK_REPORTS + "Retraction of GW compact binary merger candidate S261122a",
        extra={"eventType": ["Retraction", "GW"]},
    )
    assert not found.retracts_event and found.kind is MessageKind.REPORT


def in_body(body: str, *, title: str = "DECam observations", **given: Any) -> tuple[str, ...]:
    return decoded("", title=title, body=body, **given).superevent_ids


@pytest.mark.parametrize(
    "body",
    [
        "We observed the field of the LVK event S261122a (GCN 45640) with DECam.",
        "We searched for a counterpart of S261122a.\n\nOur limits are far below those for GW170817.",
        "We report on the localization region of LIGO/Virgo/KAGRA S261122a: nothing.",
        "On behalf of all:\nwe imaged the candidate\nS261122a at https://gracedb.ligo.org/superevents/S261122a",
    ],
)
def test_event_in_the_text_alone_counts_if_the_circular_is_about_it(body: str) -> None:
    assert in_body(body) == ("S261122a",)
    assert in_body(body, title="AT2026abc: spectrum", extra={"eventId": "AT2026abc"}) == ("S261122a",)


@pytest.mark.parametrize(
    "body",
    [
        "The light curve is similar to that of GW170817.",
        "The light curve is similar to the candidate S261122a.",
        "Unlike the counterpart of the LVK event S261122a it fades.",
        "We observed the LVK events S261122a and S261121b.",
        "We observed the LVK event S260822a.",
        "We observed the LVK event S261123a.",
        "We observed the LVK event S269922a.",
        "We observed it, see https://gracedb.ligo.org/superevents/S261122a.",
        "We observed nothing. " * 100 + "[7] Doe et al., on the LVK event S261122a",
        "S261122a",
        "We observed SS261122a and S261122a1, events of another kind.",
        "",
    ],
)
def test_event_that_a_text_only_cites_is_not_linked(body: str) -> None:
    assert in_body(body) == ()


@pytest.mark.parametrize(
    ("title", "event"),
    [
        ("GRB 261122B: afterglow", "GRB 261122B"),
        ("GRB 261122B: afterglow", None),
        ("IceCube-261122A: observations", None),
        ("EP261122a: observations", None),
        ("Fermi trigger 713134237: observations", None),
        ("Observations of a burst", "SGR 1935+2154"),
        ("Observations of a burst", "of a kind that GCN names next year"),
    ],
)
def test_circular_about_another_event_is_not_linked_by_its_text(title: str, event: str | None) -> None:
    about = "We observed it; the LVK event S261122a came an hour before."
    assert in_body(about, title=title, extra={"eventId": event}) == ()


def test_hops_form_of_a_circular_is_read_alike() -> None:
    header = {
        "title": "GCN CIRCULAR",
        "number": "45640",
        "subject": "LIGO/Virgo/KAGRA S261122a: Updated Sky localization",
        "date": "26/11/22 12:00:00 GMT",
        "from": "Jane Doe at Example Observatory <jane@example.org>",
    }
    for header_form in (header, {name.upper(): value for name, value in header.items()}):
        content = {"header": header_form, "body": "We report …"}
        for record in (content, {"format": "circular", "content": content}):
            found = decode_circular(json.dumps(record).encode())
            assert (found.number, found.created, found.kind) == (45_640, NOW, MessageKind.UPDATE)
            assert found.author == "Jane Doe at Example Observatory"
            assert found.superevent_ids == ("S261122a",)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece",
    ["S261122a ", "the LVK event S261122", "similar to the ", 'a, b [c] {d} "e" \\ ', "13:09:48 ", "\n", "a"],
)
def test_text_of_a_megabyte_is_read(piece: str) -> None:
    found = decoded(body=piece * (2**20 // len(piece)))
    assert found.superevent_ids == ("S261122a",)
    in_body(piece * (2**20 // len(piece)))
