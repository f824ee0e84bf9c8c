"""Words that a verb doesn't read aren't dropped, and nothing is stored where what is meant isn't clear."""

from __future__ import annotations

import pytest

from bot.app.factory import Factory
from formatters.models.notice import Notice
from formatters.models.observation import ObservationStatus
from formatters.models.pointing import Telescope
from tests.bot.commands.test_observe import answer_text, stored
from tests.bot.commands.test_observe import event as event
from tests.bot.commands.test_observe import paranal as paranal
from tests.support.factories import decoded_notice, record_notices


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("observed {0} with Paranal in r to 22", " r 22"),
        ("I observed it with Paranal r 21.5", " r 21.5"),
        ("we observed {0} with Paranal", ""),
        ("Paranal is done with {0}", ""),
        ("Paranal is done with {0} r 21.5", " r 21.5"),
        ("observed Paranal r 21.5", " r 21.5"),
        ("Paranal observed {0} r 21.5", " r 21.5"),
        ("Paranal imaged {0} in r to 21.5", " r 21.5"),
        ("{0} was observed by Paranal in r", " r"),
        ("Paranal observed {0}", ""),
    ],
)
async def test_a_report_in_a_sentence_asks_which_fields_also_where_it_tells_band_and_depth(
    factory: Factory, event: Notice, paranal: Telescope, words: str, values: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, words.format(event.superevent_id), hours=21)
    assert "Nothing was stored" in text
    assert f"/gwevent observe Paranal done{values} {event.superevent_id}" in text
    assert [one.status for one in await stored(factory, event)] == [ObservationStatus.PLANNED]
    command = f"observe Paranal done{values} {event.superevent_id}"
    assert "has done 4 fields" in await answer_text(factory, command, hours=21)


async def test_no_fields_of_a_plan_are_offered_where_there_is_no_plan(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    text = await answer_text(factory, f"{event.superevent_id} observed by GOTO")
    assert "Nothing was stored" in text and "of its plan" not in text
    assert "GOTO has no plan with fields in this channel" in text
    assert f"/gwevent observe GOTO done {event.superevent_id}" in text
    assert await stored(factory, event) == ()


@pytest.mark.parametrize(
    "words",
    [
        "observe My telescope done r 20.5",
        "observe our telescope done r 20.5",
        "observe the instrument done 2 r 20.5",
        "observe done my telescope r 20.5",
        "observe done r 20.5 with my telescope",
    ],
)
async def test_a_telescope_without_a_name_isnt_the_only_one_with_a_plan(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, f"{words} {event.superevent_id}", hours=21)
    assert "stands in quotes" in text
    assert [one.status for one in await stored(factory, event)] == [ObservationStatus.PLANNED]
    assert "has done" in await answer_text(factory, "observe done 2 r 20.5", hours=21)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Paranal clouded out {0}", " clouded out"),
        ("Paranal was clouded out {0}", " clouded out"),
        ("Paranal aborted {0} because of clouds", " clouds"),
        ("Paranal did not get to {0}", ""),
        ("Paranal didn't observe {0}", ""),
        ("Paranal will not observe {0}", ""),
        ("{0} Paranal won’t observe because of wind", " wind"),
        ("we are clouded out at Paranal {0}", " clouded out"),
        ("Paranal gave up on {0}", ""),
    ],
)
async def test_who_says_that_a_telescope_gives_up_is_shown_the_command_and_nothing_is_stored(
    factory: Factory, event: Notice, paranal: Telescope, words: str, reason: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, words.format(event.superevent_id), hours=21)
    assert f"/gwevent observe Paranal cancel{reason} {event.superevent_id}" in text
    assert [one.status for one in await stored(factory, event)] == [ObservationStatus.PLANNED]
    await answer_text(factory, f"observe Paranal cancel{reason} {event.superevent_id}", hours=21)
    assert [one.status for one in await stored(factory, event)] == [ObservationStatus.CANCELLED]


