"""Whatever a page can do a program can do too: every form of the pages has its operation in the API."""

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.urls import resolve

from lk_site.tests.asking import ask
from lk_site.tests.walking import Route, World, make_world, routes, undone

pytestmark = pytest.mark.django_db

OPERATION_OF = {  # view that a form posts to -> the operation that does the same
    "accounts:login": "POST auth/send-code",
    "accounts:login_code": "POST auth/verify-code",
    "accounts:login_second": "POST auth/verify-second-factor",
    "accounts:logout": "POST auth/logout",
    "accounts:step_up": "POST auth/step-up/verify",
    "accounts:welcome": "POST me/consents",
    "accounts:profile_edit": "PATCH me",
    "accounts:language_set": "PATCH me",
    "accounts:theme_set": "PATCH me",
    "accounts:session_end": "DELETE me/sessions/<uuidstr:session_id>",
    "accounts:session_end_others": "POST me/sessions/end-others",
    "accounts:totp_begin": "POST me/factors/totp",
    "accounts:totp_create": "POST me/factors/totp/confirm",
    "accounts:totp_remove": "DELETE me/factors/totp",
    "accounts:passkey_remove": "DELETE me/factors/passkeys/<uuidstr:passkey_id>",
    "accounts:backup_codes_renew": "POST me/factors/backup-codes",
    "accounts:key_create": "POST keys",
    "accounts:key_edit": "PATCH keys/<uuidstr:key_id>",
    "accounts:key_rotate": "POST keys/<uuidstr:key_id>/rotate",
    "accounts:key_revoke": "DELETE keys/<uuidstr:key_id>",
    "accounts:webhook_create": "POST webhooks",
    "accounts:webhook_edit": "PATCH webhooks/<uuidstr:webhook_id>",
    "accounts:webhook_rotate": "POST webhooks/<uuidstr:webhook_id>/rotate-secret",
    "accounts:webhook_switch_on": "POST webhooks/<uuidstr:webhook_id>/switch-on",
    "accounts:webhook_switch_off": "POST webhooks/<uuidstr:webhook_id>/switch-off",
    "accounts:webhook_test": "POST webhooks/<uuidstr:webhook_id>/test",
    "accounts:webhook_remove": "DELETE webhooks/<uuidstr:webhook_id>",
    "accounts:webhook_replay": "POST webhooks/<uuidstr:webhook_id>/replay",
    "accounts:webhook_delivery_replay": "POST webhooks/<uuidstr:webhook_id>/deliveries/<uuidstr:delivery_id>/replay",
    "accounts:audit_export": "POST audit/export",
    "accounts:alarm_seen": "POST audit/alarms/<uuidstr:alarm_id>/seen",
    "deals:deal_search": "GET deals/",
    "deals:deal_create": "POST deals/",
    "deals:deal_edit": "PATCH deals/<uuidstr:deal_id>",
    "deals:deal_move": "POST deals/<uuidstr:deal_id>/stage-moves",
    "deals:deal_undo_move": "POST deals/<uuidstr:deal_id>/stage-moves/undo",
    "deals:deal_hand_over": "POST deals/<uuidstr:deal_id>/hand-over",
    "deals:deal_trash": "DELETE deals/<uuidstr:deal_id>",
    "deals:deal_restore": "POST deals/<uuidstr:deal_id>/restore",
    "deals:note_add": "POST deals/<uuidstr:deal_id>/notes",
    "deals:note_edit": "PATCH deals/<uuidstr:deal_id>/notes/<uuidstr:note_id>",
    "deals:note_delete": "DELETE deals/<uuidstr:deal_id>/notes/<uuidstr:note_id>",
    "deals:client_search": "GET clients/",
    "deals:client_create": "POST clients/",
    "deals:client_edit": "PATCH clients/<uuidstr:client_id>",
    "deals:client_reveal": "POST clients/<uuidstr:client_id>/reveal",
    "deals:client_trash": "DELETE clients/<uuidstr:client_id>",
    "deals:client_restore": "POST clients/<uuidstr:client_id>/restore",
}
PAGES = [route for route in routes() if route.door == "page" and route.method == "GET"]
POSTS = [route for route in routes() if route.door == "page" and route.method == "POST"]
OPERATIONS = {f"{route.method} {route.pattern.removeprefix('api/v1/')}" for route in routes() if route.door == "api"}


class Forms(HTMLParser):
    """Collects where the forms of a page lead: `action` of the form, `formaction` of its buttons, htmx's addresses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.actions: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "form" and (told.get("method") or "get").lower() == "post":
            self.actions.add(told.get("action") or self.page)
        self.actions |= {address for name in ("formaction", "hx-post") if (address := told.get(name))}


def known_views() -> set[str]:
    return {view_of(route) for route in POSTS}


def view_of(route: Route) -> str:
    ids = dict.fromkeys(("deal_id", "client_id", "note_id", "session_id"), "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8")
    ids |= dict.fromkeys(("key_id", "webhook_id", "delivery_id", "operation_id", "alarm_id"), ids["deal_id"])
    ids["passkey_id"] = ids["deal_id"]
    return resolve(route.address(document="personal_data", version="1", **ids)).view_name


def takes_a_form(route: Route, world: World) -> bool:
    with undone():
        return bool(ask(route, world.again(), "vera").status_code != 405)


def forms_of(world: World, who: str) -> Iterator[str]:
    """Yield the views that forms on this person's pages post to."""
    for route in PAGES:
        response = ask(route, world, who)
        if response.status_code != 200 or not response.get("Content-Type", "").startswith("text/html"):
            continue
        forms = Forms(response.wsgi_request.path)
        forms.feed(response.content.decode())
        for action in forms.actions:
            yield resolve(urlsplit(action).path).view_name


@pytest.mark.parametrize("who", ["anna", "vera", "nobody"])
def test_every_form_of_the_pages_has_an_operation(who: str):
    found = set(forms_of(make_world(), who))
    assert found
    assert found - set(OPERATION_OF) == set()


def test_every_view_that_takes_a_form_has_an_operation():
    world = make_world()
    takes_forms = {view_of(route) for route in POSTS if takes_a_form(route, world)}
    assert takes_forms - set(OPERATION_OF) - {"healthz", "readyz", "deals:home"} == set()


def test_every_operation_that_stands_for_a_form_is_there():
    assert set(OPERATION_OF.values()) - OPERATIONS == set()


def test_the_table_names_no_view_that_is_gone():
    assert set(OPERATION_OF) - known_views() == set()
