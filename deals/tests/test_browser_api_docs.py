"""The page of the API in a real browser: it tries calls, with a key or a session, under the strict policy of pages."""

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from accounts.tests.programs import make_key
from deals.models import Deal
from deals.tests.making import make_deal
from deals.tests.test_browser_pages import AXE, RUN_AXE, scrolls_sideways
from lk_site.tests.windows import DESKTOP_SIZE, PHONE_SIZE, Windows

pytestmark = pytest.mark.django_db(transaction=True)


def docs(windows: Windows, user: User | None = None, **options: Any) -> Page:
    page = windows.open(user, **options)
    page.goto("/api/v1/docs")
    return page


def form_of(page: Page, operation: str) -> Locator:
    """Open the form of an operation."""
    page.locator(f"#{operation} .try summary").click()
    form = page.locator(f"#{operation} form")
    expect(form).to_be_visible()
    return form


def told(form: Locator, what: str) -> str:
    return form.locator(f"[data-told={what}]").inner_text()


def answered(form: Locator, status: str) -> Any:
    """Send the form, and return the body of its answer."""
    form.locator("[data-send]").click()
    expect(form.locator("[data-told=status]")).to_contain_text(status)
    return json.loads(told(form, "body") or "null")


@pytest.mark.parametrize("size", [PHONE_SIZE, DESKTOP_SIZE], ids=["phone", "desktop"])
def test_a_key_that_is_typed_reads_deals_and_stands_nowhere(
    windows: Windows, anna: User, vera: User, size: Any
) -> None:
    deal, token = make_deal(anna), make_key(vera).token
    page = docs(windows, size=size)
    page.fill("#key", token)
    form = form_of(page, "list_deals")
    form.get_by_label("status").fill("open\nwon")
    form.get_by_label("limit").fill("5")
    assert [item["id"] for item in answered(form, "200")["items"]] == [str(deal.pk)]
    assert "ratelimit: " in told(form, "headers")
    curl = told(form, "curl")
    assert all(part in curl for part in ("/api/v1/deals/?", "status=open&status=won", "limit=5"))
    assert "Authorization: Bearer $LK_KEY" in curl
    assert token not in page.content()
    assert token not in json.dumps(page.evaluate("() => [{...localStorage}, {...sessionStorage}, document.cookie]"))
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]


def test_a_call_by_a_key_leaves_the_session_at_home(windows: Windows, vera: User) -> None:
    page = docs(windows, vera)
    page.fill("#key", "lk_live_wrong")
    assert answered(form_of(page, "list_deals"), "401")["code"] == "not_authenticated"


def test_the_person_who_is_signed_in_creates_a_deal_from_the_example(windows: Windows, anna: User) -> None:
    form = form_of(docs(windows, anna), "create_deal")
    body = form.get_by_label("body")
    sent = json.loads(body.input_value())
    sent.pop("agent", None)  # for keys only
    body.fill(json.dumps(sent, ensure_ascii=False))
    assert answered(form, "201")["agent"]["id"] == str(anna.pk)
    assert answered(form, "201")["id"] == str(Deal.objects.get().pk), "the key of the form is sent again"
    assert "--data" in told(form, "curl")


def test_a_refusal_is_an_answer_too(windows: Windows, anna: User) -> None:
    form = form_of(docs(windows, anna), "get_deal")
    form.get_by_label("deal_id").fill("0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8")
    assert answered(form, "404")["code"] == "not_found"


def test_what_is_required_is_asked_for_before_sending(windows: Windows, anna: User) -> None:
    form = form_of(docs(windows, anna), "get_deal")
    form.locator("[data-send]").click()
    expect(form.locator("[data-answer]")).to_be_hidden()


def test_the_key_is_gone_when_one_comes_back(windows: Windows) -> None:
    page = docs(windows)
    page.fill("#key", "lk_live_" + "a" * 46)
    page.goto("/api/v1/openapi.json")
    page.go_back()
    expect(page.locator("#key")).to_have_value("")


def test_the_page_reads_without_scripts(windows: Windows) -> None:
    page = docs(windows, java_script_enabled=False)
    expect(page.locator("#asker")).to_be_hidden()
    expect(page.locator("#list_deals .try summary")).to_be_hidden()
    expect(page.locator("#list_deals")).to_contain_text("List deals, newest first.")
    page.locator("#create_deal summary", has_text="Fields").first.click()
    expect(page.locator("#create_deal")).to_contain_text("property_address text, 1 to 300 characters, required")


@pytest.mark.long
def test_the_page_and_an_open_form_are_for_everybody(windows: Windows, anna: User) -> None:
    page = docs(windows, anna)
    answered(form_of(page, "create_deal"), "201")
    form_of(page, "list_deals")
    assert list(scrolls_sideways(page, "docs")) == []
    page.evaluate(AXE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(RUN_AXE) == [], scheme


def test_what_is_changed_is_another_call_with_a_key_of_its_own(windows: Windows, anna: User) -> None:
    form = form_of(docs(windows, anna), "create_deal")
    key, first = form.get_by_label("Idempotency-Key"), answered(form, "201")
    before = key.input_value()
    body = json.loads(form.get_by_label("body").input_value()) | {"price": "1.00"}
    form.get_by_label("body").fill(json.dumps(body, ensure_ascii=False))
    assert key.input_value() != before
    assert answered(form, "201")["id"] != first["id"]
