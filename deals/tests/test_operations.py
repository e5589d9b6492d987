"""Work that is asked for with `Prefer: respond-async`: done later, once, as who asked is by then."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, Event, Operation, OperationState, Role, Scope, User
from accounts.services import evidence, keys, operations, sweeps
from accounts.services.operations import (
    ATTEMPTS_AT_MOST,
    LEASE,
    OPEN_AT_MOST,
    OPEN_OF_AGENCY_AT_MOST,
    RUNNERS,
    Runner,
    TooManyOperations,
    queue_operation,
)
from accounts.services.people import disable_agent
from accounts.tests.clock import clock
from accounts.tests.people import staff_actor
from accounts.tests.programs import confirmed, make_key, program
from accounts.tests.test_worker import start, wait_until
from deals.models import Deal
from deals.tests.making import OTHER_PHONE, by, make_deal
from deals.tests.programs import CREATED, Program, refused

__all__ = ["clock", "start"]
pytestmark = pytest.mark.django_db

ITEMS = [{"do": "create", **CREATED}, {"do": "create", **CREATED, "client_phone": OTHER_PHONE, "price": "free"}]


@pytest.fixture
def api(anna) -> Program:
    return Program(anna)


def queued(who: Program, *items: Any, key: str = "", **options: Any) -> dict[str, Any]:
    """Ask for a bulk that is done later; return the operation."""
    response = who.post("/deals/bulk", {"items": items or ITEMS, **options}, key=key, Prefer="respond-async")
    assert response.status_code == 202, response.content.decode()
    return dict(response.json())


def told(who: Program, operation: dict[str, Any]) -> dict[str, Any]:
    response = who.get(f"/operations/{operation['id']}")
    assert response.status_code == 200, response.content.decode()
    return dict(response.json())


# --- the way of one


def test_it_is_queued_run_and_told(api):
    response = api.post("/deals/bulk", {"items": ITEMS}, Prefer="respond-async, wait=10")
    assert response.status_code == 202
    assert response["Preference-Applied"] == "respond-async"
    assert response["Retry-After"] == "1"
    operation = response.json()
    assert response["Location"] == f"/api/v1/operations/{operation['id']}"
    assert (operation["name"], operation["state"], operation["result"]) == ("deals.bulk", "queued", None)
    assert Deal.objects.count() == 0
    waiting = api.get(f"/operations/{operation['id']}")
    assert (waiting.json(), waiting["Retry-After"]) == (operation, "1")

    assert operations.run_next() == 1
    answer = api.get(f"/operations/{operation['id']}")
    assert "Retry-After" not in answer
    done = answer.json()
    assert (done["state"], done["problem"]) == ("done", None)
    assert [row["status"] for row in done["result"]["items"]] == [201, 422]
    assert done["started_at"] <= done["done_at"]
    assert str(Deal.objects.get().pk) == done["result"]["items"][0]["id"]
    assert operations.run_next() == 0


@pytest.mark.parametrize("prefer", ["wait=5", "return=minimal", "respond-asynchronously", ""])
def test_other_preferences_are_answered_at_once(api, prefer):
    assert api.post("/deals/bulk", {"items": ITEMS}, Prefer=prefer).status_code == 200


def test_the_result_is_what_the_answer_would_have_been(api):
    at_once = api.post("/deals/bulk", {"items": ITEMS, "dry_run": True}).json()
    operation = queued(api, dry_run=True)
    operations.run_next()
    assert told(api, operation)["result"] == at_once


def test_the_shape_of_the_whole_is_refused_at_once(api):
    response = api.post("/deals/bulk", {"items": []}, Prefer="respond-async")
    refused(response, 422, "invalid", "/items")
    assert not Operation.objects.exists()


def test_numbers_are_read_as_strictly_later_as_at_once(api):
    operation = queued(api, {"do": "create", **CREATED, "price": 1.5})
    operations.run_next()
    assert told(api, operation)["result"]["items"][0]["status"] == 422


def test_sentences_are_in_the_language_of_who_asked(anna):
    russian = Program(anna, language="ru")
    operation = queued(russian, {"do": "trash", "id": str(uuid4()), "version": 1})
    operations.run_next()
    assert told(russian, operation)["result"]["items"][0]["problem"]["title"] == "Не найдено"


def test_the_evidence_names_who_asked_and_from_where(api, anna):
    queued(api)
    operations.run_next()
    event = Event.objects.get(action="deal.created")
    assert (event.actor_id, event.address) == (anna.pk, "127.0.0.1")
    assert event.request_id


def test_what_was_asked_is_erased_when_it_is_done(api):
    queued(api)
    assert "Тверская" in (Operation.objects.get().request or "").encode().decode("unicode_escape")
    operations.run_next()
    operation = Operation.objects.get()
    assert operation.request is None
    assert "Тверская" not in (operation.result or "")


def test_a_key_is_idempotent_for_it_too(api):
    first = queued(api, key="k1")
    response = api.post("/deals/bulk", {"items": ITEMS}, key="k1", Prefer="respond-async")
    assert (response.json()["id"], response["Idempotent-Replayed"]) == (first["id"], "true")
    assert response["Location"].endswith(first["id"])
    assert Operation.objects.count() == 1


# --- who sees it


def test_only_who_asked_sees_it(api, vera, boris, gleb):
    operation = queued(api)
    for other in (vera, boris, gleb):
        refused(Program(other).get(f"/operations/{operation['id']}"), 404, "not_found")
    key = program(make_key(vera).token)
    refused(key.get(f"/api/v1/operations/{operation['id']}"), 404, "not_found")
    refused(api.get(f"/operations/{uuid4()}"), 404, "not_found")


def test_a_key_sees_its_own(vera, anna):
    key = program(make_key(vera, [Scope.DEALS_WRITE]).token)
    items = [{"do": "create", **CREATED, "agent": str(anna.pk)}]
    response = key.post("/api/v1/deals/bulk", {"items": items}, "application/json", headers={"Prefer": "respond-async"})
    operations.run_next()
    done = key.get(response["Location"]).json()
    assert done["result"]["items"][0]["status"] == 201
    refused(Program(vera).get(f"/operations/{done['id']}"), 404, "not_found")


# --- as they are by then


def test_who_was_disabled_since_does_nothing(api, anna, vera):
    operation = queued(api)
    disable_agent(anna.pk, actor=staff_actor())
    operations.run_next()
    row = Operation.objects.get(pk=operation["id"])
    assert (row.state, json.loads(row.result or "")["code"]) == (OperationState.FAILED, "not_allowed")
    assert (Deal.objects.count(), row.request) == (0, None)


def test_who_heads_the_agency_no_more_acts_as_an_agent(vera, anna, boris):
    deal = make_deal(anna)
    operation = queued(Program(vera), {"do": "edit", "id": str(deal.pk), "version": 1, "price": "5.00"})
    User.objects.filter(pk=vera.pk).update(role=Role.AGENT)
    operations.run_next()
    assert told(Program(vera), operation)["result"]["items"][0]["status"] == 404


@pytest.mark.parametrize("end", ["revoked", "narrowed", "expired"])
def test_a_key_that_ended_or_lost_the_scope_since_does_nothing(vera, anna, end, clock):
    made = make_key(vera, [Scope.DEALS_WRITE, Scope.CLIENTS_WRITE], days=1)
    items = [{"do": "create", **CREATED, "agent": str(anna.pk)}]
    headers = {"Prefer": "respond-async"}
    response = program(made.token).post("/api/v1/deals/bulk", {"items": items}, "application/json", headers=headers)
    assert response.status_code == 202
    if end == "revoked":
        keys.revoke_key(made.key.pk, actor=confirmed(vera))
    elif end == "narrowed":
        keys.edit_key(made.key.pk, scopes=[Scope.CLIENTS_WRITE], actor=confirmed(vera))
    else:
        clock.forward(days=2)
    operations.run_next()
    row = Operation.objects.get()
    code = "scope_missing" if end == "narrowed" else "not_allowed"
    assert (row.state, json.loads(row.result or "")["code"]) == (OperationState.FAILED, code)
    assert Deal.objects.count() == 0


def test_a_failed_one_tells_why(vera, anna):
    made = make_key(vera, [Scope.DEALS_WRITE, Scope.CLIENTS_WRITE])
    key = program(made.token)
    items, headers = [{"do": "create", **CREATED, "agent": str(anna.pk)}], {"Prefer": "respond-async"}
    response = key.post("/api/v1/deals/bulk", {"items": items}, "application/json", headers=headers)
    keys.edit_key(made.key.pk, scopes=[Scope.CLIENTS_WRITE], actor=confirmed(vera))
    operations.run_next()
    failed = key.get(response["Location"]).json()
    assert (failed["state"], failed["result"], failed["problem"]["status"]) == ("failed", None, 403)


# --- faults


def test_a_worker_that_died_is_followed_by_another_when_its_lease_ends(api, clock):
    queued(api)
    assert operations.claim()
    assert operations.claim() is None
    clock.forward(seconds=LEASE.total_seconds() + 1)
    assert operations.run_next() == 1
    assert Operation.objects.get().state == OperationState.DONE
    assert Deal.objects.count() == 1


def test_who_lost_the_lease_does_nothing(api, clock):
    queued(api)
    slow = operations.claim()
    clock.forward(seconds=LEASE.total_seconds() + 1)
    assert operations.run_next() == 1
    assert slow
    operations.carry_out(slow)
    assert Deal.objects.count() == 1
    assert Operation.objects.get().attempts == 2


def test_one_that_breaks_leaves_nothing_and_is_tried_again(api, anna, clock, monkeypatch):
    tries = []

    def breaks_once(text: str, actor: Actor) -> bytes:
        tries.append(make_deal(anna))
        if len(tries) == 1:
            raise DatabaseError
        return b"{}"

    monkeypatch.setitem(RUNNERS, "deals.bulk", Runner(Scope.DEALS_WRITE, breaks_once))
    queued(api)
    operations.run_next()
    assert (Deal.objects.count(), Operation.objects.get().state) == (0, OperationState.QUEUED)
    assert operations.run_next() == 0
    clock.forward(seconds=6)
    operations.run_next()
    assert (Deal.objects.count(), Operation.objects.get().state) == (1, OperationState.DONE)


def test_one_that_always_breaks_fails_in_the_end(api, clock, monkeypatch):
    def breaks(text: str, actor: Actor) -> bytes:
        raise DatabaseError

    monkeypatch.setitem(RUNNERS, "deals.bulk", Runner(Scope.DEALS_WRITE, breaks))
    operation = queued(api)
    for _attempt in range(ATTEMPTS_AT_MOST + 1):
        assert operations.run_next() == 1
        clock.forward(seconds=6)
    assert operations.run_next() == 0
    failed = told(api, operation)
    assert (failed["state"], failed["problem"]["code"]) == ("failed", "server_error")


# --- how many, how long


def test_nobody_queues_more_than_twenty(api, anna, boris, settings):
    settings.LIMITS_SCALE = 10  # or the limit of bulks comes first
    for _one in range(OPEN_AT_MOST):
        queued(api)
    response = api.post("/deals/bulk", {"items": ITEMS}, Prefer="respond-async")
    refused(response, 429, "too_many_operations")
    assert int(response["Retry-After"]) >= 1
    queued(Program(boris))
    operations.run_next()
    queued(api)


def test_the_keys_of_one_agency_together_queue_no_more_than_sixty(vera, anna, gleb):
    for _key in range(OPEN_OF_AGENCY_AT_MOST // OPEN_AT_MOST):
        key = Actor.of_key(make_key(vera).key)
        for _one in range(OPEN_AT_MOST):
            queue_operation("deals.bulk", "{}", actor=key, language="ru")
    with pytest.raises(TooManyOperations):
        queue_operation("deals.bulk", "{}", actor=by(anna), language="ru")
    queue_operation("deals.bulk", "{}", actor=by(gleb), language="ru")


def test_they_are_kept_for_seven_days(api):
    queued(api)
    operations.run_next()
    now = timezone.now()
    sweeps.run(now + timedelta(days=6))
    assert Operation.objects.count() == 1
    sweeps.run(now + timedelta(days=7, minutes=1))
    assert Operation.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_the_worker_carries_them_out(api, tmp_path, settings):
    settings.SMS_GATEWAY, settings.SMS_FILE = "file", tmp_path / "sms.jsonl"
    operation = queued(api)
    call_command("worker", once=True)
    assert told(api, operation)["state"] == "done"
    assert Deal.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_a_worker_killed_in_the_middle_doubles_and_loses_nothing(api, start):
    for number in range(4):
        items = [{"do": "create", **CREATED, "client_phone": f"791600{number}{last:04}"} for last in range(50)]
        queued(api, *items, key=f"key {number}")
    rows = Operation.objects.all()
    for _killed in range(3):
        worker = start()
        wait_until(lambda: rows.filter(state=OperationState.RUNNING).exists() or not rows.open().exists())
        worker.kill()
        worker.communicate()
        rows.open().update(leased_until=timezone.now())
    start()
    wait_until(lambda: not rows.open().exists())
    assert set(rows.values_list("state", flat=True)) == {OperationState.DONE}
    assert (Deal.objects.count(), Event.objects.filter(action=Action.DEAL_CREATED).count()) == (200, 200)
    assert sorted(Deal.objects.values_list("number", flat=True)) == list(range(1, 201))
    assert {flaw for _, flaw in evidence.verify()} == {None}
