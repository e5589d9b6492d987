"""The short set of faults, for the ordinary suite; `make faults` has them all, with more load."""

import os
import signal

import pytest
from django.db import connection

from faults.stack import Stack

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="once is enough: the stack brings its own PostgreSQL"),
]


def test_a_web_process_that_is_killed_loses_nothing(stack: Stack):
    with stack.trial("a web process killed") as trial:
        os.kill(stack.web.processes[0], signal.SIGKILL)
        trial.over()


def test_a_database_that_crashes_loses_nothing(stack: Stack):
    with stack.trial("PostgreSQL killed and started") as trial:
        stack.cluster.kill()
        stack.cluster.start()
        trial.over()
