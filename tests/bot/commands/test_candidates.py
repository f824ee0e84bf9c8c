"""The command `candidates`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.candidate_words import changes_candidates, parse_candidates
from bot.commands.context import CommandContext
from bot.runtime.threads import ThreadHangs
from bot.samples import bns, to_avro
from bot.skymap_service import observability
from bot.store import schema
from formatters.answers.answer import SHARE_ACTION
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.related_message import MessageKind, RelatedMessage, ReportedPosition, Stream
from formatters.terminal import message_text
from tests.support.factories import NOW, TEAM, Clock, planner, subscribe

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
OTHER_PERSON = CommandContext(TEAM, "C1", "U0OTHER")
OTHER_CHANNEL = CommandContext(TEAM, "C2", "U0ASKER")
DIRECT = CommandContext(TEAM, "D1", "U0ASKER")


async def dispatch(factory: Factory, words: str, context: CommandContext | None = ASKER) -> Message:
    return await factory.create_command_router(Clock()).dispatch(words, context)


async def answer_text(factory: Factory, words: str, context: CommandContext | None = ASKER) -> str:
    return message_text.render(await dispatch(factory, words, context))


async def store_message(factory: Factory, message: RelatedMessage) -> None:
    await factory.related_messages.record(message, NOW, is_news=False, plan=lambda _: [])


def circular(event: str, number: int, *positions: ReportedPosition) -> RelatedMessage:
    return RelatedMessage(
        stream=Stream.CIRCULARS,
        key=str(number),
        number=number,
        created=NOW + timedelta(minutes=number),
        superevent_ids=(event,),
        kind=MessageKind.CANDIDATES,
        subject="candidates",
        positions=positions,
    )


@pytest.fixture
async def event(factory: Factory) -> Notice:
    """A binary neutron star with two maps, in a thread of C1."""
    await subscribe(factory, "all", "C1")
    for body in map(to_avro, bns(NOW)):
        notice = replace(decode(body), received=NOW)
        await factory.notices.record(notice, body, "hopskotch:1", NOW, planner(NOW))
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(schema.threads).values(root_ts="100.1"))
    return notice


def peak(notice: Notice, name: str, *, north: float = 0.0, **more: float) -> ReportedPosition:
    sky = notice.localization
    assert sky is not None
    return ReportedPosition(ra=sky.ra, dec=sky.dec + north, name=name, **more)  # type: ignore[arg-type]


async def wanted_follow_ups(factory: Factory) -> list[int]:
    async with factory.database.read_transaction() as connection:
        return list((await connection.execute(select(schema.follow_ups.c.wanted_revision))).scalars())


async def test_candidates_of_messages_and_people_in_one_table(factory: Factory, event: Notice) -> None:
    name = event.superevent_id
    assert "No counterpart candidates" in await answer_text(factory, "candidates")
    near = peak(event, "AT2026abc", redshift=0.0098)
    await store_message(factory, circular(name, 1, near, peak(event, "ZTF26x", north=-60)))
    listed = await answer_text(factory, f"candidates {name}")
    assert f"2 counterpart candidates of {name}, 1 in the 90 % region" in listed
    assert listed.index("AT2026abc") < listed.index("ZTF26x")
    assert "outside" in listed and "sd" in listed and "GCN 1" in listed
    added = await answer_text(factory, f"candidates add AT2026abd {near.ra} {near.dec + 0.1} z=0.01 {name}")
    assert "AT2026abd added. The Follow-up reply in this channel's thread shows it." in added
    assert "added by" in added and "U0ASKER" in added
    assert await wanted_follow_ups(factory) == [1]
    # Nobody else sees it.
    assert "AT2026abd" not in await answer_text(factory, f"candidates {name}", OTHER_CHANNEL)
    assert "AT2026abd" not in await answer_text(factory, f"candidates {name}", None)


async def test_kept_ones_come_first_and_rejected_ones_last(factory: Factory, event: Notice) -> None:
    name = event.superevent_id
    positions = [peak(event, f"AT2026ab{letter}", north=0.1 * n) for n, letter in enumerate("abc")]
    await store_message(factory, circular(name, 1, *positions))
    kept = await answer_text(factory, f"{name} candidates keep at 2026abc")
    assert "AT2026abc kept." in kept
    rejected = await answer_text(factory, f"candidates reject 2026aba {name}", OTHER_PERSON)
    assert (
        rejected.index("AT2026abc, kept")
        < rejected.index("AT2026abb")
        < rejected.index("AT2026aba, rejected")
    )
    assert "kept by" in rejected and "U0OTHER" in rejected
    assert len(await wanted_follow_ups(factory)) == 1


async def test_in_a_thread_it_is_that_event(factory: Factory, event: Notice) -> None:
    there = replace(ASKER, thread_ts="100.1")
    assert f"of {event.superevent_id} are known" in await answer_text(factory, "candidates", there)
    said = await answer_text(factory, "candidates add AT2026abc 13h09m48s -23d22m53s", there)
    assert "AT2026abc added" in said and "No event was named" not in said


async def test_several_lines_are_added_and_what_is_left_out_is_said(factory: Factory, event: Notice) -> None:
    lines = "candidates add\nAT2026abc 13:09:48 -23:22:53 z=0.0098\nnonsense\n10.5 +20.25"
    said = await answer_text(factory, lines)
    assert "AT2026abc, J004200.0+201500 added" in said and "Left out “nonsense”" in said
    assert "AT2026abc" in await answer_text(factory, "candidates")


@pytest.mark.parametrize(
    "words",
    [
        "AT 2026 abc 197.45 -23.38 z=0.0098",
        "the at 2026 abc, 197.45, -23.38, z=0.0098",
        "AT2026 abc 197.45 -23.38 z=0.0098",
        "AT 2026abc 197.45 -23.38 z=0.0098",
        "name ra dec z\nAT 2026 abc 197.45 -23.38 0.0098",
    ],
)
def test_a_designation_may_be_typed_in_several_words(words: str) -> None:
    [(name, position)], _ = parse_candidates(words)
    assert (name, position.ra, position.dec, position.redshift) == ("AT2026abc", 197.45, -23.38, 0.0098)


def test_what_can_be_read_as_it_stands_isnt_joined() -> None:
    [(name, position)], _ = parse_candidates("AT 2026 ra 197.45 dec -23.38")
    assert (name, position.ra) == ("AT 2026", 197.45)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("candidates add", "Which one? Name and position"),
        ("candidates add AT2026abc", "names aren't resolved"),
        ("candidates add AT2026abc 197.45", "197.45"),
        ("candidates add AT2026abc 197.45 -93.4", "-93.4"),
        ("candidates keep", "Which one?"),
        ("candidates keep AT2026xyz", "to add one: candidates add"),
        ("candidates remove AT2026xyz", "to add one: candidates add"),
        ("candidates kepp AT2026xyz", "Did you mean candidates keep?"),
        ("candidates export json", "exported as csv"),
        (f"candidates add {'A' * 70} 197.45 -23.38", "at most 60 characters"),
    ],
)
async def test_bad_input_gets_one_sentence(
    factory: Factory, event: Notice, words: str, sentence: str
) -> None:
    message = await dispatch(factory, words)
    assert message.is_refusal and sentence in message_text.render(message)
    assert await wanted_follow_ups(factory) == []


async def test_a_name_of_several_candidates_is_asked_about(factory: Factory, event: Notice) -> None:
    both = (peak(event, "ZTF26x/AT2026abc"), peak(event, "ZTF26x/AT2026abd", north=1))
    await store_message(factory, circular(event.superevent_id, 1, *both))
    assert "which of AT2026abc, AT2026abd?" in await answer_text(factory, "candidates keep ztf26x")
    near = await answer_text(factory, "candidates keep AT2026abe")
    assert "Did you mean" in near and "AT2026abc" in near


@pytest.mark.parametrize(
    "words",
    [
        "please the AT2026abc",
        "at 2026abc in",
        "AT 2026 abc",
        "AT2026abc, AT2026abd",
        "AT2026abc at2026abd",
        "AT2026abc and AT2026abd",
    ],
)
async def test_names_are_found_as_people_type_them(factory: Factory, event: Notice, words: str) -> None:
    both = (peak(event, "AT2026abc"), peak(event, "AT2026abd", north=1))
    await store_message(factory, circular(event.superevent_id, 1, *both))
    said = await answer_text(factory, f"candidates keep {words} {event.superevent_id}")
    assert "AT2026abc, AT2026abd kept." in said if "abd" in words else "AT2026abc kept." in said


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("keep AT2026abc", "candidates keep"),
        ("reject AT2026abc", "candidates reject"),
        ("add candidate AT2026abc 10 20", "candidates add"),
        ("please remove the candidate AT2026abc", "candidates remove"),
    ],
)
async def test_a_sentence_changes_nothing_and_names_the_command(
    factory: Factory, event: Notice, words: str, meant: str
) -> None:
    assert f"Did you mean /gwevent {meant}?" in await answer_text(factory, words)


async def test_one_removes_only_what_one_added(factory: Factory, event: Notice) -> None:
    await store_message(factory, circular(event.superevent_id, 1, peak(event, "AT2026abd")))
    await answer_text(factory, "candidates add AT2026abc 197.45 -23.38")
    assert "Somebody else" in await answer_text(factory, "candidates remove AT2026abc", OTHER_PERSON)
    assert "comes from GCN 1" in await answer_text(factory, "candidates remove AT2026abd")
    removed = await answer_text(factory, f"candidates remove the at 2026abc from {event.superevent_id}")
    assert "AT2026abc removed." in removed
    assert "AT2026abc" not in await answer_text(factory, "candidates")


async def test_a_list_that_takes_too_long_isnt_called_empty(
    factory: Factory, event: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        raise ThreadHangs("it hangs")

    monkeypatch.setattr("bot.skymap_service.counterparts.run_in_thread", hang)
    for words in ("candidates", "candidates export csv", "candidates keep AT2026abc"):
        message = await dispatch(factory, words)
        assert message.is_refusal and "takes too long" in message_text.render(message)


async def test_export_is_a_table(factory: Factory, event: Notice) -> None:
    await store_message(factory, circular(event.superevent_id, 1, peak(event, "=HYPERLINK", redshift=0.0098)))
    for words in ("candidates export csv", "candidates csv", "export candidates", "export csv candidates"):
        said = await answer_text(factory, words)
        assert "1 counterpart candidate as a table" in said and "name,aliases,kind" in said
        assert "\n=" not in said


async def test_only_a_question_has_the_button_that_shares(factory: Factory, event: Notice) -> None:
    def has_button(message: Message) -> bool:
        return SHARE_ACTION in str(message.blocks)

    assert has_button(await dispatch(factory, "candidates"))
    assert not has_button(await dispatch(factory, "candidates add AT2026abc 197.45 -23.38"))


async def test_who_may_not_change_the_channel_may_ask(factory: Factory, event: Notice) -> None:
    async def refuse(team: str, channel: str, user: str) -> str | None:
        return "Only admins may do that."

    router = factory.create_command_router(Clock(), authorizer=ChannelAuthorizer(refuse))
    asked = message_text.render(await router.dispatch("candidates", ASKER))
    assert "No counterpart candidates" in asked
    for words in (
        "candidates add A 10 10",
        "candidates keep A",
        "candidates reject A",
        "candidates remove A",
    ):
        assert "Only admins" in message_text.render(await router.dispatch(words, ASKER))


async def test_without_a_thread_it_says_who_sees_it(factory: Factory, event: Notice) -> None:
    words = f"candidates add AT2026abc 197.45 -23.38 {event.superevent_id}"
    assert "This channel has no thread of" in await answer_text(factory, words, OTHER_CHANNEL)
    direct = await answer_text(factory, words, DIRECT)
    assert "AT2026abc added." in direct and "no thread" not in direct
    assert "type this in Slack" in await answer_text(factory, words, None)
    assert await wanted_follow_ups(factory) == []


async def test_the_best_window_is_of_the_channels_sites(factory: Factory, event: Notice) -> None:
    await answer_text(factory, "sites add Palomar, La Silla")
    await store_message(factory, circular(event.superevent_id, 1, peak(event, "AT2026abc")))
    table = next(b for b in (await dispatch(factory, "candidates")).blocks if b["type"] == "table")
    cells = [cell["text"] for cell in table["rows"][1]]
    assert "UTC" in cells[5] or cells[5] == "none in 2 nights"


async def test_windows_that_take_too_long_are_not_called_missing(
    factory: Factory, event: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        raise ThreadHangs("")

    await answer_text(factory, "sites add Palomar")
    await store_message(factory, circular(event.superevent_id, 1, peak(event, "AT2026abc")))
    monkeypatch.setattr(observability, "run_in_thread", hang)
    said = await answer_text(factory, "candidates")
    assert "AT2026abc" in said and "took too long to compute" in said
    assert "none in 2 nights" not in said


async def test_names_in_messages_are_never_marks_or_mentions(factory: Factory, event: Notice) -> None:
    hostile = peak(event, "<!channel> <@U1> *x* <https://evil.example|click>")
    await store_message(factory, circular(event.superevent_id, 1, hostile))
    message = await dispatch(factory, "candidates keep J000000.0+000000")
    message = await dispatch(factory, "candidates")
    for block in message.blocks:
        if block["type"] in ("section", "context"):
            assert "<!channel>" not in str(block) and "<https://evil" not in str(block)


async def test_two_people_at_once_lose_nothing(factory: Factory, event: Notice) -> None:
    router = factory.create_command_router(Clock())
    words = [f"candidates add AT2026a{letter} 10.{n} 20" for n, letter in enumerate("abcdef")]
    await asyncio.gather(*(router.dispatch(one, ASKER) for one in words))
    listed = await answer_text(factory, "candidates")
    assert all(f"AT2026a{letter}" in listed for letter in "abcdef")


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ("", False),
        ("show", False),
        ("export csv", False),
        ("what", False),
        ("ADD A 1 2", True),
        ("keep A", True),
        ("reject A", True),
        ("remove\nA", True),
    ],
)
def test_what_changes_candidates(arguments: str, changes: bool) -> None:
    assert changes_candidates(arguments) is changes


@pytest.mark.parametrize("words", ["candidats keep AT2026abc", "counterpats add AT2026abc 10 20"])
async def test_nothing_is_changed_because_of_a_guess(factory: Factory, event: Notice, words: str) -> None:
    await store_message(factory, circular(event.superevent_id, 1, peak(event, "AT2026abc")))
    said = await answer_text(factory, f"{words} {event.superevent_id}")
    assert "kept" not in said and "added" not in said
    own = await factory.counterparts.for_event((TEAM, "C1"), event.superevent_id)
    assert not own.added and not own.decisions


async def test_a_name_that_begins_with_the_events_id_is_a_name(factory: Factory, event: Notice) -> None:
    name = f"{event.superevent_id}_X1"
    await store_message(factory, circular(event.superevent_id, 1, peak(event, name)))
    for words in (f"candidates keep {name}", f"{event.superevent_id} candidates keep {name.lower()}"):
        assert f"{name} kept." in await answer_text(factory, words)
