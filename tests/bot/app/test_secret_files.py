"""Files with secrets that others can read."""

from pathlib import Path

import pytest
import structlog

from bot.app import secret_files


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "hop").mkdir()
    return tmp_path


def written(path: Path, text: str, mode: int) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_both_files_are_looked_at(home: Path, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # One that no other test has used yet: a logger in use keeps how it was configured then.
    monkeypatch.setattr(secret_files, "log", structlog.get_logger())
    env = written(home / ".env", "SLACK_BOT_TOKEN=xoxb-1\n", mode)
    auth = written(home / "hop" / "auth.toml", "[[auth]]\n", mode)
    assert [path for path, _ in secret_files.readable_secret_files(env)] == [env, auth]
    with structlog.testing.capture_logs() as said:
        secret_files.warn_readable_secrets(env)
    assert [line["event"] for line in said] == ["secret_file_readable"] * 2
    assert said[0]["advice"] == f"chmod 600 {env}" and said[0]["mode"].startswith("-rw-")


@pytest.mark.parametrize(
    ("text", "mode", "found"),
    [
        ("SLACK_BOT_TOKEN=xoxb-1\n", 0o600, False),
        ("SLACK_BOT_TOKEN=\nGWEVENT_LOG_LEVEL=INFO\n", 0o644, False),
        ("GWEVENT_DATABASE_URL=postgresql://bot:pw@db/x\n", 0o644, True),
    ],
)
def test_a_file_without_secrets_or_for_its_owner_is_left(
    home: Path, text: str, mode: int, found: bool
) -> None:
    assert bool(secret_files.readable_secret_files(written(home / ".env", text, mode))) is found


def test_missing_secret_files_are_skipped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert secret_files.readable_secret_files(home / ".env") == []
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME", raising=False)
    assert secret_files.readable_secret_files(home / ".env") == []
