"""Keys used and changed by many at once: one effect of one idempotency key, one event of a use, one end of a key."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, ApiKey, Event, KeySecret, Role, User
from accounts.services import evidence, keys
from accounts.services.keys import KeyRevoked
from accounts.tests.people import make_agent
from accounts.tests.programs import confirmed, make_key, program
from accounts.tests.side_by_side import side_by_side
from deals.models import Client, Deal
from deals.tests.conftest import open_agency
from deals.tests.programs import CREATED

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vera(db: None) -> User:
    return make_agent(open_agency("Ключи и двери"), "Вера Власова", role=Role.HEAD)


def test_twenty_parallel_posts_with_one_key_make_one_object(vera: User):
    token = make_key(vera).token
    body = {**CREATED, "agent": str(vera.pk)}

    def create(_number: int) -> Any:
        headers = {"Idempotency-Key": "once"}
        return program(token).post("/api/v1/deals/", body, content_type="application/json", headers=headers)

    answers = side_by_side(20, create)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer for answer in answers) == 19
    assert (Deal.objects.count(), Client.objects.count()) == (1, 1)
    assert {flaw for _, flaw in evidence.verify()} == {None}


def test_the_first_use_is_written_once(vera: User):
    token = make_key(vera).token
    answers = side_by_side(12, lambda _number: program(token).get("/api/v1/key").status_code)
    assert answers == [200] * 12
    assert Event.objects.filter(action=Action.KEY_USED).count() == 1


def test_a_key_is_revoked_by_one_of_many(vera: User):
    key = make_key(vera).key

    def revoke(_number: int) -> str:
        try:
            keys.revoke_key(key.pk, actor=Actor.of(vera))
        except KeyRevoked:
            return "too late"
        return "revoked"

    assert sorted(side_by_side(6, revoke)) == ["revoked"] + ["too late"] * 5
    assert Event.objects.filter(action=Action.KEY_REVOKED).count() == 1


def test_rotations_at_once_leave_one_lasting_secret(vera: User):
    key, actor = make_key(vera).key, confirmed(vera)
    tokens = [shown.token for shown in side_by_side(6, lambda _number: keys.rotate_key(key.pk, actor=actor))]
    assert KeySecret.objects.filter(key=key, ends_at=None).count() == 1
    assert all(keys.key_of_token(token) == key for token in tokens)


def test_fifty_live_keys_are_the_most_however_fast_they_are_made(vera: User):
    tomorrow, actor = timezone.now() + timedelta(days=1), confirmed(vera)
    ApiKey.objects.bulk_create([ApiKey(agency=vera.agency, name="Касса", expires_at=tomorrow) for _ in range(47)])

    def make(_number: int) -> bool:
        try:
            keys.make_key(name="Касса", scopes=[], actor=actor)
        except keys.TooManyKeys:
            return False
        return True

    assert sum(side_by_side(8, make)) == 3
    assert ApiKey.objects.count() == 50
