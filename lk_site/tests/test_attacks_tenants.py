"""What belongs to somebody else stays his, whichever id, cursor, key or field a request carries."""

import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.test import Client as Browser
from django.utils import timezone

from accounts.models import KeptForm, Role, Session, User
from accounts.services import people
from accounts.tests.people import make_agent, sign_in, staff_actor
from deals.models import Client, ClientPhone, Deal, LostReason, Note, Search, Stage
from deals.services.hand_over import hand_over_deal
from deals.services.notes import add_note
from deals.tests.making import by, make_client, make_deal
from deals.tests.programs import CREATED, Program, refused
from lk_site.tests.databases import digests
from lk_site.tests.test_attacks_csrf import CHANGED_BY_READING
from lk_site.tests.walking import World

pytestmark = pytest.mark.django_db
PAGE_FORM = {"property_address": "Москва, Арбат, 1", "price": "100"}


def program(world: World, who: str) -> Program:
    return Program(world.users[who])


# --- mass assignment


SERVERS_OWN: dict[str, Any] = {
    "id": "01a206fd-911a-7ace-9837-b642622a0551",
    "agency": "01a206fd-911a-7ace-9837-b642622a0551",
    "agency_id": "01a206fd-911a-7ace-9837-b642622a0551",
    "agent_id": "01a206fd-911a-7ace-9837-b642622a0551",
    "author": "01a206fd-911a-7ace-9837-b642622a0551",
    "user": "01a206fd-911a-7ace-9837-b642622a0551",
    "number": 7,
    "version": 7,
    "stage": "won",
    "status": "won",
    "created_at": "2020-01-01T00:00:00Z",
    "updated_at": "2020-01-01T00:00:00Z",
    "deleted_at": None,
    "role": "head",
    "kind_of": "staff",
    "is_active": True,
    "is_staff": True,
    "consent_version": "1",
    "phone_index": "00",
    "password": "x",
    "newest_deal_at": "2020-01-01T00:00:00Z",
}


@pytest.mark.parametrize("name", SERVERS_OWN)
def test_the_api_takes_nothing_that_is_the_servers(world: World, name: str):
    anna, before = program(world, "anna"), digests()
    for method, path, body in (
        ("POST", "/deals/", CREATED),
        ("PATCH", f"/deals/{world.deal.pk}", {"price": "1.00"}),
        ("POST", f"/deals/{world.deal.pk}/stage-moves", {"to": "showing"}),
        ("POST", f"/deals/{world.deal.pk}/notes", {"text": "а"}),
        ("POST", "/clients/", {"phones": ["79031112233"]}),
        ("PATCH", f"/clients/{world.client.pk}", {"name": "а"}),
        ("PATCH", "/me", {"name": "а"}),
        ("POST", "/me/consents", {"document": "personal_data", "version": "1"}),
    ):
        if (name, path) != ("version", "/me/consents"):
            answer = anna.send(method, path, body | {name: SERVERS_OWN[name]}, version=1)
            refused(answer, 422, "invalid")
    assert digests().differ_from(before, besides=(*CHANGED_BY_READING, "accounts_session")) == []


def test_forms_take_nothing_that_is_the_servers(world: World):
    browser, deal = world.browser("anna"), world.deal
    others = {name: str(value) for name, value in SERVERS_OWN.items() if name != "version"}
    others |= {"agent": str(world.boris.pk), "client": str(world.moved.client_id), "kind": "rent"}
    assert browser.post(f"/deals/{deal.pk}/edit/", {**others, **PAGE_FORM, "version": 1}).status_code == 302
    edited = Deal.objects.get(pk=deal.pk)
    assert (edited.price, edited.version) == (Decimal(100), 2)
    for name in ("agency_id", "agent_id", "client_id", "number", "stage_id", "kind", "created_at", "deleted_at"):
        assert getattr(edited, name) == getattr(deal, name)
    profile = {"name": "Анна", "time_zone": "Europe/Moscow", "theme": "dark"}
    assert browser.post("/profile/", {**others, **profile}).status_code == 302
    anna = User.objects.get(pk=world.anna.pk)
    for name in ("agency_id", "role", "kind", "is_active", "password", "phone", "consent_version", "login"):
        assert getattr(anna, name) == getattr(world.anna, name)


def test_a_new_deal_is_its_creators_whatever_the_form_says(world: World):
    form = {**PAGE_FORM, "form_key": str(uuid4()), "client_phone": "79031112233", "kind": "sale"}
    theirs = {"agent": str(world.vera.pk), "agency": str(world.gleb.agency_id), "stage": "won", "number": "1"}
    made = world.browser("boris").post("/deals/new/", {**form, **theirs})
    deal = Deal.objects.get(pk=made["Location"].split("/")[2])
    assert (deal.agent_id, deal.agency_id, deal.stage.code) == (world.boris.pk, world.boris.agency_id, "new")


