"""What observers type is answered to the point: the table of questions, and generated ones."""

from __future__ import annotations

import asyncio
import shutil
import string
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.list_verbs import LIST_VERBS
from bot.commands.router import CommandRouter
from bot.commands.typed_events import find_typed_events
from bot.commands.understanding import clean_question, read_question
from bot.filters import vocabulary
from bot.runtime.typed_text import normalize_typed_text
from bot.store.database import Database
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ImageRef
from formatters.terminal import message_text
from tests.bot.commands.typed_questions import PENDING, QUESTIONS
from tests.support.factories import TEAM, Clock
from tests.support.question_events import store_question_events

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
GENERATED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


@pytest.fixture(scope="module")
def stored_events(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the events that the questions are about."""
    path = tmp_path_factory.mktemp("questions") / "events.sqlite"
    shutil.copy(migrated, path)

    async def store() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await store_question_events(Factory(database))
        await database.close()

    asyncio.run(store())
    return path


@pytest.fixture
async def router(stored_events: Path) -> AsyncIterator[CommandRouter]:
    database = Database(f"sqlite+aiosqlite:///{stored_events}")

    async def draw(_team: str, superevent: Superevent, _notice: Notice) -> ImageRef:
        return ImageRef(alt_text=f"The sky map of {superevent.superevent_id}", file_id="F0123456789")

    yield Factory(database).create_command_router(Clock(), image_provider=draw)
    await database.close()


async def ask(router: CommandRouter, question: str, context: CommandContext | None = ASKER) -> str:
    return message_text.render(await router.dispatch(question, context)).replace("\u00a0", " ")


LEADING_WORDS = (
    *(kind for kind, stands_for in vocabulary.SWITCHES.items() if stands_for != "circulars"),
    *("only mock", "no mock", "without retracted", "also test", "mock and test", "mocks too", "mocks only"),
    *vocabulary.GROUPS,
    *(name for name in vocabulary.TYPES if name != "update"),
    *(*vocabulary.EXTERNAL, *vocabulary.SIGNIFICANT),
    *(*vocabulary.DETECTOR_NAMES, *vocabulary.OBSERVATORIES, *vocabulary.PIPELINES, *vocabulary.SEARCHES),
    *("BNS", "NSBH", "BBH", "not BBH", "BNS or NSBH", "(BNS or NSBH)", "BNS>0.5 mock", "early warning"),
    *(f"{name}<0.5" for name in vocabulary.QUANTITY_NAMES),
    *("far<1/yr", "within 200 Mpc", "distance<1 Gpc", "search=MDC", "only lowsig BNS"),
)
"""What a list may be of: each kind, each condition that stands for itself, and some of several words. "all"
is what a list says without it, and with "update" or "grade" a question is about news or grades.
"""


@pytest.mark.slow
@pytest.mark.parametrize("verb", LIST_VERBS)
async def test_a_lists_verb_may_stand_behind_what_it_is_of(router: CommandRouter, verb: str) -> None:
    wrong = []
    for leading in LEADING_WORDS:
        reading, _ = router._read(f"{leading} {verb}", None)
        found = (LIST_VERBS.get(reading.command or ""), reading.arguments.removesuffix(f" {verb}"))
        wrong += [] if found == (LIST_VERBS[verb], leading) else [(leading, reading)]
    assert wrong == []


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ("mock latest", "latest mock"),
        ("only mock latest", "latest only mock"),
        ("test latest", "latest test"),
        ("NSBH latest?", "latest NSBH"),
        ("mock last 5", "last 5 mock"),
        ("BNS recent 3", "recent 3 BNS"),
        ("all latest", "latest all"),
    ],
)
async def test_a_list_with_its_verb_behind_is_answered_as_with_its_verb_first(
    router: CommandRouter, asked: str, same: str
) -> None:
    answer = await ask(router, asked)
    assert answer == await ask(router, same) and "don't understand" not in answer


def test_the_table_has_every_question_once() -> None:
    questions = [question for question, _ in QUESTIONS]
    assert len(questions) == len(set(questions)) == 226
    assert set(questions) >= PENDING


@pytest.mark.slow
@pytest.mark.parametrize(("question", "expected"), QUESTIONS, ids=[question for question, _ in QUESTIONS])
async def test_a_typed_question_is_answered_to_the_point(
    router: CommandRouter, question: str, expected: tuple[str, ...]
) -> None:
    answer = await ask(router, question)
    missing = [part for part in expected if part not in answer]
    if question in PENDING and missing:
        pytest.xfail("waits for another part")
    assert not missing, answer
    assert "I don't understand" not in answer


# ids in sentences

BEFORE = (
    "",
    "what is ",
    "Is ",
    "superevent ",
    "so, about ",
    "(",
    '"',
    "see https://gracedb.ligo.org/superevents/",
    "@ ",
)
AFTER = (
    "",
    "?",
    "!",
    ".",
    "'s distance",
    " please",
    ")",
    '"',
    "/view/",
    ", thanks",
    " still alive",
    ": news?",
)
LETTERS = st.text(string.ascii_lowercase, min_size=1, max_size=3)
UNITS_AND_TIME_SCALES = (
    *("deg", "day", "sec", "min", "mpc", "gpc", "kpc", "km", "hz", "yr"),
    *("utc", "gmt", "mjd"),
)
"""After six digits these are no letters of an id."""
DAYS = st.dates(min_value=date(2015, 1, 1), max_value=date(2040, 12, 31)).map(lambda day: f"{day:%y%m%d}")


@GENERATED
@given(
    prefix=st.sampled_from(["S", "s", "MS", "ms", "TS", ""]),
    day=DAYS,
    letters=LETTERS,
    before=st.sampled_from(BEFORE),
    after=st.sampled_from(AFTER),
)
def test_an_id_is_found_in_any_form_anywhere_in_a_sentence(
    prefix: str, day: str, letters: str, before: str, after: str
) -> None:
    is_link = "https" in before
    assume(prefix or (letters not in UNITS_AND_TIME_SCALES and not is_link))
    text = normalize_typed_text(f"{before}{prefix}{day}{letters}{after}")
    (found,) = find_typed_events(text)
    assert found.superevent_id == f"{(prefix or 'S').upper()}{day}{letters}"


@pytest.mark.parametrize(
    "text",
    [
        "check AT2017gfo 12 13",
        "GRB 230518A",
        "IC-230518a",
        "EP 230518a",
        "ZTF18abvkwla",
        "J130948-232253",
        "131348.5 -232253",
        "12h57m13s-17d51m25s",
        "194.304230518h",
        "S991399a9",
        "GRB230518a",
        "200230deg",
        "search far<1/yr since 2023-05-18",
    ],
)
def test_other_names_and_numbers_are_no_events(text: str) -> None:
    assert [event.superevent_id for event in find_typed_events(text)] == []


@pytest.mark.parametrize(
    ("text", "prefix"), [("S230518", "S230518"), ("ms230518?", "MS230518"), ("GW230518", "S230518")]
)
def test_a_day_and_a_catalogue_name_lead_to_the_ids_of_that_day(text: str, prefix: str) -> None:
    (found,) = find_typed_events(text)
    assert found.superevent_id is None and found.id_prefix == prefix


async def test_a_catalogue_name_with_its_second_is_the_event_of_that_second(router: CommandRouter) -> None:
    assert "NSBH 86 % · UPDATE · S230518h" in await ask(router, "what is GW230518_125908?")
    other = await ask(router, "GW230518_125948")
    assert "a catalogue's name" in other and "nothing here says that it is the same" in other
    none = await ask(router, "GW170817")
    assert "a catalogue's name" in none and "gwevent has no event of that day" in none


@pytest.mark.parametrize("number", ["S230518", "S231345", "GW991332", "S240229"])
async def test_a_day_without_events_is_answered_without_a_guess(router: CommandRouter, number: str) -> None:
    answer = await ask(router, f"how far is {number}")
    assert ("204 ± 57" in answer) is (number == "S230518")


# EVENT and VERB in either order

VERBS = ("history", "map", "export moc", "export json", "moc", "json", "visible Palomar", "check 95.7 -10.96")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["S230518h", "230518h", "s230518H"])
async def test_event_and_verb_stand_in_either_order(router: CommandRouter, verb: str, name: str) -> None:
    first, second = await ask(router, f"{verb} {name}"), await ask(router, f"{name} {verb}")
    assert "S230518h" in first
    assert first.replace(f"{verb} {name}", "") == second.replace(f"{name} {verb}", "")


@pytest.mark.parametrize(
    "verb", ["history", "map", "export csv", "check 10 20", "distance", "visible Palomar"]
)
async def test_two_events_are_compared_or_asked_about_but_never_one_of_them_chosen(
    router: CommandRouter, verb: str
) -> None:
    answer = await ask(router, f"{verb} S230518h S241125n")
    assert "S241125n" in answer and ("compared" in answer or "One event at a time" in answer)


# typing errors

SAFE = ("latest", "events", "history", "export", "check", "visible", "status", "sites", "help")


@st.composite
def misspelled(draw: st.DrawFn, words: tuple[str, ...]) -> tuple[str, str]:
    """A word with one letter left out, doubled, replaced or swapped with the next, and the word."""
    word = draw(st.sampled_from([word for word in words if len(word) > 4]))
    at = draw(st.integers(1, len(word) - 2))
    typed = draw(
        st.sampled_from(
            [
                word[:at] + word[at + 1 :],
                word[: at + 1] + word[at:],
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            ]
        )
    )
    return typed, word


@pytest.mark.slow
@GENERATED
@given(misspelled(SAFE))
async def test_a_misspelled_verb_is_corrected_aloud(stored_events: Path, pair: tuple[str, str]) -> None:
    typed, word = pair
    assume(typed != word)
    database = Database(f"sqlite+aiosqlite:///{stored_events}")
    router = Factory(database).create_command_router(Clock())
    answer = await ask(
        router, f"{typed} S230518h" if word not in ("latest", "events", "sites", "status") else typed, None
    )
    await database.close()
    assert (
        f"“{typed}” is read as" in answer or "Did you mean" in answer or typed in ("event", "site", "sites")
    ), answer


CHANGES = (
    "subscribe CBC",
    "unsubscribe 1",
    "resume 1",
    "pause 1",
    "edit 1 BNS",
    "sites add Keck",
    "subscriptions add CBC",
    "subscriptions remove 1",
    "subscriptions pause 1",
    "subscriptions edit 1 BNS",
)


@pytest.mark.slow
@GENERATED
@given(misspelled(tuple(change.split()[0] for change in CHANGES)), st.sampled_from(CHANGES))
async def test_a_misspelled_word_never_changes_what_a_channel_receives(
    stored_events: Path, pair: tuple[str, str], change: str
) -> None:
    typed, word = pair
    assume(typed != word and typed not in ("site", "subscription"))
    database = Database(f"sqlite+aiosqlite:///{stored_events}")
    factory = Factory(database)
    asker = CommandContext(TEAM, "C0UNTOUCHED", "U0ASKER")
    await ask(factory.create_command_router(Clock()), f"{typed} {change.partition(' ')[2]}", asker)
    for wanted in (
        await factory.subscriptions.for_channel(*asker.channel),
        (await factory.sites.for_channel(*asker.channel)).sites,
    ):
        assert not wanted, typed
    assert not await factory.subscriptions.list_unconfirmed(*asker.channel)
    await database.close()


# Unicode


@pytest.mark.slow
@GENERATED
@given(
    dash=st.sampled_from("-−–‐‑‒﹣－"),
    blank=st.sampled_from(" \u00a0\u2009\u202f\u3000"),
    mark=st.sampled_from(["", "*", "_", "`"]),
    invisible=st.sampled_from(["", "\u200b", "\u200d", "\ufeff", "\u2060"]),
)
async def test_typographic_spellings_ask_the_same(
    stored_events: Path, dash: str, blank: str, mark: str, invisible: str
) -> None:
    database = Database(f"sqlite+aiosqlite:///{stored_events}")
    router = Factory(database).create_command_router(Clock())
    plain = await ask(router, "check 95.7 -10.96 S230518h", None)
    typed = f"check{blank}95.7{blank}{dash}10.96{blank}{mark}S2305{invisible}18h{mark}"
    assert await ask(router, typed, None) == plain
    await database.close()


@GENERATED
@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    cleaned = clean_question(normalize_typed_text(text))
    events = find_typed_events(cleaned)
    read_question(cleaned, len(events), {"help", "check", ""}, {"help": "help"})


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "is " * 39 + "x",
        "within " * 39 + "x",
        "in " * 38 + "1.5 2.5",
        "gwevent " * 40,
        "please " * 40 + "x",
        "good " * 39 + "x",
        "a" * 900,
        "1" * 900,
        "-" * 900,
        "S2305" * 180,
    ],
)
def test_no_text_keeps_the_rules_busy(text: str) -> None:
    cleaned = clean_question(text)
    read_question(cleaned, len(find_typed_events(cleaned)), {"help", "check"}, {"help": "help"})


# sentences


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("pls show me the map of S230518h, thanks", "Sky map of S230518h"),
        ("/gwevent S230518h", "204 ± 57 Mpc"),
        ("@gwevent gwevent: latest", "S261120c"),
        ("S230518h hitsory", "“hitsory” is read as “history”."),
        ("where is S230518h", "peak 06h23m"),
        ("when was S230518h?", "2023-05-18 12:59:08 UTC, 3 yr ago"),
        ("what class is S230518h", "NSBH 86 %"),
        ("which detectors saw S230518h", "H1 L1 V1; found by gstlal AllSky"),
        ("S241126dm distance", "RETRACTED S241126dm: luminosity distance"),
        ("is S241126dm retracted?", "RETRACTED · S241126dm"),
        ("MS260605l FAR", "MOCK MS260605l: FAR"),
        ("S230522a distance", "no distance is known"),
        ("is there a GRB near S230518h", "name no coincidence"),
        ("is there a GRB near S230518h", "nearby that name no event aren't in its notices"),
        ("how far is it", "S261120c: luminosity distance 160 ± 35 Mpc"),
        ("is it retracted", "S261120c: not retracted"),
        ("show the latest", "S261120c"),
        ("BNS", "match BNS"),
        ("only mock", "MOCK MS260605l"),
        ("BNS>0.5 since 2024", "since 2024-01-01"),
        ("95.7 -10.96", "95.700, -10.960"),
        ("is 95.7 -10.96 inside the map of S230518h?", "in S230518h"),
        ("subscibe CBC", "Did you mean /gwevent subscribe?"),
        ("coverage", "Nobody in this channel has planned or reported an observation of S261120c"),
        ("good morning gwevent", "latest"),
        ("aladin S230518h", "90 % credible region of S230518h"),
        ("what's new?", "S261120c: 1 notice"),
        ("did anything happen last night?", "No event since 2026-11-21 12:00 UTC"),
        ("when was the last alert?", "S261120c"),
        ("Palomar S230518h", "Palomar"),
        ("Palomar and Keck", "Keck"),
        ("number of BBH since 2024", "1 of 5 events since 2024-01-01 matches BBH"),
        ("did swift see anything for S241125n", "coincidence with Swift/BAT GRB"),
        ("is NGC4993 in S230518h?", "names aren't resolved"),
        ("crossmatch 95.7 -10.96 S230518h", "95.700, -10.960"),
        ("S-230518h", "204 ± 57 Mpc"),
        ("S 230518h fits", "https://gracedb.ligo.org/superevents/S230518h/view/"),
        ("S230518h p_astro", "NSBH 86 % · Terrestrial 10 %"),
        ("S230518h circulars", "https://gcn.nasa.gov/circulars?query=S230518h"),
        ("which sites do we have", "no sites yet"),
        ("what am I subscribed to?", "no subscription"),
        ("what happened tonight?", "since"),
        ("history of subscriptions", "No change of what this channel receives"),
        ("who changed the subscriptions?", "No change of what this channel receives"),
        ("is the bot running", "Last notice"),
        ("notify me about BNS", "Did you mean /gwevent subscribe?"),
        ("help S230518h", "One event"),
        ("what is a superevent", "I don't understand"),
        ("can you help me", "help events"),
        ("i need help with filters", "far<1/month"),
        ("any news?", "S261120c: 1 notice"),
        ("any updates on S230518h?", "the newest UPDATE"),
        ("show map", "Sky map of S261120c"),
        ("show me the history of S230518h", "S230518h: 3 notices"),
        ("is it visible from Palomar?", "S261120c"),
        ("can Keck see S230518h tonight?", "Keck"),
        ("any NSBH since 2023?", "S230518h"),
        ("show events", "The last 5 events"),
        ("which BNS were there in 2025?", "S251015b"),
        ("thank you so much!", "welcome"),
        ("is LIGO online", "gwevent knows only the alerts"),
        ("when does O5 start", "gwevent knows only the alerts"),
        ("frobnicate the flux", "I don't understand"),
        ("subscribe", "Nothing is subscribed yet"),
        ("subscriptions add", "Nothing is subscribed yet"),
        ("subscriptions test BNS", "would have matched"),
        ("subscriptions edit 3 BNS", "no subscription"),
        ("subscriptions pause 3", "no subscription"),
        ("subscriptions drill 3", "no subscription"),
        ("subscriptions drill", "needs the number"),
        ("drill stop", "No drill is running in this channel"),
        ("stop the drill!", "Did you mean /gwevent subscriptions drill stop?"),
        ("please run a drill of subscription 2", "Did you mean /gwevent subscriptions drill 2?"),
        ("how do I drill", "Did you mean /gwevent help drill?"),
        ("sites show", "no sites yet"),
        ("help subscriptions", "subscriptions pause 3"),
        ("export", "Say which of json, moc, ds9, csv"),
        ("export pdf S230518h", '"pdf" is none of json, moc, ds9, csv'),
        ("export ds9 S230518h", "polygon("),
        ("csv S230518h", "S230518h,UPDATE,2023-05-18T15:02:08Z"),
        ("latest only retracted", "RETRACTED · S241126dm"),
        ("events only lowsig", "LOW SIGNIFICANCE"),
        ("show S230518h", "204 ± 57 Mpc"),
    ],
)
async def test_a_sentence_is_answered(router: CommandRouter, question: str, expected: str) -> None:
    assert expected in await ask(router, question)


async def test_a_bare_subscribe_takes_nothing(router: CommandRouter) -> None:
    answer = await ask(router, "subscribe")
    assert "subscribe all" in answer and "subscribe CBC" in answer and "[Open the form]" in answer


@pytest.mark.slow
@pytest.mark.timeout(20)
@pytest.mark.parametrize("front", ["", "check ", "sites add ", "subscribe ", "events ", "visible "])
@pytest.mark.parametrize(
    "unit",
    [" ", ",", ", ", "\n", "\t", "\t ", "please ", ", thanks", "1", "z ", "(", "S230518 ", "`", "&amp;"],
)
async def test_a_long_text_of_one_kind_is_answered_at_once(
    router: CommandRouter, front: str, unit: str
) -> None:
    await ask(router, front + (unit * 12_000)[:12_000] + "x")
