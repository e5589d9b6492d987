"""docs/recipes/spreadsheet.md, run as a stranger runs it: a table that Excel in Russian opens rightly."""

import csv
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from deals.services.deals import trash_deal
from deals.tests.making import OTHER_PHONE, PHONE, by, make_deal
from lk_site.tests.recipes.pages import Stranger


@pytest.fixture
def office(stranger: Callable[..., Stranger]) -> Stranger:
    return stranger("recipes/spreadsheet.md")


def table(office: Stranger) -> list[dict[str, str]]:
    """Run the program and read its file as Excel does: by its mark UTF-8, by `;` columns."""
    ended = office.bash("run")
    assert (ended.returncode, ended.stderr) == (0, "")
    content = (office.folder / "deals.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\n") == content.count(b"\r\n")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_numbers_days_and_words_are_as_excel_in_russian_reads_them(office, anna):
    step = {"next_step_text": "Показ; в 10:00", "next_step_on": date(2026, 12, 1)}
    price = {"price": Decimal("999999999999.99"), "commission_percent": Decimal("2.50")}
    deal = make_deal(anna, PHONE, client_name='Мария "Маша" Петрова', **price, **step)
    (row,) = table(office)
    assert row == {
        "Номер": "1",
        "Создана": f"{deal.created_at:%d.%m.%Y}",
        "Агент": "Анна Агеева",
        "Клиент": 'Мария "Маша" Петрова',
        "Адрес": "Москва, Тверская ул., 12, кв. 34",
        "Цена, ₽": "999999999999,99",
        "Комиссия, %": "2,50",
        "Этап": "Новая",
        "Состояние": "в работе",
        "Причина отказа": "",
        "Следующий шаг": "Показ; в 10:00",
        "Когда": "01.12.2026",
    }


def test_nothing_that_people_typed_is_a_formula(office, anna):
    for number, text in enumerate(["=1+1", "+7", "-2", "@SUM(A1)", " =1+1"]):
        make_deal(anna, f"7916000000{number}", client_name=text, property_address=f"{text} улица")
    for row in table(office):
        assert row["Адрес"][0] == row["Клиент"][0] == "'"


def test_every_page_is_there_and_the_trash_is_not(office, anna):
    for _ in range(101):
        make_deal(anna, OTHER_PHONE)
    trash_deal(make_deal(anna, OTHER_PHONE).pk, actor=by(anna), version=1)
    assert [row["Номер"] for row in table(office)] == [str(number) for number in range(101, 0, -1)]


def test_without_lk_the_table_stays_as_it_was(office, anna):
    make_deal(anna, PHONE)
    table(office)
    before = (office.folder / "deals.csv").read_bytes()
    office.environment["LK_URL"] = "http://127.0.0.1:9"
    ended = office.bash("run")
    assert ended.returncode == 1
    assert ended.stderr.startswith("deals.csv stays as it was: No answer")
    assert (office.folder / "deals.csv").read_bytes() == before


def test_the_table_is_for_its_owner_only(office, anna):
    table(office)
    assert (office.folder / "deals.csv").stat().st_mode & 0o077 == 0
