"""The people of the work: Anna owns, Boris is a colleague, Vera heads their agency, Gleb works for another one.

pytest reads this file before Django is set up, so models are imported where they are needed.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from accounts.models import Agency, User


def open_agency(name: str) -> "Agency":
    """Open an agency as staff do, with its pipelines."""
    from accounts.actor import Actor
    from accounts.services import agencies

    return agencies.add_agency(name, actor=Actor.system())


@pytest.fixture
def agency(db) -> "Agency":
    return open_agency("Ключи и двери")


@pytest.fixture
def anna(agency) -> "User":
    from accounts.tests.people import make_agent

    return make_agent(agency, "Анна Агеева")


@pytest.fixture
def boris(agency) -> "User":
    from accounts.tests.people import make_agent

    return make_agent(agency, "Борис Белов")


@pytest.fixture
def vera(agency) -> "User":
    from accounts.tests.people import make_agent

    return make_agent(agency, "Вера Власова", role="head")


@pytest.fixture
def gleb(db) -> "User":
    from accounts.tests.people import make_agent

    return make_agent(open_agency("Свой угол"), "Глеб Громов", role="head")
