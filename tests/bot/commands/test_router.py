"""Questions in any words, dispatched by the command router."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from bot import __version__
from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.filters import parse_criteria
from bot.routing.planner import plan_unreadable_payload
from bot.samples import bbh, bns, to_avro
from bot.sources.base import SourceStatus
from bot.store.database import Database
from formatters.answers.answer import SHARE_ACTION
from formatters.answers.help import OVERVIEW, PAGES
from formatters.blockkit.message import Message
from formatters.models.notice import Category, ExternalCoincidence, Notice
from formatters.terminal import message_text
from tests.support.factories import (
    MOCK,
    NOW,
    REAL,
    TEAM,
    Clock,
    decoded_notice,
    planner,
    record_notices,
    subscribe,
)

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
OFFER = "\n[Open the form]"
"""The button below an error in a subscription's criteria."""


def create_router(
    factory: Factory, clock: Clock | None = None, sources: Sequence[SourceStatus] = ()
) -> CommandRouter:
    return factory.create_command_router(clock or Clock(), source_statuses=lambda: list(sources))


async def answer_text(factory: Factory, words: str, context: CommandContext | None = None) -> str:
    return message_text.render(await create_router(factory).dispatch(words, context))


def shares(message: Message) -> list[str]:
    """Return the questions that the share buttons would ask again."""
    return [
        element["value"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element.get("action_id") == SHARE_ACTION
    ]


@pytest.mark.parametrize("words", ["", "   ", "help", "HELP", "?"])
async def test_help(factory: Factory, words: str) -> None:
    shown = await answer_text(factory, words)
    for command in ("latest", "events", "status", "subscribe", "unsubscribe", "subscriptions"):
        assert command in shown


async def test_help_and_router_have_the_same_commands(factory: Factory) -> None:
    listed = {command.name for command in create_router(factory).commands if command.is_listed}
    assert set(PAGES) - {"id"} == listed
    assert {word.split()[0] for _, words in OVERVIEW for word in words} - {"S230518h"} == listed


async def test_help_knows_every_word_that_is_answered(factory: Factory) -> None:
    for command in create_router(factory).commands:
        for word in (command.name, *command.aliases):
            if word.isalpha() and word != "commands":
                assert not (await answer_text(factory, f"help {word}")).startswith("There is no help"), word


@pytest.mark.parametrize("words", ["help frobnicate", "help visibel", "help me", "help visible please"])
async def test_help_on_an_unknown_word_is_the_overview_and_the_nearest(factory: Factory, words: str) -> None:
    shown = await answer_text(factory, words)
    assert ("There is no help on" in shown) is (words in ("help frobnicate", "help visibel"))
    assert ("visible" in shown) and ("Did you mean help visible?" in shown) is (words == "help visibel")


@pytest.mark.parametrize("word", ["quiet", "escalate", "notify"])
async def test_a_word_of_subscriptions_alone_is_answered_with_its_help(factory: Factory, word: str) -> None:
    assert f"Did you mean /gwevent help {word}?" in await answer_text(factory, f"{word} BBH")
    assert "escalate 5min @second" in await answer_text(factory, f"help {word}")


async def test_no_two_commands_have_the_same_word(factory: Factory) -> None:
    words = [word for command in create_router(factory).commands for word in (command.name, *command.aliases)]
    assert len(words) == len(set(words)) and all(word == word.casefold() for word in words)


@pytest.mark.parametrize("words", ["ms261122A", "MS261122a", "  Ms261122a ", "MS261122A"])
async def test_an_id_in_any_case(factory: Factory, words: str) -> None:
    await record_notices(factory, decoded_notice(MOCK))
    assert MOCK in (await create_router(factory).dispatch(words, None)).text


async def test_an_unknown_id_suggests_similar_ids(factory: Factory) -> None:
    await record_notices(
        factory, [decoded_notice(MOCK), decoded_notice("S261122bc"), decoded_notice("S250101zz")]
    )
    for question in ("MS261122b", "ms26112a", "MS26112a", "what is MS261122b"):
        assert "Did you mean" in await answer_text(factory, question) and MOCK in await answer_text(
            factory, question
        )
    assert "S261122bc" in await answer_text(factory, "261122bc")
    far = await answer_text(factory, "S190814bv")
    assert "No notice of S190814bv was received" in far and "Did you mean" not in far


async def test_latest_is_the_newest_real_event(factory: Factory) -> None:
    await record_notices(
        factory, [decoded_notice("S261121a"), decoded_notice("S261122b", group="Burst"), decoded_notice(MOCK)]
    )
    for words, expected in (
        ("latest", "S261122b"),
        ("LATEST", "S261122b"),
        ("latest all", "S261122b"),
        ("latest cbc", "S261121a"),
        ("latest Burst", "S261122b"),
        ("latest only mock", MOCK),
        ("latest CBC only mock", MOCK),
    ):
        message = await create_router(factory).dispatch(words, None)
        assert expected in message.text and "No real event" not in message.text, words


@pytest.mark.parametrize("words", ["latest", "latest all", "latest CBC"])
async def test_latest_falls_back_to_the_newest_mock_and_says_so(factory: Factory, words: str) -> None:
    await record_notices(factory, decoded_notice(MOCK))
    message = await create_router(factory).dispatch(words, None)
    assert MOCK in message.text
    what = "event that matches CBC" if "CBC" in words else "significant event"
    assert message_text.render(message).startswith(f"No {what} was received yet; this is the newest mock.")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("latest", "No significant event was received yet."),
        ("latest burst", "No event that matches Burst was received yet."),
        ("latest mock", "No event that matches mock was received yet."),
        ("latest only test", "No event that matches only test was received yet."),
        ("events", "No event was received yet."),
        ("events lowsig", "No event (also lowsig) was received yet."),
    ],
)
async def test_without_events_the_answer_says_none_was_received(
    factory: Factory, words: str, expected: str
) -> None:
    assert await answer_text(factory, words) == expected


