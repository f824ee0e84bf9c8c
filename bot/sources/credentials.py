"""The broker's URL, the credential for it, and the consumer group."""

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


class NoCredential(SourceConfigError):
    """No credential is stored for the broker; the message says where it was looked for."""


@dataclass(frozen=True, slots=True)
class KafkaUrl:
    """kafka://[username@]host[:port]/topic[,topic…], as hop writes it."""

    username: str | None
    """The user name that selects one of several credentials for the broker."""
    broker: str
    """host or host:port."""
    topics: tuple[str, ...]

    @property
    def host(self) -> str:
        """Return the broker's host name or address, without its port."""
        return urlsplit(f"//{self.broker}").hostname or ""

    @property
    def port(self) -> int:
        """Return the broker's port, 9092 (Kafka's default) if the URL has none."""
        return urlsplit(f"//{self.broker}").port or 9092

    @property
    def without_username(self) -> str:
        """Return the URL without the user name, for a reader that has its credential already."""
        return f"kafka://{self.broker}/{','.join(self.topics)}"

    @staticmethod
    def parse(url: str) -> KafkaUrl:
        """Parse a URL. Raises SourceConfigError if it names no broker, several, or no topic."""
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
    """Raise SourceConfigError if hop can't find its configuration folder: it opens no connection then."""
    if "XDG_CONFIG_HOME" not in os.environ and "HOME" not in os.environ:
        raise SourceConfigError(
            "Neither HOME nor XDG_CONFIG_HOME is set, so hop can't find its configuration; set one of them."
        )


def load_auth(url: str, mode: AuthMode) -> Auth | bool:
    """Return the credential in hop's auth.toml for the URL's broker, or False for mode "off".

    Raises NoCredential if there is none, SourceConfigError for an ambiguous, unreadable or unsafe one.
    """
    kafka_url = KafkaUrl.parse(url)
    require_config_home()
    if mode == "off":
        return False
    path = Path(get_config_path("auth"))
    try:
        credential = select_matching_auth(read_credentials(), kafka_url.broker, kafka_url.username)
    except FileNotFoundError as error:
        raise NoCredential(
            f"There is no credential for {kafka_url.broker}: {path} doesn't exist; run `hop auth add`."
        ) from error
    except OSError as error:
        raise SourceConfigError(f"{path} can't be read: {error.strerror}.") from error
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise _auth_error(error, path, kafka_url) from error
    certificates = credential.ssl_ca_location
    if certificates is not None and not Path(certificates).is_file():
        raise SourceConfigError(f"{path} names the CA file {certificates}, which doesn't exist.")
    return credential


def consumer_group(username: str | None, setting: str | None) -> str:
    """Return the consumer group, which is the same after every restart, prefixed with the user name.

    SCiMMA allows a credential only groups that begin with its own user name.
    """
    name = setting or DEFAULT_GROUP
    if username is None or name == username or name.startswith(f"{username}-"):
        return name
    return f"{username}-{name}"


def auth_username(auth: Auth | bool) -> str | None:
    """Return the credential's user name, None without a credential."""
    return None if isinstance(auth, bool) else str(auth.username)


def _auth_error(error: Exception, path: Path, kafka_url: KafkaUrl) -> SourceConfigError:
    message = " ".join(str(error).split())
    if "unsafe permissions" in message:
        return SourceConfigError(f"{path} can be read by others, so hop refuses it; run `chmod 600 {path}`.")
    if message.startswith("No matching credential"):
        user = f" and the user name {kafka_url.username}" if kafka_url.username else ""
        return NoCredential(f"{path} has no credential for {kafka_url.broker}{user}; run `hop auth add`.")
    if message.startswith("Ambiguous"):
        return SourceConfigError(
            f"{path} has several credentials for {kafka_url.broker}; choose one in the URL: "
            f"kafka://USERNAME@{kafka_url.broker}/{','.join(kafka_url.topics)}."
        )
    return SourceConfigError(f"{path} isn't a list of credentials as `hop auth add` writes it: {message}.")
