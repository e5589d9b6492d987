"""Keys: shown once, kept as hashes, made by the head after a fresh code, and worth nothing without scopes."""

import re
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import (
    Action,
    Agency,
    ApiKey,
    Event,
    IdempotencyKey,
    KeySecret,
    Role,
    Scope,
    Session,
    User,
)
from accounts.services import keys
from accounts.services.keys import KeyRevoked, TooManyKeys
from accounts.services.step_up import FreshCodeRequired
from accounts.tests.clock import clock
from accounts.tests.people import make_agency, make_agent
from accounts.tests.programs import confirmed, make_key, program
from deals.tests.programs import Program
from lk_site.errors import Invalid, NotAllowed

__all__ = ["clock"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    return make_agent(make_agency(), "Вера Власова", role=Role.HEAD)


def test_a_token_is_as_scanners_are_told(vera: User):
    token = make_key(vera).token
    assert re.fullmatch(r"lk_live_[0-9A-Za-z]{46}", token)
    body, check = token[:-6], 0
    for char in token[-6:]:
        check = check * 62 + keys.BASE62.index(char)
    assert check == zlib.crc32(body.encode())


def test_a_token_is_nowhere_in_the_database(vera: User):
    token = make_key(vera).token
    secret = token[len("lk_live_") + 10 : -6]
    with connection.cursor() as cursor:
        cursor.execute("select public_id, token_hash from accounts_keysecret")
        ((public_id, token_hash),) = cursor.fetchall()
    assert public_id in token
    assert secret.encode() not in bytes(token_hash)
    assert not KeySecret.objects.filter(public_id__contains=secret).exists()


def test_a_key_opens_by_its_token_only(vera: User):
    shown = make_key(vera)
    assert keys.key_of_token(shown.token) == shown.key
    other = keys.new_token()
    mixed = shown.token[:18] + other[18:-6]
    assert keys.key_of_token(mixed + keys.checksum(mixed)) is None
    assert keys.key_of_token(other) is None


@pytest.mark.parametrize("broken", ["", "lk_live_", "lk_live_" + "0" * 46, "x" * 10_000, "lk_live_" + "я" * 46])
def test_a_bad_checksum_is_refused_before_the_database_is_asked(broken: str, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert keys.key_of_token(broken) is None


def test_only_the_head_in_person_manages_keys(vera: User):
    shown = make_key(vera)
    agent = make_agent(vera.agency, "Анна Агеева")
    for actor in (confirmed(agent), Actor.of_key(shown.key), Actor.nobody(), Actor.system()):
        with pytest.raises(NotAllowed):
            keys.make_key(name="Касса", scopes=[], actor=actor)
        with pytest.raises((NotAllowed, ApiKey.DoesNotExist)):
            keys.revoke_key(shown.key.pk, actor=actor)
        with pytest.raises(NotAllowed):
            keys.keys_of(actor)
    assert keys.key_of_token(shown.token) == shown.key


def test_making_editing_and_rotating_need_a_fresh_code_and_revoking_does_not(vera: User):
    shown = make_key(vera)
    with pytest.raises(FreshCodeRequired):
        keys.make_key(name="Касса", scopes=[], actor=Actor.of(vera))
    with pytest.raises(FreshCodeRequired):
        keys.edit_key(shown.key.pk, scopes=list(Scope), actor=Actor.of(vera))
    with pytest.raises(FreshCodeRequired):
        keys.rotate_key(shown.key.pk, actor=Actor.of(vera))
    keys.edit_key(shown.key.pk, name="Касса", actor=confirmed(vera))
    keys.revoke_key(shown.key.pk, actor=Actor.of(vera))
    assert keys.key_of_token(shown.token) is None


def test_a_fresh_code_is_fresh_for_five_minutes(vera: User, clock):
    actor = confirmed(vera)
    clock.forward(minutes=4, seconds=59)
    keys.make_key(name="Касса", scopes=[], actor=actor)
    clock.forward(seconds=1)
    with pytest.raises(FreshCodeRequired):
        keys.make_key(name="Касса", scopes=[], actor=actor)


def test_a_rotated_secret_works_for_24_hours_more(vera: User, clock):
    shown = make_key(vera, days=30)
    rotated = keys.rotate_key(shown.key.pk, actor=confirmed(vera), days=365)
    assert rotated.key == shown.key
    assert keys.key_of_token(shown.token) == keys.key_of_token(rotated.token) == shown.key
    clock.forward(hours=24)
    assert keys.key_of_token(shown.token) is None
    clock.forward(days=363, hours=23)
    assert keys.key_of_token(rotated.token) == shown.key
    clock.forward(hours=2)
    assert keys.key_of_token(rotated.token) is None


def test_rotating_twice_ends_the_first_secret_no_later(vera: User, clock):
    shown = make_key(vera)
    keys.rotate_key(shown.key.pk, actor=confirmed(vera))
    clock.forward(hours=23)
    keys.rotate_key(shown.key.pk, actor=confirmed(vera))
    clock.forward(hours=1)
    assert keys.key_of_token(shown.token) is None


def test_a_revoked_or_expired_key_stays_as_it_is(vera: User, clock):
    revoked, expired = make_key(vera), make_key(vera, days=1)
    keys.revoke_key(revoked.key.pk, actor=confirmed(vera))
    clock.forward(days=1)
    for shown in (revoked, expired):
        assert keys.key_of_token(shown.token) is None
        with pytest.raises(KeyRevoked):
            keys.rotate_key(shown.key.pk, actor=confirmed(vera))
        with pytest.raises(KeyRevoked):
            keys.edit_key(shown.key.pk, name="Касса", actor=confirmed(vera))


def test_a_key_of_a_closed_agency_opens_nothing(vera: User):
    shown = make_key(vera)
    Agency.objects.update(closed_at=timezone.now())
    assert keys.key_of_token(shown.token) is None


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "а" * 101}, "/name"),
        ({"scopes": ["deals:read", "keys:manage"]}, "/scopes"),
        ({"networks": ["10.0.0.1/8"]}, "/networks/0"),
        ({"networks": ["10.0.0.0/8", "дом"]}, "/networks/1"),
        ({"networks": ["10.0.0.0/8"] * 21}, "/networks"),
        ({"days": 0}, "/days"),
        ({"days": 366}, "/days"),
    ],
)
def test_what_cannot_be_of_a_key_is_refused_at_its_place(vera: User, fields: dict[str, Any], pointer: str):
    with pytest.raises(Invalid) as refused:
        keys.make_key(**{"name": "Касса", "scopes": [], **fields}, actor=confirmed(vera))
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert not ApiKey.objects.exists()


