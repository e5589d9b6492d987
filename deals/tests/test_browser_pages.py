"""Every page in a real browser: what axe says in both themes, sideways scrolling, the size of targets, and weight."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from django.template.loader import render_to_string
from django.urls import resolve
from playwright.sync_api import Page, Route

from accounts import urls as accounts_urls
from accounts.models import User
from deals import urls as deals_urls
from deals.tests.full_cabinet import OPENED, Cabinet, pages_of, pages_of_head
from lk_site.tests.windows import DESKTOP_SIZE, PHONE_SIZE, Windows, newest_code, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

AXE = (Path(__file__).resolve().parents[2] / "lk_site" / "tests" / "axe" / "axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.flatMap(({id, nodes}) =>
  nodes.map(node => `${id}: ${node.target} ${[...node.any, ...node.all].map(one => one.message).join("; ")}`))"""
PRESSED = "a[href], button, summary, select, textarea, input:not([type=hidden])"
TOO_SMALL = """pressed => [...document.querySelectorAll(pressed)]
  .filter(one => one.checkVisibility({visibilityProperty: true}) && one.tabIndex >= 0)
  .filter(one => !one.matches(".skip, .prose *"))
  .map(one => one.matches(".row-link") ? one.closest("tr") : one.matches("[type=radio], [type=checkbox]")
    ? one.closest("label") ?? one.labels[0] : one)
  .map(one => [one, one.getBoundingClientRect()])
  .filter(([, box]) => box.height < 43.5 || box.width < 43.5)
  .map(([one, box]) => `${Math.round(box.width)}×${Math.round(box.height)}: ${one.outerHTML.slice(0, 120)}`)"""
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHIFTED = """() => new Promise(done => {
  const add = list => done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0));
  new PerformanceObserver(add).observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(0), 200);
})"""
WEIGHT = """() => performance.getEntriesByType("resource").filter(({name}) => /\\.(css|js)$/.test(name))
  .reduce((sum, {encodedBodySize}) => sum + encodedBodySize, 0)"""
NARROWEST = 320
FIRST_PAGE_AT_MOST = 60 * 1024  # look.md
SHIFT_AT_MOST = 0.02
NO_PAGE = {  # they redirect, or answer a POST and lead on
    *("home", "deal_search", "deal_undo_move", "deal_trash", "deal_restore", "note_add", "note_delete"),
    *("client_search", "client_reveal", "client_trash", "client_restore"),
    *("logout", "language_set", "theme_set", "session_end", "session_end_others", "key_revoke"),
    *("totp_begin", "totp_remove", "passkey_remove"),
    *("webhook_switch_on", "webhook_switch_off", "webhook_test", "webhook_remove", "webhook_delivery_replay"),
    *("audit_export", "alarm_seen"),
}
AT_LOGIN = {"login", "login_code", "login_second", "welcome"}
OF_FACTORS = {"factor_list", "totp_create", "backup_codes_renew"}  # see test_browser_factors
OF_KEYS = {"step_up", "key_list", "key_create", "key_detail", "key_edit", "key_rotate"}  # see test_browser_keys
SIZES = pytest.mark.parametrize("size", [PHONE_SIZE, DESKTOP_SIZE], ids=["phone", "desktop"])


@pytest.fixture
def cabinet(anna: User, vera: User, boris: User) -> Cabinet:
    return Cabinet(anna)


def wrong_on(page: Page, name: str) -> Iterator[str]:
    """Yield what is wrong with the page that is shown."""
    assert page.viewport_size
    if page.viewport_size["width"] == PHONE_SIZE[0]:
        yield from scrolls_sideways(page, name)
    yield from (f"{name}: too small: {target}" for target in page.evaluate(TOO_SMALL, PRESSED))
    page.evaluate(AXE)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    yield from (f"{name}, light: {violation}" for violation in page.evaluate(RUN_AXE))
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    yield from (f"{name}, dark: {violation}" for violation in page.evaluate(RUN_AXE))


def scrolls_sideways(page: Page, name: str) -> Iterator[str]:
    for width in (NARROWEST, PHONE_SIZE[0]):
        page.set_viewport_size({"width": width, "height": PHONE_SIZE[1]})
        if wider := page.evaluate(WIDER):
            yield f"{name}: {wider} px wider than {width}"


