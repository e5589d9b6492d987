"""Jobs in the admin: what waits, what fails and why, and what staff may try again; nobody's data among it."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client as Browser
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import (
    Action,
    Agency,
    Event,
    Operation,
    OperationState,
    Role,
    RunningProcess,
    Schedule,
    SmsMessage,
    SmsState,
    User,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookOff,
)
from accounts.services import jobs, operations, outbox, schedules, webhook_delivery, webhooks
from accounts.services.unit_of_work import unit_of_work
from accounts.tests.people import make_agency, make_agent, make_staff, sign_in, staff_actor
from accounts.tests.test_webhook_delivery import by, happen
from lk_site.errors import NotAllowed

pytestmark = pytest.mark.django_db
PHONE = "79161230987"
ADDRESS = "http://127.0.0.1:9/hook-with-a-secret"
JOBS = "/admin/accounts/schedule/"
ENDPOINTS = "/admin/accounts/webhookendpoint/"


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.WEBHOOK_LOOPBACK = True


@pytest.fixture
def admin(db: None) -> Browser:
    browser = Browser(headers={"Accept-Language": "en"})
    sign_in(browser, make_staff(), settings.ADMIN_COOKIE_NAME)
    return browser


@pytest.fixture
def vera(db: None) -> Actor:
    return by(make_agent(make_agency(), "Вера Неповторимая", role=Role.HEAD))


@pytest.fixture
def failing(vera: Actor) -> WebhookEndpoint:
    """A webhook of Vera's whose receiver is away, after its first try."""
    webhooks.add_endpoint(ADDRESS, actor=vera)
    happen(vera)
    webhook_delivery.deliver()
    return WebhookEndpoint.objects.get()


def words(browser: Browser, address: str = JOBS) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode())


def switch_off(endpoint: WebhookEndpoint, why: WebhookOff) -> None:
    with unit_of_work():
        webhook_delivery.switch_off(endpoint, why, actor=Actor.system())


# --- the page


def test_queues_show_what_waits_since_when_and_what_failed(admin: Browser, failing: WebhookEndpoint):
    now = timezone.now()
    for minutes in (1, 3):
        sms = outbox.queue_sms(PHONE, "Code 123456", useless_at=now + timedelta(hours=1))
        SmsMessage.objects.filter(pk=sms.pk).update(due_at=now - timedelta(minutes=minutes))
    SmsMessage.objects.filter(pk=sms.pk).update(state=SmsState.FAILED, gateway_status=204)
    sms_queue, webhook_queue, operation_queue = jobs.queues(now)
    assert (sms_queue.waiting, sms_queue.held, sms_queue.failed, sms_queue.reasons) == (1, 0, 1, [("204", 1)])
    assert sms_queue.oldest_due_at == now - timedelta(minutes=1)
    assert (webhook_queue.waiting, webhook_queue.oldest_due_at) == (1, None)
    assert webhook_queue.reasons == [("not_reached", 1)]
    assert (operation_queue.waiting, operation_queue.failed) == (0, 0)
    text = words(admin)
    assert "204 × 1" in text
    assert "not_reached × 1" in text


def test_what_a_worker_holds_does_not_wait(vera: Actor):
    outbox.queue_sms(PHONE, "Code 123456", useless_at=timezone.now() + timedelta(hours=1))
    outbox.queue_sms(PHONE, "Code 123456", useless_at=timezone.now() + timedelta(hours=1))
    outbox.claim(1)
    sms = jobs.queues(timezone.now())[0]
    assert (sms.waiting, sms.held) == (1, 1)


def test_operations_that_failed_are_told_by_their_code_and_are_not_tried_again(admin: Browser, vera: Actor):
    operation = operations.queue_operation("deals.bulk", '{"items": 5}', actor=vera, language="ru")
    claimed = operations.claim()
    assert claimed
    operations.settle_failed(claimed, operations.OurFault())
    assert jobs.queues(timezone.now())[2].reasons == [("server_error", 1)]
    assert "server_error" in words(admin, "/admin/accounts/operation/")
    page = f"/admin/accounts/operation/{operation.pk}/"
    assert "server_error" in words(admin, f"{page}change/")
    assert admin.post(f"{page}retry/").status_code in (302, 404)
    assert Operation.objects.get().state == OperationState.FAILED


