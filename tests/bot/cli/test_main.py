"""The command line, run in this process where possible."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from bot import __version__
from bot.cli.main import app
from bot.samples import Record, bns, circular, guano, to_avro, to_json
from bot.samples.nearby import gbm_trigger
from bot.store.database import Database
from tests.support.clock import NOW
from tests.support.factories import notice_record
from tests.support.postgres import Databases

REPOSITORY = Path(__file__).resolve().parents[3]
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on an empty database in an empty folder."""
    for name in list(os.environ):
        if name.startswith(("SLACK_", "GWEVENT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GWEVENT_DATABASE_URL", f"sqlite:///{tmp_path / 'gwevent.sqlite'}")
    monkeypatch.setenv("GWEVENT_GRACEDB_URL", "off")
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def invoke(*arguments: object) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def notice(tmp_path: Path) -> Path:
    path = tmp_path / "S261122a-preliminary.avro"
    path.write_bytes(to_avro(notice_record()))
    return path


def refused(result: Result) -> str:
    """Return the one sentence of a command that exited with status 2, without the line about its settings."""
    assert result.exit_code == 2, result.output
    named, lines = re.compile(r"gwevent: (no settings file|settings file .*), database .*\."), result.stderr
    said = [line for line in lines.splitlines() if not (named.fullmatch(line) or "process_started" in line)]
    assert result.stdout == "" and len(said) == 1, result.output
    assert said[0].startswith("gwevent: ")
    return f"{said[0]}\n"


def compared(found: Record, wanted: Record, name: str) -> None:
    """Compare one sky map: peak and distances exactly, areas within 0.1 %."""
    assert [found["ra"], found["dec"]] == wanted["peak"], name
    for area in ("area_50", "area_90"):
        assert found[area] == pytest.approx(wanted[area], rel=1e-3), (name, area)
    for distance in ("distance_mean", "distance_std"):
        assert found[distance] == wanted.get(distance), (name, distance)


@pytest.mark.slow
def test_show_json_agrees_with_the_expected_values_of_real_notices(run: Run, shared_notices: Path) -> None:
    expected = json.loads((shared_notices / "expected.json").read_text())
    assert expected
    for name, wanted in expected.items():
        result = run("show", "--json", shared_notices / name)
        assert result.exit_code == 0, (name, result.output)
        found = json.loads(result.stdout)
        for key in ("superevent_id", "alert_type"):
            assert found[key] == wanted[key], name
        assert datetime.fromisoformat(found["time_created"]) == datetime.fromisoformat(wanted["time_created"])
        assert found["mock"] is found["superevent_id"].startswith("M")
        published: Any = found["event"]
        if "map" in wanted:
            compared(found["localization"], wanted["map"], name)
            assert "skymap" not in published
        else:
            assert found["localization"] is None
        if "combined" in wanted:
            compared(found["external_coinc"]["localization"], wanted["combined"], name)
            assert "combined_skymap" not in found["external_coinc"]
        else:
            assert found["external_coinc"] is None or found["external_coinc"]["localization"] is None


def test_show_prints_the_user_guides_values(run: Run, shared_notices: Path) -> None:
    result = run("show", shared_notices / "official" / "MS181101ab-preliminary.avro")
    assert "RA, Dec = 194.30419921874997, -17.856895095545468" in result.stdout
    assert "39.76999609489013 ± 8.308435058808886 Mpc" in result.stdout


def test_show_reads_avro_and_json_alike(run: Run, notice: Path, tmp_path: Path) -> None:
    other = tmp_path / "x.bin"
    other.write_bytes(to_json(notice_record()))
    found, again = (json.loads(run("show", "--json", path).stdout) for path in (notice, other))
    # Avro's schema names a key that the JSON leaves out.
    assert found["event"].pop("mchirp_source") is None
    assert found == again
    assert found["superevent_id"] == "S261122a" and found["localization"] is None
    assert found["event"]["far"] == 1e-9


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is no notice that can be read"),
        (b"good morning", "neither Avro nor JSON"),
        (b"{}", "JSON, but no notice"),
        (to_avro(notice_record())[:500], "is no notice that can be read"),
        (bytes(10_000), "neither Avro nor JSON"),
        (bytes(32 * 1024 * 1024 + 1), "more than 33,554,432 bytes"),
    ],
)
@pytest.mark.parametrize("command", ["show", "preview"])
def test_file_that_is_no_notice_is_refused_in_one_sentence(
    run: Run, tmp_path: Path, content: bytes, why: str, command: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    sentence = refused(run(command, path))
    assert why in sentence and sentence.endswith(".\n") and not sentence.endswith("..\n")


def test_a_missing_file_and_a_folder_are_sentences(run: Run, tmp_path: Path) -> None:
    assert "can't be read: No such file or directory." in refused(run("show", tmp_path / "nothing"))
    assert "can't be read: Is a directory." in refused(run("show", tmp_path))


@pytest.mark.process
def test_no_traceback_leaves_the_process(tmp_path: Path) -> None:
    path = tmp_path / "x.avro"
    path.write_bytes(to_avro(notice_record())[:300])
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GWEVENT_KAFKA_AUTH": "swordfish"}
    for arguments in (["show", str(path)], ["show", str(tmp_path)], ["migrate"], ["ask", "latest"]):
        done = subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=100,
        )
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith("gwevent: ") and done.stderr.count("\n") == 1, done.stderr
        assert "swordfish" not in done.stderr


