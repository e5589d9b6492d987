"""What staff could do beyond what the admin shows them: guess hidden columns, break lists, change rows in place."""

from typing import Any

import pytest

from accounts.admin import site
from accounts.models import Session, User
from lk_site.tests.databases import digests
from lk_site.tests.test_attacks_csrf import CHANGED_BY_READING
from lk_site.tests.walking import World

pytestmark = pytest.mark.django_db
LISTS = {
    f"/admin/{model._meta.app_label}/{model._meta.model_name}/": (model, of) for model, of in site._registry.items()
}
BROKEN = ["%00", "%00%ff", "a%00b", "%1b", "9" * 5000, "%F0%9F%92%A9", "..%2f", "%27%22%29%3b--", "1e400", "%D9%A1", ""]


def parameters(of: Any) -> list[str]:
    """Return the parameters that a list takes: its filters', Django's own, and lookups beneath them."""
    found = ["q", "p", "o", "e", "all", "_popup", "_to_field", "_facets", "_changelist_filters"]
    for one in of.list_filter:
        name = one if isinstance(one, str) else one[0] if isinstance(one, tuple) else one.parameter_name
        found += [f"{name}{lookup}" for lookup in ("", "__exact", "__isnull", "__isempty", "__in", "__year", "__gte")]
    return found


@pytest.mark.parametrize("address", LISTS)
def test_no_filter_breaks_a_list(world: World, address: str):
    browser = world.browser("staff")
    for name in parameters(LISTS[address][1]):
        for value in BROKEN:
            status = browser.get(address, QUERY_STRING=f"{name}={value}&agency={world.agency.pk}").status_code
            assert status in (200, 302, 400), (name, value[:20])


@pytest.mark.parametrize("address", LISTS)
def test_a_list_is_filtered_by_no_column_that_it_does_not_offer(world: World, address: str):
    """`password__startswith` would tell a hash letter by letter, whatever the list shows."""
    model, of = LISTS[address]
    offered = [name.partition("__")[0] for name in parameters(of)]
    hidden = [field.name for field in model._meta.get_fields() if field.name not in offered]
    assert hidden
    for name in [*hidden, "user__password", "agency__people__password", "agent__password", "actor__password"]:
        for lookup in ("", "__startswith", "__exact", "__gt", "__isnull", "__in", "__regex"):
            response = world.browser("staff").get(address, {f"{name}{lookup}": "1"})
            assert response.status_code == 400, f"{name}{lookup}"


@pytest.mark.parametrize("address", LISTS)
def test_no_row_is_changed_past_the_actions(world: World, address: str):
    """Django's own ways to change, add and delete, and its actions of many rows at once."""
    model, _of = LISTS[address]
    row, browser, before = model._default_manager.order_by("pk")[0], world.browser("staff"), digests()
    fields = {field.name: "1" for field in model._meta.fields}
    for path, form in (
        ("add/", fields),
        (f"{row.pk}/change/", {**fields, "_save": "1"}),
        (f"{row.pk}/delete/", {"post": "yes"}),
        ("", {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes", "index": "0"}),
        ("", {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": str(row.pk), "_save": "1"}),
    ):
        assert browser.post(address + path, form).status_code in (200, 302, 403)
    assert digests().differ_from(before, besides=(*CHANGED_BY_READING, "accounts_session.data")) == []


def test_staff_are_changed_by_no_action_on_people(world: World):
    """The admin looks after agents; staff are made and changed on the command line."""
    before = User.objects.get(pk=world.staff.pk)
    for action in ("rename", "make-head", "disable", "end-sessions", "clear", "reveal", "enable", "make-agent"):
        form = {"name": "Имя", "reason": "Так"}
        status = world.browser("staff").post(f"/admin/accounts/user/{world.staff.pk}/{action}/", form).status_code
        assert status == 404, action
    assert User.objects.get(pk=world.staff.pk).version == before.version
    assert Session.objects.filter(user=world.staff, ended_at=None).exists()


def test_the_admin_shows_no_phone_name_or_note_without_a_reveal(world: World):
    for address, (model, _of) in LISTS.items():
        row = model._default_manager.order_by("pk")[0]
        pages = [
            address,
            f"{address}?agency={world.agency.pk}",
            f"{address}{row.pk}/change/",
            f"{address}{row.pk}/history/",
        ]
        for page in [*pages, "/admin/"]:
            text = world.browser("staff").get(page).content.decode()
            digits = "".join(filter(str.isdigit, text))
            for secret in ("Агеева", "Белов", "Смотрели дважды"):
                assert secret not in text, page
            for phone in (world.anna.phone, world.client.numbers[0], world.moved.client.numbers[0]):
                assert str(phone)[1:] not in digits, page
