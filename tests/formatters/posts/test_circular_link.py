"""Tests of the line that links a GCN Circular in a thread."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from formatters.models.circular import Circular
from formatters.posts import circular_link

SAID = Circular(
    number=45_640,
    subject="LIGO/Virgo/KAGRA S261122a: Identification of a GW candidate",
    author="Jane Doe at Example Observatory",
    created=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
    superevent_ids=("S261122a",),
)


def test_number_subject_author_and_address() -> None:
    message = circular_link.message(SAID)
    section, small = message.blocks
    assert section["text"]["text"] == (
        "<https://gcn.nasa.gov/circulars/45640|GCN Circular 45640: LIGO/Virgo/KAGRA S261122a:"
        " Identification of a GW candidate>"
    )
    assert small["elements"][0]["text"] == "Jane Doe at Example Observatory · 2026-11-22 12:00 UTC"
    assert message.text.endswith("https://gcn.nasa.gov/circulars/45640")


def test_circular_subject_mentions_nobody() -> None:
    said = replace(SAID, subject="<!channel> *S261122a* | > x", author="<@U1>")
    told = str(circular_link.message(said))
    assert "<!channel>" not in told and "<@U1>" not in told and "*S261122a*" not in told
