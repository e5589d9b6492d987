"""A disk fills up: the database's, or that of a web machine. Writes get 503, and go on once there is room."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.conf import settings

from conftest import absent
from deploy.tests.nginx import free_port
from faults.cluster import Cluster
from faults.conftest import be_able
from faults.stack import Stack, running

SMALL = {"min_wal_size": "'32MB'", "max_wal_size": "'64MB'"}


class Disk:
    """A small disk of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Leave not a byte."""
        with (self.folder / "filling").open("wb", buffering=0) as filling, suppress(OSError):
            while True:
                filling.write(b"\0" * 65536)
        with (self.folder / "more filling").open("wb", buffering=0) as filling, suppress(OSError):
            while True:
                filling.write(b"\0" * 512)

    def make_room(self) -> None:
        (self.folder / "filling").unlink()


@contextmanager
def disk(megabytes: int) -> Iterator[Disk]:
    folder = Path(tempfile.mkdtemp(prefix="lk-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        absent("No disk can be mounted here: root is needed")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def on_small_disks(tmp_path: Path) -> Iterator[tuple[Stack, Disk, Disk]]:
    """A stack whose database and whose web machine have a small disk each."""
    be_able()
    with disk(400) as of_database, disk(60) as of_web:
        data = of_database.folder / "cluster"
        data.mkdir()
        os.chmod(of_database.folder, 0o755)
        counting = {"LK_METRICS_ADDRESS": f"127.0.0.1:{free_port()}"}  # in files that are mapped into memory
        cluster = Cluster(data, **SMALL)
        with running(of_web.folder, counting, cluster=cluster, static=settings.STATIC_ROOT, people=12) as up:
            yield up, of_database, of_web
        shutil.rmtree(data, ignore_errors=True)


def test_a_full_disk_refuses_writes_and_loses_nothing(on_small_disks: tuple[Stack, Disk, Disk]):
    stack, of_database, of_web = on_small_disks
    with stack.trial("the disk of the web machine full for 5 s, a web process killed") as trial:
        of_web.fill()
        os.kill(stack.web.processes[0], signal.SIGKILL)
        trial.load.is_over.wait(5)
        of_web.make_room()
        trial.over()
    with stack.trial("the disk of the database full for 10 s") as trial:
        of_database.fill()
        trial.load.is_over.wait(10)
        of_database.make_room()
        start_if_it_has_ended(stack.cluster)
        trial.over()


def start_if_it_has_ended(cluster: Cluster) -> None:
    """Start it as its administrator would: it ends itself where it can write no log of its changes."""
    with suppress(AssertionError):
        cluster.run("pg_ctl", "status")
        return
    cluster.start()
