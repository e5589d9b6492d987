"""Headers of security.md 2.6 on every kind of answer, and headers that lie."""

import re
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import Client as Browser

from accounts.models import Event, Session
from accounts.tests.logging_in import ask_for_code
from lk_site.encryption.keys import generate_keys
from lk_site.serve import ROOT
from lk_site.tests.asking import send
from lk_site.tests.walking import Route, World, browser_of, routes

pytestmark = pytest.mark.django_db
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PAGES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
DATA = "default-src 'none'; sandbox"
INLINE = re.compile(rb"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=|javascript:", re.IGNORECASE)
FOREIGN = re.compile(rb"""(?:src|href|action)=["']?(?:https?:)?//(?!testserver)""", re.IGNORECASE)


def check(response: Any, about: str) -> None:
    """Check every header that every answer has, and that the page holds to its own policy."""
    assert {name: response.headers.get(name) for name in ALWAYS} == ALWAYS, about
    assert response.headers["Permissions-Policy"], about
    assert response.headers["X-Request-ID"], about
    policy, kind = response.headers["Content-Security-Policy"], response.headers.get("Content-Type", "")
    is_own_style = about.startswith("/admin/") or about == "/api/v1/docs"
    if kind.startswith("text/html"):
        assert "unsafe" not in policy
        assert policy == PAGES or (is_own_style and "frame-ancestors 'none'" in policy), about
        check_page(response, about)
    else:
        assert policy == DATA, about


def check_page(response: Any, about: str) -> None:
    assert not INLINE.search(response.content), (about, INLINE.search(response.content))
    assert not FOREIGN.search(response.content), (about, FOREIGN.search(response.content))
    assert "no-store" in response.headers["Cache-Control"] or "/docs" in about, about


@pytest.mark.parametrize("who", ["anna", "vera", "boris", "staff", "nobody"])
def test_every_answer_of_every_route_has_them(world: World, who: str):
    for route in routes():
        if route.method == "GET":
            check(send(world.browser(who), route, world), route.address())


REFUSED: dict[int, tuple[str, str, dict[str, Any]]] = {  # status -> method, address and what makes it so
    400: ("GET", "{door}", {"HTTP_HOST": "evil.example"}),
    403: ("POST", "{door}", {"HTTP_ORIGIN": "https://evil.example"}),
    404: ("GET", "{door}nothing/", {}),
    405: ("PUT", "{door}", {}),
    411: ("POST", "{door}", {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}),
    413: ("POST", "{door}", {"CONTENT_LENGTH": str(2**21)}),
    415: ("POST", "{door}", {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "1"}),
    500: ("GET", "{door}", {}),
    503: ("GET", "{door}", {}),
}


@pytest.mark.parametrize("status", REFUSED)
@pytest.mark.parametrize("door", ["/deals/", "/login/", "/api/v1/deals/", "/admin/", "/api/v1/auth/send-code"])
def test_every_refusal_has_them(world: World, monkeypatch: Any, door: str, status: int):
    """Those that a door does not know as such are another refusal there."""
    if status >= 500:
        break_everything(monkeypatch, status)
    method, address, environ = REFUSED[status]
    for who in ("anna", "staff", "nobody"):
        browser = browser_of(world.users.get(who), strict=True) if status < 500 else world.browser(who)
        response = browser.generic(method, address.format(door=door), **environ)
        assert status < 500 or response.status_code == status
        check(response, door)
        assert b"Traceback" not in response.content
        assert "Server" not in response.headers


def break_everything(monkeypatch: Any, status: int) -> None:
    """Let whatever asks who is there fail, as a mistake of ours or a database that is gone would."""
    from django.db import OperationalError

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("secret of a row") if status == 503 else RuntimeError("secret of a row")

    monkeypatch.setattr("accounts.middleware.LanguageMiddleware.__call__", broken)


