"""`/clients/` for programs."""

import pytest

from accounts.models import Event
from deals.models import Client
from deals.services import looks
from deals.tests.making import OTHER_PHONE, PHONE, THIRD_PHONE, by, make_client, make_deal
from deals.tests.programs import CREATED, Program, refused

DETAIL = {
    *("id", "name", "phones", "phones_masked", "email", "notes", "agent"),
    *("version", "created_at", "updated_at", "deleted_at"),
}
MASK = "+7 916 ***-**-67"
MARIA = {"phones": [PHONE, "8 926 765-43-21"], "name": "Мария Петрова", "email": "maria@example.ru", "notes": "Звонить"}


@pytest.fixture
def api(anna):
    return Program(anna)


@pytest.fixture
def head(vera):
    return Program(vera)


def test_a_client_is_created_and_found_where_location_says(api, anna):
    response = api.post("/clients/", MARIA)
    client = response.json()
    assert (response.status_code, set(client)) == (201, DETAIL)
    assert response.headers["Location"] == f"/api/v1/clients/{client['id']}"
    assert client["phones"] == [PHONE, OTHER_PHONE]
    assert client["phones_masked"] == [MASK, "+7 926 ***-**-21"]
    assert (client["email"], client["notes"], client["version"]) == ("maria@example.ru", "Звонить", 1)
    assert client["agent"] == {"id": str(anna.pk), "name": "Анна Агеева"}
    assert api.get(f"/clients/{client['id']}").json() == client


def test_only_phones_are_needed(api):
    client = api.post("/clients/", {"phones": [PHONE], "name": None}).json()
    assert (client["name"], client["email"], client["notes"]) == (None, None, None)


