"""The answer to `candidates`: bounded, escaped, and right in what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formatters.answers import candidates, candidates_table
from formatters.answers.candidates import MAX_ROWS, CandidateList, CandidateRow
from formatters.blockkit.message import Message
from formatters.models.counterpart import (
    CandidateDecision,
    CandidateSource,
    Counterpart,
    Decision,
    RegionChange,
)
from formatters.models.notice import Distance, Notice
from formatters.models.observing import PositionWindow, Site
from formatters.models.position_on_map import PositionOnMap
from formatters.models.related_message import MessageKind, ReportedPosition, Stream
from formatters.models.superevent import Superevent
from formatters.terminal import message_text

NOW = datetime(2024, 11, 27, 3, 0, tzinfo=UTC)
CIRCULAR = CandidateSource(
    label="GCN 34763",
    reported=NOW,
    stream=Stream.CIRCULARS,
    kind=MessageKind.CANDIDATES,
    url="https://gcn.nasa.gov/circulars/34763",
)
SITE = Site(name="Palomar", latitude=33.4, longitude=-116.9, height=1_700)


@pytest.fixture(scope="module")
def notice(make_notice: Callable[..., Notice]) -> Notice:
    """A notice with a map."""
    return make_notice()


def place(level: float, level_3d: float | None = None) -> PositionOnMap:
    return PositionOnMap(
        credible_level=level,
        relative_density=0.1,
        searched_area=10,
        in_50=level <= 0.5,
        in_90=level <= 0.9,
        distance=Distance(mean=40, std=8),
        credible_level_3d=level_3d,
    )


def candidate(name: str = "AT2017gfo", **changes: object) -> Counterpart:
    given: dict[str, object] = {
        "aliases": (),
        "position": ReportedPosition(ra=197.450354, dec=-23.381484),
        "sources": (CIRCULAR,),
        "on_map": place(0.62, 0.4),
    }
    return Counterpart(name=name, **(given | changes))  # type: ignore[arg-type]


def answer(notice: Notice, rows: Sequence[CandidateRow], **changes: object) -> Message:
    superevent = Superevent.from_notices([notice])
    return candidates.message(
        CandidateList(superevent=superevent, rows=rows, **({"map_notice": notice} | changes))  # type: ignore[arg-type]
    )


def cells(message: Message, row: int = 1) -> list[str]:
    [table] = [block for block in message.blocks if block["type"] == "table"]
    return [cell["text"].replace("\xa0", " ") for cell in table["rows"][row]]


def test_one_row_says_all(
    notice: Notice, check: Callable[[Message], Message], golden: Callable[[str, Message], None]
) -> None:
    one = candidate(
        aliases=("SSS17a", "DLT17ck"),
        distance_sigmas=-0.34,
        offset=timedelta(hours=10.9),
        decision=CandidateDecision(decision=Decision.KEEP, user_id="U1", at=NOW),
    )
    window = PositionWindow(site=SITE, start=NOW, stop=NOW + timedelta(hours=2), peak_altitude=52.3)
    row = CandidateRow(candidate=one, host=Distance(mean=37.0, std=4.4), window=window)
    message = check(answer(notice, [row], has_sites=True))
    golden("answer-candidates", message)
    assert cells(message) == [
        "✓ AT2017gfo = SSS17a +1, kept",
        "62.0 %",
        "40.0 %",
        "0.3 sd nearer: 37 ± 4 Mpc",
        "10 h after",
        "Palomar 27 Nov 03:00–05:00 UTC, 52° high",
        "GCN 34763",
        "197.450, -23.381",
    ]
    said = message_text.render(message).replace("\xa0", " ")
    assert "AT2017gfo: kept by @U1, 27 Nov 03:00 UTC" in said and "circulars/34763" in said


def test_what_was_rejected_does_not_count_as_inside(notice: Notice) -> None:
    rejected = CandidateDecision(decision=Decision.REJECT, user_id="U1", at=NOW)
    rows = [CandidateRow(candidate=candidate(name)) for name in ("A1", "A2")]
    rows.append(CandidateRow(candidate=candidate("A3", decision=rejected)))
    said = answer(notice, rows).text.replace("\xa0", " ")
    assert f"3 counterpart candidates of {notice.superevent_id}, 2 in the 90 % region and 1 rejected." in said
    without_map = answer(notice, rows[2:], map_notice=None).text
    assert f"1 counterpart candidate of {notice.superevent_id}, 1 rejected." in without_map


def test_without_a_single_level_none_is_said_to_be_outside(notice: Notice) -> None:
    message = answer(notice, [CandidateRow(candidate=candidate(on_map=None))])
    assert "region" not in message.text
    assert "None could be compared with the map of" in message_text.render(message)


def test_a_newer_map_that_cant_be_read_is_named(notice: Notice, make_notice: Callable[..., Notice]) -> None:
    newer = make_notice(alert_type="UPDATE", time_created=notice.time_created + timedelta(hours=2))
    message = candidates.message(
        CandidateList(
            superevent=Superevent.from_notices([notice, newer]),
            rows=[CandidateRow(candidate=candidate())],
            map_notice=notice,
            unread=(newer,),
        )
    )
    assert "That of UPDATE is newer, but gwevent can't read it." in message_text.render(message)


def test_a_source_from_before_the_merger_says_so(notice: Notice) -> None:
    row = CandidateRow(candidate=candidate(offset=timedelta(days=-2, hours=-1)))
    assert "seen 2 days before the merger" in cells(answer(notice, [row]))
    assert "at the merger" in cells(answer(notice, [CandidateRow(candidate=candidate(offset=timedelta()))]))


def test_a_neutrino_is_no_host(notice: Notice) -> None:
    source = CandidateSource(label="IceCube", reported=NOW, stream=Stream.ICECUBE)
    position = ReportedPosition(ra=10.0, dec=20.0, radius=1.4, redshift=0.01)
    row = CandidateRow(
        candidate=candidate("J004000.0+200000", sources=(source,), position=position),
        host=Distance(mean=44, std=4),
    )
    shown = cells(answer(notice, [row]))
    assert shown[0].endswith("(neutrino)") and shown[3] == "no host" and "± 1.4°" in shown[-1]


def test_far_positions_of_one_name_are_said(notice: Notice) -> None:
    said = message_text.render(answer(notice, [CandidateRow(candidate=candidate(spread=1.25))]))
    assert "AT2017gfo: the reported positions differ by 1.2°" in said


def test_what_a_new_map_moved_is_said(notice: Notice) -> None:
    change = RegionChange(entered=("A",), left=tuple("BCDEFGH"))
    said = message_text.render(answer(notice, [CandidateRow(candidate=candidate())], change=change))
    assert "In the 90 % region since this map: A." in said
    assert "Out of the 90 % region since this map: B, C, D, E, F and 2 more." in said


def test_the_rest_is_counted(notice: Notice, check: Callable[[Message], Message]) -> None:
    rows = [CandidateRow(candidate=candidate(f"ZTF26{n}")) for n in range(10_000)]
    message = check(answer(notice, rows))
    [table] = [block for block in message.blocks if block["type"] == "table"]
    assert len(table["rows"]) == MAX_ROWS + 1
    assert f"The first {MAX_ROWS} of 10,000 are shown" in message_text.render(message)


def test_without_candidates_or_map(notice: Notice, check: Callable[[Message], Message]) -> None:
    said = message_text.render(check(answer(notice, [])))
    assert "No counterpart candidates of" in said and "candidates add NAME" in said
    row = CandidateRow(candidate=candidate(on_map=None))
    without = CandidateList(superevent=Superevent.from_notices([notice]), rows=[row], map_notice=None)
    said = message_text.render(check(candidates.message(without)))
    assert "No sky map of this event can be read" in said


_hostile = st.text(
    alphabet=st.sampled_from(list("<>&|*_~`@!#=+-,\"'\n\t aA1é\u202e")), max_size=200
) | st.sampled_from(["<!channel>", "<@U1>", "<https://evil.example|x>", "=cmd()", "```"])


@given(_hostile, _hostile, _hostile)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_texts_are_shown_as_they_are(
    notice: Notice, check: Callable[[Message], Message], name: str, alias: str, label: str
) -> None:
    source = CandidateSource(label=label, reported=NOW, stream=Stream.HERMES, url="javascript:alert(1)")
    decided = CandidateDecision(decision=Decision.REJECT, user_id=name, at=NOW)
    row = CandidateRow(candidate=candidate(name, aliases=(alias,), sources=(source,), decision=decided))
    change = RegionChange(entered=(name,), left=(alias,))
    message = check(
        answer(notice, [row] * 30, change=change, outcome=f"{name} kept.", notes=[f"Not used: {alias}"])
    )
    marked = json.dumps([block for block in message.blocks if block["type"] in ("section", "context")])
    assert "<!" not in marked and "<@" not in marked and "<http" not in marked and "javascript" not in marked
    table = candidates_table.message(Superevent.from_notices([notice]), [row])
    lines = message_text.render(check(table)).split("\n")
    assert not [line for line in lines if line.startswith(("=", "@", '"=', '"@'))]


def test_the_table_to_copy_is_cut_at_whole_lines(notice: Notice) -> None:
    rows = [CandidateRow(candidate=candidate(f"ZTF26{n}")) for n in range(500)]
    superevent = Superevent.from_notices([notice])
    said = message_text.render(candidates_table.message(superevent, rows, 2_000))
    assert "kept first, rejected last" in said and len(said) < 2_500
    assert said.count("ZTF26") == pytest.approx(25, abs=12)
    assert message_text.render(candidates_table.message(superevent, rows, None)).count("ZTF26") == 500
