"""A PostgreSQL server of a test's own, which may be stopped, killed and started as one likes."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.proc import backends, family
from deploy.tests.nginx import free_port
from faults.services import kill_family
from lk_site.serve import ROOT

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
OWNER, SERVER = "owner", "server"  # passwords of the two roles; the server listens on loopback and trusts it


class Cluster:
    """A server with the two roles of production in a database `lk`. `url(role)` is its address."""

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        """Make the server's files in a folder and start it; each setting becomes a line of its configuration."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="lk-faults-"))
        self.data, self.port = self.folder / "data", free_port()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        self.run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync")
        ours = {"port": str(self.port), "listen_addresses": "'127.0.0.1'", "unix_socket_directories": "''"}
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in {**ours, **settings}.items())
        self.start()
        self.sql("CREATE DATABASE lk TEMPLATE template0 ENCODING 'UTF8'", database="postgres")
        roles = ROOT / "deploy" / "postgresql" / "roles.sql"
        self.psql("lk", "-v", f"owner_password={OWNER}", "-v", f"server_password={SERVER}", stdin=roles.read_text())

    def url(self, role: str = "lk_server") -> str:
        return f"postgres://{role}@127.0.0.1:{self.port}/lk"

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL's as the owner of the server's files."""
        command = [str(BINARIES[-1] / program), "--pgdata", str(self.data), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr + self.log

    def start(self) -> None:
        self.run("pg_ctl", "start", "--wait", "--silent", "--log", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "stop", "--wait", "--silent", "--mode", mode)

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace")[-2000:] if path.exists() else ""

    @property
    def postmaster(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """End every process of the server at once, as when its machine loses power, and wait until it is gone."""
        kill_family(self.postmaster)
        (self.data / "postmaster.pid").unlink()  # else a dead process that nobody has waited for passes for a server

    @property
    def backends(self) -> set[int]:
        """The processes that serve connections to the database."""
        return family(self.postmaster) & backends("lk")

    def psql(self, database: str, *arguments: str, stdin: str = "") -> str:
        command = ["psql", "-w", "-X", "-q", "-t", "-A", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        return subprocess.run(
            [*command, "-v", "ON_ERROR_STOP=1", "-d", database, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.strip()

    def sql(self, statement: str, database: str = "lk") -> str:
        """Run a statement as the superuser, and return what it prints."""
        return self.psql(database, "-c", statement)

    def remove(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)
