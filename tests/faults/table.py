"""The table that a run prints: one row for each fault."""

from dataclasses import dataclass

HEADER = ("fault", "load", "acknowledged", "lost", "doubled", "seconds to recover")


@dataclass(frozen=True)
class Row:
    """What a fault did to those who were writing."""

    fault: str
    load: str
    acknowledged: int
    lost: int
    doubled: int
    recovered_s: float

    @property
    def line(self) -> str:
        cells = (self.fault, self.load, self.acknowledged, self.lost, self.doubled, f"{self.recovered_s:.1f}")
        return f"| {' | '.join(map(str, cells))} |"


rows: list[Row] = []
notes: list[str] = []


def add(row: Row) -> None:
    rows.append(row)


def note(sentence: str) -> None:
    """Say something below the table."""
    notes.append(f"- {sentence}")


def lines() -> list[str]:
    """Return the table in Markdown, and the notes below it."""
    return [f"| {' | '.join(HEADER)} |", "|---|---|---|---|---|---|", *(row.line for row in rows), "", *notes]
