"""Webhooks through the API: who manages them, what is shown once, what is refused, and what is kept in clear."""

import json
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Event, Role, Scope, User, WebhookDelivery, WebhookEndpoint
from accounts.services import webhook_delivery, webhooks
from accounts.services.webhooks import ENDPOINTS_AT_MOST
from accounts.tests.clock import clock
from accounts.tests.people import make_agency, make_agent, sign_in
from accounts.tests.programs import make_key, program
from accounts.tests.receiver import Told, receiving
from accounts.tests.side_by_side import side_by_side
from accounts.tests.test_webhook_delivery import by, happen
from lk_site.errors import DomainError
from lk_site.tests.databases import dumped

__all__ = ["clock"]
pytestmark = pytest.mark.django_db
API = "/api/v1/webhooks"
URL = "https://example.ru/hook?token=tok-3f9a"


@pytest.fixture
def vera() -> User:
    return make_agent(make_agency(), "Вера Власова", role=Role.HEAD)


class Caller:
    """A program with a key of the head's agency."""

    def __init__(self, head: User, *scopes: str) -> None:
        self.client = program(make_key(head, scopes or [Scope.WEBHOOKS_MANAGE]).token)

    def ask(self, method: str, path: str = "", body: Any = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else json.dumps(body).encode()
        return self.client.generic(method, API + path, content, "application/json", headers=sent)

    def add(self, url: str = URL, **fields: Any) -> dict[str, Any]:
        added = self.ask("POST", "", {"url": url, **fields})
        assert added.status_code == 201, added.content
        return added.json()


@pytest.fixture
def caller(vera: User) -> Caller:
    return Caller(vera)


def code_of(response: Any) -> str:
    return response.json()["code"]


def test_the_secret_is_shown_when_a_webhook_is_added_and_never_again(caller):
    added = caller.ask("POST", "", {"url": URL, "types": ["deal.moved", "deal.created", "deal.moved"]})
    body = added.json()
    assert added["Location"] == f"{API}/{body['id']}"
    assert body["secret"].startswith("whsec_")
    assert (body["url"], body["types"], body["is_on"]) == (URL, ["deal.created", "deal.moved"], True)
    for shown in (caller.ask("GET", f"/{body['id']}").json(), *caller.ask("GET").json()["items"]):
        assert "secret" not in shown
        assert {**shown, "secret": body["secret"]} == body


def test_a_repeat_of_a_creation_adds_nothing_and_tells_the_same_secret(caller):
    first, second = (caller.ask("POST", "", {"url": URL}, Idempotency_Key="once") for _ in range(2))
    assert first.json() == second.json()
    assert (second["Idempotent-Replayed"], WebhookEndpoint.objects.count()) == ("true", 1)


def test_a_repeat_of_a_rotation_rotates_once(caller):
    added = caller.add()
    path = f"/{added['id']}/rotate-secret"
    first, second = (caller.ask("POST", path, Idempotency_Key="once").json() for _ in range(2))
    assert first["secret"] == second["secret"] != added["secret"]
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secrets(timezone.now()) == [first["secret"], added["secret"]]
    assert first["previous_secret_until"]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"url": "http://example.ru/"}, "/url", "url_not_https"),
        ({"url": "https://10.0.0.1/"}, "/url", "url_not_public"),
        ({"url": "https://[::ffff:127.0.0.1]/"}, "/url", "url_not_public"),
        ({"url": "example"}, "/url", "url_invalid"),
        ({"url": URL, "types": ["deal.looked_at"]}, "/types", "unknown"),
        ({"url": URL, "types": ["session.opened"]}, "/types", "unknown"),
        ({"url": URL, "secret": "whsec_mine"}, "/secret", "unknown_field"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused_at_its_field(caller, body, pointer, code):
    refused = caller.ask("POST", "", body)
    assert refused.status_code == 422
    assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [(pointer, code)]


def test_an_agency_has_ten_webhooks_at_most(caller):
    for number in range(ENDPOINTS_AT_MOST):
        caller.add(f"https://example.ru/{number}")
    assert code_of(caller.ask("POST", "", {"url": URL})) == "too_many_webhooks"
    one = caller.ask("GET").json()["items"][0]
    assert caller.ask("DELETE", f"/{one['id']}", If_Match='"1"').status_code == 204
    caller.add()


@pytest.mark.django_db(transaction=True)
def test_ten_at_most_also_when_many_are_added_at_once():
    head = by(make_agent(make_agency(), "Вера Власова", role=Role.HEAD))

    def add(number: int) -> bool:
        try:
            webhooks.add_endpoint(f"https://example.ru/{number}", actor=head)
        except DomainError:
            return False
        return True

    assert sum(side_by_side(24, add)) == WebhookEndpoint.objects.count() == 10


def test_a_change_names_the_version_that_it_was_made_from(caller):
    added = caller.add()
    path = f"/{added['id']}"
    assert code_of(caller.ask("PATCH", path, {"description": "Касса"})) == "version_required"
    changed = caller.ask("PATCH", path, {"description": "Касса"}, If_Match='"1"')
    assert (changed.json()["version"], changed.json()["description"]) == (2, "Касса")
    stale = caller.ask("PATCH", path, {"url": "https://example.ru/other"}, If_Match='"1"')
    assert (stale.status_code, stale.json()["changed_fields"]) == (412, ["description"])
    assert caller.ask("DELETE", path, If_Match='"1"').status_code == 412


def test_every_change_leaves_evidence_of_the_key_that_made_it(caller, vera):
    added = caller.add()
    path = f"/{added['id']}"
    caller.ask("PATCH", path, {"types": ["deal.moved"]}, If_Match='"1"')
    caller.ask("POST", f"{path}/rotate-secret")
    caller.ask("POST", f"{path}/switch-off")
    caller.ask("POST", f"{path}/switch-on")
    caller.ask("POST", f"{path}/replay", {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"})
    caller.ask("DELETE", path, If_Match='"5"')
    told = Event.objects.filter(action__startswith="webhook.", object_id=added["id"]).order_by("seq")
    assert list(told.values_list("action", "actor_kind", "version")) == [
        ("webhook.added", "key", 1),
        ("webhook.changed", "key", 2),
        ("webhook.changed", "key", 3),
        ("webhook.switched_off", "key", 4),
        ("webhook.switched_on", "key", 5),
        ("webhook.replayed", "key", None),
        ("webhook.removed", "key", 6),
    ]


def test_a_head_manages_webhooks_and_an_agent_finds_none(client, caller, vera, settings):
    added = caller.add()
    anna = make_agent(vera.agency, "Анна Агеева")
    sign_in(client, anna, settings.SESSION_COOKIE_NAME)
    assert client.get(API).status_code == 403
    assert client.get(f"{API}/{added['id']}").status_code == 404
    sign_in(client, vera, settings.SESSION_COOKIE_NAME)
    assert client.get(f"{API}/{added['id']}").status_code == 200


def test_a_removed_webhook_is_absent(caller):
    added = caller.add()
    caller.ask("DELETE", f"/{added['id']}", If_Match='"1"')
    assert caller.ask("GET", f"/{added['id']}").status_code == 404
    assert caller.ask("POST", f"/{added['id']}/test").status_code == 404
    assert caller.ask("GET").json()["items"] == []


def test_deliveries_are_shown_with_code_latency_and_body(caller, vera, settings):
    settings.WEBHOOK_LOOPBACK = True
    with receiving() as receiver:
        receiver.next.append(Told(500, body="всё сломалось".encode()))
        added = caller.add(receiver.url)
        event = happen(by(vera), fields=["price"], version=2)
        webhook_delivery.deliver()
    page = caller.ask("GET", f"/{added['id']}/deliveries").json()
    (item,) = page["items"]
    assert (item["message_id"], item["event"], item["type"]) == (f"msg_{event.pk.hex}", str(event.pk), "deal.changed")
    assert (item["state"], item["code"], item["error"], item["attempts"]) == ("waiting", 500, None, 1)
    assert item["next_try_at"]
    assert item["latency_ms"] >= 0
    whole = caller.ask("GET", f"/{added['id']}/deliveries/{item['id']}").json()
    assert [(one["code"], one["body"]) for one in whole["tries"]] == [(500, "всё сломалось")]
    assert whole["payload"]["data"]["fields"] == ["price"]
    assert {name: whole[name] for name in item} == item


def test_deliveries_come_in_pages_and_by_their_state(caller, vera):
    added = caller.add()
    for _ in range(5):
        happen(by(vera))
    webhook_delivery.fan_out()
    newest = [str(pk) for pk in WebhookDelivery.objects.order_by("-id").values_list("pk", flat=True)]
    WebhookDelivery.objects.filter(pk=newest[0]).update(state="done")
    path, found = f"/{added['id']}/deliveries?limit=2", []
    while path:
        page = caller.ask("GET", path).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        path = cursor and f"/{added['id']}/deliveries?limit=2&cursor={cursor}"
    assert found == newest
    done = caller.ask("GET", f"/{added['id']}/deliveries?state=done").json()["items"]
    assert [item["id"] for item in done] == newest[:1]


def test_one_and_a_range_are_replayed_and_nothing_is_while_it_is_off(caller, vera, settings):
    settings.WEBHOOK_LOOPBACK = True
    with receiving() as receiver:
        added = caller.add(receiver.url)
        event = happen(by(vera))
        webhook_delivery.deliver()
        one = WebhookDelivery.objects.get()
        again = caller.ask("POST", f"/{added['id']}/deliveries/{one.pk}/replay")
        assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (202, "waiting", 0)
        webhook_delivery.deliver()
        at = event.at.isoformat().replace("+00:00", "Z")
        ranged = caller.ask("POST", f"/{added['id']}/replay", {"since": at, "until": at})
        assert (ranged.status_code, ranged.json()) == (202, {"deliveries": 1})
        webhook_delivery.deliver()
        assert receiver.ids == [f"msg_{event.pk.hex}"] * 3
        caller.ask("POST", f"/{added['id']}/switch-off")
        for refused in (
            caller.ask("POST", f"/{added['id']}/deliveries/{one.pk}/replay"),
            caller.ask("POST", f"/{added['id']}/replay", {"since": at, "until": at}),
        ):
            assert (refused.status_code, code_of(refused)) == (409, "webhook_off")


def test_a_range_is_refused_backwards(caller):
    added = caller.add()
    backwards = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    refused = caller.ask("POST", f"/{added['id']}/replay", backwards)
    assert [error["code"] for error in refused.json()["errors"]] == ["range_backwards"]


def test_a_delivery_is_found_under_its_own_webhook_only(caller):
    one, other = caller.add(), caller.add("https://example.ru/other")
    test = caller.ask("POST", f"/{one['id']}/test").json()
    assert caller.ask("GET", f"/{one['id']}/deliveries/{test['id']}").status_code == 200
    assert caller.ask("GET", f"/{other['id']}/deliveries/{test['id']}").status_code == 404
    assert caller.ask("POST", f"/{other['id']}/deliveries/{test['id']}/replay").status_code == 404


def test_a_test_event_waits_for_the_worker(caller):
    added = caller.add()
    sent = caller.ask("POST", f"/{added['id']}/test")
    assert (sent.status_code, sent.json()["type"], sent.json()["state"]) == (202, "webhook.test", "waiting")


def test_no_address_secret_or_answer_stands_in_clear(caller, vera, settings, caplog):
    settings.WEBHOOK_LOOPBACK = True
    with receiving() as receiver:
        receiver.always = Told(500, body=b"answer-7c1d of mine")
        added = caller.add(f"{receiver.url}?token=tok-3f9a", description="Секретный приёмник")
        caller.ask("POST", f"/{added['id']}/rotate-secret", Idempotency_Key="once")
        happen(by(vera))
        webhook_delivery.deliver()
    hidden = ("tok-3f9a", added["secret"].removeprefix("whsec_"), "answer-7c1d", "Секретный")
    spelled = [spelling for text in hidden for spelling in (text, text.encode().hex())]
    for where, value in dumped():
        assert not [spelling for spelling in spelled if spelling in value], where
    assert not any(text in record.getMessage() for record in caplog.records for text in hidden)
