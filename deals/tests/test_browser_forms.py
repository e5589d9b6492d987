"""Forms in a real browser: sent once, never lost, and both values shown where two people were at it."""

import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Dialog, Page, expect

from accounts.models import Session, User
from deals.models import Deal
from deals.services.deals import edit_deal
from deals.tests.making import by, make_deal
from lk_site.tests.windows import DESKTOP_SIZE, Windows, newest_code, url

pytestmark = pytest.mark.django_db(transaction=True)

CARD = re.compile(r"/deals/[0-9a-f-]{36}/$")


def new_deal(page: Page, **typed: str) -> None:
    """Fill the form of a new deal."""
    page.goto(url("deals:deal_create"))
    known = {"client_phone": "89161234567", "property_address": "Москва, Тверская ул., 12", "price": "12500000"}
    for name, value in (known | typed).items():
        page.fill(f"[name={name}]", value)


def send(page: Page) -> None:
    page.locator(".form-end .is-primary").click()


def card_of(page: Page, deal: Deal) -> Page:
    page.goto(url("deals:deal_detail", deal.pk))
    return page


def open_fact(page: Page, fact: str) -> Any:
    page.locator(f"#fact-{fact}").click()
    form = page.locator(f"#form-{fact}")
    expect(form).to_be_visible()
    return form


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "plain"])
def test_a_double_click_makes_one_deal(windows: Windows, anna: User, has_scripts: bool) -> None:
    page = windows.open(anna, java_script_enabled=has_scripts)
    new_deal(page)
    page.locator(".form-end .is-primary").dblclick()
    page.wait_for_url(CARD)
    assert Deal.objects.count() == 1


def test_back_and_other_text_offers_both_ways_and_loses_nothing(windows: Windows, anna: User) -> None:
    page = windows.open(anna)
    new_deal(page, client_name="Мария Петрова")
    send(page)
    page.wait_for_url(CARD)
    page.go_back()
    expect(page.locator("[name=client_name]")).to_have_value("Мария Петрова")
    page.fill("[name=price]", "13000000")
    send(page)
    expect(page.locator("button[name=carry]")).to_be_visible()
    page.locator("button[name=carry]").click()
    expect(page.locator("[name=price]")).to_have_value("13\u202f000\u202f000")
    expect(page.locator(".theirs")).to_contain_text("12\u202f500\u202f000\u202f₽")
    send(page)
    expect(page.locator("#fact-price")).to_contain_text("13\u202f000\u202f000\u202f₽")
    assert Deal.objects.count() == 1


def test_back_and_other_text_can_be_another_deal(windows: Windows, anna: User) -> None:
    page = windows.open(anna)
    new_deal(page)
    send(page)
    page.wait_for_url(CARD)
    page.go_back()
    page.fill("[name=property_address]", "Казань")
    send(page)
    page.locator(f"form[action='{url('deals:deal_create')}'] button").click()
    page.wait_for_url(CARD)
    assert sorted(Deal.objects.values_list("property_address", flat=True)) == ["Казань", "Москва, Тверская ул., 12"]


def test_two_tabs_editing_one_deal_lose_neither_value(windows: Windows, anna: User) -> None:
    deal, first = make_deal(anna), windows.open(anna, DESKTOP_SIZE)
    second = first.context.new_page()
    for page in (first, second):
        page.goto(url("deals:deal_edit", deal.pk))
    first.fill("[name=price]", "11000000")
    send(first)
    expect(first.locator("#fact-price")).to_contain_text("11\u202f000\u202f000")
    second.fill("[name=price]", "10000000")
    send(second)
    expect(second.locator("[name=price]")).to_have_value("10\u202f000\u202f000")
    second.locator("[data-take]").click()
    expect(second.locator("[name=price]")).to_have_value("11\u202f000\u202f000")


def test_a_fact_is_changed_where_it_stands_and_a_note_half_written_stays(windows: Windows, anna: User) -> None:
    deal, page = make_deal(anna), windows.open(anna)
    card_of(page, deal).fill("#timeline textarea[name=text]", "Ключи у сосед")
    form = open_fact(page, "price")
    expect(form.locator("[name=price]")).to_be_focused()
    form.locator("[name=price]").fill("11000000")
    form.locator(".is-primary").click()
    expect(page.locator("#fact-price")).to_contain_text("11\u202f000\u202f000\u202f₽")
    expect(page.locator("#fact-price")).to_be_focused()
    expect(page.locator("#entries > li")).to_have_count(2)
    expect(page.locator("#timeline textarea[name=text]").first).to_have_value("Ключи у сосед")
    page.locator(".stage-now a[data-sheet]").click()  # the sheet has the new version
    page.locator("#move .is-primary").click()
    expect(page.locator("#entries > li, #timeline li.entry").first).to_contain_text("Новая → Оценка")


