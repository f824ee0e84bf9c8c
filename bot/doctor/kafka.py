"""Checks of the Kafka broker, the credential and the topic.

Kafka's client reports a refused credential, a wrong certificate and a broker that is down alike as "no
answer", so each layer is tried on its own: settings, name, TCP, TLS, login, topic, group.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from hop.auth import Auth

from bot.alerts.decode import decode
from bot.alerts.payload import UndecodablePayload
from bot.setting_types.topics import ConfiguredTopic
from bot.sources.base import SourceConfigError
from bot.sources.credentials import (
    AuthMode,
    KafkaUrl,
    NoCredential,
    auth_username,
    consumer_group,
    load_auth,
)
from formatters.terminal.findings import Finding, Level

AUTHENTICATION_ERRORS = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})

CREDENTIALS_URL = "https://my.hop.scimma.org"
"""The site that manages SCiMMA's credentials and their permissions."""

MAX_CHECKED = 5
"""Most topics of a pattern that are tried."""

PERMISSION_ADVICE = (
    f"Give the credential read permission for it at {CREDENTIALS_URL}; that takes effect within an hour."
)


def check_kafka(
    url: str,
    auth_mode: AuthMode,
    group: str | None,
    timeout: float = 10.0,
    topics: Sequence[ConfiguredTopic] = (),
) -> list[Finding]:
    """Test the connection to the topics step by step; return the findings up to the first failure.

    `url`, `auth_mode` and `group` are the settings as the user gave them; `topics` are those that are read,
    without them the URL's; `timeout` in seconds is for each step. Blocks; changes nothing on the broker and
    consumes nothing in the reader's group.
    """
    try:
        kafka_url = KafkaUrl.parse(url)
    except SourceConfigError as error:
        return [Finding("Kafka URL", Level.FAIL, str(error), "Correct GWEVENT_KAFKA_URL.")]
    try:
        auth = load_auth(url, auth_mode)
    except NoCredential as error:
        advice = f"Get a credential at {CREDENTIALS_URL} and store it with `hop auth add`."
        return [Finding("credential", Level.FAIL, str(error), advice)]
    except SourceConfigError as error:
        advice = "Correct it as the user that gwevent runs as; `hop auth list` shows what is stored."
        return [Finding("credential", Level.FAIL, str(error), advice)]
    username = auth_username(auth)
    findings = [_check_credential(username), _check_group_name(username, group)]
    steps: tuple[Callable[[], Finding | None], ...] = (
        lambda: _check_dns(kafka_url),
        lambda: _check_tcp(kafka_url, timeout),
        lambda: _check_tls(kafka_url, auth, timeout),
    )
    for step in steps:
        finding = step()
        if finding is not None:
            findings.append(finding)
            if finding.level is Level.FAIL:
                return findings
    topics = topics or [ConfiguredTopic(topic, is_optional=False) for topic in kafka_url.topics]
    return findings + _check_broker(kafka_url, auth, topics, consumer_group(username, group), timeout)


def _check_credential(username: str | None) -> Finding:
    if username is None:
        return Finding("credential", Level.OK, "None is used, as GWEVENT_KAFKA_AUTH says.")
    return Finding("credential", Level.OK, f"hop's auth.toml has {username} for this broker.")


def _check_group_name(username: str | None, setting: str | None) -> Finding:
    used = consumer_group(username, setting)
    if setting and used != setting:
        # As the documents advise: the group is called by the machine's or pod's name.
        found = f"{used}: {setting} with the credential's user name before it, as SCiMMA asks."
        return Finding("consumer group", Level.OK, found)
    return Finding("consumer group", Level.OK, f"{used}.")


