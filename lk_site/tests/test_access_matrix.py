"""Every route as every kind of person: nobody sees or changes more than the table says, and no route is forgotten."""

import re
from typing import Any
from uuid import uuid4

import pytest

from lk_site.tests.access_table import allowed
from lk_site.tests.asking import ask, things_about
from lk_site.tests.walking import PEOPLE, Route, World, routes, undone

pytestmark = pytest.mark.django_db
ALLOWED = allowed()
OF_THIS_ANSWER = re.compile(
    rb'"request_id":"[0-9a-f]+"'  # the request's own id
    rb'|name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": ?"\w+"'
)
OWN_HEADERS = ("X-Request-ID", "RateLimit")


def described(route: Route) -> str:
    return f"{route}: {', '.join(map(' '.join, zip(PEOPLE, ALLOWED[route], strict=True)))}"


def words_of(response: Any) -> str:
    """Return the status, or `login` for a redirect to one."""
    is_login = response.status_code == 302 and response["Location"].split("?")[0].endswith(("/login/", "/login/code/"))
    return "login" if is_login else str(response.status_code)


def test_every_route_stands_in_the_table():
    assert sorted(map(str, set(routes()) - set(ALLOWED))) == []


def test_the_table_names_no_route_that_is_gone():
    assert sorted(map(str, set(ALLOWED) - set(routes()))) == []


@pytest.mark.parametrize("route", ALLOWED, ids=described)
def test_everybody_gets_what_the_table_says(world: World, route: Route):
    answers = {}
    for who in PEOPLE:
        with undone():
            answers[who] = words_of(ask(route, world, who))
    assert answers == dict(zip(PEOPLE, ALLOWED[route], strict=True))


HIDDEN = [
    route
    for route, answers in ALLOWED.items()
    if "404" in answers and route.door != "admin" and "_id>" in route.pattern
]
OF_LIVE = [route for route in HIDDEN if "restore" not in route.pattern]


@pytest.mark.parametrize("route", HIDDEN, ids=str)
def test_foreign_and_absent_answer_the_same_bytes(world: World, route: Route):
    for who in ("boris", "gleb"):
        foreign, absent = ids_of(route, world), {hole: uuid4() for hole in things_about(route, world)}
        first, second = (answer(route, world, who, ids) for ids in (foreign, absent))
        assert first == second
        assert first[0] == 404


@pytest.mark.parametrize("route", [route for route in OF_LIVE if "deal_id" in route.pattern], ids=str)
def test_a_trashed_deal_answers_its_own_agent_as_an_absent_one(world: World, route: Route):
    note = {"note_id": world.note.pk} if "note_id" in route.pattern else {}
    trashed, absent = {**note, "deal_id": world.trashed.pk}, {**note, "deal_id": uuid4()}
    assert answer(route, world, "anna", trashed) == answer(route, world, "anna", absent)


@pytest.mark.parametrize(
    "route", [r for r in HIDDEN if "client_id" in r.pattern and "restore" not in r.pattern], ids=str
)
def test_a_trashed_client_answers_his_own_agent_as_an_absent_one(world: World, route: Route):
    trashed, absent = {"client_id": world.gone.pk}, {"client_id": uuid4()}
    assert answer(route, world, "anna", trashed) == answer(route, world, "anna", absent)


@pytest.mark.parametrize("route", [route for route in HIDDEN if "note_id" in route.pattern], ids=str)
def test_a_note_is_found_under_its_own_deal_only(world: World, route: Route):
    under_another, absent = {"deal_id": world.moved.pk}, {"deal_id": world.moved.pk, "note_id": uuid4()}
    first = answer(route, world, "anna", ids_of(route, world) | under_another)
    assert first == answer(route, world, "anna", absent)
    assert first[0] == 404


def ids_of(route: Route, world: World) -> dict[str, Any]:
    return {hole: thing.pk for hole, thing in things_about(route, world).items()}


def answer(route: Route, world: World, who: str, ids: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body, without what belongs to this very answer and the ids that were asked for."""
    with undone():
        response = ask(route, world, who, **ids)
    headers = {name: value for name, value in response.headers.items() if name not in OWN_HEADERS}
    body = OF_THIS_ANSWER.sub(b"", response.content)
    for value in ids.values():
        body = body.replace(str(value).encode(), b"id")
    headers.pop("Content-Length", None)
    return response.status_code, headers, body
