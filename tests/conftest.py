"""What every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import GIVEN, Databases, NoServer, server

# CI says the same of the same commit; elsewhere each run looks at other examples.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")

SHARED_NOTICES = Path(__file__).resolve().parents[1].parent / "shared" / "notices"


@pytest.fixture(scope="session")
def shared_notices() -> Path:
    """Real notices beside the checkout; a test that needs them is skipped where they are missing."""
    if not SHARED_NOTICES.is_dir():
        pytest.skip("the folder of real notices (../shared/notices) isn't here")
    return SHARED_NOTICES


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """A PostgreSQL server; a test that needs it is skipped where it can't run, save in CI."""
    try:
        with server() as url:
            databases = Databases(url)
            yield databases
            if GIVEN in os.environ:
                databases.drop_all()
    except NoServer as reason:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no PostgreSQL here: {reason}")