async def test_recent_takes_a_count_and_a_group(factory: Factory) -> None:
    await record_notices(factory, [decoded_notice(f"S2611{day:02}a") for day in range(1, 26)])
    await record_notices(factory, [decoded_notice("S261122q", group="Burst"), decoded_notice(MOCK)])
    for words, count in (("recent", 5), ("recent 3 CBC", 3), ("recent cbc 3", 3), ("recent 20", 20)):
        listed = (await create_router(factory).dispatch(words, None)).text
        assert listed.count("S2611") == count, words
        assert MOCK not in listed
    assert "S261122q" not in (await create_router(factory).dispatch("recent 20 CBC", None)).text
    assert MOCK in (await create_router(factory).dispatch("recent only mock", None)).text
    assert f"also asked for: {MOCK} (only mock)" in await answer_text(factory, "recent 2 mock")


@pytest.mark.parametrize("number", ["0", "21", "999", "00"])
async def test_events_takes_one_number_from_1_to_20(factory: Factory, number: str) -> None:
    assert await answer_text(factory, f"events {number}") == '"events" lists from 1 to 20 at a time.'


@pytest.mark.parametrize("number", ["1" * 900, "3 4", "-1", "1.5"])
async def test_what_is_no_count_is_no_count(factory: Factory, number: str) -> None:
    assert "like BNS" in await answer_text(factory, f"events {number}")


@pytest.mark.parametrize(
    "words",
    ["subscribe frob", "unsubscribe x"],
)
async def test_invalid_criteria_get_one_sentence(factory: Factory, words: str) -> None:
    shown = (await answer_text(factory, words, ASKER)).removesuffix(OFFER)
    assert (
        "is none of CBC, Burst, all, mock, test, lowsig, circulars, notify, nor" in shown
        and "\n" not in shown
    )


