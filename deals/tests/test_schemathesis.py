"""OpenAPI never lies: whatever is sent to whichever operation, the answer is a declared one and never a 5xx.

Everything is asked by an agent, by a head whose session a code has just confirmed, by who has not consented yet, by
nobody, by a key of every scope, and by keys of one scope each. Every case meets the same world.
"""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections, transaction
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client as Browser
from django.utils import timezone
from hypothesis import HealthCheck, settings
from schemathesis.core.parameters import ParameterLocation

from accounts.actor import Actor
from accounts.models import ApiKey, Scope, Session, User
from accounts.services import keys, webhooks
from accounts.services.keys import ShownKey
from accounts.services.operations import queue_operation
from accounts.tests.people import sign_in
from accounts.tests.programs import make_key
from deals.tests import fake_dadata
from deals.tests.making import by
from lk_site.api import api, operations
from lk_site.api_docs import document
from lk_site.tests.walking import World, make_world, undone

# of each operation beside the cases of schemathesis' own coverage: half a minute for each asker
EXAMPLES, FEW = int(os.environ.get("ATTACK_EXAMPLES", "10")), 3


def bounded(examples: int) -> settings:
    quiet = list(HealthCheck)
    return settings(max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=quiet)


BOUNDED = bounded(EXAMPLES)
SCOPES: dict[str, tuple[str, ...]] = {  # of an operation, by its name: any one of them opens it
    operation.view_func.__name__: getattr(operation.view_func, "scopes", ()) for operation in operations(api)
}

pytestmark = [pytest.mark.django_db, pytest.mark.long]


def contract(*, signed_in: bool = True, consent: bool = True) -> Any:
    """Return the document that programs read; for who is signed in the session is not schemathesis' to make up."""
    loaded = json.loads(document(api))
    loaded["components"]["securitySchemes"]["session"]["name"] = django_settings.SESSION_COOKIE_NAME
    for details in [details for methods in loaded["paths"].values() for details in methods.values() if signed_in]:
        details.pop("security", None)
    schema = schemathesis.openapi.from_dict(loaded)
    schema.app = WSGIHandler()
    checks = schema.config.checks
    checks.positive_data_acceptance.enabled = False  # no schema can say what rules refuse
    rejections = checks.negative_data_rejection
    rejections.expected_statuses = [*rejections.expected_statuses, "412"]  # a version that never was
    checks.missing_required_header.expected_statuses = ["401", "403", "404", "422", "428"]
    checks.unsupported_method.enabled = consent  # without it nothing else is looked at
    return schema


def one_each() -> Any:
    """Return the contract for one case of each operation."""
    schema = contract()
    schema.config.phases.coverage.enabled = schema.config.phases.examples.enabled = False
    return schema


AGENTS, NEWCOMERS, ANYBODYS, ONE_EACH = contract(), contract(consent=False), contract(signed_in=False), one_each()
WITHOUT_CODE = contract().include(path_regex="/api/v1/keys")
OPEN_TO_KEYS = contract().include(lambda asked: bool(scopes_of(asked.operation)))


def scopes_of(operation: Any) -> tuple[str, ...]:
    return SCOPES[operation.definition.raw["operationId"]]


# --- the world


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Requests run in this thread and in the test's transaction: nothing may close its connection."""
    ends = (signals.request_started, signals.request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)


@pytest.fixture(autouse=True)
def _no_throttle(settings: Any) -> None:
    many = dict.fromkeys(("person", "anonymous", "key", "agency", "search", "bulk", "looks"), (10**9, 300))
    settings.LIMITS = {**settings.LIMITS, **many}


@pytest.fixture(autouse=True)
def _use_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key's use is written once a minute; where all is undone, it would be with every case."""
    monkeypatch.setattr(keys, "USED_EVERY", timedelta(days=1))


@pytest.fixture(scope="module")
def dadata() -> Iterator[fake_dadata.FakeDaData]:
    with fake_dadata.running() as fake:
        yield fake


