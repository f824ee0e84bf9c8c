"""compose.yaml: sound by the Compose Specification, and no service has more rights than it needs."""

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.dockerfile import ROOT, read

COMPOSE = ROOT / "deploy" / "compose.yaml"
ROLES = {"migrate", "consume", "serve"}
TOOL = "catalogue"
"""Runs when it is called; the only one that writes catalogues of galaxies."""


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return found


@pytest.mark.slow
def test_keeps_the_compose_specification() -> None:
    check = Path(sysconfig.get_path("scripts")) / "check-jsonschema"
    done = subprocess.run(
        [check, "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_has_the_roles_and_their_database(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", TOOL, *ROLES}
    assert {name: services[name]["command"] for name in ROLES} == {name: [name] for name in ROLES}


def test_nothing_has_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
    for name in {TOOL, *ROLES}:
        assert services[name]["user"] == read()[-1].only("USER").rest
        assert "cap_add" not in services[name]


def test_containers_write_only_to_tmpfs_and_database(services: dict[str, Any]) -> None:
    for name in ROLES:
        folders = {mount.split(":")[0] for mount in services[name]["tmpfs"]}
        assert folders == {"/tmp", read()[-1].only("VOLUME").form[0]}
        assert all(volume["read_only"] for volume in services[name].get("volumes", []))


def test_catalogues_are_written_by_their_tool_alone_and_read_by_what_answers(
    services: dict[str, Any],
) -> None:
    mounts = {
        name: [mount for mount in service.get("volumes", []) if "catalogues" in str(mount)]
        for name, service in services.items()
    }
    [setting] = [one for one in read()[-1].all("ENV") if "GWEVENT_CATALOGUE_DIR" in one.rest]
    folder = re.search(r"GWEVENT_CATALOGUE_DIR=(\S+)", setting.rest)
    assert folder is not None
    assert {name for name, found in mounts.items() if found} == {"serve", TOOL}
    assert mounts["serve"] == [{**mounts[TOOL][0], "read_only": True}]
    assert mounts[TOOL][0]["target"] == folder[1]
    assert services[TOOL]["profiles"] == [TOOL], "it doesn't start with the others"
    assert services[TOOL]["env_file"] == [".env"], "it needs no secret"


def test_services_wait_for_their_dependencies(services: dict[str, Any]) -> None:
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ROLES - {"migrate"}:
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["postgres"]["healthcheck"]["test"]


def test_each_gets_no_secret_but_its_own(services: dict[str, Any]) -> None:
    given = {
        name: {file if isinstance(file, str) else file["path"] for file in services[name]["env_file"]}
        for name in ROLES
    }
    database = {".env", "secrets/database.env"}
    assert given == {
        "migrate": database,
        "consume": database | {"secrets/gcn.env"},
        "serve": database | {"secrets/slack.env"},
    }
    assert [name for name in ROLES if "hop" in str(services[name].get("volumes"))] == ["consume"]
    secrets = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {".env", "deploy/secrets/"} <= set(secrets)


def test_the_database_is_reached_from_inside_alone(services: dict[str, Any]) -> None:
    networks = yaml.safe_load(COMPOSE.read_text("utf-8"))["networks"]
    assert services["postgres"]["networks"] == ["inside"]
    assert networks["inside"] == {"internal": True}
    assert [name for name, service in services.items() if "ports" in service] == []


def test_images_have_a_tag(services: dict[str, Any]) -> None:
    tags = {service["image"].rpartition(":")[2] for service in services.values()}
    assert tags.isdisjoint({"", "latest"})
