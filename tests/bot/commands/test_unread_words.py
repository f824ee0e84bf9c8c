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


async def test_of_a_plan_of_one_field_all_is_offered_and_no_first_ones(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    await answer_text(factory, "observe Paranal plan 1")
    text = await answer_text(factory, f"we observed {event.superevent_id} with Paranal", hours=21)
    assert f"All fields of its plan: /gwevent observe Paranal done {event.superevent_id}." in text
    assert "The first" not in text


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
    assert f'I don\'t read "{unread}" here' in (await answer_text(factory, words.format(event.superevent_id)))


@pytest.mark.parametrize("words", ["map of {0} please", "the map {0}", "show me the map of {0}", "map {0}"])
async def test_words_around_a_map_say_nothing(factory: Factory, event: Notice, words: str) -> None:
    text = await answer_text(factory, words.format(event.superevent_id))
    assert "I don't read" not in text and "Which event" not in text


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


@pytest.mark.parametrize("words", ["Trigger1 mute?", "Trigger1 observe ZTF done?", "mute it? Trigger1"])
async def test_a_question_about_an_id_in_another_form_is_refused_in_a_terminal(
    factory: Factory, words: str
) -> None:
    await record_notices(factory, [decoded_notice("Trigger1")])
    assert "channel" in await answer_text(factory, words, None)


@pytest.mark.parametrize("verb", ["mute", "unmute"])
async def test_a_question_in_another_events_thread_is_about_the_event_that_it_names(
    factory: Factory, event: Notice, verb: str
) -> None:
    await record_notices(factory, [decoded_notice("Trigger1")])
    text = await answer_text(factory, f"{verb} it? Trigger1")
    assert "Nothing was changed, since that was a question" in text
    assert "Trigger1" in text and event.superevent_id not in text


@pytest.mark.parametrize("when", ["at night", "at dawn", "on time", "at last", "with it"])
async def test_a_word_that_looks_like_no_name_is_no_telescope(
    factory: Factory, event: Notice, when: str
) -> None:
    text = await answer_text(factory, f"we observed it {when} {event.superevent_id}")
    assert f'"{when.split()[1]}" done' not in text
    assert await stored(factory, event) == ()


async def test_done_with_it_asks_which_telescope(factory: Factory, event: Notice) -> None:
    assert "Which telescope" in await answer_text(factory, "done with it")


@pytest.mark.parametrize(
    ("values", "asked", "typed"),
    [
        ("", "in r to 21.5 mag", "4 r mag 21.5"),
        ("to 22 mag", "in r to 22 mag", "4 r mag 22"),
        ("in g", "in g to 21.5 mag", "4 g mag 21.5"),
        ("in J Vega to 20", "in J Vega to 20 mag", "4 J Vega mag 20"),
    ],
)
async def test_the_command_that_is_offered_stores_the_band_and_depth_that_it_tells(
    factory: Factory, event: Notice, paranal: Telescope, values: str, asked: str, typed: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, f"Paranal observed it {values}", hours=21)
    command = f"observe Paranal done {typed} {event.superevent_id}"
    assert f"{asked}: /gwevent {command}" in text
    await answer_text(factory, command, hours=21)
    done = [one for one in await stored(factory, event) if one.status is ObservationStatus.DONE]
    assert [(one.band, one.depth) for one in done] == [
        (typed[2:].partition(" mag")[0].replace(" Vega", " (Vega)"), float(typed.split()[-1]))
    ]


@pytest.mark.parametrize("words", ["check burst 197.45 -23.38", "check mock 197.45 -23.38", "candidates ssm"])
async def test_a_source_may_be_named_like_a_kind_of_event(
    factory: Factory, event: Notice, words: str
) -> None:
    assert "Which event?" not in await answer_text(factory, words)


@pytest.mark.parametrize("words", ["check 197.45 -23.38 in the last mock", "candidates of the latest BNS"])
async def test_an_event_told_by_its_age_is_asked_about_beside_a_position_too(
    factory: Factory, event: Notice, words: str
) -> None:
    assert "Which event?" in await answer_text(factory, words)


@pytest.mark.parametrize(
    ("words", "shown"),
    [("export json,moc {0}", "as published"), ("export csv,ascii {0}", "as a table")],
)
async def test_commas_between_formats_are_blanks(
    factory: Factory, event: Notice, words: str, shown: str
) -> None:
    text = await answer_text(factory, words.format(event.superevent_id))
    assert shown in text and "here: type" not in text
