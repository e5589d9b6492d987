"""`api.md`, "Routes of the foundation": deals and clients, their members, and what becomes of them."""

from typing import Any

from accounts.tests.clock import clock
from deals.tests.making import OTHER_PHONE, PHONE, THIRD_PHONE
from deals.tests.programs import Program, refused
from lk_site.tests.askers import BySession
from lk_site.tests.walking import World

__all__ = ["clock"]

ABSENT = "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"
DEAL = {
    *("id", "number", "client", "client_phone", "client_phone_masked", "client_name", "property_address", "price"),
    *("kind", "property_type", "commission_percent", "stage", "status", "lost_reason", "agent", "next_step", "notes"),
    *("version", "created_at", "updated_at", "deleted_at"),
}
CLIENT = {
    *("id", "name", "phones", "phones_masked", "email", "notes", "agent"),
    *("version", "created_at", "updated_at", "deleted_at"),
}
EVERYTHING = {
    "client_name": "Мария Петрова",
    "kind": "rent",
    "property_type": "flat",
    "commission_percent": "2.50",
    "next_step": {"text": "Показ", "due_on": "2026-12-01"},
    "notes": "Ключи у соседа",
}


# --- deals


def test_creating_a_deal_is_201_with_its_location(api: BySession):
    response = api.post("/deals/", api.new_deal())
    assert response.status_code == 201
    assert response["Location"] == f"/api/v1/deals/{response.json()['id']}"
    assert api.browser.get(response["Location"]).status_code == 200


def test_deals_are_listed_newest_first(api: BySession):
    made = [api.create()["id"] for _ in range(3)]
    assert [row["id"] for row in api.get("/deals/", {"limit": "3"}).json()["items"]] == made[::-1]


def test_a_deal_takes_phone_address_and_price_and_what_is_optional(api: BySession):
    deal = api.create(client_phone=OTHER_PHONE, **EVERYTHING)
    assert {name: deal[name] for name in EVERYTHING} == EVERYTHING
    for needed in ("property_address", "price", "client_phone"):
        body = {name: value for name, value in api.new_deal().items() if name != needed}
        refused(api.post("/deals/", body), 422, "invalid", f"/{needed}")


def test_a_deal_is_a_sale_unless_another_kind_is_said(api: BySession):
    assert api.create()["kind"] == "sale"
    assert [api.create(kind=kind)["kind"] for kind in ("purchase", "let", "rent")] == ["purchase", "let", "rent"]


def test_the_detail_of_a_deal_has_these_members(api: BySession):
    deal = api.get(f"/deals/{api.create(**EVERYTHING, client_phone=OTHER_PHONE)['id']}").json()
    assert set(deal) == DEAL
    assert set(deal["stage"]) == {"code", "name", "kind"}
    assert set(deal["agent"]) == {"id", "name"}
    assert (deal["status"], deal["lost_reason"], deal["deleted_at"]) == ("open", None, None)


def test_a_list_of_deals_omits_notes(api: BySession):
    api.create(**EVERYTHING, client_phone=OTHER_PHONE)
    assert set(api.get("/deals/").json()["items"][0]) == DEAL - {"notes", "client_phone"}


def test_a_deals_number_is_short_and_never_reused(api: BySession):
    first = api.create()
    api.delete(f"/deals/{first['id']}", version=1)
    assert api.create()["number"] == first["number"] + 1 < 100


def test_a_patch_takes_address_price_type_commission_next_step_and_notes(api: BySession):
    deal = api.create()
    changes = {name: EVERYTHING[name] for name in ("property_type", "commission_percent", "next_step", "notes")}
    changes |= {"property_address": "Москва, Арбат, 1", "price": "1.00"}
    changed = api.patch(f"/deals/{deal['id']}", changes, version=1).json()
    assert {name: changed[name] for name in changes} == changes


def test_kind_and_client_are_fixed_at_creation(api: BySession):
    path = f"/deals/{api.create()['id']}"
    for fixed, value in (("kind", "rent"), ("client", ABSENT), ("client_phone", PHONE), ("client_name", "Мария")):
        refused(api.patch(path, {fixed: value}, version=1), 422, "invalid", f"/{fixed}")


def test_what_is_the_servers_is_422_when_sent(api: BySession):
    path = f"/deals/{api.create()['id']}"
    for name in ("id", "agency", "stage", "status", "number", "version", "created_at", "updated_at", "deleted_at"):
        refused(api.post("/deals/", api.new_deal(**{name: "1"})), 422, "invalid", f"/{name}")
        refused(api.patch(path, {name: "1"}, version=1), 422, "invalid", f"/{name}")
    refused(api.patch(path, {"agent": ABSENT}, version=1), 422, "invalid", "/agent")


