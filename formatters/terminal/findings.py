"""Findings of `gwevent doctor`, and their text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    """Subject of the check, in a word or two: "credential"."""
    level: Level
    result: str
    """Result of the check, one sentence."""
    advice: str = ""
    """Advice about the result, one sentence; empty if nothing needs to be done."""


def _capitalize_first(name: str) -> str:
    return name[:1].upper() + name[1:]


_MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}


def format_findings(findings: Iterable[Finding]) -> str:
    """Return the findings as terminal text: one line each, with advice on the line below.

    What is to be done about several that follow each other is said once, below the last.
    """
    listed = list(findings)
    width = max((len(finding.name) for finding in listed), default=0)
    lines = []
    for finding, following in zip_longest(listed, listed[1:]):
        lines.append(f"{_MARKS[finding.level]} {_capitalize_first(finding.name):<{width}}  {finding.result}")
        if finding.advice and (following is None or following.advice != finding.advice):
            lines.append(f"  {'':<{width}}  → {finding.advice}")
    bad = sum(finding.level is Level.FAIL for finding in listed)
    return "\n".join([*lines, "", f"{bad} to fix." if bad else "Everything that is required works."])
