"""Which broker, with which credential, in which consumer group."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from adc.kafka import parse_kafka_url
from hop.auth import Auth, select_matching_auth
from hop.auth import load_auth as read_credentials
from hop.configure import get_config_path

from bot.sources.base import SourceConfigError

AuthMode = Literal["hop", "off"]

DEFAULT_GROUP = "gwevent"


@dataclass(frozen=True, slots=True)
class KafkaUrl:
    """kafka://[username@]host[:port]/topic[,topic…], as hop writes it."""

    username: str | None
    """Chooses among several credentials for one broker."""
    broker: str
    """host or host:port."""
    topics: tuple[str, ...]

    @property
    def host(self) -> str:
        """The broker's name or address without its port."""
        return urlsplit(f"//{self.broker}").hostname or ""

    @property
    def port(self) -> int:
        """The broker's port; Kafka's own is 9092."""
        return urlsplit(f"//{self.broker}").port or 9092

    @property
    def without_username(self) -> str:
        """The URL without a username, for a reader that has its credential already."""
        return f"kafka://{self.broker}/{','.join(self.topics)}"

    @staticmethod
    def parse(url: str) -> KafkaUrl:
        """Read a URL. Raises SourceConfigError if it names no broker, several, or no topic."""
        try:
            username, brokers, topics = parse_kafka_url(url)
            parsed = KafkaUrl(unquote(username) if username else None, brokers[0], tuple(topics or ()))
            whole = bool(parsed.host) and parsed.port > 0 and all(parsed.topics) and bool(parsed.topics)
        except ValueError:
            whole = False
        if not whole:
            raise SourceConfigError(f"{url!r} isn't a Kafka URL; write it as kafka://host[:port]/topic.")
        if len(brokers) > 1:
            raise SourceConfigError(f"{url!r} names {len(brokers)} brokers; hop takes one, so name one.")
        return parsed


def require_config_home() -> None:
    """Raise SourceConfigError where hop can't tell its configuration folder: it would open nothing."""
    if "XDG_CONFIG_HOME" not in os.environ and "HOME" not in os.environ:
        raise SourceConfigError(
            "Neither HOME nor XDG_CONFIG_HOME is set, so hop can't find its configuration; set one of them."
        )


def load_auth(url: str, mode: AuthMode) -> Auth | bool:
    """Return the credential of hop's auth.toml that fits the URL's broker, or False for mode "off".

    Raises SourceConfigError, in one sentence, for a missing, ambiguous, unreadable or unsafe credential.
    """
    place = KafkaUrl.parse(url)
    require_config_home()
    if mode == "off":
        return False
    path = Path(get_config_path("auth"))
    try:
        credential = select_matching_auth(read_credentials(), place.broker, place.username)
    except FileNotFoundError as error:
        raise SourceConfigError(
            f"There is no credential for {place.broker}: {path} doesn't exist; run `hop auth add`."
        ) from error
    except OSError as error:
        raise SourceConfigError(f"{path} can't be read: {error.strerror}.") from error
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise SourceConfigError(_describe_auth_error(error, path, place)) from error
    certificates = credential.ssl_ca_location
    if certificates is not None and not Path(certificates).is_file():
        raise SourceConfigError(f"{path} names the CA file {certificates}, which doesn't exist.")
    return credential


def consumer_group(username: str | None, setting: str | None) -> str:
    """Return the consumer group: the same after every restart, with the credential's user name in front.

    SCiMMA lets a credential use only groups that begin with its own name.
    """
    name = setting or DEFAULT_GROUP
    if username is None or name == username or name.startswith(f"{username}-"):
        return name
    return f"{username}-{name}"


def auth_username(auth: Auth | bool) -> str | None:
    """Return the credential's user name; None without a credential."""
    return None if isinstance(auth, bool) else str(auth.username)


def _describe_auth_error(error: Exception, path: Path, place: KafkaUrl) -> str:
    words = " ".join(str(error).split())
    if "unsafe permissions" in words:
        return f"{path} can be read by others, so hop refuses it; run `chmod 600 {path}`."
    if words.startswith("No matching credential"):
        who = f" and the user name {place.username}" if place.username else ""
        return f"{path} has no credential for {place.broker}{who}; run `hop auth add`."
    if words.startswith("Ambiguous"):
        return (
            f"{path} has several credentials for {place.broker}; choose one in the URL: "
            f"kafka://USERNAME@{place.broker}/{','.join(place.topics)}."
        )
    return f"{path} isn't a list of credentials as `hop auth add` writes it: {words}."
