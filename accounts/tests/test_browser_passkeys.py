"""Passkeys in a real browser with an authenticator that Chromium plays: added, logging in, confirming, removed."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Passkey, Session, User
from accounts.tests.people import make_agent
from deals.tests.test_browser_pages import wrong_on
from lk_site.tests.windows import Windows, newest_code, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
ANNA = "79169990013"
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def anna(db: None) -> User:
    return make_agent(phone=ANNA)


def with_device(page: Page) -> tuple[Any, str]:
    """Give the browser a device that keeps passkeys; return how to speak to it, and its id."""
    speaking = page.context.new_cdp_session(page)
    speaking.send("WebAuthn.enable")
    return speaking, speaking.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})["authenticatorId"]


def test_a_passkey_is_added_logs_in_confirms_and_is_removed(windows: Windows, anna: User) -> None:
    page, wrong = windows.open(anna), list[str]()
    with_device(page)
    page.goto(url("accounts:factor_list"))
    page.locator("a[href^='/step-up/']").click()
    page.locator("button[name=send]").click()
    page.locator("[name=code]").wait_for()
    page.fill("[name=code]", newest_code(ANNA))
    page.wait_for_url(f"**{url('accounts:factor_list')}")
    page.fill("[name=passkey_name]", "Телефон Анны")
    wrong += wrong_on(page, "adding")
    page.locator("[data-passkey-go]").click()
    expect(page.locator(".device")).to_contain_text("Телефон Анны")
    wrong += wrong_on(page, "protection")

    page.goto(url("accounts:more"))
    page.locator("form[action='/logout/'] button").click()
    page.wait_for_url("**/login/")
    wrong += wrong_on(page, "login")
    page.locator("[data-passkey-go]").click()
    page.wait_for_url("**/deals/")
    assert Passkey.objects.get().used_at is not None

    Session.objects.update(confirmed_at=None)
    page.goto(url("accounts:factor_list"))
    page.locator(".device form button").click()
    page.wait_for_url("**/step-up/**")
    wrong += wrong_on(page, "step-up")
    page.locator("[data-passkey-go]").click()
    page.wait_for_url(f"**{url('accounts:factor_list')}")
    page.locator(".device form button").click()
    expect(page.locator(".flash")).to_be_visible()
    assert not Passkey.objects.exists()
    assert wrong == []


def test_a_device_without_a_passkey_says_what_else_to_do(windows: Windows, anna: User) -> None:
    page = windows.open()
    with_device(page)
    page.goto(url("accounts:login"))
    page.locator("[data-passkey-go]").click()
    expect(page.locator("[data-passkey-status]")).to_contain_text("получите код")
    expect(page.locator("[data-passkey-go]")).to_be_enabled()


def test_without_scripts_nobody_is_offered_a_passkey(windows: Windows, anna: User) -> None:
    page = windows.open(java_script_enabled=False)
    page.goto(url("accounts:login"))
    expect(page.locator("[data-passkey-go]")).to_be_hidden()
