"""The demo's messages are read as what they are, and lie where the story says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.related_messages.nearby import decode_nearby_alert
from bot.related_messages.recognition import decode_message, recognize
from bot.samples import SampleMessage, create_demo_messages, create_demo_notices
from formatters.models.related_message import MessageKind, Stream

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def messages() -> dict[str, SampleMessage]:
    return {message.name: message for message in create_demo_messages(create_demo_notices(NOW))}


def test_messages_come_in_order_and_before_now(messages: dict[str, SampleMessage]) -> None:
    times = [message.sent for message in messages.values()]
    assert times == sorted(times)
    assert times[-1] < NOW


@pytest.mark.parametrize(
    ("name", "stream", "kind"),
    [
        ("icecube-search", Stream.ICECUBE, MessageKind.NEUTRINO_SEARCH),
        ("circular-45641", Stream.CIRCULARS, MessageKind.CANDIDATES),
        ("circular-45644", Stream.CIRCULARS, None),
    ],
)
def test_message_names_the_neutron_stars(
    messages: dict[str, SampleMessage], name: str, stream: Stream, kind: MessageKind | None
) -> None:
    sample = messages[name]
    assert recognize(sample.body) == stream
    message = decode_message(stream, sample.body)
    assert message.superevent_ids == (sample.superevent_id,)
    assert kind in (message.kind, None)


def test_second_circular_gives_a_redshift_to_a_candidate_of_the_first(
    messages: dict[str, SampleMessage],
) -> None:
    listed = decode_message(Stream.CIRCULARS, messages["circular-45641"].body).positions
    (confirmed,) = decode_message(Stream.CIRCULARS, messages["circular-45644"].body).positions
    assert [position.name for position in listed] == ["AT2026zzk", "AT2026zzl"]
    assert [position.magnitude for position in listed] == ["r = 19.42", "r = 20.17"]
    assert confirmed.name == "AT2026zzk"
    assert (confirmed.ra, confirmed.dec) == (listed[0].ra, listed[0].dec)
    assert (confirmed.redshift, confirmed.redshift_error) == (0.0124, 0.0002)


def test_burst_names_no_event(messages: dict[str, SampleMessage]) -> None:
    kind = recognize(messages["fermi-gbm"].body)
    assert kind is not None
    alert = decode_nearby_alert(kind, messages["fermi-gbm"].body)
    assert alert is not None
    assert alert.trigger_time < messages["fermi-gbm"].sent
