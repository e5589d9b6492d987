"""Login by code, through both doors: what opens, what does not, and what the browser gets to keep."""

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import Agency, User
from accounts.tests.logging_in import ANNA, STRANGER, ask_for_code, give_code, log_in, sent_code
from accounts.tests.people import make_agent

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def anna() -> User:
    return make_agent(phone=ANNA)


def test_an_agent_logs_in_with_the_code_of_the_sms(visitor, anna):
    asked = ask_for_code(visitor)
    assert (asked.status_code, asked.json()) == (202, {"resend_after_s": 60})
    answer = give_code(visitor, ANNA, sent_code(ANNA))
    assert answer.status_code == 200
    assert answer.json()["user"]["id"] == str(anna.pk)
    assert visitor.get("/api/v1/me/sessions").json()["items"][0]["is_current"] is True


def test_an_agent_logs_in_on_the_pages(visitor, anna):
    visitor.get("/login/?next=/deals/new/")
    token = visitor.cookies[settings.CSRF_COOKIE_NAME].value
    form = {"csrfmiddlewaretoken": token, "next": "/deals/new/"}
    sent = visitor.post("/login/", {**form, "phone": "8 (916) 999-00-01"})
    assert (sent.status_code, sent["Location"]) == (302, "/login/code/?next=%2Fdeals%2Fnew%2F")
    page = visitor.get(sent["Location"])
    assert "+7\xa0916\xa0999-00-01" in page.content.decode()
    User.objects.filter(pk=anna.pk).update(consent_version="1")
    entered = visitor.post("/login/code/", {**form, "code": sent_code(ANNA)})
    assert (entered.status_code, entered["Location"]) == (302, "/deals/new/")
    assert settings.SESSION_COOKIE_NAME in entered.cookies


def test_the_first_code_of_an_unknown_phone_opens_an_agency_of_one(visitor):
    log_in(visitor, STRANGER)
    agent = User.objects.with_phone(STRANGER).get()
    assert agent.is_head
    assert Agency.objects.get().people.get() == agent
