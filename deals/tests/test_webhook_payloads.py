"""What webhooks tell of deals and clients: ids, types, versions and names of fields, and nothing of a person."""

import json
from decimal import Decimal

import pytest

from accounts.models import User, WebhookDelivery
from accounts.services import webhook_delivery, webhooks
from deals.services.clients import edit_client
from deals.services.deals import edit_deal
from deals.services.notes import add_note
from deals.tests.making import by, make_deal

pytestmark = pytest.mark.django_db


def test_a_payload_names_what_changed_and_holds_nothing_of_a_person(anna: User, vera: User):
    webhooks.add_endpoint("https://example.ru/hook", actor=by(vera))
    deal = make_deal(anna, "79165550002", property_address="Тайный переулок, 5", price=Decimal(7654321))
    note = add_note(deal.pk, "Перезвонить вечером", actor=by(anna))
    edit_client(deal.client_id, {"name": "Мария Тайная", "email": "m@tayna.example"}, actor=by(anna), version=1)
    edit_deal(deal.pk, {"notes": "Ключ под ковриком"}, actor=by(anna), version=1)
    webhook_delivery.fan_out()
    payloads = [json.loads(text) for text in WebhookDelivery.objects.order_by("id").values_list("payload", flat=True)]
    told = {(one["type"], one["data"]["object"]["id"], one["data"]["version"]) for one in payloads}
    assert told >= {
        ("deal.created", str(deal.pk), 1),
        ("note.added", str(note.pk), None),
        ("client.changed", str(deal.client_id), 2),
        ("deal.changed", str(deal.pk), 2),
    }
    (changed,) = [one["data"]["fields"] for one in payloads if one["type"] == "client.changed"]
    assert set(changed) == {"name", "email"}
    all_of_them = json.dumps(payloads, ensure_ascii=False)
    for text in ("5550002", "555-00-02", "Тай", "tayna", "7654321", "Перезвонить", "ковриком", anna.name, anna.phone):
        assert str(text) not in all_of_them
    assert {name for one in payloads for name in one} == {"type", "timestamp", "data"}
    assert {name for one in payloads for name in one["data"]} == {"event", "object", "version", "fields"}
