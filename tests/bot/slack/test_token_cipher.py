"""Encryption of tokens at rest."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner

from bot.app.factory import Factory, open_factory
from bot.cli.main import app
from bot.settings import Settings
from bot.slack.token_cipher import InvalidKeys, TokenCipher, generate_key
from tests.bot.store.channels.test_installations import ONE
from tests.support.factories import NOW

TOKEN = "xoxb-1"
T = TypeVar("T")


def test_encrypt_and_decrypt_round_trip() -> None:
    vault = TokenCipher([generate_key()])
    closed = vault.encrypt(TOKEN)
    assert TOKEN not in closed and vault.decrypt(closed) == TOKEN
    assert vault.encrypt(TOKEN) != closed


def test_an_old_key_opens_until_it_is_gone() -> None:
    old, new = generate_key(), generate_key()
    closed = TokenCipher([old]).encrypt(TOKEN)
    both = TokenCipher([new, old])
    renewed = both.rotate(closed)
    assert TokenCipher([new]).decrypt(renewed) == TOKEN
    with pytest.raises(InvalidKeys, match="None of GWEVENT_SECRET_KEYS"):
        TokenCipher([new]).decrypt(closed)


def test_errors_do_not_repeat_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidKeys, match="must be one or more Fernet keys") as caught:
        TokenCipher(["not-a-key"])
    assert "not-a-key" not in str(caught.value)
    for module in ("cryptography", "cryptography.fernet"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidKeys, match=r"gwevent-bot\[workspaces\]"):
        TokenCipher([])


@pytest.mark.slow
def test_keys_are_made_and_changed_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CliRunner().invoke
    old, new = (run(app, ["new-key"]).output.strip() for _ in range(2))
    assert old != new
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GWEVENT_DATABASE_URL", f"sqlite:///{tmp_path / 'gwevent.sqlite'}")
    assert run(app, ["rotate-keys"]).exit_code == 2

    async def work(with_rooms: Callable[[Factory], Awaitable[T]]) -> T:
        async with open_factory(Settings.load()) as factory:
            return await with_rooms(factory)

    async def save(factory: Factory) -> bool:
        return await factory.installations.save(replace(ONE, token=TokenCipher([old]).encrypt(TOKEN)), NOW)

    async def kept(factory: Factory) -> str:
        (one,) = await factory.installations.list_all()
        return one.token

    asyncio.run(work(save))
    monkeypatch.setenv("GWEVENT_SECRET_KEYS", new)
    assert run(app, ["rotate-keys"]).exit_code == 2
    monkeypatch.setenv("GWEVENT_SECRET_KEYS", f"{new},{old}")
    assert "1 tokens are encrypted" in run(app, ["rotate-keys"]).output
    assert TokenCipher([new]).decrypt(asyncio.run(work(kept))) == TOKEN
