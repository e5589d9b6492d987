"""Nothing is changed for another site: not without a token, not from a foreign page, not by a link."""

import re
from typing import Any

import pytest
from django.conf import settings as configured

from lk_site.tests.asking import send
from lk_site.tests.databases import digests
from lk_site.tests.walking import Route, World, browser_of, routes

pytestmark = pytest.mark.django_db
UNSAFE = [route for route in routes() if route.method != "GET"]
WITHOUT_TOKEN = "POST /api/v1/auth/send-code"  # needs none, sets it (api.md)
CHANGED_BY_READING = (  # security.md 2.5: evidence, look counters and last seen; and the throttle of failures
    *("accounts_event", "accounts_eventtext", "accounts_agencyhead", "accounts_counter", "deals_look"),
    *("accounts_session.seen_at", "accounts_session.idle_until"),
)
FOREIGN = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another origin": {"Origin": "https://evil.example"},
    "no origin": {"Origin": "null"},
    "our name on another port": {"Origin": "http://testserver:8080"},
    "another site that names us as referrer": {"Origin": "https://evil.example", "Referer": "http://testserver/"},
}


def person_for(route: Route) -> str:
    return "staff" if route.door == "admin" else "anna"


@pytest.mark.parametrize("route", [route for route in UNSAFE if str(route) != WITHOUT_TOKEN], ids=str)
def test_without_a_token_nothing_is_done(world: World, route: Route):
    strict = browser_of(world.users[person_for(route)], strict=True)
    before = digests()
    for headers in ({}, {"X-CSRFToken": "a" * 32}):
        assert send(strict, route, world, headers=headers).status_code in (403, 405)
    assert digests().differ_from(before, besides=CHANGED_BY_READING) == []


@pytest.mark.parametrize("route", UNSAFE, ids=str)
def test_for_another_site_nothing_is_done_token_or_not(world: World, route: Route):
    browser = browser_of(world.users[person_for(route)], strict=True)
    token = {"X-CSRFToken": browser.cookies[configured.CSRF_COOKIE_NAME].value}
    before = digests()
    for headers in FOREIGN.values():
        assert send(browser, route, world, headers=headers | token).status_code == 403
    assert digests().differ_from(before, besides=CHANGED_BY_READING) == []


def test_a_login_form_of_another_site_logs_nobody_in(world: World):
    """Login CSRF: the victim would work in the attacker's cabinet."""
    stranger = browser_of(None, strict=True)
    for address in ("/login/", "/login/code/", "/admin/login/"):
        assert stranger.post(address, {"phone": "79161112233", "code": "123456"}).status_code == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("who", ["anna", "vera", "staff", "nobody"])
def test_nothing_changes_by_asking(world: World, method: str, who: str):
    """Every address, with whatever a form would send in its query."""
    browser = world.browser(who)
    before = digests()
    for pattern in sorted({route.pattern for route in routes()}):
        response = send(browser, Route("GET", pattern), world, {"X-HTTP-Method-Override": "POST"}, method=method)
        assert response.status_code < 500, (pattern, response.status_code)
    assert digests().differ_from(before, besides=CHANGED_BY_READING) == []


def test_a_method_in_a_field_or_a_header_is_no_method(world: World):
    browser = world.browser("anna")
    before = digests()
    for headers in ({"X-HTTP-Method-Override": "DELETE"}, {"X-Method-Override": "DELETE"}):
        browser.get(f"/api/v1/deals/{world.deal.pk}", headers=headers)
        browser.post(f"/deals/{world.deal.pk}/", {"_method": "DELETE"}, headers=headers)
    assert digests().differ_from(before, besides=CHANGED_BY_READING) == []


def test_no_answer_lets_another_origin_read_it(world: World):
    for address in ("/deals/", "/api/v1/deals/", "/api/v1/me", "/admin/login/"):
        for method in ("get", "options"):
            asked: Any = getattr(world.browser("anna"), method)(
                address, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
            )
            assert not [name for name in asked.headers if re.match("access-control", name, re.IGNORECASE)]
