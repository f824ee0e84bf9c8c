"""What is said of coincidences: the external event, RAVEN's overlap, the combined map, the push."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formatters.models.notice import ExternalCoincidence, Notice, Region
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update, mention
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text
from formatters.text.coincidence_lines import coincidence_lines, coincidence_words, positions_line
from tests.formatters.conftest import event, localization, notice, swift, wide


def s250720j(**changes: object) -> Notice:
    """Return a notice like S250720j: 4 % of the combined map lies in GW's 90 % region, 73 % in its 95 %."""
    combined = wide(
        ra=225.8,
        dec=-48.1,
        area_90=1234.0,
        area_50=210.0,
        regions=(Region(ra=225.8, dec=-48.1, area=1234.0, probability=0.9),),
    )
    given_values: dict[str, object] = {
        "observatory": "Swift",
        "search": "SubGRBTargeted",
        "time_difference": 1.27,
        "time_coincidence_far": 1.35e-8,
        "time_sky_position_coincidence_far": 1.0e-8,
        "localization": combined,
        "overlap": 0.04,
        "peak_level": 0.93,
    }
    return notice(
        superevent_id="S250720j",
        event=event(
            far=3.0e-5,
            pipeline="MBTA",
            search="SSM",
            classification={},
            properties={"HasSSM": 1.0, "HasNS": 0.9, "HasMassGap": 0.0},
            instruments=("H1", "L1"),
        ),
        localization=wide(area_90=2176.2, area_50=610.0),
        external=swift(**(given_values | changes)),
    )


def plain(lines: list[str]) -> list[str]:
    return [line.replace("\u00a0", " ") for line in lines]


def test_a_combined_map_at_gws_edge_is_no_contradiction_where_raven_says_they_agree() -> None:
    lines = plain(coincidence_lines(s250720j()))
    assert lines[:4] == [
        "Swift/BAT sub-threshold GRB candidate 1.27 s after the merger",
        "Joint FAR before trials 1 per 3.2 yr (time and sky), 1 per 2.3 yr (time)",
        "Sky overlap 1.4; above 1 the positions agree · combined peak at GW 93 % level",
        "90 %: GW 2,176 → combined 1,234 deg² · 50 %: combined 210 deg²",
    ]
    assert "contradict" not in " ".join(lines) and "barely" not in " ".join(lines)


def test_the_push_of_an_alert_by_coincidence_gives_its_joint_far_first_and_says_combined() -> None:
    text = alert_card.alert_card(Superevent.from_notices([s250720j()]), ChannelView(is_root=True)).text
    assert text == (
        "SSM PRELIM joint FAR 1/3.2 yr +Swift combined 1,234 deg² 1,970±580 Mpc HL 02:10:46 UTC S250720j"
    )
    assert "1/9 h" not in text
    card = message_text.render(
        alert_card.alert_card(Superevent.from_notices([s250720j()]), ChannelView(is_root=True))
    )
    assert "joint FAR 1 per 3.2 yr before trials · sky overlap 1.4 (above 1 the positions agree)" in card
    assert "contradict" not in card
    unknown = s250720j(time_coincidence_far=None, time_sky_position_coincidence_far=None)
    text = alert_card.alert_card(Superevent.from_notices([unknown]), ChannelView()).text
    assert text.startswith("SSM PRELIM by coincidence +Swift combined 1,234 deg²")


@given(
    ratio=st.none() | st.floats(1e-6, 1e6),
    level=st.none() | st.floats(0, 1),
    overlap=st.none() | st.floats(0, 1),
)
def test_positions_are_called_contradictory_only_where_they_are(
    ratio: float | None, level: float | None, overlap: float | None
) -> None:
    far = None if ratio is None else 1e-9 * ratio
    one = s250720j(
        time_coincidence_far=far, time_sky_position_coincidence_far=1e-9, peak_level=level, overlap=overlap
    )
    said = "\n".join(coincidence_lines(one))
    exact = None if far is None else far / 1e-9
    beyond = level is not None and level > 0.99
    contradict = (exact is not None and exact < 0.1) or (beyond and (exact is None or exact < 1))
    if beyond:
        assert "beyond the GW 99" in said, "a peak that far out is said, whatever RAVEN says"
    assert ("contradict each other" in said) is contradict
    shown = message_text.render(alert_card.alert_card(Superevent.from_notices([one]), ChannelView()))
    assert ("contradict each other" in shown) is contradict
    assert ("Sky overlap" in said or "sky overlap" in said) is (ratio is not None)


