"""`gwevent audit` and `gwevent forget-person`."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.app.factory import Factory
from bot.cli.main import app
from bot.filters import parse_criteria
from bot.store.channels.change_log import ChangeAuthor
from bot.store.database import Database
from formatters.models.observing import Site
from formatters.models.related_message import ReportedPosition
from tests.support.factories import NOW, REAL, TEAM, decoded_notice, record_notices, subscribe

HOSTILE = "AT\u202e2026<!channel>"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command on a database in which people did things."""
    for name in list(os.environ):
        if name.startswith(("SLACK_", "GWEVENT_")):
            monkeypatch.delenv(name)
    url = f"sqlite:///{tmp_path / 'gwevent.sqlite'}"
    monkeypatch.setenv("GWEVENT_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    asyncio.run(with_factory(url.replace("sqlite:", "sqlite+aiosqlite:"), act))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return invoke


async def with_factory(url: str, work: Callable[[Factory], Awaitable[None]]) -> None:
    database = Database(url)
    await database.migrate()
    await work(Factory(database))
    await database.close()


async def act(factory: Factory) -> None:
    """Two people do one thing after another, in two channels."""

    def later(minutes: int) -> datetime:
        return NOW + timedelta(minutes=minutes)

    await subscribe(factory, "CBC notify <@U7> @here", "C1")
    await factory.subscriptions.edit(
        TEAM, "C1", 1, parse_criteria("CBC BNS notify <@U7> @here"), ChangeAuthor("U8", later(1))
    )
    await record_notices(factory, decoded_notice())
    await factory.mutes.mute(TEAM, "C1", REAL, "U7", later(2))
    await factory.mutes.unmute(TEAM, "C1", REAL, "U7", later(3))
    candidate = (HOSTILE, ReportedPosition(ra=1, dec=2))
    await factory.counterparts.add((TEAM, "C1"), REAL, [candidate], ChangeAuthor("U7", later(4)))
    site = Site(name="Palomar", latitude=33.4, longitude=-116.9, height=1700)
    await factory.sites.add(TEAM, "C2", [site], ChangeAuthor("U8", later(5)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "typed"),
    [("--user", "bob"), ("--user", "u7"), ("--user", "C0A"), ("--channel", "#gw"), ("--channel", "U7")],
)
def test_the_audit_takes_no_name_for_an_id(run: Callable[..., Result], option: str, typed: str) -> None:
    result = run("audit", option, typed)
    assert result.exit_code != 0 and f'"{typed}" is no ' in result.stderr and not result.stdout


@pytest.mark.slow
def test_the_audit_lists_who_did_what_the_newest_first(run: Callable[..., Result]) -> None:
    result = run("audit")
    assert result.exit_code == 0, result.output
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["time", "(UTC)", "workspace", "channel", "who", "what"]
    assert "sites changed: Palomar added" in lines[0] and "C2" in lines[0]
    assert f"{REAL}: counterpart candidate" in lines[1] and "\u202e" not in lines[1]
    assert [f"{REAL}: {word}" in line for word, line in zip(("unmuted", "muted"), lines[2:4], strict=True)]
    assert "subscription 1 changed: CBC notify <@U7> @here → CBC BNS notify <@U7> @here" in lines[4]
    assert "subscription 1 added" in lines[5] and len(lines) == 6
    times = [line.split()[0] for line in lines]
    assert times == sorted(times, reverse=True) and all(one.endswith("Z") for one in times)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--channel", "C2"), 1),
        (("--channel", "C404"), 0),
        (("--user", "U8"), 2),
        (("--user", "U7"), 3),
        (("--user", "U7", "--channel", "C2"), 0),
        (("--since", "2026-11-20"), 6),
        (("--since", "2026-11-22"), 6),
    ],
)
def test_the_audit_can_be_narrowed(
    run: Callable[..., Result], arguments: tuple[str, ...], count: int
) -> None:
    result = run("audit", *arguments, "--json")
    assert result.exit_code == 0, result.output
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(entries) == count
    assert all(entry.keys() == {"at", "team", "channel", "user", "what", "detail"} for entry in entries)
    if not count:
        assert "Nothing is recorded" in run("audit", *arguments).stdout


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["soon", "BNS", "2026-13-45", "2020 until 2021", ""])
def test_a_date_that_is_none_gets_one_sentence(run: Callable[..., Result], typed: str) -> None:
    result = run("audit", "--since", typed)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("gwevent: --since: ")


@pytest.mark.slow
def test_a_person_is_forgotten_only_with_yes(run: Callable[..., Result]) -> None:
    would = run("forget-person", "U7")
    assert would.exit_code == 0 and "nothing was. --yes does it" in would.stdout, would.output
    assert f"{TEAM} C1 subscription 1: no longer mentions them, and the channel is told" in would.stdout
    assert '"U7"' in run("audit", "--json").stdout
    done = run("forget-person", "U7", "--yes")
    assert done.exit_code == 0 and "was changed" in done.stdout and "can't reach" in done.stdout
    after = run("audit")
    assert "U7" not in after.stdout and "a forgotten person" in after.stdout
    assert "gwevent export" in run("forget-person", "U7").stdout
    assert "named nowhere" in run("forget-person", "U7").stdout


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["@b", "C0123", "u7", "U7; DROP"])
def test_what_is_no_person_gets_one_sentence(run: Callable[..., Result], typed: str) -> None:
    result = run("forget-person", typed)
    assert result.exit_code == 2 and "isn't Slack's id of a person" in result.stderr
