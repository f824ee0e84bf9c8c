"""Checks shared by blocks and their elements, and the errors that they collect.

Each check records every mistake, as a sentence with a JSON pointer, and continues.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bot.local_slack.errors import Json

PLAIN_TEXT = ("plain_text",)
ANY_TEXT = ("plain_text", "mrkdwn")
MAX_ID_LENGTH = 255
_FILE_ID = re.compile(r"F[A-Z0-9]{8,}")


@dataclass(slots=True)
class ValidationErrors:
    """The errors and files found by checking a list of blocks."""

    errors: list[str] = field(default_factory=list)
    characters: int = 0
    markdown: int = 0
    block_ids: set[str] = field(default_factory=set)
    files: list[tuple[str, Json]] = field(default_factory=list)
    """Each `slack_file` with its JSON pointer, for the caller to look up."""
    tables: int = 0
    charts: int = 0

    def add(self, sentence: str, at: str) -> None:
        """Record an error at a JSON pointer."""
        self.errors.append(f"{sentence} [json-pointer:{at}]")


def check_keys(
    found: ValidationErrors, thing: Json, at: str, required: Collection[str], allowed: Collection[str]
) -> bool:
    """Check an object's keys, record each that is missing or unknown, and return True if there are none."""
    right = True
    for key in required:
        if thing.get(key) is None:
            found.add(f"missing required field: {key}", at)
            right = False
    for key in thing:
        if key not in allowed and key not in required and key not in ("type", "block_id"):
            found.add(f"invalid additional property: {key}", at)
            right = False
    return right


def check_string(found: ValidationErrors, value: object, at: str, longest: int, shortest: int = 1) -> bool:
    """Check that a value is a string of allowed length; return True if it is."""
    if not isinstance(value, str):
        found.add("must provide a string", at)
        return False
    if len(value) > longest:
        found.add(f"must be less than {longest + 1} characters", at)
        return False
    if len(value) < shortest:
        found.add(f"must be more than {shortest - 1} characters", at)
        return False
    return True


def check_text(
    found: ValidationErrors, text: object, at: str, longest: int, types: Collection[str] = ANY_TEXT
) -> None:
    """Check a text object, which must have one of the given types."""
    if not isinstance(text, dict):
        found.add("must provide an object", at)
        return
    kind = text.get("type")
    if kind not in types:
        found.add(f"unsupported type: {kind}", f"{at}/type")
        return
    extra = "emoji" if kind == "plain_text" else "verbatim"
    for key in text:
        if key not in ("type", "text", extra):
            found.add(f"invalid additional property: {key}", at)
    words = text.get("text")
    if check_string(found, words, f"{at}/text", longest):
        found.characters += len(words)  # type: ignore[arg-type]


def check_items(found: ValidationErrors, items: object, at: str, most: int, least: int = 1) -> list[Any]:
    """Check that a value is an array of allowed length, and return its items."""
    if not isinstance(items, list):
        found.add("must provide an array", at)
        return []
    if len(items) > most:
        found.add(f"no more than {most} items allowed", at)
    if len(items) < least:
        found.add(f"no less than {least} items allowed", at)
    return items


def check_number(found: ValidationErrors, value: object, at: str) -> None:
    """Check that a value is a number in the allowed range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        found.add("must provide a number", at)


def check_url(found: ValidationErrors, url: object, at: str, longest: int = 3000) -> None:
    """Check the URL of a link that people open."""
    if check_string(found, url, at, longest) and not re.match(r"https?://[^\s/]+", str(url)):
        found.add("must be a valid URL", at)


def check_fetched_url(found: ValidationErrors, url: object, at: str) -> None:
    """Check a URL that Slack itself downloads, which must be reachable from the internet."""
    if not check_string(found, url, at, 3000):
        return
    parts = urlsplit(str(url))
    host = parts.hostname or ""
    try:
        inside = not ipaddress.ip_address(host).is_global
    except ValueError:
        inside = host == "localhost" or "." not in host
    if parts.scheme not in ("http", "https") or inside:
        found.add("downloading image failed", at)


def check_image_source(found: ValidationErrors, image: Json, at: str) -> None:
    """Check an image's source: a URL or an uploaded file. Files are recorded for the caller to look up."""
    if ("image_url" in image) == ("slack_file" in image):
        found.add("must provide either image_url or slack_file", at)
    elif "image_url" in image:
        check_fetched_url(found, image["image_url"], f"{at}/image_url")
    else:
        file = image["slack_file"]
        if not isinstance(file, dict) or len(file) != 1 or not file.keys() <= {"id", "url"}:
            found.add("must provide either id or url", f"{at}/slack_file")
        elif "id" in file and not (isinstance(file["id"], str) and _FILE_ID.fullmatch(file["id"])):
            found.add("must match pattern ^F[A-Z0-9]{8,}$", f"{at}/slack_file/id")
        else:
            found.files.append((f"{at}/slack_file/{next(iter(file))}", file))
