"""PostgreSQL restarts and crashes while people write: 503 that says when to come back, and nothing lost."""

import os
import signal

from faults.stack import Stack


def test_a_restart_of_the_database_loses_nothing(stack: Stack):
    with stack.trial("PostgreSQL restarted, twice") as trial:
        for _time in range(2):
            stack.cluster.run("pg_ctl", "restart", "--wait", "--silent", "--mode", "fast", "--log", "/dev/null")
            trial.over()
            trial.wait_for(30)


def test_a_crash_of_a_process_of_the_database_loses_nothing(stack: Stack):
    """The server ends all its processes when one is killed, and recovers by itself."""
    with stack.trial("a process of PostgreSQL killed, three times") as trial:
        for _time in range(3):
            os.kill(min(stack.cluster.backends), signal.SIGKILL)
            trial.over()
            trial.wait_for(30)


def test_a_database_machine_that_loses_power_loses_nothing(stack: Stack):
    with stack.trial("PostgreSQL killed whole, back after 5 s") as trial:
        stack.cluster.kill()
        trial.load.is_over.wait(5)
        stack.cluster.start()
        trial.over()