@pytest.fixture(autouse=True)
def _lookups_are_on(settings: Any, dadata: fake_dadata.FakeDaData) -> None:
    settings.DADATA_URL, settings.DADATA_KEY = dadata.url, fake_dadata.KEY


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Make people, keys of every scope and of one each, and things to ask about, once for all cases."""
    with django_db_blocker.unblock(), transaction.atomic():
        world = make_world()
        world.things |= {scope: make_key(world.vera, [scope]) for scope in Scope}
        world.things["program"] = make_key(world.vera)
        endpoint = webhooks.add_endpoint("https://example.ru/hook", actor=by(world.vera))
        world.things |= {"webhook": endpoint, "delivery": webhooks.send_test(endpoint.pk, actor=by(world.vera))}
        ApiKey.objects.update(used_at=timezone.now())
        yield world
        transaction.set_rollback(True)


class Asker:
    """Sends what schemathesis makes up as one person, or as nobody."""

    body_needs: dict[str, str] = {}  # what every body must say that makes something

    def __init__(self, world: World, user: User | None = None, *, confirmed: bool = False) -> None:
        self.world, self.user, self.confirmed = world, user, confirmed

    @property
    def actor(self) -> Actor | None:
        return by(self.user) if self.user else None

    def ask(self, case: Any) -> None:
        """Send a case, judge the answer, and leave the world as it was."""
        with undone():
            about_ours(case, self.ids(case), self.body_needs)
            case.validate_response(case.call(**self.introduced()))

    def ids(self, case: Any) -> dict[str, str]:
        """Return what the path is filled with, so that not every answer is 404."""
        things = {**self.world.things, **others_for(case, self.world)}
        found = {name: str(things[name.removesuffix("_id")].pk) for name in IDS & set(case.path_parameters or ())}
        if self.actor and "operation_id" in (case.path_parameters or ()):
            found["operation_id"] = str(queue_operation("deals.bulk", "{}", actor=self.actor, language="ru").pk)
        return {"operation_id": str(self.world.operation.pk), **FIXED, "agent": str(self.world.boris.pk), **found}

    def introduced(self) -> dict[str, Any]:
        """Return the headers and cookies that say who asks: of a new session, for a case may end it."""
        browser, name, token = Browser(), django_settings.SESSION_COOKIE_NAME, _get_new_csrf_string()
        if self.user is not None:
            row = sign_in(browser, self.user, name)
            Session.objects.filter(pk=row.pk).update(confirmed_at=timezone.now() if self.confirmed else None)
        cookies = {name: cookie.value for name, cookie in browser.cookies.items()}
        return {"headers": {"X-CSRFToken": token}, "cookies": cookies | {django_settings.CSRF_COOKIE_NAME: token}}


class Program(Asker):
    """Sends it as a program, with a key."""

    def __init__(self, world: World, shown: ShownKey) -> None:
        super().__init__(world)
        self.shown, self.body_needs = shown, {"agent": str(world.boris.pk)}

    @property
    def actor(self) -> Actor:
        return Actor.of_key(self.shown.key, address="192.0.2.7", request_id="test")

    def introduced(self) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {self.shown.token}"}}


IDS = {f"{name}_id" for name in ("deal", "client", "note", "session", "key", "webhook", "delivery")}
FIXED = {"inn": next(iter(fake_dadata.COMPANIES))}
MADE_FOR_AN_AGENT = ("create_deal", "create_client")


def others_for(case: Any, world: World) -> dict[str, Any]:
    """Return the things that an operation is about instead of the usual ones."""
    name = case.operation.definition.raw["operationId"]
    others = {"undo_move": {"deal": world.moved}, "restore_deal": {"deal": world.trashed}}
    others |= {"restore_client": {"client": world.gone}, "trash_client": {"client": world.alone}}
    return others.get(name, {})


def about_ours(case: Any, ids: dict[str, str], body_needs: dict[str, str]) -> None:
    """Put ids of rows that are there, and their version, into a case, unless just that is what is wrong with it."""
    if case.path_parameters and not is_wrong(case, ParameterLocation.PATH):
        case.path_parameters = {name: ids[name] for name in case.path_parameters}
    if "If-Match" in (case.headers or ()) and not is_wrong(case, ParameterLocation.HEADER):
        has_changed = {"undo_move", "restore_deal", "restore_client"}
        case.headers["If-Match"] = '"2"' if case.operation.definition.raw["operationId"] in has_changed else '"1"'
    if isinstance(case.body, dict) and not is_wrong(case, ParameterLocation.BODY):
        case.body = about_our_agent(case, ids) | needed(case, body_needs)


def about_our_agent(case: Any, ids: dict[str, str]) -> dict[str, Any]:
    return {**case.body, **({"agent": ids["agent"]} if case.body.get("agent") else {})}


def needed(case: Any, body_needs: dict[str, str]) -> dict[str, str]:
    return body_needs if case.operation.definition.raw["operationId"] in MADE_FOR_AN_AGENT else {}


def is_wrong(case: Any, location: ParameterLocation) -> bool:
    return case.meta is not None and case.meta.is_negative_at(location)


# --- who asks


@AGENTS.parametrize()
@BOUNDED
def test_every_answer_to_an_agent_is_declared(case: Any, world: World):
    Asker(world, world.anna).ask(case)


@AGENTS.parametrize()
@BOUNDED
def test_every_answer_to_a_head_is_declared(case: Any, world: World):
    Asker(world, world.vera, confirmed=True).ask(case)


@WITHOUT_CODE.parametrize()
@bounded(FEW)
def test_every_answer_to_a_head_without_a_fresh_code_is_declared(case: Any, world: World):
    Asker(world, world.vera).ask(case)


@NEWCOMERS.parametrize()
@BOUNDED
def test_every_answer_before_consent_is_declared(case: Any, world: World):
    boris = User.objects.get(pk=world.boris.pk)
    boris.consent_version = ""
    boris.save_changes("consent_version")
    Asker(world, boris).ask(case)


@ANYBODYS.parametrize()
@BOUNDED
def test_every_answer_to_nobody_is_declared(case: Any, world: World):
    Asker(world).ask(case)


@AGENTS.parametrize()
@BOUNDED
def test_every_answer_to_a_key_of_every_scope_is_declared(case: Any, world: World):
    Program(world, world.program).ask(case)


@OPEN_TO_KEYS.parametrize()
@bounded(FEW)
def test_every_answer_to_a_key_of_one_scope_is_declared(case: Any, world: World):
    for scope in scopes_of(case.operation):
        Program(world, world.things[scope]).ask(case)


@ONE_EACH.parametrize()
@bounded(1)
def test_what_a_scope_does_not_open_is_refused_as_declared(case: Any, world: World):
    for scope in set(Scope) - set(scopes_of(case.operation)):
        Program(world, world.things[scope]).ask(case)
