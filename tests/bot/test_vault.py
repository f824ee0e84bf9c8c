"""Tokens at rest."""

from __future__ import annotations

import sys

import pytest

from bot.vault import KeysUnusable, Vault, new_key

TOKEN = "xoxb-1"


def test_closed_it_is_unreadable_and_opens_again() -> None:
    vault = Vault([new_key()])
    closed = vault.close(TOKEN)
    assert TOKEN not in closed and vault.open(closed) == TOKEN
    assert vault.close(TOKEN) != closed


def test_an_old_key_opens_until_it_is_gone() -> None:
    old, new = new_key(), new_key()
    closed = Vault([old]).close(TOKEN)
    both = Vault([new, old])
    renewed = both.renew(closed)
    assert Vault([new]).open(renewed) == TOKEN
    with pytest.raises(KeysUnusable, match="None of GWEVENT_SECRET_KEYS"):
        Vault([new]).open(closed)


def test_what_is_wrong_is_a_sentence_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeysUnusable, match="must be one or more Fernet keys") as caught:
        Vault(["not-a-key"])
    assert "not-a-key" not in str(caught.value)
    for module in ("cryptography", "cryptography.fernet"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(KeysUnusable, match=r"gwevent-bot\[workspaces\]"):
        Vault([])