def test_static_files_have_them():
    for name in ("css/app.css", "js/forms.js", "img/icon.svg", "vendor/htmx/htmx.min.js"):
        response: Any = Browser().get(staticfiles_storage.url(name))
        assert response.status_code == 200, name
        assert {header: response.headers.get(header) for header in ALWAYS} == ALWAYS
        assert response.headers["Content-Security-Policy"] == DATA
        assert "immutable" in response.headers["Cache-Control"]
        assert b"".join(response.streaming_content)
    check(Browser().get("/static/nothing.css"), "/static/nothing.css")


# --- headers that lie


def test_a_forged_x_forwarded_for_moves_nobody(world: World):
    """Not in the audit, not in sessions, not in the limits of a source."""
    browser = Browser()
    limit, _seconds = configured.LIMITS["code.sends.source.hour"]
    forged = [{"X-Forwarded-For": f"203.0.113.{number}", "X-Real-IP": "203.0.113.9"} for number in range(limit + 2)]
    for number, headers in enumerate(forged):
        ask_for_code(Browser(), f"7926{number:07}", **headers, Forwarded="for=203.0.113.7")
    browser.get("/login/", headers=forged[0])
    world.browser("boris").get(f"/deals/{world.deal.pk}/", headers=forged[0])
    from accounts.models import SmsMessage

    assert SmsMessage.objects.exclude(address=None).count() == limit
    addresses = {*Event.objects.values_list("address", flat=True), *Session.objects.values_list("address", flat=True)}
    assert not {address for address in addresses if address and address.startswith("203.0.113.")}


@pytest.mark.parametrize(
    "forged",
    [
        {"Host": "evil.example"},
        {"Host": "testserver:80@evil.example"},
        {"Host": "testserver, evil.example"},
        {"Host": ""},
        {"Host": "evil.example#testserver"},
        {"Host": "\xff"},
    ],
    ids=str,
)
@pytest.mark.parametrize("address", ["/login/", "/deals/", "/api/v1/me", "/admin/"])
def test_a_forged_host_is_400_and_stands_in_no_answer(world: World, forged: dict[str, str], address: str):
    for who in ("anna", "nobody"):
        response = world.browser(who).get(address, headers=forged)
        assert response.status_code == 400
        assert "evil.example" not in response.content.decode() + str(response.headers)
        check(response, address)


def test_what_a_proxy_would_say_is_not_believed(world: World):
    lies = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Original-URL": "/admin/"}
    for address in ("/", "/login/", "/deals/", "/api/v1/deals/?limit=1"):
        response = world.browser("anna").get(address, headers={**lies, "X-Rewrite-URL": "/admin/"})
        assert "evil.example" not in response.content.decode() + str(response.headers)
        assert "Strict-Transport-Security" not in response.headers


@pytest.mark.parametrize(
    "wanted",
    [
        *("//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example"),
        *(
            "///evil.example",
            "http:evil.example",
            "javascript:alert(1)",
            "/\n/evil.example",
            "//evil.example\\@testserver",
        ),
        *("https:///evil.example", " //evil.example", "\x00//evil.example", "//[::1", "http://["),
    ],
)
def test_no_next_leads_to_another_site(world: World, wanted: str):
    asked = [
        (world.browser("anna"), "GET", "/login/"),
        (world.browser("anna"), "GET", "/welcome/"),
        (world.browser("anna"), "POST", "/language/"),
        (world.browser("anna"), "POST", "/theme/"),
        (Browser(), "POST", "/login/"),
        (Browser(), "POST", "/language/"),
        (world.browser("staff"), "GET", "/admin/login/"),
    ]
    for browser, method, address in asked:
        form = {"next": wanted, "language": "en", "theme": "dark", "phone": "79161112233"}
        response = browser.post(address, form) if method == "POST" else browser.get(address, {"next": wanted})
        target = response.headers.get("Location", "/")
        assert target.startswith("/"), (address, target)
        assert not re.match(r"/[\\/\t\r\n]", target), (address, target)
        assert "evil" not in target, (address, target)
        assert 'href="//' not in response.content.decode()


