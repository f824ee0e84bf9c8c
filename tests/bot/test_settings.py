"""Settings, and the errors of invalid ones."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.settings import Settings, SettingsError, SlackAccess, unknown_setting_names

NAMES = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "GWEVENT_")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove all settings of the environment, and any `.env`."""
    for name in list(os.environ):
        if name.startswith(NAMES):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_without_settings_the_defaults_are_in_force(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = Settings.load()
    assert settings.effective_database_url == f"sqlite+aiosqlite:///{tmp_path}/gwevent/gwevent.sqlite"
    assert settings.kafka_url == "kafka://kafka.scimma.org/igwn.gwalert"
    assert settings.max_age == timedelta(hours=24)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_BOT_TOKEN", "xapp-swordfish"),
        ("SLACK_BOT_TOKEN", "swordfish"),
        ("SLACK_APP_TOKEN", "xoxb-swordfish"),
        ("GWEVENT_SLACK_API_URL", "http://swordfish.example/api/"),
        ("GWEVENT_SLACK_API_URL", "https://"),
        ("GWEVENT_SLACK_API_URL", "https://[swordfish/"),
        ("GWEVENT_KAFKA_URL", "https://swordfish"),
        ("GWEVENT_KAFKA_URL", "kafka://swordfish"),
        ("GWEVENT_KAFKA_URL", "kafka://bot:swordfish@host:port/topic"),
        ("GWEVENT_KAFKA_AUTH", "swordfish"),
        ("GWEVENT_MAX_AGE_HOURS", "swordfish"),
        ("GWEVENT_MAX_AGE_HOURS", "0"),
        ("GWEVENT_MAX_AGE_HOURS", "-3"),
        ("GWEVENT_MAX_AGE_HOURS", "nan"),
        ("GWEVENT_MAX_AGE_HOURS", "inf"),
        ("GWEVENT_MAX_AGE_HOURS", "1e12"),
        ("GWEVENT_MOCK_PAYLOAD_DAYS", "1e9"),
        ("GWEVENT_LOG_FORMAT", "swordfish"),
        ("GWEVENT_LOG_LEVEL", "swordfish"),
    ],
)
def test_invalid_setting_is_one_sentence_without_its_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    said = str(refused.value)
    assert said.startswith(f"{name} can't be used: ") and said.endswith(".")
    assert "\n" not in said and "swordfish" not in said


def test_two_wrong_values_are_two_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWEVENT_KAFKA_AUTH", "x")
    monkeypatch.setenv("GWEVENT_LOG_LEVEL", "x")
    with pytest.raises(SettingsError, match=r"GWEVENT_KAFKA_AUTH can't.*\. GWEVENT_LOG_LEVEL can't.*\.$"):
        Settings.load()


def test_env_is_read_and_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        'SLACK_BOT_TOKEN="xoxb-file"\nGWEVENT_OPS_CHANNEL=\nGWEVENT_MAX_AGE_HOURS=2\nOTHER_THING=1\n'
    )
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-environment")
    settings = Settings.load()
    assert settings.slack_bot_token is not None
    assert settings.slack_bot_token.get_secret_value() == "xoxb-environment"
    assert "environment" not in repr(settings)
    assert settings.ops_channel is None
    assert settings.max_age == timedelta(hours=2)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("off", None),
        (" OFF ", None),
        ("", None),
        ("https://gracedb-playground.ligo.org/api", "https://gracedb-playground.ligo.org/api/"),
        ("http://127.0.0.1:8000/api/", "http://127.0.0.1:8000/api/"),
    ],
)
def test_gracedb_can_be_switched_off(given: str, used: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWEVENT_GRACEDB_URL", given)
    assert Settings.load().gracedb_url == used
    monkeypatch.setenv("GWEVENT_GRACEDB_URL", "http://gracedb.ligo.org/api/")
    with pytest.raises(SettingsError, match="GWEVENT_GRACEDB_URL can't be used: it must be an https address"):
        Settings.load()


def test_an_unreadable_env_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SLACK_BOT_TOKEN=\xff\xfe")
    with pytest.raises(SettingsError, match=r"^\.env can't be read as UTF-8 text\.$"):
        Settings.load()


def test_missing_tokens_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="SLACK_BOT_TOKEN and SLACK_APP_TOKEN must be set"):
        Settings.load().slack_access()
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    with pytest.raises(SettingsError, match=r"^SLACK_APP_TOKEN must be set"):
        Settings.load().slack_access()
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "s")
    with pytest.raises(SettingsError, match=r"^GWEVENT_PUBLIC_URL must be set where Slack sends requests"):
        Settings.load().slack_access()
    monkeypatch.setenv("GWEVENT_PUBLIC_URL", "https://gwevent.example.org")
    by_request = Settings.load().slack_access()
    assert by_request == SlackAccess(bot_token=SecretStr("xoxb-1"), signing_secret=SecretStr("s"))
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    assert Settings.load().slack_access() == SlackAccess(
        bot_token=SecretStr("xoxb-1"), app_token=SecretStr("xapp-1")
    )