# --- ids of others inside bodies


def foreign_and_absent(world: World, kind: str) -> list[str]:
    theirs = {
        "client": make_client(world.gleb, "79035554433").pk,
        "colleague's client": make_client(world.boris, "79035554433").pk,
        "trashed client": world.gone.pk,
        "agent": world.gleb.pk,
        "staff": world.staff.pk,
    }
    return [str(theirs[kind]), str(uuid4())]


@pytest.mark.parametrize("kind", ["client", "colleague's client", "trashed client"])
def test_a_deal_is_for_no_client_of_another(world: World, kind: str):
    anna = program(world, "anna")
    answers = []
    for client_id in foreign_and_absent(world, kind):
        body = {"client": client_id, "property_address": "А", "price": "1.00"}
        problem = refused(anna.post("/deals/", body), 422, "invalid", "/client")
        answers.append({**problem, "request_id": ""})
        form = {**PAGE_FORM, "form_key": str(uuid4()), "client": client_id, "client_phone": "79031112233"}
        shown = world.browser("anna").post("/deals/new/", {**form, "kind": "sale"})
        assert shown.status_code == 422
        assert "79035554433" not in shown.content.decode()
        assert world.browser("anna").get(f"/deals/new/?client={client_id}").status_code == 200
    assert answers[0] == answers[1]


@pytest.mark.parametrize("kind", ["agent", "staff"])
def test_a_deal_is_handed_to_nobody_outside(world: World, kind: str):
    vera = program(world, "vera")
    path, answers = f"/deals/{world.deal.pk}/hand-over", []
    for agent_id in foreign_and_absent(world, kind):
        problem = refused(vera.post(path, {"agent": agent_id}, version=1), 422, "invalid", "/agent")
        answers.append({**problem, "request_id": ""})
        form = {"agent": agent_id, "version": 1}
        assert world.browser("vera").post(f"/deals/{world.deal.pk}/hand-over/", form).status_code == 422
    assert answers[0] == answers[1]
    assert Deal.objects.get(pk=world.deal.pk).agent_id == world.anna.pk


def test_an_agent_who_was_disabled_takes_nothing(world: World):
    User.objects.filter(pk=world.boris.pk).update(is_active=False)
    answer = program(world, "vera").post(f"/deals/{world.deal.pk}/hand-over", {"agent": str(world.boris.pk)}, version=1)
    refused(answer, 422, "invalid", "/agent")


def test_a_deal_stands_in_no_stage_of_another_pipeline_or_agency(world: World):
    anna = program(world, "anna")
    own = Stage.objects.filter(pipeline_id=world.deal.stage.pipeline_id).values_list("code", flat=True)
    foreign = set(Stage.objects.values_list("code", flat=True)) - set(own)
    LostReason.objects.create(agency_id=world.gleb.agency_id, code="theirs", name_ru="Их", name_en="Theirs")
    for code in [*foreign, str(world.stage.pk), "Showing", "' OR 1=1"]:
        refused(anna.post(f"/deals/{world.deal.pk}/stage-moves", {"to": code[:30]}, version=1), 422, "invalid")
        form = {"to": code, "version": 1}
        assert world.browser("anna").post(f"/deals/{world.deal.pk}/move/", form).status_code == 422
    lost = {"to": "lost", "lost_reason": "theirs"}
    refused(anna.post(f"/deals/{world.deal.pk}/stage-moves", lost, version=1), 422, "invalid")


def test_filters_by_ids_and_phones_of_others_find_nothing(world: World):
    client = make_client(world.gleb, "79035554433", name="Чужой Человек")
    make_deal(world.gleb, "79035554433")
    for who in ("anna", "vera"):
        for name, value in (
            ("client", client.pk),
            ("agent", world.gleb.pk),
            ("client_phone", "79035554433"),
            ("q", "79035554433"),
            ("q", "4433"),
            ("q", "Чужой"),
        ):
            assert program(world, who).get("/deals/", {name: value}).json()["items"] == []
            if name != "client":
                assert program(world, who).get("/clients/", {name: value}).json()["items"] == []
    assert program(world, "boris").get("/deals/", {"agent": world.anna.pk}).json()["items"] == []
    assert world.browser("boris").get(f"/deals/?agent={world.anna.pk}").content.count(b"/deals/0") == 0


