"""The local Slack gives the app what its manifest asks for, and no more."""

import re
from pathlib import Path

from bot.local_slack.app_manifest import EVENTS, GWEVENT, SCOPES

MANIFEST = (Path(__file__).resolve().parents[3] / "deploy" / "slack-manifest.yaml").read_text()


def items_under(key: str) -> set[str]:
    """The plain items of the YAML list under a key, comments left out."""
    found = re.search(rf"^( *){key}:\n((?:\1 +.*\n)+)", MANIFEST, re.MULTILINE)
    assert found is not None, f"the manifest has no {key}"
    return set(re.findall(r"^ *- (\S+)$", found[2], re.MULTILINE))


def test_scopes() -> None:
    assert items_under("bot") == SCOPES


def test_events() -> None:
    assert items_under("bot_events") == EVENTS


def test_the_command() -> None:
    for words in (
        f"command: {GWEVENT.command}\n",
        f"description: {GWEVENT.description}\n",
        f'usage_hint: "{GWEVENT.usage_hint}"\n',
        f"should_escape: {str(GWEVENT.should_escape).lower()}\n",
    ):
        assert words in MANIFEST
