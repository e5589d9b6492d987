"""What was sent once happens once, whatever is repeated, and however many at a time."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Agency, IdempotencyKey, User
from accounts.services.idempotency import (
    Answer,
    FormAlreadyUsed,
    KeyInProgress,
    KeyReused,
    answer_once,
    once,
    text_of_form,
)
from lk_site.encryption.keys import generate_keys
from lk_site.errors import Clash
from lk_site.tests.people import client_of, person

SCOPE = "POST things/"


def make(name: str = "made", seconds: float = 0, error: Exception | None = None) -> Callable[[], Answer]:
    """Return an effect: one agency of that name, after a while, or a failure after all."""

    def effect() -> Answer:
        agency = Agency.objects.create(name=name)
        time.sleep(seconds)
        if error:
            raise error
        return Answer(201, f'{{"id": "{agency.pk}"}}', {"Location": "/x"}, object_id=agency.pk)

    return effect


def made(name: str = "made") -> int:
    return Agency.objects.filter(name=name).count()


@pytest.fixture
def anna(db: None) -> Actor:
    return Actor.of(person("79161234567"))


class TestOneAfterAnother:
    def test_a_repeat_gets_the_first_answer(self, anna: Actor):
        first = answer_once(SCOPE, "k", b"body", actor=anna, effect=make())
        again = answer_once(SCOPE, "k", b"body", actor=anna, effect=make())
        assert made() == 1
        assert (again.status, again.body, again.headers) == (first.status, first.body, first.headers)
        assert (first.is_replay, again.is_replay) == (False, True)

    def test_another_body_is_refused(self, anna: Actor):
        answer_once(SCOPE, "k", b"body", actor=anna, effect=make())
        with pytest.raises(KeyReused):
            answer_once(SCOPE, "k", b"other", actor=anna, effect=make())
        assert made() == 1

    def test_a_refusal_undoes_the_key_with_the_effect(self, anna: Actor):
        for _ in range(2):
            with pytest.raises(Clash):
                answer_once(SCOPE, "k", b"body", actor=anna, effect=make(error=Clash()))
        answer_once(SCOPE, "k", b"other", actor=anna, effect=make())
        assert made() == 1

    def test_keys_of_others_and_of_other_routes_are_others(self, anna: Actor):
        boris = Actor.of(person("79161234568"))
        for scope, actor in [(SCOPE, anna), (SCOPE, boris), ("PATCH things/", anna)]:
            answer_once(scope, "k", b"body", actor=actor, effect=make())
        assert made() == 3

    def test_a_key_is_kept_a_day(self, anna: Actor):
        answer_once(SCOPE, "k", b"body", actor=anna, effect=make())
        IdempotencyKey.objects.filter().update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
        assert not answer_once(SCOPE, "k", b"other", actor=anna, effect=make()).is_replay
        assert made() == 2

    def test_the_stored_answer_is_sealed_and_keys_are_digests(self, anna: Actor):
        secret = "имя, которого нигде нет"
        answer_once(SCOPE, "key-in-clear", b"body", actor=anna, effect=lambda: Answer(201, secret))
        with connection.cursor() as cursor:
            cursor.execute(f"select * from {IdempotencyKey._meta.db_table}")
            (row,) = cursor.fetchall()
        assert not any(text in bytes(cell) if isinstance(cell, bytes | memoryview) else text.decode() in str(cell)
                       for cell in row for text in (secret.encode(), b"key-in-clear"))  # fmt: skip
        assert answer_once(SCOPE, "key-in-clear", b"body", actor=anna, effect=make()).body == secret

    def test_a_new_digest_key_does_not_repeat_what_was_done(self, anna: Actor, settings: Any):
        answer_once(SCOPE, "k", b"body", actor=anna, effect=make())
        newer = generate_keys()["digests"][0] | {"id": 2}
        settings.KEYS = {**settings.KEYS, "digests": [newer, *settings.KEYS["digests"]]}
        assert answer_once(SCOPE, "k", b"body", actor=anna, effect=make()).is_replay
        assert made() == 1


class TestForms:
    def sent(self, actor: Actor, text: str, key: str = "form") -> str:
        def effect() -> tuple[str, Any]:
            answer = make()()
            return f"/deals/{answer.object_id}/", answer.object_id

        fields = {"address": [text], "csrfmiddlewaretoken": [str(uuid4())], "form_key": [key]}
        said = text_of_form(fields, without=("csrfmiddlewaretoken", "form_key"))
        return once("deal_create", key, said, actor=actor, effect=effect)

    def test_a_double_click_leads_to_the_one_deal(self, anna: Actor):
        assert self.sent(anna, "Тверская, 1") == self.sent(anna, "Тверская, 1")
        assert made() == 1

    def test_the_same_form_with_other_text_names_the_deal_that_exists(self, anna: Actor):
        target = self.sent(anna, "Тверская, 1")
        with pytest.raises(FormAlreadyUsed) as used:
            self.sent(anna, "Тверская, 2")
        assert used.value.target == target
        assert str(used.value.object_id) in target
        assert made() == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("small_api")
class TestOverHttp:
    def post(self, asker: User, key: str, name: str = "made", about: User | None = None) -> Any:
        address = f"/api/v1/people/{(about or asker).pk}/names"
        return client_of(asker).post(address, {"name": name}, "application/json", headers={"Idempotency-Key": key})

    def test_a_replay_says_so_and_is_the_same(self):
        anna = person("79161234567")
        first, again = self.post(anna, "k"), self.post(anna, "k")
        assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
        assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
        assert "Idempotent-Replayed" not in first
        assert again["Idempotent-Replayed"] == "true"
        assert made() == 1

    def test_another_body_or_another_object_is_422(self):
        anna = person("79161234567")
        boris = person("79161234568", anna.agency)
        self.post(anna, "k")
        for refused in (self.post(anna, "k", "other"), self.post(anna, "k", about=boris)):
            assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")

    @pytest.mark.parametrize("name", ["clash", "broken", "database", ""])
    def test_what_failed_may_be_repeated(self, name: str):
        anna = person("79161234567")
        assert self.post(anna, "k", name).status_code >= 400
        assert (Agency.objects.count(), IdempotencyKey.objects.count()) == (1, 0)
        assert self.post(anna, "k").status_code == 201

    def test_a_replay_goes_only_to_who_still_sees_the_object(self):
        anna = person("79161234567")
        boris = person("79161234568", anna.agency)
        assert self.post(anna, "k", about=boris).status_code == 201
        User.objects.filter(pk=boris.pk).update(agency=Agency.objects.create())
        refused = self.post(anna, "k", about=boris)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize(("key", "status"), [("", 422), ("x" * 256, 422), ("x" * 255, 201), ("ключ", 201)])
    def test_a_key_has_1_to_255_characters(self, key: str, status: int):
        assert self.post(person("79161234567"), key).status_code == status

    def test_routes_fit_into_the_scope(self):
        from lk_site.api import api, operations

        longest = max((len(operation.path) for operation in operations(api)), default=0)
        assert longest + len("PATCH api/v1/clients") <= (IdempotencyKey._meta.get_field("scope").max_length or 0)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def run(self, jobs: list[Callable[[], Any]]) -> list[Any]:
        """Run all at once, each on a connection of its own; return answers and exceptions."""

        def safely(job: Callable[[], Any]) -> Any:
            try:
                return job()
            except Exception as error:
                return error
            finally:
                connection.close()

        with ThreadPoolExecutor(len(jobs)) as pool:
            return list(pool.map(safely, jobs))

    def asked(self, actor: Actor, effect: Callable[[], Answer], body: bytes = b"body") -> Callable[[], Answer]:
        return lambda: answer_once(SCOPE, "k", body, actor=actor, effect=effect)

    @pytest.fixture
    def anna(self) -> Actor:
        return Actor.of(person("79161234567"))

    def test_twenty_with_one_key_have_one_effect_and_one_answer(self, anna: Actor):
        answers = self.run([self.asked(anna, make(seconds=0.1))] * 20)
        assert made() == 1
        assert {answer.body for answer in answers} == {answers[0].body}
        assert Counter(answer.is_replay for answer in answers) == {True: 19, False: 1}

    def test_after_a_failure_the_next_one_takes_over(self, anna: Actor):
        fails = [True, True, True]

        def effect() -> Answer:
            error = Clash() if fails and fails.pop() else None
            return make(seconds=0.05, error=error)()

        answers = self.run([self.asked(anna, effect)] * 20)
        assert made() == 1
        assert Counter(type(answer).__name__ for answer in answers) == {"Answer": 17, "Clash": 3}

    def test_who_waited_long_enough_is_told_to_ask_again(self, anna: Actor, settings: Any):
        settings.IDEMPOTENCY_WAIT = timedelta(seconds=0.3)

        def late() -> Any:
            time.sleep(0.3)
            started = time.monotonic()
            try:
                return self.asked(anna, make())()
            finally:
                assert time.monotonic() - started < 1

        first, second = self.run([self.asked(anna, make(seconds=1.5)), late])
        assert isinstance(first, Answer)
        assert isinstance(second, KeyInProgress)
        assert second.status == 409
        assert made() == 1
        assert self.asked(anna, make())().is_replay

    def test_different_keys_do_not_wait_for_each_other_on_postgresql(self, anna: Actor):
        if connection.vendor != "postgresql":
            pytest.skip("SQLite has one writer")
        started = time.monotonic()
        self.run([lambda i=i: answer_once(SCOPE, f"k{i}", b"", actor=anna, effect=make(seconds=0.5)) for i in range(5)])  # type: ignore[misc]
        assert time.monotonic() - started < 2
        assert made() == 5