def test_with_a_key_an_active_agent_is_named_and_with_a_session_none(
    by_session: BySession, by_key: BySession, world: World
):
    named = {"agent": str(world.boris.pk)}
    for path, body in (("/deals/", by_session.new_deal()), ("/clients/", {"phones": [OTHER_PHONE]})):
        refused(by_session.post(path, body | named), 422, "invalid", "/agent")
        refused(by_key.post(path, body), 422, "invalid", "/agent")
        refused(by_key.post(path, body | {"agent": str(world.gleb.pk)}), 422, "invalid", "/agent")
        assert by_key.post(path, body | named).json()["agent"]["id"] == named["agent"]
    world.boris.is_active = False
    world.boris.save_changes("is_active")
    refused(by_key.post("/deals/", by_session.new_deal() | named), 422, "invalid", "/agent")


def test_a_key_sees_what_the_head_sees(by_key: BySession, world: World):
    for path in ("/deals/", "/clients/"):
        assert by_key.get(path).json() == Program(world.vera).get(path).json()


# --- the way of a deal


def test_a_lost_reason_is_a_code_of_the_pipelines(api: BySession):
    path = f"/deals/{api.create()['id']}/stage-moves"
    refused(api.post(path, {"to": "lost"}, version=1), 422, "stage_closed", "/lost_reason")
    refused(api.post(path, {"to": "lost", "lost_reason": "mood"}, version=1), 422, "invalid", "/lost_reason")
    lost = api.post(path, {"to": "lost", "lost_reason": "price"}, version=1).json()
    assert (lost["status"], lost["lost_reason"]["code"]) == ("lost", "price")


def test_a_comment_is_required_with_other_and_for_reopening(api: BySession, world: World):
    path = f"/deals/{api.create()['id']}/stage-moves"
    lose = {"to": "lost", "lost_reason": "other"}
    refused(api.post(path, lose, version=1), 422, "stage_closed", "/comment")
    assert api.post(path, lose | {"comment": "Купил сам"}, version=1).json()["lost_reason"]["comment"] == "Купил сам"
    head = Program(world.vera) if not api.for_whom() else api
    refused(head.post(path, {"to": "showing"}, version=2), 422, "stage_closed", "/comment")
    assert head.post(path, {"to": "showing", "comment": "Вернулся"}, version=2).json()["status"] == "open"


def test_a_move_is_undone_within_ten_minutes(api: BySession, clock: Any):
    for minutes, status in ((9, 200), (11, 422)):
        path = f"/deals/{api.create()['id']}/stage-moves"
        api.post(path, {"to": "showing"}, version=1)
        clock.forward(minutes=minutes)
        assert api.post(f"{path}/undo", version=2).status_code == status


def test_a_move_is_undone_by_who_made_it(by_session: BySession, by_key: BySession):
    path = f"/deals/{by_session.create()['id']}/stage-moves"
    by_session.post(path, {"to": "showing"}, version=1)
    refused(by_key.post(f"{path}/undo", version=2), 403, "not_allowed")
    assert by_session.post(f"{path}/undo", version=2).json()["stage"]["code"] == "new"


def test_a_move_is_undone_if_nothing_changed_since(api: BySession):
    path = f"/deals/{api.create()['id']}"
    api.post(f"{path}/stage-moves", {"to": "showing"}, version=1)
    api.patch(path, {"price": "1"}, version=2)
    refused(api.post(f"{path}/stage-moves/undo", version=3), 422, "nothing_to_undo")


def test_the_head_gives_a_deal_to_another_agent(by_session: BySession, by_key: BySession, world: World):
    path, to_boris = f"/deals/{world.deal.pk}/hand-over", {"agent": str(world.boris.pk)}
    refused(by_session.post(path, to_boris, version=1), 403, "not_allowed")
    version = 1
    for head, agent in ((Program(world.vera), world.boris), (by_key, world.anna)):
        given = head.post(path, {"agent": str(agent.pk)}, version=version).json()
        assert given["agent"]["id"] == str(agent.pk)
        version = given["version"]


def test_the_timeline_tells_what_happened(api: BySession):
    path = f"/deals/{api.create()['id']}"
    api.post(f"{path}/stage-moves", {"to": "showing"}, version=1)
    api.post(f"{path}/notes", {"text": "Смотрели"})
    told = [entry["action"] for entry in api.get(f"{path}/timeline").json()["items"]]
    assert told == ["note.added", "deal.moved", "deal.created"]


def test_notes_are_edited_and_deleted_by_their_author_only(by_session: BySession, by_key: BySession, world: World):
    for author, other in ((by_session, by_key), (by_key, Program(world.vera))):
        note = f"/deals/{world.deal.pk}/notes/{added_note(author, world)}"
        refused(other.patch(note, {"text": "Чужое"}), 403, "not_allowed")
        refused(other.delete(note), 403, "not_allowed")
        assert author.patch(note, {"text": "Своё"}).json()["text"] == "Своё"
        assert author.delete(note).status_code == 204


