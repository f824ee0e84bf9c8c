from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from bot.demo.kafka_broker import EmbeddedBroker, publish
from bot.doctor.kafka import check_kafka
from bot.setting_types.topics import ConfiguredTopic
from formatters.terminal.findings import Finding, Level

TOPIC = "igwn.gwalert"

Receive = Callable[[socket.socket, int], bytes]
Listener = Callable[[Callable[[socket.socket], None]], AbstractContextManager[str]]


def write(path: Path, more: str = "") -> None:
    path.write_text(f'[[auth]]\nusername = "jane"\npassword = "secret"\n{more}')
    path.chmod(0o600)


def hang_up(connection: socket.socket) -> None:
    """Close each connection at once, as a proxy does if the broker behind it is down."""


def say_nothing(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def refuse_login(connection: socket.socket, receive: Receive) -> None:
    """Speak just enough of Kafka's protocol to refuse a PLAIN login."""
    while header := receive(connection, 4):
        request = receive(connection, struct.unpack(">i", header)[0])
        key, version, correlation = struct.unpack_from(">hhi", request)
        if key == 18 and version > 0:
            body = struct.pack(">hi", KafkaError.UNSUPPORTED_VERSION, 0)
        elif key == 18:
            known = [(3, 0, 1), (17, 0, 1), (18, 0, 0), (36, 0, 0)]
            body = struct.pack(">hi", 0, len(known)) + b"".join(struct.pack(">hhh", *api) for api in known)
        elif key == 17:
            body = struct.pack(">hi", 0, 1) + struct.pack(">h", 5) + b"PLAIN"
        else:
            assert key == 36
            reason = b"no such user"
            body = struct.pack(">hh", KafkaError.SASL_AUTHENTICATION_FAILED, len(reason)) + reason
            body += struct.pack(">i", 0)
        connection.sendall(struct.pack(">ii", 4 + len(body), correlation) + body)


def failure(findings: list[Finding]) -> Finding:
    """Return the last finding; it must be the only failure, with advice."""
    assert [finding.level for finding in findings].count(Level.FAIL) == 1
    last = findings[-1]
    assert last.level is Level.FAIL
    assert last.result.endswith(".") and last.advice.endswith((".", "`."))
    return last


@pytest.mark.slow
def test_all_is_well() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        assert check_kafka(broker.url(TOPIC), "off", None)[-1].level is Level.OK
        publish(broker.url(TOPIC), b"one")
        findings = check_kafka(broker.url(TOPIC), "off", None)
        assert {finding.level for finding in findings} == {Level.OK}
        assert [finding.name for finding in findings] == [
            "credential",
            "consumer group",
            "broker",
            "login",
            "topic",
            "group permission",
        ]
        assert findings[-1].result == "gwevent may be used; 1 payload is waiting."


def test_a_url_that_is_none() -> None:
    assert failure(check_kafka("kafka.scimma.org", "off", None)).name == "Kafka URL"


def test_a_missing_credential(auth_file: Path) -> None:
    found = failure(check_kafka("kafka://kafka.scimma.org/igwn.gwalert", "hop", None))
    assert found.name == "credential" and "doesn't exist" in found.result and "hop auth add" in found.advice


def test_a_credential_that_is_there_and_unsafe_is_to_be_corrected_and_not_replaced(auth_file: Path) -> None:
    write(auth_file)
    auth_file.chmod(0o644)
    found = failure(check_kafka("kafka://kafka.scimma.org/igwn.gwalert", "hop", None))
    assert "chmod 600" in found.result and "Get a credential" not in found.advice


def test_a_group_without_the_user_name(auth_file: Path) -> None:
    write(auth_file)
    findings = check_kafka("kafka://127.0.0.1:1/t", "hop", "mine")
    assert findings[1].level is Level.OK, "the documents call it by the machine's name"
    assert findings[1].result == "jane-mine: mine with the credential's user name before it, as SCiMMA asks."


def test_a_name_that_doesnt_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    too_long = "a" * 64
    assert (
        f"{too_long} can't be resolved" in failure(check_kafka(f"kafka://{too_long}/t", "off", None)).result
    )
    # asking a real resolver would leave this machine
    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    assert failure(check_kafka("kafka://kafka.scimma.org/t", "off", None)).result == (
        "The name kafka.scimma.org can't be resolved: Name or service not known."
    )


def test_closed_port_is_reported_as_refusing_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert failure(check_kafka(f"kafka://127.0.0.1:{port}/t", "off", None)).result == (
        f"127.0.0.1 port {port} refuses connections."
    )


@pytest.mark.slow
@pytest.mark.parametrize("serve", [hang_up, say_nothing])
def test_a_listener_that_isnt_a_broker(listener: Listener, serve: Callable[[socket.socket], None]) -> None:
    with listener(serve) as address:
        found = failure(check_kafka(f"kafka://{address}/t", "off", None, timeout=1.0))
    assert found.name == "login" and "doesn't answer Kafka's questions" in found.result


@pytest.mark.slow
@pytest.mark.parametrize("serve", [hang_up, say_nothing])
def test_a_broker_without_tls(
    listener: Listener, auth_file: Path, serve: Callable[[socket.socket], None]
) -> None:
    write(auth_file)
    with listener(serve) as address:
        found = failure(check_kafka(f"kafka://{address}/t", "hop", None, timeout=1.0))
    assert found.name == "TLS" and "doesn't speak TLS" in found.result


@pytest.mark.slow
def test_refused_credential_differs_from_an_unreachable_broker(
    listener: Listener, receive: Receive, auth_file: Path
) -> None:
    write(auth_file, 'protocol = "SASL_PLAINTEXT"\nmechanism = "PLAIN"\n')
    with listener(lambda connection: refuse_login(connection, receive)) as address:
        found = failure(check_kafka(f"kafka://{address}/t", "hop", None))
        assert found.name == "login" and "refuses the credential" in found.result
        assert "`hop auth remove jane`, then `hop auth add`" in found.advice, "two for one broker are refused"
        assert "no such user" in found.result
    with listener(hang_up) as address:
        found = failure(check_kafka(f"kafka://{address}/t", "hop", None, timeout=1.0))
        assert found.name == "login" and "doesn't answer Kafka's questions" in found.result


@pytest.mark.slow
def test_tls(listener: Listener, receive: Receive, auth_file: Path, certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            refuse_login(secured, receive)

    with listener(serve) as address:
        url = f"kafka://{address}/t"
        write(auth_file, 'mechanism = "PLAIN"\n')
        found = failure(check_kafka(url, "hop", None))
        assert found.name == "TLS" and "isn't trusted: self" in found.result
        write(auth_file, f'mechanism = "PLAIN"\nssl_ca_location = "{certificate[0]}"\n')
        findings = check_kafka(url, "hop", None)
        assert "The broker's certificate is good" in findings[-2].result
        assert "refuses the credential" in failure(findings).result
        # a user name and password without TLS, to a broker that wants it
        found = failure(check_kafka(url, "off", None, timeout=1.0))
        assert found.name == "login" and "may want a credential" in found.advice


@pytest.mark.slow
def test_a_group_that_may_not_be_used() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        broker.refuse_next(9, KafkaError.GROUP_AUTHORIZATION_FAILED)
        found = failure(check_kafka(broker.url(TOPIC), "off", "other"))
    assert found.result == "The credential may not use the consumer group other."


@pytest.mark.slow
def test_a_topic_that_is_shown_but_may_not_be_read() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        publish(broker.url(TOPIC), b"one")
        broker.refuse_next(1, *[KafkaError.TOPIC_AUTHORIZATION_FAILED] * 10)
        found = failure(check_kafka(broker.url(TOPIC), "off", None))
    assert found.result == "The credential may not read igwn.gwalert."


def test_an_absent_topic() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        found = failure(check_kafka(broker.url("igwn.gwalerts"), "off", None))
    assert found.name == "topic" and "has no topic igwn.gwalerts" in found.result
    assert found.advice.startswith("Did you mean igwn.gwalert? ")


@pytest.mark.slow
def test_a_topic_that_may_not_be_read() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        broker.refuse_topic(TOPIC, KafkaError.TOPIC_AUTHORIZATION_FAILED)
        found = failure(check_kafka(broker.url(TOPIC), "off", None))
    assert found.result == "The credential may not read igwn.gwalert." and "within an hour" in found.advice


@pytest.mark.slow
def test_each_optional_topic_is_tried_and_never_fails() -> None:
    with EmbeddedBroker() as broker:
        for topic in (TOPIC, "gcn.circulars", "gcn.denied", "hermes.a", "hermes.b"):
            broker.create_topic(topic)
        publish(broker.url("gcn.circulars"), b"{}", "json")
        broker.refuse_topic("gcn.denied", KafkaError.TOPIC_AUTHORIZATION_FAILED)
        names = ["gcn.circulars", "gcn.circular", "gcn.denied", "hermes.*", "none.*"]
        topics = [ConfiguredTopic(TOPIC, False), *(ConfiguredTopic(name, True) for name in names)]
        found = check_kafka(broker.url(TOPIC), "off", None, 10.0, topics)
    told = {finding.result: (finding.level, finding.advice or "") for finding in found[-6:]}
    assert [level for level, _ in told.values()] == [
        Level.OK,
        Level.OK,
        Level.WARN,
        Level.WARN,
        Level.OK,
        Level.WARN,
    ]
    group, circulars, absent, denied, hermes, none = told
    assert "may be used" in group
    assert circulars == "gcn.circulars can be read; it holds messages, the newest 0 min old."
    assert absent == (
        "The broker has no topic gcn.circular, or doesn't show it to this credential (optional: the alerts"
        " come without it)."
    )
    assert told[absent][1].startswith(
        "Did you mean gcn.circulars? Check the spelling in GWEVENT_HOPSKOTCH_TOPICS and"
        " GWEVENT_NEARBY_TOPICS."
    )
    assert told[absent][1].endswith("Or take it out of the settings.")
    assert denied == "The credential may not read gcn.denied (optional: the alerts come without it)."
    assert hermes == "hermes.* stands for hermes.a, hermes.b."
    assert none == "The broker shows no topic that fits none.* (optional: the alerts come without it)."
