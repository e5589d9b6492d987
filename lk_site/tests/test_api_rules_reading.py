"""`api.md`, "Pages" and "Filters of deals": one test a rule, asked by a session and by a key."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts.tests.clock import clock
from deals.models import Deal, Search
from deals.tests.making import OTHER_PHONE, THIRD_PHONE
from deals.tests.programs import refused
from lk_site import cursors
from lk_site.tests.askers import BySession
from lk_site.tests.walking import World

__all__ = ["clock"]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def ids(api: BySession, **query: Any) -> list[str]:
    """Return the ids of one page."""
    response = api.get("/deals/", query)
    assert response.status_code == 200, response.content.decode()
    return [row["id"] for row in response.json()["items"]]


def made(api: BySession, count: int, **fields: Any) -> list[str]:
    """Create deals, and return their ids, newest first."""
    return [api.create(**fields)["id"] for _ in range(count)][::-1]


# --- pages


def test_a_page_is_items_and_next_cursor_and_a_link_to_the_next(api: BySession):
    made(api, 3)
    response = api.get("/deals/", {"limit": "2", "status": "open"})
    assert set(response.json()) == {"items", "next_cursor"}
    address, rel = response["Link"].split("; ")
    assert rel == 'rel="next"'
    following = api.browser.get(address.strip("<>"))
    assert (
        following.json()["items"]
        == api.get("/deals/", {"limit": "2", "status": "open", "cursor": response.json()["next_cursor"]}).json()[
            "items"
        ]
    )


def test_the_last_page_has_no_next_cursor_and_no_link(api: BySession):
    response = api.get("/deals/", {"limit": "100"})
    assert response.json()["next_cursor"] is None
    assert "Link" not in response


def test_limit_is_1_to_100_and_20_where_none_is_sent(api: BySession):
    made(api, 21)
    assert len(ids(api)) == 20
    assert len(ids(api, limit="1")) == 1
    assert len(ids(api, limit="100")) >= 21
    for wrong in ("0", "101", "-1", "x"):
        refused(api.get("/deals/", {"limit": wrong}), 422, "invalid", "?limit")


def test_a_deep_page_costs_what_the_first_costs(api: BySession):
    """By key, never by offset."""
    made(api, 4)
    cursor = None
    for _ in range(3):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            page = api.get("/deals/", {"limit": "1", **({"cursor": cursor} if cursor else {})}).json()
        assert not [query["sql"] for query in asked if "OFFSET" in query["sql"].upper()]
        cursor = page["next_cursor"]


def test_rows_written_during_a_walk_neither_repeat_nor_hide_others(api: BySession):
    expected, seen = made(api, 4), list[str]()
    page = api.get("/deals/", {"limit": "2"}).json()
    while len(seen) < 4:
        seen += [row["id"] for row in page["items"]]
        api.create()
        api.patch(f"/deals/{expected[0]}", {"notes": str(len(seen))}, version="*")
        page = api.get("/deals/", {"limit": "2", "cursor": page["next_cursor"]}).json()
    assert seen == expected


def test_a_cursor_is_opaque_and_holds_no_filter_value(api: BySession):
    made(api, 2, client_phone=OTHER_PHONE, client_name="Мария")
    cursor = api.get("/deals/", {"q": "мария", "limit": "1"}).json()["next_cursor"]
    opened = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert "мария".encode() not in opened
    assert "мария" not in cursor


def test_a_cursor_of_another_query_or_an_altered_one_is_422_cursor_invalid(api: BySession):
    made(api, 2)
    cursor = api.get("/deals/", {"limit": "1"}).json()["next_cursor"]
    altered = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for query in ({"status": "open", "cursor": cursor}, {"cursor": altered}, {"cursor": "x"}):
        refused(api.get("/deals/", query), 422, "cursor_invalid", "?cursor")
    refused(api.get("/clients/", {"cursor": cursor}), 422, "cursor_invalid", "?cursor")


def test_where_rows_are_filtered_after_decryption_reading_goes_on_until_the_page_is_full(api: BySession):
    wanted = []
    for number in range(12):
        name = "Мария Петрова" if number % 4 == 0 else f"Марина {number}"
        deal = api.create(client_phone=f"7916000{number:04}", client_name=name)
        wanted += [deal["id"]] if number % 4 == 0 else []
    assert ids(api, q="мария", limit="3") == wanted[::-1]


def test_reading_stops_at_500_candidates_and_the_cursor_is_the_last_row_read(monkeypatch: pytest.MonkeyPatch):
    rows = list(range(1200))

    def read(after: Any, count: int) -> list[int]:
        first = 0 if after is None else after[0] + 1
        return rows[first : first + count]

    found, last = cursors.sift(read, None, 20, keep=lambda row: row == 3, key=lambda row: (row,))
    assert (found, last) == ([3], (499,))
    assert cursors.CANDIDATES == 500


# --- filters


def test_each_filter_narrows(api: BySession, world: World):
    """Everything but `q`."""
    rent = api.create(client_phone=OTHER_PHONE, kind="rent", price="50000.00")
    api.post(f"/deals/{rent['id']}/stage-moves", {"to": "showing"}, version=1)
    lost = api.create(client_phone=THIRD_PHONE, price="777.00")
    api.post(f"/deals/{lost['id']}/stage-moves", {"to": "lost", "lost_reason": "price"}, version=1)
    Deal.objects.filter(pk=rent["id"]).update(created_at=NOON, updated_at=NOON)
    for name, value, found in (
        ("status", "lost", [lost]),
        ("kind", "rent", [rent]),
        ("client", rent["client"], [rent]),
        ("client_phone", "8 (926) 765-43-21", [rent]),
        ("price_max", "777", [lost]),
        ("created_to", "2026-11-20", [rent]),
    ):
        assert ids(api, **{name: value}) == [deal["id"] for deal in found], name
    assert rent["id"] in ids(api, stage="showing")
    for name, value in (
        ("price_min", "50000.01"),
        ("created_from", "2026-11-21"),
        ("updated_after", "2026-11-20T12:00:00Z"),
    ):
        assert ids(api, **{name: value})
        assert rent["id"] not in ids(api, **{name: value}), name
    assert ids(api, agent=str(world.boris.pk)) == []
    assert ids(api, trashed="true") == [str(world.trashed.pk)]


def test_repeats_of_one_parameter_mean_or_and_different_parameters_and(api: BySession):
    rent, let = api.create(kind="rent")["id"], api.create(kind="let", client_phone=OTHER_PHONE)["id"]
    assert ids(api, kind=["rent", "let"]) == [let, rent]
    assert ids(api, kind=["rent", "let"], client_phone=OTHER_PHONE) == [let]


def test_q_a_hash_and_digits_is_the_number(api: BySession):
    deal = api.create()
    assert ids(api, q=f"#{deal['number']}") == [deal["id"]]


def test_q_eleven_digits_are_a_phone_and_four_its_last(api: BySession):
    deal = api.create(client_phone=OTHER_PHONE)
    for q in ("+7 926 765-43-21", "89267654321", "4321"):
        assert ids(api, q=q) == [deal["id"]]


def test_q_else_words_each_in_the_address_or_the_beginning_of_a_word_of_the_name(api: BySession):
    deal = api.create(client_phone=OTHER_PHONE, client_name="Мария Петрова", property_address="Химки, Ленина, 7")
    for q in ("химки", "петр", "петр химки", "енин"):
        assert ids(api, q=q) == [deal["id"]], q
    for q in ("химки тула", "етрова химки"):
        assert ids(api, q=q) == [], q


def test_q_a_short_word_is_looked_for_only_in_the_address_and_beside_a_longer_one(api: BySession):
    deal = api.create(client_phone=OTHER_PHONE, client_name="Ян Петров", property_address="Химки, ул. Ленина, 7")
    assert ids(api, q="химки ул") == [deal["id"]]
    assert ids(api, q="химки ян") == []
    for alone in ("ул", "7", "ул 7"):
        refused(api.get("/deals/", {"q": alone}), 422, "q_too_short", "?q")


def test_addresses_are_compared_folded(api: BySession):
    """NFC, case folded, ё is е: also on SQLite, which cannot fold Cyrillic."""
    deal = api.create(client_phone=OTHER_PHONE, property_address="Химки, Ёлочная ул., 7")
    for q in ("ЕЛОЧНАЯ", "ёлочная", "е\u0308лочная"):
        assert ids(api, q=q) == [deal["id"]], q


def test_a_day_is_a_day_of_the_askers_time_zone(by_session: BySession):
    deal = by_session.create()["id"]
    Deal.objects.filter(pk=deal).update(created_at=datetime(2026, 11, 10, 22, tzinfo=UTC))  # the 11th in Moscow
    assert ids(by_session, created_from="2026-11-11", created_to="2026-11-11") == [deal]


def test_pages_use_the_same_filter(api: BySession, world: World):
    rent = api.create(kind="rent", property_address="Химки, Ленина, 7")
    page = world.browser("anna").get("/deals/", {"kind": "rent"}).content.decode()
    assert ids(api, kind="rent") == [rent["id"]]
    assert rent["id"] in page
    assert str(world.deal.pk) not in page


# --- the search box of the pages


def test_a_search_box_redirects_to_a_random_id_and_no_text_stands_in_an_address(world: World):
    browser = world.browser("anna")
    sent = browser.post("/deals/search/?kind=sale", {"q": "8 916 123-45-67", "kind": "sale"})
    search = Search.objects.get()
    assert sent.status_code == 302
    assert f"search={search.pk}" in sent["Location"]
    assert "916" not in sent["Location"].replace(str(search.pk), "")
    assert str(world.deal.pk) in browser.get(sent["Location"]).content.decode()


def test_the_other_filters_of_a_search_stay_in_the_address(world: World):
    sent = world.browser("anna").post("/deals/search/", {"q": "Тверская", "kind": "sale"})
    assert "kind=sale" in sent["Location"]


def test_the_text_of_a_search_is_kept_sealed_for_the_session_and_an_hour(world: World, clock: Any):
    browser: Browser = world.browser("anna")
    sent = browser.post("/deals/search/", {"q": "Редкоеслово"})
    (cell,) = Search.objects.cells("text")[0]
    assert "Редкоеслово".encode() not in bytes(cell.token)
    assert "Редкоеслово" in browser.get(sent["Location"]).content.decode()
    assert "Редкоеслово" not in world.browser("vera").get(sent["Location"]).content.decode()
    clock.now += timedelta(minutes=61)
    assert "Редкоеслово" not in browser.get(sent["Location"]).content.decode()
