"""The alarm to heads: who sees five times his own norm of clients' numbers in 24 hours, who is told, and how."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, Agency, Event, Role, Scope, SmsMessage, User
from accounts.models.base import new_id
from accounts.services import agencies, alarms, evidence, people
from accounts.services.unit_of_work import record, unit_of_work
from accounts.tests.people import make_agent, sign_in, staff_actor
from accounts.tests.programs import make_key, program
from accounts.tests.side_by_side import side_by_side
from deals.services.looks import look_at, reveal_phones
from deals.tests.making import make_client
from lk_site.errors import NotAllowed

pytestmark = pytest.mark.django_db

PAGE, NOTICE = "/audit/", "far more clients’ numbers than usual"
FLOOR = settings.LOOKS_ALARM_TIMES * settings.LOOKS_NORM_AT_LEAST


@pytest.fixture
def vera(db: None) -> User:
    return make_agent(agencies.add_agency("Ключи и двери", actor=Actor.system()), "Вера Власова", role=Role.HEAD)


@pytest.fixture
def anna(vera: User) -> User:
    return make_agent(vera.agency, "Анна Агеева")


def by(user: User) -> Actor:
    return Actor.of(user, address="192.0.2.7", request_id="test")


def browser_of(user: User) -> Client:
    browser = Client(headers={"Accept-Language": "en"})
    sign_in(browser, user, settings.SESSION_COOKIE_NAME)
    return browser


@unit_of_work
def see(
    who: User | Actor,
    count: int = 0,
    *,
    days_ago: float = 0,
    clients: Iterable[UUID] = (),
    action: Action = Action.CLIENT_LOOKED_AT,
) -> None:
    """Let somebody see the numbers of these clients, or of so many, that long ago."""
    actor = by(who) if isinstance(who, User) else who
    for client_id in [*clients] or [new_id() for _ in range(count)]:
        event = record(actor, action, client_id=client_id)
        event.at -= timedelta(days=days_ago)


def work_for_days(who: User | Actor, numbers: int, days: int) -> None:
    for day in range(1, days + 1):
        see(who, numbers, days_ago=day + 0.5)


def watch() -> list[tuple[UUID | None, int, int]]:
    """Let a worker look; return whom it raised alarms about, his numbers and his norm."""
    before = set(Event.objects.filter(action=Action.ALARM_RAISED).values_list("pk", flat=True))
    raised = alarms.watch(timezone.now())
    new = Event.objects.filter(action=Action.ALARM_RAISED).exclude(pk__in=before).order_by("seq")
    assert raised == len(new)
    return [(event.object_id, event.data["numbers"], event.data["norm"]) for event in new]


# --- when


def test_five_times_his_own_norm_alarms_and_one_less_does_not(anna):
    work_for_days(anna, 6, 12)
    see(anna, 29)
    assert watch() == []
    see(anna, 1)
    assert watch() == [(anna.pk, 30, 6)]


def test_each_is_measured_by_his_own_norm(anna, vera):
    boris = make_agent(vera.agency, "Борис Белов")
    work_for_days(anna, 12, 12)
    work_for_days(boris, 5, 12)
    for agent in (anna, boris):
        see(agent, 26)
    assert watch() == [(boris.pk, 26, 5)]


def test_who_has_no_norm_yet_is_measured_by_the_least_one(anna):
    see(anna, FLOOR - 1)
    assert watch() == []
    see(anna, 1)
    assert watch() == [(anna.pk, FLOOR, settings.LOOKS_NORM_AT_LEAST)]


def test_a_few_busy_days_make_no_norm(anna):
    """A thief with a new account would else look at 19, then at five times as many, then at five times those."""
    for day in range(1, 5):
        see(anna, 19, days_ago=day + 0.5)
    see(anna, FLOOR)
    assert watch() == [(anna.pk, FLOOR, settings.LOOKS_NORM_AT_LEAST)]


def test_one_wild_day_does_not_raise_the_norm(anna):
    work_for_days(anna, 5, 11)
    see(anna, 60, days_ago=12.5)
    see(anna, 25)
    assert watch() == [(anna.pk, 25, 5)]


def test_days_off_do_not_lower_the_norm(anna):
    for day in range(14, 27):
        see(anna, 10, days_ago=day + 0.5)
    see(anna, 49)
    assert watch() == []


def test_what_is_older_than_four_weeks_is_forgotten(anna):
    for day in range(30, 45):
        see(anna, 50, days_ago=day)
    see(anna, FLOOR)
    assert watch() == [(anna.pk, FLOOR, settings.LOOKS_NORM_AT_LEAST)]


def test_a_number_seen_often_counts_once(anna):
    known = [new_id() for _ in range(FLOOR - 1)]
    for hour in range(3):
        see(anna, clients=known, days_ago=hour / 24)
    assert watch() == []


def test_midnight_divides_nothing(anna):
    see(anna, FLOOR // 2, days_ago=0.9)
    see(anna, FLOOR // 2)
    assert [numbers for _, numbers, _ in watch()] == [FLOOR]


def test_reveals_of_heads_and_programs_are_watched_and_those_of_staff_are_not(vera):
    key = Actor.of_key(make_key(vera).key)
    for actor in (by(vera), key, staff_actor()):
        with unit_of_work():
            for _ in range(FLOOR):
                record(actor, Action.CLIENT_REVEALED, client_id=new_id(), agency_id=vera.agency_id)
    assert {who for who, _, _ in watch()} == {vera.pk, key.id}


def test_searches_and_changes_are_no_looks(anna):
    for action in (Action.CLIENT_SEARCHED, Action.CLIENT_CHANGED, Action.CLIENT_CREATED):
        see(anna, FLOOR, action=action)
    assert watch() == []


def test_looks_and_reveals_as_the_services_record_them_are_counted(vera, anna, monkeypatch):
    monkeypatch.setattr(settings, "LOOKS_NORM_AT_LEAST", 1)
    clients = [make_client(anna, f"7926000000{number}") for number in range(5)]
    for client in clients:
        assert look_at(client, actor=by(anna))
        reveal_phones(client.pk, actor=by(vera))
    assert {(who, numbers) for who, numbers, _ in watch()} == {(anna.pk, 5), (vera.pk, 5)}


# --- once


def test_it_is_raised_once_in_24_hours_of_each(anna, vera):
    boris = make_agent(vera.agency, "Борис Белов")
    see(anna, FLOOR)
    assert len(watch()) == 1
    see(anna, FLOOR)
    see(boris, FLOOR)
    assert [who for who, _, _ in watch()] == [boris.pk]
    assert watch() == []


def test_it_is_raised_again_on_another_day(anna):
    with unit_of_work():
        event = record(Actor.system(), Action.ALARM_RAISED, anna, numbers=FLOOR, norm=4)
        event.at -= timedelta(hours=25)
    see(anna, FLOOR)
    assert len(watch()) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_raises_it(anna):
    see(anna, FLOOR)
    assert sorted(side_by_side(4, lambda number: alarms.watch(timezone.now()))) == [0, 0, 0, 1]
    assert Event.objects.filter(action=Action.ALARM_RAISED).count() == 1


def test_the_worker_watches(anna):
    see(anna, FLOOR)
    call_command("worker", once=True)
    assert Event.objects.filter(action=Action.ALARM_RAISED, object_id=anna.pk).exists()


def test_it_is_evidence_of_the_agency_and_holds_no_personal_data(anna, vera):
    see(anna, FLOOR)
    watch()
    event = Event.objects.get(action=Action.ALARM_RAISED)
    assert (event.agency_id, event.actor_kind, event.object_type) == (vera.agency_id, "system", "user")
    assert event.data == {"numbers": FLOOR, "norm": settings.LOOKS_NORM_AT_LEAST}
    assert evidence.first_flaw(vera.agency_id) is None


# --- who is told, and how


def told(user: User) -> bool:
    page = browser_of(user).get("/more/").content.decode()
    return NOTICE in page


def test_the_heads_of_the_agency_are_told_on_every_page_and_nobody_else(anna, vera):
    zoya = make_agent(vera.agency, "Зоя Зимина", role=Role.HEAD)
    gleb = make_agent(agencies.add_agency("Свой угол", actor=Actor.system()), "Глеб Громов", role=Role.HEAD)
    see(anna, FLOOR)
    assert not told(vera)
    watch()
    assert [told(person) for person in (vera, zoya, anna, gleb)] == [True, True, False, False]
    browser = browser_of(vera)
    for path in ("/deals/", "/clients/", "/keys/", "/profile/"):
        page = browser.get(path).content.decode()
        assert NOTICE in page, path
        assert f'href="{PAGE}"' in page, path


def test_heads_are_told_by_sms_once_a_day_and_it_names_nobody(anna, vera):
    zoya = make_agent(vera.agency, "Зоя Зимина", role=Role.HEAD, language="en")
    gone = make_agent(vera.agency, "Олег Орлов", role=Role.HEAD, is_active=False)
    for looker in (anna, gone):
        see(looker, FLOOR)
        watch()
    sent = {sms.phone or "": sms.text or "" for sms in SmsMessage.objects.all()}
    assert len(sent) == SmsMessage.objects.count() == 2
    assert sent[zoya.phone or ""] == "LK: somebody sees far more numbers than usual. See the audit."
    russian = sent[vera.phone or ""]
    assert russian.startswith("ЛК: ")
    assert len(russian) <= 70, "one segment"


def test_the_audit_says_who_how_many_and_what_his_norm_is(anna, vera):
    key = make_key(vera, name="Портал").key
    see(anna, 30)
    see(Actor.of_key(key), FLOOR)
    watch()
    page = browser_of(vera).get(PAGE).content.decode()
    assert "Анна Агеева</a><br>30 numbers in 24 hours, against a norm of 4." in page
    assert "Key “Портал”</a><br>20 numbers in 24 hours" in page
    assert f'href="{PAGE}?who={anna.pk}"' in page
    assert page.count(NOTICE) == 1
    assert "Raised the alarm" in page


def test_a_head_takes_it_off_his_own_pages_only(anna, vera):
    zoya = make_agent(vera.agency, "Зоя Зимина", role=Role.HEAD)
    see(zoya, FLOOR)
    watch()
    alarm = Event.objects.get(action=Action.ALARM_RAISED)
    assert browser_of(zoya).post(f"{PAGE}alarms/{alarm.pk}/seen/")["Location"] == PAGE
    assert [told(person) for person in (zoya, vera)] == [False, True], "who is meant hides it from nobody else"
    assert (
        browser_of(vera).post(f"/api/v1/audit/alarms/{alarm.pk}/seen", content_type="application/json").status_code
        == 204
    )
    assert not told(vera)
    seen = Event.objects.filter(action=Action.ALARM_SEEN).order_by("seq")
    assert [(event.actor_id, event.data["alarm"]) for event in seen] == [
        *((zoya.pk, str(alarm.pk)), (vera.pk, str(alarm.pk))),
    ]


def test_it_is_taken_off_once(anna, vera):
    see(anna, FLOOR)
    watch()
    alarm = Event.objects.get(action=Action.ALARM_RAISED)
    for _ in range(2):
        alarms.see_alarms(alarm.pk, actor=by(vera))
    assert Event.objects.filter(action=Action.ALARM_SEEN).count() == 1


def test_an_alarm_that_came_meanwhile_is_not_taken_off_with_the_one_before(anna, vera):
    see(anna, FLOOR)
    watch()
    shown = Event.objects.get(action=Action.ALARM_RAISED)
    see(vera, FLOOR)
    watch()
    alarms.see_alarms(shown.pk, actor=by(vera))
    assert told(vera)
    (left,) = alarms.waiting_for(by(User.objects.get(pk=vera.pk)))
    assert left.object_id == vera.pk


def test_an_old_alarm_goes_by_itself(vera):
    Agency.objects.filter(pk=vera.agency_id).update(alarmed_at=timezone.now() - settings.ALARM_LIFE)
    assert not told(vera)


def test_nobody_but_a_head_in_person_takes_it_off(anna, vera):
    see(anna, FLOOR)
    watch()
    alarm = Event.objects.get(action=Action.ALARM_RAISED)
    shown = make_key(vera, list(Scope))
    for actor in (Actor.of_key(shown.key), staff_actor(), Actor.system(), Actor.nobody()):
        with pytest.raises(NotAllowed):
            alarms.see_alarms(alarm.pk, actor=actor)
    answer = program(shown.token).post(f"/api/v1/audit/alarms/{alarm.pk}/seen", content_type="application/json")
    assert answer.status_code == 403
    gleb = make_agent(agencies.add_agency("Свой угол", actor=Actor.system()), "Глеб Громов", role=Role.HEAD)
    other = Event.objects.filter(agency_id=vera.agency_id).exclude(pk=alarm.pk).latest("seq")
    for person, event in ((anna, alarm), (gleb, alarm), (vera, other)):
        with pytest.raises(Event.DoesNotExist):
            alarms.see_alarms(event.pk, actor=by(person))
        assert (
            browser_of(person)
            .post(f"/api/v1/audit/alarms/{event.pk}/seen", content_type="application/json")
            .status_code
            == 404
        )
    assert told(vera)


def test_of_who_has_left_meanwhile_no_name_is_told_and_a_disabled_one_keeps_his(anna, vera):
    see(anna, FLOOR)
    watch()
    people.disable_agent(anna.pk, actor=Actor.system())
    browser: Any = browser_of(vera)
    assert "Анна Агеева</a><br>20 numbers" in browser.get(PAGE).content.decode()
    User.objects.filter(pk=anna.pk).update(agency=make_agent().agency)
    assert "Someone who has left</a><br>20 numbers" in browser.get(PAGE).content.decode()