def test_a_fact_is_refused_in_its_place_and_one_at_a_time_stands_open(windows: Windows, anna: User) -> None:
    deal, page = make_deal(anna), windows.open(anna)
    card_of(page, deal)
    open_fact(page, "notes").press("Escape")
    expect(page.locator("#fact-notes")).to_be_focused()
    open_fact(page, "property_address")
    form = open_fact(page, "commission_percent")  # the other one was not touched, and closes
    expect(page.locator(".fact-form")).to_have_count(1)
    form.locator("[name=commission_percent]").fill("300")
    page.locator("#fact-price").click()
    expect(form.locator("[name=commission_percent]")).to_be_focused()
    form.locator(".is-primary").click()
    expect(form.locator(".error")).to_be_visible()
    expect(form.locator("[name=commission_percent]")).to_have_value("300")
    form.locator("[data-cancel]").click()
    expect(page.locator(".fact-form")).to_have_count(0)


def test_two_people_changing_one_fact_see_both_values_in_its_place(windows: Windows, anna: User, vera: User) -> None:
    deal, page = make_deal(anna), windows.open(anna)
    form = open_fact(card_of(page, deal), "price")
    edit_deal(deal.pk, {"price": 11_000_000}, actor=by(vera), version=1)
    form.locator("[name=price]").fill("10000000")
    form.locator(".is-primary").click()
    expect(form.locator(".theirs")).to_contain_text("11\u202f000\u202f000\u202f₽")
    expect(form.locator("[name=price]")).to_have_value("10\u202f000\u202f000")
    form.locator(".is-primary").click()
    expect(page.locator("#fact-price")).to_contain_text("10\u202f000\u202f000\u202f₽")


def test_a_note_is_added_without_leaving_the_card(windows: Windows, anna: User) -> None:
    deal, page = make_deal(anna), windows.open(anna)
    card_of(page, deal).fill("#timeline textarea[name=text]", "Просят скидку")
    page.evaluate("window.isSamePage = true")
    page.locator(".note-form > .actions button").first.dblclick()
    expect(page.locator(".entry.is-note")).to_have_count(1)
    assert page.evaluate("window.isSamePage")
    assert deal.note_entries.count() == 1


def end_sessions(user: User) -> None:
    Session.objects.filter(user=user).update(ended_at=timezone.now())


def log_in_again(page: Page, user: User) -> None:
    page.wait_for_url("**/login/**")
    page.fill("[name=phone]", user.phone or "")
    page.locator(".is-primary").click()
    page.wait_for_url("**/login/code/**")
    page.fill("[name=code]", newest_code(user.phone or ""))


def test_a_form_that_met_an_ended_session_is_back_after_login_with_its_text_and_not_sent(
    windows: Windows, anna: User
) -> None:
    page = windows.open(anna)
    new_deal(page, client_name="Мария Петрова")
    end_sessions(anna)
    send(page)
    log_in_again(page, anna)
    page.wait_for_url(f"**{url('deals:deal_create')}")
    expect(page.locator("[name=client_name]")).to_have_value("Мария Петрова")
    expect(page.locator("[name=price]")).to_have_value(re.compile("12.500.000"))
    assert Deal.objects.count() == 0
    send(page)
    expect(page.locator("h1")).to_have_text("Мария Петрова")
    assert Deal.objects.count() == 1


def test_a_fact_that_met_an_ended_session_is_back_on_its_card(windows: Windows, anna: User) -> None:
    deal, page = make_deal(anna), windows.open(anna)
    form = open_fact(card_of(page, deal), "notes")
    form.locator("textarea").fill("Собственник в Твери")
    end_sessions(anna)
    form.locator(".is-primary").click()
    log_in_again(page, anna)
    page.wait_for_url(f"**{url('deals:deal_detail', deal.pk)}")
    expect(page.locator("#form-notes textarea")).to_have_value("Собственник в Твери")
    page.locator("#form-notes .is-primary").click()
    expect(page.locator("#fact-notes")).to_contain_text("Собственник в Твери")


def test_the_browser_asks_before_typed_text_is_left_and_not_after_cancel(windows: Windows, anna: User) -> None:
    page = windows.open(anna)
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    new_deal(page)
    page.locator(".form-end a").click()
    page.wait_for_url("**/deals/")
    assert asked == []
    new_deal(page)
    page.goto(url("deals:client_list"))
    assert asked == ["beforeunload"]
