"""CPU and memory of processes, from /proc."""

import os
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> set[int]:
    """Return a process and all its descendants."""
    parents = {int(path.name): parent_of(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def backends(database: str) -> set[int]:
    """Return the server processes of PostgreSQL that serve connections to a database."""
    found = set()
    for path in Path("/proc").iterdir():
        words = command_line(path).split() if path.name.isdigit() else []
        if words[:1] == ["postgres:"] and database in words and "autovacuum" not in words:
            found.add(int(path.name))
    return found


def cpu_seconds(pids: set[int]) -> dict[int, float]:
    """Return the user and system time that each of these processes has used so far."""
    used = {}
    for pid in pids:
        if fields := stat_fields(Path(f"/proc/{pid}")):
            used[pid] = (int(fields[11]) + int(fields[12])) * TICK_S
    return used


def used_since(before: dict[int, float], now: dict[int, float]) -> float:
    """Return what processes have used since then: those that are new all of theirs, those that are gone nothing."""
    return sum(seconds - before.get(pid, 0) for pid, seconds in now.items())


def memory_mb(pids: set[int]) -> float:
    """Return the memory of these processes, each shared page divided among its users (PSS)."""
    kilobytes = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def parent_of(path: Path) -> int:
    fields = stat_fields(path)
    return int(fields[1]) if fields else 0


def stat_fields(path: Path) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; nothing if the process is gone."""
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def command_line(path: Path) -> str:
    try:
        return (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
