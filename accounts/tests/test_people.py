from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from accounts.actor import Actor
from accounts.models import Action, Agency, Event, EventText, Role, Session, User
from accounts.services import agencies, login_limits, people
from accounts.services.session_store import new_key, new_row
from accounts.tests.people import make_agency, make_agent, new_phone, staff_actor
from lk_site.errors import Invalid, LimitReached, NotAllowed

pytestmark = pytest.mark.django_db


@pytest.fixture
def agency() -> Agency:
    return make_agency()


@pytest.fixture
def vera(agency: Agency) -> User:
    return make_agent(agency, "Вера Волкова", Role.HEAD)


@pytest.fixture
def anna(agency: Agency) -> User:
    return make_agent(agency, "Анна Агеева")


@pytest.fixture
def sonya(db: None) -> Actor:
    return staff_actor()


def actions(obj: Any) -> list[str]:
    return list(Event.objects.filter(object_id=obj.pk).order_by("seq").values_list("action", flat=True))


def agency_id_of(user: User) -> UUID:
    assert user.agency_id
    return user.agency_id


def test_an_unknown_phone_opens_an_agency_of_one_with_pipelines(db: None) -> None:
    head = agencies.open_agency_of_one("79161112233", actor=Actor.nobody())
    assert head.is_head
    assert head.phone == "79161112233"
    assert head.name is None
    assert actions(head.agency) == [Action.AGENCY_OPENED]
    assert agencies.open_agency_of_one("79161112233", actor=Actor.nobody()).pk == head.pk


def test_staff_open_and_name_agencies(sonya: Actor) -> None:
    agency = agencies.add_agency("  Ключ ", actor=sonya)
    assert agency.name == "Ключ"
    agencies.rename_agency(agency.pk, "Дом", actor=sonya)
    assert Agency.objects.get(pk=agency.pk).name == "Дом"
    assert actions(agency) == [Action.AGENCY_OPENED, Action.AGENCY_CHANGED]


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\nb", "x" * 101])
def test_an_agency_needs_a_name_of_one_line(sonya: Actor, name: str) -> None:
    with pytest.raises(Invalid):
        agencies.add_agency(name, actor=sonya)


def test_an_agency_with_people_stays_open(sonya: Actor, vera: User) -> None:
    with pytest.raises(agencies.AgencyNotEmpty):
        agencies.close_agency(agency_id_of(vera), actor=sonya)


def test_staff_add_an_agent_by_phone(sonya: Actor, agency: Agency) -> None:
    anna = people.add_agent(agency.pk, phone="8 (916) 111-22-33", name="Анна", role="agent", actor=sonya)
    anna = User.objects.get(pk=anna.pk)
    assert (anna.phone, anna.name, anna.role, anna.agency_id) == ("79161112233", "Анна", "agent", agency.pk)
    assert anna.consent_version == ""
    assert actions(anna) == [Action.AGENT_ADDED]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("phone", "123"), ("phone", "+44 20 7946 0958"), ("name", " "), ("name", "a\u202eb"), ("role", "owner")],
)
def test_an_agent_is_not_added_with_a_wrong_field(sonya: Actor, agency: Agency, field: str, wrong: str) -> None:
    right = {"phone": "79161112233", "name": "Анна", "role": "agent"}
    with pytest.raises(Invalid) as refused:
        people.add_agent(agency.pk, actor=sonya, **(right | {field: wrong}))
    assert [error.field for error in refused.value.errors] == [field]
    assert not User.objects.agents().exists()


def test_a_phone_of_another_agencys_agent_is_refused(sonya: Actor, agency: Agency, vera: User) -> None:
    gleb = make_agent(make_agency("Другое"), "Глеб Громов")
    make_agent(gleb.agency, "Руководитель", Role.HEAD)
    with pytest.raises(people.PhoneTaken):
        people.add_agent(agency.pk, phone=gleb.phone or "", name="Глеб", role="agent", actor=sonya)
    assert User.objects.get(pk=gleb.pk).agency_id == gleb.agency_id


def test_a_phone_of_the_same_agency_is_refused(sonya: Actor, anna: User) -> None:
    with pytest.raises(people.PhoneTaken):
        people.add_agent(agency_id_of(anna), phone=anna.phone or "", name="Анна", role="agent", actor=sonya)


def test_an_agent_alone_without_work_moves_and_his_agency_is_closed(sonya: Actor, agency: Agency) -> None:
    alone = agencies.open_agency_of_one(new_phone(), actor=Actor.nobody())
    left = agency_id_of(alone)
    moved = people.add_agent(agency.pk, phone=alone.phone or "", name="Пётр", role="agent", actor=sonya)
    assert moved.pk == alone.pk
    moved = User.objects.get(pk=moved.pk)
    assert (moved.agency_id, moved.role, moved.name) == (agency.pk, "agent", "Пётр")
    assert Agency.objects.get(pk=left).closed_at is not None
    assert actions(Agency.objects.get(pk=left))[-1] == Action.AGENCY_CLOSED


def test_an_agent_alone_who_holds_work_stays(sonya: Actor, agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agencies.work, "holds_work", lambda user_id: True)
    alone = agencies.open_agency_of_one(new_phone(), actor=Actor.nobody())
    with pytest.raises(people.PhoneTaken):
        people.add_agent(agency.pk, phone=alone.phone or "", name="Пётр", role="agent", actor=sonya)
    assert Agency.objects.get(pk=agency_id_of(alone)).closed_at is None


