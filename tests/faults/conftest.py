"""One stack for the tests of a module, and the table at the end of a run."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from conftest import absent
from deploy.tests.nginx import NGINX
from faults import table
from faults.cluster import BINARIES
from faults.stack import Stack, running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: Any) -> Iterator[Stack]:
    """The whole of production, once for a module: each test leaves it as it found it."""
    be_able()
    with running(tmp_path_factory.mktemp("stack"), static=settings.STATIC_ROOT) as up:
        yield up


def be_able() -> None:
    """Skip where a server that the stack needs is not installed."""
    if NGINX is None:
        absent("No nginx here. On Debian: apt-get install nginx-light")
    if not BINARIES:
        absent("No PostgreSQL server here. On Debian: apt-get install postgresql")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if table.rows:
        terminalreporter.write_line("")
        for line in table.lines():
            terminalreporter.write_line(line)
