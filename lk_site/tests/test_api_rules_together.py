"""`api.md`, "Writing safely", where it takes two at once: each on a connection of its own."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection

from accounts.actor import Actor
from accounts.models import Role
from accounts.services import agencies
from accounts.services.idempotency import Answer, answer_once
from accounts.tests.people import make_agent
from accounts.tests.programs import make_key
from accounts.tests.side_by_side import side_by_side
from deals.models import Deal
from deals.tests.programs import refused
from lk_site.tests.askers import ByKey, BySession

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["session", "key"])
def api(request: Any) -> BySession:
    vera = make_agent(agencies.add_agency("Ключ", actor=Actor.system()), "Вера Власова", role=Role.HEAD)
    return BySession(vera) if request.param == "session" else ByKey(make_key(vera).token, vera)


def test_twenty_posts_with_one_key_make_one_deal_and_have_one_answer(api: BySession):
    answers = side_by_side(20, lambda number: api.post("/deals/", api.new_deal(), key="k"))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert ["Idempotent-Replayed" in answer for answer in answers].count(False) == 1
    assert Deal.objects.count() == 1


def test_a_second_one_waits_while_the_first_runs_and_is_409_with_retry_after_in_the_end(api: BySession, settings: Any):
    assert settings.IDEMPOTENCY_WAIT.total_seconds() == 5
    settings.IDEMPOTENCY_WAIT = timedelta(milliseconds=200)
    runs, may_end = Event(), Event()

    def effect() -> Answer:
        runs.set()
        assert may_end.wait(60)
        return Answer(201, "{}")

    def first() -> None:
        try:
            answer_once("POST api/v1/deals/", "k", b"", actor=actor_of(api), effect=effect)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(first)
        assert runs.wait(60)
        second = api.post("/deals/", api.new_deal(), key="k")
        may_end.set()
        running.result()
    refused(second, 409, "idempotency_key_in_progress")
    assert int(second["Retry-After"]) > 0
    assert not Deal.objects.exists()


def actor_of(api: BySession) -> Actor:
    """Return who asks, as the request knows him."""
    response = api.get("/deals/")
    actor: Actor = response.wsgi_request.actor
    return actor
