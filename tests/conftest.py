"""What every test may use."""

from pathlib import Path

import pytest

SHARED_NOTICES = Path(__file__).resolve().parents[1].parent / "shared" / "notices"


@pytest.fixture(scope="session")
def shared_notices() -> Path:
    """Real notices beside the checkout; a test that needs them is skipped where they are missing."""
    if not SHARED_NOTICES.is_dir():
        pytest.skip("the folder of real notices (../shared/notices) isn't here")
    return SHARED_NOTICES
