"""Pages of `docs/` as what they are: programs and commands, run as a stranger would run them.

A block that is run is named behind its language: ```` ```python leads.py ````, ```` ```sh try ````.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```(?P<language>\w+) (?P<name>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SCOPES = re.compile(r"^\*\*Scopes:\*\* (.+)$", re.MULTILINE)
PATIENCE_S = 60  # a program that says nothing for so long is ended, and the test fails


class Page:
    """One page: its named blocks, and the scopes that it says a key needs."""

    def __init__(self, path: str) -> None:
        self.text = (ROOT / "docs" / path).read_text(encoding="utf-8")
        self.blocks = {found["name"]: found["text"] for found in BLOCK.finditer(self.text)}

    @property
    def scopes(self) -> list[str]:
        found = SCOPES.search(self.text)
        assert found, "the page names no scopes"
        return re.findall(r"`([a-z:]+)`", found[1])


@dataclass
class Stranger:
    """Somebody with an empty folder, the page, and what the page tells to put into the environment."""

    page: Page
    folder: Path
    environment: dict[str, str]

    def __post_init__(self) -> None:
        for name, text in self.page.blocks.items():
            if name.endswith(".py"):
                (self.folder / name).write_text(text, encoding="utf-8")

    def bash(self, name: str, changes: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a block of commands to its end. `changes` replace texts, such as an address of an example."""
        return self.types(changed(self.page.blocks[name], changes or {}))

    def types(self, commands: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-euc", commands],
            input=given,
            **self.whence(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    @contextmanager
    def running(self, name: str, changes: dict[str, str] | None = None, **environment: str) -> Iterator["Program"]:
        """Run a block whose last line goes on until the end; `exec`, so that what is killed is the program."""
        *before, last = changed(self.page.blocks[name], changes or {}).strip().splitlines()
        started = subprocess.Popen(
            ["bash", "-euc", "\n".join([*before, f"exec {last}"])],
            **self.whence(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        program = Program(started)
        try:
            yield program
        finally:
            program.kill()

    def whence(self, environment: dict[str, str] | None = None) -> Any:
        own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
        client = {"PYTHONPATH": str(ROOT / "clients/python/src")}  # as if it had been installed
        return {"cwd": self.folder, "env": own | client | self.environment | (environment or {})}


class Program:
    """A program that runs, and what it says."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []

    def says(self, pattern: str) -> "re.Match[str]":
        """Wait for a line in which this is found, and return what is found."""
        assert self.process.stdout is not None
        timer = threading.Timer(PATIENCE_S, self.process.kill)
        timer.start()
        try:
            for line in self.process.stdout:
                self.said.append(line)
                if found := re.search(pattern, line):
                    return found
        finally:
            timer.cancel()
        raise AssertionError(f"It never said {pattern!r}, but: {''.join(self.said)}")

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def changed(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"{old} is not on the page"
        text = text.replace(old, new)
    return text
