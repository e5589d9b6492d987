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


def add(row: Row) -> None:
    rows.append(row)


def lines() -> list[str]:
    """Return the table in Markdown."""
    return [f"| {' | '.join(HEADER)} |", "|---|---|---|---|---|---|", *(row.line for row in rows)]
