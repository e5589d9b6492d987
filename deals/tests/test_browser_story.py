"""The whole story of an agent in a real browser: on a phone and a desktop, with JavaScript and without it."""

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from deals.tests.making import make_deal
from lk_site.tests.windows import DESKTOP_SIZE, PHONE_SIZE, Windows, newest_code, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

NEWCOMER = "79269990011"
SIZES = pytest.mark.parametrize("size", [PHONE_SIZE, DESKTOP_SIZE], ids=["phone", "desktop"])
SCRIPTS = pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "plain"])


@SIZES
@SCRIPTS
def test_a_newcomer_logs_in_makes_a_deal_finds_it_moves_it_and_leaves(
    windows: Windows, size: tuple[int, int], has_scripts: bool
) -> None:
    page = windows.open(size=size, java_script_enabled=has_scripts)
    log_in(page, has_scripts)
    introduce_oneself(page)
    create_deal(page)
    find_by_phone(page)
    move_to(page, "Показы", has_scripts)
    entry = page.locator("#entries > li").first
    expect(entry).to_contain_text("Новая → Показы")
    expect(entry).to_contain_text("Зоя Зимина")
    page.locator(".flash form button").click()
    expect(page.locator(".stage-now strong")).to_have_text("Новая")
    page.locator("#timeline textarea[name=text]").first.fill("Ключи у соседки")
    page.locator(".note-form > .actions button").first.click()
    expect(page.locator(".entry.is-note").first).to_contain_text("Ключи у соседки")
    leave(page)
    page.go_back()
    assert "Ключи" not in page.content()


def log_in(page: Page, has_scripts: bool) -> None:
    page.goto("/")
    page.fill("[name=phone]", "8 (926) 999-00-11")
    page.locator(".is-primary").click()
    page.wait_for_url("**/login/code/**")
    page.fill("[name=code]", newest_code(NEWCOMER))
    if not has_scripts:  # with them the sixth digit sends the form
        page.locator(".is-primary").click()
    page.wait_for_url("**/welcome/**")


def introduce_oneself(page: Page) -> None:
    expect(page.locator("[name=consent]")).not_to_be_checked()
    page.fill("[name=name]", "Зоя Зимина")
    page.check("[name=consent]")
    page.locator(".is-primary").click()
    page.wait_for_url("**/deals/")


def create_deal(page: Page) -> None:
    page.locator(f".empty a[href='{url('deals:deal_create')}']").click()
    page.fill("[name=client_phone]", "8 916 123-45-67")
    page.fill("[name=client_name]", "Мария Петрова")
    page.fill("[name=property_address]", "Москва, Тверская ул., 12, кв. 34")
    page.fill("[name=price]", "12500000")
    page.locator("details.more > summary").click()
    page.fill("[name=commission_percent]", "2,5")
    page.locator(".form-end .is-primary").click()
    expect(page.locator("h1")).to_have_text("Мария Петрова")
    expect(page.locator(".figures")).to_contain_text("312\u202f500\u202f₽")
    expect(page.locator("a.call")).to_have_attribute("href", "tel:+79161234567")


def find_by_phone(page: Page) -> None:
    page.locator(".nav a", has=page.locator("svg")).first.click()
    page.fill("#search", "8 916 123 45 67")
    page.press("#search", "Enter")
    page.wait_for_url(re.compile(r"/deals/\?search="))
    assert "916" not in page.url
    page.locator(".row-link", has_text="Мария Петрова").click()
    expect(page.locator("h1")).to_have_text("Мария Петрова")


def move_to(page: Page, stage: str, has_scripts: bool) -> None:
    page.locator(".stage-now a[data-sheet]").click()
    form = page.locator("#move[open] form") if has_scripts else page.locator("main form")
    form.locator(".choice", has_text=stage).locator("input").check()
    form.locator(".is-primary").click()
    expect(page.locator(".stage-now strong")).to_have_text(stage)


def leave(page: Page) -> None:
    page.locator(f".nav a[href='{url('accounts:more')}']").click()
    page.locator(f"form[action='{url('accounts:logout')}'] button").click()
    page.wait_for_url("**/login/")


@SCRIPTS
def test_the_head_sees_a_number_on_the_card_where_he_asked_for_it(
    windows: Windows, anna: User, vera: User, has_scripts: bool
) -> None:
    deal = make_deal(anna)
    page = windows.open(vera, java_script_enabled=has_scripts)
    page.goto(url("deals:deal_detail", deal.pk))
    expect(page.locator(".card-who .phone")).to_have_text("+7 916 ***-**-67")
    page.locator("form.call button").click()
    expect(page.locator(".card-who .phone")).to_have_text("+7 916 123-45-67")
    expect(page.locator(".top-note")).to_contain_text(f"№ {deal.number}")
    page.goto(url("deals:deal_detail", deal.pk))
    expect(page.locator(".card-who .phone")).to_have_text("+7 916 ***-**-67")
