"""Tables of the models in `sealed`, once a run."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def sealed_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    from lk_site.tests.sealed import tables

    with django_db_blocker.unblock(), tables():
        yield
