"""Findings about the catalogue of galaxies."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.doctor.catalogue import OLD, check_catalogue
from bot.settings import Settings
from formatters.terminal.findings import Finding, Level
from tests.support.galaxies import NOW, made_catalogue, made_columns


def finding(tmp_path: Path, *, named: str | None = None, days: float = 1) -> Finding:
    settings = Settings(catalogue_dir=tmp_path / "catalogues", catalogue=named)
    [found] = check_catalogue(settings, NOW + timedelta(days=days))
    return found


def test_without_a_catalogue_doctor_says_how_to_get_one(tmp_path: Path) -> None:
    found = finding(tmp_path)
    assert found.level is Level.WARN
    assert "no catalogue of galaxies" in found.result and str(tmp_path) in found.result
    assert "gwevent catalogue fetch ned-lvs" in found.advice


def test_a_catalogue_is_named_with_its_reach(tmp_path: Path) -> None:
    made_catalogue(tmp_path, made_columns(30))
    found = finding(tmp_path)
    assert found.level is Level.OK and found.result.startswith("Made, 30 galaxies to ")


def test_an_old_one_is_a_warning(tmp_path: Path) -> None:
    made_catalogue(tmp_path, made_columns(30))
    found = finding(tmp_path, days=OLD.days + 1)
    assert found.level is Level.WARN and "imported 401 days ago" in found.result


@pytest.mark.parametrize("named", ["made", None])
def test_a_damaged_one_is_a_failure(tmp_path: Path, named: str | None) -> None:
    made_catalogue(tmp_path, made_columns(30))
    next((tmp_path / "catalogues").glob("*.npy")).write_bytes(b"x")
    found = finding(tmp_path, named=named)
    assert found.level is Level.FAIL and "import it again" in found.result
    assert ("GWEVENT_CATALOGUE" in found.advice) is (named is not None)


def test_one_that_the_settings_name_and_that_isn_t_there_is_a_failure(tmp_path: Path) -> None:
    made_catalogue(tmp_path, made_columns(30))
    found = finding(tmp_path, named="other")
    assert found.level is Level.FAIL and found.result.startswith("There is no catalogue other")
