"""Questions about one event."""

from __future__ import annotations

import pytest

from bot.app.factory import Factory
from bot.samples import retracted
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


@pytest.mark.parametrize("words", ["{0} far", "how far is {0}", "is {0} a BNS", "when was {0}"])
async def test_another_fact_of_a_retracted_event_says_that_it_was_retracted(
    factory: Factory, words: str
) -> None:
    name = (await store(factory, *retracted(NOW))).superevent_id
    assert (await answer_text(factory, words.format(name))).startswith(f"RETRACTED {name}: ")
