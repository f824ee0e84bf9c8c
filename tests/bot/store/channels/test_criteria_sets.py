"""Criteria sets of workspaces: who uses them, what is refused, and who hears of a change."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import insert, select, text

from bot.app.factory import Factory
from bot.criteria.parsing import parse_grades
from bot.criteria.presets import BUILT_IN
from bot.filters import FilterSyntaxError, parse_criteria
from bot.store import schema
from bot.store.channels import change_log, criteria_set_rows
from bot.store.channels.change_log import ChangeAuthor, change_from_row
from bot.store.channels.criteria_sets import (
    ChangedSet,
    CriteriaSetChanged,
    CriteriaSetExists,
    CriteriaSetInUse,
    SetUse,
    TooManyCriteriaSets,
)
from formatters.models.channel_change import CriteriaSetState
from formatters.models.criteria_set import SETS_MAX, CriteriaSet
from formatters.models.filter import GradeCondition
from formatters.models.observing import Site
from tests.support.factories import AUTHOR, NOW, TEAM, decoded_notice, record_notices, subscribe, unsubscribe

pytestmark = pytest.mark.backends("sqlite", "postgresql")

GRADES = "Gold: NS distance<150; Silver: NS distance<300"


def ours(grades: str = GRADES, slug: str = "ours") -> CriteriaSet:
    return CriteriaSet(slug=slug, grades=parse_grades(grades))


async def add(factory: Factory, set_: CriteriaSet, team: str = TEAM, channel: str = "C9") -> ChangedSet:
    return await factory.criteria_sets.add(team, channel, set_, AUTHOR)


async def waiting(factory: Factory) -> list[str]:
    """The channels in which a change is to be posted."""
    d = schema.deliveries
    async with factory.database.read_transaction() as connection:
        query = select(d.c.channel_id).where(d.c.kind == "change", d.c.state == "pending")
        return sorted((await connection.execute(query)).scalars())


async def history(factory: Factory, channel: str) -> list[tuple[str | None, str | None, str]]:
    """The changes of criteria sets in a channel: grades before and after, and who did it."""
    changes, _ = await factory.subscriptions.history(TEAM, channel, 1)
    found: list[tuple[str | None, str | None, str]] = []
    for one in reversed(changes):
        if one.criteria_set is not None:
            assert isinstance(one.before, CriteriaSetState | None)
            assert isinstance(one.after, CriteriaSetState | None)
            before = None if one.before is None else one.before.canonical
            after = None if one.after is None else one.after.canonical
            found.append((before, after, one.changed_by))
    return found


async def test_a_set_comes_back_as_it_was_stored(factory: Factory) -> None:
    nasty = ours(
        'Gold: near 197.45 -23.38 5deg>0.1; "A+": visible from "Dome; 7: x">0.2 or not (V1 far<1/yr)'
    )
    await add(factory, nasty)
    await add(factory, ours(slug="another"), team="T2")
    [stored] = await factory.criteria_sets.for_team(TEAM)
    assert stored.set == nasty
    assert (stored.created_by, stored.created_at, stored.changed_by) == ("U1", NOW, "U1")
    assert await factory.criteria_sets.sets_by_slug(TEAM) == {**BUILT_IN, "ours": nasty}
    assert await factory.criteria_sets.sets_by_slug("T3") == BUILT_IN


async def test_a_name_belongs_to_one_set_of_a_workspace(factory: Factory) -> None:
    await add(factory, ours())
    with pytest.raises(CriteriaSetExists):
        await add(factory, ours("Gold: BNS"))
    await add(factory, ours("Gold: BNS"), team="T2")
    assert [one.set for one in await factory.criteria_sets.for_team(TEAM)] == [ours()]


async def test_a_workspace_has_at_most_so_many_sets(factory: Factory) -> None:
    row = {"team_id": TEAM, "grades": criteria_set_rows.encode_grades(ours())}
    row |= {"created_by": "U1", "changed_by": "U1"}
    async with factory.database.exclusive_transaction() as connection:
        for n in range(SETS_MAX):
            values = {**row, "slug": f"set-{n}", "created_at": NOW, "changed_at": NOW}
            await connection.execute(insert(schema.criteria_sets).values(values))
    with pytest.raises(TooManyCriteriaSets):
        await add(factory, ours())
    await add(factory, ours(), team="T2")
    assert len(await factory.criteria_sets.for_team(TEAM)) == SETS_MAX


async def test_a_set_that_is_named_is_not_removed_and_says_where(factory: Factory) -> None:
    await add(factory, ours())
    await subscribe(factory, "CBC criteria ours", "C2")
    await subscribe(factory, "CBC", "C1")
    await subscribe(factory, "CBC mock notify @here if grade ours=Gold", "C1")
    await factory.subscriptions.request(TEAM, "C3", parse_criteria("Burst grade ours"), "U1", NOW)
    await subscribe(factory, "CBC criteria ours", "C1", team="T2")
    with pytest.raises(CriteriaSetInUse) as refused:
        await factory.criteria_sets.remove(TEAM, "C9", "ours", AUTHOR)
    assert refused.value.uses == (
        SetUse(channel_id="C1", number=2, is_confirmed=True, grades=("Gold",)),
        SetUse(channel_id="C2", number=1, is_confirmed=True, grades=()),
        SetUse(channel_id="C3", number=1, is_confirmed=False, grades=()),
    )
    assert await factory.criteria_sets.uses(TEAM) == {"ours": list(refused.value.uses)}
    for channel in ("C1", "C2", "C3"):
        await unsubscribe(factory, channel)
    assert await factory.criteria_sets.remove(TEAM, "C9", "ours", AUTHOR) is not None
    assert await factory.criteria_sets.remove(TEAM, "C9", "ours", AUTHOR) is None
    assert await history(factory, "C9") == [(None, ours().canonical, "U1"), (ours().canonical, None, "U1")]


async def test_criteria_whose_set_was_removed_since_they_were_read_are_not_stored(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    for words, said in (("CBC criteria ours", '"ours"'), ("CBC grade rubin-2026=Iron", '"Iron"')):
        typed = parse_criteria(words)
        with pytest.raises(FilterSyntaxError, match=said):
            await factory.subscriptions.request(TEAM, "C1", typed, "U1", NOW)
        with pytest.raises(FilterSyntaxError, match=said):
            await factory.subscriptions.edit(TEAM, "C1", 1, typed, AUTHOR)
    assert [s.criteria.canonical for s in await factory.subscriptions.for_channel(TEAM, "C1")] == ["CBC"]
    assert await factory.subscriptions.list_unconfirmed(TEAM, "C1") == []


async def test_a_paused_subscription_uses_its_set(factory: Factory) -> None:
    await add(factory, ours())
    await subscribe(factory, "CBC criteria ours", "C1")
    await factory.subscriptions.pause(TEAM, "C1", 1, AUTHOR)
    with pytest.raises(CriteriaSetInUse):
        await factory.criteria_sets.remove(TEAM, "C1", "ours", AUTHOR)
    assert await factory.criteria_sets.for_channels([(TEAM, "C1")]) == {}


async def test_subscriptions_without_numbers_get_them_before_they_are_named(factory: Factory) -> None:
    await subscribe(factory, "CBC criteria ours", "C1")
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE subscriptions SET number = NULL"))
    [use] = (await factory.criteria_sets.uses(TEAM))["ours"]
    [here] = await factory.subscriptions.for_channel(TEAM, "C1")
    assert use.number == here.number


async def test_an_edit_is_posted_where_the_set_is_used_and_kept_where_it_was_made(factory: Factory) -> None:
    await add(factory, ours())
    await subscribe(factory, "CBC criteria ours", "C1")
    await subscribe(factory, "CBC grade ours>=Silver", "C2")
    await factory.subscriptions.pause(TEAM, "C2", 1, AUTHOR)
    await subscribe(factory, "CBC", "C3")
    await subscribe(factory, "CBC criteria ours", "C1", team="T2")
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(schema.deliveries.delete())
    new = ours("Gold: NS distance<100; Silver: NS distance<300")
    by = ChangeAuthor("U2", NOW + timedelta(hours=1))
    changed = await factory.criteria_sets.edit(TEAM, "C3", new, by)
    assert changed == ChangedSet(before=ours(), after=new, notified_channels=("C1", "C2"))
    assert await waiting(factory) == ["C1", "C2"]
    for channel in ("C1", "C2", "C3"):
        assert await history(factory, channel) == [(ours().canonical, new.canonical, "U2")]
    [stored] = await factory.criteria_sets.for_team(TEAM)
    assert (stored.created_by, stored.changed_by, stored.changed_at) == ("U1", "U2", by.at)
    assert stored.set == new
    same = await factory.criteria_sets.edit(TEAM, "C3", new, by)
    assert same == ChangedSet(before=new, after=new)
    assert len(await history(factory, "C1")) == 1


async def test_a_channel_whose_subscription_isnt_confirmed_hears_of_no_edit(factory: Factory) -> None:
    await add(factory, ours())
    await factory.subscriptions.request(TEAM, "C1", parse_criteria("CBC criteria ours"), "U1", NOW)
    changed = await factory.criteria_sets.edit(TEAM, "C9", ours("Gold: NS"), AUTHOR)
    assert changed is not None and changed.notified_channels == ()
    assert await waiting(factory) == [] and await history(factory, "C1") == []


async def test_further_edits_go_into_the_post_that_waits(factory: Factory) -> None:
    await add(factory, ours())
    await subscribe(factory, "CBC criteria ours", "C1")
    for distance in (100, 110, 120):
        await factory.criteria_sets.edit(TEAM, "C1", ours(f"Gold: NS distance<{distance}"), AUTHOR)
    await factory.sites.add(TEAM, "C1", [Site(name="Dome", latitude=1, longitude=2, height=3)], AUTHOR)
    assert await waiting(factory) == ["C1"]
    d = schema.deliveries
    async with factory.database.read_transaction() as connection:
        [delivery_id] = (await connection.execute(select(d.c.id).where(d.c.kind == "change"))).scalars()
    found = await factory.subscriptions.changes_to_announce(delivery_id)
    assert found is not None
    assert [one.subject for one in found[0]] == ["ours"] * 3 + [None]


async def test_a_post_about_sites_takes_no_later_change_of_a_set_along(factory: Factory) -> None:
    await add(factory, ours())
    await subscribe(factory, "CBC criteria ours", "C1")
    await factory.sites.add(TEAM, "C1", [Site(name="Dome", latitude=1, longitude=2, height=3)], AUTHOR)
    d = schema.deliveries
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(d.update().values(state="sent"))
        [delivery_id] = (await connection.execute(select(d.c.id).where(d.c.kind == "change"))).scalars()
    await factory.criteria_sets.edit(TEAM, "C1", ours("Gold: NS"), AUTHOR)
    found = await factory.subscriptions.changes_to_announce(delivery_id)
    assert found is not None and [one.subject for one in found[0]] == [None]


async def test_a_grade_that_a_subscription_compares_with_does_not_disappear(factory: Factory) -> None:
    await add(factory, ours("Gold: BNS; Silver: NSBH; Bronze: BBH"))
    await subscribe(factory, "CBC grade ours>=silver", "C1")
    await subscribe(factory, "CBC criteria ours notify @here if grade ours=Bronze", "C2")
    with pytest.raises(CriteriaSetInUse) as refused:
        await factory.criteria_sets.edit(TEAM, "C1", ours("Gold: BNS; Bronze: BBH"), AUTHOR)
    assert [use.channel_id for use in refused.value.uses] == ["C1"]
    assert [name.casefold() for name in refused.value.grades] == ["silver"]
    assert (await factory.criteria_sets.sets_by_slug(TEAM))["ours"].find_grade("Silver") is not None
    # Gold isn't compared with, and the spelling of a grade may change.
    assert await factory.criteria_sets.edit(TEAM, "C1", ours("SILVER: NSBH; Bronze: BBH"), AUTHOR)


async def test_what_somebody_saw_before_a_change_is_out_of_date(factory: Factory) -> None:
    await add(factory, ours())
    new = ours("Gold: BNS")
    await factory.criteria_sets.edit(TEAM, "C1", new, AUTHOR, ours().fingerprint)
    for change in (
        factory.criteria_sets.edit(TEAM, "C1", ours("Gold: NSBH"), AUTHOR, ours().fingerprint),
        factory.criteria_sets.remove(TEAM, "C1", "ours", AUTHOR, ours().fingerprint),
    ):
        with pytest.raises(CriteriaSetChanged) as refused:
            await change
        assert refused.value.current == new
    assert (await factory.criteria_sets.sets_by_slug(TEAM))["ours"] == new


async def test_channels_show_the_sets_of_their_active_subscriptions_in_order(factory: Factory) -> None:
    await add(factory, ours())
    await add(factory, ours("A: BBH", "other"))
    await subscribe(factory, "CBC criteria other rubin-2026", "C1")
    await subscribe(factory, "Burst criteria ours other gone", "C1", "C2")
    await subscribe(factory, "CBC grade ours", "C3")
    await subscribe(factory, "CBC criteria ours rubin-2026", "C1", team="T2")
    places = [(TEAM, "C1"), (TEAM, "C2"), (TEAM, "C3"), ("T2", "C1")]
    shown = await factory.criteria_sets.for_channels(places)
    assert {place: [one.slug for one in sets] for place, sets in shown.items()} == {
        (TEAM, "C1"): ["other", "rubin-2026", "ours"],
        (TEAM, "C2"): ["ours", "other"],
        ("T2", "C1"): ["rubin-2026"],
    }


async def test_grades_are_those_of_the_workspace_and_equal_ones_are_one_object(factory: Factory) -> None:
    await add(factory, ours(), team="T1")
    await add(factory, ours(), team="T2")
    await add(factory, ours("Gold: BBH; Silver: BNS"), team="T3")
    for team in ("T1", "T2", "T3"):
        await subscribe(factory, "CBC grade ours>=Silver", "C1", team=team)
    by_team = {
        team: (await factory.subscriptions.for_channel(team, "C1"))[0].criteria for team in ("T1", "T2", "T3")
    }
    assert by_team["T1"] is by_team["T2"] and by_team["T1"] is not by_team["T3"]
    assert by_team["T1"].canonical == by_team["T3"].canonical
    definitions = {team: criteria.grade_conditions[0].definition for team, criteria in by_team.items()}
    assert definitions["T1"] is not None and definitions["T3"] is not None
    assert definitions["T1"] != definitions["T3"]


async def test_an_alert_follows_the_grades_of_each_workspace(factory: Factory) -> None:
    await add(factory, ours("Gold: BNS; Silver: NSBH"), team="T1")
    await add(factory, ours("Gold: BBH; Silver: NSBH"), team="T2")
    for team in ("T1", "T2"):
        await subscribe(factory, "CBC grade ours=Gold", "C1", team=team)
    await record_notices(factory, decoded_notice())
    assert (await factory.outbox_statistics.counts("T1")).waiting == 1, "it is a BNS"
    assert (await factory.outbox_statistics.counts("T2")).waiting == 0


async def test_a_subscription_without_its_set_stays_and_says_so(factory: Factory) -> None:
    await add(factory, ours())
    await subscribe(factory, "CBC criteria ours notify @here if grade ours>=Silver", "C1")
    await subscribe(factory, "CBC mock grade other=A", "C1")
    await subscribe(factory, "Burst", "C1")
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("DELETE FROM criteria_sets"))
    here = await factory.subscriptions.for_channel(TEAM, "C1")
    assert [one.missing_sets for one in here] == [("ours",), ("other",), ()]
    assert [one.number for one in await factory.criteria_sets.list_missing()] == [1, 2]
    await record_notices(factory, decoded_notice())
    assert (await factory.outbox_statistics.counts(TEAM)).waiting == 1, "the first alone: it filters nothing"
    # As soon as the set is there again, so are its conditions, and the channel hears of it.
    assert (await add(factory, ours())).notified_channels == ("C1",)
    assert (await factory.subscriptions.for_channel(TEAM, "C1"))[0].missing_sets == ()


async def test_a_grade_that_is_gone_is_named_with_its_set(factory: Factory) -> None:
    await add(factory, ours())
    await subscribe(factory, "CBC grade ours=Bronze or grade ours=Gold", "C1")
    [here] = await factory.subscriptions.for_channel(TEAM, "C1")
    assert here.missing_sets == ("ours Bronze",)


@pytest.mark.parametrize(
    "grades", ["{}", "null", "3", '[["Gold"]]', '[["Gold", "tomorrow\'s words"]]', "[]", "[" * 100_000]
)
async def test_a_set_of_another_version_hides_no_other_set_and_is_missing(
    factory: Factory, grades: str
) -> None:
    await add(factory, ours())
    await add(factory, ours(slug="other"))
    await subscribe(factory, "CBC criteria other ours", "C1")
    async with factory.database.exclusive_transaction() as connection:
        change = schema.criteria_sets.update().where(schema.criteria_sets.c.slug == "other")
        await connection.execute(change.values(grades=grades))
    [here] = await factory.subscriptions.for_channel(TEAM, "C1")
    assert here.missing_sets == ("other",)
    assert [one.set.slug for one in await factory.criteria_sets.for_team(TEAM)] == ["ours"]
    with pytest.raises(CriteriaSetExists):
        await add(factory, ours(slug="other"))


async def test_a_set_of_a_workspace_stays_in_force_when_one_of_its_name_is_built_in_later(
    factory: Factory,
) -> None:
    slug = next(iter(BUILT_IN))
    await add(factory, ours(slug=slug))
    assert (await factory.criteria_sets.sets_by_slug(TEAM))[slug] == ours(slug=slug)
    assert await factory.criteria_sets.edit(TEAM, "C1", ours("Gold: BNS", slug), AUTHOR) is not None
    assert await factory.criteria_sets.remove(TEAM, "C1", slug, AUTHOR) is not None


async def test_a_workspace_that_leaves_takes_its_sets_along(factory: Factory) -> None:
    await add(factory, ours())
    await add(factory, ours(), team="T2")
    await factory.installations.delete_workspace(TEAM, NOW)
    assert await factory.criteria_sets.for_team(TEAM) == []
    assert len(await factory.criteria_sets.for_team("T2")) == 1


async def test_stored_changes_are_read_by_a_version_that_knows_no_criteria_sets(factory: Factory) -> None:
    await add(factory, ours())
    async with factory.database.read_transaction() as connection:
        [stored] = (await connection.execute(select(schema.channel_changes.c.state_after))).scalars()
    assert f'"words": "{GRADES}"' in stored and '"paused": false' in stored
    changes, _ = await factory.subscriptions.history(TEAM, "C9", 1)
    assert isinstance(changes[0].after, CriteriaSetState) and changes[0].after.slug == "ours"


async def test_typed_criteria_have_no_definition_until_they_are_loaded(factory: Factory) -> None:
    typed = parse_criteria("CBC grade ours")
    assert typed.grade_conditions == (GradeCondition("ours"),)
    assert typed.used_sets == ("ours",)


async def test_a_set_of_many_channels_is_changed_with_few_statements(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "_BATCH", 3)
    channels = [f"C{number}" for number in range(1, 9)]
    await add(factory, ours())
    await subscribe(factory, "CBC criteria ours", *channels)
    d, c = schema.deliveries, schema.channel_changes
    # One channel has a post that waits, one had one a moment ago, one has one that was given up.
    for channel in ("C2", "C3", "C4"):
        await factory.subscriptions.pause(TEAM, channel, 1, AUTHOR)
    async with factory.database.exclusive_transaction() as connection:
        for channel, state in (("C3", "sent"), ("C4", "dead")):
            await connection.execute(d.update().where(d.c.channel_id == channel).values(state=state))
    changed = await factory.criteria_sets.edit(TEAM, "C1", ours("Gold: BNS"), AUTHOR)
    assert changed is not None and sorted(changed.notified_channels) == channels
    assert await waiting(factory) == channels
    async with factory.database.read_transaction() as connection:
        due = dict(
            (
                await connection.execute(
                    select(d.c.channel_id, d.c.not_before).where(d.c.state == "pending", d.c.kind == "change")
                )
            ).all()
        )
        posted = (
            await connection.execute(
                select(c.c.channel_id, d.c.state)
                .join(d, d.c.id == c.c.delivery_id)
                .where(c.c.number.is_(None))
            )
        ).all()
        paused = dict(
            (
                await connection.execute(
                    select(c.c.channel_id, d.c.state)
                    .join(d, d.c.id == c.c.delivery_id)
                    .where(c.c.number.is_not(None))
                )
            ).all()
        )
    assert {channel for channel, at in due.items() if at > NOW} == {"C3", "C4"}, (
        "at most one in half a minute"
    )
    assert sorted(channel for channel, state in posted if state == "pending") == channels
    assert paused == {"C2": "pending", "C3": "sent", "C4": "pending"}, "what was given up is posted now"


async def test_a_defect_that_a_set_meets_leaves_every_other_channel_its_alert(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RecursionError("a defect")

    await add(factory, ours())
    words = ["CBC", "CBC grade ours=Gold", "CBC criteria ours", "CBC notify @here if grade ours>=Silver"]
    for at, some in enumerate(words):
        await subscribe(factory, some, f"C{at}")
    criteria_set_rows._resolve.cache_clear()
    criteria_set_rows.decode_set.cache_clear()
    for name in ("resolve_grades", "parse_filter"):
        monkeypatch.setattr(criteria_set_rows, name, broken)
        await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=len(name)))
        here = await factory.subscriptions.for_channel(TEAM, "C1")
        assert [one.criteria.canonical for one in here] == ["CBC grade ours=Gold"]
        assert "unexpected_error" in capsys.readouterr().out
    async with factory.database.read_transaction() as connection:
        query = text("SELECT channel_id FROM deliveries WHERE kind = 'root' ORDER BY channel_id")
        assert list((await connection.execute(query)).scalars()) == ["C0", "C2", "C3"]


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_people_do_no_subscription_loses_its_set_and_each_history_is_true(
    factory: Factory, seed: int
) -> None:
    draw = random.Random(seed)
    slugs, grades, channels = ("ours", "theirs"), ("Gold", "Silver", "Bronze"), ("C1", "C2", "C3")
    for step in range(50):
        slug, channel, by = draw.choice(slugs), draw.choice(channels), ChangeAuthor("U1", NOW)
        some = draw.sample(grades, draw.randint(1, 3))
        set_ = ours("; ".join(f"{name}: BNS>0.{step + 10}" for name in some), slug)
        known = await factory.criteria_sets.sets_by_slug(TEAM)
        with suppress(CriteriaSetExists, CriteriaSetInUse):
            match draw.choice(("add", "edit", "edit", "remove", "subscribe", "subscribe", "end")):
                case "add":
                    await factory.criteria_sets.add(TEAM, channel, set_, by)
                case "edit":
                    await factory.criteria_sets.edit(TEAM, channel, set_, by)
                case "remove":
                    await factory.criteria_sets.remove(TEAM, channel, slug, by)
                case "subscribe" if slug in known:
                    name = draw.choice(known[slug].grades).name
                    words = draw.choice((f"criteria {slug}", f"grade {slug}={name}", f"grade {slug}"))
                    await subscribe(factory, f"CBC area90<{step + 1} {words}", channel)
                case "end":
                    await unsubscribe(factory, channel)
    assert await factory.criteria_sets.list_missing() == []
    known = await factory.criteria_sets.sets_by_slug(TEAM)
    c = schema.channel_changes
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(select(c).where(c.c.number.is_(None)).order_by(c.c.id))).all()
    assert rows, "something was done"
    for slug in slugs:
        # A change that several channels are told of is one change.
        steps = [
            (change_from_row(row).before, change_from_row(row).after)
            for row in rows
            if change_from_row(row).criteria_set == slug
        ]
        once = [step for at, step in enumerate(steps) if at == 0 or step != steps[at - 1]]
        assert all(later[0] == earlier[1] for earlier, later in pairwise(once)), "each begins where one ended"
        last = once[-1][1] if once else None
        assert isinstance(last, CriteriaSetState | None)
        assert (last and last.canonical) == (known[slug].canonical if slug in known else None)
