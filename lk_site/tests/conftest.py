"""Tables of the models in `sealed`, once a run."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def sealed_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    from lk_site.tests.sealed import tables

    with django_db_blocker.unblock(), tables():
        yield


@pytest.fixture
def small_api(settings: Any) -> None:
    """Serve `lk_site.tests.small_api` behind the whole edge, instead of the product."""
    from lk_site.tests.small_api import MIDDLEWARE

    settings.ROOT_URLCONF = "lk_site.tests.small_api"
    settings.MIDDLEWARE = MIDDLEWARE
    settings.CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"


@pytest.fixture(scope="module")
def shared_world(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Make people of two agencies, staff, and things of Anna's, once for all tests of a module."""
    from django.db import transaction

    from lk_site.tests.walking import make_world

    with django_db_blocker.unblock(), transaction.atomic():
        yield make_world()
        transaction.set_rollback(True)


@pytest.fixture
def world(shared_world: Any, db: None, settings: Any) -> Any:
    """Return that world as it was made, with browsers of its own; nobody is throttled."""
    settings.LIMITS = {**settings.LIMITS, **dict.fromkeys(("person", "anonymous", "search"), (10**9, 300))}
    return shared_world.again()


@pytest.fixture
def by_session(world: Any) -> Any:
    """Return Anna's program: she owns what is in the world."""
    from lk_site.tests.askers import BySession

    return BySession(world.anna)


@pytest.fixture
def by_key(world: Any) -> Any:
    """Return a program with a key of every scope, which makes things for Anna."""
    from accounts.tests.programs import make_key
    from lk_site.tests.askers import ByKey

    return ByKey(make_key(world.vera).token, world.anna)


@pytest.fixture(params=["by_session", "by_key"])
def api(request: Any, world: Any) -> Any:
    """Return who asks in that world: a person by a session, then a program by a key."""
    return request.getfixturevalue(request.param)
