"""The clock of the web machine and its worker steps, an hour forward and two back, while people write and log in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from conftest import absent
from faults.conftest import be_able
from faults.fault_sms import Codes
from faults.stack import Stack, running

HOUR = 3600


class Clock:
    """What the machine takes for the time, as so many seconds from the true one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = (folder / "step").open("wb+", buffering=0)
        self.step(0)
        source = Path(__file__).with_name("stepping_clock.c")
        command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(folder / "clock.so"), str(source), "-ldl"]
        subprocess.run(command, check=True, timeout=60)

    def step(self, seconds: int) -> None:
        os.pwrite(self.file.fileno(), seconds.to_bytes(8, sys.byteorder, signed=True), 0)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.folder / "clock.so"), "CLOCK_FILE": str(self.folder / "step")}


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[tuple[Stack, Clock]]:
    be_able()
    if not shutil.which("cc"):
        absent("No C compiler here. On Debian: apt-get install gcc libc6-dev")
    clock = Clock(tmp_path)
    with running(tmp_path, clock.environment, static=settings.STATIC_ROOT, people=12) as up:
        yield up, clock
    clock.file.close()


def test_a_clock_that_steps_loses_nothing_and_keeps_no_code_from_going(clocked: tuple[Stack, Clock]):
    stack, clock = clocked
    with stack.trial("the clock steps 1 h forward, 2 h back, 1 h forward") as trial:
        codes = Codes(stack, trial)
        for step in (HOUR, -HOUR, 0):
            clock.step(step)
            trial.wait_for(20)
        trial.over()
        codes.ask()
        codes.wait_for_all(60)
    assert set(trial.load.statuses) <= {200, 201, 202, 302}


def test_a_code_that_waits_when_the_clock_steps_back_is_sent(clocked: tuple[Stack, Clock]):
    stack, clock = clocked
    with stack.trial("the clock steps 1 h back while 16 codes wait", writers=2) as trial:
        codes = Codes(stack, trial)
        stack.gateway.http.extend([503] * 40)
        codes.ask()
        clock.step(-HOUR)
        trial.over()
        assert codes.wait_for_all(60) < 60
