"""A browser without a window, for pages: a test client that a person is signed in with."""

import re
from uuid import uuid4

from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.tests.people import sign_in

VERSION = re.compile(r'name="version" value="(\d+)"')


def browser_of(user: User) -> Client:
    """Return a browser in which this person is signed in."""
    browser = Client()
    sign_in(browser, user, settings.SESSION_COOKIE_NAME)
    return browser


def new_deal_form(**changes: str) -> dict[str, str]:
    """Return what a person types into the form of a new deal."""
    typed = {
        "form_key": str(uuid4()),
        "client_phone": "8 (916) 123-45-67",
        "client_name": "Мария Петрова",
        "kind": "sale",
        "property_address": "Москва, Тверская ул., 12, кв. 34",
        "price": "12 500 000",
        "commission_percent": "2,5",
    }
    return typed | changes


def version_on(page: str) -> str:
    """Return the version that the first form of a page carries."""
    found = VERSION.search(page)
    assert found
    return found[1]
