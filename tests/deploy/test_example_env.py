"""deploy/example.env and bot/settings.py name the same settings, with the same defaults."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.settings import Settings, SlackAccess

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "example.env"
LINE = re.compile(r"^#?([A-Z][A-Z_]+)=(.*)$", re.MULTILINE)


def test_names_every_setting_and_no_other() -> None:
    names = [name for name, _ in LINE.findall(EXAMPLE.read_text("utf-8"))]
    in_code = [
        str(field.validation_alias or f"GWEVENT_{name.upper()}")
        for name, field in Settings.model_fields.items()
    ]
    assert sorted(names) == sorted(in_code)


def test_shows_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in LINE.findall(EXAMPLE.read_text("utf-8")):
        monkeypatch.delenv(name, raising=False)
    shown = tmp_path / "shown.env"
    shown.write_text(re.sub(LINE, r"\1=\2", EXAMPLE.read_text("utf-8")), "utf-8")
    assert Settings.load(shown) == Settings.load(None)


def test_example_env_loads_once_tokens_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in LINE.findall(EXAMPLE.read_text("utf-8")):
        monkeypatch.delenv(name, raising=False)
    filled = tmp_path / "filled.env"
    text = EXAMPLE.read_text("utf-8")
    filled.write_text(text.replace("TOKEN=\n", "TOKEN=xoxb-1\n", 1).replace("TOKEN=\n", "TOKEN=xapp-1\n", 1))
    settings = Settings.load(filled)
    assert settings.slack_bot_token == SecretStr("xoxb-1")
    assert settings.slack_access() == SlackAccess(
        bot_token=SecretStr("xoxb-1"), app_token=SecretStr("xapp-1")
    )