@pytest.mark.parametrize(
    "words",
    [
        "frobnicate",
        "🛰🌌",
        "*bold* _it_ ~no~ `code`",
        "<!channel> <@U1> <http://x|y>",
        "'; DROP TABLE notices; --",
        "x" * 10_000,
        "🛰" * 10_000,
        "latest " * 2_000,
        "\x00\x07",
        "S261122a please",
        "subscribe",
        "unsubscribe",
        "subscriptions",
    ],
)
async def test_unknown_commands_get_a_short_answer(factory: Factory, words: str) -> None:
    message = await create_router(factory).dispatch(words, None)
    assert message.text and len(message.text) < 300
    assert "<!channel>" not in str(message.blocks) and "<!channel>" not in message.text
    assert await factory.notices.recent_ids() == []


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                ["latest", "recent", "status", "CBC", "mock", "3", "S261122a", "subscriptions", "all", "?"]
            ),
            max_size=5,
        ).map(" ".join),
    )
)
async def test_any_question_gets_a_nonempty_answer(factory: Factory, words: str) -> None:
    message = await create_router(factory).dispatch(
        words, ASKER if "subscribe" not in words.lower() else None
    )
    assert message.text and message.blocks
    for value in shares(message):
        assert len(value) <= 2_000


async def test_only_unshared_answers_have_a_share_button(factory: Factory) -> None:
    await record_notices(factory, decoded_notice())
    for words in ("latest", "s261122a", "recent 3", "status"):
        assert shares(await create_router(factory).dispatch(f" {words} ", ASKER)) == [words]
        assert shares(await create_router(factory).dispatch(words, ASKER, shared=True)) == []
        assert shares(await create_router(factory).dispatch(words, None)) == []
    for words in ("", "help", "subscriptions", "unsubscribe", "frobnicate", "x latest"):
        assert shares(await create_router(factory).dispatch(words, ASKER)) == []


async def test_concurrent_questions_about_nonstandard_ids_are_both_shareable(factory: Factory) -> None:
    await record_notices(factory, [decoded_notice("S1234"), decoded_notice("Trigger1")])
    router = create_router(factory)
    first, second = await asyncio.gather(router.dispatch("s1234", ASKER), router.dispatch("trigger1", ASKER))
    assert shares(first) == ["s1234"] and shares(second) == ["trigger1"]


async def test_status_counts(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "CBC", "C1", "C2")
    await record_notices(factory, decoded_notice())
    await factory.quarantine.add(b"noise", "test:1", "Noise.", None, NOW, plan_unreadable_payload)
    clock.advance(minutes=3)
    source = SourceStatus("hopskotch", True, "reads igwn.gwalert", lag=2)
    shown = message_text.render(await create_router(factory, clock, [source]).dispatch("status", None))
    for part in (__version__, "hopskotch", "reads igwn.gwalert", "S261122a", "2 "):
        assert part in shown
    counts = await factory.outbox_statistics.counts()
    assert (counts.waiting, counts.dead, counts.quarantined) == (2, 0, 1)
    assert counts.oldest_waiting == NOW


async def test_a_tool_says_of_the_brokers_what_the_consumers_stored(factory: Factory, clock: Clock) -> None:
    router = factory.create_command_router(clock)
    unknown = message_text.render(await router.dispatch("status", None))
    assert "isn't known here" in unknown and "running for" not in unknown
    await factory.source_heartbeats.record("one", [SourceStatus("hopskotch", True, "reads igwn.gwalert")])
    known = message_text.render(await router.dispatch("status", None))
    assert "hopskotch: connected" in known and "isn't known" not in known


@pytest.mark.usefixtures("confirmation_without_wait")
async def test_several_that_were_not_active_are_plural(factory: Factory) -> None:
    for words in ("subscribe CBC", "subscribe Burst"):
        await answer_text(factory, words, ASKER)
    assert "They weren't active yet." in await answer_text(factory, "unsubscribe 1 2", ASKER)


async def test_the_terminal_has_no_channel(factory: Factory) -> None:
    for words in ("subscribe CBC", "unsubscribe", "subscriptions"):
        assert await answer_text(factory, words) == "Subscriptions belong to a channel: type this in Slack."


