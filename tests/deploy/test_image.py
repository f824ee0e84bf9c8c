"""The image: its Dockerfile by hadolint and by what gwevent promises of it, and what is pinned for it."""

import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.deploy.dockerfile import DOCKERFILE, ROOT, Stage, read

DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINNED = ("requirements.txt", "build-requirements.txt")
_PIN = re.compile(r"^(\S+)==(\S+?)(?: ; (.+?))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n", re.MULTILINE)

Pins = dict[str, list[tuple[Version, str]]]


def pins(name: str) -> Pins:
    """By package, each version pinned and the marker of where it is for."""
    found: Pins = {}
    for package, version, marker, _ in _PIN.findall((DEPLOY / name).read_text("utf-8")):
        found.setdefault(canonicalize_name(package), []).append((Version(version), marker))
    return found


def unmet(wanted: list[str], pinned: Pins) -> list[str]:
    """The requirements that no pin meets, or that a pin contradicts."""
    requirements = [Requirement(one) for one in wanted]
    versions = {r: pinned.get(canonicalize_name(r.name), []) for r in requirements}
    return [
        str(r) for r, found in versions.items() if not found or any(v not in r.specifier for v, _ in found)
    ]


@pytest.fixture(scope="module")
def build_and_image() -> tuple[Stage, Stage]:
    build, image = read()
    return build, image


@pytest.fixture
def build(build_and_image: tuple[Stage, Stage]) -> Stage:
    return build_and_image[0]


@pytest.fixture
def image(build_and_image: tuple[Stage, Stage]) -> Stage:
    return build_and_image[1]


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run(
        [hadolint, "--no-color", "--failure-threshold", "style", DOCKERFILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_runs_as_a_user_without_rights_and_says_it_in_numbers(image: Stage) -> None:
    uid, gid = image.only("USER").rest.split(":")
    assert int(uid) >= 10_000
    [made] = [one.rest for one in image.all("RUN") if "useradd" in one.rest]
    assert f"--uid {uid} --gid {gid}" in made
    assert "/usr/sbin/nologin" in made


def test_image_writes_only_to_its_volume_and_tmp(image: Stage) -> None:
    [folder] = image.only("VOLUME").form
    assert image.only("WORKDIR").rest == folder
    variables = dict(word.split("=", 1) for one in image.all("ENV") for word in one.rest.split())
    assert variables["HOME"] == folder
    assert variables["GWEVENT_DATABASE_URL"] == f"sqlite:///{folder}/gwevent.sqlite"
    assert variables["MPLCONFIGDIR"].startswith("/tmp/")
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1"


def test_holds_no_tool_that_installs(build: Stage, image: Stage) -> None:
    assert build.all("RUN")[-1].rest.endswith("pip uninstall --yes setuptools pip")
    assert [one for one in image.all("RUN") if "pip" in one.rest.split()] == []


def test_is_healthy_where_it_listens(image: Stage) -> None:
    check = image.only("HEALTHCHECK").form
    variables = dict(word.split("=", 1) for one in image.all("ENV") for word in one.rest.split())
    assert "/healthz" in check[-1]
    assert "GWEVENT_HTTP_PORT" in check[-1]
    assert image.only("EXPOSE").rest == variables["GWEVENT_HTTP_PORT"]
    compile(check[-1], "HEALTHCHECK", "exec")


def test_base_images_have_a_tag_and_the_python_that_the_project_asks_for(build: Stage, image: Stage) -> None:
    assert build.base == image.base == "python:${PYTHON}-slim-bookworm"
    [python] = re.findall(r"^ARG PYTHON=(.+)$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert f">={python}" == PROJECT["project"]["requires-python"]


def test_copied_files_exist_and_are_not_ignored(build: Stage) -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = [source for one in build.all("COPY") for source in one.rest.split()[:-1]]
    assert set(copied) == let_in
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_secrets_and_databases_are_ignored_by_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {"**/.env", "**/*.sqlite*"} <= set(ignored)


@pytest.mark.parametrize("name", PINNED)
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    text = re.sub(r"^#.*\n", "", (DEPLOY / name).read_text("utf-8"), flags=re.MULTILINE)
    assert text
    assert _PIN.sub("", text) == ""


@pytest.mark.parametrize("name", PINNED)
def test_pins_hold_no_address_and_no_path(name: str) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    assert re.findall(r"https?:|file:|--\S*index\S*|--find-links|@ |(?<!\w)/(?!lock)\w+", text) == []


def test_pins_meet_the_runtime_requirements() -> None:
    """If not: deploy/lock."""
    project = PROJECT["project"]
    extras = [
        one
        for name, some in project["optional-dependencies"].items()
        if name not in ("test", "parquet")
        for one in some
    ]
    assert unmet([*project["dependencies"], *extras], pins("requirements.txt")) == []


def test_pins_meet_the_build_requirements() -> None:
    assert unmet(PROJECT["build-system"]["requires"], pins("build-requirements.txt")) == []


def test_the_extras_of_a_service_are_known() -> None:
    assert {"postgres", "gcn"} < set(PROJECT["project"]["optional-dependencies"])
