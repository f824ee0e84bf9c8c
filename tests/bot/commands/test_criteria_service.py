"""Changes of criteria sets by their service, without any text."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import insert

from bot.app.criteria_services import create_criteria_service
from bot.app.factory import Factory
from bot.commands.authorization import ChannelAuthorizer, PermissionDenied
from bot.commands.context import CommandContext
from bot.commands.criteria_service import (
    Added,
    BuiltIn,
    CriteriaService,
    Doubtful,
    InUse,
    InvalidGrades,
    InvalidName,
    NameTaken,
    NoSuchSet,
    SetEdited,
    SetOutOfDate,
    SetRemoved,
    SetUnchanged,
    TooManySets,
)
from bot.criteria.presets import BUILT_IN
from bot.filters import FilterSyntaxError
from bot.runtime.wakeups import Wakeups
from bot.store import schema
from bot.store.channels.criteria_sets import SetUse
from formatters.models.criteria_set import GRADES_MAX, SETS_MAX, CriteriaSet
from formatters.models.observing import Site
from tests.support.factories import AUTHOR, NOW, TEAM, Clock, subscribe

CONTEXT = CommandContext(TEAM, "C1", "U0ASKER")
DIRECT = CommandContext(TEAM, "D1", "U0ASKER")
GRADES = "Gold: NS distance<150; Silver: NS distance<300"


@pytest.fixture
def wakeups() -> Wakeups:
    return Wakeups()


@pytest.fixture
def service(factory: Factory, clock: Clock, wakeups: Wakeups) -> CriteriaService:
    return create_criteria_service(factory, clock, wakeups, ChannelAuthorizer())


async def current(service: CriteriaService, name: str = "ours") -> CriteriaSet:
    found = await service.find(TEAM, name)
    assert isinstance(found, CriteriaSet)
    return found


async def test_add_edit_and_remove_return_typed_outcomes(service: CriteriaService) -> None:
    added = await service.add(CONTEXT, "ours", GRADES)
    assert isinstance(added, Added) and added.set == await current(service)
    taken = await service.add(CONTEXT, "OURS", "Gold: BNS")
    assert taken == NameTaken(added.set, "ours")
    unchanged = await service.edit(CONTEXT, "ours", "Gold: NS distance<150\nSilver: NS  distance < 300")
    assert unchanged == SetUnchanged(added.set)
    edited = await service.edit(CONTEXT, "Ours", "Gold: BNS")
    assert isinstance(edited, SetEdited) and (edited.before, edited.notified_channels) == (added.set, ())
    assert edited.after == await current(service)
    assert await service.remove(CONTEXT, "ours") == SetRemoved(edited.after)
    assert await service.remove(CONTEXT, "ours") == NoSuchSet("ours", None, tuple(BUILT_IN))


@pytest.mark.parametrize(
    "typed", ["ntt-kilonova", "NTT-Kilonova", "ntt kilonova", "NTT_kilonova", " ntt–kilonova"]
)
async def test_a_name_is_taken_however_it_is_spelled(service: CriteriaService, typed: str) -> None:
    added = await service.add(CONTEXT, typed, GRADES)
    assert isinstance(added, Added) and added.set.slug == "ntt-kilonova"


async def test_a_built_in_set_is_neither_replaced_nor_changed(service: CriteriaService) -> None:
    rubin = BUILT_IN["rubin-2026"]
    assert await service.add(CONTEXT, "Rubin 2026", GRADES) == NameTaken(rubin, "rubin-2026")
    assert await service.edit(CONTEXT, "rubin-2026", GRADES) == BuiltIn(rubin)
    assert await service.remove(CONTEXT, "rubin-2026") == BuiltIn(rubin)


@pytest.mark.parametrize(
    "name", ["", "1st", "x" * 31, "BNS", "a--b!", "criteria", "S261122a", "<script>", "–"]
)
async def test_a_name_that_is_none_gets_a_sentence(service: CriteriaService, name: str) -> None:
    refused = await service.add(CONTEXT, name, GRADES)
    assert isinstance(refused, InvalidName) and refused.sentence.endswith(".")
    assert await service.for_team(TEAM) == []


@pytest.mark.parametrize(
    "grades",
    [
        "",
        "Gold",
        "Gold: ",
        "Gold: wibble",
        "Gold: BNS; gold: NSBH",
        "Gold: grade rubin-2026",
        "Gold: visible from Atlantis",
        "; ".join(f"Grade{n}: distance<{n + 1}" for n in range(GRADES_MAX + 1)),
        "Gold: " + "BNS " * 1_000,
    ],
)
async def test_grades_that_are_none_get_a_sentence(service: CriteriaService, grades: str) -> None:
    await service.add(CONTEXT, "ours", GRADES)
    for refused in (
        await service.add(CONTEXT, "theirs", grades),
        await service.edit(CONTEXT, "ours", grades),
    ):
        assert isinstance(refused, InvalidGrades) and refused.sentence.endswith(".")
    with pytest.raises(FilterSyntaxError):
        await service.parse(CONTEXT, "ours", grades)
    assert (await current(service)).canonical == GRADES


async def test_grades_that_can_not_be_given_are_taken_when_somebody_insists(service: CriteriaService) -> None:
    covered = "Gold: NS distance<300; Silver: NS distance<150"
    doubtful = await service.add(CONTEXT, "ours", covered)
    assert isinstance(doubtful, Doubtful) and "Silver would hardly ever be given" in doubtful.sentences[0]
    assert isinstance(await service.find(TEAM, "ours"), NoSuchSet)
    assert isinstance(await service.add(CONTEXT, "ours", covered, anyway=True), Added)
    never = "Gold: distance<1 distance>2"
    assert isinstance(await service.edit(CONTEXT, "ours", never), Doubtful)
    assert isinstance(await service.edit(CONTEXT, "ours", never, anyway=True), SetEdited)


async def test_a_set_that_is_used_is_not_removed_and_tells_where(
    factory: Factory, service: CriteriaService
) -> None:
    await service.add(CONTEXT, "ours", GRADES)
    await subscribe(factory, "CBC criteria ours", "C2")
    use = SetUse(channel_id="C2", number=1, is_confirmed=True, grades=())
    assert await service.remove(CONTEXT, "ours") == InUse("ours", (use,))
    assert await service.uses(TEAM) == {"ours": [use]}
    edited = await service.edit(CONTEXT, "ours", "Gold: BNS")
    assert isinstance(edited, SetEdited) and edited.notified_channels == ("C2",)


async def test_a_grade_that_is_compared_with_is_not_edited_away(
    factory: Factory, service: CriteriaService
) -> None:
    await service.add(CONTEXT, "ours", GRADES)
    await subscribe(factory, "CBC grade ours>=Silver", "C2")
    use = SetUse(channel_id="C2", number=1, is_confirmed=True, grades=("Silver",))
    refused = await service.edit(CONTEXT, "ours", "Gold: NS distance<150")
    assert refused == InUse("ours", (use,), ("Silver",))
    assert (await current(service)).canonical == GRADES


async def test_an_edit_that_leaves_a_condition_without_sense_says_so(
    factory: Factory, service: CriteriaService
) -> None:
    await service.add(CONTEXT, "ours", GRADES)
    await subscribe(factory, "CBC grade ours>Silver", "C2")
    turned = "Silver: NS distance<150; Gold: NS distance<300"
    doubtful = await service.edit(CONTEXT, "ours", turned)
    assert isinstance(doubtful, Doubtful)
    [sentence] = doubtful.sentences
    assert sentence.startswith('A subscription asks for "grade ours>Silver". No grade of ours is better')
    assert isinstance(await service.edit(CONTEXT, "ours", turned, anyway=True), SetEdited)


async def test_a_set_changed_since_it_was_shown_is_neither_edited_nor_removed(
    service: CriteriaService, wakeups: Wakeups
) -> None:
    await service.add(CONTEXT, "ours", GRADES)
    seen = (await current(service)).fingerprint
    assert isinstance(await service.edit(CONTEXT, "ours", "Gold: BNS", seen=seen), SetEdited)
    now = await current(service)
    wakeups.deliveries.clear()
    assert await service.edit(CONTEXT, "ours", "Gold: NSBH", seen=seen) == SetOutOfDate(now)
    for unsaved in ("Gold: frob", "Gold: BNS>0.9 BNS<0.1"):
        assert await service.edit(CONTEXT, "ours", unsaved, seen=seen) == SetOutOfDate(now), "said first"
    assert await service.remove(CONTEXT, "ours", seen=seen) == SetOutOfDate(now)
    assert not wakeups.deliveries.is_set()
    assert await service.remove(CONTEXT, "ours", seen=now.fingerprint) == SetRemoved(now)


async def test_the_delivery_worker_is_woken_for_the_posts_about_a_change(
    factory: Factory, service: CriteriaService, wakeups: Wakeups
) -> None:
    await subscribe(factory, "CBC criteria ours", "C2")
    added = await service.add(CONTEXT, "ours", GRADES)
    assert isinstance(added, Added) and added.notified_channels == ("C2",) and wakeups.deliveries.is_set()
    wakeups.deliveries.clear()
    edited = await service.edit(CONTEXT, "ours", "Gold: NS")
    assert isinstance(edited, SetEdited) and edited.notified_channels == ("C2",)
    assert wakeups.deliveries.is_set()


async def test_the_nearest_name_is_offered(service: CriteriaService) -> None:
    await service.add(CONTEXT, "ntt-kilonova", GRADES)
    known = ("ntt-kilonova", *BUILT_IN)
    assert await service.find(TEAM, "ntt-kilonvoa") == NoSuchSet("ntt-kilonvoa", "ntt-kilonova", known)
    assert await service.edit(CONTEXT, "rubin2026", GRADES) == NoSuchSet("rubin2026", "rubin-2026", known)
    assert await service.find(TEAM, "x" * 5_000) == NoSuchSet("x" * 5_000, None, known)


async def test_a_workspace_with_too_many_sets_gets_no_further_one(
    factory: Factory, service: CriteriaService
) -> None:
    row = {"team_id": TEAM, "grades": "[]", "created_by": "U1", "changed_by": "U1"}
    async with factory.database.exclusive_transaction() as connection:
        for n in range(SETS_MAX):
            values = {**row, "slug": f"set-{n}", "created_at": NOW, "changed_at": NOW}
            await connection.execute(insert(schema.criteria_sets).values(values))
    assert await service.add(CONTEXT, "ours", GRADES) == TooManySets()
    # Those can't be read, but their names are taken.
    assert await service.add(CONTEXT, "set-3", GRADES) == NameTaken(None, "set-3")
    assert isinstance(await service.remove(CONTEXT, "Set 3"), SetRemoved)
    assert isinstance(await service.add(CONTEXT, "set-3", GRADES), Added)


async def test_a_channels_own_sites_are_understood(factory: Factory, service: CriteriaService) -> None:
    dome = Site(name="MyDome", latitude=34.2, longitude=-116.9, height=1_700)
    await factory.sites.add(TEAM, "C1", [dome], AUTHOR)
    added = await service.add(CONTEXT, "ours", "Gold: NS visible from MyDome>0.2")
    assert isinstance(added, Added) and "MyDome 34.2N 116.9W 1700m" in added.set.canonical
    elsewhere = CommandContext(TEAM, "C2", "U0ASKER")
    assert isinstance(await service.add(elsewhere, "theirs", "Gold: visible from MyDome"), InvalidGrades)
    assert isinstance(await service.edit(elsewhere, "ours", added.set.canonical), SetUnchanged), (
        "by its place"
    )


async def test_a_direct_message_may_change_sets_where_the_authorizer_allows(service: CriteriaService) -> None:
    assert isinstance(await service.add(DIRECT, "ours", GRADES), Added)


async def test_the_sets_that_a_channel_shows(factory: Factory, service: CriteriaService) -> None:
    await service.add(CONTEXT, "ours", GRADES)
    assert await service.shown_in(CONTEXT) == ()
    await subscribe(factory, "CBC criteria rubin-2026 ours", "C1")
    assert await service.shown_in(CONTEXT) == (BUILT_IN["rubin-2026"], await current(service))


@pytest.mark.parametrize(
    "change",
    [
        lambda service: service.add(CONTEXT, "theirs", GRADES),
        lambda service: service.edit(CONTEXT, "ours", "Gold: BNS"),
        lambda service: service.remove(CONTEXT, "ours"),
        # Who may not is told that first, whatever they typed.
        lambda service: service.add(CONTEXT, "", ""),
        lambda service: service.edit(CONTEXT, "rubin-2026", ""),
    ],
    ids=["add", "edit", "remove", "add-nothing", "edit-built-in"],
)
async def test_every_change_is_authorized_once(
    factory: Factory,
    clock: Clock,
    wakeups: Wakeups,
    service: CriteriaService,
    change: Callable[[CriteriaService], Coroutine[Any, Any, object]],
) -> None:
    calls: list[str] = []

    async def refuse(team_id: str, channel_id: str, user_id: str) -> str | None:
        calls.append(channel_id)
        return "Only admins may."

    await service.add(CONTEXT, "ours", GRADES)
    refusing = create_criteria_service(factory, clock, wakeups, ChannelAuthorizer(refuse))
    before = await service.for_team(TEAM)
    with pytest.raises(PermissionDenied, match="Only admins may"):
        await change(refusing)
    assert calls == ["C1"] and await service.for_team(TEAM) == before
