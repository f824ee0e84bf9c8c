"""A process starts without the modules that only a sky map, a picture or a migration needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOT_NEEDED = {"astropy", "astropy_healpix", "alembic", "matplotlib", "PIL"}


@pytest.mark.slow
@pytest.mark.parametrize("process", ["application", "consumer_application"])
def test_a_service_starts_without(process: str) -> None:
    code = f"""
import sys
import bot.app.{process}, bot.app.factory, bot.app.startup, bot.cli.main, bot.sources.factory
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not NOT_NEEDED & {name.partition(".")[0] for name in loaded.stdout.split()}