def test_an_agency_has_at_most_fifty_live_keys(vera: User):
    now = timezone.now()
    rows = [ApiKey(agency=vera.agency, name="Касса", expires_at=now + timedelta(days=1)) for _ in range(50)]
    ApiKey.objects.bulk_create(rows)
    with pytest.raises(TooManyKeys):
        make_key(vera)
    keys.revoke_key(rows[0].pk, actor=confirmed(vera))
    make_key(vera)


def test_the_evidence_tells_of_every_change_of_a_key(vera: User):
    shown = make_key(vera, ["deals:read"])
    keys.edit_key(shown.key.pk, scopes=["deals:read", "deals:write"], actor=confirmed(vera))
    keys.rotate_key(shown.key.pk, actor=confirmed(vera))
    keys.revoke_key(shown.key.pk, actor=confirmed(vera))
    told = Event.objects.filter(object_id=shown.key.pk).order_by("seq").values_list("action", flat=True)
    assert list(told) == [Action.KEY_MADE, Action.KEY_CHANGED, Action.KEY_ROTATED, Action.KEY_REVOKED]


def test_last_use_is_written_once_a_minute_and_told_once_an_hour(vera: User, clock):
    shown = make_key(vera)
    asks = program(shown.token)
    for _ in range(3):
        assert asks.get("/api/v1/key").status_code == 200
    key = ApiKey.objects.get()
    assert key.used_at == timezone.now()
    assert key.used_from == "127.0.0.1"
    clock.forward(minutes=2)
    asks.get("/api/v1/key")
    assert ApiKey.objects.get().used_at == timezone.now()
    assert Event.objects.filter(action=Action.KEY_USED).count() == 1
    clock.forward(hours=1)
    asks.get("/api/v1/key")
    assert Event.objects.filter(action=Action.KEY_USED).count() == 2


def test_what_a_key_did_is_listed_for_the_head(vera: User):
    shown = make_key(vera)
    program(shown.token).get("/api/v1/key")
    assert [event.action for event in keys.deeds_of(shown.key)] == [Action.KEY_USED]


def test_a_request_repeated_makes_no_second_key_and_shows_the_token_no_more(vera: User):
    program_of_vera = Program(vera)
    Session.objects.filter(user=vera).update(confirmed_at=timezone.now())
    first, again = (program_of_vera.post("/keys", {"name": "Касса", "scopes": []}, key="k") for _ in range(2))
    assert keys.key_of_token(first.json()["token"]) == ApiKey.objects.get()
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == first.json() | {"token": None}
    kept = IdempotencyKey.objects.get()
    assert first.json()["token"] not in (kept.body or "")
    address = f"/keys/{first.json()['id']}/rotate"
    rotated, repeated = (program_of_vera.post(address, {}, key="r") for _ in range(2))
    assert (rotated.json()["token"] is None, repeated.json()["token"]) == (False, None)
    assert KeySecret.objects.count() == 2
