"""Lists and searches of deals."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import Action, Event
from deals.models import ClientToken, Deal
from deals.services import listing
from deals.services.deals import trash_deal
from deals.services.listing import DealFilter, list_deals
from deals.services.pipeline import move_deal
from deals.services.queries import Query, QueryTooShort, understood
from deals.tests.making import OTHER_PHONE, PHONE, THIRD_PHONE, by, make_client, make_deal
from lk_site.cursors import sift


def found(user, **asked):
    """Return the numbers of the deals that a person finds, newest first."""
    return [row.number for row in list_deals(DealFilter(**asked), actor=by(user), limit=20).rows]


@pytest.fixture
def three(anna):
    return [
        make_deal(anna, PHONE, client_name="Мария Петрова", property_address="Москва, Тверская ул., 12"),
        make_deal(anna, OTHER_PHONE, client_name="Семён Ёлкин", property_address="Казань, Баумана, 4567", kind="rent"),
        make_deal(anna, THIRD_PHONE, client_name="Анна-Мария Ким", property_address="ТВЕРЬ, наб. Лазури, 3"),
    ]


def test_everyone_sees_what_the_table_says(anna, boris, vera, gleb):
    make_deal(anna), make_deal(boris), make_deal(gleb)
    assert found(anna) == [1]
    assert found(boris) == [2]
    assert found(vera) == [2, 1]
    assert found(gleb) == [1]
    assert found(boris, client_phone=(PHONE,)) == [2]
    assert found(boris, q="#1") == []


def test_a_row_shows_names_and_a_mask(anna, three):
    row = list_deals(DealFilter(), actor=by(anna), limit=1).rows[0]
    assert (row.client_name, row.agent_name, row.stage_name("ru")) == ("Анна-Мария Ким", "Анна Агеева", "Новая")
    assert row.client_phone_masked.replace("\xa0", " ") == "+7 903 ***-**-33"
    assert (row.lost_reason_name("ru"), row.lost_comment, row.next_step_text) == ("", "", "")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [3, 2, 1]),
        ("#2", [2]),
        ("№ 2", [2]),
        ("#99", []),
        ("89161234567", [1]),
        ("+7 (916) 123-45-67", [1]),
        ("+7 916 000-00-00", []),
        ("4567", [1]),
        ("45-67", [1]),
        ("４５６７", [1]),
        ("тверская", [1]),
        ("МОСКВА тверская", [1]),
        ("твер", [3, 1]),
        ("твер 12", [1]),
        ("елки", [2]),
        ("Ёлкин казань", [2]),
        ("мария", [3, 1]),
        ("мари петр", [1]),
        ("анна-мар", [3]),
        ("петровна", []),
        ("петров москва казань", []),
        ("100%", []),
    ],
)
def test_people_find_deals_by_what_they_remember(anna, three, text, numbers):
    assert found(anna, q=text) == numbers


@pytest.mark.parametrize("text", ["ма", "12", "%", "ул 3"])
def test_one_or_two_characters_alone_are_too_short(anna, text):
    with pytest.raises(QueryTooShort):
        found(anna, q=text)


def test_ten_digits_are_a_russian_number_typed_without_its_eight():
    assert understood("916 123-45-67") == understood("8 (916) 123-45-67") == Query(phone="79161234567")


def test_a_text_of_eleven_digits_is_a_phone_only_if_there_is_such_a_number():
    assert understood("8 916 123 45 67") == Query(phone=PHONE)
    assert understood("12345678901") == Query(terms=("12345678901",))


def test_last_digits_are_those_of_any_number_of_the_client(anna):
    make_client(anna, PHONE, OTHER_PHONE)
    make_deal(anna, PHONE)
    assert found(anna, q="4321") == [1]


def test_a_token_that_another_name_shares_finds_nothing(anna, three):
    """Tokens are cut: two names may share one, and only opening tells."""
    [stolen, *_] = ClientToken.objects.filter(client=three[0].client)
    ClientToken.objects.create(client=three[1].client, agency_id=stolen.agency_id, token=stolen.token)
    for text in "мария", "4567":
        assert 2 not in found(anna, q=text)


@pytest.mark.parametrize("asked", [{"q": "89161234567"}, {"client_phone": (PHONE,)}])
def test_a_number_is_found_whatever_else_is_asked(anna, boris, vera, asked):
    make_deal(anna), make_deal(boris), make_deal(anna, OTHER_PHONE)
    assert found(vera, **asked) == found(vera, status=("open",), **asked) == [2, 1]
    assert found(boris, **asked) == [2]
    assert found(vera, **asked, agent=(anna.pk,)) == [1]
    assert found(vera, **asked | {"trashed": True}) == []
    first = list_deals(DealFilter(**asked), actor=by(vera), limit=1)
    second = list_deals(DealFilter(**asked), actor=by(vera), limit=1, after=first.last)
    assert [row.number for row in first.rows + second.rows] == [2, 1]
    assert found(vera, q="89161234567", client_phone=(OTHER_PHONE,)) == []


def test_searching_by_a_full_number_leaves_a_digest_and_no_number(anna, boris):
    make_deal(anna)
    found(anna, q="89161234567")
    found(boris, client_phone=(PHONE,))
    first, second = Event.objects.filter(action=Action.CLIENT_SEARCHED)
    assert first.data["digest"] == second.data["digest"]
    assert PHONE not in str(first.data)


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"status": ("lost",)}, [2]),
        ({"status": ("open", "lost")}, [3, 2, 1]),
        ({"stage": ("showing",)}, [1]),
        ({"kind": ("rent",)}, [2]),
        ({"price_min": Decimal(12_500_000)}, [3, 1]),
        ({"price_max": Decimal("12499999.99")}, [2]),
        ({"price_min": Decimal(1), "price_max": Decimal(50_000), "status": ("lost",)}, [2]),
    ],
)
def test_filters_narrow_the_list(anna, asked, numbers):
    for phone, fields in (PHONE, {}), (OTHER_PHONE, {"kind": "rent", "price": Decimal(50_000)}), (THIRD_PHONE, {}):
        make_deal(anna, phone, **fields)
    first, second, _ = Deal.objects.order_by("number")
    move_deal(first.pk, "showing", actor=by(anna), version=1)
    move_deal(second.pk, "lost", actor=by(anna), version=1, lost_reason="price", comment="Дорого")
    assert found(anna, **asked) == numbers


def test_the_list_of_an_agent_or_a_client(anna, boris, vera):
    mine, his = make_deal(anna), make_deal(boris)
    assert found(vera, agent=(anna.pk,)) == [1]
    assert found(vera, agent=(anna.pk, boris.pk)) == [2, 1]
    assert found(vera, client=(his.client_id,)) == [2]
    assert found(anna, client=(his.client_id,)) == []
    assert found(anna, client=(mine.client_id,)) == [1]


def test_an_agent_of_another_agency_is_nobody_here(anna, vera, gleb):
    make_deal(anna), make_deal(gleb)
    assert found(vera, agent=(gleb.pk,)) == found(gleb, agent=(anna.pk,)) == []
    assert found(vera, agent=(anna.pk, gleb.pk)) == [1]


def test_a_stage_that_is_none_or_contradicts_the_status_finds_nothing(anna):
    make_deal(anna)
    assert found(anna, stage=("nowhere",)) == found(anna, stage=("new",), status=("lost",)) == []
    assert found(anna, stage=("new", "nowhere"), status=("open", "lost")) == [1]


def test_days_are_days_of_the_readers_time_zone(anna):
    deal = make_deal(anna)
    Deal.objects.update(created_at=datetime(2026, 3, 1, 22, 30, tzinfo=UTC))  # half past one in Moscow, on the second
    assert found(anna, created_from=date(2026, 3, 2), created_to=date(2026, 3, 2)) == [1]
    assert found(anna, created_to=date(2026, 3, 1)) == []
    assert found(anna, created_to=datetime(2026, 3, 1, 22, 30, tzinfo=UTC)) == [1]
    assert found(anna, updated_after=deal.updated_at) == []
    assert found(anna, updated_after=deal.updated_at - timedelta(seconds=1)) == [1]


def test_the_trash_is_a_list_of_its_own(anna, boris, vera):
    deal = make_deal(anna)
    trash_deal(deal.pk, actor=by(anna), version=1)
    assert found(anna) == found(boris, trashed=True) == []
    assert found(anna, trashed=True) == found(vera, trashed=True) == [1]


@pytest.mark.parametrize("asked", [{}, {"status": ("open",)}, {"q": "тверская"}, {"q": "4567"}])
def test_pages_neither_repeat_nor_hide_rows_that_others_write_meanwhile(anna, asked):
    for _ in range(5):
        make_deal(anna)
    seen, after = [], None
    while True:
        page = list_deals(DealFilter(**asked), actor=by(anna), limit=2, after=after)
        seen += [row.number for row in page.rows]
        make_deal(anna)
        if (after := page.last) is None:
            break
    assert seen == [5, 4, 3, 2, 1]


def test_the_last_page_says_so(anna):
    for _ in range(2):
        make_deal(anna)
    assert list_deals(DealFilter(), actor=by(anna), limit=2).last is None


def test_reading_on_stops_after_five_hundred_candidates(anna, monkeypatch):
    monkeypatch.setattr(sift, "__kwdefaults__", {"at_most": 4})
    for _ in range(6):
        make_deal(anna, client_name="Мария")
    monkeypatch.setattr(listing, "fits", lambda row, terms: row.number == 1)
    page = list_deals(DealFilter(q="мария"), actor=by(anna), limit=2)
    assert (page.rows, page.last and page.last[1]) == ([], Deal.objects.get(number=3).pk)


@pytest.mark.parametrize(("asked", "statements"), [({}, 1), ({"q": "тверская"}, 1), ({"q": "4567"}, 2)])
def test_a_page_of_deals_takes_one_statement(anna, three, asked, statements, django_assert_num_queries):
    actor = by(anna)
    with django_assert_num_queries(statements):
        for row in list_deals(DealFilter(**asked), actor=actor, limit=20).rows:
            assert row.client_name
            assert row.client_phone_masked
