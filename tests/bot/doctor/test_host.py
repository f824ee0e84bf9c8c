"""Findings about the machine and what the settings say of the webhook."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app.factory import Factory
from bot.doctor import host
from bot.doctor.host import (
    Mount,
    check_filesystem,
    check_instruments,
    check_webhook,
    check_webhook_filter,
    check_webhook_steps,
    disk_filesystem_types,
    find_mount,
    is_local,
)
from bot.settings import Settings
from formatters.terminal.findings import Level
from tests.support.factories import TEAM, subscribe

ON_DISK = frozenset({"ext4", "xfs", "btrfs", "fuseblk"})


def written(tmp_path: Path, *mounts: tuple[str, str, str]) -> Path:
    table = tmp_path / "mountinfo"
    lines = [
        f"{number} 1 0:{number} / {point} rw,relatime shared:1 - {kind} {source} rw"
        for number, (point, kind, source) in enumerate(mounts)
    ]
    table.write_text("\n".join(["nonsense", *lines, "36 35 98:0 /x"]) + "\n")
    return table


def test_the_mount_is_the_deepest_and_the_last(tmp_path: Path) -> None:
    data = tmp_path / "my data"
    data.mkdir()
    spelled = str(data).replace(" ", "\\040")
    table = written(
        tmp_path,
        ("/", "ext4", "/dev/sda1"),
        (str(tmp_path), "xfs", "/dev/sdb1"),
        (spelled, "ext4", "/dev/sdc1"),
        (spelled, "nfs4", "server:/export"),
        (f"{tmp_path}/my", "cifs", "//server/share"),
    )
    assert find_mount(data / "not yet", table) == Mount(str(data), "nfs4", "server:/export")
    assert find_mount(tmp_path / "mydata", table) == Mount(str(tmp_path), "xfs", "/dev/sdb1")
    assert find_mount(data, tmp_path / "none") is None
    link = tmp_path / "link"
    link.symlink_to(data)
    found = find_mount(link, table)
    assert found is not None and found.filesystem_type == "nfs4"


@pytest.mark.parametrize(
    ("kind", "source", "local"),
    [
        ("ext4", "/dev/sda1", True),
        ("bcachefs", "/dev/sda1", True),
        ("overlay", "overlay", True),
        ("zfs", "tank/data", True),
        ("tmpfs", "tmpfs", True),
        ("nfs4", "server:/export", False),
        ("nfs", "[2001:db8::1]:/export", False),
        ("cifs", "//server/share", False),
        ("smb3", "//server/share", False),
        ("9p", "share", False),
        ("virtiofs", "share", False),
        ("fuse.sshfs", "me@server:/home", False),
        ("fuse.s3fs", "bucket", False),
        ("ceph", "1.2.3.4:6789:/", False),
        ("glusterfs", "server:/volume", False),
        ("lustre", "10.0.0.1@tcp:/fs", False),
        ("somethingnew", "somewhere", False),
    ],
)
def test_possibly_remote_filesystem_is_reported(
    kind: str, source: str, local: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = Mount(str(tmp_path), kind, source)
    assert is_local(mount, ON_DISK) is local
    monkeypatch.setattr(host, "find_mount", lambda _: mount)
    monkeypatch.setattr(host, "disk_filesystem_types", lambda: ON_DISK)
    found = check_filesystem(
        Settings.model_validate({"database_url": f"sqlite:///{tmp_path / 'x' / 'gwevent.sqlite'}"})
    )
    assert bool(found) is not local
    for finding in found:
        assert finding.level in (Level.WARN, Level.FAIL)
        assert kind in finding.result and "local disk" in finding.advice and "PostgreSQL" in finding.advice
    assert check_filesystem(Settings.model_validate({"database_url": "postgresql://bot@db/x"})) == []


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="needs Linux's /proc/self/mountinfo")
def test_this_machines_own_tables_are_read(tmp_path: Path) -> None:
    assert find_mount(tmp_path) is not None
    assert not {"proc", "tmpfs"} & disk_filesystem_types()


def test_a_webhook_filter_that_never_holds_is_warned_of() -> None:
    (found,) = check_webhook_filter("BNS>0.9 BNS<0.1")
    assert found.level is Level.WARN and "exclude each other" in found.result
    assert check_webhook_filter("BNS or NSBH") == check_webhook_filter(None) == []


def test_a_damaged_file_of_cameras_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cameras.json"
    settings = Settings(_env_file=None, instruments_file=file)  # type: ignore[call-arg]
    (found,) = check_instruments(settings)
    assert found.level is Level.FAIL and "cameras.json can't be read" in found.result
    file.write_text('{"MyCam": "2x2deg"}', "utf-8")
    (found,) = check_instruments(settings)
    assert found.level is Level.OK and "1 instrument of your own" in found.result
    assert check_instruments(Settings(_env_file=None, instruments_file="")) == []  # type: ignore[arg-type, call-arg]


async def test_steps_that_call_nobody_are_warned_of(factory: Factory) -> None:
    words = "CBC notify <!subteam^S1> if NS escalate 5min <@U2> 10min webhook"
    reports = factory.escalation_reports
    await subscribe(factory, words, "C1", "C2")
    await subscribe(factory, "CBC notify <!subteam^S1> escalate 5min <@U2>", "C1")
    await subscribe(factory, words, "C9", team="T0OTHER")
    (found,) = await check_webhook_steps(reports, Settings())
    assert found.level is Level.WARN
    assert found.result == (
        "3 subscriptions of 3 with the operators' webhook as a step will not have it called: there is none."
    )
    settings = {"webhook_url": "https://ntfy.sh/gw", "escalation_webhook": TEAM}
    (found,) = await check_webhook_steps(reports, Settings.model_validate(settings))
    assert found.result.startswith("1 subscription of 3 ") and "their workspaces may not" in found.result
    every = Settings.model_validate({**settings, "escalation_webhook": "all"})
    assert await check_webhook_steps(reports, every) == []


@pytest.mark.parametrize(
    ("topic", "is_taken"), [("gw-night_1", True), ("gw.night", False), ("g" * 65, False)]
)
async def test_topics_that_ntfy_refuses_are_found(topic: str, is_taken: bool) -> None:
    settings = Settings.model_validate(
        {"webhook_url": f"http://127.0.0.1:1/{topic}", "webhook_format": "ntfy"}
    )
    found = [finding.result for finding in await check_webhook(settings)]
    assert ("ntfy takes no topic like that of its address." in found) is not is_taken
    assert topic not in " ".join(found), "it is a password"


async def test_workspaces_without_a_webhook_are_warned_of() -> None:
    (found,) = await check_webhook(Settings.model_validate({"escalation_webhook": "all"}))
    assert found.result == "GWEVENT_ESCALATION_WEBHOOK is set, and no address."
    assert await check_webhook(Settings()) == []
