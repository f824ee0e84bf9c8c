"""Export of all channels from one database and import into another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from bot.app.factory import Factory
from bot.cli.channel_file import InvalidExportFile, dumps, loads
from bot.cli.main import app
from bot.filters import parse_criteria
from bot.observing.observatories import find_site
from bot.store import schema
from bot.store.channels.bulk_transfer import Export, InvalidReference, TransferResult
from bot.store.channels.criteria_sets import CriteriaSetInUse
from bot.store.channels.sites import TooManySites
from formatters.models.observing import ObservingConstraints, Site
from tests.support.factories import AUTHOR, NOW, TEAM, decoded_notice, record_notices, subscribe, unsubscribe

BOTH = pytest.mark.backends("sqlite", "postgresql")
ROW = {"words": "CBC", "created_by": "U1", "created_at": "2026-11-22T12:00:00Z"}


def export(*subscriptions: dict[str, Any], **further: Any) -> str:
    channel = {"team": "T1", "channel": "C1", "subscriptions": subscriptions, **further}
    return json.dumps({"gwevent_export": 1, "channels": [channel]})


async def asked(factory: Factory) -> None:
    """Two channels, one of them in another workspace."""
    words = "CBC BNS>0.5 quiet BBH notify @here escalate 5min <@U2> <!subteam^S1> 10min webhook"
    await subscribe(factory, words, "C1")
    await subscribe(factory, "Burst mock", "C1", "C2", team="T2")
    await factory.sites.add(
        TEAM, "C1", [find_site("Palomar"), Site(name="Dome 7", latitude=1, longitude=2, height=3)], AUTHOR
    )
    await factory.sites.set_conditions(TEAM, "C1", ObservingConstraints(altitude=25, darkness=-12), AUTHOR)


async def forget(factory: Factory) -> None:
    for team, channel in ((TEAM, "C1"), ("T2", "C1"), ("T2", "C2")):
        await unsubscribe(factory, channel, team=team)
        for name in ("Palomar", "Dome 7"):
            await factory.sites.remove(team, channel, name, AUTHOR)
        await factory.sites.set_conditions(team, channel, ObservingConstraints(), AUTHOR)


@BOTH
async def test_everything_comes_back_and_twice_is_the_same_as_once(factory: Factory) -> None:
    await asked(factory)
    text = dumps(await factory.channel_transfer.export())
    await forget(factory)
    for taken in (
        TransferResult(channels=3, subscriptions=3, already_known=0, sites=2),
        TransferResult(channels=3, subscriptions=0, already_known=3, sites=2),
    ):
        assert await factory.channel_transfer.import_channels(loads(text), NOW) == taken
        assert dumps(await factory.channel_transfer.export()) == text


@BOTH
async def test_import_posts_one_message_per_channel(factory: Factory) -> None:
    given = export({**ROW, "number": 4}, {**ROW, "words": "Burst", "number": 2}, last_number=7)
    for _ in range(2):
        await factory.channel_transfer.import_channels(loads(given), NOW)
        assert (await factory.outbox_statistics.counts()).waiting == 1
    here = await factory.subscriptions.for_channel("T1", "C1")
    assert {s.criteria.canonical: s.number for s in here} == {"CBC": 4, "Burst": 2}, (
        "as old messages call them"
    )
    changes, total = await factory.subscriptions.history("T1", "C1", 1)
    assert total == 2 and {change.changed_by for change in changes} == {"import"}
    asked, _ = await factory.subscriptions.request("T1", "C1", parse_criteria("all"), "U2", NOW)
    assert asked.number == 8, "what was given elsewhere isn't given again"


@BOTH
async def test_a_number_that_another_had_here_is_not_given_by_an_import(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1", team="T1")
    await subscribe(factory, "all mock", "C1", team="T1")
    await unsubscribe(factory, "C1", "CBC", team="T1")
    await factory.channel_transfer.import_channels(loads(export({**ROW, "words": "Burst", "number": 1})), NOW)
    here = await factory.subscriptions.for_channel("T1", "C1")
    assert {s.criteria.canonical: s.number for s in here} == {"all mock": 2, "Burst": 3}
    await factory.channel_transfer.import_channels(loads(export({**ROW, "number": 1})), NOW)
    assert 1 in {s.number for s in await factory.subscriptions.for_channel("T1", "C1")}, "it had it itself"


@BOTH
async def test_renumbered_subscription_keeps_later_numbers_of_the_file(factory: Factory) -> None:
    await subscribe(factory, "all mock", "C1", team="T1")
    given = export({**ROW, "number": 1}, {**ROW, "words": "Burst", "number": 2}, last_number=4)
    await factory.channel_transfer.import_channels(loads(given), NOW)
    here = await factory.subscriptions.for_channel("T1", "C1")
    assert {s.criteria.canonical: s.number for s in here} == {"all mock": 1, "CBC": 5, "Burst": 2}


@BOTH
async def test_imported_subscription_receives_alerts(factory: Factory) -> None:
    await factory.channel_transfer.import_channels(loads(export(ROW)), NOW)
    await record_notices(factory, decoded_notice())
    assert (await factory.outbox_statistics.counts("T1")).waiting == 2, "what it was told, and the event"


@BOTH
async def test_imported_paused_subscription_stays_paused(factory: Factory) -> None:
    await factory.channel_transfer.import_channels(
        loads(export({**ROW, "paused_at": "2026-11-22T13:00:00Z"})), NOW
    )
    await record_notices(factory, decoded_notice())
    assert (await factory.outbox_statistics.counts("T1")).waiting == 1, "what it was told alone"
    assert "paused_at" in dumps(await factory.channel_transfer.export())


async def test_import_confirms_a_pending_subscription(factory: Factory) -> None:
    await factory.subscriptions.request("T1", "C1", parse_criteria("CBC"), "U2", NOW)
    assert await factory.channel_transfer.export() == Export(channels=()), "it isn't in force"
    taken = await factory.channel_transfer.import_channels(loads(export(ROW)), NOW)
    assert (taken.subscriptions, taken.already_known) == (1, 0)
    [here] = await factory.subscriptions.for_channel("T1", "C1")
    assert here.created_by == "U2"
    async with factory.database.read_transaction() as connection:
        kinds = (await connection.execute(select(schema.deliveries.c.kind))).scalars()
        assert list(kinds) == ["change"], "instead of the confirmation"


async def test_a_channel_with_too_many_sites_leaves_everything_as_it_was(factory: Factory) -> None:
    sites = [Site(name=f"Dome {n}", latitude=n, longitude=n, height=n) for n in range(10)]
    await factory.sites.add("T1", "C1", sites, AUTHOR)
    one_more = {"name": "One more", "latitude": 1, "longitude": 2, "height": 3}
    with pytest.raises(TooManySites):
        await factory.channel_transfer.import_channels(loads(export(ROW, sites=[one_more])), NOW)
    assert await factory.subscriptions.for_channel("T1", "C1") == []


SET = {
    "team": "T1",
    "name": "ours",
    "grades": "Gold: BNS distance<150; Silver: BNS",
    "created_by": "U1",
    "created_at": "2026-11-22T12:00:00Z",
    "changed_by": "U2",
    "changed_at": "2026-11-22T13:00:00Z",
}


def with_sets(*sets: dict[str, Any], words: str = "CBC criteria ours notify @here if grade ours=Gold") -> str:
    given = json.loads(export({**ROW, "words": words}))
    return json.dumps({**given, "criteria_sets": sets})


@BOTH
async def test_criteria_sets_come_back_and_twice_is_the_same_as_once(factory: Factory) -> None:
    for _ in range(2):
        taken = await factory.channel_transfer.import_channels(loads(with_sets(SET)), NOW)
        assert (taken.criteria_sets, taken.kept_sets) == (1, ())
    [stored] = await factory.criteria_sets.for_team("T1")
    assert (stored.set.slug, stored.set.canonical) == ("ours", SET["grades"])
    assert (stored.created_by, stored.changed_by) == ("U1", "U2"), "as it was there"
    [here] = await factory.subscriptions.for_channel("T1", "C1")
    assert here.missing_sets == ()
    text = dumps(await factory.channel_transfer.export())
    assert json.loads(text)["criteria_sets"] == [
        {**SET, "created_at": "2026-11-22T12:00:00+00:00", "changed_at": "2026-11-22T13:00:00+00:00"}
    ]
    assert dumps(loads(text)) == text


@BOTH
async def test_a_criteria_set_that_differs_is_replaced_only_when_asked(factory: Factory) -> None:
    await factory.channel_transfer.import_channels(loads(with_sets(SET)), NOW)
    other = loads(with_sets({**SET, "grades": "Gold: BNS distance<120; Silver: BNS"}))
    taken = await factory.channel_transfer.import_channels(other, NOW)
    assert (taken.criteria_sets, taken.kept_sets) == (0, (("T1", "ours"),))
    assert "distance<150" in (await factory.criteria_sets.for_team("T1"))[0].set.canonical
    taken = await factory.channel_transfer.import_channels(other, NOW, replace_sets=True)
    assert (taken.criteria_sets, taken.kept_sets) == (1, ())
    [stored] = await factory.criteria_sets.for_team("T1")
    assert "distance<120" in stored.set.canonical and stored.changed_by == "import"
    changes, _ = await factory.subscriptions.history("T1", "C1", 1)
    assert (changes[0].criteria_set, changes[0].changed_by) == ("ours", "import")
    assert loads(dumps(await factory.channel_transfer.export()))


@BOTH
async def test_a_subscription_whose_criteria_set_is_missing_is_not_imported(factory: Factory) -> None:
    for words, sentence in (
        ("CBC criteria ours", 'of C1 in T1: No criteria set is called "ours"'),
        ("CBC grade ours=Bronze", 'ours has no grade "Bronze"'),
    ):
        given = with_sets(*([SET] if "Bronze" in words else []), words=words)
        with pytest.raises(InvalidReference, match=sentence):
            await factory.channel_transfer.import_channels(loads(given), NOW)
    assert (await factory.channel_transfer.export()) == Export(channels=()), "nothing was changed"
    await factory.channel_transfer.import_channels(loads(with_sets(words="CBC grade rubin-2026=Gold")), NOW)


@BOTH
async def test_an_import_takes_no_grade_away_that_a_subscription_names(factory: Factory) -> None:
    await factory.channel_transfer.import_channels(loads(with_sets(SET)), NOW)
    lacking = loads(with_sets({**SET, "grades": "Silver: BNS"}, words="CBC criteria ours"))
    with pytest.raises(CriteriaSetInUse):
        await factory.channel_transfer.import_channels(lacking, NOW, replace_sets=True)
    assert len((await factory.criteria_sets.for_team("T1"))[0].set.grades) == 2


async def test_a_set_alone_makes_a_database_used(factory: Factory) -> None:
    assert await factory.channel_transfer.is_unused()
    given = Export(channels=(), criteria_sets=loads(with_sets(SET)).criteria_sets)
    await factory.channel_transfer.import_channels(given, NOW)
    assert not await factory.channel_transfer.is_unused()


def test_imported_criteria_are_canonicalised() -> None:
    [channel] = loads(export({**ROW, "words": "mocks  cbc"})).channels
    assert [one.words for one in channel.subscriptions] == [parse_criteria("cbc mock").canonical]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Dear colleagues", "it isn't JSON"),
        ("[" * 100_000, "it isn't JSON"),
        ("[]", "isn't what gwevent export writes"),
        ('{"gwevent_export": 2, "channels": []}', "another gwevent wrote it"),
        ('{"gwevent_export": 1}', "channels: Field required"),
        (export({**ROW, "words": "everything!"}), r"channels\[0\].subscriptions\[0\].words: \"everything"),
        (export({**ROW, "words": "visible from Atlantis > 0.5"}), "subscriptions"),
        (export({**ROW, "created_by": "<@U1>"}), "created_by"),
        (export({**ROW, "created_at": "2026-11-22T12:00:00"}), "created_at: .*timezone"),
        (export({**ROW, "colour": "red"}), "colour"),
        (export(ROW, team="general"), "team"),
        (export(ROW, channel="#general"), "channel"),
        (export(sites=[{"name": "Here", "latitude": 91, "longitude": 0, "height": 0}]), "latitude"),
        (export(sites=[{"name": "!!", "latitude": 1, "longitude": 0, "height": 0}]), "letter or a digit"),
        (
            export(sites=[{"name": "A", "latitude": 1, "longitude": 0, "height": 0, "zone": "Mars/Olympus"}]),
            "no time zone",
        ),
        (export(conditions={"altitude": 99, "darkness": 0}), "altitude"),
        (with_sets({**SET, "name": "Our set"}), r"criteria_sets\[0\].name"),
        (with_sets({**SET, "grades": "Gold: BNS; gold: NSBH"}), r"criteria_sets\[0\].grades: .*twice"),
        (with_sets({**SET, "changed_by": "somebody"}), "changed_by"),
        (with_sets({**SET, "colour": "red"}), "colour"),
    ],
)
def test_invalid_file_is_rejected_with_the_field_path(text: str, why: str) -> None:
    with pytest.raises(InvalidExportFile, match=why):
        loads(text)


@pytest.mark.slow
def test_hand_written_file_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GWEVENT_DATABASE_URL", f"sqlite:///{tmp_path / 'one.sqlite'}")
    (tmp_path / "given.json").write_text(export(ROW))
    runner = CliRunner()
    done = runner.invoke(app, ["import", "given.json"])
    assert (done.exit_code, done.stdout) == (
        0,
        "Channels: 1; subscriptions activated: 1, active already: 0; sites: 0.\n",
    )
    assert runner.invoke(app, ["export", "-o", "out.json"]).exit_code == 0
    monkeypatch.setenv("GWEVENT_DATABASE_URL", f"sqlite:///{tmp_path / 'two.sqlite'}")
    assert "activated: 1" in runner.invoke(app, ["import", "out.json"]).stdout
    assert runner.invoke(app, ["export"]).stdout == (tmp_path / "out.json").read_text()
    (tmp_path / "sets.json").write_text(with_sets(SET))
    assert "criteria sets: 1." in runner.invoke(app, ["import", "sets.json"]).stdout
    (tmp_path / "sets.json").write_text(with_sets({**SET, "grades": "Gold: BNS"}))
    said = runner.invoke(app, ["import", "sets.json"]).stdout
    assert "criteria set ours of T1 has other grades" in said and "--replace-criteria" in said
    assert "criteria sets: 1." in runner.invoke(app, ["import", "--replace-criteria", "sets.json"]).stdout
    (tmp_path / "sets.json").write_text(with_sets({**SET, "grades": "Silver: BNS"}))
    refused = runner.invoke(app, ["import", "--replace-criteria", "sets.json"])
    assert refused.exit_code == 2 and "it lacks the grade Gold" in refused.stderr
    (tmp_path / "sets.json").write_text(with_sets(words="CBC criteria theirs"))
    refused = runner.invoke(app, ["import", "sets.json"])
    assert refused.exit_code == 2 and 'No criteria set is called "theirs"' in refused.stderr
    (tmp_path / "bad.json").write_text("{")
    refused = runner.invoke(app, ["import", "bad.json"])
    assert (refused.exit_code, refused.stderr) == (2, "gwevent: bad.json can't be imported: it isn't JSON.\n")
