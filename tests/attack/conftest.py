"""What is attacked: a site with raised limits, and the production stack; both on loopback, once a run."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from attack import table
from attack.site import Site
from attack.site import running as running_site
from faults.conftest import be_able
from faults.stack import Stack
from faults.stack import running as running_stack


@pytest.fixture(scope="session")
def site(tmp_path_factory: Any) -> Iterator[Site]:
    be_able()
    with running_site(tmp_path_factory.mktemp("site"), settings.STATIC_ROOT) as up:
        yield up


@pytest.fixture(scope="session")
def stack(tmp_path_factory: Any) -> Iterator[Stack]:
    be_able()
    with running_stack(tmp_path_factory.mktemp("stack"), people=6, static=settings.STATIC_ROOT) as up:
        yield up


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in ["", *table.lines()] if table.rows else []:
        terminalreporter.write_line(line)