def test_missing_oauth_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_CLIENT_ID", "1.2")
    with pytest.raises(
        SettingsError, match="SLACK_CLIENT_SECRET and GWEVENT_SECRET_KEYS and GWEVENT_PUBLIC_URL"
    ):
        Settings.load().slack_access()
    monkeypatch.setenv("SLACK_CLIENT_SECRET", "secret")
    monkeypatch.setenv("GWEVENT_SECRET_KEYS", "new, old")
    monkeypatch.setenv("GWEVENT_PUBLIC_URL", "https://gwevent.example.org")
    with pytest.raises(SettingsError, match=r"^SLACK_SIGNING_SECRET must be set"):
        Settings.load().slack_access()
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "s")
    access = Settings.load().slack_access()
    assert (access.client_id, [key.get_secret_value() for key in access.keys]) == ("1.2", ["new", "old"])
    assert "secret" not in repr(Settings.load()).replace("client_secret", "").replace(
        "signing_secret", ""
    ).replace("secret_keys", "")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    with pytest.raises(SettingsError, match="set one of them"):
        Settings.load().slack_access()


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:///there.sqlite", "sqlite+aiosqlite:///there.sqlite"),
        ("sqlite+aiosqlite:///there.sqlite", "sqlite+aiosqlite:///there.sqlite"),
        ("postgresql://bot:word@host/x?a=://", "postgresql+psycopg://bot:word@host/x?a=://"),
        ("postgres://host/x", "postgresql+psycopg://host/x"),
        ("postgresql+psycopg://host/x", "postgresql+psycopg://host/x"),
        ("nonsense", "nonsense"),
        ("postgresql+asyncpg://host/x", "postgresql+asyncpg://host/x"),
    ],
)
def test_a_url_gets_its_asynchronous_driver(given: str, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWEVENT_DATABASE_URL", given)
    assert Settings.load().effective_database_url == used


def test_a_slash_is_put_behind_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWEVENT_SLACK_API_URL", "http://127.0.0.1:9/api")
    assert Settings.load().slack_api_url == "http://127.0.0.1:9/api/"


def test_misspelled_names_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GWEVENT_KAFKA_URI", "x")
    (tmp_path / ".env").write_text("GWEVENT_MAX_AGE=3\nGWEVENT_MAX_AGE_HOURS=3\nOTHER=1\n")
    assert {"GWEVENT_KAFKA_URI", "GWEVENT_MAX_AGE"} == set(unknown_setting_names(tmp_path / ".env"))
    assert unknown_setting_names(None) == ["GWEVENT_KAFKA_URI"]


@pytest.mark.parametrize("channel", ["#ops", "ops", "zzz", "U0123456789"])
def test_the_ops_channel_is_an_id(monkeypatch: pytest.MonkeyPatch, channel: str) -> None:
    monkeypatch.setenv("GWEVENT_OPS_CHANNEL", channel)
    with pytest.raises(SettingsError, match="GWEVENT_OPS_CHANNEL can't be used: it must be a channel's id"):
        Settings.load(None)


@pytest.mark.parametrize("url", ["http://ntfy.sh/topic", "ntfy.sh/topic", "ftp://127.0.0.1/", "https://"])
def test_the_webhook_is_safe_and_secret(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GWEVENT_WEBHOOK_URL", url)
    with pytest.raises(
        SettingsError, match=r"GWEVENT_WEBHOOK_URL can't be used: it must be an https"
    ) as refused:
        Settings.load(None)
    assert url not in str(refused.value)
    monkeypatch.setenv("GWEVENT_WEBHOOK_URL", "https://hooks.example.org/swordfish")
    assert "swordfish" not in repr(Settings.load(None))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"FORMAT": "pagerduty"}, "GWEVENT_WEBHOOK_KEY must be set: PagerDuty wants its routing key."),
        ({"FORMAT": "ntfy"}, "GWEVENT_WEBHOOK_URL must end with the topic: https://ntfy.sh/topic."),
        ({"FORMAT": "pager"}, "GWEVENT_WEBHOOK_FORMAT can't be used: "),
        (
            {"FILTER": "CBC loud"},
            'GWEVENT_WEBHOOK_FILTER can\'t be used: it must be words of a subscription: "loud"',
        ),
        ({"FILTER": "CBC notify @here"}, '"notify" mentions nobody here: leave it out.'),
        ({"FILTER": "CBC quiet BBH"}, '"quiet" quiets nothing here'),
        ({"FILTER": "CBC criteria rubin-2026"}, '"criteria" shows nothing here'),
        ({"FILTER": "CBC grade ntt-kilonova"}, 'No criteria set is called "ntt-kilonova"'),
        ({"FILTER": "CBC grade rubin-2026 >= Platinum"}, 'rubin-2026 has no grade "Platinum"'),
    ],
)
def test_the_webhook_makes_sense(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str) -> None:
    monkeypatch.setenv("GWEVENT_WEBHOOK_URL", "https://events.example.org/")
    for name, value in changes.items():
        monkeypatch.setenv(f"GWEVENT_WEBHOOK_{name}", value)
    with pytest.raises(SettingsError) as refused:
        Settings.load(None)
    assert said in str(refused.value)


def test_nothing_listens_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load(None).effective_http_port is None
    monkeypatch.setenv("GWEVENT_PUBLIC_URL", "https://gwevent.example.org")
    assert Settings.load(None).effective_http_port == 8016
    monkeypatch.setenv("GWEVENT_HTTP_PORT", "9000")
    assert Settings.load(None).effective_http_port == 9000


def test_windows_of_nearby_alerts_are_read_and_what_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GWEVENT_NEARBY_BURST_SECONDS", "-10, 20")
    windows = Settings.load(None).nearby_windows
    assert (windows.burst_cbc.before_s, windows.burst_cbc.after_s) == (10, 20)
    assert windows.neutrino.before_s == 500 and windows.burst_other.after_s == 600
    monkeypatch.setenv("GWEVENT_NEARBY_NEUTRINO_SECONDS", "500")
    with pytest.raises(SettingsError, match=r"GWEVENT_NEARBY_NEUTRINO_SECONDS .*seconds before and after"):
        Settings.load(None)
