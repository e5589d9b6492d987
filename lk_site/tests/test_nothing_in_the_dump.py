"""After a full day no phone, name, note or code is found in the database, the logs or the caches (security.md 3.5)."""

import json
import logging
import re
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core.cache import caches
from django.test import Client as Browser
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import (
    AgentTotp,
    ChangeRecord,
    Event,
    IdempotencyKey,
    KeptForm,
    Session,
    SmsMessage,
    User,
)
from accounts.services import outbox, sweeps
from accounts.tests.authenticators import app_code
from accounts.tests.logging_in import Tray
from accounts.tests.people import make_staff, sign_in
from deals.models import Client, Deal, Look, Note, Search
from lk_site.logs import JsonFormatter
from lk_site.tests.databases import dumped, files, moments
from lk_site.tests.marks import Marks, spellings
from lk_site.tests.scraping import Scrape, scrape

__all__ = ["scrape"]
pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1"
TERMS = {"property_address": "Москва, Тверская ул., 12", "price": "12500000"}


class Story:
    """A day of LK, told through both doors and the admin with values that stand nowhere else."""

    def __init__(self) -> None:
        self.marks, self.tray = Marks(), Tray()

    def tell(self) -> None:
        self.anna, self.boris = Browser(), Browser()
        self.log_in_on_pages()
        self.log_in_by_api()
        self.protect_login()
        self.work_on_pages()
        self.work_by_api()
        self.lose_a_session()
        self.look_after_people()
        self.go_astray()
        sweeps.run(timezone.now())
        self.ask_for_code(Browser(), self.typed("who only asks"))  # waits in the outbox while all is dumped

    # --- login

    def log_in_on_pages(self) -> None:
        self.anna.post("/login/", {"phone": self.typed("Anna")})
        self.anna.post("/login/code/", {"code": self.wrong_code()})
        self.anna.post("/login/code/", {"code": self.code("Anna"), "own_device": "on"})
        page = self.anna.get("/welcome/").content.decode()
        version = re.findall(r'name="version" value="([^"]+)"', page)[0]
        named = {"name": f"Анна {self.marks.word('name of Anna')}", "consent": "on", "version": version}
        assert self.anna.post("/welcome/", named).status_code == 302
        renamed = {"name": f"Анна {self.marks.word('new name of Anna')}", "time_zone": "Europe/Moscow", "theme": "dark"}
        assert self.anna.post("/profile/", renamed).status_code == 302

    def log_in_by_api(self) -> None:
        phone = self.typed("Boris")
        assert self.ask_for_code(self.boris, phone).status_code == 202
        for code in (self.wrong_code(), self.code("Boris")):
            answer = self.call(self.boris, "POST", "/auth/verify-code", {"phone": phone, "code": code})
        assert answer.status_code == 200, answer.content
        due = self.call(self.boris, "GET", "/me").json()["consents_due"][-1]
        self.call(self.boris, "POST", "/me/consents", {"document": due["document"], "version": due["version"]})
        self.call(self.boris, "PATCH", "/me", {"name": f"Борис {self.marks.word('name of Boris')}"}, key="name")

    def protect_login(self) -> None:
        self.call(self.boris, "POST", "/auth/step-up")
        given = self.call(self.boris, "POST", "/auth/step-up/verify", {"code": self.code("Boris")})
        assert given.status_code == 204, given.content
        begun = self.call(self.boris, "POST", "/me/factors/totp", key="app").json()["enrolment"]
        assert AgentTotp.objects.exists()
        self.marks.words["secret of an app"] = begun["secret"]
        self.marks.codes.append(app_code(self.person("Boris")))
        shown = self.call(self.boris, "POST", "/me/factors/totp/confirm", {"code": self.marks.codes[-1]}, key="codes")
        code = shown.json()["backup_codes"][0]
        self.marks.words |= {"back-up code": code.replace("-", ""), "back-up code as shown": code}
        assert self.call(self.boris, "POST", "/auth/step-up/verify", {"code": code}).status_code == 204

    def ask_for_code(self, browser: Browser, phone: str) -> Any:
        return self.call(browser, "POST", "/auth/send-code", {"phone": phone})

    def typed(self, whose: str) -> str:
        """Return a new phone as somebody types it: each time in another spelling."""
        self.marks.phone(whose)
        ways = [value for what, value in spellings(self.marks.phones) if what == whose]
        return ways[len(self.marks.phones) % len(ways)]

    def wrong_code(self) -> str:
        self.marks.codes.append("000000")
        return "000000"

    def code(self, whose: str) -> str:
        while outbox.deliver(self.tray):
            pass
        mine = [sms.text for sms in self.tray.sent if sms.phone == self.marks.phones[whose] and "#" in sms.text]
        self.marks.codes.append(re.findall(r"#([0-9]{6})", mine[-1])[0])
        return self.marks.codes[-1]

    # --- work

    def work_on_pages(self) -> None:
        word, anna = self.marks.word, self.anna
        form = {
            **TERMS,
            "form_key": str(uuid4()),
            "client_phone": self.typed("client of a page"),
            "client_name": f"Мария {word('name of a client')}",
            "kind": "sale",
            "next_step_text": f"Позвонить {word('next step')}",
            "next_step_on": "2026-12-01",
            "notes": f"Торг {word('notes of a deal')}",
        }
        for _click in range(2):
            created = anna.post("/deals/new/", form)
        assert created.status_code == 302, created.content.decode()
        here = created["Location"]
        assert anna.post("/deals/new/", {**form, "notes": word("text of an edited form")}).status_code == 409
        assert anna.post("/deals/new/", {**form, "form_key": uuid4(), "client_name": word("clash")}).status_code == 409
        deal = Deal.objects.get()
        for text in (word("search by name"), self.marks.phones["client of a page"], self.typed("search by phone")):
            assert anna.get(anna.post("/deals/search/", {"q": text})["Location"]).status_code in (200, 422)
            anna.get(anna.post("/clients/search/", {"q": text})["Location"])
        anna.post(f"{here}notes/", {"text": f"Заметка {word('note')}", "form_key": str(uuid4())})
        note = Note.objects.get()
        anna.post(f"{here}notes/{note.pk}/edit/", {"text": f"Заметка {word('edited note')}"})
        lost = {
            "to": "lost",
            "lost_reason": "other",
            "comment": f"Ушли {word('lost comment')}",
            "version": deal.version,
        }
        assert anna.post(f"{here}move/", lost).status_code == 302
        reopened = {"to": "new", "comment": f"Вернулись {word('why it was reopened')}", "version": deal.version + 1}
        assert anna.post(f"{here}move/", reopened).status_code == 302
        stale = {**TERMS, "version": 1, "notes": word("text of a conflict")}
        assert anna.post(f"{here}edit/", stale).status_code == 412
        self.look_at_client(deal.client)

    def look_at_client(self, client: Client) -> None:
        anna, word = self.anna, self.marks.word
        here = f"/clients/{client.pk}/"
        edited = {
            "version": client.version,
            "name": f"Мария {word('new name of a client')}",
            "phone_1": self.typed("new phone of a client"),
            "phone_2": self.typed("second phone of a client"),
            "email": self.marks.email("e-mail of a client"),
            "notes": f"Любит чай {word('notes of a client')}",
        }
        assert anna.post(f"{here}edit/", edited).status_code == 302
        assert self.marks.phones["second phone of a client"][-2:] in anna.get(here).content.decode()
        anna.post(f"{here}reveal/", {"reason": word("reason of a reveal")})
        for address in ("/deals/", "/clients/", "/more/", "/devices/", f"/deals/{Deal.objects.get().pk}/"):
            assert anna.get(address).status_code == 200

    def work_by_api(self) -> None:
        word, boris = self.marks.word, self.boris
        body = {
            **TERMS,
            "price": "100.00",
            "client_phone": self.typed("client of a program"),
            "client_name": word("name of a program's client"),
            "next_step": {"text": word("next step of a program"), "due_on": "2026-12-01"},
            "notes": word("notes of a program"),
        }
        for _retry in range(2):
            created = self.call(boris, "POST", "/deals/", body, key=f"key {self.marks.word('idempotency key')}")
        assert created.status_code == 201, created.content.decode()
        deal = created.json()
        here = f"/deals/{deal['id']}"
        note = self.call(boris, "POST", f"{here}/notes", {"text": word("note of a program")}, key="note").json()
        self.call(boris, "PATCH", f"{here}/notes/{note['id']}", {"text": word("edited note of a program")})
        self.call(boris, "DELETE", f"{here}/notes/{note['id']}")
        self.call(boris, "PATCH", here, {"notes": word("patched notes")}, version=1, key="patch")
        self.call(boris, "POST", f"/clients/{deal['client']}/reveal", {"reason": word("reason of a program")})
        for query in (
            {"q": word("search of a program")},
            {"q": self.typed("phone in a query")},
            {"client_phone": self.typed("phone in a filter")},
        ):
            assert boris.get(f"{API}/deals/", query).status_code == 200
        made = {"phones": [self.typed("phone of a list")], "email": self.marks.email("e-mail of a program")}
        client = self.call(boris, "POST", "/clients/", {**made, "notes": word("notes of a list")}, key="client").json()
        self.call(boris, "DELETE", f"/clients/{client['id']}", version=1)
        for address in (here, f"{here}/timeline", "/clients/", "/deals/", "/agents"):
            assert boris.get(API + address).status_code == 200

    def lose_a_session(self) -> None:
        """Type into forms whose session has ended, and whose token is old."""
        strict = Browser(enforce_csrf_checks=True)
        strict.cookies.update(self.anna.cookies)
        fragment = {"HX-Request": "true", "HX-Current-URL": "http://testserver/deals/new/"}
        old = {"client_name": self.marks.word("form with an old token"), "client_phone": self.typed("old token")}
        assert strict.post("/deals/new/", old, headers=fragment).status_code == 403
        Session.objects.filter(user=self.person("Anna")).update(ended_at=timezone.now())
        kept = {"client_name": self.marks.word("kept form"), "client_phone": self.typed("kept form's phone")}
        assert self.anna.post("/deals/new/", kept).status_code == 302

    def person(self, whose: str) -> User:
        return User.objects.with_phone(self.marks.phones[whose]).get()

    # --- staff

    def look_after_people(self) -> None:
        admin, sonya, word = Browser(), make_staff(), self.marks.word
        sign_in(admin, sonya, settings.ADMIN_COOKIE_NAME)
        anna = self.person("Anna")
        added = {"agency": anna.agency_id, "phone": self.typed("added"), "name": word("added agent"), "role": "agent"}
        assert admin.post("/admin/accounts/user/join/", added).status_code == 302
        here = f"/admin/accounts/user/{anna.pk}"
        assert admin.post("/admin/accounts/user/find/", {"phone": self.marks.phones["Anna"]}).status_code < 400
        admin.post("/admin/accounts/user/lift-range/", {"phone": self.typed("lifted range")})
        admin.post(f"{here}/rename/", {"name": word("renamed by staff")})
        shown = admin.post(f"{here}/reveal/", {"reason": word("why staff reveal an agent")})
        assert self.marks.found_in(shown.content.decode()) >= {"Anna"}
        client = Client.objects.filter(agent=anna).earliest("pk")
        reason = {"reason": word("why staff reveal a client")}
        assert admin.post(f"/admin/deals/client/{client.pk}/reveal/", reason).status_code == 200
        find = {"agency": anna.agency_id, "phone": self.marks.phones["new phone of a client"]}
        assert admin.post("/admin/deals/client/find/", find).status_code < 400
        admin.post(f"{here}/clear/")
        for name in ("user", "event", "changerecord", "smsmessage"):
            query = {"q": self.marks.phones["Anna"]}
            assert admin.get(f"/admin/accounts/{name}/", query).status_code in (200, 302)
        admin.get(f"/admin/deals/client/?agency={anna.agency_id}&q={self.marks.words['new name of a client']}")
        admin.post("/admin/login/", {"login": self.marks.phones["Anna"], "password": word("password"), "code": "123"})

    # --- mistakes

    def go_astray(self) -> None:
        """Send personal data to where none belongs."""
        phone, word = self.typed("phone in an address"), self.marks.word("word in an address")
        for browser in (self.boris, Browser()):
            browser.get(f"/{phone}/{word}/")
            browser.get(f"/deals/?phone={phone}&name={word}", headers={"Referer": f"http://testserver/?q={word}"})
            browser.get(f"{API}/deals/?phone={phone}")
            browser.get(f"{API}/{word}")
            self.call(browser, "POST", "/deals/", {"client_phone": phone + "1", "client_name": word, "colour": word})
            self.call(browser, "POST", f"/deals/{uuid4()}/notes", {"text": word})
            browser.post("/login/", {"phone": f"{phone} {word}"})
            self.call(browser, "POST", "/auth/verify-code", {"phone": phone, "code": "111111"})

    def call(
        self, browser: Browser, method: str, path: str, body: Any = None, *, version: int = 0, key: str = ""
    ) -> Any:
        token = browser.cookies.get(settings.CSRF_COOKIE_NAME)
        headers = {"X-CSRFToken": token.value} if token else {}
        headers |= {"If-Match": f'"{version}"'} if version else {}
        headers |= {"Idempotency-Key": key} if key else {}
        data = b"" if body is None else json.dumps(body).encode()
        return browser.generic(method, API + path, data, "application/json", headers=headers)


