"""LK as production runs it, on loopback: nginx, gunicorn, workers, PostgreSQL, the SMS gateway, and Redis if asked."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType

from accounts.tests.fake_sms_ru import API_ID, FakeSmsRu
from accounts.tests.fake_sms_ru import running as sms_gateway
from bench.proc import parent_of
from deploy.tests.nginx import Front, in_front_of, wait_until
from faults.cluster import Cluster
from faults.oracle import Told, Verdict
from faults.people import Person
from faults.services import Service
from faults.table import Row, add
from faults.writers import Load
from lk_site.new_keys import write_new_keys
from lk_site.serve import ROOT
from lk_site.tests.test_startup import PUBLIC

BACK_WITHIN_S = 10  # security.md 8
WRITERS = 6
PEOPLE = 24


@dataclass
class Machine:
    """A web machine: its folder, and the web server that is kept running there."""

    folder: Path
    environment: dict[str, str]
    socket: socket.socket
    web: Service

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    @property
    def processes(self) -> list[int]:
        """The processes of gunicorn that serve: the supervisor's grandchildren."""
        children = {pid for pid in self.web.family if parent_of(Path(f"/proc/{pid}")) == self.web.process.pid}
        return sorted(self.web.family - children - {self.web.process.pid})

    def serves(self) -> bool:
        return self.web.text.count("LK is at") > 0


@dataclass
class Stack:
    """What runs. `people` have sessions."""

    folder: Path
    environment: dict[str, str]
    cluster: Cluster
    gateway: FakeSmsRu
    machines: list[Machine] = field(default_factory=list)
    workers: list[Service] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    front: Front = None  # type: ignore[assignment]  # opened last

    @property
    def web(self) -> Machine:
        return self.machines[0]

    @property
    def keys(self) -> Path:
        return self.folder / "keys.json"

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> str:
        """Run a command as an operator does, and return what it prints."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def judge(self, told: list[Told]) -> Verdict:
        """Ask the database what became of what was acknowledged."""
        return Verdict(**json.loads(self.run("-m", "faults.oracle", stdin=json.dumps([asdict(one) for one in told]))))

    @property
    def unsent(self) -> int:
        """How many codes wait in the outbox."""
        return int(self.cluster.sql("SELECT count(*) FROM accounts_smsmessage WHERE state = 'queued'"))

    def add_people(self, count: int, clients: int = 0) -> list[Person]:
        """Make agents with sessions; the first of them has so many clients."""
        return [Person(**one) for one in json.loads(self.run("-m", "faults.people", str(count), str(clients)))]

    def log(self) -> str:
        logs = [machine.web.text for machine in self.machines] + [worker.text for worker in self.workers]
        return "\n".join(logs)

    @contextmanager
    def trial(self, fault: str, *, writers: int = WRITERS, people: list[Person] | None = None) -> Iterator["Trial"]:
        """Put a load on, let the block break things, and judge what is left; adds a row to the table."""
        load = Load(self.front, people or self.people, writers)
        trial = Trial(self, fault, load)
        load.start()
        try:
            trial.wait_for(writers)
            yield trial
            trial.wait_for(2 * writers)
        except BaseException:
            load.is_abandoned.set()
            raise
        finally:
            load.stop()
        trial.judge()


@dataclass
class Trial:
    """A fault under load."""

    stack: Stack
    fault: str
    load: Load
    over_at: float = 0.0

    def wait_for(self, more: int, seconds: float = 90) -> None:
        """Wait until so many more writes are acknowledged."""
        wanted = self.load.acknowledged + more
        wait_until(lambda: self.load.acknowledged >= wanted or bool(self.load.unexpected), seconds)

    def over(self) -> None:
        """Say that from now on nothing is broken any more: what is still refused counts as not recovered."""
        self.over_at = time.monotonic()

    @property
    def recovered_s(self) -> float:
        return max(0.0, self.load.last_trouble - (self.over_at or self.load.last_trouble))

    def judge(self) -> None:
        load = self.load
        verdict = self.stack.judge(load.told)
        trouble = {status: count for status, count in sorted(load.statuses.items()) if status // 100 not in (2, 3)}
        spoken = ", ".join(f"{count} × {status or 'no answer'}" for status, count in trouble.items())
        add(
            Row(
                self.fault,
                f"{load.writers} writers, {load.statuses.total()} requests" + (f" ({spoken})" if spoken else ""),
                load.acknowledged,
                len(verdict.lost),
                len(verdict.doubled),
                self.recovered_s,
            )
        )
        assert load.unexpected == []
        assert (verdict.lost, verdict.doubled, verdict.flaws) == ([], [], [])
        assert set(trouble) <= {0, 409, 503}
        assert self.recovered_s < BACK_WITHIN_S


@contextmanager
def running(
    folder: Path,
    settings: Mapping[str, str] = MappingProxyType({}),
    *,
    machines: int = 1,
    workers: int = 1,
    people: int = PEOPLE,
    cluster: Cluster | None = None,
    static: Path,
    office: str = "",
) -> Iterator[Stack]:
    """Run a whole stack until the block ends.

    `settings` are those of LK, `office` is an address that nginx knows as one. Where settings name a database, no
    cluster is made.
    """
    with ExitStack() as stack:
        if "DATABASE_URL" not in settings:
            cluster = cluster or Cluster()
            stack.callback(cluster.remove)
        gateway = stack.enter_context(sms_gateway())
        write_new_keys(folder / "keys.json")
        told = {
            "DATABASE_URL": cluster.url() if cluster else "",
            "LK_SMS_RU_URL": gateway.url,
            "LK_SMS_RU_API_ID": API_ID,
            "LK_TRUSTED_HOPS": "1",
            "LK_KEYS_FILE": str(folder / "keys.json"),
            "LK_VAR_DIR": str(folder),
            "PYTHONPATH": str(ROOT / "tests"),
            "DJANGO_SETTINGS_MODULE": "lk_site.settings",
        }
        environment = {**bare(), **PUBLIC, **told, **settings}
        made = Stack(folder, environment, cluster, gateway)  # type: ignore[arg-type]
        (folder / "static").symlink_to(static)
        owner = cluster.url("lk_owner") if cluster else environment["DATABASE_URL"]
        made.run("manage.py", "migrate", "--verbosity", "0", "--skip-checks", DATABASE_URL=owner)
        made.people = made.add_people(people)
        for number in range(machines):
            made.machines.append(stack.enter_context(web_machine(made, number)))
        for number in range(workers):
            worker = Service(["manage.py", "worker"], environment, folder / f"worker-{number}.log")
            stack.callback(worker.end)
            made.workers.append(worker)
        wait_until(lambda: all(machine.serves() for machine in made.machines))
        made.front = stack.enter_context(in_front_of([one.port for one in made.machines], folder, static, office))
        yield made


@contextmanager
def web_machine(stack: Stack, number: int) -> Iterator[Machine]:
    """Run a web machine with a folder of its own."""
    folder = stack.folder / f"web-{number}"
    folder.mkdir()
    (folder / "static").symlink_to(stack.folder / "static")
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as door:
        environment = {**stack.environment, "LK_VAR_DIR": str(folder), "PORT": str(door.getsockname()[1])}
        service = Service(["-m", "lk_site.serve", "web"], environment, folder / "web.log", door)
        try:
            yield Machine(folder, environment, door, service)
        finally:
            service.end()


def bare() -> dict[str, str]:
    """Return the environment without anything that LK or pytest would read."""
    ours = ("LK_", "DATABASE_", "REDIS_", "PYTEST", "DJANGO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
