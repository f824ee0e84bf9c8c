"""The settings of a deployment, read once at startup from the environment and `.env`.

The layer above `bot.filters`: the webhook's filter is validated here, so that a mistake is reported at
startup.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.filters import FilterSyntaxError
from bot.related_messages.nearby_windows import NearbyWindows, parse_window
from bot.setting_types.catalogues import NED_LVS_URL, parse_slug
from bot.setting_types.databases import asynchronous_url
from bot.setting_types.escalation_webhook import EscalationWebhookSetting
from bot.setting_types.paths import OptionalPath
from bot.setting_types.slack_access import SettingsError as SettingsError
from bot.setting_types.slack_access import SlackAccess as SlackAccess
from bot.setting_types.slack_access import choose_slack_access
from bot.setting_types.tokens import HeaderToken
from bot.setting_types.topics import (
    DEFAULT_GCN_TOPICS,
    DEFAULT_HOPSKOTCH_TOPICS,
    HEARTBEAT_TOPIC,
    UNKNOWN_STREAM,
    ConfiguredTopic,
    TopicStreams,
    parse_topic_streams,
    parse_topics,
    split_list,
)
from bot.setting_types.urls import TREASURE_MAP_URL, KafkaUrl, SecureUrl, is_secure_url
from formatters.models.notice import Category, Notice
from formatters.webhook.payload import WebhookFormat

NON_SETTING_NAMES = frozenset({"GWEVENT_ENV_FILE"})
"""Variables of gwevent that are not settings: this one names the settings file."""
DEFAULT_HTTP_PORT = 8016
"""The port that serves images if no other is set."""


class Settings(BaseSettings):
    """Every setting with its default. `deploy/example.env` lists and explains the same names."""

    model_config = SettingsConfigDict(
        env_file=".env", env_prefix="GWEVENT_", extra="ignore", frozen=True, populate_by_name=True
    )

    slack_bot_token: SecretStr | None = Field(default=None, validation_alias="SLACK_BOT_TOKEN")
    slack_app_token: SecretStr | None = Field(default=None, validation_alias="SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = Field(default=None, validation_alias="SLACK_SIGNING_SECRET")
    slack_client_id: str | None = Field(default=None, validation_alias="SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = Field(default=None, validation_alias="SLACK_CLIENT_SECRET")
    secret_keys: SecretStr | None = None
    """Fernet keys separated by commas, newest first; they encrypt the tokens of many workspaces."""
    slack_api_url: str = "https://slack.com/api/"
    database_url: str = Field(default="", repr=False)
    """SQLAlchemy URL, which may hold a password; empty means SQLite in the user's data directory."""
    kafka_url: KafkaUrl = "kafka://kafka.scimma.org/igwn.gwalert"
    kafka_group: str | None = None
    kafka_auth: Literal["hop", "off"] = "hop"
    sources: str = "hopskotch"
    """The brokers to read: hopskotch, gcn, or both separated by a comma."""
    gcn_client_id: str | None = None
    gcn_client_secret: SecretStr | None = None
    gcn_topics: str = DEFAULT_GCN_TOPICS
    """The topics and patterns that are read on GCN."""
    hopskotch_topics: str = DEFAULT_HOPSKOTCH_TOPICS
    """Topics and patterns that are read on `kafka_url`'s broker beside its alerts; empty or "off": none."""
    nearby_topics: str = ""
    """Topics and patterns of alerts that name no event, read on each broker of `sources`; empty: none."""
    nearby_burst_seconds: str = "-1,5"
    """A burst so many seconds after a compact binary merger is near it: from, to. Below, for other events."""
    nearby_unmodelled_burst_seconds: str = "-60,600"
    nearby_neutrino_seconds: str = "-500,500"
    topic_streams: str = ""
    """topic=stream, …: which stream a topic or pattern brings, where it isn't DEFAULT_TOPIC_STREAMS."""
    gcn_domain: str = "gcn.nasa.gov"
    gcn_broker: str | None = None
    """host:port of a broker without login that replaces GCN's."""
    catalogue_dir: Path | None = None
    """The folder of the catalogues of galaxies; see `bot.setting_types.catalogues` for the default."""
    catalogue: str | None = None
    """The catalogue that is used; None: the one that was imported last."""
    follow_up_galaxies: int = Field(default=300, ge=0, le=5_000)
    """The Follow-up reply names galaxies where the 90 % volume holds fewer; 0: never."""
    ned_lvs_url: SecureUrl = NED_LVS_URL
    """The file that `catalogue fetch ned-lvs` fetches, or the folder (ends with "/") that lists releases."""
    gracedb_url: str | None = "https://gracedb.ligo.org/api/"
    """The API that events are looked up in that were never received; None ("off") disables this."""
    treasuremap_token: HeaderToken | None = None
    """A token of treasuremap.space; with it, others' pointings are read there."""
    treasuremap_url: str | None = TREASURE_MAP_URL
    """The Treasure Map's API; None ("off") disables this too."""
    broker_keeps_days: float = Field(default=28, gt=0, le=3_650)
    """Retention of the broker; after a longer outage the gap is filled from GraceDB."""
    max_age_hours: float = Field(default=24, gt=0, le=876_000)
    """A notice older than this by `time_created` opens no root message."""
    mock_payload_days: float = Field(default=7, gt=0, le=36_500)
    """Payloads of mock events are purged after this."""
    payload_days: float | None = Field(default=None, gt=0, le=36_500)
    """Payloads of all other notices are purged after this; None keeps them."""
    ledger_days: float = Field(default=90, ge=2, le=36_500)
    """Finished deliveries are purged after this."""
    quarantine_days: float = Field(default=90, gt=0, le=36_500)
    """Quarantined payloads are purged after this."""
    observable_minutes: float = Field(default=20, ge=0, le=720)
    """How long a tile must be up in darkness, without a break, to count as observable; 0: at any moment."""
    instruments_file: OptionalPath = None
    """Fields of view of one's own cameras, as JSON; see `bot.observing.instruments`."""
    mock_pictures: bool = False
    """Draw sky maps of mock and test events too."""
    public_url: str | None = None
    """The public https URL of this HTTP server; if set, images are served here, not uploaded to Slack."""
    http_host: str = "127.0.0.1"
    http_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of health, metrics and images; see `effective_http_port` for the default."""
    ops_channel: str | None = None
    """Channel that receives the bot's own incidents: CHANNEL or TEAM/CHANNEL."""
    commands_per_minute: int = Field(default=20, ge=1, le=10_000)
    """Rate limit of commands, buttons and mentions for each user."""
    who_may_subscribe: Literal["anyone", "members", "admins"] = "anyone"
    """The people who may change a channel's subscriptions: anyone, its members, or the workspace's admins."""
    silence_hours: float = Field(default=2.5, gt=0, le=8_760)
    """An incident is opened after this long without a payload."""
    free_mb: int = Field(default=500, ge=0, le=1_000_000)
    """An incident is opened below this much free disk space, or a tenth of a small disk; 0 disables it."""
    first_real_days: float = Field(default=60, gt=0, le=36_500)
    """The first real event after this long without one is also posted in the ops channel."""
    webhook_url: SecretStr | None = None
    """Called for incidents, and for alerts that match `webhook_filter`."""
    webhook_format: WebhookFormat = WebhookFormat.JSON
    webhook_key: SecretStr | None = None
    """PagerDuty's routing key; a bearer token for other formats."""
    webhook_filter: str | None = None
    """A filter in the subscription language; with None no alert calls the webhook."""
    escalation_webhook: EscalationWebhookSetting = ""
    """Workspaces whose escalations may call it: off, all, or team ids; empty: `escalation_webhook_policy`."""
    heartbeat_url: SecretStr | None = None
    """Pinged every two minutes while the bot is well: a dead man's switch."""
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator(
        "slack_bot_token",
        "slack_app_token",
        "slack_signing_secret",
        "slack_client_id",
        "slack_client_secret",
        "secret_keys",
        "kafka_group",
        "catalogue_dir",
        "catalogue",
        "treasuremap_token",
        "gcn_client_id",
        "gcn_client_secret",
        "gcn_broker",
        "ops_channel",
        "payload_days",
        "public_url",
        "http_port",
        "webhook_url",
        "webhook_key",
        "webhook_filter",
        "heartbeat_url",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("slack_bot_token")
    @classmethod
    def _bot_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith("xoxb-"):
            raise ValueError("it must be the bot token, which starts with xoxb-")
        return value

    @field_validator("slack_app_token")
    @classmethod
    def _app_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith("xapp-"):
            raise ValueError("it must be the app-level token, which starts with xapp-")
        return value

    @field_validator("ops_channel")
    @classmethod
    def _ops_channel(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"(T[A-Z0-9]{2,}/)?[CG][A-Z0-9]{2,}", value):
            raise ValueError("it must be a channel's id, like C0123456789 (a channel's details end with it)")
        return value

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, value: str) -> str:
        named = split_list(value)
        if not named or not set(named) <= {"hopskotch", "gcn"}:
            raise ValueError("it must be hopskotch, gcn, or both with a comma between")
        return value

    @field_validator("gcn_topics", "hopskotch_topics", "nearby_topics")
    @classmethod
    def _topics(cls, value: str) -> str:
        return ",".join(parse_topics(value))

    @field_validator("topic_streams")
    @classmethod
    def _topic_streams(cls, value: str) -> str:
        parse_topic_streams(value)
        return value

    @field_validator("nearby_burst_seconds", "nearby_unmodelled_burst_seconds", "nearby_neutrino_seconds")
    @classmethod
    def _window(cls, value: str) -> str:
        parse_window(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str | None) -> str | None:
        if value is not None and not is_secure_url(value):
            raise ValueError("it must be an https address (http only on this machine)")
        return None if value is None else value.rstrip("/")

    @field_validator("gracedb_url", "treasuremap_url", mode="before")
    @classmethod
    def _off_is_none(cls, value: object) -> object:
        return None if isinstance(value, str) and value.strip().casefold() in ("", "off") else value

    @field_validator("slack_api_url", "gracedb_url", "treasuremap_url")
    @classmethod
    def _api_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not is_secure_url(value):
            raise ValueError("it must be an https address (http only on this machine)")
        return value if value.endswith("/") else value + "/"

    @field_validator("webhook_url", "heartbeat_url")
    @classmethod
    def _secret_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_secure_url(value.get_secret_value()):
            raise ValueError("it must be an https address (http only on this machine)")
        return value

    @field_validator("webhook_filter")
    @classmethod
    def _webhook_filter(cls, value: str | None) -> str | None:
        if value is None:
            return None
        # Imported here: it brings astropy, which takes half a second.
        from bot.criteria.operator_criteria import parse_operator_criteria

        try:
            parse_operator_criteria(value)
        except FilterSyntaxError as error:
            raise ValueError(f"it must be words of a subscription: {str(error).rstrip('.')}") from None
        return value

    @model_validator(mode="after")
    def _webhook(self) -> Self:
        if self.webhook_url is None:
            return self
        if self.webhook_format is WebhookFormat.PAGERDUTY and self.webhook_key is None:
            raise ValueError("GWEVENT_WEBHOOK_KEY must be set: PagerDuty wants its routing key")
        path = urlsplit(self.webhook_url.get_secret_value()).path
        if self.webhook_format is WebhookFormat.NTFY and not path.strip("/"):
            raise ValueError("GWEVENT_WEBHOOK_URL must end with the topic: https://ntfy.sh/topic")
        return self

    @field_validator("catalogue")
    @classmethod
    def _catalogue(cls, value: str | None) -> str | None:
        return None if value is None else parse_slug(value)

    @property
    def ops_team_and_channel(self) -> tuple[str | None, str | None]:
        """The ops channel as (team id or None, channel id or None)."""
        team, _, channel = (self.ops_channel or "").rpartition("/")
        return team or None, channel or None

    @property
    def source_names(self) -> tuple[str, ...]:
        """The brokers to read, without repeats."""
        return tuple(dict.fromkeys(split_list(self.sources)))

    @property
    def reads_treasure_map(self) -> bool:
        """True if others' pointings are read."""
        return self.treasuremap_token is not None and self.treasuremap_url is not None

    @property
    def nearby_windows(self) -> NearbyWindows:
        """The times around an event in which a burst or neutrino counts as near."""
        return NearbyWindows(
            burst_cbc=parse_window(self.nearby_burst_seconds),
            burst_other=parse_window(self.nearby_unmodelled_burst_seconds),
            neutrino=parse_window(self.nearby_neutrino_seconds),
        )

    @property
    def streams_by_topic(self) -> TopicStreams:
        """The stream of messages that each topic brings."""
        return parse_topic_streams(self.topic_streams)

    @property
    def configured_hopskotch_topics(self) -> tuple[ConfiguredTopic, ...]:
        """The topics read on Hopskotch: the URL's, which bring alerts unless a mapping says otherwise."""
        streams = self.streams_by_topic
        # hop takes several topics in one URL.
        in_url = split_list(urlsplit(self.kafka_url).path.strip("/"))
        alerts = [topic for topic in in_url if streams.stream_of(topic) == UNKNOWN_STREAM]
        others = streams.configure(
            [*in_url, *split_list(self.hopskotch_topics), *split_list(self.nearby_topics)]
        )
        return tuple(
            ConfiguredTopic(topic.entry, False) if topic.entry in alerts else topic for topic in others
        )

    @property
    def configured_gcn_topics(self) -> tuple[ConfiguredTopic, ...]:
        """The topics read on GCN, without the heartbeat."""
        named = [*split_list(self.gcn_topics), *split_list(self.nearby_topics)]
        return self.streams_by_topic.configure(topic for topic in named if topic != HEARTBEAT_TOPIC)

    @property
    def configured_topics(self) -> tuple[ConfiguredTopic, ...]:
        """The topics read on all brokers of `sources`."""
        hopskotch = self.configured_hopskotch_topics if "hopskotch" in self.source_names else ()
        return hopskotch + (self.configured_gcn_topics if "gcn" in self.source_names else ())

    @property
    def reads_gcn_heartbeat(self) -> bool:
        """True if the heartbeat watches over GCN's alerts."""
        return HEARTBEAT_TOPIC in split_list(self.gcn_topics)

    @property
    def effective_database_url(self) -> str:
        """The SQLAlchemy URL with an asynchronous driver. Raises SettingsError without a home directory."""
        return asynchronous_url(self.database_url)

    @property
    def effective_http_port(self) -> int | None:
        """The HTTP port; None if nothing is served, so that two bots on one machine don't collide."""
        if self.http_port is None and self.public_url is not None:
            return DEFAULT_HTTP_PORT
        return self.http_port

    @property
    def free_bytes(self) -> int:
        """`free_mb` in bytes."""
        return self.free_mb * 1_000_000

    @property
    def max_age(self) -> timedelta:
        """The greatest age of a notice that opens a root message."""
        return timedelta(hours=self.max_age_hours)

    @property
    def min_up(self) -> timedelta:
        """`observable_minutes` as a time."""
        return timedelta(minutes=self.observable_minutes)

    def should_draw(self, notice: Notice) -> bool:
        """Return True if the sky map of this notice is drawn: real events always, others if configured."""
        return self.mock_pictures or notice.category is Category.REAL

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> Self:
        """Read the environment. Raises SettingsError that names each invalid setting and what it must be."""
        try:
            return cls(_env_file=env_file)  # type: ignore[call-arg]
        except ValidationError as error:
            raise SettingsError(" ".join(_describe_error(detail) for detail in error.errors())) from None
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"{env_file} can't be read as UTF-8 text.") from None

    def slack_access(self) -> SlackAccess:
        """Return the credentials for Slack. Raises SettingsError that names missing settings."""
        return choose_slack_access(self)

    @property
    def token_keys(self) -> tuple[SecretStr, ...]:
        """The keys that encrypt tokens, newest first."""
        given = "" if self.secret_keys is None else self.secret_keys.get_secret_value()
        return tuple(SecretStr(key.strip()) for key in given.split(",") if key.strip())

    @property
    def authorization_url(self) -> str:
        """Slack's page on which a person consents to an installation."""
        return f"{self.slack_api_url.removesuffix('/').removesuffix('/api')}/oauth/v2/authorize"


