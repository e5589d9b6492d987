"""Keys of programs in a real browser: made after a fresh code, copied, given a new secret, ended; and how it looks."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.actor import Actor
from accounts.models import ApiKey, Role, Scope, User
from accounts.services import agencies, keys
from accounts.services.people import disable_agent
from accounts.tests.people import make_agent
from accounts.tests.programs import make_key, program
from deals.tests.full_cabinet import LONG_NAME
from deals.tests.test_browser_pages import wrong_on
from lk_site.tests.windows import DESKTOP_SIZE, PHONE_SIZE, Windows, newest_code, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
VERA = "79169990002"
SIZES = pytest.mark.parametrize("size", [PHONE_SIZE, DESKTOP_SIZE], ids=["phone", "desktop"])
SCRIPTS = pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "plain"])


@pytest.fixture
def vera(db: None) -> User:
    agency = agencies.add_agency("Ключи и двери", actor=Actor.system())
    return make_agent(agency, "Вера Власова", role=Role.HEAD, phone=VERA)


def give_code(page: Page, has_scripts: bool) -> None:
    """Have a code sent, and give it."""
    page.wait_for_url("**/step-up/**")
    page.locator("button[name=send]").click()
    page.locator("[name=code]").wait_for()
    page.fill("[name=code]", newest_code(VERA))
    if not has_scripts:  # with them the sixth digit sends the form
        page.locator(".is-primary").click()
    page.wait_for_url("**/keys/**")


def fill_new_key(page: Page) -> None:
    page.fill("[name=name]", "Бухгалтерия")
    page.check("[name=scopes][value='deals:read']")
    page.check("[name=scopes][value='clients:read']")
    page.check("[name=lifetime][value=other]", force=True)
    page.fill("[name=days]", "20")
    page.fill("[name=networks]", "127.0.0.0/8")


def is_open(token: str) -> bool:
    return program(token).get("/api/v1/key").status_code == 200


@SIZES
@SCRIPTS
def test_a_head_makes_a_key_gives_it_a_new_secret_and_ends_it(
    windows: Windows, vera: User, size: tuple[int, int], has_scripts: bool
) -> None:
    page = windows.open(vera, size, java_script_enabled=has_scripts)
    page.goto(url("accounts:more"))
    page.locator(f"main a[href='{url('accounts:key_list')}']").click()
    page.locator(f".empty a[href='{url('accounts:key_create')}']").click()
    fill_new_key(page)
    page.locator(".form-end .is-primary").click()
    give_code(page, has_scripts)
    expect(page.locator("[name=name]")).to_have_value("Бухгалтерия")
    expect(page.locator("[name=scopes]:checked")).to_have_count(2)
    assert not ApiKey.objects.exists()
    page.locator(".form-end .is-primary").click()
    token = page.locator("#token").inner_text()
    assert is_open(token)
    page.locator(".form-end a").click()
    expect(page.locator("h1")).to_have_text("Бухгалтерия")
    expect(page.locator("#deeds")).to_contain_text("127.0.0.1")
    page.locator("a[href$='/rotate/']").click()
    page.locator(".form-end .is-primary").click()
    newer = page.locator("#token").inner_text()
    assert is_open(newer)
    assert is_open(token)
    page.locator(".form-end a").click()
    page.locator("form[action$='/revoke/'] button").click()
    expect(page.locator(".flash")).to_be_visible()
    expect(page.locator("details.more .count")).to_have_text("1")
    assert not is_open(newer)


@SCRIPTS
def test_a_token_is_gone_after_a_reload_and_on_the_way_back(windows: Windows, vera: User, has_scripts: bool) -> None:
    page = windows.open(vera, java_script_enabled=has_scripts)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(url("accounts:key_create"))
    fill_new_key(page)
    page.locator(".form-end .is-primary").click()
    give_code(page, has_scripts)
    page.locator(".form-end .is-primary").click()
    token = page.locator("#token").inner_text()
    assert token not in page.url
    page.reload()
    expect(page.locator(".flash")).to_be_visible()
    assert token not in page.content()
    assert ApiKey.objects.count() == 1
    page.goto(url("accounts:key_list"))
    page.go_back()
    assert token not in page.content()
    if has_scripts:
        assert token not in str(page.evaluate("[history.state, {...localStorage}, {...sessionStorage}]"))


def test_a_token_is_copied_with_one_press(windows: Windows, vera: User) -> None:
    page = windows.open(vera)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(url("accounts:key_create"))
    fill_new_key(page)
    page.locator(".form-end .is-primary").click()
    give_code(page, has_scripts=True)
    page.locator(".form-end .is-primary").click()
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copy-status]")).not_to_be_empty()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#token").inner_text()


def test_a_wrong_code_is_refused_at_its_field_and_another_is_offered_in_time(windows: Windows, vera: User) -> None:
    page = windows.open(vera)
    page.clock.install()
    page.goto(url("accounts:step_up") + "?next=/keys/")
    page.locator("button[name=send]").click()
    page.locator("[name=code]").wait_for()
    code = newest_code(VERA)
    page.fill("[name=code]", "000000" if code != "000000" else "111111")
    expect(page.locator(".field .error")).to_be_visible()
    again = page.locator("[data-countdown]")
    expect(again).to_be_disabled()
    page.clock.fast_forward("01:01")
    expect(again).to_be_enabled()
    page.fill("[name=code]", code)
    page.wait_for_url("**/keys/")


def many_keys(vera: User) -> ApiKey:
    """Make fifty keys: long names, all scopes, never used, about to end, made by one who has left; return the first."""
    zoya = make_agent(vera.agency, LONG_NAME, role=Role.HEAD)
    first = make_key(zoya, name="Обмен_с_порталом_объявлений_" * 3, networks=["2001:db8:1:2::/64", "203.0.113.0/24"])
    program(first.token).get("/api/v1/me")
    keys.revoke_key(make_key(vera, name="Старая касса").key.pk, actor=Actor.of(vera))
    disable_agent(zoya.pk, actor=Actor.system())
    ends = [timezone.now() + timedelta(days=days) for days in range(1, 50)]
    ApiKey.objects.bulk_create(
        ApiKey(agency=vera.agency, name=f"Касса {number}", scopes=list(Scope)[: number % 8], expires_at=end)
        for number, end in enumerate(ends, 1)
    )
    return first.key


@SIZES
def test_the_pages_of_keys_are_for_everybody(windows: Windows, vera: User, size: tuple[int, int]) -> None:
    page, wrong = windows.open(vera, size), list[str]()
    page.goto(url("accounts:key_list"))
    wrong += wrong_on(page, "no keys")
    key = many_keys(vera)
    page.goto(url("accounts:key_list"))
    page.locator("details.more > summary").click()
    wrong += wrong_on(page, "key_list")
    for name in ("key_detail", "key_edit", "key_rotate"):
        page.goto(url(f"accounts:{name}", key.pk))
        wrong += wrong_on(page, name)
    page.goto(url("accounts:key_create"))
    page.check("[name=lifetime][value=other]", force=True)
    wrong += wrong_on(page, "key_create")
    page.locator(".form-end .is-primary").click()
    page.locator(".error").first.wait_for()
    wrong += wrong_on(page, "key_create with errors")
    assert wrong == []


@SIZES
def test_the_code_and_the_token_are_for_everybody(windows: Windows, vera: User, size: tuple[int, int]) -> None:
    page, wrong = windows.open(vera, size), list[str]()
    page.goto(url("accounts:key_create"))
    fill_new_key(page)
    page.locator(".form-end .is-primary").click()
    page.wait_for_url("**/step-up/**")
    wrong += wrong_on(page, "step_up")
    page.locator("button[name=send]").click()
    page.locator("[name=code]").wait_for()
    wrong += wrong_on(page, "step_up, sent")
    page.fill("[name=code]", newest_code(VERA))
    page.wait_for_url("**/keys/new/")
    page.locator(".form-end .is-primary").click()
    page.locator("#token").wait_for()
    wrong += wrong_on(page, "key_token")
    assert wrong == []