async def test_unsubscribe_by_criteria_ignores_mentions(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    for words in ("CBC notify @here", "CBC notify <@U2> if NS", "CBC mock notify @here", "all notify @here"):
        await subscribe(factory, words, "C1")
    assert "isn't subscribed to CBC notify @channel" in await answer_text(
        factory, "unsubscribe CBC notify @channel", ASKER
    )
    one = await answer_text(factory, "unsubscribe CBC notify @here", ASKER)
    assert "Unsubscribed from CBC notify @here." in one
    assert "Unsubscribed from CBC mock notify @here." in await answer_text(
        factory, "unsubscribe cbc mock", ASKER
    )
    both = await answer_text(factory, "unsubscribe cbc", ASKER)
    assert "Nothing has ended yet. To end all 2 of these: /gwevent unsubscribe 1 3" in both
    assert "Unsubscribed from CBC, CBC notify @U2 if NS." in await answer_text(
        factory, "unsubscribe 1 3", ASKER
    )
    assert "all notify @here" in await answer_text(factory, "subscriptions", ASKER)


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ("unsubscribe", "1 2 3 4"),
        ("unsub", "1 2 3 4"),
        ("unsubscribe all", "1 2 3 4"),
        ("UNSUBSCRIBE  All", "1 2 3 4"),
        ("unsubscribe burst", "1 2"),
        ("unsubscribe 1 9", None),
        ("unsubscribe 1 CBC", None),
        ("unsubscribe all confirm", None),
        ("unsubscribe 1@00000000", None),
        ("unsubscribe everything!", None),
    ],
)
async def test_ambiguous_unsubscribe_asks_for_confirmation(
    factory: Factory, words: str, ends: str | None
) -> None:
    for question in ("Burst", "Burst lowsig", "CBC mock", "all mock"):
        await subscribe(factory, question, "C1")
    shown = await answer_text(factory, words, ASKER)
    assert len(await factory.subscriptions.for_channel(TEAM, "C1")) == 4
    assert (await factory.outbox_statistics.counts()).waiting == 0
    if ends is None:
        return
    count = len(ends.split())
    assert f"Nothing has ended yet. To end all {count} of these: /gwevent unsubscribe {ends};" in shown
    assert f"[End all {count}]" in shown and "[End 1]" in shown
    assert "Unsubscribed from Burst, Burst lowsig" in await answer_text(factory, f"unsubscribe {ends}", ASKER)
    assert len(await factory.subscriptions.for_channel(TEAM, "C1")) == 4 - count


async def test_unsubscribe_reports_unknown_numbers(factory: Factory) -> None:
    await subscribe(factory, "Burst", "C1")
    mixed = await answer_text(factory, "unsubscribe 1 CBC", ASKER)
    assert mixed.startswith('"unsubscribe" takes numbers alone') and mixed.endswith("nothing has ended.")
    assert (await answer_text(factory, "unsubscribe 1 9", ASKER)).endswith(
        "has no subscription 9; it has 1 (Burst). Nothing was changed."
    )
    assert len(await factory.subscriptions.for_channel(TEAM, "C1")) == 1


async def test_bare_unsubscribe_asks_for_confirmation(factory: Factory) -> None:
    await subscribe(factory, "CBC mock", "C1")
    shown = await answer_text(factory, "unsubscribe", ASKER)
    assert shown.startswith("Nothing has ended yet. To end it: /gwevent unsubscribe 1") and "[End 1]" in shown
    assert len(await factory.subscriptions.for_channel(TEAM, "C1")) == 1
    assert "Unsubscribed from CBC mock." in await answer_text(factory, "unsubscribe cbc", ASKER)