def test_preview_shows_root_and_thread(run: Run, notice: Path, tmp_path: Path) -> None:
    second = tmp_path / "initial.json"
    second.write_bytes(to_json(notice_record(alert_type="INITIAL", minutes=5)))
    text = run("preview", second, notice).stdout
    root, reply = text.split("--- in the thread ---")
    assert "S261122a" in root and "INITIAL" in root
    assert reply.strip()
    out = tmp_path / "blocks.json"
    assert run("preview", notice, second, "--format", "blocks", "-o", out).stdout == ""
    messages = json.loads(out.read_text())
    assert len(messages) == 2 and messages[0]["blocks"][0]["type"] == "header"


def test_preview_compares_the_maps_as_the_channels_reply_does(run: Run, tmp_path: Path) -> None:
    files = []
    for number, known in enumerate(bns(datetime(2026, 11, 22, 12, tzinfo=UTC))[:2]):
        files.append(tmp_path / f"{number}.avro")
        files[-1].write_bytes(to_avro(known))
    text = run("preview", *files).stdout.replace("\u00a0", " ")
    assert "of the new map lies in the old 90 % region" in text


def test_preview_is_of_one_event(run: Run, notice: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.avro"
    other.write_bytes(to_avro(notice_record("S261122b")))
    assert "the notices of one id, not of 2" in refused(run("preview", notice, other))
    assert "can't be written" in refused(run("preview", notice, "-o", tmp_path / "no" / "where"))


def test_a_record_that_cannot_be_written_is_refused_at_once(run: Run, tmp_path: Path) -> None:
    said = refused(run("doctor", "--live", "C0123456789", "--record", tmp_path / "no" / "answers.jsonl"))
    assert "answers.jsonl can't be written" in said


@pytest.mark.slow
def test_ask_answers_from_the_store(run: Run, notice: Path) -> None:
    assert "No gwevent database" in refused(run("ask", "latest"))
    assert run("migrate").exit_code == 0
    nothing = run("ask", "latest")
    assert (nothing.stdout, nothing.exit_code) == ("No significant event was received yet.\n", 1)
    assert run("replay", notice).exit_code == 0
    declination = ["check", "12:57:12", "-17:51:25"]
    for words in (["latest"], ["s261122A"], ["latest", "CBC"], declination, ["check", "194.3", "-17.85"]):
        answered = run("ask", *words)
        assert "S261122a" in answered.stdout and answered.exit_code == 0
    assert run("ask").exit_code == 2


WITHOUT_ANSWER = {
    "frobnicate": "I don't understand",
    "S261122zz": "No notice of S261122zz",
    "map S240101zz": "No notice of S240101zz",
    "S240101": "no event of that day",
    "latest NSBH": "No event that matches",
    "events area<": "area",
    "subscribe CBC": "channel",
    "latets CBC distance<1": "is read as “latest”",
    "events mock NSBH": "0 of 1 event",
    "events area<1e-9": "0 of 1 event",
    "map": "No sky map of",
    "galaxies": "no catalogue of galaxies",
    "candidates": "No counterpart candidates",
}
WITH_ANSWER = ("help", "events", "status", "hello", "latets CBC", "S261122")


@pytest.mark.slow
def test_a_search_of_an_empty_store_has_no_answer(run: Run) -> None:
    run("migrate")
    for words in ("search BNS", "events", "recent 3"):
        nothing = run("ask", words)
        assert "was received" in nothing.stdout and nothing.exit_code == 1, words


@pytest.mark.slow
def test_ask_says_by_its_exit_status_whether_there_is_an_answer(run: Run, notice: Path) -> None:
    run("migrate")
    run("replay", notice)
    for words, said in WITHOUT_ANSWER.items():
        refusal = run("ask", words)
        assert said in refusal.stdout and refusal.exit_code == 1, words
    for words in WITH_ANSWER:
        assert run("ask", words).exit_code == 0, words


@pytest.mark.slow
def test_a_rollback_is_prepared_only_where_no_bot_runs(run: Run, tmp_path: Path) -> None:
    assert "No gwevent database" in refused(run("migrate", "--prepare-rollback"))
    run("migrate")
    said = run("migrate", "--prepare-rollback").stdout
    assert "ready for gwevent 0.1.0" in said and "deliveries: 0, incidents: 0" in said
    running = Database(f"sqlite+aiosqlite:///{tmp_path / 'gwevent.sqlite'}")
    assert running.acquire_instance_lock()
    try:
        assert "stop it first" in refused(run("migrate", "--prepare-rollback"))
    finally:
        asyncio.run(running.close())


def test_a_rollback_names_the_subscriptions_that_the_old_version_can_not_read(
    run: Run, tmp_path: Path
) -> None:
    made = {"created_by": "U1", "created_at": "2026-11-22T12:00:00Z"}
    asked = [{"words": f"CBC {words} rubin-2026", **made} for words in ("criteria", "grade")]
    channel = {"team": "T1", "channel": "C1", "subscriptions": asked}
    (tmp_path / "given.json").write_text(json.dumps({"gwevent_export": 1, "channels": [channel]}))
    assert run("import", str(tmp_path / "given.json")).exit_code == 0
    said = run("migrate", "--prepare-rollback").stdout
    assert "written without what 0.1.0 doesn't know: 1." in said
    assert "can't read, and won't serve: C1 subscription 2." in said


@pytest.mark.slow
def test_replay_counts_repeats_and_unreadable_files(run: Run, notice: Path, tmp_path: Path) -> None:
    folder = tmp_path / "notices"
    folder.mkdir()
    (folder / "a.avro").write_bytes(to_avro(notice_record()))
    (folder / "b.json").write_bytes(to_json(notice_record()))
    (folder / "c.json").write_bytes(to_json(notice_record(alert_type="INITIAL", minutes=5)))
    (folder / "readme.txt").write_text("These are notices.")
    run("migrate")
    said = run("ask", "status").stdout
    assert "Last notice: none yet" in said and "What gwevent reads isn't known here" in said
    assert "running for" not in said, "the tool has just begun, and not the bot"
    result = run("replay", folder)
    assert result.exit_code == 0 and "2 stored, 1 repeat, 0 quarantined" in result.stdout
    assert "readme.txt: skipped, neither Avro nor JSON" in result.stderr.replace("\n", " ")
    assert "0 stored, 3 repeat, 0 quarantined" in run("replay", folder).stdout
    (folder / "d.avro").write_bytes(to_avro(notice_record())[:500])
    result = run("replay", folder)
    assert result.exit_code == 1 and "0 stored, 3 repeat, 1 quarantined" in result.stdout


@pytest.mark.slow
def test_replay_reads_files_of_other_streams_too_and_posts_nothing(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "messages"
    folder.mkdir()
    (folder / "a.json").write_bytes(circular("S261122a", created=NOW))
    (folder / "b.json").write_bytes(guano("S261122a", created=NOW, event_time=NOW))
    (folder / "c.json").write_bytes(gbm_trigger(NOW, 130.0, -20.0))
    (folder / "d.json").write_bytes(circular("", created=NOW, number=3, title="GRB 261122B: afterglow"))
    (folder / "e.json").write_text('{"novelty": 1}')
    shown = run("replay", "--dry-run", folder)
    assert shown.exit_code == 0 and "e.json: skipped, JSON, but no notice" in shown.stderr.replace("\n", " ")
    told = " ".join(shown.stdout.split())
    assert "a.json: circulars 45640 about S261122a: identification" in told
    assert "d.json: circulars 3 about no event: report" in told and "c.json: Fermi GBM" in told
    for _ in range(2):
        result = run("replay", folder)
        counted = "0 stored, 0 repeat, 0 quarantined, 1 circulars, 1 messages, 1 nearby alerts, 1 unrelated"
        assert counted in " ".join(result.stdout.split()) and result.exit_code == 0
    (folder / "a.json").write_bytes(circular("S261122a", created=NOW, extra={"circularId": "x"}))
    assert run("replay", folder).exit_code == 1
    kept = run("replay", "--quarantine", "--dry-run").stdout
    assert "still not readable: The circular has no usable circularId." in " ".join(kept.split())


def test_file_name_with_brackets_is_printed_literally(run: Run, tmp_path: Path) -> None:
    odd = tmp_path / "[" / "red]:fire:.avro"
    odd.parent.mkdir()
    odd.write_bytes(to_avro(notice_record()))
    torn = tmp_path / "[" / "bold]torn.avro"
    torn.write_bytes(to_avro(notice_record())[:500])
    result = run("replay", "--dry-run", odd, torn)
    assert f"{odd}: S261122a" in result.stdout
    assert f"{torn}: " in result.stderr
    closing = tmp_path / "a[" / "bold].txt"
    closing.parent.mkdir()
    closing.write_text("no notice")
    assert f"{closing}: skipped" in run("replay", "--dry-run", closing.parent).stderr


def test_a_dry_run_stores_nothing(run: Run, notice: Path, tmp_path: Path) -> None:
    result = run("replay", "--dry-run", notice)
    assert result.exit_code == 0
    assert "S261122a PRELIMINARY 2026-11-22 12:00:00 UTC" in result.stdout.replace("\n", " ")
    assert not (tmp_path / "gwevent.sqlite").exists()


@pytest.mark.slow
def test_without_tokens_nothing_is_stored_as_news(run: Run, notice: Path) -> None:
    assert "must be set" in refused(run("replay", "--post", notice))
    assert "No notice of S261122a was received." in run("ask", "S261122a").stdout


@pytest.mark.slow
def test_the_quarantine_is_tried_again(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.avro"
    bad.write_bytes(to_avro(notice_record())[:500])
    assert run("replay", bad).exit_code == 1
    assert run("replay", "--quarantine", "--dry-run").exit_code == 0
    result = run("replay", "--quarantine")
    assert result.exit_code == 1 and "0 released, 1 kept" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["replay"], "Name files or folders, or --quarantine"),
        (["replay", ".", "--quarantine"], "and not both"),
        (["replay", ".", "--post", "--dry-run"], "choose one"),
        (["replay", "nothing"], "nothing doesn't exist"),
        (["replay", ".", "--post"], "SLACK_BOT_TOKEN and SLACK_APP_TOKEN must be set"),
        (["run"], "SLACK_BOT_TOKEN and SLACK_APP_TOKEN must be set"),
    ],
)
def test_impossible_combinations_are_sentences(
    run: Run, arguments: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GWEVENT_KAFKA_AUTH", "off")
    result = run(*arguments)
    assert result.exit_code == 2
    assert why in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["show"], ["show", "--jason", "x"], ["frobnicate"], ["demo", "--port", "-1"], ["demo", "--port", "x"]],
)
def test_wrong_options_end_with_status_2(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"gwevent {__version__}\n"


@pytest.mark.slow
def test_migrate_is_repeatable_and_refuses_a_file_that_is_no_database(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert run("migrate").stdout == "The database is at this version.\n"
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear colleagues, the meeting is at noon. " * 50)
    monkeypatch.setenv("GWEVENT_DATABASE_URL", f"sqlite:///{letter}")
    assert "not a database" in refused(run("migrate"))
    monkeypatch.setenv("GWEVENT_DATABASE_URL", f"postgresql://bot:swordfish@/x?host={tmp_path}")
    sentence = refused(run("migrate"))
    assert "swordfish" not in sentence and "connection" in sentence
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "psycopg", None)
        assert "install gwevent-bot[postgres]" in refused(run("migrate"))
    monkeypatch.setenv("GWEVENT_DATABASE_URL", "swordfish")
    sentence = refused(run("migrate"))
    assert "swordfish" not in sentence and "must look like sqlite:" in sentence


@pytest.mark.parametrize("command", ["consume", "serve"])
def test_roles_take_a_database_that_processes_can_share(
    run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GWEVENT_KAFKA_AUTH", "off")
    sentence = refused(run(command))
    assert f"gwevent {command}" in sentence and "PostgreSQL" in sentence and "gwevent run" in sentence


@pytest.mark.slow
def test_a_consumer_needs_a_group_of_its_own(
    run: Run, monkeypatch: pytest.MonkeyPatch, postgres: Databases
) -> None:
    monkeypatch.setenv("GWEVENT_KAFKA_AUTH", "off")
    monkeypatch.setenv("GWEVENT_DATABASE_URL", postgres.create())
    assert "GWEVENT_KAFKA_GROUP must be set" in refused(run("consume"))
    assert "SLACK_BOT_TOKEN" in refused(run("serve"))


@pytest.mark.slow
def test_samples_are_notices(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    written = run("samples", folder).stdout.splitlines()
    assert written and all(Path(path).is_file() for path in written)
    result = run("replay", "--dry-run", written[0], written[1])
    assert result.exit_code == 0
    assert "can't be written" in refused(run("samples", Path(written[0])))
    assert datetime.now(UTC).strftime("%y%m") in "".join(written)


def test_short_help_option_works_for_every_command(run: Run) -> None:
    for arguments in ((), ("run",), ("backfill",), ("doctor",), ("ask",)):
        shown = run(*arguments, "-h")
        assert shown.exit_code == 0 and "Usage:" in shown.stdout


def commands(command: Any, *names: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of a command and of all below it."""
    yield names
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *names, name)


@pytest.mark.slow
def test_no_help_shows_a_switch_as_if_it_took_a_value(run: Run) -> None:
    found = list(commands(get_command(app)))
    assert ("catalogue", "list") in found
    for words in found:
        shown = run(*words, "-h")
        assert shown.exit_code == 0 and "Usage:" in shown.stdout
        assert "<bool>" not in shown.stdout, words
