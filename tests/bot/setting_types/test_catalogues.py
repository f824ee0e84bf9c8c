"""Where the catalogues of galaxies are, and what a catalogue may be called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.setting_types.catalogues import catalogue_folder, parse_slug
from bot.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("GWEVENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("database", "folder"),
    [
        ("", "data/gwevent/catalogues"),
        ("postgresql://someone:secret@host/gwevent", "data/gwevent/catalogues"),
        ("sqlite://", "data/gwevent/catalogues"),
        ("sqlite:///:memory:", "data/gwevent/catalogues"),
        ("sqlite:///own.sqlite", "catalogues"),
        ("sqlite+aiosqlite:///{here}/deep/own.sqlite?timeout=3", "deep/catalogues"),
    ],
)
def test_catalogues_lie_beside_the_sqlite_file_else_among_the_users_data(
    database: str, folder: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=database.format(here=tmp_path))
    assert tmp_path / catalogue_folder(settings) == tmp_path / folder


def test_the_setting_comes_first(tmp_path: Path) -> None:
    settings = Settings(catalogue_dir=tmp_path / "own", database_url="sqlite:///own.sqlite")
    assert catalogue_folder(settings) == tmp_path / "own"


def test_a_user_without_a_home_directory_gets_the_services_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/nonexistent")
    assert catalogue_folder(Settings(database_url="postgresql://h/d")) == Path("/var/lib/gwevent/catalogues")


@pytest.mark.parametrize(("text", "slug"), [("ned-lvs", "ned-lvs"), (" GLADE ", "glade"), ("2mrs", "2mrs")])
def test_a_catalogues_name_is_small_letters_digits_and_hyphens(text: str, slug: str) -> None:
    assert parse_slug(text) == slug


@pytest.mark.parametrize("text", ["", "-x", "../x", "a b", "ä", "x" * 31, "x.json", "ned_lvs"])
def test_another_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="letters a to z"):
        parse_slug(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GWEVENT_CATALOGUE", "../swordfish"),
        ("GWEVENT_NED_LVS_URL", "http://swordfish.example/"),
        ("GWEVENT_NED_LVS_URL", ""),
        ("GWEVENT_NED_LVS_URL", "ftp://swordfish.example/a.fits"),
    ],
)
def test_a_wrong_setting_is_one_sentence(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"^{name} can't be used: [^\n]*\.$") as refused:
        Settings.load()
    assert "swordfish" not in str(refused.value)


def test_empty_settings_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWEVENT_CATALOGUE", "")
    monkeypatch.setenv("GWEVENT_CATALOGUE_DIR", " ")
    assert (Settings.load().catalogue, Settings.load().catalogue_dir) == (None, None)
