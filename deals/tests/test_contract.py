"""OpenAPI never lies: whatever is sent to whichever operation, the answer is a declared one and never a 5xx."""

import json
from collections import Counter
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client as Browser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from accounts.models import Role, User
from accounts.tests.people import make_agent, sign_in
from deals.services.notes import add_note
from deals.tests.conftest import open_agency
from deals.tests.making import by, make_deal
from lk_site.api import api
from lk_site.api_docs import document

EXAMPLES = 12
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
UNCHECKED = ["ignored_auth", "missing_required_header", "negative_data_rejection", "positive_data_acceptance"]
SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


@pytest.fixture(autouse=True)
def _no_throttle(settings: Any) -> None:
    many = dict.fromkeys(("person", "anonymous", "search"), (10**9, 300))
    settings.LIMITS = {**settings.LIMITS, **many}


def schema() -> Any:
    loaded = schemathesis.openapi.from_dict(json.loads(document(api)))
    loaded.app = WSGIHandler()
    return loaded


class Walk:
    """Asks every operation many things as one person, about a deal, a client and a note that are there or are not."""

    def __init__(self, user: User | None, ids: dict[str, str]) -> None:
        self.user, self.ids = user, ids
        self.answers: Counter[tuple[str, int]] = Counter()

    def ask_everything(self) -> None:
        for found in schema().get_all_operations():
            operation = found.ok()
            for mode in MODES:
                self.ask(operation, mode)

    def ask(self, operation: Any, mode: GenerationMode) -> None:
        cookies, headers = self.signed_in()

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=SLOW_IS_FINE
        )
        @given(case=operation.as_strategy(generation_mode=mode), is_about_ours=st.booleans())
        def ask_once(case: Any, is_about_ours: bool) -> None:
            if is_about_ours and case.path_parameters:
                case.path_parameters = {name: self.ids[name] for name in case.path_parameters}
            response = case.call(headers=headers, cookies=cookies)
            self.answers[operation.label, response.status_code] += 1
            assert response.status_code < 500
            case.validate_response(response, excluded_checks=CHECKS.get_by_names(UNCHECKED))

        if mode is GenerationMode.POSITIVE or operation.body or operation.query:
            ask_once()

    def signed_in(self) -> tuple[dict[str, str], dict[str, str]]:
        browser, token = Browser(), _get_new_csrf_string()
        browser.cookies[django_settings.CSRF_COOKIE_NAME] = token
        if self.user is not None:
            sign_in(browser, self.user, django_settings.SESSION_COOKIE_NAME)
        return {name: cookie.value for name, cookie in browser.cookies.items()}, {"X-CSRFToken": token}


def people() -> dict[str, User | None]:
    agency = open_agency("Ключ")
    anna = make_agent(agency, "Анна Агеева")
    return {
        "anna": anna,
        "vera": make_agent(agency, "Вера Власова", role=Role.HEAD),
        "newcomer": make_agent(open_agency("Свой угол"), "Гость", role=Role.HEAD, consent_version=""),
        "nobody": None,
    }


@pytest.mark.parametrize("who", ["anna", "vera", "newcomer", "nobody"])
def test_every_answer_is_declared(who: str):
    asking = people()
    anna = asking["anna"]
    assert anna is not None
    deal = make_deal(anna)
    note = add_note(deal.pk, "Заметка", actor=by(anna))
    ids = {
        "deal_id": str(deal.pk),
        "client_id": str(deal.client_id),
        "note_id": str(note.pk),
        "session_id": str(deal.pk),
    }
    walk = Walk(asking[who], ids)
    walk.ask_everything()
    statuses = {status for _label, status in walk.answers}
    assert ({200, 201, 204, 404, 422} <= statuses) == (who in ("anna", "vera")), walk.answers
