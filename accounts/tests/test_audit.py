"""The audit of an agency: who may read it and take it along, what it tells and what it hides, by page and by API."""

import csv
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts.actor import Actor
from accounts.audit_csv import COLUMNS, safe
from accounts.models import PLATFORM, Action, Event, Role, Scope, Session, User
from accounts.services import agencies, audit, people
from accounts.services.audit import AuditFilter
from accounts.services.step_up import FreshCodeRequired
from accounts.tests.clock import clock
from accounts.tests.people import make_agent, sign_in, staff_actor
from accounts.tests.programs import confirmed, make_key, program
from accounts.tests.recording import record_at, record_now
from deals.models import Deal
from deals.services.looks import reveal_phones
from deals.services.pipeline import move_deal
from deals.tests.making import PHONE, make_deal
from lk_site.errors import Invalid, LimitReached, NotAllowed

__all__ = ["clock"]
pytestmark = pytest.mark.django_db

PAGE, EXPORT, API, API_EXPORT = "/audit/", "/audit/export/", "/api/v1/audit", "/api/v1/audit/export"
NAME = "Мария Петрова"


@pytest.fixture
def vera(db: None) -> User:
    return make_agent(agencies.add_agency("Ключи и двери", actor=Actor.system()), "Вера Власова", role=Role.HEAD)


@pytest.fixture
def anna(vera: User) -> User:
    return make_agent(vera.agency, "Анна Агеева")


@pytest.fixture
def gleb(db: None) -> User:
    return make_agent(agencies.add_agency("Свой угол", actor=Actor.system()), "Глеб Громов", role=Role.HEAD)


@pytest.fixture
def deal(anna: User) -> Deal:
    """A deal of Anna's that has been moved once."""
    made = make_deal(anna, client_name=NAME)
    return move_deal(made.pk, "showing", actor=by(anna), version=1)


def by(user: User) -> Actor:
    return Actor.of(user, address="192.0.2.7", request_id="test")


def browser_of(user: User, *, is_confirmed: bool = False) -> Client:
    browser = Client(headers={"Accept-Language": "en"}, raise_request_exception=False)
    row = sign_in(browser, user, settings.SESSION_COOKIE_NAME)
    if is_confirmed:
        Session.objects.filter(pk=row.pk).update(confirmed_at=timezone.now())
    return browser


