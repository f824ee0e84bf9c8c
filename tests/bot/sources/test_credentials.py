import os
from pathlib import Path

import pytest
from hop.auth import Auth

from bot.sources.base import SourceConfigError
from bot.sources.credentials import KafkaUrl, auth_username, consumer_group, load_auth

URL = "kafka://kafka.scimma.org/igwn.gwalert"
ENTRY = '[[auth]]\nusername = "{}"\npassword = "secret"\nhostname = "{}"\n'


def write(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)


def complaint(url: str = URL) -> str:
    with pytest.raises(SourceConfigError) as caught:
        load_auth(url, "hop")
    words = str(caught.value)
    assert "\n" not in words and words.endswith(".")
    return words


def test_picks_the_credential_of_the_broker(auth_file: Path) -> None:
    write(
        auth_file, ENTRY.format("other", "kafka.example.org") + ENTRY.format("jane", "kafka.scimma.org:9092")
    )
    credential = load_auth(URL, "hop")
    assert isinstance(credential, Auth)
    assert auth_username(credential) == "jane"
    assert credential()["sasl.mechanism"] == "SCRAM-SHA-512"


def test_picks_the_user_that_the_url_names(auth_file: Path) -> None:
    write(auth_file, ENTRY.format("jane", "kafka.scimma.org") + ENTRY.format("joe", "kafka.scimma.org"))
    assert auth_username(load_auth("kafka://joe@kafka.scimma.org/igwn.gwalert", "hop")) == "joe"
    assert complaint() == (
        f"{auth_file} has several credentials for kafka.scimma.org; choose one in the URL: "
        "kafka://USERNAME@kafka.scimma.org/igwn.gwalert."
    )


def test_off_needs_no_file(auth_file: Path) -> None:
    assert load_auth(URL, "off") is False
    assert auth_username(False) is None


def test_missing_credential_is_reported_with_the_remedy(auth_file: Path) -> None:
    assert complaint() == (
        f"There is no credential for kafka.scimma.org: {auth_file} doesn't exist; run `hop auth add`."
    )
    write(auth_file, ENTRY.format("jane", "kafka.example.org"))
    assert complaint() == f"{auth_file} has no credential for kafka.scimma.org; run `hop auth add`."
    assert "and the user name joe" in complaint("kafka://joe@kafka.scimma.org/igwn.gwalert")


def test_says_that_others_can_read_the_file(auth_file: Path) -> None:
    write(auth_file, ENTRY.format("jane", "kafka.scimma.org"), 0o644)
    assert complaint() == (
        f"{auth_file} can be read by others, so hop refuses it; run `chmod 600 {auth_file}`."
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file: run it as another user")
def test_says_that_the_file_cant_be_read(auth_file: Path) -> None:
    write(auth_file, ENTRY.format("jane", "kafka.scimma.org"), 0o000)
    assert complaint() == f"{auth_file} can't be read: Permission denied."


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "",
        "auth = 3",
        "auth = ['x']",
        '[[auth]]\nusername = "jane"\n',
        ENTRY.format("jane", "kafka.scimma.org") + 'mechanism = "NONE"\n',
    ],
)
def test_says_that_the_file_is_no_list_of_credentials(auth_file: Path, text: str) -> None:
    write(auth_file, text)
    assert complaint().startswith(f"{auth_file} isn't a list of credentials as `hop auth add` writes it: ")


def test_says_that_the_certificates_are_missing(auth_file: Path) -> None:
    write(auth_file, ENTRY.format("jane", "kafka.scimma.org") + 'ssl_ca_location = "/nowhere/ca.pem"\n')
    assert complaint() == f"{auth_file} names the CA file /nowhere/ca.pem, which doesn't exist."


def test_says_that_hop_has_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(SourceConfigError, match=r"^Neither HOME nor XDG_CONFIG_HOME is set"):
        load_auth(URL, "off")


@pytest.mark.parametrize(
    ("username", "setting", "group"),
    [
        ("jane-1a2b", None, "jane-1a2b-gwevent"),
        ("jane-1a2b", "", "jane-1a2b-gwevent"),
        ("jane-1a2b", "test", "jane-1a2b-test"),
        ("jane-1a2b", "jane-1a2b-test", "jane-1a2b-test"),
        ("jane", "janet-test", "jane-janet-test"),
        (None, None, "gwevent"),
        (None, "mine", "mine"),
    ],
)
def test_the_group_has_the_user_name_in_front(username: str | None, setting: str | None, group: str) -> None:
    assert consumer_group(username, setting) == group


def test_reads_a_url() -> None:
    url = KafkaUrl.parse("kafka://j%40ne@kafka.scimma.org:9093/a,b")
    assert (url.username, url.broker, url.host, url.port) == (
        "j@ne",
        "kafka.scimma.org:9093",
        "kafka.scimma.org",
        9093,
    )
    assert url.without_username == "kafka://kafka.scimma.org:9093/a,b"
    assert KafkaUrl.parse(URL).port == 9092
    assert KafkaUrl.parse("kafka://[::1]:9093/a").host == "::1"


@pytest.mark.parametrize(
    "url",
    ["http://host/topic", "kafka://host", "kafka://host/", "kafka:///topic", "kafka://host:x/topic", "",
     "kafka://host/a,,b", "kafka://[::1/a"],
)  # fmt: skip
def test_invalid_kafka_url_is_refused(url: str) -> None:
    with pytest.raises(
        SourceConfigError, match=r"isn't a Kafka URL; write it as kafka://host\[:port\]/topic\.$"
    ):
        KafkaUrl.parse(url)


def test_refuses_several_brokers() -> None:
    with pytest.raises(SourceConfigError, match="names 2 brokers"):
        KafkaUrl.parse("kafka://a:1,b:2/topic")
