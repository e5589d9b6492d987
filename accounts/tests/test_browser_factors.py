"""An authenticator app in a real browser: added, asked for by the login, removed; and how it looks."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import AgentTotp, User
from accounts.services import login_limits
from accounts.tests.authenticators import app_code
from accounts.tests.people import make_agent
from deals.tests.test_browser_pages import wrong_on
from lk_site.tests.windows import Windows, newest_code, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
ANNA = "79169990012"
SCRIPTS = pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "plain"])


@pytest.fixture
def anna(db: None) -> User:
    return make_agent(phone=ANNA)


def give(page: Page, code: str, has_scripts: bool) -> None:
    """Type a code; with scripts its last digit sends the form."""
    page.locator("[name=code]").wait_for()
    page.fill("[name=code]", code)
    if not has_scripts:
        page.locator(".form .is-primary").click()


@SCRIPTS
def test_an_app_is_added_asked_for_and_removed(windows: Windows, anna: User, has_scripts: bool) -> None:
    page, wrong = windows.open(anna, java_script_enabled=has_scripts), list[str]()
    page.goto(url("accounts:more"))
    page.locator(f"main a[href='{url('accounts:factor_list')}']").click()
    page.locator(f"main a[href='{url('accounts:totp_create')}']").click()
    page.locator("button[name=send]").click()
    give(page, newest_code(ANNA), has_scripts)
    page.wait_for_url(f"**{url('accounts:totp_create')}")
    page.locator("main .is-primary").click()
    expect(page.locator("img.qr")).to_be_visible()
    assert page.locator("img.qr").evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    if has_scripts:
        wrong += wrong_on(page, "app")
    give(page, app_code(anna), has_scripts)
    codes = page.locator("#token").inner_text().split()
    assert len(codes) == 10
    if has_scripts:
        wrong += wrong_on(page, "codes")
    page.locator(".form-end a").click()
    if has_scripts:
        wrong += wrong_on(page, "protection")
    page = log_in(windows, has_scripts)
    if has_scripts:
        wrong += wrong_on(page, "second")
    page.locator("a[href*='with=backup']").click()
    page.fill("[name=code]", codes[0])
    page.locator(".form .is-primary").click()
    page.wait_for_url("**/deals/")
    page.goto(url("accounts:factor_list"))
    page.locator("form[action$='/remove/'] button").click()
    page.locator("a[href*='with=backup']").click()
    page.fill("[name=code]", codes[1])
    page.locator(".form .is-primary").click()
    page.wait_for_url(f"**{url('accounts:factor_list')}")
    page.locator("form[action$='/remove/'] button").click()
    expect(page.locator(".flash")).to_be_visible()
    assert not AgentTotp.objects.exists()
    assert wrong + windows.complaints == []


def log_in(windows: Windows, has_scripts: bool) -> Page:
    """Give phone and SMS in a new browser, and stop at what follows."""
    login_limits.clear_phone(ANNA)  # the code for the change was sent just now
    page = windows.open(java_script_enabled=has_scripts)
    page.goto(url("accounts:login"))
    page.fill("[name=phone]", ANNA)
    page.locator(".form .is-primary").click()
    page.wait_for_url("**/login/code/")
    give(page, newest_code(ANNA), has_scripts)
    page.wait_for_url("**/login/second/")
    return page
