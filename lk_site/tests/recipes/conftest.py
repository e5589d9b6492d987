"""An agency on the live server, and a stranger who has a key for it with just the scopes that a page names."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from lk_site.tests.recipes.pages import ROOT, Page, Stranger

if TYPE_CHECKING:
    from accounts.models import User


@pytest.fixture
def vera(transactional_db: None) -> "User":
    """The head of an agency with pipelines."""
    from accounts.actor import Actor
    from accounts.services import agencies
    from accounts.tests.people import make_agent

    agency = agencies.add_agency("Ключи и двери", actor=Actor.system())
    return make_agent(agency, "Вера Власова", role="head")


@pytest.fixture
def anna(vera: Any) -> "User":
    from accounts.tests.people import make_agent

    return make_agent(vera.agency, "Анна Агеева")


@pytest.fixture
def stranger(live_server: Any, vera: Any, tmp_path: Path) -> Callable[..., Stranger]:
    """Return a function that gives a stranger a page, and a key as the page says."""
    from accounts.tests.programs import make_key

    def stranger(path: str, **environment: str) -> Stranger:
        page = Page(path)
        key = make_key(vera, page.scopes, name=Path(path).stem).token
        return Stranger(page, tmp_path, {"LK_URL": live_server.url, "LK_KEY": key, **environment})

    return stranger


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like the one of LK to whoever types commands there: `var`, `.venv` and `manage.py`."""
    from django.conf import settings

    (tmp_path / "var").symlink_to(settings.VAR_DIR)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    return tmp_path


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """The worker's part that sends codes, beside the test."""
    over = threading.Event()

    def send() -> None:
        from accounts.gateways import gateway
        from accounts.services import outbox

        try:
            while not over.wait(0.1):
                outbox.deliver(gateway())
        finally:
            connection.close()

    thread = threading.Thread(target=send)
    thread.start()
    yield
    over.set()
    thread.join()
