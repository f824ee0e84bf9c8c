"""The image's steps, one by one, on this machine in the base image's place, as `docker build` would.

Each stage gets this machine's files as its own, by an overlay in a mount namespace that goes with the
process, so that nothing of it stays. Then gwevent runs in the result as its user, with everything read-only
but /tmp and its own folder. Needs Linux, root, and a network. `python tests/deploy/image_steps.py`
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.deploy.dockerfile import ROOT, Instruction, Stage, read

INSIDE = "GWEVENT_IMAGE_STEPS_INSIDE"
PATIENT_S = 180.0
# How the network is reached here is this machine's to say.
_PASSED_ON = (
    "PIP_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_",
)


class Failed(RuntimeError):
    """A step didn't do what it should."""


class Image:
    """A stage's files, and where its instructions got."""

    def __init__(self, scratch: Path, name: str) -> None:
        self.root = scratch / name / "root"
        upper, work = scratch / name / "upper", scratch / name / "work"
        for made in (self.root, upper, work):
            made.mkdir(parents=True)
        _mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", self.root)
        for folder in ("proc", "dev", "sys"):
            _mount("--rbind", f"/{folder}", self.root / folder)
        (self.root / "tmp").mkdir(exist_ok=True)
        _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", self.root / "tmp")
        # What stands here of another gwevent is none of the image's.
        for folder in ("opt", "build", "var/lib/gwevent"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        (self.root / "opt").mkdir()
        _forget_account(self.root, "gwevent")
        _give_python(self.root)
        self.folder = "/"
        self.user = "0:0"
        self.variables: dict[str, str] = {
            "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            # An interpreter that was built for another folder looks for its library there first.
            "LD_LIBRARY_PATH": "/usr/local/lib",
        }

    def command(self, words: list[str]) -> list[str]:
        """How to run this in the image."""
        within = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', self.folder, *words]
        return ["chroot", f"--userspec={self.user}", "--groups=", str(self.root), *within]

    def environment(self, *, network: bool = False) -> Mapping[str, str]:
        """What runs in it sees: the image's own variables and no other."""
        if not network:
            return self.variables
        passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        return {**passed, **self.variables}

    def run(self, words: list[str], *, network: bool = False) -> None:
        """Run something to its end. Raises Failed."""
        done = subprocess.run(self.command(words), env=self.environment(network=network), check=False)
        if done.returncode:
            raise Failed(f"{shlex.join(words)} ended with status {done.returncode}.")

    def copy(self, sources: list[Path], target: str) -> None:
        """COPY: files into a folder or to a name, of a folder what is in it."""
        to = self.root / os.path.normpath(f"{self.folder}/{target}").lstrip("/")
        for source in sources:
            if source.is_dir():
                shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True, ignore=_ignored)
            elif target.endswith("/"):
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, to)
            else:
                shutil.copy2(source, to)


def _forget_account(root: Path, name: str) -> None:
    """Take out the user and the group that a service installed on this machine has, as `deploy/` says to."""
    for database in ("passwd", "shadow", "group", "gshadow"):
        path = root / "etc" / database
        if path.exists():
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join(line for line in lines if not line.startswith(f"{name}:")))


def _give_python(root: Path) -> None:
    """Have an interpreter where the base image has its own: in /usr/local."""
    prefix = Path(sys.base_prefix)
    if prefix != Path("/usr"):
        _mount("--bind", prefix, root / "usr/local")
        _mount("-o", "remount,bind,ro", root / "usr/local")
    if not (root / "usr/local/bin/python").exists():
        (root / "usr/local/bin/python").symlink_to(os.path.realpath(sys.executable))


def _ignored(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("__pycache__", "node_modules")}


def _mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def follow(image: Image, stage: Stage, earlier: Mapping[str, Image]) -> None:
    """Do what the instructions say that changes files or how they are run. Raises Failed."""
    for one in stage.instructions:
        _follow(image, one, earlier)


