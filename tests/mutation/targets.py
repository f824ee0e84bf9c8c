"""Which modules are changed, and which tests have to notice."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

PURE = (
    "bot/routing",
    "bot/counterparts",
    "bot/criteria",
    "bot/filters",
    "bot/galaxies/column_names.py",
    "bot/galaxies/completeness.py",
    "bot/galaxies/ranking.py",
    "bot/galaxies/raw_galaxies.py",
    "bot/observing/coverage.py",
    "bot/observing/field_regions.py",
    "bot/observing/pointing_fields.py",
    "bot/observing/pointing_planner.py",
    "bot/observing/pointing_schedule.py",
    "bot/observing/pointing_visibility.py",
    "bot/observing/rubin_sky.py",
    "bot/observing/same_fields.py",
    "bot/related_messages",
    "bot/skymaps",
    "formatters/models",
)
"""Packages and modules that compute and decide, without a store or a network."""
OUTBOX = (
    "bot/store/outbox/claim_choice.py",
    "bot/store/settlement.py",
    "bot/delivery/retry_policy.py",
)
"""What decides which delivery goes next, what becomes of it, and whether it is tried again."""

_WIDER: dict[str, tuple[str, ...]] = {
    "bot/routing": ("tests/bot/routing", "tests/bot/ingest", "tests/bot/delivery", "tests/bot/store/events"),
    "bot/criteria": (
        "tests/bot/criteria",
        "tests/formatters/text",
        "tests/bot/skymap_service",
        "tests/bot/filters",
        "tests/bot/store/channels",
        "tests/bot/delivery/test_channel_grades.py",
        "tests/bot/commands",
    ),
    "bot/counterparts": (
        "tests/bot/counterparts",
        "tests/bot/commands",
        "tests/bot/skymap_service",
        "tests/bot/store/events",
    ),
    "bot/galaxies": (
        "tests/bot/galaxies",
        "tests/bot/skymap_service/test_galaxy_ranking.py",
        "tests/bot/cli/test_catalogue.py",
        "tests/bot/commands",
    ),
    "bot/filters": ("tests/bot/filters", "tests/formatters/text", "tests/bot/routing", "tests/bot/commands"),
    "bot/observing": (
        "tests/bot/observing",
        "tests/bot/criteria",
        "tests/bot/skymap_service",
        "tests/bot/commands",
        "tests/bot/treasure_map/test_coverage_of_answers.py",
    ),
    "bot/related_messages": ("tests/bot/related_messages", "tests/bot/ingest"),
    "bot/skymaps": ("tests/bot/skymaps", "tests/bot/skymap_service", "tests/bot/commands"),
    "formatters/models": (
        "tests/formatters/models",
        "tests/bot/filters",
        "tests/formatters",
        "tests/bot/routing",
        "tests/bot/alerts",
    ),
    "bot/store/outbox": ("tests/bot/store/outbox", "tests/bot/delivery"),
    "bot/store": ("tests/bot/store/test_settlement.py", "tests/bot/delivery", "tests/bot/store"),
    "bot/delivery": ("tests/bot/delivery",),
}
"""By package, the tests beyond a module's mirrored ones, in the order in which they are run."""


def modules(places: tuple[str, ...]) -> list[str]:
    """Return the modules of some packages or files, relative to the repository and sorted."""
    found: list[str] = []
    for place in places:
        path = REPOSITORY / place
        files = [path] if path.is_file() else sorted(path.glob("*.py"))
        found += [file.relative_to(REPOSITORY).as_posix() for file in files if file.name != "__init__.py"]
    return found


def stages_of(module: str) -> list[list[str]]:
    """Return the tests of a module in stages: its mirrored file, if there is one, then further ones.

    A stage is run only if the mutant survived the ones before.
    """
    path = Path(module)
    mirrored = Path("tests") / path.parent / f"test_{path.name}"
    stages = [[mirrored.as_posix()]] if (REPOSITORY / mirrored).exists() else []
    return [*stages, list(_WIDER[path.parent.as_posix()])]
