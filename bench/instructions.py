"""Instructions that a request takes in-process: the gate that other work on the machine does not move.

`python -m bench.instructions` counts with callgrind and fails where a row takes over 3 % more than instructions.json
says; `… keep` writes what it counted there. Start-up and warm-up are not counted: callgrind counts only between two
marks, and the least of some turns stands. An interpreter built in another way takes twice as many instructions for
the same work, so the gates of performance.md are printed in units of the floor that they were taken with, too.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lk_site.serve import ROOT

os.environ.setdefault("BENCH_DEALS", "2000")

from bench import callgrind
from bench.counting import FLOOR, TIMES
from bench.environment import VAR, for_django

KEPT = ROOT / "bench" / "instructions.json"
RISE_AT_MOST = 0.03
GATES = {"API list of 20": 3000, "API detail": 2000, "HTML list of 20": 9000}  # performance.md, whose floor took 834
ROWS = [FLOOR, *GATES, "HTML deal card"]
FLOOR_OF_GATES = 834
HEADING = """## Instructions

What a request takes in-process, without a server, counted by callgrind (`python -m bench.instructions`, a gate of CI at
3 % more than is kept). The gates of performance.md were taken with another build of Python, whose floor took 834
thousand; in floors they can be compared.
"""
NAMED = re.compile(r"^desc: Trigger: Client Request: (.+)$", re.M)
TOTAL = re.compile(r"^(?:summary|totals): (\d+)$", re.M)


def main(wish: str = "") -> None:
    valgrind = shutil.which("valgrind")
    if valgrind is None or not callgrind.is_possible():
        sys.exit("Counting instructions needs valgrind on x86-64: apt-get install valgrind")
    if subprocess.run([sys.executable, "-m", "bench.filling"], cwd=ROOT, check=False).returncode:
        sys.exit("The bench has no database to count on.")
    counted = count(valgrind)
    found = {"python": platform.python_version(), "valgrind": version(valgrind), "thousands": counted}
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {"thousands": {}}
    text = f"{HEADING}\n{table(counted, kept['thousands'])}"
    print(text)
    VAR.joinpath("instructions.json").write_text(json.dumps({"text": text}))
    if wish == "keep":
        KEPT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    elif kept.get("python") != found["python"]:
        print(f"Not compared: the numbers that are kept were counted with Python {kept.get('python')}.")
    elif risen := [name for name, thousands in counted.items() if is_risen(thousands, kept["thousands"].get(name))]:
        sys.exit(f"Over {RISE_AT_MOST:.0%} more than bench/instructions.json says: {', '.join(risen)}.")


def is_risen(thousands: int, kept: int | None) -> bool:
    return kept is not None and thousands > kept * (1 + RISE_AT_MOST)


def count(valgrind: str) -> dict[str, int]:
    """Return the thousands of instructions that one request of each kind takes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(valgrind, "--quiet", "--tool=callgrind", "--instr-atstart=no"),
            f"--callgrind-out-file={folder}/out",
            *(sys.executable, "-c", f"from bench.counting import main; main({ROWS!r})"),
        ]
        environment = {**os.environ, **for_django(), "PYTHONHASHSEED": "0", "LK_LOG_LEVEL": "INFO"}
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode:
            sys.exit(ran.stderr[-4000:])
        return counts_in(Path(folder))


def counts_in(folder: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for file in folder.iterdir():
        text = file.read_text(errors="replace")
        if named := NAMED.search(text):
            total = TOTAL.search(text)
            assert total is not None
            thousands = round(int(total[1]) / TIMES / 1000)
            counts[named[1]] = min(thousands, counts.get(named[1], thousands))
    return {name: counts[name] for name in ROWS}


def version(valgrind: str) -> str:
    ran = subprocess.run([valgrind, "--version"], capture_output=True, text=True, check=True)
    return ran.stdout.strip().removeprefix("valgrind-")


def table(counted: dict[str, int], kept: dict[str, int]) -> str:
    lines = [
        "| thousand instructions a request, in-process | now | kept | floors | gate | gate in floors |",
        "|---|---|---|---|---|---|",
    ]
    for name, thousands in counted.items():
        was = f"{kept[name]:,}" if name in kept else "none"
        lines.append(f"| {name} | {thousands:,} | {was} | {thousands / counted[FLOOR]:.1f} | {gate(name, thousands)} |")
    return "\n".join(lines)


def gate(name: str, thousands: int) -> str:
    if name not in GATES:
        return "none | none"
    verdict = "met" if thousands <= GATES[name] else "not met"
    return f"≤ {GATES[name]:,}, {verdict} | {GATES[name] / FLOOR_OF_GATES:.1f}"


if __name__ == "__main__":
    main(*sys.argv[1:])
