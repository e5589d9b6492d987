"""The change feed: who may follow it, what it tells, and that nothing which a list shows changes without being told."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AgencyHead, Event, Scope
from accounts.services.people import rename_agent
from accounts.tests.clock import clock
from accounts.tests.people import staff_actor
from accounts.tests.programs import make_key, program
from deals.api.changes import ChangesPage
from deals.models import LostReason, Pipeline, Stage
from deals.services import changes as feed
from deals.services import trash
from deals.services.clients import edit_client, trash_client
from deals.services.deals import edit_deal, restore_deal, trash_deal
from deals.services.hand_over import hand_over_deal
from deals.services.looks import look_at
from deals.services.notes import add_note, delete_note, edit_note
from deals.services.pipeline import move_deal
from deals.services.pipeline_editing import Names, edit_lost_reason, edit_pipeline, edit_stage
from deals.tests.making import OTHER_PHONE, PHONE, by, make_client, make_deal
from deals.tests.programs import Program, refused

__all__ = ["clock"]

FILL = """
insert into accounts_event (id, agency_id, seq, at, action, actor_kind, request_id, object_type, object_id, fields,
  data, mac)
select gen_random_uuid(), agency, n, now() - (60000 - n) * interval '10 seconds', actions[1 + n %% 6], 'agent', '',
  objects[1 + n %% 6], gen_random_uuid(), '[]', '{}', ''
from unnest(array[%s, %s]::uuid[]) agency, generate_series(1000, 60000) n,
  (values (
    array['client.looked_at', 'session.opened', 'deal.changed', 'deal.moved', 'client.searched', 'note.added'],
    array['client', 'session', 'deal', 'deal', 'agency', 'note']
  )) words (actions, objects)
