"""What deploy/README.md says of people's ids, and how somebody is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.store.personal_data import PERSON_COLUMNS

README = (Path(__file__).resolve().parents[3] / "deploy" / "README.md").read_text("utf-8")
SECTION = README.partition("## What is stored about people")[2].partition("\n## ")[0]

ROWS = {
    "subscriptions.words": "whom a subscription mentions",
    "mentions.targets": "an event keeps whom it mentioned",
    "escalation_steps.targets": "if nobody takes an event",
    "escalation_steps.unless_told": "if nobody takes an event",
    "refused_mentions.target": "whom Slack refuses to mention",
    "observers.user_id": "who said that they observe without a telescope",
    "acknowledgements.user_id": "who has an event",
    "deliveries.channel_id": "the welcome goes there",
    "channels.channel_id": "the welcome goes there",
    "muted_threads.muted_by": "who muted an event",
    "observations.user_id": "who reported an observation",
    "observations.note": "and a remark",
    "event_actions.user_id": "who did what about an event",
    "event_actions.detail": "who did what about an event",
    "escalations.started_by": "who began a drill",
    "escalations.acknowledged_by": "and who took or stopped it",
    "counterparts.added_by": "who added, removed, kept or rejected",
    "counterpart_decisions.decided_by": "who added, removed, kept or rejected",
    "subscriptions.created_by": "who subscribed a channel",
    "criteria_sets.created_by": "who made a criteria set",
    "criteria_sets.changed_by": "who changed it last",
    "channel_changes.changed_by": "who changed what a channel receives",
    "channel_changes.state_before": "the words before and after",
    "channel_changes.state_after": "the words before and after",
    "installations.installed_by": "who installed the app",
}
"""The words of the privacy table by the column they are about."""


@pytest.mark.parametrize("column", [one.name for one in PERSON_COLUMNS])
def test_the_privacy_table_says_what_each_column_keeps(column: str) -> None:
    assert ROWS[column] in SECTION


def test_it_says_how_somebody_is_forgotten() -> None:
    assert "gwevent forget-person U0123456789 --yes" in SECTION and "gwevent audit" in SECTION