def test_the_page_says_whether_a_worker_runs(admin: Browser):
    assert "No worker runs" in words(admin)
    RunningProcess.objects.create(kind="worker", host="machine-seven", pid=7, keys={})
    text = words(admin)
    assert "No worker runs" not in text
    assert "machine-seven" in text


def test_chores_are_shown_with_what_they_raised_and_are_done_when_asked_for(admin: Browser):
    later = timezone.now() + timedelta(minutes=1)
    Schedule.objects.create(name="anchors", due_at=later, failed_at=timezone.now(), failure="AnchorsBroken")
    assert "AnchorsBroken" in words(admin)
    assert admin.post(f"{JOBS}anchors/ask/").status_code == 302
    assert Schedule.objects.get().due_at < later
    event = Event.objects.get(action=Action.ADMIN_ACTION)
    assert (event.data["chore"], event.actor_kind) == ("anchors", "staff")


def test_no_phone_name_code_or_address_is_on_these_pages(admin: Browser, failing: WebhookEndpoint, vera: Actor):
    outbox.queue_sms(PHONE, "Code 123456", useless_at=timezone.now() + timedelta(hours=1))
    operations.queue_operation("deals.bulk", f'{{"client_phone": "{PHONE}"}}', actor=vera, language="ru")
    operation = Operation.objects.get()
    pages = [JOBS, ENDPOINTS, f"{ENDPOINTS}{failing.pk}/change/", "/admin/accounts/operation/"]
    for page in (*pages, f"/admin/accounts/operation/{operation.pk}/change/"):
        text = words(admin, page)
        assert [secret for secret in (PHONE, PHONE[1:], "Неповторимая", "123456", "hook-with") if secret in text] == []


def test_the_page_costs_few_queries_however_much_waits(
    admin: Browser, failing: WebhookEndpoint, vera: Actor, django_assert_max_num_queries: Any
):
    for _ in range(20):
        outbox.queue_sms(PHONE, "Code 123456", useless_at=timezone.now() + timedelta(hours=1))
        happen(vera)
    webhook_delivery.fan_out()
    schedules.rows_of([schedules.Chore(f"chore_{n}", timedelta(hours=1), lambda now: None) for n in range(12)])
    with django_assert_max_num_queries(14):
        words(admin)


# --- again


def test_staff_send_again_what_has_not_arrived(admin: Browser, failing: WebhookEndpoint):
    assert WebhookDelivery.objects.get().due_at > timezone.now()
    assert "not_reached" in words(admin, f"{ENDPOINTS}?state=failing")
    assert admin.post(f"{ENDPOINTS}{failing.pk}/retry/").status_code == 302
    assert WebhookDelivery.objects.get().due_at <= timezone.now()
    event = Event.objects.get(action=Action.WEBHOOK_REPLAYED)
    assert (event.actor_kind, event.agency_id, event.data) == ("staff", failing.agency_id, {"deliveries": 1})


@pytest.mark.parametrize("why", [WebhookOff.FAILING, WebhookOff.GONE])
def test_what_lk_has_switched_off_is_switched_on_and_sent(admin: Browser, failing: WebhookEndpoint, why: WebhookOff):
    switch_off(failing, why)
    assert admin.post(f"{ENDPOINTS}retry-failing/").status_code == 302
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.is_on, endpoint.failing_since) == (True, None)
    assert WebhookDelivery.objects.get().due_at <= timezone.now()
    assert Event.objects.get(action=Action.WEBHOOK_SWITCHED_ON).actor_kind == "staff"


def test_what_its_head_has_switched_off_stays_off(admin: Browser, failing: WebhookEndpoint):
    switch_off(failing, WebhookOff.PERSON)
    assert admin.post(f"{ENDPOINTS}{failing.pk}/retry/").status_code == 404
    admin.post(f"{ENDPOINTS}retry-failing/")
    with pytest.raises(webhooks.EndpointOff):
        webhooks.retry_endpoint(failing.pk, actor=staff_actor("masha"))
    assert not WebhookEndpoint.objects.get().is_on


def test_nobody_but_staff_retries_for_an_agency(failing: WebhookEndpoint, vera: Actor):
    anna = by(make_agent(Agency.objects.get(pk=vera.agency_id or ""), "Анна"))
    for actor in (vera, anna):
        with pytest.raises(NotAllowed):
            webhooks.retry_endpoint(failing.pk, actor=actor)
    assert User.objects.agents().count() == 2