"""


@pytest.fixture
def api(vera) -> Program:
    return Program(vera)


def cursor_of(api: Program) -> str:
    """Return the present cursor."""
    return str(api.get("/changes").json()["next_cursor"])


def changes(api: Program, cursor: str, **query: Any) -> list[dict[str, Any]]:
    """Return the items of one page after a cursor."""
    response = api.get("/changes", {"cursor": cursor, "limit": "100", **query})
    assert response.status_code == 200, response.content.decode()
    return list(response.json()["items"])


def told(api: Program, cursor: str) -> list[str]:
    return [item["type"] for item in changes(api, cursor)]


# --- who, and from where


def test_without_a_cursor_the_present_one_is_answered(api, anna):
    make_deal(anna)
    answer = api.get("/changes")
    assert answer.json()["items"] == []
    assert not answer.json()["has_more"]
    assert changes(api, answer.json()["next_cursor"]) == []


def test_an_agent_may_not_follow_what_the_whole_agency_does(anna):
    refused(Program(anna).get("/changes"), 403, "not_allowed")


def test_an_agent_is_refused_with_a_heads_cursor_too(api, anna):
    refused(Program(anna).get("/changes", {"cursor": cursor_of(api)}), 403, "not_allowed")


def test_nothing_of_another_agency_is_told(api, anna, gleb):
    cursor = cursor_of(api)
    foreign = make_deal(gleb)
    edit_deal(foreign.pk, {"price": 5}, actor=by(gleb), version=1)
    own = make_deal(anna, OTHER_PHONE)
    assert [item["object"]["id"] for item in changes(api, cursor)] == [str(own.client_id), str(own.pk)]


def test_a_cursor_of_another_agency_is_refused(api, gleb):
    refused(api.get("/changes", {"cursor": cursor_of(Program(gleb))}), 422, "cursor_invalid", "?cursor")


@pytest.mark.parametrize(
    "alter", [lambda one: one[:-1], lambda one: one[:20] + "A" + one[21:], lambda one: "", str.upper]
)
def test_an_altered_cursor_is_refused(api, alter):
    refused(api.get("/changes", {"cursor": alter(cursor_of(api))}), 422, "cursor_invalid", "?cursor")


def test_a_cursor_of_a_list_is_refused(api, anna):
    make_deal(anna)
    make_deal(anna, OTHER_PHONE)
    cursor = api.get("/deals/", {"limit": "1"}).json()["next_cursor"]
    refused(api.get("/changes", {"cursor": cursor}), 422, "cursor_invalid", "?cursor")


def test_beyond_30_days_a_cursor_has_expired(anna, vera, clock):
    cursor = cursor_of(Program(vera))
    make_deal(anna)
    clock.forward(days=30)
    assert len(changes(Program(vera), cursor)) == 2
    clock.forward(seconds=1)
    refused(Program(vera).get("/changes", {"cursor": cursor}), 410, "cursor_expired")


def test_an_old_cursor_works_where_nothing_has_happened_since(anna, vera, clock):
    make_deal(anna)
    cursor = cursor_of(Program(vera))
    clock.forward(days=300)
    assert changes(Program(vera), cursor) == []


def test_a_cursor_from_before_the_database_was_put_back_has_expired(api, anna, vera):
    make_deal(anna)
    cursor = cursor_of(api)
    AgencyHead.objects.filter(agency_id=vera.agency_id).update(seq=1)
    refused(api.get("/changes", {"cursor": cursor}), 410, "cursor_expired")


# --- pages


def test_pages_follow_one_another_without_an_end(api, anna):
    cursor, told_so_far = cursor_of(api), []
    make_deal(anna)
    for is_more in (True, False, False):
        response = api.get("/changes", {"cursor": cursor, "limit": "1"})
        page = response.json()
        assert page["has_more"] is is_more
        assert f"cursor={page['next_cursor']}>" in response["Link"]
        told_so_far += [item["type"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert told_so_far == ["client.created", "deal.created"]


def test_what_is_not_told_is_passed_over_and_never_read_without_bounds(api, anna, monkeypatch):
    monkeypatch.setattr(feed, "READ_AT_MOST", 2)
    client = make_client(anna)
    cursor = cursor_of(api)
    look_at(client, actor=by(anna))
    for _ in range(2):
        api.get("/clients/", {"client_phone": "79161234567"})
    trash_client(client.pk, actor=by(anna), version=1)
    first = api.get("/changes", {"cursor": cursor}).json()
    assert (first["items"], first["has_more"]) == ([], True)
    second = api.get("/changes", {"cursor": first["next_cursor"]}).json()
    assert [item["type"] for item in second["items"]] == ["client.trashed"]
    assert not second["has_more"]


def test_one_may_be_told_of_some_types_only(api, anna):
    cursor = cursor_of(api)
    deal = make_deal(anna)
    edit_deal(deal.pk, {"price": 5}, actor=by(anna), version=1)
    some = changes(api, cursor, type=["deal.created", "client.created"])
    assert [item["type"] for item in some] == ["client.created", "deal.created"]
    assert [item["type"] for item in changes(api, cursor, type="deal.changed")] == ["deal.changed"]


@pytest.mark.parametrize("unknown", ["deal.looked_at", "client.revealed", "deal", ""])
def test_a_type_that_is_never_told_is_refused(api, unknown):
    refused(api.get("/changes", {"type": unknown}), 422, "invalid", "?type")


# --- programs


def told_to(head: Any, *scopes: str, cursor: str = "", **query: Any) -> Any:
    """Return what a key of these scopes is answered."""
    asker = program(make_key(head, scopes).token)
    return asker.get("/api/v1/changes", query | ({"cursor": cursor} if cursor else {}))


def everything(anna: Any, vera: Any) -> str:
    """Let something of every kind happen, and return the cursor from before."""
    cursor = cursor_of(Program(vera))
    deal = make_deal(anna, client_name="Мария")
    add_note(deal.pk, "Смотрели", actor=by(anna))
    edit_client(deal.client_id, {"name": "Мария Петровна", "email": "m@example.org"}, actor=by(anna), version=1)
    rename_agent(anna.pk, "Анна Андреевна", actor=staff_actor())
    names = Names(name_ru="Иначе", name_en="Otherwise", position=77)
    for edit, model in ((edit_pipeline, Pipeline), (edit_stage, Stage), (edit_lost_reason, LostReason)):
        edit(model.objects.visible_to(by(anna)).values_list("pk", flat=True)[0], names, actor=staff_actor())
    return cursor


KINDS = ["client.created", "deal.created", "note.added", "client.changed", "agent.changed", *["pipeline.changed"] * 3]


@pytest.mark.parametrize(
    ("scopes", "kinds"),
    [
        (["deals:read", "clients:read"], KINDS),
        (["deals:read"], KINDS[1:]),
        (["clients:read"], ["client.created", "client.changed", "agent.changed"]),
    ],
)
def test_a_key_is_told_what_its_scopes_let_it_see(anna, vera, scopes, kinds):
    cursor = everything(anna, vera)
    assert [item["type"] for item in told_to(vera, *scopes, cursor=cursor).json()["items"]] == kinds


def test_without_the_scope_of_clients_one_sees_of_them_what_deals_show(anna, vera):
    cursor = everything(anna, vera)
    items = told_to(vera, "deals:read", cursor=cursor).json()["items"]
    deal, client = items[0]["data"], next(item["data"] for item in items if item["type"] == "client.changed")
    assert client.items() <= deal.items()
    assert client.keys() == {"client", "client_name", "client_phone_masked"}


def test_a_client_on_no_deal_is_not_shown_without_the_scope_of_clients(api, anna, vera):
    client, cursor = make_client(anna), cursor_of(api)
    edit_client(client.pk, {"name": "Анна"}, actor=by(anna), version=client.version)
    (item,) = told_to(vera, "deals:read", cursor=cursor).json()["items"]
    assert (item["type"], item["data"]) == ("client.changed", None)


@pytest.mark.parametrize("scopes", [[], ["deals:write", "clients:write", "clients:reveal", "reports:read"]])
def test_a_key_that_reads_neither_deals_nor_clients_is_refused(vera, scopes):
    refused(told_to(vera, *scopes), 403, "scope_missing")


def test_a_key_that_asks_for_what_its_scopes_do_not_cover_is_refused(anna, vera):
    cursor = everything(anna, vera)
    of_clients = told_to(vera, "clients:read", cursor=cursor, type="deal.created")
    assert refused(of_clients, 403, "scope_missing")["scopes"] == ["deals:read"]
    of_deals = told_to(vera, "deals:read", cursor=cursor, type="client.created")
    assert refused(of_deals, 403, "scope_missing")["scopes"] == ["clients:read"]


def test_a_key_goes_on_where_a_session_of_the_head_stopped(anna, vera):
    cursor = everything(anna, vera)
    by_key = told_to(vera, *Scope, cursor=cursor).json()["items"]
    assert by_key == changes(Program(vera, language=""), cursor)


# --- what is told


def test_a_deal_is_told_as_its_list_shows_it(api, anna):
    cursor = cursor_of(api)
    deal = make_deal(anna, client_name="Мария", next_step={"text": "Позвонить", "due_on": "2026-12-01"})
    client, created = changes(api, cursor)
    assert client["type"] == "client.created"
    assert client["data"] == api.get("/clients/").json()["items"][0]
    assert (created["type"], created["version"]) == ("deal.created", 1)
    assert created["object"] == {"type": "deal", "id": str(deal.pk)}
    assert created["data"] == api.get("/deals/").json()["items"][0]


def test_each_change_is_told_once_in_the_order_it_was_committed(api, anna, boris, vera):
    cursor = cursor_of(api)
    deal = make_deal(anna)
    edit_deal(deal.pk, {"price": 5}, actor=by(anna), version=1)
    move_deal(deal.pk, "showing", actor=by(anna), version=2)
    hand_over_deal(deal.pk, boris.pk, actor=by(vera), version=3)
    trash_deal(deal.pk, actor=by(boris), version=4)
    restore_deal(deal.pk, actor=by(boris), version=5)
    items = changes(api, cursor)
    assert [item["type"] for item in items] == [
        *("client.created", "deal.created", "deal.changed", "deal.moved", "client.handed_over", "deal.handed_over"),
        *("deal.trashed", "deal.restored"),
    ]
    assert [item["version"] for item in items if item["object"]["type"] == "deal"] == [1, 2, 3, 4, 5, 6]
    assert items[2]["fields"] == ["price"]
    assert {item["data"]["version"] for item in items if item["object"]["type"] == "deal"} == {6}
    assert len({item["id"] for item in items}) == len(items)
    assert items[0]["id"] == str(Event.objects.get(action="client.created").pk)


def test_what_lies_in_the_trash_is_shown_with_its_time(api, anna):
    deal, client = make_deal(anna), make_client(anna, OTHER_PHONE)
    cursor = cursor_of(api)
    trash_deal(deal.pk, actor=by(anna), version=1)
    trash_client(client.pk, actor=by(anna), version=1)
    trashed, gone = changes(api, cursor)
    assert trashed["data"] == api.get("/deals/", {"trashed": "true"}).json()["items"][0]
    assert gone["data"] == api.get("/clients/", {"trashed": "true"}).json()["items"][0]
    assert trashed["data"]["deleted_at"]
    assert gone["data"]["deleted_at"]


def test_numbers_are_masked(api, anna):
    cursor = cursor_of(api)
    edit_client(make_deal(anna).client_id, {"phones": ["79161230099"]}, actor=by(anna), version=1)
    answer = api.get("/changes", {"cursor": cursor}).content.decode()
    assert "79161234567" not in answer
    assert "79161230099" not in answer
    assert "+7 916 ***-**-99" in answer


def test_a_note_is_told_with_its_newest_text_and_nothing_of_a_deleted_one(api, anna):
    deal = make_deal(anna)
    kept, dropped = (add_note(deal.pk, text, actor=by(anna)) for text in ("Смотрели", "Лишнее"))
    cursor = cursor_of(api)
    edit_note(deal.pk, kept.pk, "Смотрели дважды", actor=by(anna))
    delete_note(deal.pk, dropped.pk, actor=by(anna))
    edited, deleted = changes(api, cursor)
    assert edited["object"] == {"type": "note", "id": str(kept.pk)}
    assert (edited["data"]["text"], edited["data"]["deal"]) == ("Смотрели дважды", str(deal.pk))
    assert edited["data"]["author"] == {"id": str(anna.pk), "name": anna.name}
    assert (deleted["type"], deleted["data"]) == ("note.deleted", None)


def test_what_was_purged_is_null_and_says_so(api, anna):
    deal = make_deal(anna)
    note = add_note(deal.pk, "Смотрели", actor=by(anna))
    trash_deal(deal.pk, actor=by(anna), version=1)
    cursor = cursor_of(api)
    trash.purge(timezone.now() + timedelta(days=31))
    (purged,) = changes(api, cursor)
    assert (purged["type"], purged["object"]["id"], purged["data"]) == ("deal.purged", str(deal.pk), None)
    assert str(note.pk) not in str(purged)


def test_people_and_pipelines_are_told_as_their_lists_show_them(api, anna, vera):
    agent, pipeline, stage, reason = changes(api, everything(anna, vera))[-4:]
    assert agent["object"] == {"type": "agent", "id": str(anna.pk)}
    assert agent["data"] in api.get("/agents").json()["items"]
    pipelines = api.get("/pipelines").json()
    assert (pipeline["object"]["type"], stage["object"]["type"]) == ("pipeline", "stage")
    assert pipeline["data"] in pipelines["items"]
    assert stage["data"] in pipelines["items"]
    assert (reason["object"]["type"], reason["data"]["name"]) == ("lost_reason", "Otherwise")
    assert reason["data"] in pipelines["lost_reasons"]


def test_the_answer_is_as_its_schema_says(anna, vera):
    cursor = everything(anna, vera)
    for scopes in (["deals:read", "clients:read"], ["deals:read"], ["clients:read"]):
        body = told_to(vera, *scopes, cursor=cursor).json()
        assert ChangesPage.model_validate(body).model_dump(mode="json") == body


# --- what it costs


def statements(api: Program, cursor: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        changes(api, cursor)
    return len(captured)


def test_a_page_costs_as_many_statements_for_thirty_objects_as_for_one(api, anna, vera):
    cursor = everything(anna, vera)
    changes(api, cursor)
    of_one = statements(api, cursor)
    for number in range(10):
        deal = make_deal(anna, f"7916000010{number}", client_name="Пётр")
        add_note(deal.pk, "Смотрели", actor=by(anna))
    assert len(changes(api, cursor)) == len(KINDS) + 30
    assert statements(api, cursor) == of_one
    assert of_one <= 14


@pytest.mark.skipif(connection.vendor != "postgresql", reason="these plans are PostgreSQL's")
def test_the_log_is_entered_by_its_number(anna, vera, gleb):
    cursor_of_all = feed.present_number(actor=by(vera))
    with connection.cursor() as cursor:
        cursor.execute(FILL, [str(vera.agency_id), str(gleb.agency_id)])
        cursor.execute("analyze accounts_event")
    AgencyHead.objects.update(seq=60_000)
    for after in (cursor_of_all, 30_000, 59_950):
        with CaptureQueriesContext(connection) as captured:
            page = feed.read_changes(actor=by(vera), after=after, limit=100)
        assert page.events
        read = next(
            query["sql"] for query in captured if "ORDER BY" in query["sql"] and "accounts_event" in query["sql"]
        )
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {read}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Index Scan using event_agency_seq" in plan
        assert "Sort" not in plan


def test_a_client_whom_a_new_deal_moves_up_is_not_missed_by_who_walks_in_the_order_of_creation(api, anna):
    early, late = make_client(anna), make_client(anna, OTHER_PHONE)
    for order, missed in (("newest_deal", True), ("created", False)):
        walk = api.get("/clients/", {"limit": "1", "order": order}).json()
        make_deal(anna, PHONE if order == "newest_deal" else OTHER_PHONE)
        rest = api.get("/clients/", {"limit": "1", "order": order, "cursor": walk["next_cursor"]}).json()
        seen = {row["id"] for row in walk["items"] + rest["items"]}
        assert (seen != {str(early.pk), str(late.pk)}) is missed