def text_of(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.content
    return str(answer.content.decode())


def listed(who: Actor, **asked: Any) -> list[str]:
    """Return the actions of the audit's first page, as this actor reads it."""
    return [event.action for event in audit.list_events(AuditFilter(**asked), actor=who, limit=100).events]


def table_of(answer: Any) -> list[dict[str, str]]:
    """Return the rows of an exported table."""
    assert answer.status_code == 200, answer.content
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    header, *rows = csv.reader(text.splitlines(), delimiter=";")
    assert tuple(header) == COLUMNS
    return [dict(zip(header, row, strict=True)) for row in rows]


def export_in_browser(user: User, is_confirmed: bool = True, **asked: str) -> Any:
    return browser_of(user, is_confirmed=is_confirmed).post(EXPORT, asked)


def export_by_api(user: User, is_confirmed: bool = True, **asked: str) -> Any:
    browser = browser_of(user, is_confirmed=is_confirmed)
    return browser.post(API_EXPORT, asked, content_type="application/json")


BOTH_DOORS = pytest.mark.parametrize("export", [export_in_browser, export_by_api])


# --- who may


def test_only_a_head_and_a_program_read_it(vera, anna, deal):
    for actor in (by(vera), Actor.of_key(make_key(vera).key)):
        assert Action.DEAL_MOVED in listed(actor)
    for actor in (by(anna), staff_actor(), Actor.system(), Actor.nobody()):
        with pytest.raises(NotAllowed):
            listed(actor)
        with pytest.raises(NotAllowed):
            audit.all_names(actor)
        with pytest.raises(NotAllowed):
            audit.export_events(AuditFilter(), actor=actor)


def test_no_program_takes_it_along(vera):
    shown = make_key(vera)
    with pytest.raises(NotAllowed):
        audit.export_events(AuditFilter(), actor=Actor.of_key(shown.key))
    assert program(shown.token).post(API_EXPORT, {}, content_type="application/json").status_code == 403


def test_a_key_reads_it_with_its_scope_only(vera, deal):
    scopes = [scope for scope in Scope if scope != Scope.REPORTS_READ]
    assert program(make_key(vera, scopes).token).get(API).status_code == 403
    items = program(make_key(vera, [Scope.REPORTS_READ]).token).get(API, {"action": "deal.moved"}).json()["items"]
    assert [(item["object_id"], item["actor"]["name"]) for item in items] == [(str(deal.pk), "Анна Агеева")]


def test_an_agent_is_refused_before_anything_is_read(vera, anna):
    browser = browser_of(anna, is_confirmed=True)
    assert PAGE not in text_of(browser.get("/more/"))
    for answer in (browser.get(PAGE), browser.post(EXPORT, {"since": "x"}), browser.get(API)):
        assert answer.status_code == 403
        assert "Вера" not in answer.content.decode()


def test_the_head_finds_it_under_more(vera):
    assert f'href="{PAGE}"' in text_of(browser_of(vera).get("/more/"))


def test_nothing_of_another_agency_or_of_the_platform_is_in_it(vera, gleb, deal):
    record_now(Actor.nobody(), Action.STAFF_LOGIN_FAILED)
    events = audit.list_events(AuditFilter(), actor=by(gleb), limit=100).events
    assert {event.agency_id for event in events} == {gleb.agency_id}
    assert Event.objects.filter(agency_id=PLATFORM).exists()
    for asked in ({"object": deal.pk}, {"actor": (deal.agent_id,)}, {"action": ("deal.moved",)}):
        assert listed(by(gleb), **asked) == []
    browser = browser_of(gleb)
    for query in ({"object": deal.pk}, {"who": deal.agent_id}, {"action": "deal.moved"}):
        assert f"/deals/{deal.pk}/" not in text_of(browser.get(PAGE, query))
    assert "Анна Агеева" not in text_of(browser.get(PAGE))
    assert browser.get(API, {"object": deal.pk}).json()["items"] == []
    assert table_of(export_in_browser(gleb, object=str(deal.pk))) == []


# --- what it tells


def test_the_page_tells_who_did_what_when_and_from_where(vera, deal):
    page = text_of(browser_of(vera).get(PAGE))
    for told in ("Moved the deal", "Анна Агеева", "192.0.2.7", "№ 1", f"/deals/{deal.pk}/", "today"):
        assert told in page, told


def test_the_api_tells_the_same(vera, anna, deal):
    (item,) = browser_of(vera).get(API, {"action": "deal.moved"}).json()["items"]
    event = Event.objects.get(action=Action.DEAL_MOVED)
    assert item | {"at": ""} == {
        "id": str(event.pk),
        "number": event.seq,
        "at": "",
        "action": "deal.moved",
        "actor": {"kind": "agent", "id": str(anna.pk), "name": "Анна Агеева"},
        "address": "192.0.2.7",
        "object_type": "deal",
        "object_id": str(deal.pk),
        "deal": str(deal.pk),
        "client": str(deal.client_id),
        "version": 2,
        "fields": event.fields,
        "request_id": "test",
    }
    assert datetime.fromisoformat(item["at"]) == event.at


def test_neither_names_nor_numbers_of_clients_stand_in_it(vera, anna, deal):
    reveal_phones(deal.client_id, actor=by(vera), reason="")
    browser = browser_of(vera)
    told = text_of(browser.get(PAGE)) + text_of(browser.get(API)) + str(table_of(export_in_browser(vera)))
    assert "client.revealed" in told
    for secret in (NAME, PHONE, PHONE[-4:] + "<", "Тверская", "12500000"):
        assert secret not in told, secret


def test_of_staff_neither_name_nor_id_nor_address_is_told(vera, deal):
    sonya = staff_actor()
    reveal_phones(deal.client_id, actor=sonya, reason="Жалоба субъекта")
    (item,) = browser_of(vera).get(API, {"action": "client.revealed"}).json()["items"]
    assert item["actor"] == {"kind": "staff", "id": None, "name": None}
    assert item["address"] is None
    told = str(table_of(export_by_api(vera))) + text_of(browser_of(vera).get(PAGE))
    assert "staff of the platform" in told.lower()
    for secret in ("sonya", str(sonya.user_id), "203.0.113.5", "Жалоба"):
        assert secret not in told, secret


def test_programs_are_named_and_who_has_gone_elsewhere_is_not(vera, anna, gleb, deal):
    key = make_key(vera, name="Портал").key
    record_now(Actor.of_key(key), Action.DEAL_CHANGED, deal)
    record_now(by(gleb), Action.DEAL_CHANGED, deal, agency_id=vera.agency_id)
    page = text_of(browser_of(vera).get(PAGE, {"action": "deal.changed"}))
    assert "Key “Портал”" in page
    assert "Someone who has left" in page
    assert "Глеб" not in page


def test_a_disabled_person_keeps_his_name(vera, anna, deal):
    people.disable_agent(anna.pk, actor=Actor.system())
    assert "Анна Агеева" in text_of(browser_of(vera).get(PAGE, {"action": "deal.moved"}))


def test_what_only_a_newer_release_knows_is_told_by_its_code(vera):
    newer = StrEnum("newer", {"DEAL_TELEPORTED": "deal.teleported"})
    record_now(by(vera), newer.DEAL_TELEPORTED)  # type: ignore[arg-type]
    assert "Deal.teleported" in text_of(browser_of(vera).get(PAGE))
    assert table_of(export_in_browser(vera))[0]["action"] == "deal.teleported"


def test_a_name_that_is_markup_is_text(vera):
    boris = make_agent(vera.agency, "<b>Борис</b>")
    record_now(by(boris), Action.PROFILE_CHANGED, boris)
    page = text_of(browser_of(vera).get(PAGE))
    assert "<b>Борис" not in page
    assert "&lt;b&gt;Борис" in page


# --- narrowed


def test_it_is_narrowed_by_person_action_time_and_object(vera, anna, deal):
    long_ago, between = timezone.now() - timedelta(days=3), timezone.now() - timedelta(days=2)
    other = make_deal(vera)
    record_at(long_ago, by(anna), Action.NOTE_ADDED, other)
    hers = {"client.created", "deal.created", "deal.moved", "note.added"}
    assert set(listed(by(vera), actor=(anna.pk,))) == hers
    assert listed(by(vera), action=("deal.created", "deal.moved")) == ["deal.created", "deal.moved", "deal.created"]
    assert listed(by(vera), actor=(anna.pk,), since=between, action=("deal.created", "note.added")) == ["deal.created"]
    assert listed(by(vera), until=between) == ["note.added"]
    assert listed(by(vera), since=long_ago, until=between) == ["note.added"], "the first moment belongs to it"
    assert listed(by(vera), until=long_ago) == [], "the last one does not"
    assert set(listed(by(vera), object=other.pk)) == {"deal.created", "note.added"}
    assert set(listed(by(vera), object=deal.client_id)) == {"client.created", "deal.created", "deal.moved"}
    assert listed(by(vera), object=uuid4()) == []


def test_a_day_is_a_day_of_the_reader_and_both_ends_belong_to_it(vera, deal):
    User.objects.filter(pk=vera.pk).update(time_zone="Asia/Vladivostok")
    day = Event.objects.get(action=Action.DEAL_MOVED).at.astimezone(UTC) + timedelta(hours=10)
    browser = browser_of(vera)
    moved = {"action": "deal.moved"}
    here, before, after = (f"{day + timedelta(days=by):%Y-%m-%d}" for by in (0, -1, 1))
    assert f"/deals/{deal.pk}/" in text_of(browser.get(PAGE, moved | {"since": here, "until": here}))
    assert f"/deals/{deal.pk}/" not in text_of(browser.get(PAGE, moved | {"until": before}))
    assert f"/deals/{deal.pk}/" not in text_of(browser.get(PAGE, moved | {"since": after}))


@pytest.mark.parametrize(
    "query",
    [
        {"who": "x"},
        {"who": str(uuid4())},
        {"action": "deal.stolen"},
        {"action": "\x00"},
        {"since": "yesterday"},
        {"since": "0001-01-01"},
        {"until": "9999-12-31"},
        {"until": "2199-12-31", "since": "1900-01-01"},
        {"object": "1"},
        {"object": "\ud800"},
        {"cursor": "x"},
        {"cursor": "a" * 3000},
        {"since": "2026-05-02", "until": "2026-05-01"},
    ],
)
def test_bad_filters_never_break_the_page(vera, deal, query):
    browser = browser_of(vera, is_confirmed=True)
    encoded = {name: value.encode("utf-8", "replace") for name, value in query.items()}
    assert browser.get(PAGE, encoded).status_code == 200
    assert browser.post(EXPORT, encoded).status_code in (200, 400, 422)


@pytest.mark.parametrize(
    "query",
    [
        {"actor": "x"},
        {"actor": [str(UUID(int=n)) for n in range(51)]},
        {"action": "deal.stolen"},
        {"action": "staff.logged_in"},
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00Z"},
        {"until": "9999-12-31T23:59:59Z"},
        {"object": "1"},
        {"cursor": "x"},
        {"limit": "0"},
        {"limit": "101"},
        {"who": "x"},
    ],
)
def test_the_api_refuses_what_it_does_not_know(vera, query):
    assert browser_of(vera).get(API, query).status_code == 422


def test_filters_that_are_on_are_shown_with_a_way_to_take_each_off(vera, anna, deal):
    page = text_of(browser_of(vera).get(PAGE, {"who": anna.pk, "action": "deal.moved", "object": deal.pk}))
    assert f'href="{PAGE}?action=deal.moved&amp;object={deal.pk}"' in page
    assert f'<input type="hidden" name="object" value="{deal.pk}">' in page
    nothing = text_of(browser_of(vera).get(PAGE, {"who": anna.pk, "action": "key.made"}))
    assert "Take off a filter" in nothing


def test_people_to_choose_from_stand_by_name_and_who_has_none_last(vera, anna):
    make_agent(vera.agency, None)
    make_agent(vera.agency, "борис")
    names = list(audit.all_names(by(vera)).people.values())
    assert names == ["Анна Агеева", "борис", "Вера Власова", ""]


# --- pages


def test_pages_follow_each_other_without_gaps_or_repeats_while_events_are_added(vera, anna):
    for _ in range(7):
        record_now(by(anna), Action.NOTE_ADDED, anna)
    all_of_them = list(Event.objects.filter(action=Action.NOTE_ADDED).order_by("-seq").values_list("pk", flat=True))
    found: list[UUID] = []
    query: Any = {"action": "note.added", "limit": 3}
    browser = browser_of(vera)
    while "cursor" not in query or query["cursor"]:
        answer = browser.get(API, query).json()
        found += [UUID(item["id"]) for item in answer["items"]]
        query["cursor"] = answer["next_cursor"]
        record_now(by(anna), Action.NOTE_ADDED, anna)
    assert found == all_of_them


def test_the_page_leads_on_with_its_filters_and_a_foreign_cursor_to_its_beginning(vera, anna):
    for _ in range(51):
        record_now(by(anna), Action.NOTE_ADDED, anna)
    browser = browser_of(vera)
    page = text_of(browser.get(PAGE, {"action": "note.added"}))
    assert page.count('class="entry"') == 50
    (following,) = [part.split('"')[0] for part in page.split('href="') if "cursor=" in part.split('"')[0]]
    assert following.startswith(f"{PAGE}?action=note.added&amp;cursor=")
    cursor = following.rpartition("cursor=")[2]
    assert text_of(browser.get(PAGE, {"action": "note.added", "cursor": cursor})).count('class="entry"') == 1
    assert text_of(browser.get(PAGE, {"action": "note.edited", "cursor": cursor})).count('class="entry"') == 0
    assert text_of(browser.get(PAGE, {"cursor": cursor})).count('class="entry"') == 50


@pytest.mark.parametrize("door", [PAGE, API])
def test_a_page_costs_the_same_however_much_it_shows(vera, anna, door):
    browser = browser_of(vera)

    def statements(deals: int) -> list[str]:
        for _ in range(deals):
            make_deal(anna)
        browser.get(door)  # what is asked once a minute
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(door).status_code == 200
        return [query["sql"] for query in captured]

    few, many = statements(1), statements(4)
    assert len(few) == len(many) <= (7 if door == PAGE else 4), "\n".join(many)


# --- taken along


def refusal_of(asked: AuditFilter, head: Actor) -> tuple[str, str]:
    with pytest.raises(Invalid) as refused:
        audit.export_events(asked, actor=head)
    (error,) = refused.value.errors
    return error.field, error.code


@BOTH_DOORS
def test_it_is_taken_along_as_a_table(vera, anna, deal, export):
    answer = export(vera, action="deal.moved") if export is export_in_browser else export(vera, action=["deal.moved"])
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="audit-')
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "no-store" in answer["Cache-Control"] or "no-cache" in answer["Cache-Control"]
    (row,) = table_of(answer)
    assert (row["actor_kind"], row["who"], row["what"], row["about"]) == (
        *("agent", "Анна Агеева"),
        *("Moved the deal", "№ 1"),
    )
    assert (row["action"], row["object"], row["deal"]) == ("deal.moved", str(deal.pk), str(deal.pk))
    assert (row["version"], row["address"], row["request"]) == ("2", "192.0.2.7", "test")
    assert datetime.fromisoformat(row["at"]).utcoffset() == timedelta(hours=3)


@BOTH_DOORS
def test_a_table_needs_a_fresh_code(vera, export):
    answer = export(vera, is_confirmed=False)
    if export is export_in_browser:
        assert answer["Location"].startswith("/step-up/")
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "fresh_code_required")
    assert not Event.objects.filter(action=Action.EXPORT_MADE).exists()


