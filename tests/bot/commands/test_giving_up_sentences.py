"""Who says that a telescope can't observe is shown the command that gives up its plan."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.giving_up_sentences import read_giving_up, tells_reason
from bot.commands.sentence_reports import ReportMeaning
from formatters.models.notice import Notice
from formatters.models.observation import ObservationStatus
from formatters.models.pointing import Telescope
from tests.bot.commands.test_observe import answer_text, stored
from tests.bot.commands.test_observe import event as event
from tests.bot.commands.test_observe import paranal as paranal

NAMES = st.sampled_from(["Paranal", "ZTF", "Keck", "Dark Energy Camera", "Palomar"])
STATES = st.sampled_from(
    [
        *(
            "down",
            "closed",
            "shut down",
            "offline",
            "out of order",
            "broken",
            "stuck",
            "stopped",
            "unavailable",
        ),
        *("clouded out", "fogged in", "rained out", "iced over", "weathered out", "too windy", "overcast"),
    ]
)
TROUBLES = st.sampled_from(
    [
        *("bad weather", "poor conditions", "terrible seeing", "clouds", "high humidity", "strong winds"),
        *("a technical problem", "an instrument failure", "no power", "a power outage", "no time"),
    ]
)
BE = st.sampled_from(["is", "was", "has been", "is still", "got", "is currently", "will be"])
HAVE = st.sampled_from(["has", "had", "is having", "is experiencing", "suffers from"])
CANT = st.sampled_from(
    [
        *(
            "can't observe it",
            "cannot do it",
            "won't open",
            "didn't open",
            "is unable to point",
            "isn't observing",
        ),
        *("aborted", "gave up on it", "is not able to observe", "failed to slew", "could not start"),
    ]
)
CAUSES = st.sampled_from(
    [("", ""), (" because of wind", "wind"), (" due to ice", "ice"), (" for repairs", "repairs")]
)
WHEN = st.sampled_from(["", " tonight", " since Monday"])


@settings(deadline=None)
@given(NAMES, BE, STATES, CAUSES, WHEN, st.sampled_from(["", "the "]))
def test_what_a_telescope_is(
    name: str, be: str, state: str, cause: tuple[str, str], when: str, article: str
) -> None:
    told = read_giving_up(f"{article}{name} {be} {state}{cause[0] or when}")
    assert told is not None and told.meaning is ReportMeaning.GIVES_UP
    assert (told.telescopes, told.words) == ((name,), cause[1] or state)


@settings(deadline=None)
@given(
    NAMES,
    STATES,
    st.sampled_from(["{0} {1}", "{0}: {1}", "{0}'s {1}", "we are {1} at {0}", "we're {1} at {0}"]),
)
def test_what_is_said_in_short(name: str, state: str, form: str) -> None:
    told = read_giving_up(form.format(name, state))
    assert told is not None and (told.telescopes, told.words) == ((name,), state)


@settings(deadline=None)
@given(
    NAMES, HAVE, TROUBLES, st.sampled_from(["{0} {1} {2}", "{2} at {0}", "there is {2} at {0}", "{0}: {2}"])
)
def test_what_a_telescope_has(name: str, have: str, trouble: str, form: str) -> None:
    told = read_giving_up(form.format(name, have, trouble))
    assert told is not None and told.telescopes == (name,)
    assert told.words == trouble.removeprefix("a ").removeprefix("an ").removeprefix("n ")


@settings(deadline=None)
@given(NAMES, st.sampled_from(["dome", "shutter", "mount", "camera", "control system"]), STATES)
def test_what_a_part_of_it_is(name: str, part: str, state: str) -> None:
    for sentence in (
        f"{name}'s {part} is {state}",
        f"the {part} at {name} is {state}",
        f"{name}: {part} {state}",
    ):
        told = read_giving_up(sentence)
        assert told is not None and (told.telescopes, told.words) == ((name,), f"{part} {state}"), sentence


@settings(deadline=None)
@given(NAMES, CANT, st.sampled_from([("", ""), (" because of wind", "wind")]))
def test_what_a_telescope_cant(name: str, cant: str, cause: tuple[str, str]) -> None:
    told = read_giving_up(f"{name} {cant}{cause[0]}".replace("'", "’"))
    assert told is not None and (told.telescopes, told.words) == ((name,), cause[1])


@settings(deadline=None)
@given(st.lists(NAMES, min_size=2, max_size=3, unique=True), STATES)
def test_several_telescopes(names: list[str], state: str) -> None:
    told = read_giving_up(f"{', '.join(names[:-1])} and {names[-1]} are {state}")
    assert told is not None and told.telescopes == tuple(names)


@pytest.mark.parametrize(
    "sentence",
    [
        *("Paranal is up", "Paranal is observing", "Paranal is open", "Paranal is back", "Paranal loves it"),
        *("Paranal observed it", "Paranal did not find anything", "Paranal didn't detect a counterpart"),
        *("Paranal can't see any counterpart", "Paranal has good weather", "Paranal has no problems"),
        *("no clouds at Paranal", "good weather at Paranal", "weather at Paranal", "Paranal is not done"),
        *("how is the weather at Paranal", "is Paranal down", "is the dome closed at Paranal"),
        *("are there clouds at Paranal", "what about clouds at Paranal", "who is down at Paranal"),
        *("Paranal was closed but is open again", "Paranal is no longer closed", "Paranal isn't down"),
        *(
            "not down",
            "fast and closed",
            "Not closed",
            "Virgo is down",
            "LIGO has a problem",
            "it is down",
            "",
        ),
    ],
)
def test_what_gives_up_nothing(sentence: str) -> None:
    assert read_giving_up(sentence) is None


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(["is", "has", "the", "too", "no", "it a", "clouds", "very", "due to", "closed", "not"]),
    st.sampled_from(["", "?", "ed", " at Paranal"]),
)
def test_long_sentences_are_read_at_once(word: str, end: str) -> None:
    began = time.process_time()
    read_giving_up(f"Paranal {' '.join([word] * 40)} x{end}")
    read_giving_up(f"{' '.join([word] * 40)} x{end}")
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Paranal is down {0}", "down"),
        ("Paranal is closed {0}", "closed"),
        ("Paranal has bad weather {0}", "bad weather"),
        ("{0}: Paranal fogged in", "fogged in"),
        ("the dome is closed at Paranal {0}", "dome closed"),
        ("Paranal has a technical problem {0}", "technical problem"),
        ("Paranal has no power, {0}", "no power"),
        ("Paranal isn't observing {0} tonight", ""),
        ("Paranal is closed for {0} because of wind", "wind"),
    ],
)
async def test_the_command_that_is_shown_gives_the_plan_up(
    factory: Factory, event: Notice, paranal: Telescope, words: str, reason: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, words.format(event.superevent_id), hours=21)
    command = " ".join(f"observe Paranal cancel {reason} {event.superevent_id}".split())
    assert text == f"Nothing was changed. To give up the plan of Paranal: /gwevent {command}."
    assert [one.status for one in await stored(factory, event)] == [ObservationStatus.PLANNED]
    await answer_text(factory, command, hours=21)
    assert [(one.status, one.note) for one in await stored(factory, event)] == [
        (ObservationStatus.CANCELLED, reason)
    ]


PARTS_OF_A_PLAN = [
    "2 fields",
    "field 3",
    "fields 1-2",
    "after 2 fields",
    "half of the fields",
    "the last field",
]


@settings(deadline=None)
@given(
    NAMES,
    st.sampled_from(
        [
            *(
                "did not",
                "didn't",
                "didnt",
                "does not",
                "doesn't",
                "will not",
                "won't",
                "wont",
                "cannot",
                "cant",
            ),
            *("never", "could not", "would not"),
        ]
    ),
    st.sampled_from(
        [
            *(
                "give up",
                "close",
                "stop",
                "cancel",
                "abort",
                "fail",
                "lose time",
                "shut down",
                "break",
                "sleep",
            ),
            *("skip it", "drop it", "quit", "complain", "disappoint", "miss it", "agree", "answer", "mind"),
        ]
    ),
)
def test_a_telescope_that_does_not_give_up_does_not(name: str, negation: str, act: str) -> None:
    assert read_giving_up(f"{name} {negation} {act}") is None


@settings(deadline=None)
@given(
    NAMES,
    st.sampled_from(
        ["can't", "cant", "couldnt", "didnt", "wont", "doesnt", "wouldnt", "can\u2019t", "hasnt"]
    ),
    st.sampled_from(["observe it", "open", "point", "start"]),
)
def test_negations_without_their_apostrophe(name: str, negation: str, act: str) -> None:
    told = read_giving_up(f"{name} {negation} {act}" if negation != "hasnt" else f"{name} isnt open")
    assert told is not None and (told.telescopes, told.words) == ((name,), "")


@settings(deadline=None)
@given(
    NAMES,
    BE,
    STATES,
    st.sampled_from(
        [
            *(
                ", now up again",
                " but it opened again",
                ", ZTF isn't, so go there",
                " or up",
                " and reopened",
            ),
            *(" tomorrow", " next week", " to visitors", " until midnight", ", clearing now", ", not sure"),
        ]
    ),
)
def test_what_is_no_state_of_this_night(name: str, be: str, state: str, behind: str) -> None:
    assert read_giving_up(f"{name} {be} {state}{behind}") is None


@settings(deadline=None)
@given(
    NAMES,
    st.sampled_from(
        [
            *(
                "{} went down to 21.5 mag",
                "{} is down to r=21.5",
                "{} is down to the last",
                "{} is off to a start",
            ),
            *(
                "{} observed it through clouds",
                "{} observed it before clouds",
                "{} imaged despite the clouds",
            ),
            *("{} covered half before clouds", "{} is waiting for clouds to clear", "{} delayed by clouds"),
            *("{} had thin clouds", "{} lost 2 hours to clouds", "{} lost an hour", "{} lost some time"),
            *("{} lost the first half of the night", "magellanic clouds at {}", "LMC clouds with {}"),
            *(
                "{} reports an error circle",
                "{} has an error in the plan",
                "{} sees dust lanes",
                "{} is too good",
            ),
            *("problem with the {} alert stream", "problem with {} data", "problems with the plan of {}"),
            *("if {} is down", "ice cream at {}"),
        ]
    ),
)
def test_what_only_sounds_like_giving_up(name: str, sentence: str) -> None:
    assert read_giving_up(sentence.format(name)) is None


@settings(deadline=None)
@given(
    NAMES,
    st.sampled_from(["aborted", "dropped", "skipped", "gave up", "stopped", "failed"]),
    st.sampled_from(PARTS_OF_A_PLAN),
)
def test_who_gives_up_some_fields_is_not_offered_to_give_up_all(name: str, verb: str, what: str) -> None:
    told = read_giving_up(f"{name} {verb} {what}")
    assert told is not None and (told.meaning, told.telescopes) == (ReportMeaning.UNCLEAR, (name,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (text, True)
            for text in ("", "clouds", ": clouds", "(clouds)", "too windy", ", bad weather", "tonight")
        ),
        *(
            (text, True)
            for text in ("it", "the plan", "because of wind", "due to ice", "it, clouds", "dome closed")
        ),
        *((text, False) for text in ("the party", "its seminar", "nothing", "my ToO on Monday", "the talk")),
        *((text, False) for text in (", not Paranal", "but resumed", "tomorrow", "next week", "until 3")),
    ],
)
def test_what_is_a_reason_behind_cancelled(text: str, expected: bool) -> None:
    assert tells_reason(text) is expected


@pytest.mark.parametrize(
    "said", ["the party", "its seminar", "nothing", "my ToO on Monday", ", not ZTF", "field 3", "2 fields"]
)
async def test_what_else_is_cancelled_gives_no_plan_up(
    factory: Factory, event: Notice, paranal: Telescope, said: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    text = await answer_text(factory, f"Paranal cancelled {said}", hours=21)
    assert text.startswith("Nothing was") and "/gwevent observe Paranal cancel" in text
    assert await stored(factory, event) == before


@pytest.mark.parametrize(
    "said", ["", " clouds", ": clouds", " because of clouds", " the plan, clouds", " it"]
)
async def test_a_plan_that_is_cancelled_is_given_up(
    factory: Factory, event: Notice, paranal: Telescope, said: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    await answer_text(factory, f"Paranal cancelled{said}", hours=21)
    assert [one.status for one in await stored(factory, event)] == [ObservationStatus.CANCELLED]


@pytest.mark.parametrize("head", ["sorry, ", "Sorry ", "FYI: ", "btw ", "Ugh, ", "oh, "])
async def test_what_is_called_out_before_a_sentence_counts_for_nothing(
    factory: Factory, event: Notice, paranal: Telescope, head: str
) -> None:
    text = await answer_text(factory, f"{head}Paranal is down")
    assert f"observe Paranal cancel down {event.superevent_id}" in text
    assert "muted here" not in await answer_text(factory, f"{head}mute")


async def test_each_of_several_telescopes_has_its_command(factory: Factory, event: Notice) -> None:
    name = event.superevent_id
    text = await answer_text(factory, f"Paranal and ZTF are down {name}")
    assert f"observe Paranal cancel down {name}, /gwevent observe ZTF cancel down {name}." in text
