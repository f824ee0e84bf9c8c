"""What every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

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
