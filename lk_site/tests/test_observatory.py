"""What Mozilla's HTTP Observatory would say of LK as production serves it, and that its rules find what is wrong."""

from collections.abc import Iterator
from http.client import HTTPMessage
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import pytest

from lk_site.tests.observatory import Site, score
from lk_site.tests.test_in_public import Served, serving
from lk_site.tests.test_startup import folder, migrated

__all__ = ["folder", "migrated"]
AT_LEAST = 115
PAGES = ("/login/", "/deals/", "/more/", "/consent/", "/admin/login/", "/api/v1/docs", "/nothing/", "/api/v1/me")


@pytest.fixture(scope="module")
def served(migrated: Path) -> Iterator[Served]:
    with serving(migrated) as started:
        started.log_in()
        yield started


def scanned(served: Served, address: str) -> Site:
    """Return what a scan sees of an address, all cookies of the login included."""
    _status, headers, page = served.ask("GET", address)
    plain, there, _body = served.ask("GET", address, **{"X-Forwarded-Proto": "http"})
    kept = [*served.cookies.values(), *cookies_of(headers)]
    lower = {name.lower(): value for name, value in headers.items()}
    return Site(lower, kept, page.decode("utf-8", "replace"), plain, there["Location"] or "")


def cookies_of(headers: HTTPMessage) -> list["Morsel[str]"]:
    return [morsel for line in headers.get_all("Set-Cookie", []) for morsel in SimpleCookie(line).values()]


@pytest.mark.long
def test_the_observatory_gives_every_page_115_at_least(served: Served):
    scores = {address: score(scanned(served, address)) for address in PAGES}
    assert {address: found for address, found in scores.items() if found[0] < AT_LEAST} == {}


GOOD = {
    "content-security-policy": "default-src 'none'; script-src 'self'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}
GOOD_COOKIE = "session=a; Secure; HttpOnly; SameSite=Lax"


def site(
    headers: dict[str, str] | None = None, cookie: str = GOOD_COOKIE, page: str = "", plain: str = "https://a/"
) -> Site:
    kept = list(SimpleCookie(cookie).values())
    changed = {name: value for name, value in (GOOD | (headers or {})).items() if value}
    return Site(changed, kept, page, 301 if plain else 200, plain)


def test_the_best_site_gets_135():
    assert score(site())[0] == 135


@pytest.mark.parametrize(
    ("worse", "points"),
    [
        (site({"content-security-policy": ""}), 55),
        (site({"content-security-policy": "default-src 'self'; frame-ancestors 'none'"}), 130),
        (site({"content-security-policy": "default-src 'none'; script-src 'unsafe-inline'"}), 60),
        (
            site({"content-security-policy": "default-src 'none'; script-src 'unsafe-eval'; frame-ancestors 'none'"}),
            115,
        ),
        (site({"content-security-policy": "default-src 'none'; style-src data:; frame-ancestors 'none'"}), 125),
        (site({"content-security-policy": "default-src 'none'; connect-src http://a; frame-ancestors 'none'"}), 80),
        (site({"content-security-policy": "default-src 'none'; img-src http://a; frame-ancestors 'none'"}), 115),
        (site(cookie="session=a; Secure; SameSite=Lax"), 70),
        (site(cookie="session=a; HttpOnly; SameSite=Lax"), 120),
        (site(cookie="csrf=a; Secure"), 80),
        (site(cookie="a=a; Secure; SameSite=None"), 80),
        (site(cookie="a=a; Secure"), 130),
        (site({"access-control-allow-origin": "*", "access-control-allow-credentials": "true"}), 50),
        (site({"cross-origin-resource-policy": ""}), 125),
        (site(plain=""), 80),
        (site(plain="http://a/"), 80),
        (site({"referrer-policy": "unsafe-url"}), 125),
        (site({"strict-transport-security": "max-age=60"}), 125),
        (site({"strict-transport-security": ""}), 80),
        (site(page='<script src="https://b/a.js"></script>'), 130),
        (site(page='<script src="//b/a.js"></script>'), 50),
        (site(page='<script src="/a.js" integrity="sha256-a"></script>'), 140),
        (site({"x-content-type-options": ""}), 130),
        (site({"content-security-policy": "default-src 'none'"}), 80),
    ],
)
def test_each_rule_takes_what_the_observatory_takes(worse: Site, points: int):
    assert score(worse)[0] == points
