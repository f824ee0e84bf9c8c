"""Reports as a tired person types them: what isn't clear is asked, nothing is guessed."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.observe_form import form_words, input_errors
from bot.commands.observe_sentences import MYSELF, read_observe_sentence, report_without_details
from bot.commands.observe_words import Verb, parse_observe_words
from bot.commands.people_questions import wants_to_take
from bot.commands.question_cleaning import clean_question
from bot.commands.sentence_reports import ReportMeaning, SentenceReport
from bot.observing.instruments import Instruments
from formatters.models.notice import Notice
from formatters.models.observation import ObservationStatus
from formatters.models.observing import ChannelSites
from formatters.models.pointing import Telescope
from formatters.views.observe_modal import ObserveForm
from tests.bot.commands.test_observe import OTHER_THERE, PARANAL, answer_text, stored
from tests.bot.commands.test_observe import event as event
from tests.bot.commands.test_observe import paranal as paranal
from tests.support.factories import AUTHOR, NOW, TEAM


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("r at 21.30", "at 21:30 UTC, or mag 21.30"),
        ("3 r at 20.15", "at 20:15 UTC, or mag 20.15"),
        ("r 21.5 at 0320", "write at 03:20 UTC"),
        ("r 21.5 at 3h20", "write at 03:20 UTC"),
        ("r 21.5 from 2130", "write from 21:30 UTC"),
        ("r 21.5 at 4", "write at 04:00 UTC"),
        ("r 21.5 0320 UTC", "A time has a colon"),
    ],
)
async def test_a_time_without_a_colon_is_neither_a_depth_nor_a_number_of_fields(
    factory: Factory, event: Notice, paranal: Telescope, words: str, asked: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    assert asked in await answer_text(factory, f"observe Paranal done {words}", hours=21)
    assert [one.status for one in await stored(factory, event)] == [ObservationStatus.PLANNED]


@pytest.mark.parametrize("words", ["r at 21.5", "r at 21.75", "r at 21.30 mag", "at 4 fields r 21.5"])
async def test_a_depth_behind_at_stays_one(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    assert "Paranal has done" in await answer_text(factory, f"observe Paranal done {words}", hours=21)


@pytest.mark.parametrize(
    "words",
    [
        "please observe Paranal done 3 r 21.5",
        "✅ observe Paranal done 3 r 21.5 👍🏽",
        "ok obs Paranal done 3 r 21.5",
        "observe Paranal done 3 r 21.5 :white_check_mark:",
        "I observed 3 fields with Paranal in r to 21.5",
        "Observed 3 fields from Paranal, r, 21.5 mag",
    ],
)
async def test_what_people_put_around_a_report_doesnt_keep_it_from_being_stored(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, words, hours=21)
    assert "Paranal has done 3 fields in r to 21.5 mag" in text


@pytest.mark.parametrize(
    "words",
    [
        *("we observed it with Paranal", "We observed it with Paranal.", "we've observed this with Paranal"),
        *(
            "I observed it from Paranal",
            "we did observe it with Paranal",
            "we just observed it with Paranal now",
        ),
        *("it was observed with Paranal", "Paranal has observed it", "Paranal observed this event already"),
        *("we imaged it with Paranal", "we followed up using Paranal", "observe done it with Paranal"),
    ],
)
async def test_who_says_only_that_it_was_observed_is_asked_which_fields(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, words, hours=21)
    assert "Nothing was stored" in text
    assert f"/gwevent observe Paranal done {event.superevent_id}" in text
    assert [one.status for one in await stored(factory, event)] == [ObservationStatus.PLANNED]
    command = f"observe Paranal done {event.superevent_id}"
    assert "has done 4 fields" in await answer_text(factory, command, hours=21)


@settings(deadline=None)
@given(
    st.sampled_from(["we", "I", "we have", "I've", ""]),
    st.sampled_from(["observed", "imaged", "followed up"]),
    st.sampled_from(["it", "this", "the event"]),
    st.sampled_from(["with", "from", "using", "by"]),
    st.sampled_from(["ZTF", "DECam", "Paranal", "Palomar"]),
    st.sampled_from(["", " 12 r 21.5", " in r to 21.5", ": fields 1-12", " at 03:20 UTC"]),
)
def test_a_report_with_anything_more_than_its_telescope_isnt_asked(
    who: str, verb: str, what: str, by: str, name: str, more: str
) -> None:
    sentence = " ".join(f"{who} {verb} {what} {by} {name}{more}".split())
    assert report_without_details(sentence) == (None if more else name)


@pytest.mark.parametrize(
    "sentence",
    [
        "ZTF done",
        "observe ZTF done",
        "ZTF done 12 r",
        "who observed it with ZTF",
        "we observe with ZTF",
        "a" * 999,
    ],
)
def test_what_says_what_it_means_isnt_asked(sentence: str) -> None:
    assert report_without_details(sentence) is None


@pytest.mark.parametrize("words", ["I have it", "i’ve got it!", "ack", "I’m on it 👍", "I no longer have it"])
async def test_who_types_that_they_have_it_is_shown_the_button(
    factory: Factory, event: Notice, words: str
) -> None:
    text = await answer_text(factory, words)
    assert "Nothing was changed by these words" in text and event.superevent_id in text
    assert "“I have it” on its message" in text


@pytest.mark.parametrize("words", ["stop observing", "I'm not observing", "we no longer observe"])
async def test_who_stops_observing_is_shown_cancel_and_not_unsubscribe(
    factory: Factory, event: Notice, words: str
) -> None:
    text = await answer_text(factory, words)
    assert "cancel without a telescope" in text and "unsubscribe" not in text


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("I'm observing", MYSELF),
        ("im observing it", MYSELF),
        ("we are observing with ZTF", "with ZTF"),
        ("I observed ZTF 3 r", SentenceReport(meaning=ReportMeaning.OBSERVED, words="ZTF 3 r")),
        ("what can we observe", None),
        ("observer runs", None),
        ("is it observable", None),
    ],
)
def test_a_sentence_about_oneself_is_a_report(sentence: str, expected: str | SentenceReport | None) -> None:
    assert read_observe_sentence(sentence) == expected


@pytest.mark.parametrize(
    "plain", ["who has it", "has it", "i have a question", "we have a problem", "", "got"]
)
def test_what_takes_nothing_isnt_read_so(plain: str) -> None:
    assert not wants_to_take(plain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("👍", "👍"), ("🙏 latest ✅", "latest ✅"), (":+1::skin-tone-3: latest", "latest")),
        *(("check 1 2 ☉", "check 1 2"), ("13:09:48 -23:22:53", "13:09:48 -23:22:53"), ("12 M☉", "12 M☉")),
    ],
)
def test_emoji_around_a_question_say_nothing(text: str, expected: str) -> None:
    assert clean_question(text) == expected


@pytest.mark.parametrize("words", ["observe Paranal undo", "observe undo", "observe Paranal cancel done"])
async def test_a_report_about_the_wrong_event_is_taken_back(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    await answer_text(factory, "observe Paranal done 1 g 20", hours=21)
    await answer_text(factory, "observe Paranal done 3 r 21.5", hours=22)
    text = await answer_text(factory, words, hours=23)
    assert "Paranal's report of 23 Nov 10:00 UTC is taken back: 3 fields in r to 21.5 mag" in text
    left = [(one.status, len(one.fields), one.band) for one in await stored(factory, event)]
    assert left == [(ObservationStatus.PLANNED, 3, None), (ObservationStatus.DONE, 1, "g")]
    await answer_text(factory, words, hours=23)
    text = await answer_text(factory, "observe Paranal undo", hours=23)
    assert "nothing to take back" in text
    assert len((await stored(factory, event))[0].fields) == 4


async def test_nothing_of_a_plan_is_said_to_come_back_where_no_fields_were_reported(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    await answer_text(factory, "observe Paranal done r 21")
    text = await answer_text(factory, "observe Paranal undo")
    assert "is taken back: fields not said" in text and "planned again" not in text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=12)
@given(
    st.lists(
        st.tuples(st.sets(st.integers(1, 5), min_size=1), st.sampled_from("gri")), min_size=1, max_size=3
    ),
    st.integers(0, 3),
)
async def test_what_an_undo_says_of_the_plan_is_what_the_list_shows(
    factory: Factory,
    event: Notice,
    paranal: Telescope,
    reports: list[tuple[set[int], str]],
    cancelled_after: int,
) -> None:
    # In a channel of its own, as often as Hypothesis asks.
    there = CommandContext(TEAM, f"C{uuid.uuid4().hex[:8].upper()}", "U0ASKER")
    await factory.sites.add(*there.channel, [PARANAL], AUTHOR, [paranal])

    async def say(words: str, hours: float) -> str:
        return await answer_text(factory, f"{words} {event.superevent_id}", there, hours)

    async def open_fields() -> tuple[int, str | None]:
        found = await stored(factory, event, there.channel_id)
        plans = [one for one in found if one.status is not ObservationStatus.DONE]
        return sum(len(one.fields) for one in plans), plans[0].status.value if plans else None

    await say("observe Paranal plan 5", 0)
    for number, (fields, band) in enumerate(reports):
        if number == cancelled_after:
            await say("observe Paranal cancel clouds", 20)
        listed = f"{'field' if len(fields) == 1 else 'fields'} {','.join(map(str, sorted(fields)))}"
        await say(f"observe Paranal done {listed} {band} at 0{number}:00", 30)
    before, _ = await open_fields()
    text = await say("observe Paranal undo", 30.5)
    after, state = await open_fields()
    assert "is taken back" in text
    more = after - before
    if not more:
        assert "of its plan" not in text
    else:
        counts = "1 field of its plan counts" if more == 1 else f"{more} fields of its plan count"
        assert f"{counts} as {state} again." in text


async def test_a_report_about_two_events_is_refused_in_words(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    for words in (
        "observe Paranal done r 21 {0} S241125n",
        "mute {0} S241125n",
        "S241125n {0} observe Paranal",
    ):
        text = await answer_text(factory, words.format(event.superevent_id))
        assert "One event at a time" in text and "compared" not in text
    assert not await stored(factory, event)


async def test_more_fields_than_a_report_holds_are_counted(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    numbers = ",".join(str(number) for number in range(1, 170))
    text = await answer_text(factory, f"observe Paranal done {numbers}")
    assert "numbered from 1" not in text


async def test_undo_takes_no_fields(factory: Factory, event: Notice, paranal: Telescope) -> None:
    await answer_text(factory, "observe Paranal done r 21")
    assert "undo takes back" in await answer_text(factory, "observe Paranal undo 3 r")
    assert len(await stored(factory, event)) == 1


async def test_numbers_of_a_plan_that_somebody_else_made_since_say_so(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    await answer_text(factory, "observe Paranal plan 4", OTHER_THERE, hours=20)
    text = await answer_text(factory, "observe Paranal done 3 r 21.5", hours=21)
    assert "fields 1–3 of its plan of 23 Nov 08:00 UTC, which somebody else made." in text


async def test_a_phone_whose_clock_is_ahead_doesnt_move_a_report_to_the_day_before(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    hours = 40
    clock = NOW + timedelta(hours=hours, minutes=1)
    text = await answer_text(factory, f"observe Paranal done r 21.5 at {clock:%H:%M}", hours=hours)
    (done,) = await stored(factory, event)
    assert done.observed_at is not None and done.observed_at.date() == clock.date(), text


async def test_a_mistyped_year_shows(factory: Factory, event: Notice, paranal: Telescope) -> None:
    text = await answer_text(factory, "observe Paranal done r 21.5 at 2025-11-23 03:20", hours=21)
    assert "2025-11-23 03:20 UTC is before the merger" in text


async def test_the_time_that_a_refusal_gives_as_an_example_is_taken(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    text = await answer_text(factory, "observe Paranal done r 21.5 at 2025-11-23 03:20", hours=21)
    example = text[text.index("as in at ") + len("as in ") :].rstrip(".")
    assert "has observed it" in await answer_text(factory, f"observe Paranal done r 21.5 {example}", hours=21)


@pytest.mark.parametrize("words", ["is it muted", "who muted this"])
async def test_whether_an_event_is_muted_is_said_and_nothing_is_changed(
    factory: Factory, event: Notice, words: str
) -> None:
    await answer_text(factory, "mute")
    assert "Muted here by @U0ASKER" in await answer_text(factory, words)
    assert "it isn't muted here" not in await answer_text(factory, "un-mute")


async def test_shutting_up_is_no_site(factory: Factory, event: Notice) -> None:
    assert "Did you mean /gwevent mute?" in await answer_text(factory, "shut up")


@pytest.mark.parametrize("words", ["r mag 21,5", "r 21,5 mag", "r to 21,5", "r limiting magnitude 21,5 AB"])
async def test_a_decimal_comma_beside_mag_is_one(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    assert "in r to 21.5 mag" in await answer_text(factory, f"observe Paranal done 3 {words}", hours=21)


def form(**inputs: str) -> ObserveForm:
    return ObserveForm(instrument="ZTF", **inputs)


@pytest.mark.parametrize(
    ("inputs", "errors"),
    [
        ({"depth": "21,5"}, {}),
        ({"depth": "about 21.5"}, {"depth": "“mag about” is no limiting magnitude: write mag 21.5."}),
        ({"band": "L-band"}, {}),
        ({"band": "Sloan r"}, {}),
        ({"time": "0320"}, {"time": "“at 0320”: a time has a colon: write at 03:20 UTC."}),
    ],
)
def test_the_dialogs_inputs_are_read_as_people_type_them(
    inputs: dict[str, str], errors: dict[str, str]
) -> None:
    assert input_errors(form(status="done", **inputs), ChannelSites(), Instruments(), NOW) == errors


@pytest.mark.parametrize("band", ["g,r", "g r", "g/r", "g+r"])
def test_several_bands_in_one_input_are_no_band(band: str) -> None:
    found = input_errors(form(status="done", band=band), ChannelSites(), Instruments(), NOW)
    assert "One band at a time, not g and r" in found["band"]


@pytest.mark.parametrize("reason", ["done", "report", "undo", "clouds", "done, it is", "note", ""])
def test_a_reason_in_the_dialog_is_never_a_command(reason: str) -> None:
    words = form_words(form(status="cancel", note=reason))
    read = parse_observe_words(words, ChannelSites(), Instruments(), NOW)
    assert (read.verb, read.note) == (Verb.CANCEL, reason)


@pytest.mark.parametrize("words", ["Paranal, DECam", "Paranal + DECam", "Paranal and DECam done r 21"])
async def test_two_telescopes_are_told_one_by_one(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    text = await answer_text(factory, f"observe {words}")
    assert "One telescope at a time: report Paranal and DECam each by itself" in text
    assert await stored(factory, event) == ()


async def test_with_caps_lock_on_the_band_is_asked_about(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    text = await answer_text(factory, "OBSERVE PARANAL DONE R 21.5")
    assert "R, or r?" in text and await stored(factory, event) == ()
    assert "in V to 19 mag" in await answer_text(factory, "OBSERVE PARANAL DONE V 19")
    assert "in R to 19 mag" in await answer_text(factory, "observe Paranal done R 19")


async def test_a_question_mark_in_a_note_is_the_notes(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    text = await answer_text(factory, "observe Paranal done r 21.5 note clouds from the west?")
    assert "Paranal has observed it" in text
    assert [one.note for one in await stored(factory, event)] == ["clouds from the west"]
