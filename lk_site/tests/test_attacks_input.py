"""Bad input of every kind (security.md 6), at both doors: a refusal, never a 5xx, never a trace, and nothing stored."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.utils import timezone

from accounts.models import Session
from lk_site.tests.access_table import allowed
from lk_site.tests.asking import BODIES, send, things_about
from lk_site.tests.databases import digests
from lk_site.tests.test_attacks_csrf import CHANGED_BY_READING
from lk_site.tests.walking import Route, World, browser_of, routes, undone

pytestmark = pytest.mark.django_db
ROUTES = routes()
ALLOWED = allowed()
ENDS = re.compile("logout|end-|/end/|disable")  # of sessions: who is logged out tries nothing more
FORMS = [
    route
    for route, answers in ALLOWED.items()
    if route.method == "POST" and route.door != "api" and not ENDS.search(route.pattern)
    if (set(answers) - {"403", "404", "405", "login"} and answers != ("login",) * 4 + ("200", "login"))
    or route.pattern in ("login/", "login/code/")
]
OWN_FORMS = [route for route in FORMS if f"POST {route.pattern}" in BODIES or "hand-over" in route.pattern]
PIVOTAL = ("version", "form_key", "next", "client", "agent", "to", "next_step_on")
RAW_TO = [*OWN_FORMS, *(route for route in FORMS if route.pattern in ("admin/login/", "admin/accounts/user/find/"))]
TAKES_JSON = [route for route in ROUTES if route.door == "api" and f"{route.method} {route.pattern}" in BODIES]
KEPT_OR_READ = (*CHANGED_BY_READING, "accounts_challenge", "accounts_session.data")  # messages, and a login begun
TRACES = ("Traceback", "psycopg", "sqlite3", "SELECT ", "/lk_site/", "site-packages")

FORM = "application/x-www-form-urlencoded"

BAD_TEXTS = {
    "NUL": "Ми\0ра",
    "control": "Ми\x1bра",
    "C1 control": "Ми\x85ра",
    "lone surrogate": "Ми\ud800ра",
    "bidi override": "Ми\u202eра",
    "bidi isolate": "Ми\u2066ра",
    "line break": "Ми\nра",
    "too long": "я" * 6000,
}
BAD_VALUES: dict[str, Any] = {
    **BAD_TEXTS,
    "huge number": 10**400,
    "number": 5,
    "negative": -1,
    "list": ["а"],
    "nested": {"а": {"б": []}},
    "true": True,
    "date of the year 0": "0000-00-00",
    "date of the year 9999": "9999-12-31",
    "date of the year 1": "0001-01-01",
    "February 30": "2026-02-30",
    "not an id": "1 OR 1=1",
    "exponent": "1e400",
    "not finite": "NaN",
    "infinite": "-Infinity",
    "other digits": "१२३",
}
OF_TEXT = ("name", "text", "property_address", "client_name", "description")
ONE_LINE = ("client_name", "name", "property_address", "next_step_text", "phone", "client_phone", "price", "q", "code")


@pytest.fixture(autouse=True)
def _before(world: World) -> None:
    remember(world)


def remember(world: World) -> None:
    """Confirm all sessions by a fresh code, and note what a refusal must leave as it is.

    Each ask is undone, so it is the same for all of a test.
    """
    Session.objects.update(confirmed_at=timezone.now())
    world.things["before"] = digests()


def browser_for(route: Route, world: World) -> Any:
    """Return the browser of who may do it: of the owner, of the head where she may not, of staff in the admin."""
    is_for_heads = ALLOWED[route][0] in ("403", "404")
    return world.browser("staff" if route.door == "admin" else "vera" if is_for_heads else "anna")


# --- bodies of the API


RAW_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{",
    "broken UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "а"}'.encode("utf-16"),
    "UTF-8 with a mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"price": NaN}',
    "infinity": b'{"price": -Infinity}',
    "huge exponent": b'{"price": 1e999999999}',
    "long number": b'{"price": ' + b"9" * 5000 + b"}",
    "duplicate keys": b'{"name": "a", "name": "b"}',
    "duplicate keys once escapes are read": b'{"name": "a", "n\\u0061me": "b"}',
    "depth 21": b"[" * 21 + b"]" * 21,
    "depth 100,000": b"[" * 100_000 + b"]" * 100_000,
    "objects nested 100,000 deep": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "a list": b"[]",
    "a text": b'"a"',
    "null": b"null",
    "lone surrogate as a name": b'{"\\ud800": 1}',
    "NUL in a name": b'{"\\u0000": 1}',
    "unknown field": b'{"colour": "red"}',
    "prototype": b'{"__proto__": {}, "constructor": {}}',
    "two values": b"{} {}",
    "a comment": b"/* */ {}",
}


@pytest.mark.parametrize("raw", RAW_BODIES.values(), ids=RAW_BODIES)
def test_no_operation_takes_a_broken_body(world: World, raw: bytes):
    for route in TAKES_JSON:
        response = raw_ask(route, world, raw)
        assert response.status_code in (400, 422) or (raw == b"" and "reveal" in route.pattern), str(route)


def raw_ask(route: Route, world: World, raw: bytes, content_type: str = "application/json", **headers: str) -> Any:
    """Ask with a body as it is, and check that a refusal stores nothing and says nothing of us; all is undone."""
    address = address_of(route, world)
    sent = {"If-Match": '"1"', **headers}
    with undone():
        response = browser_for(route, world).generic(route.method, address, raw, content_type, headers=sent)
        check(response, world, route)
    return response


def check(response: Any, world: World, about: Any) -> None:
    """Check that the answer is no 5xx, and that one that refuses stored nothing and tells nothing of our insides."""
    assert response.status_code < 500, (str(about), response.status_code)
    if response.status_code >= 400:
        text = response.content.decode()
        assert not [trace for trace in TRACES if trace in text]
        assert digests().differ_from(world.before, besides=KEPT_OR_READ) == [], str(about)


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES)
def test_no_field_of_the_api_takes_what_it_cannot_mean(world: World, value: Any):
    """Each field in turn; what is a good text is none of the other kinds."""
    for route in TAKES_JSON:
        body = BODIES[f"{route.method} {route.pattern}"]
        for name in body:
            response = raw_ask(route, world, json.dumps({**body, name: value}).encode())
            if response.status_code < 400:
                assert name in OF_TEXT, (str(route), name, value)
                assert value not in BAD_TEXTS.values() or (name == "text" and "\n" in value), (str(route), name, value)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=utf-16",
        "application/json; charset=rot13",
        "application/jsonp",
        "",
        "я/я",
    ],
)
def test_the_api_reads_json_in_utf_8_alone(world: World, content_type: str):
    for route in TAKES_JSON:
        assert raw_ask(route, world, b"{}", content_type).status_code == 415


# --- forms


def form_of(route: Route, world: World) -> dict[str, Any]:
    own = BODIES.get(f"POST {route.pattern}", {})
    extra = {"agent": str(world.boris.pk)} if "hand-over" in route.pattern else {}
    if route.door == "admin":
        extra = {"name": "Имя", "phone": "79160001122", "reason": "Жалоба", "agency": str(world.agency.pk), "code": "a"}
    return {"form_key": str(uuid4()), "version": 1, "next": "/deals/", **own, **extra}


def form_ask(route: Route, world: World, form: Any, content_type: str = "", **headers: str) -> Any:
    """Post a form, or a body as it is, and check the answer; all is undone."""
    address, browser = address_of(route, world), browser_for(route, world)
    with undone():
        if content_type:
            response = browser.generic("POST", address, form, content_type, headers=headers)
        else:
            response = browser.post(address, form, headers=headers)
        check(response, world, route)
    return response


def address_of(route: Route, world: World) -> str:
    ids = {hole: thing.pk for hole, thing in things_about(route, world).items()}
    return route.address(app_label="deals", url="x", document="a", version="1", **ids)


def as_sent(value: str) -> str:
    """Return a text as it comes out of a form that a script sends."""
    return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@pytest.mark.parametrize("value", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_no_line_of_a_form_takes_what_cannot_be_stored(world: World, value: str):
    for route in OWN_FORMS:
        for name in form_of(route, world):
            response = form_ask(route, world, {**form_of(route, world), name: as_sent(value)})
            if name in ONE_LINE:
                assert response.status_code in (400, 404, 405, 422), (str(route), name, response.status_code)


@pytest.mark.parametrize("value", [str(value) for value in BAD_VALUES.values()], ids=BAD_VALUES)
def test_no_form_breaks(world: World, value: str):
    """All fields at once, then one by one those that everything hangs on."""
    for route in FORMS:
        fields = form_of(route, world)
        form_ask(route, world, dict.fromkeys(fields, as_sent(value)))
        for name in PIVOTAL if route in OWN_FORMS else ():
            form_ask(route, world, {**fields, name: as_sent(value)})


RAW_FORMS: dict[str, tuple[bytes, str]] = {
    "10,000 fields": (b"&".join(b"a%d=1" % i for i in range(10_000)), "application/x-www-form-urlencoded"),
    "broken UTF-8": (b"name=%ff%fe&q=%ed%a0%80&text=\xff", "application/x-www-form-urlencoded"),
    "broken escapes": (b"name=%&q=%zz&text=%u0041", "application/x-www-form-urlencoded"),
    "no boundary": (b"--x\r\n\r\n", "multipart/form-data"),
    "broken boundary": (b"--x\r\n\r\n", "multipart/form-data; boundary=\xff\xfe"),
    "torn multipart": (b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\nab', "multipart/form-data; boundary=x"),
    "broken base64": (
        b'--x\r\nContent-Disposition: form-data; name="q"\r\nContent-Transfer-Encoding: base64\r\n\r\n%\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
    ),
    "a file": (
        b'--x\r\nContent-Disposition: form-data; name="q"; filename="a"\r\n\r\na\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
    ),
    "UTF-16": ("q=а".encode("utf-16"), "application/x-www-form-urlencoded; charset=utf-16"),
    "no text encoding": (b"q=%41", "application/x-www-form-urlencoded; charset=rot13"),
    "no encoding at all": (b"q=%41", "application/x-www-form-urlencoded; charset=nothing"),
    "multipart in no text encoding": (
        b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\na\r\n--x--\r\n',
        "multipart/form-data; boundary=x; charset=hex",
    ),
    "JSON": (b'{"q": "a"}', "application/json"),
    "text": (b"q=a", "text/plain"),
    "nothing said": (b"q=a", ""),
}


@pytest.mark.parametrize(("raw", "content_type"), RAW_FORMS.values(), ids=RAW_FORMS)
@pytest.mark.parametrize("is_strict", [False, True], ids=["with a token", "without a token"])
def test_no_form_takes_a_broken_body(world: World, raw: bytes, content_type: str, is_strict: bool):
    if is_strict:
        world.browsers |= {who: browser_of(world.users[who], strict=True) for who in ("anna", "vera", "staff")}
        remember(world)
    for route in RAW_TO:
        response = form_ask(route, world, raw, content_type or "application/octet-stream")
        assert not is_strict or response.status_code in (400, 403, 405), (str(route), response.status_code)


def test_who_was_thrown_out_breaks_no_form_either(world: World):
    Session.objects.filter(user=world.anna).update(ended_at=timezone.now())
    remember(world)
    for raw, content_type in RAW_FORMS.values():
        for route in RAW_TO:
            form_ask(route, world, raw, content_type or "application/octet-stream")


def test_a_body_of_a_mebibyte_and_one_byte_is_too_large(world: World):
    for route in [route for route in FORMS if "passkey_id" not in route.pattern]:  # nobody of the world has one
        body = b"q=" + b"a" * configured.FORM_BYTES_AT_MOST
        assert form_ask(route, world, body, FORM).status_code == 413, str(route)
    for route in TAKES_JSON:
        body = b'"' + b"a" * configured.JSON_BYTES_AT_MOST + b'"'
        assert raw_ask(route, world, body).status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "", "٣", "9" * 30, "9" * 5000, "0x10", "12 "])
def test_a_length_that_is_none_is_refused(world: World, length: str):
    for address in ("/login/", "/deals/new/", "/api/v1/deals/", "/admin/login/"):
        response = world.browser("anna").post(address, b"{}", "application/json", CONTENT_LENGTH=length)
        assert response.status_code < 500, (address, length)


# --- addresses, queries, cookies, headers, methods


BAD_QUERIES = [
    "%ff%fe=%ff",
    "search=%00",
    "search=" + "a" * 5000,
    "search=%ed%a0%80",
    "cursor=" + "A" * 3000,
    "cursor=%00%ff",
    "cursor=AAAA",
    "client=%00",
    "next=%00//evil",
    "created_from=0001-01-01&created_to=9999-12-31",
    "created_from=9999-12-31&created_to=0001-01-01",
    "created_from=%D9%A1999-01-01",
    "price_min=1e400&price_max=-1",
    "price_min=NaN&price_max=Infinity",
    "agent=1&stage=%00&kind=x&status=%F0%9F%92%A9",
    "to=%00&to=" + "x" * 2000,
    "limit=99999999999999999999999&limit=-1",
    "trashed=maybe&updated_after=9999-12-31T23:59:59%2B14:00",
    "q=%23999999999999999999999",
    "p=-1&o=9999999999999999999999.1&e=1&all=",
    "p=999999999999999999999999&_popup=1&_to_field=password",
    "agency=%00&q=%00&action=%00&object=%00&actor=%00&at__gte=x&at__year=99999999&seq__gt=9999999999999999999999",
    "id__exact=x&user__password__startswith=a&password__startswith=a&key_hash=x",
    "closed_at__isempty=maybe&is_active__exact=7&state__exact=%00",
    "=&==&&;;#",
    "&".join(f"a{i}=1" for i in range(10_000)),
]


DJANGOS_OWN = re.compile(r"^admin/.*(add|delete|history)/$|object_id>/$")  # they read no query
QUERIED = [route for route in ROUTES if route.method == "GET" and not DJANGOS_OWN.search(route.pattern)]


@pytest.mark.parametrize("query", BAD_QUERIES, ids=lambda query: query[:40])
def test_no_query_breaks_an_address(world: World, query: str):
    before = digests()
    for route in QUERIED:
        address = address_of(route, world)
        response = browser_for(route, world).get(address, QUERY_STRING=query)
        assert response.status_code < 500, (address, response.status_code)
    assert digests().differ_from(before, besides=KEPT_OR_READ) == []


BAD_PATHS = [
    "/deals/%00/",
    "/deals/%ff/",
    "/deals/%ed%a0%80/",
    "/deals/../admin/",
    "//evil.example/",
    "/\\evil.example/",
    "/deals/%0d%0aSet-Cookie:a=b/",
    "/api/v1/deals/%00",
    "/api/v1/deals/%ff%fe",
    "/api/%ff",
    "/static/../manage.py",
    "/static/%2e%2e/manage.py",
    "/static/%00",
    "/static/css/",
    "/admin/%ff/",
    "/admin/accounts/user/%00/change/",
    "/admin/accounts/user/_00_22/change/",
    "/admin/accounts/event/%ff/history/",
    "/consent/%00/1/",
    "/" + "a" * 8000,
    "/deals/" + "0" * 36 + "/",
    "*",
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=lambda path: path[:40])
def test_no_path_breaks_anything(world: World, path: str):
    for who in ("anna", "staff", "nobody"):
        for method in ("GET", "HEAD", "POST", "DELETE"):
            response = world.browser(who).generic(method, path)
            assert response.status_code in (302, 400, 401, 403, 404, 405), (who, method, response.status_code)
            assert "evil.example" not in response.headers.get("Location", "").split("?")[0]
            assert "Set-Cookie: a" not in str(response.headers)


BAD_HEADERS: list[dict[str, str]] = [
    {"Referer": "http://["},
    {"Referer": "http://[::1"},
    {"Referer": "http://testserver//evil.example/"},
    {"Referer": "http://testserver/\\evil.example/"},
    {"Referer": "http://testserver" + "/a" * 4000},
    {"Referer": "http://testserver/deals/\x00"},
    {"Referer": "http://testserver/api/v1/me"},
    {"Referer": "http://testserver/admin/"},
    {"Referer": "\xff\xfe"},
    {"HX-Request": "true", "HX-Current-URL": "http://["},
    {"HX-Request": "true", "HX-Current-URL": "http://testserver//evil.example/"},
    {"HX-Request": "true", "HX-Current-URL": "http://testserver/deals/я\r\nX-Own: 1"},
    {"Origin": "http://["},
    {"Origin": "\xff"},
    {"Accept-Language": "\xff" * 4000},
    {"Accept-Language": "ru;q=9999999999,*;q=-1,%00"},
    {"User-Agent": "\xff\xfe" * 2000},
    {"If-Match": '"' + "9" * 5000 + '"'},
    {"If-Match": "\xff"},
    {"If-Match": 'W/"0"'},
    {"If-None-Match": "\xff" * 1000},
    {"Idempotency-Key": "\xff" * 255},
    {"Idempotency-Key": "a" * 256},
    {"Authorization": "Bearer " + "\xff" * 300},
    {"Authorization": "Basic \xff"},
    {"X-CSRFToken": "\xff" * 64},
    {"X-Forwarded-For": "\xff, 1.2.3.4, ["},
    {"X-Forwarded-Proto": "\xff"},
    {"X-Forwarded-Host": "evil.example"},
    {"Sec-Fetch-Site": "\xff"},
    {"Range": "bytes=-1"},
    {"Expect": "100-continue"},
    {"Cookie": "lk=\xff\xfe; lk-admin=%00; lk-csrf=\xff; lk-challenge=\x01; lk-device=a.b.c; lk-kept=\xff"},
    {"Cookie": "lk=" + "a" * 8000 + "; lk-device=" + "A:" * 2000},
    {"Cookie": "=;;lk;lk-language=\xff; lk-language=../../etc"},
]


@pytest.mark.parametrize("headers", BAD_HEADERS, ids=lambda headers: str(headers)[:60])
@pytest.mark.parametrize("who", ["anna", "staff", "nobody", "anna without a token"])
def test_no_header_breaks_anything(world: World, who: str, headers: dict[str, str]):
    name = who.split()[0]
    browser = browser_of(world.users.get(name), strict="without" in who)
    for method, address in asked_with_headers(world):
        extra = dict(headers)
        if "Cookie" in extra:
            browser.cookies.clear()
            environ = {"HTTP_COOKIE": extra.pop("Cookie")}
        else:
            environ = {}
        body, kind = (b"{}", "application/json") if "/api/" in address else (b"q=a&text=a", FORM)
        if method == "GET":
            response = browser.get(address, headers=extra, **environ)  # type: ignore[arg-type]
        else:
            response = browser.generic(method, address, body, kind, headers=extra, **environ)  # type: ignore[arg-type]
        assert response.status_code < 500, (method, address, response.status_code)
        for header in ("Location", "HX-Redirect"):
            assert not response.headers.get(header, "").startswith(("//", "/\\", "http"))
        assert "X-Own" not in response.headers


def asked_with_headers(world: World) -> Iterator[tuple[str, str]]:
    for address in ("/deals/", f"/deals/{world.deal.pk}/", "/login/", "/admin/", "/api/v1/me", "/api/v1/deals/"):
        yield "GET", address
    for page in ("new/", "search/", f"{world.deal.pk}/notes/", f"{world.deal.pk}/trash/", f"{uuid4()}/edit/"):
        yield "POST", f"/deals/{page}"
    yield "POST", "/login/code/"
    yield "POST", "/language/"
    yield "POST", "/admin/login/"
    yield "POST", "/api/v1/auth/send-code"
    yield "POST", "/api/v1/deals/"
    yield "PATCH", f"/api/v1/deals/{world.deal.pk}"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "PROPFIND", "CONNECT", "TRACE", "X" * 300, "Я"])
def test_an_unknown_method_is_405_and_changes_nothing(world: World, method: str):
    before = digests()
    for route in [route for route in ROUTES if route.method == "GET" and route.door != "admin"]:
        if any(other.pattern == route.pattern and other.method == method for other in ROUTES):
            continue
        address = address_of(route, world)
        status = world.browser("anna").generic(method, address).status_code
        assert status in (302, 404, 405), (address, status)
        assert status != 302 or address in ("/", "/login/code/"), (address, status)
    assert digests().differ_from(before, besides=KEPT_OR_READ) == []


PROVES = re.compile("verify|confirm|passkey")  # takes what only another device knows


def test_sent_as_it_should_be_everything_is_taken(world: World):
    """Or the tests above would refuse everything for a reason of their own."""
    for route in TAKES_JSON:
        if not PROVES.search(route.pattern):
            with undone():
                assert send(browser_for(route, world), route, world).status_code < 300, str(route)
