"""What `gwevent doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    name: str
    """What was checked, in a word or two: "credential"."""
    level: Level
    found: str
    """What was found, one sentence."""
    advice: str = ""
    """What to do about it, one sentence; empty where nothing is to be done."""
