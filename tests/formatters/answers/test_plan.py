"""The answers to `plan`: bounded, escaped, and right in what they say."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formatters.answers import plan as answers
from formatters.answers import plan_export
from formatters.answers.plan import MAX_ROWS, PlanAnswer
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import MESSAGE_TOTAL_MAX
from formatters.models.event_plan import EventPlan, NothingReason, NothingToObserve
from formatters.models.notice import Notice
from formatters.models.observing import Site
from formatters.models.superevent import Superevent
from formatters.terminal import message_text
from tests.support.plans import NOW, PALOMAR, made_plan


@pytest.fixture(scope="module")
def notice(make_notice: Callable[..., Notice]) -> Notice:
    """A notice with a map."""
    return make_notice()


def shown(notice: Notice, made: EventPlan) -> Message:
    return answers.message(PlanAnswer(superevent=Superevent.from_notices([notice]), plan=made))


def code(message: Message) -> str:
    found = next(block for block in message.blocks if block["type"] == "rich_text")
    return str(found["elements"][0]["elements"][0]["text"])


def test_night_share_and_sum(notice: Notice) -> None:
    text = message_text.render(shown(notice, made_plan(notice)))
    assert "3 fields hold 37 % of the probability of the map." in text
    assert "At Palomar 83 % of it gets above 30° in darkness until dawn, the Moon not counted." in text
    assert "on the evening of 22 Nov 2026: 23 Nov 2026 02:00 to 02:11 UTC (18:00 to 18:11 there)" in text
    rows = [line for line in text.splitlines() if "−10." in line]
    assert [row.split("%")[0].split()[-1] for row in rows] == ["20.0", "10.0", "6.7"]
    assert "36.7 %" in rows[-1] and "359.000" not in text and "0.000" in rows[0]


@settings(deadline=None)
@given(st.floats(1e-4, 1), st.floats(1e-4, 1))
def test_the_share_of_the_fields_and_of_what_gets_up_agree(
    notice: Notice, covered: float, observable: float
) -> None:
    made = made_plan(notice)
    plan = replace(made.plan, covered=covered, observable=observable)
    text = message_text.render(shown(notice, replace(made, plan=plan)))
    found = re.search(r"hold (\S+) % of.*\nAt Palomar (\S+) % of it", text)
    assert found is not None
    limited = [one.startswith(("<", ">")) for one in found.groups()]
    if min(covered, observable) >= 0.001 and max(covered, observable) <= 0.99:
        assert limited == [False, False], text
        assert ("." in found[1]) == ("." in found[2])
    is_more = covered > observable and found[1] != found[2]
    assert ("its centre is above 30°" in text) == is_more


def test_a_site_without_a_zone_has_its_evening_by_the_sun(notice: Notice) -> None:
    tonga = Site(name="Tonga", latitude=-21, longitude=-175, height=0)
    text = message_text.render(shown(notice, made_plan(notice, site=tonga)))
    # 02:00 UTC is 14:20 of the day before by the Sun there: the evening of that day, whatever is planned.
    assert "on the evening of 22 Nov 2026" in text and "there)" not in text


def test_a_radio_telescope_has_no_evening(notice: Notice) -> None:
    text = message_text.render(shown(notice, made_plan(notice, site=replace(PALOMAR, radio=True))))
    assert "gets above 30° in the next 24 h." in text.replace("\u00a0", " ")
    assert "needs no darkness" in text and "evening" not in text and "Moon" not in text


def test_what_is_asked_again_is_the_same_plan(notice: Notice) -> None:
    made = made_plan(notice)
    request = replace(made.request, count=12, duration=timedelta(minutes=90))
    words = answers.repeated_words(Superevent.from_notices([notice]), request)
    assert words == f"plan Palomar 12 90 minutes {notice.superevent_id}"


@pytest.mark.parametrize("length", [timedelta(seconds=100), timedelta(minutes=90), timedelta(hours=1.005)])
def test_the_time_that_was_asked_for_is_repeated_exactly(notice: Notice, length: timedelta) -> None:
    request = replace(made_plan(notice).request, duration=length)
    words = answers.repeated_words(Superevent.from_notices([notice]), request).split()
    unit = timedelta(minutes=1) if words[3] == "minutes" else timedelta(seconds=1)
    assert float(words[2]) * unit == length


def test_fewer_fields_than_were_asked_for_are_said(notice: Notice) -> None:
    made = made_plan(notice, 5)
    asked = replace(made, request=replace(made.request, count=12))
    assert "Of the 12 that were asked for no more fit in" in message_text.render(shown(notice, asked))
    enough = replace(made, request=replace(made.request, count=5))
    assert "asked for" not in message_text.render(shown(notice, enough))


def test_the_most_fields_of_a_plan_and_of_a_message_are_said(notice: Notice) -> None:
    text = message_text.render(shown(notice, made_plan(notice, 200)))
    assert "A plan has at most 200 fields" in text
    # An export holds hardly more than a hundred of them.
    assert "the export goes on, as far as a message holds them" in text and "All fields" not in text
    assert "at most" not in message_text.render(shown(notice, made_plan(notice, 199)))


@pytest.mark.parametrize(
    ("reason", "next_start", "told"),
    [
        (NothingReason.NEVER_RISES, None, "less than 1 % of the map ever gets above 30° there."),
        (NothingReason.NO_DARKNESS, NOW + timedelta(days=40), "it isn't dark there"),
        (NothingReason.TOO_LOW, NOW + timedelta(hours=9), "up again from 23 Nov 07:00 UTC (in 9 h)"),
        (NothingReason.TOO_LOW, NOW + timedelta(days=90), "up again from 20 Feb 2027 22:00 UTC;"),
        (NothingReason.TOO_LOW, None, "Nor in the year after."),
        (NothingReason.NO_FIELD, NOW + timedelta(hours=20), "83 % of the map gets above 30°"),
    ],
)
def test_nothing_to_observe_is_said_with_why_and_when(
    notice: Notice, reason: NothingReason, next_start: datetime | None, told: str
) -> None:
    nothing = NothingToObserve(reason=reason, next_start=next_start, searched=timedelta(days=370))
    text = message_text.render(shown(notice, made_plan(notice, 0, nothing=nothing))).replace("\u00a0", " ")
    assert told in text and text.startswith("Nothing of ")


def test_a_newer_map_that_can_not_be_read_is_said(notice: Notice) -> None:
    text = message_text.render(shown(notice, made_plan(notice, unread=(notice,))))
    assert "Newer, but not readable here" in text and "out of date" in text


@given(
    count=st.integers(1, 200),
    name=st.text(min_size=1, max_size=30),
    words=st.text(min_size=1, max_size=60),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_answer_fits_a_message(notice: Notice, count: int, name: str, words: str) -> None:
    made = made_plan(notice, count, replace(PALOMAR, name=name))
    footprint = replace(made.request.telescope.footprint, words=words)
    request = replace(made.request, telescope=replace(made.request.telescope, footprint=footprint))
    made = replace(made, request=request)
    superevent = Superevent.from_notices([notice])
    for message in (
        shown(notice, made),
        plan_export.csv_message(superevent, made),
        plan_export.json_message(superevent, made),
    ):
        texts = sum(len(text) for text in _texts(message.blocks))
        assert texts <= MESSAGE_TOTAL_MAX, texts
    table = next(block for block in shown(notice, made).blocks if block["type"] == "table")
    assert len(table["rows"]) == 1 + min(count, MAX_ROWS)


def test_names_mention_and_format_nothing(notice: Notice) -> None:
    hostile = "<!channel> & *x*"
    made = made_plan(notice, 3, replace(PALOMAR, name=hostile))
    superevent = Superevent.from_notices([notice])
    for message in (shown(notice, made), plan_export.csv_message(superevent, made)):
        for block in message.blocks:
            if block["type"] in ("section", "context"):
                assert "<!" not in json.dumps(block) and "*x*" not in json.dumps(block)
        assert "<!" not in message.text


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for key, one in value.items() if key != "type" for text in _texts(one)]
    if isinstance(value, (list, tuple)):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("count", [1, 40, 200])
def test_exports_hold_whole_fields_and_count_what_is_missing(notice: Notice, count: int) -> None:
    superevent, made = Superevent.from_notices([notice]), made_plan(notice, count)
    as_csv, as_json = plan_export.csv_message(superevent, made), plan_export.json_message(superevent, made)
    rows = list(csv.DictReader(io.StringIO(code(as_csv))))
    record = json.loads(code(as_json))
    assert record["fields_in_plan"] == count
    assert float(rows[0]["ra_deg"]) == record["fields"][0]["ra_deg"] == 0.0
    assert rows[0]["start_utc"] == record["fields"][0]["start_utc"] == "2026-11-23T02:00:30Z"
    for message, held in ((as_csv, len(rows)), (as_json, len(record["fields"]))):
        assert len(code(message)) <= plan_export.MAX_CODE_CHARS
        assert (f"The first {held} are here" in message_text.render(message)) is (held < count)
    # A terminal has no limit.
    whole = plan_export.csv_message(superevent, made, None)
    assert len(list(csv.DictReader(io.StringIO(code(whole))))) == count
