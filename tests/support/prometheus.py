"""Find Prometheus and promtool, which `tests/run` unpacks from Debian's package."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

UNPACKED = Path(sys.prefix) / "prometheus" / "usr" / "bin"
"""Where `tests/run` puts the programs, without installing them."""


def find_program(name: str) -> str:
    """Return the path of `prometheus` or `promtool`; without it the test is skipped, but fails in CI."""
    found = shutil.which(name, path=f"{UNPACKED}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        reason = f"there is no {name} here: apt-get install prometheus, or see prometheus.io/download"
        if os.environ.get("CI") == "true":
            pytest.fail(f"In CI this must run: {reason}.")
        pytest.skip(reason)
    return found
