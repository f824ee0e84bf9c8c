"""Questions about one event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import pytest

from bot.app.factory import Factory
from bot.samples import Record, bbh, bns, burst, low_significance, mock, ms181101ab, retracted
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import event_lines
from tests.bot.commands.test_galaxies import catalogues as catalogues
from tests.bot.commands.test_galaxies import with_galaxies as with_galaxies
from tests.bot.commands.test_observe import answer_text
from tests.bot.commands.test_visible import store
from tests.support.factories import NOW


@pytest.mark.parametrize(
    "words",
    [
        "is {0} retracted?",
        "was {0} retracted",
        "is {0} real",
        "is {0} still valid",
        "is {0} still alive",
        "is {0} significant",
        "is {0} confirmed",
        "has {0} been vetted",
        "{0} status",
    ],
)
async def test_how_a_retracted_event_stands_is_said_once_by_its_card(factory: Factory, words: str) -> None:
    name = (await store(factory, *retracted(NOW))).superevent_id
    card = await answer_text(factory, name)
    assert card.count("RETRACTED") == 1 and card.count("No longer a candidate") == 1
    assert await answer_text(factory, words.format(name)) == card


WORDS = (
    "{0}",
    "visible Palomar {0}",
    "visible Palomar {0} at 2027-02-01",
    "plan Palomar 2 {0}",
    "coverage {0}",
    "observe {0}",
    "candidates {0}",
    "galaxies {0}",
    "history {0}",
    "check 10 20 {0}",
    "criteria {0}",
    "export csv {0}",
    "export moc {0}",
    "how far is {0}",
    "where is {0}",
    "who has {0}",
)


@pytest.mark.parametrize("sample", [bns, low_significance, mock])
async def test_every_answer_about_an_event_has_its_marks(
    with_galaxies: Factory, sample: Callable[[datetime], Sequence[Record]]
) -> None:
    notice = await store(with_galaxies, sample(NOW)[0])
    await answer_text(with_galaxies, "sites add Palomar fov 7deg circle")
    marks = alert_card.status_labels(Superevent.from_notices([notice]))
    assert marks in (["EARLY WARNING"], ["LOW SIGNIFICANCE"], ["MOCK"])
    for words in WORDS:
        said = await answer_text(with_galaxies, words.format(notice.superevent_id))
        first = "\n".join(said.splitlines()[:3])
        assert all(mark in first for mark in marks), (words, first)


@pytest.mark.parametrize("sample", [bns, bbh, burst, ms181101ab, mock, low_significance])
@pytest.mark.parametrize("count", [1, 2, 9])
async def test_the_distance_in_words_is_that_of_the_lists_and_says_of_which_map(
    factory: Factory, sample: Callable[[datetime], Sequence[Record]], count: int
) -> None:
    notice = await store(factory, *sample(NOW)[:count])
    if notice.is_retraction:
        return
    said = (await answer_text(factory, f"how far is {notice.superevent_id}")).splitlines()[0]
    best = notice.best_localization
    words = None if best is None else event_lines.distances(best)
    if words is None:
        assert "no distance is known" in said
        return
    assert f"luminosity distance {words}".replace("\u00a0", " ") in said
    assert ("(combined map); GW alone " in said) == (best is not notice.localization)


@pytest.mark.parametrize("words", ["{0} far", "how far is {0}", "is {0} a BNS", "when was {0}"])
async def test_another_fact_of_a_retracted_event_says_that_it_was_retracted(
    factory: Factory, words: str
) -> None:
    name = (await store(factory, *retracted(NOW))).superevent_id
    assert (await answer_text(factory, words.format(name))).startswith(f"RETRACTED {name}: ")
