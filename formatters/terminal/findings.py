"""What `gwevent doctor` found."""

from __future__ import annotations

from collections.abc import Iterable
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
    result: str
    """What was found, one sentence."""
    advice: str = ""
    """What to do about it, one sentence; empty where nothing is to be done."""


def _capitalize_first(name: str) -> str:
    return name[:1].upper() + name[1:]


_MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}


def format_findings(findings: Iterable[Finding]) -> str:
    """The findings for a terminal: a line each, and what to do on a line below."""
    listed = list(findings)
    width = max((len(finding.name) for finding in listed), default=0)
    lines = []
    for finding in listed:
        lines.append(f"{_MARKS[finding.level]} {_capitalize_first(finding.name):<{width}}  {finding.result}")
        if finding.advice:
            lines.append(f"  {'':<{width}}  → {finding.advice}")
    bad = sum(finding.level is Level.FAIL for finding in listed)
    return "\n".join([*lines, "", f"{bad} to fix." if bad else "Everything that is required works."])
