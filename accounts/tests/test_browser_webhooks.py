"""Webhooks in a real browser: added, tried, repaired and switched on again, on a phone and without a mouse."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Role, User, WebhookEndpoint
from accounts.services import webhook_delivery
from accounts.tests.people import make_agency, make_agent
from accounts.tests.receiver import Receiver, Told, receiving
from accounts.tests.test_webhook_delivery import by, happen
from lk_site.tests.windows import DESKTOP_SIZE, PHONE_SIZE, Windows, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
SIZES = pytest.mark.parametrize("size", [PHONE_SIZE, DESKTOP_SIZE], ids=["phone", "desktop"])


@pytest.fixture(autouse=True)
def _loopback(settings) -> None:
    settings.WEBHOOK_LOOPBACK = True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def vera() -> User:
    return make_agent(make_agency(), "Вера Власова", role=Role.HEAD, language="en")


def add(page: Page, address: str) -> str:
    """Add a webhook on the pages, and return the secret that is shown."""
    page.goto(url("accounts:webhook_list"))
    page.get_by_role("link", name="Add a webhook").click()
    page.get_by_label("Address").fill(address)
    page.get_by_label("What is it for").fill("Бухгалтерия")
    page.get_by_role("button", name="Add the webhook").click()
    return page.locator("#token").inner_text()


@SIZES
def test_a_webhook_is_added_tried_repaired_and_switched_on(
    windows: Windows, vera: User, receiver: Receiver, size: tuple[int, int]
):
    page = windows.open(vera, size)
    secret = add(page, receiver.url)
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("button", name="Send a test event").click()
    webhook_delivery.deliver()
    assert receiver.received[0].opened(secret)["type"] == "webhook.test"
    page.reload()
    expect(page.locator(".timeline .entry")).to_contain_text("200")
    receiver.always = Told(410, body="больше не надо".encode())
    happen(by(vera))
    webhook_delivery.deliver()
    page.goto(url("accounts:more"))
    expect(page.get_by_role("link", name="Webhooks")).to_contain_text("LK has switched 1 off")
    page.get_by_role("link", name="Webhooks").click()
    expect(page.get_by_role("status").filter(has_text="410")).to_be_visible()
    page.get_by_role("link", name="Бухгалтерия").click()
    page.get_by_role("link", name="Deal changed", exact=False).or_(page.locator(".entry-place")).first.click()
    expect(page.locator(".timeline .entry")).to_contain_text("больше не надо")
    receiver.always = Told(200)
    page.get_by_role("link", name="Бухгалтерия").click()
    page.get_by_role("button", name="Switch it on").click()
    webhook_delivery.deliver()
    assert receiver.ids[-1] == receiver.ids[-2], "what failed is sent again, under its id"
    assert WebhookEndpoint.objects.get().is_on


def test_what_was_typed_wrong_is_said_at_its_field(windows: Windows, vera: User):
    page = windows.open(vera)
    page.goto(url("accounts:webhook_create"))
    page.get_by_label("Address").fill("https://192.168.1.1/hook")
    page.get_by_role("button", name="Add the webhook").click()
    expect(page.locator(".error")).to_contain_text("not reachable from the internet")
    expect(page.get_by_label("Address")).to_have_value("https://192.168.1.1/hook")


def test_a_time_is_sent_again(windows: Windows, vera: User, receiver: Receiver):
    page = windows.open(vera)
    add(page, receiver.url)
    happen(by(vera))
    webhook_delivery.deliver()
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Send a time again").click()
    for name, value in (("From", "2026-01-01T00:00"), ("To", "2099-01-01T00:00")):
        page.get_by_label(name, exact=True).fill(value)
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".flash")).to_contain_text("1 delivery is sent again")
    webhook_delivery.deliver()
    assert receiver.ids == [receiver.ids[0]] * 2