def secret_setting_names() -> list[str]:
    """Return the settings that may hold a secret; a database URL may contain a password."""
    return [
        str(field.validation_alias or f"GWEVENT_{name.upper()}")
        for name, field in Settings.model_fields.items()
        if not field.repr or "SecretStr" in str(field.annotation)
    ]


def setting_names() -> list[str]:
    """Return the names of all settings as environment variables."""
    return [
        str(field.validation_alias or f"GWEVENT_{name.upper()}")
        for name, field in Settings.model_fields.items()
    ]


def unknown_setting_names(env_file: Path | None = Path(".env")) -> list[str]:
    """Return variables that are probably misspelled settings.

    These are unknown names that begin with GWEVENT_ in the environment or the file, and in the file also
    those that begin with SLACK_ or resemble a setting.
    """
    known = {*setting_names(), *(f"GWEVENT_{name.upper()}" for name in Settings.model_fields)}
    in_file = set(dotenv_values(env_file)) if env_file and env_file.is_file() else set()
    ours = {name for name in in_file | set(os.environ) if name.upper().startswith("GWEVENT_")}
    ours |= {
        name
        for name in in_file
        if name.upper().startswith("SLACK_") or get_close_matches(name.upper(), known, cutoff=0.85)
    }
    return sorted(name for name in ours if name.upper() not in known and name not in NON_SETTING_NAMES)


def _describe_error(detail: object) -> str:
    assert isinstance(detail, dict)
    if not detail["loc"]:
        # An error of several settings together: the sentence names them.
        return f"{str(detail['msg']).removeprefix('Value error, ')}."
    name = str(detail["loc"][0])
    variable = name if name.isupper() else f"GWEVENT_{name.upper()}"
    # The value itself is never shown: it may be a secret.
    return f"{variable} can't be used: {str(detail['msg']).removeprefix('Value error, ')}."
