"""Who may have the operators' webhook as the last step of an escalation."""

from __future__ import annotations

import pytest

from bot.setting_types.escalation_webhook import escalation_webhook_policy
from bot.settings import Settings, SettingsError


def load(monkeypatch: pytest.MonkeyPatch, **changes: str) -> Settings:
    monkeypatch.setenv("GWEVENT_WEBHOOK_URL", "https://hooks.example.org/")
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    return Settings.load(None)


@pytest.mark.parametrize(
    ("value", "is_one_workspace", "allowed"),
    [
        ("", True, {"T1AA", "T2BB"}),
        ("", False, set()),
        ("all", False, {"T1AA", "T2BB"}),
        ("OFF", True, set()),
        ("T1AA, E0ORG", False, {"T1AA"}),
    ],
)
def test_a_strangers_workspace_pages_nobody_by_default(
    monkeypatch: pytest.MonkeyPatch, value: str, is_one_workspace: bool, allowed: set[str]
) -> None:
    chosen = {"GWEVENT_ESCALATION_WEBHOOK": value}
    if not is_one_workspace:
        chosen["SLACK_CLIENT_ID"] = "1.2"
    policy = escalation_webhook_policy(load(monkeypatch, **chosen))
    assert {team for team in ("T1AA", "T2BB") if policy.allows(team)} == allowed
    assert {team for team in ("T1AA", "T2BB") if policy.refusal(team) is None} == allowed


def test_without_a_webhook_no_step_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GWEVENT_WEBHOOK_URL", raising=False)
    monkeypatch.setenv("GWEVENT_ESCALATION_WEBHOOK", "all")
    policy = escalation_webhook_policy(Settings.load(None))
    assert not policy.allows("T1AA")
    assert "no operators' webhook" in (policy.refusal("T1AA") or "")


@pytest.mark.parametrize("value", ["everybody", "all,T1AA", "C0123456789", "t1aa"])
def test_anything_else_is_refused_at_startup(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(SettingsError, match="GWEVENT_ESCALATION_WEBHOOK can't be used: it must be off, all"):
        load(monkeypatch, GWEVENT_ESCALATION_WEBHOOK=value)
