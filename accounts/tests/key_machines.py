"""Machines with a key file of their own, on the database of the test."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts.tests.test_worker import database_url
from lk_site.encryption.key_file import KeyFile
from lk_site.encryption.keys import load_keys

Keys = dict[str, list[dict[str, Any]]]
SERVE = ["-c", "import lk_site.wsgi; print('serves', flush=True); import sys; sys.stdin.read()"]


@dataclass
class Writer:
    """A process that writes, and the file that it tells what was acknowledged."""

    process: "subprocess.Popen[str]"
    said: Path

    def is_ready(self) -> bool:
        return self.process.poll() is not None or '["ready"]' in self.said.read_text()

    def has_done(self, count: int) -> bool:
        """Whether it has said something so many times since it was ready, or has ended."""
        return self.process.poll() is not None or self.said.read_text().count("\n") > count

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> list[Any]:
        """Close its input and return what it said until its end, besides that it was ready."""
        _, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors
        return [json.loads(line) for line in self.said.read_text().splitlines()][1:]


class Machine:
    """A folder with a key file, and processes that load it."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.path = folder / "keys.json"
        self.write(json.dumps(keys))
        self.started: list[subprocess.Popen[str]] = []

    def write(self, text: str) -> None:
        self.path.unlink(missing_ok=True)
        self.path.write_text(text)
        self.path.chmod(0o600)

    @property
    def file(self) -> KeyFile:
        return KeyFile(self.path)

    @property
    def keys(self) -> Keys:
        return load_keys(self.path)

    def ids(self, purpose: str) -> list[int]:
        return [entry["id"] for entry in self.keys[purpose]]

    def copy_keys_from(self, other: "Machine") -> None:
        self.write(other.path.read_text())

    @property
    def environment(self) -> dict[str, str]:
        own = {"LK_KEYS": "", "LK_KEYS_FILE": str(self.path), "LK_VAR_DIR": str(self.folder), "LK_LOCAL": "1"}
        return {**os.environ, **own, "DATABASE_URL": database_url()}

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def keys_command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.run("manage.py", "keys", *arguments)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a process that goes on until its input is closed."""
        one = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(one)
        return one

    def write_with(self, *arguments: str) -> "Writer":
        """Start one of `key_writers`, and wait until it is ready; what it says goes to a file, which is never full."""
        said = self.folder / f"said-{len(self.started)}.jsonl"
        with said.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "accounts.tests.key_writers", *arguments],
                cwd=settings.BASE_DIR,
                env=self.environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.PIPE,
            )
        self.started.append(process)
        return Writer(process, said)

    def serve(self) -> "subprocess.Popen[str]":
        """Start what a web server starts with, and wait until it would serve."""
        one = self.start(*SERVE)
        assert one.stdout is not None
        assert one.stdout.readline() == "serves\n", one.communicate()[1]
        return one

    def stop(self) -> None:
        for one in self.started:
            if one.poll() is None:
                one.kill()
            one.communicate()