@pytest.mark.parametrize("words", ["done with {0}", "{0} done"])
async def test_done_alone_asks_which_telescope(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    text = await answer_text(factory, words.format(event.superevent_id))
    assert "Which telescope" in text and f"observe ZTF done {event.superevent_id}" in text


async def test_a_telescope_of_another_name_is_asked_which_fields(factory: Factory, event: Notice) -> None:
    text = await answer_text(factory, f"we observed {event.superevent_id} with MyScope")
    assert f'/gwevent observe "MyScope" done {event.superevent_id}' in text
    assert await stored(factory, event) == ()


async def test_a_note_may_name_a_kind_of_event(factory: Factory, event: Notice, paranal: Telescope) -> None:
    assert "has observed it" in await answer_text(factory, "observe Paranal done r 21 note like the mock")


@pytest.mark.parametrize("words", ["done 12 r 21.5", "done 12 r 21.5 {0}", "{0} all done 12 r 21.5"])
async def test_done_without_a_telescope_asks_which(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, words.format(event.superevent_id), hours=21)
    assert "Which telescope" in text and "done 12 r 21.5" in text and "don't understand" not in text
    assert [one.status for one in await stored(factory, event)] == [ObservationStatus.PLANNED]


async def test_a_number_keeps_its_point_where_words_arent_understood(factory: Factory, event: Notice) -> None:
    assert "“frobnicate 21.5”" in await answer_text(factory, f"frobnicate 21.5 {event.superevent_id}")


@pytest.mark.parametrize("words", ["map mock", "history mock", "map burst", "coverage mock"])
async def test_an_event_told_by_its_kind_is_asked_about(factory: Factory, event: Notice, words: str) -> None:
    text = await answer_text(factory, words)
    assert f"Which event? “latest {words.split()[1]}” shows its id" in text


@pytest.mark.parametrize(
    ("words", "unread"),
    [
        ("map Paranal {0}", "Paranal"),
        ("map {0} frobnicate", "frobnicate"),
        ("export moc {0} frobnicate", "frobnicate"),
        ("csv {0} frobnicate", "frobnicate"),
        ("history {0} frobnicate", "frobnicate"),
        ("coverage {0} ZTF", "ztf"),
        ("ZTF coverage {0}", "ztf"),
        ("Paranal map {0}", "paranal"),
        ("frob history {0}", "frob"),
    ],
)
async def test_a_word_that_a_verb_doesnt_read_is_named(
    factory: Factory, event: Notice, words: str, unread: str
) -> None:
    assert f'"{unread}" says nothing here' in (await answer_text(factory, words.format(event.superevent_id)))


@pytest.mark.parametrize("words", ["map of {0} please", "the map {0}", "show me the map of {0}", "map {0}"])
async def test_words_around_a_map_say_nothing(factory: Factory, event: Notice, words: str) -> None:
    text = await answer_text(factory, words.format(event.superevent_id))
    assert "says nothing here" not in text and "Which event" not in text


@pytest.mark.parametrize("verb", ["map", "candidates", "history", "coverage", "plan", "galaxies"])
async def test_a_verb_of_one_event_takes_no_second_one(factory: Factory, event: Notice, verb: str) -> None:
    text = await answer_text(factory, f"{verb} {event.superevent_id} S241125n")
    assert "One event at a time" in text and "compared" not in text


@pytest.mark.parametrize(
    "words", ["Trigger1 mute?", "observe ZTF done? Trigger1", "Trigger1 observe ZTF done?"]
)
async def test_a_question_about_an_id_in_another_form_changes_nothing(
    factory: Factory, event: Notice, words: str
) -> None:
    await record_notices(factory, [decoded_notice("Trigger1")])
    text = await answer_text(factory, words)
    assert "Trigger1" in text and "muted in this channel" not in text
    assert "Nothing was changed, since that was a question" in text