# --- in production


PRODUCTION = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0); call_command("collectstatic", interactive=False, verbosity=0)
from accounts.services import agencies
from accounts.actor import Actor
from accounts.tests.people import make_agent
from accounts.tests.logging_in import ask_for_code, give_code, sent_code
from django.test import Client
anna = make_agent(agencies.add_agency("А", actor=Actor.system()), phone="79161112233")
browser = Client(headers={"Host": "lk.example", "Origin": "https://lk.example"})
plain = browser.get("/login/")
print("plain", plain.status_code, plain["Location"])
browser.defaults["HTTP_X_FORWARDED_PROTO"] = "https"
asked = ask_for_code(browser, "79161112233", Referer="https://lk.example/login/")
given = give_code(browser, "79161112233", sent_code("79161112233"), Referer="https://lk.example/login/")
for response in (asked, given):
    for cookie in response.cookies.values():
        print("cookie", response.status_code, cookie.OutputString())
print("hsts", given["Strict-Transport-Security"])
spoken = browser.post("/language/", {"language": "en", "csrfmiddlewaretoken": browser.cookies["__Host-lk-csrf"].value})
print("cookie", spoken.status_code, spoken.cookies["__Host-lk-language"].OutputString())
"""


def test_cookies_and_transport_in_production(tmp_path: Any):
    import json
    import os

    told = {name: value for name, value in os.environ.items() if not name.startswith(("LK_", "DATABASE_", "PYTEST"))}
    production = {
        "DJANGO_SETTINGS_MODULE": "lk_site.settings",
        "LK_VAR_DIR": str(tmp_path),
        "LK_KEYS": json.dumps(generate_keys()),
        "LK_SITE_HOST": "lk.example",
        "LK_TRUSTED_HOPS": "1",
        "LK_SMS_RU_API_ID": "an-account",
        "LK_OPERATOR": "ООО «ЛК»",
    }
    ran = subprocess.run(
        [sys.executable, "-c", PRODUCTION], cwd=ROOT, env={**told, **production}, capture_output=True, text=True
    )
    lines = ran.stdout.splitlines()
    assert lines, ran.stderr
    assert lines[0] == "plain 301 https://lk.example/login/"
    cookies = [line.split(" ", 2)[2] for line in lines if line.startswith("cookie ")]
    names = {cookie.partition("=")[0] for cookie in cookies}
    own = ("lk", "lk-csrf", "lk-challenge", "lk-device", "lk-language")
    assert names == {f"__Host-{name}" for name in own}, ran.stderr
    for cookie in cookies:
        assert "Domain" not in cookie
        assert {"Secure", "Path=/", "SameSite=Lax"} <= set(cookie.split("; ")), cookie
        assert "HttpOnly" in cookie or "Max-Age=0" in cookie or cookie.startswith("__Host-lk-csrf="), cookie
    assert "hsts max-age=31536000; includeSubDomains; preload" in lines


def test_a_route_of_pages_is_asked_with_its_own_cookie_alone(world: World):
    """The key of one door is nothing at the other, whichever cookie carries it."""
    keys = {
        "anna": world.browser("anna").cookies[configured.SESSION_COOKIE_NAME].value,
        "staff": world.browser("staff").cookies[configured.ADMIN_COOKIE_NAME].value,
    }
    for who, cookie, address in (
        ("staff", configured.SESSION_COOKIE_NAME, "/deals/"),
        ("staff", configured.SESSION_COOKIE_NAME, "/api/v1/deals/"),
        ("anna", configured.ADMIN_COOKIE_NAME, "/admin/"),
    ):
        browser = Browser()
        browser.cookies[cookie] = keys[who]
        assert browser.get(address).status_code in (302, 401)
    assert Route("GET", "admin/").door == "admin"