def test_the_list_omits_notes_and_numbers(api):
    api.post("/clients/", MARIA)
    (row,) = api.get("/clients/").json()["items"]
    assert set(row) == DETAIL - {"notes", "phones"}
    assert row["phones_masked"] == [MASK, "+7 926 ***-**-21"]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"phones": []}, "/phones", "too_few"),
        ({"phones": [f"7916000000{n}" for n in range(6)]}, "/phones", "too_many"),
        ({"phones": PHONE}, "/phones", "not_a_list"),
        ({"phones": [PHONE, MASK]}, "/phones/1", "phone_masked"),
        ({"phones": [PHONE, "12"]}, "/phones/1", "phone_invalid"),
        ({"phones": [PHONE, "+7 916 123 45 67"]}, "/phones/1", "phone_twice"),
        ({"phones": [None]}, "/phones/0", "not_text"),
        ({"name": "я" * 201}, "/name", "too_long"),
        ({"name": "a\tb"}, "/name", "control_character"),
        ({"email": "maria"}, "/email", "email_invalid"),
        ({"email": "a" * 250 + "@e.ru"}, "/email", "too_long"),
        ({"notes": 5}, "/notes", "not_text"),
        ({"agent": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"}, "/agent", "unknown_field"),
        ({"version": 1}, "/version", "unknown_field"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(api, changes, pointer, code):
    problem = refused(api.post("/clients/", MARIA | changes), 422, "invalid", pointer)
    assert problem["errors"][0]["code"] == code
    assert not Client.objects.exists()


def test_a_number_that_another_client_of_the_agent_has_is_409(api, anna, boris):
    taken = make_client(anna, PHONE)
    assert refused(api.post("/clients/", MARIA), 409, "client_exists")["client"] == str(taken.pk)
    assert Program(boris).post("/clients/", MARIA).status_code == 201


def test_a_patch_changes_what_is_sent(api):
    client = api.post("/clients/", MARIA).json()
    path = f"/clients/{client['id']}"
    changed = api.patch(path, {"phones": [THIRD_PHONE], "email": None}, version=1).json()
    assert (changed["phones"], changed["email"], changed["version"]) == ([THIRD_PHONE], None, 2)
    assert (changed["name"], changed["notes"]) == (MARIA["name"], MARIA["notes"])
    assert api.get("/clients/", {"q": "1233"}).json()["items"] == []
    assert len(api.get("/clients/", {"q": THIRD_PHONE[-4:]}).json()["items"]) == 1
    refused(api.patch(path, {"phones": None}, version=2), 422, "invalid", "/phones")
    refused(api.patch(path, {"agent": "x"}, version=2), 422, "invalid", "/agent")


def test_a_patch_that_clashes_is_409_with_the_id(api, anna):
    other, client = make_client(anna, OTHER_PHONE), make_client(anna, PHONE)
    response = api.patch(f"/clients/{client.pk}", {"phones": [PHONE, OTHER_PHONE]}, version=1)
    assert refused(response, 409, "client_exists")["client"] == str(other.pk)


def test_a_stale_patch_names_the_fields_that_changed(api):
    client = api.post("/clients/", MARIA).json()
    path = f"/clients/{client['id']}"
    api.patch(path, {"name": "Мария", "notes": None}, version=1)
    problem = refused(api.patch(path, {"name": "Маша"}, version=1), 412, "stale")
    assert (problem["current_version"], sorted(problem["changed_fields"])) == (2, ["name", "notes"])
    refused(api.patch(path, {"name": "Маша"}), 428, "version_required")


def test_a_client_with_deals_stays(api):
    deal = api.create()
    refused(api.delete(f"/clients/{deal['client']}", version=1), 409, "client_has_deals")


def test_a_trashed_client_is_gone_and_comes_back(api):
    client = api.post("/clients/", MARIA).json()
    path = f"/clients/{client['id']}"
    assert api.delete(path, version=1).headers["ETag"].startswith('"2.')
    refused(api.get(path), 404, "not_found")
    refused(api.post(f"{path}/reveal", {}), 404, "not_found")
    assert api.get("/clients/").json()["items"] == []
    (trashed,) = api.get("/clients/", {"trashed": "true"}).json()["items"]
    assert trashed["id"] == client["id"]
    assert api.post(f"{path}/restore", version=2).json()["deleted_at"] is None


def test_a_restore_that_clashes_is_409_with_the_id(api, anna):
    client = api.post("/clients/", MARIA).json()
    api.delete(f"/clients/{client['id']}", version=1)
    other = make_client(anna, PHONE)
    response = api.post(f"/clients/{client['id']}/restore", version=2)
    assert refused(response, 409, "client_exists")["client"] == str(other.pk)


# --- who sees the numbers


def test_the_own_agent_looks_and_the_head_reveals(api, head, anna):
    client = make_client(anna)
    path = f"/clients/{client.pk}"
    assert api.get(path).json()["phones"] == [PHONE]
    masked = head.get(path).json()
    assert (masked["phones"], masked["phones_masked"]) == (None, [MASK])
    revealed = head.post(f"{path}/reveal", {"reason": "Жалоба клиента"})
    assert (revealed.status_code, revealed.json()) == (200, {"phones": [PHONE]})
    events = Event.objects.filter(client_id=client.pk).order_by("seq").values_list("action", "actor_kind")
    assert list(events)[1:] == [("client.looked_at", "agent"), ("client.revealed", "agent")]


def test_a_reason_is_up_to_the_head_and_its_shape_is_checked(head, anna):
    path = f"/clients/{make_client(anna).pk}/reveal"
    assert head.post(path, {}).status_code == 200
    assert head.post(path, {"reason": None}).status_code == 200
    refused(head.post(path, {"reason": "я" * 301}), 422, "invalid", "/reason")
    refused(head.post(path, {"why": "x"}), 422, "invalid", "/why")


def test_reveals_are_counted_with_looks(head, anna, settings):
    settings.LIMITS = settings.LIMITS | {"looks": (1, 3600)}
    path = f"/clients/{make_client(anna).pk}/reveal"
    assert head.post(path, {}).status_code == 200
    response = head.post(path, {})
    refused(response, 429, "limit_reached")
    assert 0 < int(response.headers["Retry-After"]) <= 3600


def test_strangers_reveal_nothing(anna, boris, gleb):
    client = make_client(anna)
    for stranger in (boris, gleb):
        refused(Program(stranger).post(f"/clients/{client.pk}/reveal", {}), 404, "not_found")
        refused(Program(stranger).get(f"/clients/{client.pk}"), 404, "not_found")


# --- the list


def test_clients_stand_by_their_newest_deal(api, anna):
    first, second = make_client(anna, PHONE, name="Яна"), make_client(anna, OTHER_PHONE, name="Аня")
    assert names(api) == ["Аня", "Яна"]
    make_deal(anna, client=first.pk)
    assert names(api) == ["Яна", "Аня"]
    assert second.pk


def names(program: Program, **query: str) -> list[str]:
    return [row["name"] for row in program.get("/clients/", query).json()["items"]]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("мар", ["Мария Петрова"]),
        ("ПЕТРОВА мария", ["Мария Петрова"]),
        ("етрова", []),
        ("семен", ["Семён Ёлкин"]),
        ("4567", ["Мария Петрова"]),
        ("+7 926 765-43-21", ["Семён Ёлкин"]),
        ("#1", ["Мария Петрова"]),
    ],
)
def test_q_finds_by_name_number_and_phone(api, anna, q, found):
    make_client(anna, OTHER_PHONE, name="Семён Ёлкин")
    make_deal(anna, PHONE, client_name="Мария Петрова")
    assert names(api, q=q) == found


def test_filters_by_agent_and_phone(head, anna, boris):
    make_client(anna, PHONE, name="Анина")
    make_client(boris, OTHER_PHONE, name="Борина")
    assert names(head, agent=str(boris.pk)) == ["Борина"]
    assert names(head, client_phone="8 916 123-45-67") == ["Анина"]
    refused(head.get("/clients/", {"q": "я"}), 422, "q_too_short", "?q")
    refused(head.get("/clients/", {"name": "Анина"}), 422, "invalid", "?name")


def test_both_looks_and_creations_share_the_hour(api, anna):
    client = make_client(anna)
    assert looks.look_at(client, actor=by(anna))
    api.get(f"/clients/{client.pk}")
    assert Event.objects.filter(action="client.looked_at").count() == 1
    assert api.post("/deals/", CREATED).status_code == 201
