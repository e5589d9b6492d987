"""Measure LK against the floor, both under the same server, and keep every table in bench/RESULTS.md; see the README.

Each part is a process of its own, which keeps what it found in bench/var/: `python -m bench.load_part`,
`bench.protections`, `bench.instructions` and `bench.pages` run alone too, and `python -m bench.report` puts together
what is there.
"""

import os
import subprocess
import sys

from bench.environment import SMALL
from bench.report import report
from lk_site.serve import ROOT


def main() -> None:
    run("load_part")
    run("load_part", "alone", BENCH_DEALS=str(SMALL))
    run("protections", BENCH_DEALS=str(SMALL))
    run("pages", BENCH_DEALS=str(SMALL))
    run("instructions", "show", may_fail=True, BENCH_DEALS="2000")
    report()
    run("scale", "keep")


def run(part: str, *words: str, may_fail: bool = False, **environment: str) -> None:
    command = [sys.executable, "-m", f"bench.{part}", *words]
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode
    if status and not may_fail:
        sys.exit(f"bench.{part} failed")


if __name__ == "__main__":
    main()