def test_no_colleague_is_told_that_a_number_is_known(world: World):
    """Boris meets Anna's client: not by a clash, not by a name, not by a search."""
    boris, phone = program(world, "boris"), world.client.numbers[0]
    created = boris.create(client_phone=phone, client_name="Совсем Другой")
    assert created["client"] != str(world.client.pk)
    assert boris.get("/clients/", {"client_phone": phone}).json()["items"][0]["id"] == created["client"]
    page = world.browser("boris").get(f"/clients/{created['client']}/").content.decode()
    assert "другого агента" not in page
    assert "Another agent" not in page


# --- what a request carries along


@pytest.mark.parametrize("path", ["/deals/", "/clients/", "/deals/{deal}/timeline", "/agents"])
def test_a_cursor_of_another_shows_nothing_of_his(world: World, path: str):
    for _ in range(3):
        add_note(world.deal.pk, "Заметка", actor=by(world.anna))
    address = path.format(deal=world.deal.pk)
    cursor = program(world, "anna").get(address, {"limit": 1}).json()["next_cursor"]
    theirs = {str(pk) for pk in Deal.objects.values_list("pk", flat=True)} | {str(world.client.pk)}
    for who in ("boris", "gleb"):
        answer = program(world, who).get(address, {"limit": 100, "cursor": cursor})
        if "timeline" in path:
            refused(answer, 404, "not_found")
        else:
            shown = {item["id"] for item in answer.json()["items"]}
            assert not shown & theirs
            assert shown <= {str(user.pk) for user in User.objects.visible_to(by(world.users[who]))}
    other = "/clients/" if path == "/deals/" else "/deals/"
    refused(program(world, "anna").get(other, {"cursor": cursor}), 422, "cursor_invalid")


def test_a_search_is_its_own_sessions(world: World):
    """The id of somebody's search, in another session, another person's browser, or after logging out and in again."""
    kept = world.browser("anna").post("/deals/search/", {"q": "Неповторимое"})["Location"]
    again = Browser()
    sign_in(again, world.anna, configured.SESSION_COOKIE_NAME)
    for browser in (again, world.browser("vera"), world.browser("gleb")):
        shown = browser.get(kept)
        assert "Неповторимое" not in shown.content.decode()
        assert shown.status_code == 422
    assert Search.objects.count() == 1


def test_a_kept_form_is_for_its_person_and_browser(world: World):
    browser = world.browser("anna")
    Session.objects.filter(user=world.anna).update(ended_at=timezone.now())
    browser.post("/deals/new/", {"client_name": "Секретный Клиент", "client_phone": "79031112233"})
    token = browser.cookies[configured.KEPT_COOKIE_NAME].value
    for who in ("boris", "vera", "gleb"):
        other = Browser()
        sign_in(other, world.users[who], configured.SESSION_COOKIE_NAME)
        other.cookies[configured.KEPT_COOKIE_NAME] = token
        assert "Секретный" not in other.get("/deals/new/").content.decode()
    other = Browser()
    sign_in(other, world.anna, configured.SESSION_COOKIE_NAME)
    assert "Секретный" not in other.get("/deals/new/").content.decode()
    other.cookies[configured.KEPT_COOKIE_NAME] = token
    assert "Секретный" in other.get("/deals/new/").content.decode()
    assert KeptForm.objects.count() == 1


def test_an_idempotency_key_of_another_is_a_key_of_ones_own(world: World):
    first = program(world, "anna").post("/deals/", CREATED, key="shared")
    for who in ("boris", "vera", "gleb"):
        answer = program(world, who).post("/deals/", CREATED, key="shared")
        assert answer.status_code == 201
        assert "Idempotent-Replayed" not in answer.headers
        assert answer.json()["id"] != first.json()["id"]


def test_a_one_time_key_of_another_persons_form_leads_to_no_deal_of_his(world: World):
    form = {**PAGE_FORM, "form_key": str(uuid4()), "client_phone": "79031112233", "kind": "sale"}
    first = world.browser("anna").post("/deals/new/", form)["Location"]
    second = world.browser("gleb").post("/deals/new/", form)["Location"]
    assert first != second
    assert world.browser("gleb").get(second).status_code == 200


