"""LK on loopback with limits that let an attack through, on a PostgreSQL of its own, and who may ask it."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.tests.nginx import free_port, wait_until
from faults.cluster import Cluster
from faults.services import Service
from faults.stack import bare
from lk_site.new_keys import write_new_keys
from lk_site.serve import ROOT
from lk_site.tests.crawling import Answer
from lk_site.tests.databases import Digests


@dataclass
class Site:
    """A running site: `world` is what `attack.world` has made in it."""

    port: int
    environment: dict[str, str]
    web: Service
    world: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def digests(self) -> Digests:
        return Digests(json.loads(self.run("-m", "attack.world", "digests")))

    def cookies(self, who: str) -> str:
        """Return the Cookie header of a person, or of nobody, with a CSRF token."""
        token = f"{self.world['csrf_cookie']}={self.world['csrf']}"
        return "; ".join(filter(None, [self.world["cookies"].get(who, ""), token]))

    def ask(self, method: str, address: str, headers: dict[str, str], body: str = "") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, address, body.encode() or None, headers)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        connection.close()
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, text)


@contextmanager
def running(folder: Path, static: Path) -> Iterator[Site]:
    """Run a site in local mode, the only one that lets limits be raised, until the block ends."""
    with ExitStack() as stack:
        cluster = Cluster()
        stack.callback(cluster.remove)
        write_new_keys(folder / "keys.json")
        (folder / "static").symlink_to(static)
        port = free_port()
        environment = {
            **bare(),
            "DATABASE_URL": cluster.url(),
            "HOST": "127.0.0.1",
            "LK_LIMITS_SCALE": "100000",
            "LK_LOCAL": "1",
            "LK_LOG_LEVEL": "WARNING",
            "LK_VAR_DIR": str(folder),
            "PORT": str(port),
            "PYTHONPATH": str(ROOT / "tests"),
        }
        site = Site(port, environment, None)  # type: ignore[arg-type]  # it serves once there are tables
        site.run("manage.py", "migrate", "--verbosity", "0", "--skip-checks", DATABASE_URL=cluster.url("lk_owner"))
        site.world = json.loads(site.run("-m", "attack.world"))
        site.web = Service(["-m", "lk_site.serve", "web"], environment, folder / "web.log")
        stack.callback(site.web.end)
        wait_until(lambda: "LK is at" in site.web.text)
        yield site