def _check_dns(kafka_url: KafkaUrl) -> Finding | None:
    try:
        socket.getaddrinfo(kafka_url.host, kafka_url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Finding(
            "broker",
            Level.FAIL,
            f"The name {kafka_url.host} can't be resolved: {_reason(error)}.",
            "Check the spelling in GWEVENT_KAFKA_URL and this machine's DNS.",
        )
    return None


def _check_tcp(kafka_url: KafkaUrl, timeout: float) -> Finding:
    target = f"{kafka_url.host} port {kafka_url.port}"
    try:
        socket.create_connection((kafka_url.host, kafka_url.port), timeout).close()
    except ConnectionRefusedError:
        return Finding(
            "broker", Level.FAIL, f"{target} refuses connections.", "Check the port; the broker may be down."
        )
    except TimeoutError:
        return Finding(
            "broker",
            Level.FAIL,
            f"{target} doesn't answer within {timeout:g} s.",
            f"Let outgoing TCP connections to port {kafka_url.port} through the firewall.",
        )
    except OSError as error:
        return Finding(
            "broker",
            Level.FAIL,
            f"{target} can't be reached: {_reason(error)}.",
            "Check this machine's network.",
        )
    return Finding("broker", Level.OK, f"{target} accepts connections.")


def _check_tls(kafka_url: KafkaUrl, auth: Auth | bool, timeout: float) -> Finding | None:
    if isinstance(auth, bool) or not auth.ssl:
        return None
    context = ssl.create_default_context(cafile=auth.ssl_ca_location)
    try:
        with (
            socket.create_connection((kafka_url.host, kafka_url.port), timeout) as connection,
            context.wrap_socket(connection, server_hostname=kafka_url.host) as secured,
        ):
            return Finding("TLS", Level.OK, f"The broker's certificate is good ({secured.version()}).")
    except ssl.SSLCertVerificationError as error:
        return Finding(
            "TLS",
            Level.FAIL,
            f"The broker's certificate isn't trusted: {error.verify_message.rstrip('.')}.",
            "Correct ssl_ca_location in hop's auth.toml, or ask who runs the network about a TLS proxy.",
        )
    except OSError as error:
        return Finding(
            "TLS",
            Level.FAIL,
            f"{kafka_url.broker} doesn't speak TLS: {_reason(error)}.",
            "Check the port; a broker without TLS needs GWEVENT_KAFKA_AUTH=off or protocol SASL_PLAINTEXT.",
        )


def _reason(error: OSError | UnicodeError) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".")


def _check_broker(
    kafka_url: KafkaUrl, auth: Auth | bool, topics: Sequence[ConfiguredTopic], group: str, timeout: float
) -> list[Finding]:
    errors: list[KafkaError] = []
    options: dict[str, Any] = {
        "bootstrap.servers": kafka_url.broker,
        "group.id": group,
        "error_cb": errors.append,
        "enable.auto.commit": False,
        # the end-of-partition event of an empty topic shows that it can be read
        "enable.partition.eof": True,
        "log_level": 2,
        **({} if isinstance(auth, bool) else auth()),
    }
    consumer = Consumer(options)
    try:
        shown = _list_topics(consumer, errors, timeout)
        if shown is None:
            return [_unanswered(kafka_url, auth, errors, timeout)]
        findings = [Finding("login", Level.OK, f"{kafka_url.broker} answers.")]
        required = tuple(topic.entry for topic in topics if not topic.is_optional)
        for name in required:
            findings.append(_check_topic(consumer, name, shown, timeout))
        if all(finding.level is Level.OK for finding in findings):
            findings.append(_check_group_permission(consumer, required, group, timeout))
        for topic in topics:
            if topic.is_optional:
                findings += _check_optional_topic(consumer, topic, shown, timeout)
        return findings
    finally:
        consumer.close()