def test_a_notice_stored_without_the_level_says_the_ratio_alone() -> None:
    external = s250720j(peak_level=None).external
    assert external is not None
    assert positions_line(external) == "Sky overlap 1.4; above 1 the positions agree"
    bare = s250720j(peak_level=None, time_coincidence_far=None).external
    assert bare is not None and positions_line(bare) is None


def external(observatory: str, search: str, notice_id: str | None = "524666471") -> ExternalCoincidence:
    return swift(observatory=observatory, search=search, gcn_notice_id=notice_id, time_difference=1.74)


@pytest.mark.parametrize(
    ("observatory", "search", "words"),
    [
        ("Fermi", "GRB", "Fermi GRB (trigger 524666471) 1.74 s after the merger"),
        ("Fermi", "SubGRB", "Fermi sub-threshold GRB (trigger 524666471) 1.74 s after the merger"),
        ("Swift", "GRB", "Swift/BAT GRB 1.74 s after the merger"),
        ("swift", "subgrbtargeted", "Swift/BAT sub-threshold GRB candidate 1.74 s after the merger"),
        ("Swift", "Xray", "Swift X-ray 1.74 s after the merger"),
        ("EinsteinProbe", "Xray", "Einstein Probe X-ray 1.74 s after the merger"),
        ("IceCube", "HEN", "IceCube high-energy neutrino 1.74 s after the merger"),
        ("Newcomer", "Strange", "Newcomer Strange 1.74 s after the merger"),
        ("Fermi", "MDC", "Fermi mock 1.74 s after the merger"),
        ("", "", "external event 1.74 s after the merger"),
    ],
)
def test_the_external_event_in_words(observatory: str, search: str, words: str) -> None:
    assert plain([coincidence_words(external(observatory, search), notice())]) == [words]


@pytest.mark.parametrize("notice_id", [None, "", "S20241125a", "https://x", "１２"])
def test_only_a_number_is_called_a_trigger_number(notice_id: str | None) -> None:
    assert "trigger" not in coincidence_words(external("Fermi", "GRB", notice_id), notice())


def test_a_burst_has_no_merger() -> None:
    burst = notice(event=event(group="Burst", classification={}))
    assert coincidence_words(external("Fermi", "GRB"), burst).endswith("after the GW signal")
    same = swift(time_difference=0.0)
    assert coincidence_words(same, burst).endswith("at the same moment as the GW signal")
    unknown = swift(time_difference=None)
    assert coincidence_words(unknown, notice()) == "Swift/BAT sub-threshold GRB candidate"


def test_a_retracted_early_warning_says_that_the_full_search_did_not_confirm_it() -> None:
    early = notice("EARLYWARNING", 0.3, event=event(search="EarlyWarning"))
    gone = notice("RETRACTION", 30)
    alone, full = (Superevent.from_notices(notices) for notices in ([early, gone], [early, notice(), gone]))
    sentence = "Early warning not confirmed by the full search"
    for superevent, said in ((alone, True), (full, False)):
        messages = (
            alert_card.alert_card(superevent, ChannelView(is_root=True)),
            alert_update.alert_update(superevent, superevent.latest),
            mention.retraction_mention(superevent, ["<!here>"], None),
        )
        for message in messages:
            assert (sentence in message.text) is said
            assert (sentence in str(message.blocks)) is said


def test_areas_of_the_combined_map_are_called_that_in_every_short_text() -> None:
    with_swift = notice(external=swift(localization=localization(area_90=873.3)), localization=localization())
    text = alert_card.alert_card(Superevent.from_notices([with_swift]), ChannelView()).text
    assert re.search(r"combined 873 deg²", text)
    alone = alert_card.alert_card(Superevent.from_notices([notice()]), ChannelView()).text
    assert "combined" not in alone
