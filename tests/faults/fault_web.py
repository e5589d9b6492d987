"""The web server is killed, in part and whole, and renewed, while people write."""

import os
import signal

from deploy.tests.nginx import wait_until
from faults.stack import Stack


def test_a_web_process_killed_again_and_again_loses_nothing(stack: Stack):
    with stack.trial("a web process killed, five times") as trial:
        for _time in range(5):
            wait_until(lambda: len(stack.web.processes) == 2)
            os.kill(stack.web.processes[0], signal.SIGKILL)
            trial.over()
            trial.wait_for(20)


def test_a_web_server_that_is_killed_whole_is_started_again(stack: Stack):
    with stack.trial("the web server killed, started by systemd after 3 s") as trial:
        before = stack.web.web.process.pid
        stack.web.web.kill()
        trial.over()
        wait_until(lambda: stack.web.web.process.pid != before)


def test_sighup_under_load_renews_without_a_refusal(stack: Stack):
    with stack.trial("SIGHUP, three times") as trial:
        for time in range(1, 4):
            stack.web.web.signal(signal.SIGHUP)
            wait_until(lambda: stack.web.web.text.count("LK is renewed") == time)  # noqa: B023
            trial.wait_for(20)
        trial.over()
    assert set(trial.load.statuses) <= {200, 201, 302}