def _list_topics(consumer: Consumer, errors: list[KafkaError], timeout: float) -> frozenset[str] | None:
    """Return the topics that the broker shows; None if it did not answer or refused."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        # the client reports errors in poll only, not during a metadata request
        consumer.poll(0.05)
        if any(error.code() in AUTHENTICATION_ERRORS for error in errors):
            return None
        try:
            return frozenset(consumer.list_topics(timeout=min(1.0, timeout)).topics)
        except KafkaException as error:
            errors.append(error.args[0])
    consumer.poll(0.05)
    return None


def _unanswered(kafka_url: KafkaUrl, auth: Auth | bool, errors: list[KafkaError], timeout: float) -> Finding:
    for error in errors:
        if error.code() in AUTHENTICATION_ERRORS:
            old = auth_username(auth) or "USERNAME"
            return Finding(
                "login",
                Level.FAIL,
                f"{kafka_url.broker} refuses the credential: {error.str()}.",
                f"Check it at {CREDENTIALS_URL}. If it was revoked, put a new one in its place: "
                f"`hop auth remove {old}`, then `hop auth add`.",
            )
    reason = next((error.str() for error in errors if error.code() == KafkaError._SSL), "")
    if isinstance(auth, bool):
        advice = "The broker may want a credential (GWEVENT_KAFKA_AUTH=hop), or the port isn't Kafka's."
    else:
        advice = (
            "The broker may be down, or the port isn't Kafka's; a credential just made works within minutes."
        )
    return Finding(
        "login",
        Level.FAIL,
        f"{kafka_url.broker} accepts connections but doesn't answer Kafka's questions within {timeout:g} s"
        f"{': ' + reason if reason else ''}.",
        advice,
    )


def _check_topic(
    consumer: Consumer, topic: str, shown: frozenset[str], timeout: float, *, brings_alerts: bool = True
) -> Finding:
    try:
        found = consumer.list_topics(topic, timeout=timeout).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        number = min(found.partitions)
        low, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=timeout)
        # describing a topic and reading it are different permissions: ask for the newest payload
        consumer.assign([TopicPartition(topic, number, max(low, end - 1))])
        message = consumer.poll(timeout)
        consumer.unassign()
        refusal = KafkaError(KafkaError._TIMED_OUT) if message is None else message.error()
        if refusal is not None and refusal.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(refusal)
    except KafkaException as error:
        cause: KafkaError = error.args[0]
        if cause.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return Finding("topic", Level.FAIL, f"The credential may not read {topic}.", PERMISSION_ADVICE)
        if cause.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            near = get_close_matches(topic, shown, n=1)
            meant = f"Did you mean {near[0]}? " if near else ""
            setting = (
                "GWEVENT_KAFKA_URL" if brings_alerts else "GWEVENT_HOPSKOTCH_TOPICS and GWEVENT_NEARBY_TOPICS"
            )
            return Finding(
                "topic",
                Level.FAIL,
                f"The broker has no topic {topic}, or doesn't show it to this credential.",
                f"{meant}Check the spelling in {setting}. {PERMISSION_ADVICE}",
            )
        return Finding(
            "topic", Level.FAIL, f"{topic} can't be read: {cause.str()}.", "Try again in a few minutes."
        )
    newest = ""
    if message is not None and message.error() is None:
        newest = _describe_newest(message, brings_alerts=brings_alerts)
    return Finding("topic", Level.OK, f"{topic} can be read{newest}.")


def _check_optional_topic(
    consumer: Consumer, topic: ConfiguredTopic, shown: frozenset[str], timeout: float
) -> list[Finding]:
    """Return whether a topic that brings no alerts is read, and of a pattern each that isn't."""
    found = [name for name in sorted(shown) if topic.matches(name)]
    if not topic.is_pattern:
        findings = [_check_topic(consumer, topic.entry, shown, timeout, brings_alerts=False)]
    elif found:
        findings = [
            _check_topic(consumer, name, shown, timeout, brings_alerts=False) for name in found[:MAX_CHECKED]
        ]
        failed = [finding for finding in findings if finding.level is not Level.OK]
        named = ", ".join(found[:MAX_CHECKED]) + (" …" if len(found) > MAX_CHECKED else "")
        findings = failed or [Finding("topic", Level.OK, f"{topic.entry} stands for {named}.")]
    else:
        result = f"The broker shows no topic that fits {topic.entry}"
        findings = [Finding("topic", Level.FAIL, f"{result}.", PERMISSION_ADVICE)]
    return [_as_optional(finding) for finding in findings]


def _as_optional(finding: Finding) -> Finding:
    if finding.level is Level.OK:
        return finding
    result = f"{finding.result.rstrip('.')} (optional: the alerts come without it)."
    advice = f"{finding.advice or ''} Or take it out of the settings.".strip()
    return replace(finding, level=Level.WARN, result=result, advice=advice)


def _describe_newest(message: Message, *, brings_alerts: bool) -> str:
    """Describe the newest message, and its age by the broker's clock; nothing is acknowledged."""
    kind, created_ms = message.timestamp()
    age_s = time.time() - created_ms / 1000
    minutes = f", {age_s / 60:,.0f} min old" if kind != TIMESTAMP_NOT_AVAILABLE and age_s >= 0 else ""
    if age_s < -60:
        minutes = f", {-age_s / 60:,.0f} min in the future: is this machine's clock right?"
    if not brings_alerts:
        return f"; it holds messages{minutes.replace(', ', ', the newest ', 1)}"
    try:
        notice = decode(message.value() or b"")
    except UndecodablePayload:
        return f"; the newest message{minutes} is no notice that gwevent reads"
    return f"; the newest message is {notice.superevent_id} {notice.alert_type}{minutes}"


def _check_group_permission(
    consumer: Consumer, topics: tuple[str, ...], group: str, timeout: float
) -> Finding:
    waiting = 0
    try:
        places = [
            TopicPartition(topic, number)
            for topic in topics
            for number in consumer.list_topics(topic, timeout=timeout).topics[topic].partitions
        ]
        for place in consumer.committed(places, timeout=timeout):
            if place.error is not None:
                raise KafkaException(place.error)
            low, high = consumer.get_watermark_offsets(place, timeout=timeout)
            waiting += high - max(low, place.offset)
    except KafkaException as error:
        cause: KafkaError = error.args[0]
        if cause.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return Finding(
                "group permission",
                Level.FAIL,
                f"The credential may not use the consumer group {group}.",
                "It must begin with the user name, which gwevent puts before GWEVENT_KAFKA_GROUP by itself."
                f" If it does, look at the credential's permissions at {CREDENTIALS_URL}.",
            )
        return Finding(
            "group permission",
            Level.FAIL,
            f"The group {group} can't be asked for: {cause.str()}.",
            "Try again in a few minutes.",
        )
    return Finding("group permission", Level.OK, f"{group} may be used; {_payloads(waiting)}.")


def _payloads(waiting: int) -> str:
    return "1 payload is waiting" if waiting == 1 else f"{waiting:,} payloads are waiting"
