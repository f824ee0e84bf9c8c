"""deploy/Dockerfile, read: its stages and their instructions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `word` in capitals, `rest` on one line."""

    word: str
    rest: str

    @property
    def form(self) -> list[str]:
        """The words of an exec form, `["gwevent"]`; HEALTHCHECK's options before it are left out."""
        words: list[str] = json.loads(self.rest[self.rest.index("[") :])
        return words


@dataclass(frozen=True, slots=True)
class Stage:
    """What follows a FROM."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, word: str) -> list[Instruction]:
        """Its instructions of this word."""
        return [one for one in self.instructions if one.word == word]

    def only(self, word: str) -> Instruction:
        """Its one instruction of this word."""
        [one] = self.all(word)
        return one


def stages(text: str) -> list[Stage]:
    """The stages, in order."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        rest = " ".join(rest.split())
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name))
        elif word and found:
            found[-1].instructions.append(Instruction(word, rest))
    return found


def read() -> list[Stage]:
    """The stages of deploy/Dockerfile."""
    return stages(DOCKERFILE.read_text("utf-8"))
