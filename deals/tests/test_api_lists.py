"""The list of deals for programs: filters, searches and pages."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Event
from deals.models import Deal
from deals.services.deals import edit_deal, trash_deal
from deals.services.pipeline import move_deal
from deals.tests.making import ADDRESS, OTHER_PHONE, PHONE, THIRD_PHONE, by, make_deal
from deals.tests.programs import Program, refused

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def api(anna):
    return Program(anna)


@pytest.fixture
def three(anna) -> list[Deal]:
    """A sale, a rent in viewings and a lost purchase, a day apart."""
    deals = [
        make_deal(anna, PHONE, client_name="Мария Петрова", price=1_000_000),
        make_deal(anna, OTHER_PHONE, kind="rent", price=50_000, property_address="Химки, Ёлочная ул., 7"),
        make_deal(anna, THIRD_PHONE, kind="purchase", price=9_000_000, property_address="Тула, проспект Ленина, 1"),
    ]
    move_deal(deals[1].pk, "showing", actor=by(anna), version=1)
    move_deal(deals[2].pk, "lost", actor=by(anna), version=1, lost_reason="price")
    for day, deal in enumerate(deals):
        at = NOON + timedelta(days=day)
        Deal.objects.filter(pk=deal.pk).update(created_at=at, updated_at=at)
    return deals


def numbers(program: Program, *query: tuple[str, Any], **more: Any) -> list[int]:
    """The numbers that a list answers, oldest first."""
    asked: dict[str, list[Any]] = {}
    for name, value in (*query, *more.items()):
        asked.setdefault(name, []).append(value)
    response = program.get("/deals/", asked)
    assert response.status_code == 200, response.content.decode()
    return sorted(row["number"] for row in response.json()["items"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ([], [1, 2, 3]),
        ([("status", "open")], [1, 2]),
        ([("status", "won"), ("status", "lost")], [3]),
        ([("stage", "showing")], [2]),
        ([("stage", "showing"), ("stage", "new")], [1, 2]),
        ([("kind", "rent"), ("kind", "purchase")], [2, 3]),
        ([("kind", "rent"), ("status", "lost")], []),
        ([("price_min", "50000.01")], [1, 3]),
        ([("price_min", "50000"), ("price_max", "1000000.00")], [1, 2]),
        ([("created_from", "2026-11-21")], [2, 3]),
        ([("created_to", "2026-11-21")], [1, 2]),
        ([("created_from", "2026-11-21T12:00:00Z"), ("created_to", "2026-11-21T15:00:00+03:00")], [2]),
        ([("created_to", "2026-11-21T11:59:59Z")], [1]),
        ([("updated_after", "2026-11-21T12:00:00Z")], [3]),
        ([("client_phone", "8 (926) 765-43-21")], [2]),
        ([("client_phone", PHONE), ("client_phone", OTHER_PHONE)], [1, 2]),
        ([("trashed", "false")], [1, 2, 3]),
        ([("trashed", "true")], []),
        ([("q", "")], [1, 2, 3]),
    ],
)
def test_each_filter_narrows_repeats_mean_or_and_different_ones_and(api, three, query, found):
    assert numbers(api, *query) == found


def test_days_are_days_of_the_askers_time_zone(api, anna, three):
    Deal.objects.filter(pk=three[0].pk).update(created_at=datetime(2026, 11, 20, 22, tzinfo=UTC))  # 21st in Moscow
    assert numbers(api, created_from="2026-11-21") == [1, 2, 3]
    assert numbers(api, created_to="2026-11-20") == []


def test_filters_by_agent_and_client(vera, anna, boris, three):
    mine = make_deal(boris)
    head = Program(vera)
    assert numbers(head, agent=str(boris.pk)) == [mine.number]
    assert numbers(head, ("agent", str(boris.pk)), ("agent", str(anna.pk))) == [1, 2, 3, 4]
    assert numbers(head, client=str(three[0].client_id)) == [1]


def test_the_trash_is_a_list_of_its_own(api, anna, three):
    trash_deal(three[0].pk, actor=by(anna), version=1)
    assert numbers(api) == [2, 3]
    assert numbers(api, trashed="true") == [1]


def test_a_list_holds_what_one_may_see(anna, boris, vera, gleb, three):
    make_deal(boris)
    assert numbers(Program(anna)) == [1, 2, 3]
    assert numbers(Program(boris)) == [4]
    assert numbers(Program(vera)) == [1, 2, 3, 4]
    assert numbers(Program(gleb)) == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"status": "closed"}, "unknown"),
        ({"kind": "swap"}, "unknown"),
        ({"agent": "anna"}, "not_an_id"),
        ({"client": "1"}, "not_an_id"),
        ({"client_phone": "+7 916 ***-**-67"}, "phone_masked"),
        ({"client_phone": "4567"}, "phone_invalid"),
        ({"price_min": "cheap"}, "not_a_number"),
        ({"created_from": "2026-13-01"}, "not_a_date"),
        ({"created_from": "yesterday"}, "not_a_time"),
        ({"created_to": "2026-11-21T12:00:00"}, "not_a_time"),
        ({"updated_after": "2026-11-21"}, "not_a_time"),
        ({"trashed": "maybe"}, "not_a_boolean"),
        ({"limit": "0"}, "out_of_range"),
        ({"limit": "101"}, "out_of_range"),
        ({"q": "a" * 201}, "too_long"),
        ({"utm_source": "x"}, "unknown_parameter"),
        ({"cursor": "abc"}, "cursor_invalid"),
    ],
)
def test_what_a_list_cannot_mean_is_422_at_the_parameter(api, query, code):
    (name,) = query
    problem = api.get("/deals/", query).json()
    assert problem["status"] == 422
    assert {error["pointer"].partition("/")[0] for error in problem["errors"]} == {f"?{name}"}
    assert problem["errors"][0]["code"] == code


# --- q


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("#2", [2]),
        ("# 3", [3]),
        ("#99", []),
        ("+7 916 123-45-67", [1]),
        ("89161234567", [1]),
        ("4567", [1]),
        ("45-67", [1]),
        ("ТУЛА", [3]),
        ("елочная", [2]),
        ("ЁЛОЧНАЯ химки", [2]),
        ("ленина 1", [3]),
        ("ленина химки", []),
        ("мария", [1]),
        ("ПЕТР", [1]),
        ("етров", []),
        ("петр тверская", [1]),
        ("тверская 12", [1]),
        ("99999", []),
    ],
)
def test_q_understands_numbers_phones_and_words(api, three, q, found):
    assert numbers(api, q=q) == found


@pytest.mark.parametrize("q", ["я", "ул", "7", "ул 7"])
def test_short_words_alone_are_too_short(api, q):
    refused(api.get("/deals/", {"q": q}), 422, "q_too_short", "?q")


def test_searching_by_a_number_leaves_evidence_without_the_number(api, three):
    numbers(api, q="89161234567")
    numbers(api, client_phone=PHONE)
    events = Event.objects.filter(action="client.searched")
    assert events.count() == 2
    assert len({event.data["digest"] for event in events}) == 1
    assert PHONE not in str([event.data for event in events])


def test_searches_are_throttled_apart(api, settings):
    settings.LIMITS = settings.LIMITS | {"search": (1, 60)}
    numbers(api, q="тула")
    response = api.get("/deals/", {"client_phone": PHONE})
    refused(response, 429, "too_often")
    assert '"search"' in response.headers["RateLimit"]
    assert numbers(api) == []


# --- pages


def walk(program: Program, path: str = "/deals/", between: Any = None, **query: str) -> list[Any]:
    """Read all pages; `between` happens after each."""
    rows, cursor = [], None
    while True:
        page = program.get(path, {**query, **({"cursor": cursor} if cursor else {})}).json()
        rows += page["items"]
        if (cursor := page["next_cursor"]) is None:
            return rows
        if between is not None:
            between()


def test_pages_hold_every_row_once_and_newest_first(api, anna):
    made = [make_deal(anna).number for _ in range(7)]
    assert [row["number"] for row in walk(api, limit="3")] == made[::-1]


def test_rows_written_during_a_walk_neither_repeat_nor_hide_others(api, anna):
    made = [make_deal(anna) for _ in range(7)]

    def write() -> None:
        make_deal(anna, OTHER_PHONE)
        newest = Deal.objects.get(pk=made[0].pk)
        edit_deal(newest.pk, {"price": newest.price + 1}, actor=by(anna), version=newest.version)

    seen = [row["number"] for row in walk(api, between=write, limit="2")]
    assert seen == [deal.number for deal in reversed(made)]


def test_rows_of_one_moment_are_told_apart_by_their_ids(api, anna):
    for _ in range(5):
        make_deal(anna)
    Deal.objects.update(created_at=NOON)
    assert len({row["id"] for row in walk(api, limit="2")}) == 5


def test_the_link_header_leads_through_the_pages_with_the_filters(api, anna, three):
    response = api.get("/deals/", {"status": "open", "limit": "1"})
    address, rel = response.headers["Link"].split("; ")
    assert rel == 'rel="next"'
    following = api.browser.get(address.strip("<>"))
    assert [row["number"] for row in following.json()["items"]] == [1]
    assert "Link" not in following.headers


def test_a_cursor_of_another_query_or_an_altered_one_is_invalid(api, anna, three):
    cursor = api.get("/deals/", {"limit": "1"}).json()["next_cursor"]
    assert api.get("/deals/", {"limit": "2", "cursor": cursor}).status_code == 200
    for query in ({"status": "open"}, {"q": "тула"}):
        refused(api.get("/deals/", {**query, "cursor": cursor}), 422, "cursor_invalid", "?cursor")
    refused(api.get("/clients/", {"cursor": cursor}), 422, "cursor_invalid", "?cursor")
    altered = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for wrong in (altered, cursor + "A", "", "ё", "x" * 5000):
        refused(api.get("/deals/", {"cursor": wrong}), 422, "cursor_invalid", "?cursor")


def test_a_cursor_shows_no_filter_value(api, anna):
    for _ in range(3):
        make_deal(anna, client_name="Мария")
    cursor = api.get("/deals/", {"q": "мария", "limit": "1"}).json()["next_cursor"]
    opened = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert "мария".encode() not in opened


def test_a_search_reads_on_until_the_page_is_full(api, anna):
    for number in range(30):
        name = "Мария Петрова" if number % 10 == 0 else f"Марина {number}"
        make_deal(anna, f"7916000{number:04}", client_name=name)
    found = walk(api, q="мария", limit="2")
    assert [row["client_name"] for row in found] == ["Мария Петрова"] * 3


def test_q_is_also_looked_for_in_the_address_beside_a_name(api, anna):
    make_deal(anna, client_name="Мария Петрова", property_address=ADDRESS)
    assert numbers(api, q="мария кв") == [1]
    assert numbers(api, q="мария зз") == []