async def test_unsubscribe_by_criteria_or_number_in_one_channel(factory: Factory) -> None:
    subscriptions = factory.subscriptions
    assert "no subscription" in await answer_text(factory, "unsubscribe", ASKER)
    for words in ("CBC", "Burst mock", "all"):
        await subscribe(factory, words, "C1", "C2")
    assert "isn't subscribed to CBC mock" in await answer_text(factory, "unsubscribe cbc mock", ASKER)
    assert "Unsubscribed from Burst mock." in await answer_text(factory, "UNSUBSCRIBE Mock burst", ASKER)
    assert "Unsubscribed from all." in await answer_text(factory, "unsubscribe 3", ASKER)
    assert [s.criteria.canonical for s in await subscriptions.for_channel(TEAM, "C1")] == ["CBC"]
    assert "Unsubscribed from CBC." in await answer_text(factory, "unsubscribe all", ASKER), (
        "it is all there is"
    )
    assert len(await subscriptions.for_channel(TEAM, "C2")) == 3, "other channels keep theirs"


async def test_a_channel_of_another_workspace_is_another_channel(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1", team="T2")
    assert "no subscription" in await answer_text(factory, "subscriptions", ASKER)
    assert "no subscription" in await answer_text(factory, "unsubscribe", ASKER)
    assert [s.criteria for s in await factory.subscriptions.for_channel("T2", "C1")] == [
        parse_criteria("CBC")
    ]


async def test_a_repeated_subscription_is_not_stored_twice(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    assert "has CBC already" in await answer_text(factory, "subscribe cbc", ASKER)
    async with factory.database.read_transaction() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM deliveries"))).scalar() == 0


async def test_an_unavailable_store_is_answered_with_a_sentence(database_path: Path) -> None:
    factory = Factory(Database(f"sqlite+aiosqlite:///{database_path}"))
    raw = sqlite3.connect(database_path)
    raw.execute("ALTER TABLE superevents RENAME TO gone")
    raw.close()
    assert (await answer_text(factory, "latest")).startswith("The store doesn't answer right now")
    await factory.database.close()


async def test_recent_shows_ages_by_the_clock(factory: Factory, clock: Clock) -> None:
    await record_notices(factory, decoded_notice(REAL))
    clock.now = NOW + timedelta(days=3)
    assert "3 d" in message_text.render(await create_router(factory, clock).dispatch("recent", None))


GRB = ExternalCoincidence(
    observatory="Swift",
    search="SubGRBTargeted",
    gcn_notice_id=None,
    ivorn=None,
    time_difference=0.25,
    time_coincidence_far=None,
    time_sky_position_coincidence_far=1e-10,
)


async def story(factory: Factory) -> None:
    """Store a BNS, a low-significance BBH, a burst, a coincidence, a mock BNS; one a day from the 20th."""
    classes = {"BNS": 0.0, "NSBH": 0.0, "BBH": 0.9, "Terrestrial": 0.1}
    await record_notices(
        factory,
        [
            dated(decoded_notice("S261120a"), 20),
            dated(decoded_notice("S261121b", classification=classes, significant=False), 21),
            dated(decoded_notice("S261122c", group="Burst", classification={}, properties={}), 22),
            dated(replace(decoded_notice("S261123d", far=3e-5), external=GRB), 23),
            dated(decoded_notice("MS261124e"), 24),
        ],
    )


def dated(notice: Notice, day: int) -> Notice:
    assert notice.event is not None
    return replace(notice, event=replace(notice.event, time=datetime(2026, 11, day, 12, tzinfo=UTC)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("search", ["S261123d", "S261122c", "S261120a"]),
        ("search BNS", ["S261123d", "S261120a"]),
        ("search lowsig", ["S261123d", "S261122c", "S261121b", "S261120a"]),
        ("search only lowsig", ["S261121b"]),
        ("search BNS mock", ["MS261124e", "S261123d", "S261120a"]),
        ("search BNS only mock", ["MS261124e"]),
        ("search not BNS lowsig", ["S261121b"]),
        ("search far<1/yr CBC lowsig", ["S261123d", "S261121b", "S261120a"]),
        ("search since 2026-11-21 CBC lowsig until 2026-11-22", ["S261121b"]),
        ("search since 2026-11-23", ["S261123d"]),
        ("search until 2025", []),
        ("search near 1 2 3deg", []),
        ("latest BNS far<1/100yr", ["S261123d"]),
        ("latest only lowsig", ["S261121b"]),
        ("latest BBH lowsig", ["S261121b"]),
        ("latest BNS mock", ["MS261124e"]),
        ("latest type=UPDATE", []),
        ("test CBC BNS>0.5", ["S261123d", "S261120a"]),
        ("test CBC lowsig", ["S261123d", "S261121b", "S261120a"]),
        ("test BNS mock notify @here", ["MS261124e", "S261123d", "S261120a"]),
    ],
)
async def test_latest_and_search_take_any_filter(factory: Factory, words: str, expected: list[str]) -> None:
    await story(factory)
    message = await create_router(factory).dispatch(words, ASKER)
    assert re.findall(r"\bM?S2611\d\d\w\b", message.text) == expected
    assert shares(message) == [words]
    joint = "S261123d" in expected and "far" in words
    assert ("by its joint FAR, 1 per 320 yr" in message_text.render(message)) is joint


async def test_only_the_newest_maps_are_queried_with_a_note(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.commands.search.MAX_MAP_QUERIES", 1)
    for record in (bns(NOW)[0], bbh(NOW)[0]):
        body = to_avro(record)
        assert (await factory.notices.record(decode(body), body, "test:1", NOW, planner())).new
    shown = await answer_text(factory, "search near 10 10 180deg")
    assert shown.startswith("1 of 2 events matches near 10 10 180deg>0.1")
    assert shown.endswith(
        "The sky map decides about 2 events; gwevent checked only the maps of the newest 1."
        " The rest aren't counted."
    )
    none = await answer_text(factory, "latest near 10 10 180deg<0.5")
    assert none.endswith(
        "(The sky map decides about 2 events; gwevent checked only the maps of the newest 1.)"
    )


async def test_missing_event_attributes_are_backfilled(factory: Factory) -> None:
    await story(factory)
    before = await factory.event_search.attributes([Category.REAL, Category.MOCK])
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE superevents SET traits = NULL, traits_revision = NULL"))
        await connection.execute(text("UPDATE superevents SET traits_revision = 7 WHERE category = 'mock'"))
    await factory.event_search.refresh_stale_attributes()
    assert await factory.event_search.attributes([Category.REAL, Category.MOCK]) == before
    assert [traits.superevent_id for traits in before][:2] == ["MS261124e", "S261123d"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("search since", '"since" needs a date after it: 2023, 2023-05, 2023-05-18, yesterday, 7d or O4a.'),
        ("search since 2023-13", '"2023-13" is no date: 2023, 2023-05, 2023-05-18, yesterday, 7d or O4a.'),
        ("search since 2024 until 2023", '"until" lies before "since".'),
        ("search since 2023 since 2024", '"since" stands there twice: one period at a time.'),
        ("latest notify @here", '"notify" belongs to a subscription, and this is a question.'),
        ("test BNS>5", '"5" is no probability: 0 to 1, or 0 % to 100 %.'),
        ("subscribe visible from Atlantis", "I know no site called “Atlantis”."),
        ("search near 400 1 1deg", '"near": RA 400 isn\'t between 0° and 360°.'),
        ("search " + "BNS " * 200, "A filter has at most 40 conditions, and this one has more."),
        ("search " + "BNS " * 2_500, "A question has at most 1,000 characters, and this one has 10,006."),
        ("edit", '"edit" needs the number that "/gwevent subscriptions" shows, as in edit 3 CBC BNS>0.5.'),
        ("pause CBC", '"pause" needs the number that "/gwevent subscriptions" shows, as in pause 3.'),
        ("resume 3 4", '"4" is too much: one number, as "/gwevent subscriptions" shows it.'),
    ],
)
async def test_search_rejects_invalid_words_in_one_sentence(
    factory: Factory, words: str, expected: str
) -> None:
    assert (await answer_text(factory, words, ASKER)).removesuffix(OFFER) == expected


async def test_subscriptions_are_edited_paused_and_ended_by_number(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C2", "C1")
    await subscribe(factory, "Burst", "C1")
    assert "Subscription 1 is now CBC BNS>0.5 mock; it was CBC." in await answer_text(
        factory, "edit 1 mock cbc bns>50%", ASKER
    )
    assert "has Burst already" in await answer_text(factory, "edit 1 burst", ASKER)
    assert "subscription 2 is still Burst" in await answer_text(factory, "edit 2 burst", ASKER)
    assert "no subscription 3; it has 1 (CBC BNS>0.5 mock), 2 (Burst)." in await answer_text(
        factory, "edit 3 all", ASKER
    )
    assert "Paused CBC BNS>0.5 mock" in await answer_text(factory, "pause 1", ASKER)
    assert "is paused already, since 2026-11-22 12:00 UTC" in await answer_text(factory, "pause 1", ASKER)
    assert "It is paused: /gwevent resume 1" in await answer_text(
        factory, "subscribe CBC BNS>0.5 mock", ASKER
    )
    await record_notices(factory, [decoded_notice("S261120a"), decoded_notice("S261121b", group="Burst")])
    assert await threads(factory) == ["C1 S261121b", "C2 S261120a"]
    listed = await answer_text(factory, "subscriptions", ASKER)
    assert (
        "1. CBC BNS>0.5 mock" in listed and "Paused since 2026-11-22 12:00 UTC: /gwevent resume 1" in listed
    )
    assert "is active again" in await answer_text(factory, "resume 1", ASKER)
    assert "isn't paused, so nothing was changed" in await answer_text(factory, "resume 1", ASKER)
    await record_notices(factory, decoded_notice("S261122c"))
    assert "C1 S261122c" in await threads(factory)
    assert "Unsubscribed from Burst." in await answer_text(factory, "unsubscribe #2", ASKER)
    assert "no subscription 2" in await answer_text(factory, "unsubscribe 2", ASKER)
    assert "Unsubscribed from CBC BNS>0.5 mock." in await answer_text(factory, "unsubscribe cbc", ASKER)
    await subscribe(factory, "all", "C1")
    assert "3. all" in await answer_text(factory, "subscriptions", ASKER), "no number is given twice"


async def test_anybody_may_read_the_history_page_by_page(factory: Factory, clock: Clock) -> None:
    assert "No change of what this channel receives" in await answer_text(
        factory, "subscriptions history", ASKER
    )
    await subscribe(factory, "CBC", "C1")
    for number in range(11):
        clock.advance(minutes=1)
        word = "resume" if number % 2 else "pause"
        await create_router(factory, clock).dispatch(f"{word} 1", CommandContext(TEAM, "C1", f"U{number}"))
    shown = await answer_text(factory, "subscriptions history", CommandContext(TEAM, "C1", "U0READER"))
    assert shown.startswith("2026-11-22 12:11:00 UTC · @U10 · subscription 1 paused: CBC")
    assert shown.endswith("Older: /gwevent subscriptions history 2")
    rest = await answer_text(factory, "subs History 2", ASKER)
    assert rest.startswith("2026-11-22 12:01:00 UTC · @U0 · subscription 1 paused: CBC")
    assert "@U1 · subscription 1 added: CBC" in rest and "Page 2 of 2" in rest
    assert "no page 3" in await answer_text(factory, "subscriptions history 3", ASKER)
    assert "comes a page" in await answer_text(factory, "subscriptions history of the world", ASKER)
    assert "No change of what this channel receives" in await answer_text(
        factory, "subscriptions history", CommandContext(TEAM, "C2", "U1")
    )
    assert "belong to a channel" in await answer_text(factory, "subscriptions history")


async def threads(factory: Factory) -> list[str]:
    async with factory.database.read_transaction() as connection:
        query = text("SELECT channel_id || ' ' || superevent_id FROM threads ORDER BY 1")
        return list((await connection.execute(query)).scalars())