def ids() -> set[Any]:
    """Return the ids of everybody and everything that a label could name."""
    return {pk for model in (User, Session, Client, Deal, Event) for pk in model.objects.values_list("pk", flat=True)}


@pytest.fixture
def story(caplog: Any, settings: Any, scrape: Scrape) -> Story:
    settings.LIMITS = {**settings.LIMITS, **dict.fromkeys(("person", "anonymous", "search"), (10**9, 300))}
    caplog.set_level(logging.DEBUG)
    logging.getLogger("django.db.backends").setLevel(logging.INFO)  # statements, which nobody logs in production
    told = Story()
    told.tell()
    return told


def test_nothing_of_a_day_is_found_in_the_dump_the_logs_the_caches_or_the_metrics(
    story: Story, caplog: Any, capfd: Any, scrape: Scrape
):
    told_of = (
        Event,
        ChangeRecord,
        SmsMessage,
        KeptForm,
        IdempotencyKey,
        Search,
        Look,
        Session,
        Note,
        Client,
        AgentTotp,
    )
    assert all(model.objects.exists() for model in told_of), "the story no longer tells everything"
    assert len(story.marks.codes) == 6
    where: dict[str, set[str]] = {}
    times = moments()
    for column, value in dumped():
        found = story.marks.found_in(value)
        if column not in times:
            found |= {f"code {code}" for code in story.marks.codes if re.search(rf"\b{code}\b", value)}
        if found:
            where.setdefault(column, set()).update(found)
    assert where == {}
    assert story.marks.found_in_bytes(files()) == set()
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert [line for line in lines if story.marks.found_in(line)] == []
    assert story.marks.found_in("".join(capfd.readouterr())) == set()
    kept = repr([[*vars(cache)["_cache"].items()] for cache in caches.all() if "_cache" in vars(cache)])
    assert story.marks.found_in(kept) == set()
    assert story.marks.found_in(repr([*LogEntry.objects.values_list()])) == set()
    told = scrape.text()
    assert scrape.samples()["lk_codes_total", "verified", "login"] == 2
    assert story.marks.found_in(told) == set()
    assert not [row for row in ids() if str(row) in told]


def test_the_search_for_marks_finds_them():
    """Or the test above could pass by looking past everything."""
    marks = Marks()
    word, phone = marks.word("word"), marks.phone("phone")
    ten = phone[1:]
    for text in (
        f"… {word.upper()} …",
        json.dumps({"a": word}),
        word.encode().hex(),
        f"8 ({ten[:3]}) {ten[3:6]} {ten[6:8]} {ten[8:]}",
        f"\\x{word.encode().hex()}",
    ):
        assert marks.found_in(text)
    assert marks.found_in_bytes(b"\0" + word.casefold().encode() + b"\0") == {"word"}
    assert marks.found_in("7916 ничего") == set()
    assert Actor.system().user is None
