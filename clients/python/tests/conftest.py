"""The client against the live server: real HTTP, real keys, and every story told to both clients."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lk_client import NO_RETRIES, AsyncClient, Client


@pytest.fixture
def vera(transactional_db: None) -> Any:
    """The head of an agency with pipelines."""
    from accounts.actor import Actor
    from accounts.services import agencies
    from accounts.tests.people import make_agent

    agency = agencies.add_agency("Ключи и двери", actor=Actor.system())
    return make_agent(agency, "Вера Власова", role="head")


@pytest.fixture
def anna(vera: Any) -> Any:
    from accounts.tests.people import make_agent

    return make_agent(vera.agency, "Анна Агеева")


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, live_server: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens a client with a key; the async one is asked as if it were the sync one."""
    from tests.blocking import Blocking

    opened: list[Any] = []

    def connect(key: str, **options: Any) -> Any:
        options = {"base_url": live_server.url, "language": "en", "retries": NO_RETRIES, **options}
        client = Client(key, **options) if request.param == "sync" else Blocking(AsyncClient, key, **options)
        opened.append(client)
        return client

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def lk(connect: Callable[..., Any], vera: Any) -> Any:
    """A client with a key of Vera's agency that has every scope."""
    from accounts.tests.programs import make_key

    return connect(make_key(vera).token)
