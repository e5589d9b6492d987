"""A small world, and every route of it: for tests that walk all addresses as all kinds of people."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client as Browser
from django.urls import URLResolver, get_resolver
from django.utils import timezone
from ninja.operation import PathView

from accounts.actor import Actor
from accounts.models import Action, Agency, Backup, Event, Role, Schedule, SmsMessage, User, UserKind
from accounts.models.evidence import ChangeRecord
from accounts.services import agencies, alarms, outbox, webhooks
from accounts.services.operations import queue_operation
from accounts.tests.people import make_agent, sign_in
from accounts.tests.programs import make_key
from deals.models import LostReason, Stage
from deals.services.clients import trash_client
from deals.services.deals import trash_deal
from deals.services.notes import add_note
from deals.services.pipeline import move_deal
from deals.tests.making import by, make_client, make_deal
from lk_site.backup.folders import name_of

PEOPLE = ("anna", "vera", "boris", "gleb", "staff", "nobody")  # the owner, his head, a colleague, another agency, …
CAPTURED = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>|\(\?P<([a-z_]+)>[^)]*\)")
PAGE_METHODS = ("GET", "POST")


@contextmanager
def undone() -> Iterator[None]:
    """Leave the database as it was: whatever is asked next meets the same world."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class Route(NamedTuple):
    """One method of one address, as the URLconf writes it: `GET deals/<uuid:deal_id>/`."""

    method: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.method} /{self.pattern}"

    @property
    def door(self) -> str:
        return {"api": "api", "admi": "admin"}.get(self.pattern[:4].rstrip("/"), "page")

    def address(self, **values: Any) -> str:
        """Return the address with these values in its holes."""
        path = CAPTURED.sub(lambda hole: str(values.get(hole[1] or hole[2], hole[0])), self.pattern)
        return "/" + path.replace("^", "").replace("$", "")


def routes() -> list[Route]:
    """Return every method of every address: those of the API's operations, GET and POST of everything else."""
    found: dict[Route, None] = {}
    for pattern, callback in patterns(get_resolver().url_patterns):
        for method in methods_of(callback):
            found[Route(method, pattern)] = None
    return list(found)


def patterns(of: list[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in of:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns, here)
        else:
            yield here, pattern.callback


def methods_of(callback: Any) -> tuple[str, ...]:
    cells = [cell.cell_contents for cell in getattr(callback, "__closure__", None) or ()]
    views = [cell for cell in cells if isinstance(cell, PathView)]
    return tuple(sorted({name for view in views for op in view.operations for name in op.methods})) or PAGE_METHODS


@dataclass
class World:
    """An agency with head, owner and colleague, another agency, staff, and things of Anna's to ask about."""

    users: dict[str, User]
    things: dict[str, Any]
    browsers: dict[str, Browser] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return (self.__dict__["users"] | self.__dict__["things"])[name]
        except KeyError:
            raise AttributeError(name) from None

    def again(self) -> "World":
        """Return the same world with browsers that nobody has used yet."""
        browsers = {who: Browser(raise_request_exception=False) for who in self.browsers}
        for who, browser in browsers.items():
            browser.cookies.update(self.browsers[who].cookies)
        return World(self.users, {**self.things}, browsers)

    def browser(self, who: str) -> Browser:
        """Return the browser that this person is signed in with, staff in the admin."""
        if who not in self.browsers:
            self.browsers[who] = browser_of(self.users.get(who))
        return self.browsers[who]


def browser_of(user: User | None, *, strict: bool = False) -> Browser:
    """Return a browser where this person is signed in; a strict one is asked for its CSRF token."""
    browser = Browser(enforce_csrf_checks=strict, raise_request_exception=False)
    if user is not None:
        sign_in(browser, user, settings.ADMIN_COOKIE_NAME if user.is_staff else settings.SESSION_COOKIE_NAME)
    if strict:
        browser.cookies[settings.CSRF_COOKIE_NAME] = _get_new_csrf_string()
    return browser


def make_world(staff: str = "sonya") -> World:
    """Make everybody, and everything that the routes ask for."""
    agency = agencies.add_agency("Ключи и двери", actor=Actor.system())
    elsewhere = agencies.add_agency("Свой угол", actor=Actor.system())
    sonya = User(kind=UserKind.STAFF, login=staff, password="!")
    sonya.save(force_insert=True)
    users = {
        "anna": make_agent(agency, "Анна Агеева"),
        "vera": make_agent(agency, "Вера Власова", role=Role.HEAD),
        "boris": make_agent(agency, "Борис Белов"),
        "gleb": make_agent(elsewhere, "Глеб Громов", role=Role.HEAD),
        "staff": sonya,
    }
    world = World(users, things_of(users["anna"], agency))
    world.things["key"] = world.things["apikey"] = make_key(users["vera"]).key
    world.things["webhook"] = webhooks.add_endpoint("https://example.ru/hook", actor=by(users["vera"]))
    world.things["webhookendpoint"] = world.webhook
    world.things["delivery"] = webhooks.send_test(world.webhook.pk, actor=by(users["vera"]))
    seen = alarms.Seen(agency.pk, "agent", world.anna.pk, 20)
    alarms.raise_alarm(seen, 4, timezone.now())
    world.things["alarm"] = Event.objects.get(action=Action.ALARM_RAISED, agency_id=agency.pk)
    world.browsers |= {who: browser_of(user) for who, user in users.items()}
    return world


def things_of(anna: User, agency: Agency) -> dict[str, Any]:
    """Make a deal with a note and a client, another one moved, and trashed ones of each."""
    deal, moved, trashed = make_deal(anna), make_deal(anna, "79160000002"), make_deal(anna, "79160000003")
    alone, gone = make_client(anna, "79160000004"), make_client(anna, "79160000005")
    actor = by(anna)
    outbox.queue_sms(anna.phone or "", "…", useless_at=deal.created_at, challenge_id=uuid4(), address=None)
    return {
        "agency": agency,
        "deal": deal,
        "client": deal.client,
        "moved": move_deal(moved.pk, "showing", actor=actor, version=1),
        "trashed": trash_deal(trashed.pk, actor=actor, version=1),
        "alone": alone,
        "gone": trash_client(gone.pk, actor=actor, version=1),
        "note": add_note(deal.pk, "Смотрели дважды", actor=actor),
        "session": sign_in(Browser(), anna, settings.SESSION_COOKIE_NAME),
        "operation": queue_operation("deals.bulk", "{}", actor=actor, language="ru"),
        "pipeline": deal.stage.pipeline,
        "stage": Stage.objects.get(pipeline=deal.stage.pipeline, code="showing"),
        "lostreason": LostReason.objects.filter(agency=agency).earliest("pk"),
        "event": Event.objects.filter(agency_id=agency.pk).earliest("seq"),
        "changerecord": ChangeRecord.objects.earliest("pk"),
        "backup": Backup.objects.create(name=name_of(now := timezone.now()), made_at=now, bytes=1, rows=1),
        "smsmessage": SmsMessage.objects.earliest("pk"),
        "schedule": Schedule.objects.get_or_create(name="anchors")[0],  # one of the platform
        "user": anna,
    }
