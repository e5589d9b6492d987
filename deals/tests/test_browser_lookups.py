"""An address suggested while it is typed, in a real browser: by keyboard, by touch, and a plain field without."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from playwright.sync_api import Locator, Page, Response, Route, expect

from accounts.models import User
from deals.models import Deal
from deals.tests.fake_dadata import KEY, FakeDaData, running
from deals.tests.making import make_deal
from deals.tests.test_browser_pages import AXE, PRESSED, RUN_AXE, SHIFT_AT_MOST, SHIFTED, TOO_SMALL
from lk_site.tests.windows import DESKTOP_SIZE, PHONE_SIZE, Windows, url

pytestmark = pytest.mark.django_db(transaction=True)

TVERSKAYA = ["г Москва, ул Тверская", "г Москва, ул Тверская-Ямская 1-я", "г Москва, Тверской б-р"]
ABOVE_A_KEYBOARD = (360, 420)


@pytest.fixture
def dadata(settings) -> Iterator[FakeDaData]:
    """Look-ups that are switched on, and answered by a fake."""
    with running() as fake:
        settings.DADATA_URL, settings.DADATA_KEY = fake.url, KEY
        yield fake


def new_deal(page: Page) -> Locator:
    """Open the form of a new deal, and return its address field."""
    page.goto(url("deals:deal_create"))
    return page.locator("[name=property_address]")


def options(page: Page) -> Locator:
    return page.locator("[role=listbox]:not([hidden]) > [role=option]")


def answered(response: Response) -> bool:
    return "/lookups/addresses" in response.url


def test_an_address_is_chosen_by_keyboard_and_written_on(windows: Windows, anna: User, dadata: FakeDaData) -> None:
    page = windows.open(anna, DESKTOP_SIZE)
    field = new_deal(page)
    field.press_sequentially("твер")
    expect(options(page)).to_have_text(TVERSKAYA)
    expect(field).to_have_attribute("aria-expanded", "true")
    field.press("ArrowDown")
    field.press("ArrowDown")
    expect(options(page).nth(1)).to_have_attribute("aria-selected", "true")
    chosen = options(page).nth(1).get_attribute("id")
    expect(field).to_have_attribute("aria-activedescendant", chosen or "")
    field.press("ArrowUp")
    field.press("Enter")
    expect(field).to_have_value(TVERSKAYA[0])
    expect(options(page)).to_have_count(0)
    field.press_sequentially(" 12")
    expect(options(page)).to_have_text([f"{street}, д 12" for street in TVERSKAYA[:2]])
    assert page.url.endswith(url("deals:deal_create")), "Enter chose, and sent nothing"


def test_arrows_walk_round_through_the_input_and_enter_in_it_sends_the_form(
    windows: Windows, anna: User, dadata: FakeDaData
) -> None:
    page = windows.open(anna, DESKTOP_SIZE)
    field = new_deal(page)
    page.fill("[name=client_phone]", "89161234567")
    page.fill("[name=price]", "12500000")
    field.press_sequentially("баум")
    expect(options(page)).to_have_count(1)
    selected = page.locator("[role=option][aria-selected=true]")
    for key, count in (("ArrowUp", 1), ("ArrowUp", 0), ("ArrowDown", 1), ("ArrowDown", 0)):
        field.press(key)
        expect(selected).to_have_count(count)
    field.press("Enter")
    page.wait_for_url(re.compile(r"/deals/[0-9a-f-]{36}/$"))
    assert Deal.objects.get().property_address == "баум"


def test_escape_closes_the_list_and_an_arrow_opens_it_again(windows: Windows, anna: User, dadata: FakeDaData) -> None:
    page = windows.open(anna, DESKTOP_SIZE)
    field = new_deal(page)
    field.press_sequentially("твер")
    expect(options(page)).to_have_count(3)
    field.press("Escape")
    expect(options(page)).to_have_count(0)
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press("ArrowDown")
    expect(options(page)).to_have_count(3)
    assert len(dadata.asked) == 1, "what was answered once is not asked again"
    field.press("Tab")
    expect(options(page)).to_have_count(0)
    expect(field).to_have_value("твер")


def test_an_address_is_chosen_by_touch_above_the_keyboard(windows: Windows, anna: User, dadata: FakeDaData) -> None:
    page = windows.open(anna, ABOVE_A_KEYBOARD, has_touch=True, is_mobile=True)
    field = new_deal(page)
    field.tap()
    field.press_sequentially("моск")
    expect(options(page)).to_have_count(5)
    expect(options(page).nth(1)).to_be_in_viewport(ratio=1)
    expect(page.locator("label[for=id_property_address]")).to_be_in_viewport(ratio=1)
    box = page.get_by_role("listbox").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= ABOVE_A_KEYBOARD[1], "the list ends above the keyboard"
    options(page).nth(4).scroll_into_view_if_needed()
    options(page).nth(4).tap()
    expect(field).to_have_value("г Москва, ул Хабаровская")
    expect(field).to_be_focused()
    expect(options(page)).to_have_count(0)


@pytest.mark.parametrize("size", [PHONE_SIZE, DESKTOP_SIZE], ids=["phone", "desktop"])
def test_the_list_is_for_everybody_and_moves_nothing(
    windows: Windows, anna: User, dadata: FakeDaData, size: tuple[int, int]
) -> None:
    page = windows.open(anna, size)
    field = new_deal(page)
    price = page.locator("[name=price]")
    field.focus()
    before = price.bounding_box()
    field.press_sequentially("твер")
    expect(options(page)).to_have_count(3)
    field.press("ArrowDown")
    assert price.bounding_box() == before
    assert page.evaluate(SHIFTED) <= SHIFT_AT_MOST
    assert page.evaluate(TOO_SMALL, f"{PRESSED}, [role=option]") == []
    page.evaluate(AXE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert page.evaluate(RUN_AXE) == []


def test_the_fact_of_a_card_suggests_too_and_escape_leaves_it_open(
    windows: Windows, anna: User, dadata: FakeDaData
) -> None:
    deal, page = make_deal(anna), windows.open(anna)
    page.goto(url("deals:deal_detail", deal.pk))
    page.locator("#fact-property_address").click()
    form = page.locator("#form-property_address")
    field = form.locator("[name=property_address]")
    expect(field).to_be_focused()
    field.press("ControlOrMeta+a")
    field.press_sequentially("невс")
    expect(options(page)).to_have_count(1)
    field.press("Escape")
    expect(options(page)).to_have_count(0)
    expect(field).to_have_value("невс")
    field.press("ArrowDown")
    expect(options(page)).to_have_count(1)
    field.press("ArrowDown")
    field.press("Enter")
    form.locator(".is-primary").click()
    expect(page.locator("#fact-property_address")).to_contain_text("г Санкт-Петербург, Невский пр-кт")


def test_an_answer_that_comes_late_is_dropped(windows: Windows, anna: User, dadata: FakeDaData) -> None:
    page = windows.open(anna)
    field = new_deal(page)
    dadata.delays_s.append(1.5)
    with page.expect_response(lambda response: unquote(response.url).endswith("q=моск")):
        with page.expect_request(re.compile("/lookups/addresses")):
            field.press_sequentially("моск")
        field.press_sequentially("ва лес")
        expect(options(page)).to_have_text(["г Москва, ул Лесная"])
    expect(options(page)).to_have_text(["г Москва, ул Лесная"])
    assert dadata.queries == ["моск", "москва лес"]


def test_a_list_is_not_opened_for_who_has_left_the_field(windows: Windows, anna: User, dadata: FakeDaData) -> None:
    page = windows.open(anna)
    field = new_deal(page)
    dadata.delays_s.append(0.5)
    with page.expect_response(answered):
        with page.expect_request(re.compile("/lookups/addresses")):
            field.press_sequentially("моск")
        page.locator("[name=price]").focus()
    expect(options(page)).to_have_count(0)


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_service_that_fails_is_met_with_silence(
    windows: Windows, anna: User, dadata: FakeDaData, status: int
) -> None:
    page = windows.open(anna)
    field = new_deal(page)
    dadata.http.append(status)
    with page.expect_response(answered):
        field.press_sequentially("твер")
    expect(options(page)).to_have_count(0)
    field.press_sequentially("с")  # and is asked again
    expect(options(page)).to_have_count(3)


@pytest.mark.parametrize("status", [401, 404, 429])
def test_a_refused_question_is_not_repeated_for_each_letter(
    windows: Windows, anna: User, dadata: FakeDaData, status: int
) -> None:
    page = windows.open(anna)
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=status, headers={"Retry-After": "60"})

    page.context.route("**/lookups/addresses*", refuse)
    page.clock.install()
    field = new_deal(page)
    with page.expect_response(answered):
        type_at_leisure(page, field, "твер")
    type_at_leisure(page, field, "ская улица")
    assert len(asked) == 1
    page.clock.fast_forward(61_000)
    type_at_leisure(page, field, " 5")
    assert len(asked) == (2 if status == 429 else 1)


def test_few_questions_are_asked_for_an_address_typed_at_leisure(
    windows: Windows, anna: User, dadata: FakeDaData
) -> None:
    """They count as searches, of which a person has thirty a minute."""
    page = windows.open(anna)
    page.clock.install()
    field = new_deal(page)
    type_at_leisure(page, field, "Тверская улица")
    page.clock.run_for(1000)
    expect(field).to_have_value("Тверская улица")
    assert 1 < len(dadata.asked) <= 6


def type_at_leisure(page: Page, field: Locator, text: str) -> None:
    """Type a letter every 300 ms of a clock that stands still otherwise."""
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
    for letter in text:
        field.press_sequentially(letter)
        page.clock.run_for(300)
    page.clock.resume()


@pytest.mark.parametrize("case", ["off", "plain"])
def test_it_is_a_plain_field_when_off_and_without_scripts(windows: Windows, anna: User, settings, case: str) -> None:
    settings.DADATA_KEY = KEY if case == "plain" else ""
    page = windows.open(anna, java_script_enabled=case == "off")
    field = new_deal(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    field.press_sequentially("Москва, Тверская ул., 12", delay=20)
    expect(field).not_to_have_attribute("role", re.compile(".*"))
    expect(page.locator("[role=listbox]")).to_have_count(0)
    page.fill("[name=client_phone]", "89161234567")
    page.fill("[name=price]", "12500000")
    field.press("Enter")
    page.wait_for_url(re.compile(r"/deals/[0-9a-f-]{36}/$"))
    assert Deal.objects.get().property_address == "Москва, Тверская ул., 12"
    assert not any("/lookups/" in address for address in asked)
