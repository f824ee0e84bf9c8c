"""Tests that messages of real notices report the notices' content."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.alerts.decode import decode
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text

Card = Callable[[str], str]


@pytest.fixture(scope="module")
def real(shared_notices: Path) -> dict[str, Notice]:
    return {
        path.stem: decode(path.read_bytes())
        for folder in ("official", "real", "mock")
        for path in sorted((shared_notices / folder).iterdir())
    }


@pytest.fixture(scope="module")
def said(real: dict[str, Notice]) -> Card:
    def of(*names: str) -> str:
        return message_text.render(
            alert_card.alert_card(Superevent.from_notices([real[name] for name in names]), ChannelView())
        )

    return of


@pytest.mark.slow
def test_every_message_of_every_event_is_sound(
    real: dict[str, Notice], check: Callable[[Message], Message]
) -> None:
    by_id: dict[str, list[Notice]] = {}
    for notice in real.values():
        by_id.setdefault(notice.superevent_id, []).append(notice)
    for notices in by_id.values():
        superevent = Superevent.from_notices(notices)
        for notice in superevent.notices:
            check(alert_card.alert_card(superevent.up_to(notice), ChannelView()))
            check(alert_update.alert_update(superevent, notice))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["MS181101ab-preliminary"],
            [
                "MOCK · BNS 95 % · PRELIMINARY · MS181101ab",
                "Significant · automatic, not yet vetted",
                "2018-11-01 22:22:46 UTC, notice +12 min",
                "BNS 95 % · BBH 3 % · NSBH 1 % · Terrestrial 1 %",
                "HasRemnant 91 % · HasNS 95 % · HasMassGap 1 %",
                "90 %: 31 deg² · 50 %: 8.9 deg² · peak 12h57m −17.9° (194.304, -17.857)",
                "40 ± 8 Mpc · FAR 1 per 350,000 yr · H1 L1 V1",
                "gstlal MDC · map by BAYESTAR · FAR 9.1e-14 Hz · event → notice 12 min",
            ],
        ),
        (
            ["S230528ay-preliminary_v1"],
            [
                "LOW SIGNIFICANCE · Burst · PRELIMINARY",
                "487 Hz · 1.4 ms · no class, no distance",
                "1 per 16 days",
            ],
        ),
        (
            ["S231030av"],
            [
                "EARLY WARNING · BNS 93 % · unconfirmed · S231030av",
                "not yet confirmed by the full search",
                "Merger 2023-10-30 12:51:11 UTC, notice 19 s after",
                "NSBH 6 %",
                "66 ± 42 Mpc over the sky, 48 ± 11 Mpc toward the peak",
                "87 % within 45° of the Sun on 30 Oct 2023, peak 8.6° from it",
                "ln BCI −1.6: incoherent signals favoured 5:1",
            ],
        ),
        (["S230522a-Preliminary_alert"], ["45 % near", "L1 alone", "FAR 1 per 3.1 yr", "24,219 deg²"]),
        (["S241102br-initial"], ["INITIAL", "vetted by people", "rarer than 1 per 10⁶ yr", "BBH >99 %"]),
        (
            ["S241125n-INITIAL-RAVEN", "S241125n-UPDATE-RAVEN"],
            [
                "Swift/BAT sub-threshold GRB candidate 0.25 s after the merger",
                "Joint FAR before trials 1 per 260 yr (time and sky), 1 per 210 yr (time)",
                "Sky overlap 1.2; above 1 the positions agree · combined peak at GW 82 % level",
                "90 %: GW 1,957 → combined 873 deg² · 50 %: combined 208 deg²",
                "48 % of the combined map within 45° of the Sun on 25 Nov 2024",
                "Combined map: 75 % near 15h03 −48°",
                "Notice 2 of this event",
            ],
        ),
        (
            ["MS181101ab-preliminary", "MS181101ab-retraction"],
            ["MOCK · RETRACTED · MS181101ab", "No longer a candidate of interest", "Was: BNS 95 % · 31 deg²"],
        ),
    ],
    ids=lambda value: value[0] if len(value) < 3 else "",
)
def test_cards(names: list[str], words: list[str], said: Callable[..., str]) -> None:
    text = said(*names)
    for each in words:
        assert each in text, text


def test_a_push_message_fits_a_lock_screen(real: dict[str, Notice]) -> None:
    notice = real["MS181101ab-preliminary"]
    assert alert_card.alert_card(Superevent.from_notices([notice]), ChannelView()).text == (
        "MOCK BNS 95% PRELIM 31 deg² 40±8 Mpc FAR 1/350,000 yr HLV 22:22:46 UTC MS181101ab"
    )


def test_replies(real: dict[str, Notice]) -> None:
    def reply(*names: str) -> str:
        superevent = Superevent.from_notices([real[name] for name in names])
        return message_text.render(alert_update.alert_update(superevent, superevent.latest))

    assert "Same facts as PRELIMINARY." in reply(
        "S230520ae-Preliminary_alert", "S230520ae-Preliminary1_alert"
    )
    newer = reply("S241102br-preliminary", "S241102br-initial")
    assert "90 % area 165 → 45 deg²" in newer
    assert "Distance 465 ± 93 → 354 ± 63 Mpc" in newer
    assert "FAR 1 per 1,800 yr → rarer than 1 per 10⁶ yr" in newer
    assert "Event time" not in newer
    revived = reply("MS230425k-preliminary", "MS230425k-retraction", "MS230425k-initial")
    assert "A candidate again" in revived
