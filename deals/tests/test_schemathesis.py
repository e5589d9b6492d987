"""OpenAPI never lies: whatever is sent to whichever operation, the answer is a declared one and never a 5xx."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client as Browser
from hypothesis import HealthCheck, settings
from schemathesis.core.parameters import ParameterLocation

from accounts.models import User
from accounts.services.session_store import row_of
from accounts.tests.people import sign_in
from deals.services.notes import add_note
from deals.tests.making import by, make_deal
from lk_site.api import api
from lk_site.api_docs import document

EXAMPLES = 10  # of each operation beside the cases of schemathesis' own coverage of the schema: about a minute in all
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

pytestmark = [pytest.mark.django_db, pytest.mark.long]


def contract(*, signed_in: bool = True, consent: bool = True) -> Any:
    """Return the document that programs read; for who is signed in the session is not schemathesis' to make up."""
    loaded = json.loads(document(api))
    loaded["components"]["securitySchemes"]["session"]["name"] = django_settings.SESSION_COOKIE_NAME
    for details in [details for methods in loaded["paths"].values() for details in methods.values() if signed_in]:
        details.pop("security", None)
    schema = schemathesis.openapi.from_dict(loaded)
    schema.app = WSGIHandler()
    checks = schema.config.checks
    checks.positive_data_acceptance.enabled = False  # no schema can say what rules refuse
    rejections = checks.negative_data_rejection
    rejections.expected_statuses = [*rejections.expected_statuses, "412"]  # a version that never was
    checks.missing_required_header.expected_statuses = ["401", "403", "404", "422", "428"]
    checks.unsupported_method.enabled = consent  # without it nothing else is looked at
    return schema


AGENTS, NEWCOMERS, ANYBODYS = contract(), contract(consent=False), contract(signed_in=False)


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Requests run in this thread and in the test's transaction: nothing may close its connection."""
    ends = (signals.request_started, signals.request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)


@pytest.fixture(autouse=True)
def _no_throttle(settings: Any) -> None:
    many = dict.fromkeys(("person", "anonymous", "search", "looks"), (10**9, 300))
    settings.LIMITS = {**settings.LIMITS, **many}


@pytest.fixture
def ids(anna: User) -> dict[str, str]:
    """What paths are filled with, so that not every answer is 404."""
    deal = make_deal(anna, client_name="Мария Петрова", notes="Ключи у соседа")
    note = add_note(deal.pk, "Заметка", actor=by(anna))
    session = sign_in(Browser(), anna, django_settings.SESSION_COOKIE_NAME)
    return {
        "deal_id": str(deal.pk),
        "client_id": str(deal.client_id),
        "note_id": str(note.pk),
        "session_id": str(session.pk),
    }


class Asker:
    """Sends what schemathesis makes up as one person, or as nobody."""

    def __init__(self, user: User | None) -> None:
        self.user = user
        self.browser = Browser()
        self.token = _get_new_csrf_string()

    def cookies(self) -> dict[str, str]:
        """Return the cookies of a live session: an earlier case may have ended the one before."""
        name = django_settings.SESSION_COOKIE_NAME
        if self.user is not None and not is_live(
            self.browser.cookies[name].value if name in self.browser.cookies else ""
        ):
            sign_in(self.browser, self.user, name)
        mine = {name: cookie.value for name, cookie in self.browser.cookies.items()}
        return {**mine, django_settings.CSRF_COOKIE_NAME: self.token}

    def ask(self, case: Any) -> None:
        response = case.call(headers={"X-CSRFToken": self.token}, cookies=self.cookies())
        case.validate_response(response)


def is_live(key: str) -> bool:
    row = row_of(key)
    return row is not None and row.ended_at is None


def about_ours(case: Any, ids: dict[str, str]) -> None:
    """Put ids of rows that are there, and their version, into a case, unless just that is what is wrong with it."""
    if case.path_parameters and not is_wrong(case, ParameterLocation.PATH):
        case.path_parameters = {name: ids[name] for name in case.path_parameters}
    if "If-Match" in (case.headers or ()) and not is_wrong(case, ParameterLocation.HEADER):
        case.headers["If-Match"] = '"1"'


def is_wrong(case: Any, location: ParameterLocation) -> bool:
    return case.meta is not None and case.meta.is_negative_at(location)


@AGENTS.parametrize()
@BOUNDED
def test_every_answer_to_an_agent_is_declared(case: Any, anna: User, ids: dict[str, str]):
    about_ours(case, ids)
    Asker(anna).ask(case)


@AGENTS.parametrize()
@BOUNDED
def test_every_answer_to_a_head_is_declared(case: Any, vera: User, ids: dict[str, str]):
    about_ours(case, ids)
    Asker(vera).ask(case)


@NEWCOMERS.parametrize()
@BOUNDED
def test_every_answer_before_consent_is_declared(case: Any, boris: User, ids: dict[str, str]):
    boris.consent_version = ""
    boris.save_changes("consent_version")
    about_ours(case, ids)
    Asker(boris).ask(case)


@ANYBODYS.parametrize()
@BOUNDED
def test_every_answer_to_nobody_is_declared(case: Any, ids: dict[str, str]):
    about_ours(case, ids)
    Asker(None).ask(case)