def _follow(image: Image, one: Instruction, earlier: Mapping[str, Image]) -> None:
    print(f"── {one.word} {one.rest}", flush=True)
    if one.word == "RUN":
        image.run(["/bin/sh", "-c", one.rest], network=True)
    elif one.word == "COPY":
        words = one.rest.split()
        root = ROOT
        if words[0].startswith("--from="):
            root = earlier[words.pop(0).removeprefix("--from=")].root
        *sources, target = words
        image.copy([root / source.lstrip("/") for source in sources], target)
    elif one.word == "ENV":
        for word in shlex.split(one.rest):
            name, _, value = word.partition("=")
            image.variables[name] = value.replace("$PATH", image.variables["PATH"])
    elif one.word == "WORKDIR":
        image.folder = one.rest
        (image.root / one.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif one.word == "USER":
        image.user = one.rest


def look_at(image: Image, stage: Stage) -> None:
    """Run what the image is for, as it would be run. Raises Failed."""
    uid, gid = image.user.split(":")
    home = image.root / stage.only("VOLUME").form[0].lstrip("/")
    assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (int(uid), 0o700), (
        "the folder is its user's own"
    )
    _mount("-t", "tmpfs", "-o", f"uid={uid},gid={gid},mode=0700", "tmpfs", home)
    _mount("-o", "remount,bind,ro", image.root)
    entry = stage.only("ENTRYPOINT").form
    for words in (["--version"], ["migrate"], ["demo", "--once"]):
        print(f"── {shlex.join([*entry, *words])}, as {image.user}, read-only", flush=True)
        image.run([*entry, *words])
    written = subprocess.run(
        image.command(["touch", "/opt/gwevent/written"]), capture_output=True, check=False
    )
    assert written.returncode, "the root is read-only"
    _live_and_end(image, stage)


def _live_and_end(image: Image, stage: Stage) -> None:
    """The service starts, is found healthy by the image's own check, and ends when it is told to."""
    # Nothing is reached and nothing is delivered: it is the process that is looked at.
    nowhere = {
        "SLACK_BOT_TOKEN": "xoxb-none",
        "SLACK_APP_TOKEN": "xapp-none",
        "GWEVENT_SLACK_API_URL": "http://127.0.0.1:9/api/",
        "GWEVENT_KAFKA_URL": "kafka://127.0.0.1:9/none",
        "GWEVENT_KAFKA_AUTH": "off",
        "GWEVENT_HTTP_HOST": "127.0.0.1",
        "GWEVENT_HTTP_PORT": "28016",
        "GWEVENT_GRACEDB_URL": "off",
    }
    image.variables.update(nowhere)
    service = [*stage.only("ENTRYPOINT").form, *stage.only("CMD").form]
    check = stage.only("HEALTHCHECK").form
    print(f"── {shlex.join(service)}, until it is healthy", flush=True)
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(image.command(service), env=image.environment(), stderr=said)
        try:
            _until_healthy(image, process, check)
            process.send_signal(signal.SIGTERM)
            if process.wait(PATIENT_S):
                raise Failed(f"It ended with status {process.returncode} when it was told to end.")
        except Failed as error:
            said.seek(0)
            raise Failed(f"{error} It said: {said.read()[-2_000:]}") from error
        finally:
            process.kill()
            process.wait()


def _until_healthy(image: Image, process: subprocess.Popen[bytes], check: list[str]) -> None:
    deadline = time.monotonic() + PATIENT_S
    while True:
        asked = subprocess.run(
            image.command(check), env=image.environment(), capture_output=True, text=True, check=False
        )
        if not asked.returncode:
            return
        if process.poll() is not None:
            raise Failed(f"It ended by itself with status {process.returncode}.")
        if time.monotonic() > deadline:
            raise Failed(f"It isn't healthy after three minutes: {asked.stderr[-300:]}")
        time.sleep(1.0)


def inside() -> None:
    """Everything, in this process's own mount namespace."""
    scratch = Path(tempfile.mkdtemp(prefix="gwevent-image-"))
    try:
        _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", scratch)
        images: dict[str, Image] = {}
        for stage in read():
            print(f"═══ FROM {stage.base}: this machine in its place", flush=True)
            images[stage.name] = image = Image(scratch, stage.name or "image")
            follow(image, stage, images)
        look_at(image, stage)
        print("The image's steps were run: 1 passed, 0 failed", flush=True)
    except (Failed, AssertionError) as error:
        print(f"The image's steps: {error}", file=sys.stderr)
        sys.exit(1)
    finally:
        subprocess.run(["umount", "--lazy", "--recursive", str(scratch)], check=False)
        scratch.rmdir()


def main() -> None:
    """Enter a mount namespace of our own; say why not where that can't be."""
    if os.environ.get(INSIDE):
        inside()
        return
    namespace = ["unshare", "--mount", "--propagation", "private"]
    able = shutil.which("unshare") and os.geteuid() == 0
    if (
        not able
        or subprocess.run([*namespace, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False).returncode
    ):
        print("The image's steps are skipped: they need Linux, root and a mount namespace.", flush=True)
        return
    done = subprocess.run(
        [*namespace, sys.executable, __file__], env={**os.environ, INSIDE: "1"}, check=False
    )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