def added_note(author: Program, world: World) -> str:
    return str(author.post(f"/deals/{world.deal.pk}/notes", {"text": "Смотрели"}).json()["id"])


def test_the_deals_own_notes_are_one_text_and_no_entry_of_the_timeline(api: BySession):
    path = f"/deals/{api.create(notes='Ключи у соседа')['id']}"
    assert api.patch(path, {"notes": "Ключи у дворника"}, version=1).json()["notes"] == "Ключи у дворника"
    entries = api.get(f"{path}/timeline").json()["items"]
    assert [(entry["action"], entry["text"]) for entry in entries] == [("deal.changed", None), ("deal.created", None)]


# --- whom a deal is for


def test_a_client_of_the_agent_with_that_phone_is_taken(api: BySession, world: World):
    assert api.create(client_phone=PHONE)["client"] == str(world.client.pk)
    assert api.create(client_phone=OTHER_PHONE)["client"] != str(world.client.pk)


def test_a_name_that_differs_is_409_with_the_clients_id(api: BySession):
    client = api.create_client(OTHER_PHONE, name="Мария Петрова")
    body = api.new_deal(client_phone=OTHER_PHONE, client_name="Пётр")
    assert refused(api.post("/deals/", body), 409, "client_exists")["client"] == client["id"]


def test_a_client_may_be_sent_by_id_instead_of_phone_and_name(api: BySession):
    client = api.create_client(OTHER_PHONE, name="Мария Петрова")
    body = {name: value for name, value in api.new_deal(client=client["id"]).items() if name != "client_phone"}
    assert api.post("/deals/", body).json()["client"] == client["id"]
    refused(api.post("/deals/", api.new_deal(client=client["id"])), 422, "invalid", "/client")


def test_a_trashed_client_with_that_phone_is_restored(api: BySession):
    client = api.create_client(OTHER_PHONE, name="Мария Петрова")
    api.delete(f"/clients/{client['id']}", version=1)
    assert api.create(client_phone=OTHER_PHONE)["client"] == client["id"]
    assert api.get(f"/clients/{client['id']}").json()["deleted_at"] is None


def test_without_one_a_client_is_created(api: BySession):
    deal = api.create(client_phone=THIRD_PHONE, client_name="Мария Петрова")
    assert api.get(f"/clients/{deal['client']}").json()["name"] == "Мария Петрова"


# --- clients


def test_a_client_takes_one_to_five_phones_the_first_is_the_main_one(api: BySession):
    client = api.create_client(OTHER_PHONE, THIRD_PHONE)
    body = {name: value for name, value in api.new_deal(client=client["id"]).items() if name != "client_phone"}
    assert api.post("/deals/", body).json()["client_phone_masked"] == "+7 926 ***-**-21"
    for phones in ([], [f"7916000002{n}" for n in range(6)]):
        refused(api.post("/clients/", {"phones": phones, **api.for_whom()}), 422, "invalid", "/phones")


def test_the_detail_of_a_client_has_these_members(api: BySession):
    told = {"name": "Мария Петрова", "email": "maria@example.ru", "notes": "Звонить после шести"}
    client = api.create_client(OTHER_PHONE, **told)
    assert set(client) == set(api.get(f"/clients/{client['id']}").json()) == CLIENT
    assert {name: client[name] for name in told} == told
    assert client["phones"] == [OTHER_PHONE]


def test_a_list_of_clients_omits_notes_and_phones(api: BySession):
    assert set(api.get("/clients/").json()["items"][0]) == CLIENT - {"notes", "phones"}


def test_clients_stand_by_their_newest_deal_and_never_by_name(api: BySession):
    first, second = api.create_client(OTHER_PHONE, name="Аня"), api.create_client(THIRD_PHONE, name="Яна")
    assert newest_two(api) == [second["id"], first["id"]]
    api.create(client_phone=OTHER_PHONE)
    assert newest_two(api) == [first["id"], second["id"]]


def newest_two(api: BySession) -> list[str]:
    return [row["id"] for row in api.get("/clients/", {"limit": "2"}).json()["items"]]


def test_a_client_is_changed_trashed_restored_and_revealed(api: BySession):
    path = f"/clients/{api.create_client(OTHER_PHONE)['id']}"
    assert api.patch(path, {"name": "Мария"}, version=1).json()["name"] == "Мария"
    assert api.post(f"{path}/reveal", {}).json() == {"phones": [OTHER_PHONE]}
    assert api.delete(path, version=2).status_code == 204
    assert api.post(f"{path}/restore", version=3).json()["version"] == 4
