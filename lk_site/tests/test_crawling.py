"""Whoever follows every link of LK, forms asked for by GET included, changes nothing by it (security.md 2.5)."""

from typing import Any

import pytest

from lk_site.tests.crawling import Answer, Crawler
from lk_site.tests.databases import digests
from lk_site.tests.test_attacks_csrf import CHANGED_BY_READING
from lk_site.tests.walking import World

pytestmark = pytest.mark.django_db
ROOTS = {
    "anna": ("/", "/more/", "/api/v1/docs", "/api/v1/deals/?limit=1", "/api/v1/clients/?limit=1"),
    "vera": ("/", "/more/", "/keys/", "/webhooks/", "/audit/", "/api/v1/changes", "/api/v1/audit"),
    "staff": ("/admin/",),
    "nobody": ("/", "/login/", "/admin/", "/consent/", "/api/v1/docs"),
}
SEEN_AT_LEAST = {"anna": 40, "vera": 50, "staff": 50, "nobody": 10}


@pytest.mark.parametrize("who", ROOTS)
def test_following_every_link_changes_nothing(world: World, who: str):
    browser = world.browser(who)

    def get(method: str, address: str) -> Answer:
        response: Any = browser.generic(method, address)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, b"".join(response).decode("utf-8", "replace"))

    crawler = Crawler(get, at_most=60, of_a_shape=1)
    before = digests()
    crawler.crawl(*ROOTS[who])
    assert digests().differ_from(before, besides=CHANGED_BY_READING) == []
    assert {address: status for address, status in crawler.answers.items() if status >= 500} == {}
    assert len(crawler.answers) >= SEEN_AT_LEAST[who]


def test_a_crawler_finds_links_forms_and_the_next_page():
    pages = {
        "/": Answer(
            200, {"content-type": "text/html"}, '<a href="/a?x=1&amp;y=2#z"><form action="/b"><input name="q">'
        ),
        "/a?x=1&y=2": Answer(200, {"link": '</c>; rel="next"'}, ""),
        "/c": Answer(302, {"location": "//elsewhere/d"}, ""),
    }
    pages["/"] = pages["/"]._replace(body=pages["/"].body + "</form>")
    crawler = Crawler(lambda _method, address: pages.get(address, Answer(404, {}, "")))
    crawler.crawl("/")
    assert crawler.answers == {"/": 200, "/a?x=1&y=2": 200, "/b": 404, "/b?q=1": 404, "/c": 302}
