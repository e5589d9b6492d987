"""Work of all kinds, and the pages that show it: what browser tests look at."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from django.utils import timezone
from playwright.sync_api import Page

from accounts.actor import Actor
from accounts.models import Role, User, WebhookDelivery, WebhookEndpoint
from accounts.services import alarms, webhook_delivery, webhooks
from deals.services.clients import trash_client
from deals.services.deals import edit_deal, trash_deal
from deals.services.notes import add_note, delete_note
from deals.services.pipeline import move_deal
from deals.tests.making import OTHER_PHONE, THIRD_PHONE, by, make_client, make_deal
from lk_site.tests.windows import url

LONG_NAME = "Абдурахманов-Преображенский-Достоевский-Константинопольский Александр"
LONG_ADDRESS = "Московская область, городской округ Одинцовский, деревня Большие Вязёмы, Городок-17, дом 24, кв. 118"
LONG_WORD = "Очень_длинное_слово_" * 12
OF_WEBHOOK = [f"accounts:webhook_{page}" for page in ("detail", "edit", "rotate", "replay")]


class Cabinet:
    """Anna's deals and clients: open, lost and thrown away, with long names, notes and a late next step."""

    def __init__(self, anna: User) -> None:
        self.anna = anna
        self.deal = make_deal(
            anna,
            client_name=LONG_NAME,
            property_address=LONG_ADDRESS,
            next_step={"text": "Отвезти ключи соседке и забрать выписку из Росреестра", "due_on": date(2020, 3, 1)},
            commission_percent=Decimal("2.75"),
            notes="Ключи\nу соседки",
        )
        self.note = add_note(self.deal.pk, LONG_WORD, actor=by(anna))
        delete_note(self.deal.pk, add_note(self.deal.pk, "Лишнее", actor=by(anna)).pk, actor=by(anna))
        self.lost = make_deal(anna, OTHER_PHONE, client_name="Олег", kind="rent")
        move_deal(self.lost.pk, "lost", actor=by(anna), version=1, lost_reason="other", comment="Уехал надолго")
        trash_deal(make_deal(anna, OTHER_PHONE).pk, actor=by(anna), version=1)
        self.client = make_client(anna, THIRD_PHONE, "4930901820", name=LONG_NAME, email="a@example.org", notes="Да")
        trash_client(make_client(anna, "79031112244", name="Лишний").pk, actor=by(anna), version=1)
        assert anna.agency_id
        alarms.raise_alarm(alarms.Seen(anna.agency_id, "agent", anna.pk, 120), 7, timezone.now())
        self.webhook, self.delivery = self.stopped_webhook(by(User.objects.get(agency=anna.agency, role=Role.HEAD)))

    def stopped_webhook(self, head: Actor) -> tuple[WebhookEndpoint, WebhookDelivery]:
        """Return a webhook that LK has switched off, and the delivery that it was switched off for."""
        address = "https://integrations.accounting.example.ru:8443/hooks/lk/" + "very-long-part-" * 12
        webhook = webhooks.add_endpoint(address, description=LONG_NAME, types=["deal.moved"], actor=head)
        webhooks.add_endpoint("https://example.ru/hook", actor=head)
        move_deal(make_deal(self.anna, OTHER_PHONE).pk, "showing", actor=by(self.anna), version=1)
        webhook_delivery.fan_out()
        WebhookDelivery.objects.filter(endpoint=webhook).update(attempts=9)
        leased = [delivery for delivery, _message in webhook_delivery.claim(10)]
        (delivery,) = [delivery for delivery in leased if delivery.endpoint_id == webhook.pk]
        gone = webhook_delivery.Try(timezone.now(), 15_003, code=500, body=LONG_WORD + "\n<html>не вышло</html>")
        webhook_delivery.settle(delivery, gone)
        return webhook, delivery


