"""The table that a run prints: one row for each part."""

from dataclasses import dataclass

HEADER = ("attack", "against", "requests", "found")


@dataclass(frozen=True)
class Row:
    """What one part of an attack has asked and found."""

    attack: str
    against: str
    requests: int
    found: int

    @property
    def line(self) -> str:
        return f"| {self.attack} | {self.against} | {self.requests} | {self.found} |"


rows: list[Row] = []


def lines() -> list[str]:
    """Return the table in Markdown."""
    return [f"| {' | '.join(HEADER)} |", "|---|---|---|---|", *(row.line for row in rows)]