def test_nobody_is_added_to_a_closed_agency(sonya: Actor) -> None:
    empty = agencies.add_agency("Пустое", actor=sonya)
    agencies.close_agency(empty.pk, actor=sonya)
    with pytest.raises(Agency.DoesNotExist):
        people.add_agent(empty.pk, phone=new_phone(), name="Анна", role="agent", actor=sonya)


def test_the_last_head_is_neither_demoted_nor_disabled(sonya: Actor, vera: User, anna: User) -> None:
    with pytest.raises(people.LastHead):
        people.set_role(vera.pk, Role.AGENT, actor=sonya)
    with pytest.raises(people.LastHead):
        people.disable_agent(vera.pk, actor=sonya)
    people.set_role(anna.pk, Role.HEAD, actor=sonya)
    people.set_role(vera.pk, Role.AGENT, actor=sonya)
    assert actions(vera) == [Action.ROLE_CHANGED]
    assert Event.objects.get(object_id=vera.pk).data == {"was": "head", "now": "agent"}


def test_a_disabled_head_does_not_count(sonya: Actor, vera: User, agency: Agency) -> None:
    make_agent(agency, "Бывший", Role.HEAD, is_active=False)
    with pytest.raises(people.LastHead):
        people.set_role(vera.pk, Role.AGENT, actor=sonya)


@pytest.mark.django_db(transaction=True)
def test_two_demotions_at_once_leave_a_head(agency: Agency) -> None:
    heads = [make_agent(agency, name, Role.HEAD) for name in ("Вера", "Вера вторая")]
    actor = staff_actor()

    def demote(head: User) -> str:
        try:
            people.set_role(head.pk, Role.AGENT, actor=actor)
        except people.LastHead:
            return "refused"
        finally:
            connection.close()
        return "demoted"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, heads)) == ["demoted", "refused"]
    assert User.objects.filter(role=Role.HEAD).count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_phone_added_twice_at_once_is_one_agent(agency: Agency) -> None:
    actor, phone = staff_actor(), new_phone()

    def add(name: str) -> str:
        try:
            people.add_agent(agency.pk, phone=phone, name=name, role="agent", actor=actor)
        except people.PhoneTaken:
            return "refused"
        finally:
            connection.close()
        return "added"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(add, ["Анна", "Ася"])) == ["added", "refused"]


def test_disabling_ends_sessions_at_once(sonya: Actor, vera: User, anna: User) -> None:
    row = new_row(new_key(), anna)
    people.disable_agent(anna.pk, actor=sonya)
    assert Session.objects.get(pk=row.pk).ended_at is not None
    assert not User.objects.get(pk=anna.pk).is_active
    people.enable_agent(anna.pk, actor=sonya)
    assert actions(anna) == [Action.AGENT_DISABLED, Action.AGENT_ENABLED]


def test_the_same_change_twice_is_one_event(sonya: Actor, vera: User, anna: User) -> None:
    for _ in range(2):
        people.disable_agent(anna.pk, actor=sonya)
        people.set_role(anna.pk, Role.AGENT, actor=sonya)
        people.rename_agent(anna.pk, "Анна Агеева", actor=sonya)
    assert actions(anna) == [Action.AGENT_DISABLED]


def test_staff_free_a_phone_of_its_limits(sonya: Actor, anna: User) -> None:
    asker = login_limits.Asker(anna.phone or "", None, "198.51.100.1")
    assert login_limits.take_send(asker, is_known=True) is None
    assert login_limits.take_send(asker, is_known=True) is not None
    people.clear_counters(anna.pk, actor=sonya)
    assert login_limits.take_send(asker, is_known=True) is None
    assert actions(anna) == [Action.LIMITS_CLEARED]


def test_a_reveal_needs_a_reason_and_is_recorded(sonya: Actor, anna: User) -> None:
    with pytest.raises(Invalid):
        people.reveal_agent_phone(anna.pk, reason=" ", actor=sonya)
    assert people.reveal_agent_phone(anna.pk, reason="Звонил сам", actor=sonya) == anna.phone
    event = Event.objects.get(object_id=anna.pk)
    assert event.action == Action.PERSON_REVEALED
    assert EventText.objects.get(pk=event.pk).text == "Звонил сам"


def test_reveals_are_counted(sonya: Actor, anna: User, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "looks": (1, 3600)}
    people.reveal_agent_phone(anna.pk, reason="раз", actor=sonya)
    with pytest.raises(LimitReached):
        people.reveal_agent_phone(anna.pk, reason="два", actor=sonya)
    assert Event.objects.filter(object_id=anna.pk).count() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda anna, actor: people.set_role(anna.pk, Role.HEAD, actor=actor),
        lambda anna, actor: people.disable_agent(anna.pk, actor=actor),
        lambda anna, actor: people.reveal_agent_phone(anna.pk, reason="хочу", actor=actor),
        lambda anna, actor: people.lift_range("79161112233", actor=actor),
        lambda anna, actor: people.add_agent(anna.agency_id, phone="79", name="x", role="agent", actor=actor),
    ],
)
def test_only_staff_look_after_people(anna: User, vera: User, change: Any) -> None:
    with pytest.raises(NotAllowed):
        change(anna, Actor.of(vera))