def pages_of(cabinet: Cabinet) -> dict[str, str]:
    """Return the pages of a person at work: what they are called here, and their addresses."""
    deal, client = cabinet.deal.pk, cabinet.client.pk
    plain = ["deals:deal_list", "deals:deal_create", "deals:deal_trash_list", "deals:client_list"]
    plain += ["deals:client_create", "deals:client_trash_list", "accounts:more", "accounts:profile_edit"]
    plain += ["accounts:session_list", "accounts:consent_document"]
    of_deal = ["deals:deal_detail", "deals:deal_edit", "deals:deal_move"]
    of_client = ["deals:client_detail", "deals:client_edit"]
    return {
        **{name: url(name) for name in plain},
        **{name: url(name, deal) for name in of_deal},
        **{name: url(name, client) for name in of_client},
        "deals:note_edit": url("deals:note_edit", deal, cabinet.note.pk),
        "one fact": url("deals:deal_edit", deal) + "?field=next_step",
        "a lost deal": url("deals:deal_detail", cabinet.lost.pk),
        "nothing found": url("deals:deal_list") + "?price_min=999999999",
        "filters on": url("deals:deal_list") + "?kind=sale&status=open&price_min=x",
        "nothing here": "/nothing/here/",
        "not allowed": url("deals:deal_hand_over", deal),
    }


def pages_of_head(cabinet: Cabinet) -> dict[str, str]:
    """Return the pages that look otherwise to the head."""
    deal, client = cabinet.deal.pk, cabinet.client.pk
    return {
        "the head's list": url("deals:deal_list"),
        "the head's card": url("deals:deal_detail", deal),
        "deals:deal_hand_over": url("deals:deal_hand_over", deal),
        "reopening": url("deals:deal_move", cabinet.lost.pk),
        "the head's clients": url("deals:client_list"),
        "the head's client": url("deals:client_detail", client),
        "the head's form of a client": url("deals:client_edit", client),
        "the head's more": url("accounts:more"),
        "accounts:audit_list": url("accounts:audit_list"),
        "the audit of a deal": url("accounts:audit_list") + f"?object={deal}&action=deal.moved&who=x",
        **{name: url(name) for name in ("accounts:webhook_list", "accounts:webhook_create")},
        **{name: url(name, cabinet.webhook.pk) for name in OF_WEBHOOK},
        "a webhook's failures": url("accounts:webhook_detail", cabinet.webhook.pk) + "?state=failed",
        "accounts:webhook_delivery": url("accounts:webhook_delivery", cabinet.webhook.pk, cabinet.delivery.pk),
    }


def sheet(page: Page, cabinet: Cabinet) -> None:
    page.goto(url("deals:deal_detail", cabinet.deal.pk))
    page.locator(".stage-now a[data-sheet]").click()
    page.locator("#move input[data-kind=lost]").check()


def popup(page: Page, cabinet: Cabinet) -> None:
    page.goto(url("deals:deal_detail", cabinet.deal.pk))
    page.locator(".popup > summary").click()


def fact(page: Page, cabinet: Cabinet) -> None:
    page.goto(url("deals:deal_detail", cabinet.deal.pk))
    page.locator("#fact-next_step").click()
    page.locator(".fact-form").wait_for()


def conflict(page: Page, cabinet: Cabinet) -> None:
    cabinet.deal.refresh_from_db()
    page.goto(url("deals:deal_edit", cabinet.deal.pk))
    edit_deal(cabinet.deal.pk, {"notes": "Другое"}, actor=by(cabinet.anna), version=cabinet.deal.version)
    page.fill("[name=notes]", "Моё")
    page.locator(".form-end .is-primary").click()
    page.locator(".theirs").first.wait_for()


def moved(page: Page, cabinet: Cabinet) -> None:
    page.goto(url("deals:deal_move", cabinet.deal.pk) + "?to=showing")
    page.locator(".form-end .is-primary").click()
    page.locator(".flash").wait_for()


def errors(page: Page, cabinet: Cabinet) -> None:
    page.goto(url("deals:deal_create"))
    page.locator("details.more > summary").click()
    page.fill("[name=next_step_text]", "Позвонить")
    page.locator(".form-end .is-primary").click()
    page.locator(".error").first.wait_for()


def clash(page: Page, cabinet: Cabinet) -> None:
    page.goto(url("deals:deal_create"))
    for name, value in {
        "client_phone": THIRD_PHONE,
        "client_name": "Пётр",
        "property_address": "А",
        "price": "1",
    }.items():
        page.fill(f"[name={name}]", value)
    page.locator(".form-end .is-primary").click()
    page.locator("button[name=client]").wait_for()


def filters(page: Page, cabinet: Cabinet) -> None:
    page.goto(url("deals:deal_list"))
    page.locator(".filters > summary").click()


OPENED: dict[str, Callable[[Page, Cabinet], None]] = {
    one.__name__: one for one in (sheet, popup, fact, conflict, moved, errors, clash, filters)
}