@SIZES
def test_every_page_is_for_everybody(windows: Windows, cabinet: Cabinet, size: tuple[int, int]) -> None:
    page, wrong = windows.open(cabinet.anna, size), list[str]()
    for name, address in pages_of(cabinet).items():
        page.goto(address)
        wrong += wrong_on(page, name)
    assert wrong == []


@SIZES
def test_what_opens_on_a_page_is_for_everybody(windows: Windows, cabinet: Cabinet, size: tuple[int, int]) -> None:
    page, wrong = windows.open(cabinet.anna, size), list[str]()
    for name, opened in OPENED.items():
        opened(page, cabinet)
        wrong += wrong_on(page, name)
    assert wrong == []


@SIZES
def test_the_pages_of_a_head_are_for_everybody(
    windows: Windows, cabinet: Cabinet, vera: User, size: tuple[int, int]
) -> None:
    page, wrong = windows.open(vera, size), list[str]()
    for name, address in pages_of_head(cabinet).items():
        page.goto(address)
        wrong += wrong_on(page, name)
    assert wrong == []


@SIZES
def test_login_and_an_empty_cabinet_are_for_everybody(windows: Windows, db: None, size: tuple[int, int]) -> None:
    page, wrong = windows.open(size=size, extra_http_headers={"Accept-Language": "en"}), list[str]()
    page.goto(url("accounts:login"))
    page.locator(".is-primary").click()
    page.locator(".error").wait_for()
    wrong += wrong_on(page, "login")
    page.fill("[name=phone]", "79269990011")
    page.locator(".is-primary").click()
    page.wait_for_url("**/login/code/**")
    wrong += wrong_on(page, "login_code")
    page.fill("[name=code]", newest_code("79269990011"))
    page.wait_for_url("**/welcome/**")
    page.locator(".is-primary").click()
    page.locator(".error").first.wait_for()
    wrong += wrong_on(page, "welcome")
    page.fill("[name=name]", "Zoe")
    page.check("[name=consent]")
    page.locator(".is-primary").click()
    page.wait_for_url("**/deals/")
    for name in ("deals:deal_list", "deals:client_list", "deals:deal_trash_list", "deals:client_trash_list"):
        page.goto(url(name))
        wrong += wrong_on(page, f"empty {name}")
    assert wrong == []


@SIZES
def test_pages_that_say_no_are_for_everybody(windows: Windows, db: None, size: tuple[int, int]) -> None:
    page, wrong = windows.open(size=size), list[str]()
    for status in ("400", "403", "404", "413", "429", "500", "503"):
        body = render_to_string(f"{status}.html")
        page.route(f"**/{status}/", partial(answer, body))
        page.goto(f"/{status}/")
        wrong += wrong_on(page, status)
    assert wrong == []


def answer(body: str, route: Route) -> None:
    route.fulfill(body=body, content_type="text/html")


def test_no_page_is_left_out(cabinet: Cabinet) -> None:
    looked_at = {
        resolve(address.partition("?")[0]).url_name for address in all_pages(cabinet) if "nothing" not in address
    }
    known = {pattern.name for pattern in [*accounts_urls.urlpatterns, *deals_urls.urlpatterns]}
    assert known - NO_PAGE - AT_LOGIN - OF_KEYS - OF_FACTORS == looked_at


def all_pages(cabinet: Cabinet) -> list[str]:
    return [*pages_of(cabinet).values(), *pages_of_head(cabinet).values()]


def test_a_first_page_is_light_and_does_not_jump(windows: Windows, cabinet: Cabinet) -> None:
    for name in ("accounts:login", "deals:deal_list", "deals:deal_create", "deals:deal_detail"):
        page = windows.open(None if name == "accounts:login" else cabinet.anna)
        page.goto(url(name, cabinet.deal.pk) if name == "deals:deal_detail" else url(name), wait_until="networkidle")
        assert 0 < page.evaluate(WEIGHT) <= FIRST_PAGE_AT_MOST, name
        assert page.evaluate(SHIFTED) <= SHIFT_AT_MOST, name
