"""Questions about ranges of chirp masses, distances and grades are answered from stored events."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.app.factory import Factory
from formatters.models.notice import MassBins
from tests.bot.commands.test_router import answer_text
from tests.support.factories import REAL, decoded_notice, record_notices

BINS = MassBins(bin_edges=(0.87, 1.465, 2.3, 5.5), probabilities=(0.55, 0.4, 0.05))


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("events mchirp<2.3 > 0.9", True),
        ("events mchirp<2.0 > 0.9", False),
        ("events mchirp 0.87…1.465 > 50%", True),
        ("latest mchirp 0.87–1.465 > 60%", False),
        ("latest not mchirp<2.3 > 0.96", True),
        ("events mchirp>=22 > 0.5", False),
        ("subscriptions test CBC mchirp<2.3 > 0.9 criteria grandma", True),
        ("events grade lasair", True),
        ("events not grade lasair", False),
        ("latest grade lasair=Watch mchirp<2.3>0.9", True),
    ],
)
async def test_events_are_found_by_the_probability_of_a_range_of_masses(
    factory: Factory, words: str, is_found: bool
) -> None:
    notice = decoded_notice(REAL)
    assert notice.event is not None
    await record_notices(factory, [replace(notice, event=replace(notice.event, mchirp_source=BINS))])
    assert (REAL in await answer_text(factory, words)) is is_found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("events mchirp 2.3..5.5", '"2.3..5.5" needs a probability'),
        ("events mchirp<2.3>0.9 mchirp>=22>0.5", "can never hold"),
        ("events within 200", "needs a unit"),
        ("events grade rubin2026", 'did you mean "rubin-2026"?'),
        ("latest grade rubin-2026>=Platinum", 'has no grade "Platinum"'),
        ("events criteria rubin-2026", "asked for by grade rubin-2026"),
    ],
)
async def test_what_is_wrong_gets_a_sentence(factory: Factory, words: str, said: str) -> None:
    assert said in await answer_text(factory, words)
