"""Pages of webhooks without a browser: once for however many clicks, conflicts, and what is told to whom."""

import re
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import Role, User, WebhookDelivery, WebhookEndpoint, WebhookOff
from accounts.services import webhook_delivery, webhooks
from accounts.services.unit_of_work import unit_of_work
from accounts.tests.people import make_agency, make_agent, sign_in
from accounts.tests.test_webhook_delivery import by, happen
from lk_site.links import link

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")
URL = "https://example.ru/hook"


@pytest.fixture
def vera() -> User:
    return make_agent(make_agency(), "Вера Власова", role=Role.HEAD, language="en")


@pytest.fixture
def browser(vera: User) -> Client:
    return browser_of(vera)


@pytest.fixture
def endpoint(vera: User) -> WebhookEndpoint:
    return webhooks.add_endpoint(URL, actor=by(vera))


def browser_of(user: User) -> Client:
    browser = Client()
    sign_in(browser, user, settings.SESSION_COOKIE_NAME)
    return browser


def stop(endpoint: WebhookEndpoint, vera: User) -> None:
    with unit_of_work():
        locked = WebhookEndpoint.objects.lock(endpoint.pk)
        webhook_delivery.switch_off(locked, WebhookOff.FAILING, actor=by(vera))


def test_a_double_click_adds_one_webhook_and_shows_its_secret_once(browser: Client):
    form = {"form_key": str(uuid4()), "url": URL}
    first, second = (browser.post(link("accounts:webhook_create"), form) for _ in range(2))
    endpoint = WebhookEndpoint.objects.get()
    assert SECRET.findall(first.content.decode()) == [endpoint.secret]
    assert second["Location"] == link("accounts:webhook_detail", endpoint.pk)
    assert not SECRET.search(browser.get(second["Location"]).content.decode())


def test_the_same_form_with_another_address_asks_before_it_adds_another(browser: Client):
    form = {"form_key": str(uuid4()), "url": URL}
    browser.post(link("accounts:webhook_create"), form)
    other = browser.post(link("accounts:webhook_create"), {**form, "url": f"{URL}/2"})
    assert (other.status_code, WebhookEndpoint.objects.count()) == (409, 1)
    assert f'value="{URL}/2"' in other.content.decode()


def test_a_double_click_makes_one_new_secret(browser: Client, endpoint: WebhookEndpoint):
    address, form = link("accounts:webhook_rotate", endpoint.pk), {"form_key": str(uuid4())}
    shown = SECRET.findall(browser.post(address, form).content.decode())
    browser.post(address, form)
    rotated = WebhookEndpoint.objects.get()
    assert shown == [rotated.secret]
    assert rotated.previous_secret == endpoint.secret


def test_a_conflict_shows_both_addresses_and_loses_neither(browser: Client, endpoint: WebhookEndpoint, vera: User):
    webhooks.edit_endpoint(endpoint.pk, actor=by(vera), version=1, url=f"{URL}/theirs")
    typed = {"version": "1", "url": f"{URL}/mine", "description": "Касса"}
    answer = browser.post(link("accounts:webhook_edit", endpoint.pk), typed)
    page = answer.content.decode()
    assert answer.status_code == 412
    for text in (f"{URL}/theirs", f"{URL}/mine", "Касса", 'name="version" value="2"'):
        assert text in page
    assert browser.post(link("accounts:webhook_edit", endpoint.pk), {**typed, "version": "2"}).status_code == 302
    assert WebhookEndpoint.objects.get().url == f"{URL}/mine"


@pytest.mark.parametrize("version", ["", "1", "x", "9" * 30, "²"])
def test_a_stale_page_removes_nothing(browser: Client, endpoint: WebhookEndpoint, vera: User, version: str):
    webhooks.edit_endpoint(endpoint.pk, actor=by(vera), version=1, description="Касса")
    answer = browser.post(link("accounts:webhook_remove", endpoint.pk), {"version": version})
    assert answer.status_code in (302, 412, 428)
    assert WebhookEndpoint.objects.there().exists()


def test_heads_are_told_what_lk_switched_off_and_others_are_not(browser, endpoint: WebhookEndpoint, vera: User):
    told = "LK has switched 1 off"
    assert told not in browser.get(link("accounts:more")).content.decode()
    stop(endpoint, vera)
    assert told in browser.get(link("accounts:more")).content.decode()
    assert "for three days every try" in browser.get(link("accounts:webhook_list")).content.decode()
    anna = browser_of(make_agent(vera.agency, "Анна Агеева", language="en"))
    assert told not in anna.get(link("accounts:more")).content.decode()
    browser.post(link("accounts:webhook_switch_on", endpoint.pk))
    assert told not in browser.get(link("accounts:more")).content.decode()


def test_what_a_person_switched_off_is_no_news(browser: Client, endpoint: WebhookEndpoint):
    browser.post(link("accounts:webhook_switch_off", endpoint.pk))
    assert "LK has switched" not in browser.get(link("accounts:more")).content.decode()


def test_deliveries_go_by_page_and_by_state(browser: Client, endpoint: WebhookEndpoint, vera: User):
    for _ in range(31):
        happen(by(vera))
    webhook_delivery.fan_out()
    WebhookDelivery.objects.filter(pk=WebhookDelivery.objects.latest("id").pk).update(state="failed")
    detail = link("accounts:webhook_detail", endpoint.pk)
    first = browser.get(detail)
    assert first.content.decode().count('class="entry"') == 30
    rest = browser.get(detail + first.context["next_url"])
    assert rest.content.decode().count('class="entry"') == 1
    failed = browser.get(f"{detail}?state=failed")
    assert failed.content.decode().count('class="entry"') == 1
    for odd in ("state=x", "cursor=x", "state=%00", "utm_source=mail"):
        assert browser.get(f"{detail}?{odd}").status_code == 200


@pytest.mark.parametrize("when", ["", "yesterday", "0001-01-01T00:00", "9999-12-31T23:59", "2026-03-01T25:00", "\0"])
def test_a_time_that_is_none_is_refused_at_its_field(browser: Client, endpoint: WebhookEndpoint, when: str):
    answer = browser.post(link("accounts:webhook_replay", endpoint.pk), {"since": when, "until": when})
    assert answer.status_code == 422


def test_a_range_backwards_is_refused_at_its_end(browser: Client, endpoint: WebhookEndpoint):
    form = {"since": "2026-01-02T00:00", "until": "2026-01-01T00:00"}
    answer = browser.post(link("accounts:webhook_replay", endpoint.pk), form)
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["until"])
