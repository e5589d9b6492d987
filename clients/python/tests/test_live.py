"""Both clients against the live server, over HTTP, with keys as a head makes them."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.utils import timezone

import lk_client
from lk_client import ClientExists, Invalid, KeyRefused, NotFound, ScopeMissing, Stale, VersionRequired, models

from .wire import KEY

ADDRESS = "Москва, Тверская ул., 12"
NEW = {"client_phone": "+7 916 123-45-67", "property_address": ADDRESS, "price": Decimal("12500000.00")}


def test_a_key_knows_itself_its_agency_and_its_people(lk: Any, vera: Any, anna: Any):
    assert lk.key.get().name == "Бухгалтерия"
    assert {agent.id for agent in lk.agents.list()} == {str(vera.pk), str(anna.pk)}
    assert "sale" in {pipeline.kind for pipeline in lk.pipelines.get().items}


def test_a_deal_is_created_found_changed_and_moved(lk: Any, anna: Any):
    step = ("Позвонить насчёт показа", date(2026, 12, 1))
    deal = lk.deals.create(agent=str(anna.pk), client_name="Мария Петрова", next_step=step, **NEW)
    assert isinstance(deal, models.Deal)
    assert (deal.price, deal.agent.name, deal.version) == (Decimal("12500000.00"), "Анна Агеева", 1)
    assert deal.created_at.utcoffset() is not None
    assert [item.number for item in lk.deals.list(client_phone="8 916 123-45-67", status="open")] == [deal.number]

    edited = lk.deals.edit(deal, price=Decimal("11900000.00"), commission_percent="2.5", next_step=None)
    assert (edited.price, edited.commission_percent, edited.next_step, edited.version) == (
        11900000,
        Decimal("2.50"),
        None,
        2,
    )
    stages = [stage for pipeline in lk.pipelines.get().items if pipeline.kind == "sale" for stage in pipeline.stages]
    moved = lk.deals.move(edited, stages[1].code)
    assert moved.stage.code == stages[1].code
    assert lk.deals.undo_move(moved).stage.code == stages[0].code
    actions = [entry.action for entry in lk.timeline.list(deal)]
    assert actions[-1] == "deal.created"
    assert lk.deals.get(deal.id).version == 4


def test_a_deal_goes_to_the_trash_and_comes_back_with_the_version_it_has_there(lk: Any, anna: Any):
    deal = lk.deals.create(agent=str(anna.pk), **NEW)
    version = lk.deals.trash(deal)
    assert version == 2
    with pytest.raises(NotFound):
        lk.deals.get(deal)
    assert [item.id for item in lk.deals.list(trashed=True)] == [deal.id]
    assert lk.deals.restore(deal, version=version).deleted_at is None


def test_a_deal_is_handed_over(lk: Any, anna: Any, vera: Any):
    deal = lk.deals.create(agent=str(anna.pk), **NEW)
    assert lk.deals.hand_over(deal, str(vera.pk)).agent.id == str(vera.pk)


def test_an_older_version_is_stale_and_says_what_changed(lk: Any, anna: Any):
    deal = lk.deals.create(agent=str(anna.pk), **NEW)
    lk.deals.edit(deal, price=11_000_000)
    with pytest.raises(Stale) as caught:
        lk.deals.edit(deal, price=10_000_000)
    assert (caught.value.current_version, caught.value.changed_fields) == (2, ("price",))
    with pytest.raises(VersionRequired):
        lk.deals.edit(deal.id, price=10_000_000)


def test_notes_are_written_edited_and_deleted_by_the_key_that_wrote_them(lk: Any, anna: Any):
    deal = lk.deals.create(agent=str(anna.pk), **NEW)
    note = lk.notes.add(deal, "Просят скидку")
    assert note.author is None
    assert note.key.name == "Бухгалтерия"
    assert lk.notes.edit(deal, note, "Просят скидку 3 %").text == "Просят скидку 3 %"
    lk.notes.delete(deal, note)
    with pytest.raises(NotFound):
        lk.notes.edit(deal, note, "Поздно")


def test_clients_are_kept(lk: Any, anna: Any):
    client = lk.clients.create(agent=str(anna.pk), phones=["+7 916 123-45-67"], name="Мария Петрова")
    assert client.phones_masked == ("+7 916 ***-**-67",)
    assert lk.clients.reveal(client, reason="Сверка") == ("79161234567",)
    edited = lk.clients.edit(client, phones=["79161234567", "79267654321"], email="maria@example.ru")
    assert len(edited.phones_masked) == 2
    version = lk.clients.trash(edited)
    assert lk.clients.restore(edited, version=version).id == client.id
    assert [item.name for item in lk.clients.list(q="Петрова")] == ["Мария Петрова"]


def test_a_phone_under_another_name_is_a_clash_that_names_the_client(lk: Any, anna: Any):
    client = lk.clients.create(agent=str(anna.pk), phones=["79161234567"], name="Мария Петрова")
    with pytest.raises(ClientExists) as caught:
        lk.deals.create(agent=str(anna.pk), client_name="Иван", **NEW)
    assert caught.value.client == client.id


def test_values_that_do_not_fit_are_named(lk: Any, anna: Any):
    with pytest.raises(Invalid) as caught:
        lk.deals.create(agent=str(anna.pk), client_phone="12", property_address="", price="0")
    assert "/property_address" in {error.pointer for error in caught.value.errors}
    assert caught.value.request_id


def test_pages_follow_each_other_until_the_last(lk: Any, anna: Any):
    made = [lk.deals.create(agent=str(anna.pk), **NEW).id for _ in range(5)]
    assert [deal.id for deal in lk.deals.list(limit=2)] == made[::-1]
    assert [len(page.items) for page in lk.deals.list(limit=2).pages()] == [2, 2, 1]
    assert lk.deals.list(limit=2).first().next_cursor is not None


def test_rows_hold_what_is_asked_for(lk: Any, anna: Any):
    deal = lk.deals.create(agent=str(anna.pk), client_name="Мария Петрова", **NEW)
    rows = list(lk.deals.rows(fields=["number", "client"], expand="client"))
    assert set(rows[0]) == {"number", "client"}
    assert rows[0]["client"]["name"] == "Мария Петрова"
    assert lk.deals.row(deal, fields="price") == {"price": "12500000.00"}


def test_the_same_idempotency_key_makes_one_deal(lk: Any, anna: Any):
    first = lk.deals.create(agent=str(anna.pk), idempotency_key="order-7", **NEW)
    assert lk.deals.create(agent=str(anna.pk), idempotency_key="order-7", **NEW).id == first.id
    assert len(list(lk.deals.list())) == 1


def test_a_key_without_the_scope_is_told_so(connect: Callable[..., Any], vera: Any):
    from accounts.tests.programs import make_key

    lk = connect(make_key(vera, ["clients:read"]).token)
    with pytest.raises(ScopeMissing) as caught:
        lk.deals.list().first()
    assert caught.value.scopes == ("deals:read",)


def test_a_key_that_nobody_made_is_refused(connect: Callable[..., Any], vera: Any):
    with pytest.raises(KeyRefused):
        connect(KEY).key.get()


def test_the_feed_is_followed_from_where_one_stands(lk: Any, anna: Any):
    feed = lk.changes.since(lk.changes.present_cursor(), limit=2)
    deal = lk.deals.create(agent=str(anna.pk), **NEW)
    lk.deals.edit(deal, price=11_000_000)
    lk.deals.trash(deal, version=2)
    changes = list(feed)
    assert [change.type for change in changes if change.object.type == "deal"] == [
        *("deal.created", "deal.changed", "deal.trashed"),
    ]
    assert changes[-1].data["deleted_at"] is not None
    assert list(feed) == []
    lk.deals.restore(deal, version=3)
    assert [change.type for change in lk.changes.since(feed.cursor)] == ["deal.restored"]


def test_what_was_not_done_with_is_given_again(lk: Any, anna: Any):
    start = lk.changes.present_cursor()
    lk.deals.create(agent=str(anna.pk), **NEW)
    feed = lk.changes.since(start)
    assert feed.cursor == start
    assert [change.id for change in feed] == [change.id for change in lk.changes.since(start)]
    assert feed.cursor != start


class LosesAnswers(httpx.HTTPTransport):
    """Sends everything, and loses the first answers."""

    losing = 1

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.read()
        if self.losing and request.method != "GET":
            self.losing -= 1
            raise httpx.ReadError("the line went dead")
        return response


def test_a_lost_answer_makes_no_second_deal(anna: Any, live_server: Any, vera: Any):
    from accounts.tests.programs import make_key

    token, lossy = make_key(vera).token, LosesAnswers()
    with lk_client.Client(token, live_server.url, transport=lossy, sleep=lambda seconds: None) as unlucky:
        deal = unlucky.deals.create(agent=str(anna.pk), **NEW)
        assert [item.id for item in unlucky.deals.list()] == [deal.id]
        lossy.losing = 1
        assert unlucky.deals.edit(deal, price=1).version == 2
        lossy.losing = 1
        assert unlucky.deals.trash(deal, version=2) is None
        assert [item.version for item in unlucky.deals.list(trashed=True)] == [3]


def test_many_changes_go_in_one_request_and_each_tells_what_became_of_it(lk: Any, anna: Any):
    create = {"do": "create", "agent": str(anna.pk), "property_address": ADDRESS, "price": Decimal("1000000")}
    items = [{**create, "client_phone": "+7 916 123-45-67"}, {**create, "client_phone": "12"}]
    tried = lk.bulk.deals(items, dry_run=True)
    assert (tried.committed, [item.status for item in tried.items]) == (False, [201, 422])
    done = lk.bulk.deals(items)
    assert done.committed
    assert [item.index for item in done.refused] == [1]
    assert isinstance(done.items[1].error, Invalid)
    assert done.items[1].error.errors[0].pointer == "/items/1/client_phone"
    edit = {
        "do": "edit",
        "id": done.items[0].id,
        "version": 1,
        "next_step": {"text": "Показ", "due_on": date(2026, 12, 1)},
    }
    refused = lk.bulk.deals([edit, {**edit, "version": 1}], atomic=True)
    assert not refused.committed
    assert {type(item.error) for item in refused.items} == {Stale, lk_client.NotCarriedOut}
    assert lk.bulk.clients([{"do": "create", "agent": str(anna.pk), "phones": ["79267654321"]}]).committed


def test_long_work_is_waited_for(lk: Any, anna: Any):
    from accounts.services import operations

    item = {"do": "create", "agent": str(anna.pk), "phones": ["79267654321"]}
    queued = lk.bulk.clients_later([item])
    assert queued.state == "queued"
    with pytest.raises(lk_client.NotDone, match="queued"):
        lk.operations.wait(queued, at_most_s=0)
    operations.run_next()
    assert lk.operations.wait(queued).bulk().items[0].status == 201
    assert lk.operations.get(queued.id).is_over


def test_webhooks_are_managed_and_what_they_send_is_verified(lk: Any, anna: Any):
    from accounts.models import WebhookEndpoint
    from accounts.services.webhook_delivery import fan_out, message_of
    from accounts.webhook_wire import signed_headers

    webhook = lk.webhooks.create("https://example.ru/hook", description="Склад", types=["deal.created"])
    assert webhook.secret not in repr(webhook)
    rotated = lk.webhooks.rotate_secret(webhook)
    deal = lk.deals.create(agent=str(anna.pk), **NEW)
    fan_out()
    delivery = next(iter(lk.webhooks.deliveries(webhook, state="waiting")))
    assert delivery.type == "deal.created"

    endpoint, now = WebhookEndpoint.objects.get(), timezone.now()
    message = message_of(endpoint, endpoint.deliveries.get(), now)
    headers = signed_headers(message, now)
    for secret in (webhook.secret, rotated.secret):
        event = lk_client.webhooks.verify(secret, headers, message.payload)
        assert (event.id, event.message_id) == (delivery.event, delivery.message_id)
        assert (event.type, event.object_type, event.object_id) == ("deal.created", "deal", deal.id)
    assert lk.webhooks.delivery(webhook, delivery).payload["data"]["event"] == event.id

    assert lk.webhooks.test(webhook).type == "webhook.test"
    assert lk.webhooks.switch_off(webhook).off_why == "person"
    assert lk.webhooks.switch_on(webhook).is_on
    changed = lk.webhooks.edit(lk.webhooks.get(webhook), description="Касса", types=[])
    assert changed.types == ()
    assert lk.webhooks.replay(webhook, since=deal.created_at, until=timezone.now()) >= 1
    lk.webhooks.delete(changed)
    assert lk.webhooks.list() == ()


def test_too_many_calls_are_waited_out(vera: Any, live_server: Any, settings: Any):
    from accounts.tests.programs import make_key
    from django.core.cache import caches

    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        caches["throttle"].clear()  # the window of the limit is over

    settings.LIMITS = {**settings.LIMITS, "key": (2, 120)}
    with lk_client.Client(make_key(vera).token, live_server.url, sleep=sleep) as busy:
        assert [busy.key.get().name for _ in range(5)] == ["Бухгалтерия"] * 5
    assert waited
    assert all(0 < seconds <= 121 for seconds in waited)


def test_a_limit_that_takes_long_is_told_at_once(vera: Any, live_server: Any, settings: Any):
    from accounts.tests.programs import make_key

    settings.LIMITS = {**settings.LIMITS, "key": (0, 3600)}
    retries = lk_client.Retries(patience_s=0)
    busy = lk_client.Client(make_key(vera).token, live_server.url, retries=retries)
    with busy, pytest.raises(lk_client.LimitReached) as caught:
        busy.key.get()
    assert 0 < caught.value.retry_after <= 3600