def test_after_a_hand_over_nothing_is_replayed(world: World):
    """Every answer that Anna once got by a key; the deal is Boris's now, and so is its client."""
    anna, deal = program(world, "anna"), make_deal(world.anna, "79037778899")
    path = f"/deals/{deal.pk}"
    calls: list[tuple[str, str, Any, int | None]] = [
        ("PATCH", path, {"price": "1.00"}, 1),
        ("POST", f"{path}/stage-moves", {"to": "showing"}, 2),
        ("POST", f"{path}/stage-moves/undo", None, 3),
        ("POST", f"{path}/notes", {"text": "Заметка"}, None),
        ("PATCH", f"/clients/{deal.client_id}", {"name": "Имя Клиента"}, 1),
    ]
    for number, (method, address, body, version) in enumerate(calls):
        assert anna.send(method, address, body, version=version, key=str(number)).status_code < 300
    hand_over_deal(deal.pk, world.boris.pk, actor=by(world.vera), version=4)
    for number, (method, address, body, version) in enumerate(calls):
        answer = anna.send(method, address, body, version=version, key=str(number))
        refused(answer, 404, "not_found")
        assert "Имя Клиента" not in answer.content.decode()
    note = Note.objects.get(deal=deal)
    refused(anna.patch(f"{path}/notes/{note.pk}", {"text": "Другое"}), 404, "not_found")
    refused(anna.get(f"{path}/timeline"), 404, "not_found")


def test_who_moved_to_another_agency_sees_nothing_of_the_first(world: World):
    """Staff move an agent with no work; his session, searches and keys stay his, and show the new agency alone."""
    alone = make_agent(role=Role.HEAD, name="Один")
    single = Program(alone)
    assert single.get("/deals/").json()["items"] == []
    number = alone.phone or ""
    people.add_agent(world.agency.pk, phone=number, name="Один", role="agent", actor=staff_actor("sonya"))
    assert single.get("/deals/").status_code == 200
    assert single.get("/deals/").json()["items"] == []
    refused(single.get(f"/deals/{world.deal.pk}"), 404, "not_found")
    shown = {item["id"] for item in single.get("/agents").json()["items"]}
    assert str(world.anna.pk) in shown


def test_who_is_demoted_is_an_agent_at_once(world: World):
    vera = program(world, "vera")
    assert vera.get(f"/deals/{world.deal.pk}").status_code == 200
    make_agent(world.agency, "Другая Глава", role=Role.HEAD)
    people.set_role(world.vera.pk, "agent", actor=staff_actor("sonya"))
    refused(vera.get(f"/deals/{world.deal.pk}"), 404, "not_found")
    refused(vera.post(f"/clients/{world.client.pk}/reveal", {}), 404, "not_found")


def test_a_session_of_another_is_not_ended_by_its_id(world: World):
    for who in ("boris", "vera", "gleb"):
        refused(program(world, who).delete(f"/me/sessions/{world.session.pk}"), 404, "not_found")
        world.browser(who).post(f"/devices/{world.session.pk}/end/")
    assert Session.objects.get(pk=world.session.pk).ended_at is None
    staffs = Session.objects.filter(user=world.staff).latest("created_at")
    refused(program(world, "anna").delete(f"/me/sessions/{staffs.pk}"), 404, "not_found")


def test_numbers_are_shown_to_their_own_agent_alone(world: World):
    """The head sees masks in every answer that is no reveal, whichever way the deal is asked for."""
    phone = world.client.numbers[0]
    vera, version = program(world, "vera"), 1
    answers = [
        vera.get("/deals/"),
        vera.get("/clients/"),
        vera.get(f"/deals/{world.deal.pk}"),
        vera.get(f"/clients/{world.client.pk}"),
        vera.get(f"/deals/{world.deal.pk}/timeline"),
        vera.patch(f"/deals/{world.deal.pk}", {"notes": "а"}, version=version),
        vera.patch(f"/clients/{world.client.pk}", {"name": "а"}, version=version),
        *(
            world.browser("vera").get(address)
            for address in (
                *("/deals/", "/clients/", f"/deals/{world.deal.pk}/", f"/clients/{world.client.pk}/"),
                *(f"/deals/{world.deal.pk}/edit/", f"/clients/{world.client.pk}/edit/"),
                *(f"/deals/{world.deal.pk}/move/", f"/deals/{world.deal.pk}/hand-over/"),
            )
        ),
        world.browser("vera").post(f"/clients/{world.client.pk}/edit/", {"name": "б", "version": 1}),
    ]
    for answer in answers:
        assert answer.status_code in (200, 412), answer.content.decode()[:300]
        body = "".join(filter(str.isdigit, answer.content.decode()))
        assert phone[1:] not in body
    assert ClientPhone.objects.filter(client=world.client).exists()
    assert Client.objects.get(pk=world.client.pk).name == "а"


def test_json_says_the_same_of_what_is_foreign_in_every_language(world: World):
    for language in ("ru", "en"):
        gleb = Program(world.gleb, language)
        foreign, absent = (gleb.get(f"/deals/{pk}").json() for pk in (world.deal.pk, uuid4()))
        assert json.dumps({**foreign, "instance": 0, "request_id": 0}) == json.dumps(
            {**absent, "instance": 0, "request_id": 0}
        )
