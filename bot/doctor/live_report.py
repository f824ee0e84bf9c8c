"""The report of `gwevent doctor --live`: findings, and the raw answers without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.logs import redact
from formatters.terminal.findings import Finding, Level

_SECRET_KEYS = re.compile(r"token|secret|url_private|upload_url|response_url|email|phone", re.IGNORECASE)


@dataclass
class LiveReport:
    """The findings of a live run, and what was answered, without secrets."""

    findings: list[Finding] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, level: Level, result: str, advice: str = "") -> None:
        """Add a finding; its text holds no secret."""
        self.findings.append(Finding(f"Live {name}", level, redact(result), redact(advice)))

    def record(self, method: str, answer: object) -> None:
        """Keep an answer, its secrets cut out."""
        self.answers.append({"method": method, "answer": without_secrets(answer)})

    def last_answer(self) -> tuple[str, Mapping[str, Any]]:
        """Return the method and the answer of the last call; the answer is empty if it is no object."""
        if not self.answers:
            return "", {}
        last = self.answers[-1]
        return str(last["method"]), last["answer"] if isinstance(last["answer"], dict) else {}


def without_secrets(value: object, key: str = "") -> Any:
    """Return a copy of a JSON value in which secrets are replaced, whatever its shape."""
    match value:
        case dict():
            return {str(name): without_secrets(one, str(name)) for name, one in value.items()}
        case list() | tuple():
            return [without_secrets(one, key) for one in value]
        case str():
            return "(redacted)" if _SECRET_KEYS.search(key) else redact(value)
        case None | bool() | int() | float():
            return value
        case _:
            return f"({type(value).__name__})"


def to_json_lines(report: LiveReport) -> str:
    """Return the answers as JSON, one a line."""
    return "".join(json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in report.answers)
