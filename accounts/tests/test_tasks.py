"""Operations by both backends of Django's Tasks: one setting apart, and nothing hangs on Redis."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import django_tasks.signals  # noqa: F401 lets a test change TASKS
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from redis import Redis

from accounts.actor import Actor
from accounts.models import Operation, OperationState, Role
from accounts.services import operations
from accounts.services.operations import RUNNERS, Runner, carry_out_named, queue_operation, wait_and_run
from accounts.tests.people import make_agency, make_agent
from accounts.tests.test_webhook_delivery import by
from accounts.tests.test_worker import Worker, start, wait_until
from lk_site import environment
from lk_site.redis_tasks import CALLS, RedisBackend
from lk_site.tasks import messenger

__all__ = ["start"]
pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "+79161230987"


@pytest.fixture
def vera(db: None) -> Actor:
    return by(make_agent(make_agency(), "Вера Власова", role=Role.HEAD))


@pytest.fixture
def done(monkeypatch: Any) -> list[str]:
    """What operations of the tests have done, in their order."""
    bodies: list[str] = []

    def do(body: str, actor: Actor) -> bytes:
        bodies.append(body)
        return b"{}"

    monkeypatch.setitem(RUNNERS, "test.note", Runner("deals:write", do))
    return bodies


def let_call_by(backend: str, settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    settings.TASKS = {"default": {"BACKEND": environment.TASK_BACKENDS[backend]}}


@pytest.fixture
def redis(settings: Any, redis_url: str) -> Iterator[Any]:
    """The Redis that workers are called through; whoever waits there has just looked into the database."""
    let_call_by("redis", settings, redis_url)
    with Redis.from_url(redis_url, decode_responses=True) as client:
        client.delete(CALLS)
        assert wait_and_run(0) == 0
        yield client
        client.delete(CALLS)


def queue(vera: Actor, body: str = "x") -> Operation:
    with transaction.atomic():
        return queue_operation("test.note", body, actor=vera, language="ru")


def through() -> RedisBackend:
    found = messenger()
    assert found.heard(0) is None
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("backend", ["database", "redis"])
def test_one_setting_tells_how_workers_hear_of_an_operation(
    vera: Actor, done: list[str], settings: Any, redis_url: str, backend: str
):
    let_call_by(backend, settings, redis_url)
    queue(vera)
    assert wait_and_run(5) == 1
    assert (done, Operation.objects.get().state) == (["x"], OperationState.DONE)


def test_a_worker_that_is_called_looks_for_nothing(vera: Actor, done: list[str], redis: Any):
    first, second = queue(vera, "first"), queue(vera, "second")
    redis.rpop(CALLS)  # the call to the first one
    assert wait_and_run(5) == 1
    assert done == ["second"]
    assert {first.pk: "queued", second.pk: "done"} == dict(Operation.objects.values_list("pk", "state"))


def test_a_call_holds_the_id_of_a_row_and_nothing_of_what_was_asked(vera: Actor, done: list[str], redis: Any):
    operation = queue(vera, SECRET)
    (call,) = redis.lrange(CALLS, 0, -1)
    assert json.loads(call) == [carry_out_named.module_path, [str(operation.pk)]]
    assert 0 < redis.ttl(CALLS) <= 600


def test_what_is_rolled_back_calls_nobody(vera: Actor, done: list[str], redis: Any):
    with transaction.atomic():
        queue_operation("test.note", "x", actor=vera, language="ru")
        transaction.set_rollback(True)
    assert redis.llen(CALLS) == 0


def test_what_redis_loses_a_worker_finds(vera: Actor, done: list[str], redis: Any):
    queue(vera)
    redis.delete(CALLS)
    through().look_at = 0.0  # ten seconds later
    assert wait_and_run(0) == 1
    assert done == ["x"]


def test_an_operation_whose_worker_was_killed_as_it_heard_is_found(vera: Actor, done: list[str], redis: Any):
    queue(vera)
    assert through().redis.rpop(CALLS)
    assert operations.claim()  # and killed
    Operation.objects.update(leased_until=timezone.now())
    through().look_at = 0.0
    assert wait_and_run(0) == 1
    assert (done, Operation.objects.get().attempts) == (["x"], 2)


def test_an_operation_that_is_called_twice_is_done_once(vera: Actor, done: list[str], redis: Any):
    operation = queue(vera)
    carry_out_named.enqueue(str(operation.pk))
    for _ in range(2):
        wait_and_run(5)
    assert (redis.llen(CALLS), done) == (0, ["x"])


def test_a_call_to_anything_else_runs_nothing(vera: Actor, done: list[str], redis: Any):
    queue(vera)
    redis.delete(CALLS)
    redis.lpush(CALLS, json.dumps(["os.system", ["true"]]))
    redis.lpush(CALLS, json.dumps([carry_out_named.module_path, [str(uuid4())]]))
    assert [wait_and_run(5), wait_and_run(5)] == [1, 0]
    assert done == []


def test_without_redis_nothing_is_refused_and_workers_look(vera: Actor, done: list[str], settings: Any, caplog: Any):
    let_call_by("redis", settings, f"redis://:{SECRET}@127.0.0.1:1/0")
    for body in ("first", "second"):
        queue(vera, body)
    assert [wait_and_run(0), wait_and_run(0)] == [1, 1]
    assert done == ["first", "second"]
    told = [record.getMessage() for record in caplog.records if record.name == "lk.tasks"]
    assert len(told) == 1, "a Redis that is away is asked once in two seconds"
    assert SECRET not in told[0]


@pytest.mark.long
def test_a_worker_does_what_it_is_called_to(vera: Actor, redis: Any, redis_url: str, start: Callable[..., Worker]):
    start(LK_TASKS="redis", REDIS_URL=redis_url)
    wait_until(lambda: any(one["cmd"] == "brpop" for one in redis.client_list()))
    body = json.dumps({"items": [{"do": "trash", "id": str(uuid4()), "version": 1}]})
    for _ in range(3):
        with transaction.atomic():
            queue_operation("deals.bulk", body, actor=vera, language="ru")
    wait_until(lambda: Operation.objects.filter(state=OperationState.DONE).count() == 3)
    assert redis.llen(CALLS) == 0


def test_a_setting_that_means_nothing_stops_the_start(monkeypatch: Any):
    for value, url in [("rabbit", "redis://127.0.0.1/0"), ("redis", "")]:
        monkeypatch.setenv("LK_TASKS", value)
        with pytest.raises(ImproperlyConfigured):
            environment.task_backend("LK_TASKS", url)
    monkeypatch.setenv("LK_TASKS", "")
    assert environment.task_backend("LK_TASKS", "") == "lk_site.tasks.RowBackend"
