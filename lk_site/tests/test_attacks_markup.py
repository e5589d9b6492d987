"""What people type is text wherever it is shown: never markup, never a template, never a formula of ours."""

import html
import json
from typing import Any

import pytest

from deals.models import Client, Deal
from deals.services.clients import edit_client
from deals.services.deals import edit_deal
from deals.services.hand_over import hand_over_deal
from deals.services.notes import add_note
from deals.services.pipeline import move_deal
from deals.tests.making import by, make_deal
from lk_site.tests.asking import send
from lk_site.tests.walking import World, make_world, routes

pytestmark = pytest.mark.django_db
SCRIPT = "<script>alert(1)</script>"
HOSTILE = [
    f"""{SCRIPT}"><img src=x onerror=alert(1)>' autofocus onfocus=alert(1) x='""",
    "{{ 7|add:7 }}{% debug %}{{ request.user }}${7*7}#{7*7}<%= 7*7 %>%s %(name)s {0} {name} %n",
    "</textarea></title></style></script><svg/onload=alert(1)>&lt;b&gt;&#60;-->]]><!--javascript:alert(1)//",
]


def hostile_world(text: str) -> World:
    """Return a world in which everything that people name is this text."""
    world = make_world(staff=f"staff-{len(text)}")
    for who in ("anna", "vera", "boris"):
        user = world.users[who]
        user.name = text
        user.save(update_fields=["name"])
    world.agency.name = text[:100]
    world.agency.save()
    anna = by(world.anna)
    edit_client(world.client.pk, {"name": text, "notes": text}, actor=anna, version=1)
    step = {"text": text, "due_on": "2026-12-01"}
    edit_deal(world.deal.pk, {"property_address": text, "notes": text, "next_step": step}, actor=anna, version=1)
    add_note(world.deal.pk, text, actor=anna)
    lost = {"lost_reason": "other", "comment": text}
    move_deal(world.deal.pk, "lost", actor=anna, version=2, **lost)
    given = make_deal(world.anna, "79037778899", property_address=text)
    hand_over_deal(given.pk, world.boris.pk, actor=by(world.vera), version=1)
    world.things |= {"deal": Deal.objects.get(pk=world.deal.pk), "client": Client.objects.get(pk=world.client.pk)}
    return world


@pytest.fixture(autouse=True)
def _no_throttle(settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, **dict.fromkeys(("person", "anonymous", "search"), (10**9, 300))}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_stored_is_shown_as_text_on_every_page(text: str):
    world = hostile_world(text)
    escaped, seen = html.escape(text), 0
    for route in [route for route in routes() if route.method == "GET" and route.door != "api"]:
        for who in ("anna", "vera") if route.door == "page" else ("staff",):
            body = send(world.browser(who), route, world).content.decode()
            seen += escaped in body
            assert text not in body, str(route)
            assert "alert(1)>" not in body.replace(escaped, ""), str(route)
    assert seen > 10


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_refused_is_shown_as_text(world: World, text: str):
    """A form comes back with what was typed, a search with what was looked for, a login with its phone."""
    browser, deal = world.browser("anna"), world.deal
    forms = [
        ("/deals/new/", {"client_phone": text, "client_name": text, "property_address": text, "price": text}),
        (f"/deals/{deal.pk}/edit/", {"property_address": text, "price": text, "version": text, "notes": text}),
        (f"/deals/{deal.pk}/edit/", {"property_address": text, "price": "1", "version": "999", "notes": text}),
        (f"/deals/{deal.pk}/move/", {"to": text, "comment": text, "lost_reason": text}),
        (f"/deals/{deal.pk}/notes/", {"text": text + "я" * 6000}),
        ("/deals/search/", {"q": text + "я" * 200}),
        ("/clients/search/", {"q": text + "я" * 200}),
        ("/clients/new/", {"phone_1": text, "name": text, "email": text, "notes": text}),
        ("/profile/", {"name": text * 30, "time_zone": text, "theme": text, "language": text}),
    ]
    for address, form in forms:
        response = browser.post(address, form)
        body = response.content.decode()
        assert response.status_code in (412, 422), address
        assert text not in body, address
        assert html.escape(text)[:40] in body, address
    for address in ("/login/", "/admin/login/"):
        refused = world.browser("nobody").post(address, {"phone": text, "login": text, "next": f"/{text}"})
        assert text not in refused.content.decode()


@pytest.mark.parametrize("text", HOSTILE)
def test_an_address_is_shown_as_text(world: World, text: str):
    for who in ("anna", "nobody", "staff"):
        for address in (f"/{text}/", f"/deals/?status={text}&search={text}&x={text}", f"/login/?next=/{text}"):
            response = world.browser(who).get(address)
            assert "alert(1)>" not in response.content.decode().replace(html.escape(text), "")


@pytest.mark.parametrize("text", HOSTILE)
def test_json_carries_it_as_it_is_and_is_never_read_as_a_page(text: str):
    world = hostile_world(text)
    for address in (f"/deals/{world.deal.pk}", f"/deals/{world.deal.pk}/timeline", f"/clients/{world.client.pk}"):
        response = world.browser("anna").get(f"/api/v1{address}")
        assert json.dumps(text, ensure_ascii=False)[1:-1] in response.content.decode()
        assert response["Content-Type"].startswith("application/json")
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_problem_repeats_no_markup(world: World):
    for address in (f"/api/v1/{SCRIPT}", f"/api/v1/deals/?{SCRIPT}={SCRIPT}", f"/api/v1/deals/?status={SCRIPT}"):
        response = world.browser("anna").get(address)
        assert response["Content-Type"] == "application/problem+json"
        assert SCRIPT not in response.json()["detail"]
