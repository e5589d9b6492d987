"""Keys rotated on the running stack, the rotator killed half-way: everything stays readable and is found."""

import signal
import subprocess
import sys

from deploy.tests.nginx import wait_until
from faults.stack import Stack
from lk_site.serve import ROOT

UNDER_NEW = {  # how much of what is rotated first stands under key 2 already
    "fields": "SELECT count(*) FROM deals_client WHERE name IS NOT NULL AND get_byte(name, 1) = 2",
    "client_index": "SELECT count(*) FROM deals_clientphone WHERE get_byte(phone_index, 0) = 2",
}


def test_keys_rotated_under_load_and_a_rotator_killed_lose_nothing(stack: Stack):
    stack.add_people(1, clients=1500)  # enough for a rotation to be caught in the middle
    with stack.trial("fields and client_index rotated, each rotator killed half-way") as trial:
        for purpose, under_new in UNDER_NEW.items():
            stack.run("manage.py", "keys", "generate", purpose)
            renew(stack)
            rotator = subprocess.Popen(
                [sys.executable, "manage.py", "keys", "rotate", purpose],
                cwd=ROOT,
                env=stack.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_until(lambda: rotator.poll() is not None or stack.cluster.sql(under_new) != "0")  # noqa: B023
            rotator.kill()
            assert rotator.wait() != 0, "it was killed too late to prove anything"
            renew(stack)
            assert "Nothing that could be made anew is left" in stack.run("manage.py", "keys", "rotate", purpose)
        trial.over()
    stack.run("manage.py", "keys", "verify")
    for purpose in UNDER_NEW:
        stack.run("manage.py", "keys", "retire", purpose, "1")
    renew(stack)
    assert "0 are not right" in stack.run("manage.py", "keys", "verify")
    assert set(trial.load.statuses) <= {200, 201, 302}


def renew(stack: Stack) -> None:
    """Let the web server and the workers load the key file anew, as the page for operators says."""
    renewed = stack.web.web.text.count("LK is renewed")
    stack.web.web.signal(signal.SIGHUP)
    wait_until(lambda: stack.web.web.text.count("LK is renewed") > renewed)
    for worker in stack.workers:
        before = worker.process.pid
        worker.signal(signal.SIGTERM)
        wait_until(lambda: worker.process.pid != before)  # noqa: B023
