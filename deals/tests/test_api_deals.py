"""`/deals/` for programs: what is sent, what is answered, and how it is refused."""

import pytest

from deals.tests.making import PHONE
from deals.tests.programs import CREATED, Program

DETAIL = {
    *("id", "number", "client", "client_phone", "client_phone_masked", "client_name", "property_address", "price"),
    *("kind", "property_type", "commission_percent", "stage", "status", "lost_reason", "agent", "next_step", "notes"),
    *("version", "created_at", "updated_at", "deleted_at"),
}


@pytest.fixture
def api(anna):
    return Program(anna)


def test_a_deal_is_created_and_found_where_location_says(api, anna):
    response = api.post("/deals/", CREATED)
    deal = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/deals/{deal['id']}"
    assert set(deal) == DETAIL
    assert deal["client_phone"] == PHONE
    assert deal["client_phone_masked"] == "+7 916 ***-**-67"
    assert deal["price"] == "12500000.00"
    assert deal["kind"] == "sale"
    assert deal["stage"] == {"code": "new", "name": "New", "kind": "open"}
    assert deal["agent"] == {"id": str(anna.pk), "name": "Анна Агеева"}
    assert api.get(f"/deals/{deal['id']}").json() == deal


def test_the_list_has_what_the_detail_has_but_notes_and_the_number(api):
    api.create()
    page = api.get("/deals/").json()
    assert page["next_cursor"] is None
    assert set(page["items"][0]) == DETAIL - {"notes", "client_phone"}
