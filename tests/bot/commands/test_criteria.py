"""The command `criteria`: sets are listed, judged, explained and changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.context import CommandContext
from bot.commands.criteria import _split_insistence
from bot.samples import bns, to_avro
from bot.store import schema
from formatters.answers.answer import SHARE_ACTION
from formatters.blockkit.message import Message
from formatters.models.criteria_set import SETS_MAX
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
OTHER = CommandContext(TEAM, "C2", "U0ASKER")
ELSEWHERE = CommandContext("T0ELSEWHERE", "C1", "U0ASKER")
NTT = "criteria add ntt-kilonova Gold: NS far<1/century; Silver: NS far<1/yr"
"""REAL has NS 0.96 and a FAR of 1e-9 Hz, 1 per 32 yr."""


async def dispatch(factory: Factory, words: str, context: CommandContext | None = ASKER) -> Message:
    return await factory.create_command_router(Clock()).dispatch(words, context)


async def ask(factory: Factory, words: str, context: CommandContext | None = ASKER) -> str:
    return message_text.render(await dispatch(factory, words, context)).replace("\u00a0", " ")


async def store(factory: Factory, *announced: Any) -> str:
    """Store sample notices with their sky maps; return the id of the last."""
    for one in announced:
        body = to_avro(one)
        notice = decode(body)
        await factory.notices.record(notice, body, "test:1", NOW, planner(NOW))
    return notice.superevent_id


async def slugs(factory: Factory, team: str = TEAM) -> list[str]:
    return [stored.set.slug for stored in await factory.criteria_sets.for_team(team)]


async def test_a_set_is_added_listed_edited_and_removed(factory: Factory) -> None:
    assert "none yet" in await ask(factory, "criteria")
    added = await ask(factory, NTT)
    assert added.startswith("ntt-kilonova added.") and "Gold: NS far<1/100yr" in added
    assert "subscribe CBC criteria ntt-kilonova" in added
    listed = await ask(factory, "criteria")
    assert "ntt-kilonova  Gold · Silver" in listed and "rubin-2026  " in listed
    assert "none yet" in await ask(factory, "criteria", ELSEWHERE), "sets belong to one workspace"
    copied = await ask(factory, "criteria edit ntt-kilonova")
    assert "/gwevent criteria edit ntt-kilonova Gold: NS far<1/100yr; Silver: NS far<1/yr" in copied
    edited = await ask(factory, "criteria edit NTT-Kilonova\nGold: NS\nSilver: BBH")
    assert edited.startswith("ntt-kilonova changed.") and "Silver: BBH" in edited
    assert "already" in await ask(factory, "criteria change ntt-kilonova Gold: NS; Silver: BBH")
    removed = await ask(factory, "criteria remove ntt kilonova")
    assert "ntt-kilonova removed." in removed
    assert "To have it back: criteria add ntt-kilonova Gold: NS; Silver: BBH" in removed
    assert await slugs(factory) == []


async def test_a_set_is_explained_for_an_event(factory: Factory) -> None:
    await record_notices(factory, [decoded_notice(REAL), decoded_notice(REAL, minutes=30)])
    await ask(factory, NTT)
    said = await ask(factory, f"criteria show ntt-kilonova {REAL}")
    assert f"{REAL} · ntt-kilonova: Silver" in said
    assert "Judged: PRELIMINARY 2. Event of 2026-11-22 11:59 UTC (60 s ago)." in said
    assert "✗ far<1/100yr: 1 per 32 yr, 3.2 times too often" in said and "✓ NS: 96 %" in said
    assert "other significant" not in said, "there is no other"
    assert "Silver: NS far<1/yr" in said
    await record_notices(factory, decoded_notice("S261121b", "INITIAL", far=1e-12))
    others = await ask(factory, f"criteria show ntt-kilonova {REAL}")
    assert "The newest other significant event" in others and "S261121b · 2026-11-22 · Gold" in others
    assert SHARE_ACTION in str((await dispatch(factory, f"criteria show ntt-kilonova {REAL}")).blocks)


@pytest.mark.parametrize(
    "words",
    [
        "criteria show ntt-kilonova {}",
        "criteria ntt-kilonova {}",
        "criteria {} ntt-kilonova",
        "{} criteria ntt-kilonova",
        "{} criteria show ntt-kilonova",
        "criteria NTT Kilonova {}",
        "Criteria ntt {}",
        "would ntt trigger on {}?",
        "why is {} only silver for ntt-kilonova",
        "grades {} ntt-kilonova",
        "criteria {}: ntt-kilonova",
        "criteria ntt-kilonova: {}",
    ],
)
async def test_set_and_event_stand_in_either_order(factory: Factory, words: str) -> None:
    await record_notices(factory, decoded_notice(REAL))
    await ask(factory, NTT)
    said = await ask(factory, words.format(REAL))
    assert f"{REAL} · ntt-kilonova: Silver" in said and "✗ far<1/100yr" in said


async def test_without_an_event_the_default_event_is_judged_and_named(factory: Factory) -> None:
    await ask(factory, NTT)
    none = await ask(factory, "criteria show ntt-kilonova")
    assert "No event was received yet" in none and "Gold: NS far<1/100yr" in none
    await record_notices(factory, [decoded_notice(REAL), decoded_notice(MOCK)])
    said = await ask(factory, "criteria show ntt-kilonova")
    assert said.startswith(f"No event was named; {REAL} is the newest significant one.")
    assert f"{REAL} · ntt-kilonova: Silver" in said


async def test_a_set_called_by_a_class_describes_no_event(factory: Factory) -> None:
    await record_notices(factory, decoded_notice(REAL))
    await ask(factory, "criteria add our-bns Go: BNS")
    assert f"{REAL} · our-bns: Go" in await ask(factory, "criteria show our-bns")
    assert "latest BBH" in await ask(factory, "would the last BBH trigger")


async def test_marks_stand_in_the_answer(factory: Factory) -> None:
    await ask(factory, NTT)
    await record_notices(factory, decoded_notice(MOCK))
    assert f"MOCK {MOCK} · ntt-kilonova: Silver" in await ask(factory, f"criteria {MOCK} ntt")
    await record_notices(factory, decoded_notice(MOCK, "RETRACTION", 60))
    gone = await ask(factory, f"criteria {MOCK} ntt")
    assert f"MOCK RETRACTED {MOCK}" in gone and "ended by the retraction" in gone


async def test_the_channels_sets_are_judged_without_a_name(factory: Factory) -> None:
    await record_notices(factory, decoded_notice(REAL))
    await ask(factory, NTT)
    every = await ask(factory, f"criteria {REAL}")
    assert "This channel's messages show no criteria; these are all that there are." in every
    assert "ntt-kilonova: Silver\n" in every and "rubin-2026: " in every and "lasair: Watch" in every
    assert every.index("ntt-kilonova") < every.index("rubin-2026"), "the workspace's own come first"
    assert "Gold: ✗ far<1/100yr: 1 per 32 yr, 3.2 times too often" in every
    await subscribe(factory, "CBC criteria ntt-kilonova lasair", "C1")
    here = await ask(factory, f"{REAL} criteria")
    assert "ntt-kilonova: Silver" in here and "lasair: Watch" in here and "rubin" not in here
    for question in ("would we trigger?", "is it gold", "what grade", "why only silver", "is it ours?"):
        said = await ask(factory, question)
        assert "ntt-kilonova: Silver" in said and "lasair: Watch" in said, question
        assert "rubin" not in said, question
    assert "rubin-2026: undecided, at best Gold (no map yet)" in await ask(factory, "would rubin trigger")
    assert "shown here" in await ask(factory, "criteria")
    assert "shown here" not in await ask(factory, "criteria", OTHER)


async def test_rubin_is_named_in_any_usual_way_and_says_whose_word_it_is(factory: Factory) -> None:
    name = await store(factory, bns(NOW)[1])
    for typed in ("rubin-2026", "rubin 2026", "Rubin", "RUBIN-2026"):
        said = await ask(factory, f"criteria {typed}")
        assert f"{name} · rubin-2026: would" in said, typed
        assert "22dbfa2" in said and "gwevent's reading, not Rubin's word" in said
        assert "(§" in said and "Ω_obs" in said
    assert "There is no criteria set “rubin-2027”" in await ask(factory, "criteria rubin-2027")


async def test_the_terminal_knows_built_in_sets_alone(factory: Factory) -> None:
    await record_notices(factory, decoded_notice(REAL))
    await ask(factory, NTT)
    assert "type this in Slack" in await ask(factory, "criteria", None)
    assert "Gold · Silver\n" not in await ask(factory, "criteria", None)
    assert "There is no criteria set “ntt-kilonova”" in await ask(factory, "criteria ntt-kilonova", None)
    assert "belong to a workspace: type this in Slack" in await ask(factory, NTT, None)
    assert "lasair: Watch" in await ask(factory, f"criteria show lasair {REAL}", None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("criteria add", "“criteria add” needs a name, as in criteria add ntt-kilonova Gold:"),
        ("criteria add ntt-grb", "needs a grade with its conditions, like Gold: NS distance<150"),
        ("criteria add Gold: NS", "needs a name before its grades, as in criteria add ntt-kilonova Gold:"),
        ("criteria add ntt-grb NS distance<150", "has no grade before it: a name, a colon, then conditions"),
        ("criteria add ntt-grb Gold: NS; gold: BBH", '"gold" is there twice'),
        ("criteria add ntt-grb Gold: NSS", "Gold: "),
        ("criteria add ntt-grb " + "; ".join(f"A{n}: NS" for n in range(21)), "at most 20 grades"),
        ("criteria add ntt-grb Gold: " + "BNS or " * 500 + "NS", "at most 3,000 characters"),
        ("criteria add ntt-kilonova Gold: NS", "There is a set ntt-kilonova already"),
        ("criteria add rubin-2026 Gold: NS", "rubin-2026 is built in: choose another name"),
        ("criteria add n!t Gold: NS", "is no name for a criteria set"),
        ("criteria add S251112cm Gold: NS", "choose another name"),
        ("criteria edit rubin-2026 Gold: NS", "rubin-2026 is built in, so nobody edits or removes it"),
        ("criteria edit grandma", "grandma is built in"),
        ("criteria remove lasair", "lasair is built in"),
        ("criteria edit ntt-kilonva Gold: NS", "Did you mean ntt-kilonova?"),
        ("criteria remove zzz", "There is no criteria set “zzz”."),
        ("criteria remove", "“criteria remove” needs a name, as in criteria remove ntt-kilonova."),
        ("criteria show zzz", "There is no criteria set “zzz”. There are: "),
        ("criteria ntt-kilonova remove", "“remove” comes first: criteria remove ntt-kilonova."),
        ("criteria ntt-kilonova Gold: NS", "A change begins with its verb: criteria add ntt-kilonova Gold:"),
        ("criteria granma", "Did you mean grandma?"),
        ("remove criteria ntt-kilonova", "Did you mean /gwevent criteria?"),
    ],
)
async def test_what_cant_be_done_gets_a_sentence_and_changes_nothing(
    factory: Factory, words: str, expected: str
) -> None:
    await record_notices(factory, decoded_notice(REAL))
    await ask(factory, NTT)
    message = await dispatch(factory, words)
    assert expected in message_text.render(message).replace("\u00a0", " ")
    assert "<!channel>" not in message.text + str(message.blocks)
    (stored,) = await factory.criteria_sets.for_team(TEAM)
    assert stored.set.canonical == "Gold: NS far<1/100yr; Silver: NS far<1/yr"


async def test_a_set_in_use_isnt_removed(factory: Factory) -> None:
    await ask(factory, NTT)
    await subscribe(factory, "CBC criteria ntt-kilonova", "C1", "C2")
    refused = await dispatch(factory, "criteria remove ntt-kilonova")
    said = message_text.render(refused)
    assert "is used by subscription 1 of" in said and "Edit or end these first." in said
    assert "<#C1>" in str(refused.blocks) and "<#C2>" in str(refused.blocks)
    assert await slugs(factory) == ["ntt-kilonova"]
    edited = await dispatch(factory, "criteria edit ntt-kilonova Gold: NS")
    assert "posted there" in message_text.render(edited) and "<#C2>" in str(edited.blocks)


async def test_grades_that_can_hardly_be_given_need_the_word_anyway(factory: Factory) -> None:
    doubted = await ask(factory, "criteria add odd Gold: BNS>0.9 BNS<0.1")
    assert "Nothing was changed" in doubted and "anyway" in doubted and await slugs(factory) == []
    insisted = await ask(factory, "criteria add odd\nGold: BNS>0.9 BNS<0.1\nSilver: NS anyway")
    assert "odd added" in insisted and "Silver: NS" in insisted


async def test_a_copy_of_a_set_that_judges_the_initial_says_what_it_wont_do(factory: Factory) -> None:
    tarot, grandma = await ask(factory, "criteria edit tarot"), await ask(factory, "criteria edit grandma")
    assert "criteria add tarot-team Trigger: distance<200 area90<200" in tarot
    assert "INITIAL alone" in tarot and "INITIAL" not in grandma


async def test_a_set_of_another_version_can_be_removed_to_make_room(factory: Factory) -> None:
    await ask(factory, NTT)
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(schema.criteria_sets).values(grades="tomorrow's form"))
    refused = await ask(factory, NTT)
    assert "only another version of gwevent can read" in refused and "criteria edit" not in refused
    assert "criteria remove ntt-kilonova" in refused
    removed = await ask(factory, "criteria remove ntt-kilonova")
    assert removed == "ntt-kilonova removed.", "nothing could bring it back"
    assert "added" in await ask(factory, NTT)


async def test_words_that_bring_a_long_set_back_are_whole(factory: Factory) -> None:
    grades = "; ".join(
        f"Grade{g}: " + " or ".join(f"distance<{g}{n}" for n in range(10, 22)) for g in range(1, 14)
    )
    assert len(grades) > 2_500
    await ask(factory, f"criteria add long {grades} anyway")
    (stored,) = await factory.criteria_sets.for_team(TEAM)
    assert f"/gwevent criteria edit long {stored.set.canonical}" in await ask(factory, "criteria edit long")
    removed = await ask(factory, "criteria remove long")
    (again,) = [line for line in removed.splitlines() if line.startswith("criteria add long")]
    await ask(factory, f"{again} anyway")
    assert [one.set for one in await factory.criteria_sets.for_team(TEAM)] == [stored.set]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A: NS anyway", ("A: NS", True)),
        ("A: NS;\nAnyway!", ("A: NS", True)),
        ("anyway", ("", True)),
        ("A: NS\nB: BBH", ("A: NS\nB: BBH", False)),
        ("Anyway: NS", ("Anyway: NS", False)),
        ("A: pipeline=xanyway", ("A: pipeline=xanyway", False)),
    ],
)
def test_anyway_counts_at_the_end_alone(text: str, expected: tuple[str, bool]) -> None:
    assert _split_insistence(text) == expected


async def test_a_full_workspace_gets_a_sentence(factory: Factory) -> None:
    for number in range(SETS_MAX):
        assert "added" in await ask(factory, f"criteria add set{number} Gold: NS")
    assert f"at most {SETS_MAX} criteria sets" in await ask(factory, NTT)
    assert len((await ask(factory, "criteria")).splitlines()) <= 28, "one phone's screen"


async def test_only_those_who_may_change_a_channel_change_criteria(factory: Factory) -> None:
    async def refuse(_team: str, _channel: str, _user: str) -> str | None:
        return "Only members of this channel may."

    router = factory.create_command_router(Clock(), authorizer=ChannelAuthorizer(refuse))
    for words in (NTT, "criteria add", "criteria edit x", "criteria remove rubin-2026"):
        assert message_text.render(await router.dispatch(words, ASKER)) == "Only members of this channel may."
    for words in ("criteria", "criteria rubin-2026", "criteria show nothing"):
        assert "Only members" not in message_text.render(await router.dispatch(words, ASKER))
    assert await slugs(factory) == []


@pytest.mark.parametrize(
    "words", ["critera add x Gold: NS", "criteira remove ntt-kilonova", "critria edit ntt-kilonova A: NS"]
)
async def test_no_typing_error_is_taken_for_a_change(factory: Factory, words: str) -> None:
    await ask(factory, NTT)
    assert "Did you mean /gwevent criteria?" in await ask(factory, words)
    assert await slugs(factory) == ["ntt-kilonova"]
    assert "is read as “criteria”" in await ask(factory, "critera")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, 7),
    typed=st.sampled_from(["", "x", "e", "ii", "-"]),
    change=st.sampled_from(["add foo Gold: NS", "edit ntt-kilonova A: NS", "remove ntt-kilonova"]),
)
async def test_no_misspelled_word_changes_anything(
    factory: Factory, at: int, typed: str, change: str
) -> None:
    if not await slugs(factory):
        await ask(factory, NTT)
    word = f"{'criteria'[:at]}{typed}{'criteria'[at + 1 :]}"
    assume(word not in ("criteria", "criterion"))
    await ask(factory, f"{word} {change}")
    (stored,) = await factory.criteria_sets.for_team(TEAM)
    assert stored.set.canonical == "Gold: NS far<1/100yr; Silver: NS far<1/yr"


async def test_a_change_has_no_button_that_would_repeat_it(factory: Factory) -> None:
    for words in (NTT, "criteria edit ntt-kilonova A: NS", "criteria remove ntt-kilonova", "criteria add"):
        assert SHARE_ACTION not in str((await dispatch(factory, words)).blocks)
    assert SHARE_ACTION in str((await dispatch(factory, "criteria")).blocks)


@pytest.mark.parametrize(
    "question", ["criteria", "criteria rubin", "criteria show lasair", "would we trigger?", "why only silver"]
)
async def test_a_shared_answer_is_about_the_same_event(factory: Factory, question: str) -> None:
    name = await store(factory, bns(NOW)[1])
    (value,) = (
        element["value"]
        for block in (await dispatch(factory, question)).blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element.get("action_id") == SHARE_ACTION
    )
    await record_notices(factory, decoded_notice(REAL))
    router = factory.create_command_router(Clock())
    shared = message_text.render(await router.dispatch(value, ASKER, shared=True))
    assert "Built in" in shared if question == "criteria" else f"{name} · " in shared
    assert "requested by @U0ASKER" in shared and REAL not in shared.splitlines()[0]


async def test_help_explains_criteria(factory: Factory) -> None:
    for words in ("help criteria", "criteria help", "help grades", "how do I add criteria"):
        said = await ask(factory, words)
        assert "criteria add ntt-kilonova Gold: NS distance<150" in said, words
    assert "criteria" in await ask(factory, "help")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(
        st.one_of(
            st.text(max_size=10),
            st.sampled_from(
                ["add", "show", "edit", "remove", "Gold:", "NS", ";", "\n", "rubin", "ntt", REAL, "anyway"]
            ),
        ),
        max_size=8,
    ).map(" ".join)
)
async def test_any_words_after_criteria_get_an_answer(factory: Factory, words: str) -> None:
    message = await dispatch(factory, f"criteria {words}")
    assert message.text and message.blocks and "<!channel>" not in str(message.blocks)


async def test_a_subscription_is_tested_with_the_grades_that_it_shows(factory: Factory) -> None:
    await record_notices(factory, decoded_notice(REAL))
    await ask(factory, NTT)
    await subscribe(factory, "CBC criteria ntt-kilonova", "C1")
    assert "ntt-kilonova: Silver" in await ask(factory, "subscriptions test 1")
    assert "ntt-kilonova: Silver" in await ask(factory, "subscriptions test CBC criteria ntt-kilonova")
    assert "ntt-kilonova: " not in await ask(factory, "subscriptions test CBC")


async def test_a_subscription_whose_set_is_missing_says_so_when_it_is_tested(factory: Factory) -> None:
    await record_notices(factory, decoded_notice(REAL))
    await subscribe(factory, "CBC grade imported >= Silver criteria other", "C1")
    said = await ask(factory, "subscriptions test 1")
    assert "0 of 1 past event" in said
    assert "No such criteria set or grade: other, imported. Conditions on that never hold." in said


async def test_questions_by_grade(factory: Factory) -> None:
    await record_notices(factory, decoded_notice(REAL))
    await ask(factory, NTT)
    listed = await ask(factory, "events grade ntt-kilonova >= Silver")
    assert REAL in listed and "ntt-kilonova: Silver" in listed
    assert REAL in await ask(factory, "latest grade ntt-kilonova")
    assert "0 of 1" in await ask(factory, "events grade ntt-kilonova = Gold")
    assert REAL in await ask(factory, "subscriptions test CBC grade ntt-kilonova")
    for words in ("events grade nothing", "latest grade ntt-kilonova >= Bronze", "test grade nothing"):
        said = await ask(factory, words)
        assert "nothing" in said or "Gold" in said
    assert REAL not in await ask(factory, "events grade ntt-kilonova", ELSEWHERE)
    assert REAL in await ask(factory, "events grade lasair", None)
