"""How bad it is, and a sentence that says what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

STATUS = {"ok": 0, "warn": 1, "wrong": 2}


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    WRONG = "wrong"


Said = Iterator[tuple[Level, str]]
Check = Callable[[], Said]


@dataclass(frozen=True)
class Finding:
    check: str
    level: Level
    says: str

    def __str__(self) -> str:
        return f"{self.level:<6} {self.check}: {self.says}"


def worst(findings: list[Finding]) -> int:
    """Return the exit status: 0 where all is well, 1 with a warning, 2 where something is wrong."""
    return max((STATUS[finding.level] for finding in findings), default=0)
