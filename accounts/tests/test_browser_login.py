"""Login in a real browser: the code pasted and filled in, its count-down, language, theme and devices."""

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.tests.people import make_agent
from lk_site.tests.windows import DESKTOP_SIZE, Windows, newest_code, url

pytestmark = pytest.mark.django_db(transaction=True)

ANNA = "79169990001"


@pytest.fixture
def anna(db: None) -> User:
    return make_agent(phone=ANNA)


def ask_for_code(page: Page) -> None:
    page.goto(url("accounts:login"))
    page.fill("[name=phone]", ANNA)
    page.locator(".is-primary").click()
    page.wait_for_url("**/login/code/**")


def test_a_code_is_pasted_with_anything_around_it_and_sent_at_its_last_digit(windows: Windows, anna: User) -> None:
    page = windows.open()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask_for_code(page)
    code = newest_code(ANNA)
    page.evaluate("text => navigator.clipboard.writeText(text)", f"Код: {code[:3]} {code[3:]}.")
    expect(page.locator("[name=code]")).to_be_focused()
    page.keyboard.press("Control+V")
    page.wait_for_url("**/deals/")


def test_the_phone_offers_the_code_and_the_right_keys(windows: Windows, anna: User) -> None:
    page = windows.open()
    page.goto(url("accounts:login"))
    expect(page.locator("[name=phone]")).to_have_attribute("autocomplete", "tel")
    expect(page.locator("[name=phone]")).to_have_attribute("inputmode", "tel")
    ask_for_code(page)
    expect(page.locator("[name=code]")).to_have_attribute("autocomplete", "one-time-code")
    expect(page.locator("[name=code]")).to_have_attribute("inputmode", "numeric")


def test_another_code_is_offered_when_the_time_has_come(windows: Windows, anna: User) -> None:
    page = windows.open()
    page.clock.install()
    ask_for_code(page)
    again = page.locator("[data-countdown]")
    expect(again).to_be_disabled()
    expect(again).to_contain_text(re.compile(r"0:5\d|1:00"))
    page.clock.fast_forward("01:01")
    expect(again).to_be_enabled()


def test_a_wrong_code_is_refused_at_its_field_and_the_right_one_opens(windows: Windows, anna: User) -> None:
    page = windows.open()
    ask_for_code(page)
    code = newest_code(ANNA)
    page.fill("[name=code]", "000000" if code != "000000" else "111111")
    expect(page.locator(".field .error")).to_be_visible()
    page.fill("[name=code]", code)
    page.wait_for_url("**/deals/")


def test_the_language_is_chosen_before_login_and_stays(windows: Windows, anna: User) -> None:
    page = windows.open()
    page.goto(url("accounts:login"))
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    page.locator("button[value=en]").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("h1")).to_have_text("Log in by phone")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_language_and_theme_follow_the_person(windows: Windows, anna: User) -> None:
    page = windows.open(anna, color_scheme="light")
    page.goto(url("accounts:more"))
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.locator("button[value=dark]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator("button[value=en]").click()
    expect(page.locator("h1")).to_have_text("More")
    other = windows.open(anna, DESKTOP_SIZE, color_scheme="light")
    other.goto(url("deals:deal_list"))
    expect(other.locator("html")).to_have_attribute("data-theme", "dark")
    expect(other.locator("html")).to_have_attribute("lang", "en")
    assert other.evaluate("getComputedStyle(document.documentElement).backgroundColor") != paper


def test_a_lost_phone_is_logged_out_from_another_device(windows: Windows, anna: User) -> None:
    lost, mine = windows.open(anna), windows.open(anna, DESKTOP_SIZE)
    lost.goto(url("deals:deal_list"))
    mine.goto(url("accounts:session_list"))
    expect(mine.locator(".device")).to_have_count(2)
    mine.locator(".device button").click()
    expect(mine.locator(".device")).to_have_count(1)
    lost.reload()
    lost.wait_for_url("**/login/**")
