"""Download a catalogue's file: in pieces, and from where a broken download ended."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from bot import __version__
from bot.galaxies.catalogue_index import CatalogueProblem

USER_AGENT = f"gwevent/{__version__}"
TIMEOUT_S = 60.0
"""For each step: connecting, and each piece that comes."""
_FAILURES = (httpx.HTTPError, httpx.InvalidURL, ValueError)
"""Errors that an address or an answer can raise; ValueError: an address that is none, by urllib."""
_MAX_LISTING = 1 << 20
"""Bytes of a folder's listing that are read."""
_RELEASE = re.compile(
    r"""href=["']?([^"'>\s]{0,200}NEDLVS_(\d{8})[^"'>\s/]{0,50}\.fits)["'>\s]""", re.IGNORECASE
)


def newest_release(url: str, client: httpx.Client) -> str:
    """Return the address of the newest NED-LVS file: `url` itself, or the newest in the listing of a folder.

    A folder's address ends with "/". Raises CatalogueProblem.
    """
    if not url.endswith("/"):
        return url
    try:
        with client.stream("GET", url) as answer:
            answer.raise_for_status()
            listing = b""
            for piece in answer.iter_bytes():
                listing += piece
                if len(listing) > _MAX_LISTING:
                    break
    except _FAILURES as error:
        raise CatalogueProblem(_sentence(url, error)) from error
    files = {match[2]: match[1] for match in _RELEASE.finditer(listing.decode("utf-8", "replace"))}
    if not files:
        raise CatalogueProblem(
            f"{url} lists no file NEDLVS_….fits: set GWEVENT_NED_LVS_URL to the file, or fetch it"
            " yourself and use `gwevent catalogue import FILE`."
        )
    newest: str = files[max(files)]
    try:
        return urljoin(url, newest)
    except ValueError as error:
        raise CatalogueProblem(_sentence(url, error)) from error


Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the whole size, None where the server doesn't tell it."""


def make_client(url: str) -> httpx.Client:
    """Return a client for an address that follows redirects, but none from https to http.

    The proxy and the certificates are the environment's. Raises CatalogueProblem.
    """

    def refuse_insecure(request: httpx.Request) -> None:
        if url.startswith("https:") and request.url.scheme != "https":
            raise CatalogueProblem(f"{url} leads to {request.url}, which isn't encrypted; it isn't fetched.")

    try:
        return httpx.Client(
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=TIMEOUT_S,
            follow_redirects=True,
            event_hooks={"request": [refuse_insecure]},
        )
    except (ValueError, ImportError, OSError) as error:
        reason = " ".join(str(error).split())
        raise CatalogueProblem(
            f"The proxy or the certificates that the environment names can't be used: {reason}."
        ) from error


def download(
    url: str, folder: Path, client: httpx.Client, on_progress: Progress, *, reserve: int = 0
) -> Path:
    """Download a file into a folder and return its path; what is there already isn't fetched again.

    `reserve` bytes must be free in the folder beside the file. Raises CatalogueProblem; what came
    by then stays, and the next download goes on from there.
    """
    try:
        name = Path(urlsplit(url).path).name
        if not name or name.startswith("."):
            raise CatalogueProblem(f"{url} is the address of no file.")
        target, part = folder / name, folder / f"{name}.part"
        folder.mkdir(parents=True, exist_ok=True)
        if target.exists():
            return target
        _fetch(url, part, client, on_progress, reserve)
        part.replace(target)
    except _FAILURES as error:
        raise CatalogueProblem(_sentence(url, error)) from error
    except OSError as error:
        raise CatalogueProblem(f"{folder} can't be written: {error.strerror or error}.") from error
    return target


def _fetch(url: str, part: Path, client: httpx.Client, on_progress: Progress, reserve: int) -> None:
    """Fetch what is missing of a file. Raises httpx.HTTPError, OSError, CatalogueProblem."""
    there = part.stat().st_size if part.exists() else 0
    # The file must be the same one: its identity is asked for by If-Range, where it was told before.
    mark = part.with_suffix(".etag")
    identity = mark.read_text("utf-8") if there and mark.exists() else None
    headers = {"Range": f"bytes={there}-", "If-Range": identity} if identity else {}
    with client.stream("GET", url, headers=headers) as answer:
        if headers and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if answer.headers.get("content-range") == f"bytes */{there}":
                # All of it had come when the last download was killed.
                mark.unlink(missing_ok=True)
                return
            part.unlink()
            raise CatalogueProblem(f"{url} is another file than the one that was begun; fetch it again.")
        answer.raise_for_status()
        is_rest = answer.status_code == httpx.codes.PARTIAL_CONTENT
        if is_rest and not answer.headers.get("content-range", "").startswith(f"bytes {there}-"):
            raise CatalogueProblem(f"{url} answered with another part than asked for; try again.")
        there = there if is_rest else 0
        length = answer.headers.get("content-length", "")
        # Of a packed answer the length is the packed one, and no part can be asked for.
        is_packed = answer.headers.get("content-encoding", "identity").casefold() != "identity"
        total = there + int(length) if not is_packed and length.isascii() and length.isdigit() else None
        _require_space(part.parent, None if total is None else total - there, reserve)
        identity = answer.headers.get("etag") or answer.headers.get("last-modified")
        if identity and not identity.startswith("W/") and not is_packed:
            mark.write_text(identity, "utf-8")
        else:
            mark.unlink(missing_ok=True)
        with part.open("ab" if is_rest else "wb") as file:
            try:
                for piece in answer.iter_bytes():
                    file.write(piece)
                    there += len(piece)
                    on_progress(there, total)
            except httpx.TransportError as error:
                of = "" if total is None else f" of {total:,}"
                again = "try again to go on from there" if mark.exists() else "try again"
                raise CatalogueProblem(f"{url} broke off after {there:,}{of} bytes; {again}.") from error
            file.flush()
            os.fsync(file.fileno())
    if total is not None and there != total:
        raise CatalogueProblem(
            f"{url} ended after {there:,} of {total:,} bytes; try again to go on from there."
        )
    mark.unlink(missing_ok=True)


def _require_space(folder: Path, missing: int | None, reserve: int) -> None:
    free = shutil.disk_usage(folder).free
    needed = (missing or 0) + reserve
    if free < needed:
        coming = "" if missing is None else f"{missing / 1e6:,.0f} MB are still to come, "
        raise CatalogueProblem(
            f"{folder} has {free / 1e6:,.0f} MB free: {coming}and {reserve / 1e6:,.0f} MB are needed besides."
        )


def _sentence(url: str, error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        reason = f"answered {error.response.status_code}"
    elif isinstance(error, httpx.TimeoutException):
        reason = f"didn't answer within {TIMEOUT_S:.0f} s"
    else:
        reason = f"can't be reached ({' '.join(str(error).split()) or type(error).__name__})"
    return (
        f"{url} {reason}. Its address may have changed: set GWEVENT_NED_LVS_URL, or fetch the file yourself"
        " and use `gwevent catalogue import FILE`."
    )
