"""The manifests of deploy/kubernetes: sound by Kubernetes's schemas, and no container has needless rights."""

import json
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from hop.auth import load_auth

from bot import __version__
from tests.deploy.dockerfile import ROOT, read

FOLDER = ROOT / "deploy" / "kubernetes"
EXAMPLE = FOLDER / "secrets.example.yaml"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
MANIFESTS = [FOLDER / name for name in KUSTOMIZATION["resources"]]
CATALOGUE = FOLDER / "catalogue"
"""A component that isn't part of the whole unless it is named there."""
Resource = dict[str, Any]


def resources(path: Path) -> list[Resource]:
    return [one for one in yaml.safe_load_all(path.read_text("utf-8")) if one]


ALL = [one for path in MANIFESTS for one in resources(path)]
WORK = {one["metadata"]["name"]: one for one in ALL if one["kind"] in ("Deployment", "StatefulSet", "Job")}
PODS = {name: one["spec"]["template"] for name, one in WORK.items()}
CONTAINERS = [
    (f"{name}/{container['name']}", container)
    for name, pod in PODS.items()
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
]


def the(kind: str, name: str) -> Resource:
    [one] = [one for one in ALL if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return one


@pytest.mark.slow
def test_keep_the_schemas_of_kubernetes() -> None:
    validate = Path(sysconfig.get_path("scripts")) / "kubernetes-validate"
    done = subprocess.run(
        [
            validate,
            "--strict",
            "--quiet",
            *MANIFESTS,
            EXAMPLE,
            CATALOGUE / "volume.yaml",
            CATALOGUE / "fetch.yaml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_is_part_of_the_whole() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"secrets.yaml"}
    assert files == {"kustomization.yaml", EXAMPLE.name, *KUSTOMIZATION["resources"]}


def test_kustomize_puts_them_together() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl here (https://kubernetes.io/docs/tasks/tools)")
    done = subprocess.run([kubectl, "kustomize", FOLDER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert len(made) == len(ALL) + 1, "the settings besides"
    assert {one["metadata"].get("namespace", "gwevent") for one in made} == {"gwevent"}


def test_the_catalogues_component_writes_in_one_pod_and_reads_in_the_servers() -> None:
    component = yaml.safe_load((CATALOGUE / "kustomization.yaml").read_text("utf-8"))
    named = {*component["resources"], *(one["path"] for one in component["patches"])}
    assert {path.name for path in CATALOGUE.iterdir()} == {"kustomization.yaml", *named}
    [claim] = resources(CATALOGUE / "volume.yaml")
    [server] = resources(CATALOGUE / "server.yaml")
    [job] = resources(CATALOGUE / "fetch.yaml")
    writer = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    reader = server["spec"]["template"]["spec"]
    usual = PODS["gwevent-migrate"]["spec"]
    assert server["metadata"]["name"] in PODS and claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert writer["securityContext"] == usual["securityContext"]
    assert writer["containers"][0]["securityContext"] == usual["containers"][0]["securityContext"]
    for pod in (writer, reader):
        [volume] = [one for one in pod["volumes"] if one["name"] == "catalogues"]
        assert volume["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
        [mount] = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "catalogues"]
        assert f"GWEVENT_CATALOGUE_DIR={mount['mountPath']}" in (ROOT / "deploy/Dockerfile").read_text()
        assert mount.get("readOnly", False) is (pod is reader)


def test_the_image_is_of_this_version() -> None:
    [image] = KUSTOMIZATION["images"]
    assert image["newTag"] == __version__
    assert {container["image"] for _, container in CONTAINERS} == {image["name"]}


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_pods_are_not_root_and_know_nothing_of_kubernetes(pod: Resource) -> None:
    uid, gid = map(int, read()[-1].only("USER").rest.split(":"))
    assert pod["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": gid,
        "fsGroup": gid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("container", [c for _, c in CONTAINERS], ids=[name for name, _ in CONTAINERS])
def test_containers_have_no_right_too_many_and_a_limit(container: Resource) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} == set(container["resources"])
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", ["gwevent-consumer", "gwevent-server"])
def test_services_are_watched_doubled_and_found(name: str) -> None:
    [container] = PODS[name]["spec"]["containers"]
    port = int(
        dict(line.split("=") for line in (FOLDER / "settings.env").read_text().split())["GWEVENT_HTTP_PORT"]
    )
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}
    labels = WORK[name]["spec"]["selector"]["matchLabels"]
    assert labels.items() <= PODS[name]["metadata"]["labels"].items()
    assert the("Service", name)["spec"]["selector"] == labels
    assert the("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] == labels
    assert WORK[name]["spec"]["replicas"] >= 2
    assert the("NetworkPolicy", "gwevent")["spec"]["ingress"] == [
        {"ports": [{"protocol": "TCP", "port": port}]}
    ]


def test_consumer_group_is_stable_across_restarts() -> None:
    assert WORK["gwevent-consumer"]["kind"] == "StatefulSet"
    [container] = PODS["gwevent-consumer"]["spec"]["containers"]
    [group] = [one for one in container["env"] if one["name"] == "GWEVENT_KAFKA_GROUP"]
    assert group["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_each_gets_no_secret_but_its_own() -> None:
    given = {
        name: {
            ref["secretRef"]["name"]
            for c in pod["spec"]["containers"]
            for ref in c["envFrom"]
            if "secretRef" in ref
        }
        for name, pod in PODS.items()
    }
    assert given == {
        "gwevent-migrate": {"gwevent-database"},
        "gwevent-consumer": {"gwevent-database", "gwevent-gcn"},
        "gwevent-server": {"gwevent-database", "gwevent-slack"},
    }
    mounted = {name for name, pod in PODS.items() if "gwevent-hop" in json.dumps(pod)}
    assert mounted == {"gwevent-consumer"}
    assert {one["metadata"]["name"] for one in resources(EXAMPLE)} == {
        *set().union(*given.values()),
        "gwevent-hop",
    }


def test_hop_accepts_the_credential_of_the_init_container(tmp_path: Path) -> None:
    [init] = PODS["gwevent-consumer"]["spec"]["initContainers"]
    secret, volume = (tmp_path / mount["name"] for mount in init["volumeMounts"])
    [example] = [one for one in resources(EXAMPLE) if one["metadata"]["name"] == "gwevent-hop"]
    secret.mkdir()
    # As Kubernetes mounts it for a group.
    (secret / "auth.toml").write_text(example["stringData"]["auth.toml"], "utf-8")
    (secret / "auth.toml").chmod(0o640)
    with pytest.raises(RuntimeError, match="unsafe permissions"):
        load_auth(secret / "auth.toml")
    command = [
        word.replace("/run/secrets/hop", str(secret)).replace("/run/hop", str(volume))
        for word in init["command"]
    ]
    subprocess.run(command, check=True, umask=0o002)
    [container] = PODS["gwevent-consumer"]["spec"]["containers"]
    [home] = [one["value"] for one in container["env"] if one["name"] == "XDG_CONFIG_HOME"]
    taken = Path(home.replace("/run/hop", str(volume))) / "hop" / "auth.toml"
    assert taken.stat().st_mode & 0o777 == 0o600
    [credential] = load_auth(taken)
    assert credential.hostname == "kafka.scimma.org"