def test_each_table_leaves_an_event_and_the_fourth_of_a_day_is_refused(vera, clock):
    head = confirmed(vera)
    for _ in range(3):
        clock.forward(seconds=1)
        list(audit.export_events(AuditFilter(), actor=head))
    with pytest.raises(LimitReached):
        audit.export_events(AuditFilter(), actor=head)
    made = Event.objects.filter(action=Action.EXPORT_MADE)
    assert made.count() == 3
    event = made.latest("seq")
    assert (event.agency_id, event.actor_id, event.data["what"]) == (vera.agency_id, vera.pk, "audit")
    assert event.data["rows"] == event.seq - 1, "every event before it"
    assert datetime.fromisoformat(event.data["until"]) - datetime.fromisoformat(event.data["since"]) == timedelta(31)
    clock.forward(days=1, minutes=1)
    list(audit.export_events(AuditFilter(), actor=confirmed(vera)))


def test_a_longer_time_and_too_many_events_are_refused_and_not_counted(vera, monkeypatch):
    now, head = timezone.now(), confirmed(vera)
    for until in (None, now, now - timedelta(days=60)):
        asked = AuditFilter(since=now - timedelta(days=99), until=until)
        assert refusal_of(asked, head) == ("since", "range_too_wide")
    record_now(head, Action.NOTE_ADDED)
    monkeypatch.setattr(audit, "EXPORT_ROWS", 1)
    assert refusal_of(AuditFilter(), head) == ("since", "too_many")
    assert not Event.objects.filter(action=Action.EXPORT_MADE).exists()


