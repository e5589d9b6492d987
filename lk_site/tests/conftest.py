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


@pytest.fixture
def world(db: None, settings: Any) -> Any:
    """Return people of two agencies, staff, and things of Anna's; nobody is throttled."""
    from lk_site.tests.walking import make_world

    settings.LIMITS = {**settings.LIMITS, **dict.fromkeys(("person", "anonymous", "search"), (10**9, 300))}
    return make_world()