def test_the_page_says_that_the_time_is_too_long(vera):
    browser = browser_of(vera, is_confirmed=True)
    here = f"{PAGE}?since=2026-01-01"
    answer = browser.post(EXPORT, {"since": "2026-01-01"}, headers={"Referer": f"http://testserver{here}"})
    assert answer["Location"] == here
    assert "31 days" in text_of(browser.get(here))


def test_who_may_export_is_asked_before_the_rest(vera, anna):
    too_long = AuditFilter(since=timezone.now() - timedelta(days=99))
    with pytest.raises(NotAllowed):
        audit.export_events(too_long, actor=confirmed(anna))
    with pytest.raises(FreshCodeRequired):
        audit.export_events(AuditFilter(), actor=by(vera))


def test_a_table_is_read_in_batches_to_its_end(vera, anna, monkeypatch):
    monkeypatch.setattr(audit, "ROWS_AT_ONCE", 2)
    for _ in range(5):
        record_now(by(anna), Action.NOTE_ADDED, anna)
    rows = table_of(export_in_browser(vera))
    numbers = [int(row["number"]) for row in rows]
    made = Event.objects.get(action=Action.EXPORT_MADE)
    assert numbers == list(range(made.seq - 1, 0, -1)), "all but the event of the export itself"


def test_a_table_is_in_the_language_of_who_asked_and_leaves_the_thread_as_it_was(vera, deal):
    browser = browser_of(vera, is_confirmed=True)
    answer: Any = browser.post(EXPORT, {"action": "deal.moved"}, headers={"Accept-Language": "ru"})
    lines = iter(answer.streaming_content)
    with translation.override("en"):
        assert next(lines)
        assert "Сделка перенесена" in next(lines).decode()
        assert translation.get_language() == "en"


@pytest.mark.parametrize("name", ["=1+1", "+7", "-2", "@SUM(A1)", "＝1+1", "\t=1", "\r=1"])
def test_a_name_never_becomes_a_formula(name):
    assert safe(name) == f"'{name}"


def test_names_with_separators_and_quotes_stay_in_their_cell(vera):
    boris = make_agent(vera.agency, 'Борис; "Белый"')
    evil = make_agent(vera.agency, '=HYPERLINK("https://example.ru")')
    for person in (boris, evil):
        record_now(by(person), Action.PROFILE_CHANGED, person)
    evils, boriss = table_of(export_in_browser(vera, action="profile.changed"))
    assert boriss["who"] == 'Борис; "Белый"'
    assert evils["who"] == '\'=HYPERLINK("https://example.ru")'
