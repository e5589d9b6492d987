"""Look-ups: whatever DaData answers, the work goes on, and nothing that was typed stands in a log."""

import json
import logging
import re

import pytest

from accounts.models import Scope, User
from accounts.models.keys import WORK_SCOPES
from accounts.tests.programs import make_key, program
from deals import lookups
from deals.forms.deals import CreateDealForm
from deals.lookups import Company, CompanyUnknown, DaData, LookupFailed, Nothing, clean_inn
from deals.tests.browsing import browser_of
from deals.tests.fake_dadata import COMPANIES, KEY, ROOT, FakeDaData, address, running
from deals.tests.programs import ROOT as ROOT_OF_API
from deals.tests.programs import Program, refused
from lk_site.errors import InvalidValue
from lk_site.links import link

SBERBANK, ENTREPRENEUR, NOBODY = "7707083893", "784806113663", "5036045205"


@pytest.fixture
def fake():
    with running() as fake:
        yield fake


@pytest.fixture
def on(fake, settings):
    """Look-ups that are switched on, and answered by the fake."""
    settings.DADATA_URL, settings.DADATA_KEY = fake.url, KEY
    return fake


def dadata(fake: FakeDaData, key: str = KEY, timeout_s: float = 0.5) -> DaData:
    return DaData(fake.url, key, timeout_s)


def answer(*suggestions: object) -> bytes:
    return json.dumps({"suggestions": suggestions}).encode()


# --- addresses


def test_dadata_is_asked_as_its_protocol_says(fake):
    found = dadata(fake).suggest("моск твер")
    (asked,) = fake.asked
    assert (asked.method, asked.authorization) == (f"{ROOT}/suggest/address", f"Token {KEY}")
    assert asked.body == {"query": "моск твер", "count": lookups.SUGGESTED_AT_MOST}
    assert found[0].value == "г Москва, ул Тверская"
    assert found[0].postal_code == "125009"
    assert re.fullmatch("[0-9a-f-]{36}", found[0].fias_id or "")


@pytest.mark.parametrize("status", [301, 400, 401, 403, 405, 413, 429, 500, 503])
def test_a_refusal_of_dadata_is_no_suggestions_and_a_company_not_found_out(fake, status):
    fake.http.extend([status, status])
    assert dadata(fake).suggest("москва") == []
    with pytest.raises(LookupFailed):
        dadata(fake).find(SBERBANK)


def test_a_wrong_key_suggests_nothing(fake):
    assert dadata(fake, key="another").suggest("москва") == []


def test_a_service_that_is_gone_suggests_nothing():
    assert DaData("http://127.0.0.1:9", KEY, 0.5).suggest("москва") == []


def test_nobody_waits_for_a_slow_service(fake):
    fake.delays_s.extend([30, 30])
    assert dadata(fake, timeout_s=0.1).suggest("москва") == []
    with pytest.raises(LookupFailed):
        dadata(fake, timeout_s=0.1).find(SBERBANK)


def test_two_wait_for_a_service_that_hangs_and_the_others_not_at_all(fake):
    """Each waiting one holds a thread of the web server."""
    with DaData.places, DaData.places:
        assert dadata(fake).suggest("москва") == []
        with pytest.raises(LookupFailed):
            dadata(fake).find(SBERBANK)
    assert fake.asked == []


def test_who_has_failed_waits_no_more(fake):
    fake.http.extend([500] * lookups.ASKED_AT_ONCE)
    for _ in range(lookups.ASKED_AT_ONCE):
        assert dadata(fake).suggest("москва") == []
    assert dadata(fake).suggest("москва")


GARBAGE = [
    *(b"", b"<html>", b"[]", b"[" * 50_000, b"null", b"{}", b'{"suggestions": null}', b'{"suggestions": {"value": 1}}'),
    *(b'{"suggestions": [', b"\xff\xfe", b'{"suggestions": 1e999}'),
    b'{"suggestions": [' + b'"x",' * 200_000 + b'"x"]}',
]


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_an_answer_that_makes_no_sense_is_none(fake, body):
    fake.bodies.extend([body, body])
    assert dadata(fake).suggest("москва") == []
    with pytest.raises(LookupFailed):
        dadata(fake).find(SBERBANK)


@pytest.mark.parametrize(
    "value", [None, 5, [], {}, "", " ", "\u200b", "a\x00b", "a\nb", "\ud800", "\u202eabc", "я" * 301], ids=repr
)
def test_a_suggestion_that_the_field_would_refuse_is_left_out(fake, value):
    good = address("г Москва", None)
    fake.bodies.append(answer({"value": value, "data": {}}, 5, None, good, {"data": good["data"]}))
    assert [found.value for found in dadata(fake).suggest("москва")] == ["г Москва"]


def test_more_suggestions_than_were_asked_for_are_cut_off(fake):
    fake.bodies.append(answer(*[address(f"г Москва, д {house}", None) for house in range(500)]))
    assert len(dadata(fake).suggest("москва")) == lookups.SUGGESTED_AT_MOST


@pytest.mark.parametrize("data", [None, [], "x", {"fias_id": 5, "postal_code": ["1"]}, {"fias_id": "x" * 5000}])
def test_an_address_without_its_details_is_an_address(fake, data):
    fake.bodies.append(answer({"value": "г Москва", "data": data}))
    (found,) = dadata(fake).suggest("москва")
    assert (found.value, found.fias_id, found.postal_code) == ("г Москва", None, None)


# --- companies


def test_a_company_is_found_by_its_inn(fake):
    found = dadata(fake).find(SBERBANK)
    assert fake.asked[0].method == f"{ROOT}/findById/party"
    assert fake.asked[0].body == {"query": SBERBANK, "branch_type": "MAIN", "count": 1}
    assert found == Company(
        inn=SBERBANK,
        name="ПАО СБЕРБАНК",
        full_name='ПУБЛИЧНОЕ АКЦИОНЕРНОЕ ОБЩЕСТВО "СБЕРБАНК РОССИИ"',
        kpp="773601001",
        ogrn="1027700132195",
        address="г Москва, ул Вавилова, д 19",
        status=lookups.CompanyStatus.ACTIVE,
    )


def test_an_entrepreneur_has_neither_kpp_nor_address_and_one_name(fake):
    found = dadata(fake).find(ENTREPRENEUR)
    assert (found.name, found.kpp, found.address) == (COMPANIES[ENTREPRENEUR]["name"]["full_with_opf"], None, None)
    assert found.status == lookups.CompanyStatus.LIQUIDATED


def test_an_inn_of_nobody_is_unknown(fake):
    with pytest.raises(CompanyUnknown):
        dadata(fake).find(NOBODY)


@pytest.mark.parametrize(
    "data",
    [
        *(None, {}, {"inn": SBERBANK}, {"inn": NOBODY, "name": {"short_with_opf": "ООО Чужое"}}),
        *(
            {"inn": int(SBERBANK), "name": {"short_with_opf": "ПАО"}},
            {"inn": SBERBANK, "name": {"short_with_opf": "\x00"}},
        ),
        {"inn": SBERBANK, "name": "ПАО"},
    ],
    ids=repr,
)
def test_a_company_without_name_or_with_another_inn_is_not_believed(fake, data):
    fake.bodies.append(answer({"data": data}))
    with pytest.raises(LookupFailed):
        dadata(fake).find(SBERBANK)


@pytest.mark.parametrize("state", [None, [], {}, {"status": None}, {"status": "SOLD"}, {"status": 5}])
def test_a_status_that_we_have_no_word_for_is_none(fake, state):
    fake.bodies.append(answer({"value": "ПАО", "data": {"inn": SBERBANK, "state": state, "address": "x", "kpp": 5}}))
    assert dadata(fake).find(SBERBANK).status is None


@pytest.mark.parametrize("typed", ["7707083893", " 7707 083893 ", "７７０７０８３８９３", "7707\u00a0083893"])
def test_an_inn_is_read_as_people_type_it(typed):
    assert clean_inn(typed) == SBERBANK


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        *((inn, "inn_invalid") for inn in ("7707083894", "784806113664", "1234567890")),
        *((inn, "inn_length") for inn in ("", "770708389", "77070838931", "7707083893abc", "ИНН", "٧٧٠٧٠٨٣٨٩٣")),
    ],
)
def test_an_inn_whose_digits_do_not_fit_is_refused(typed, code):
    with pytest.raises(InvalidValue) as refusal:
        clean_inn(typed)
    assert refusal.value.code == code


# --- the API


def test_programs_get_suggestions(on, anna: User):
    response = Program(anna).get("/lookups/addresses", {"q": "казань баум"})
    assert response.status_code == 200
    (item,) = response.json()["items"]
    assert item["value"] == "Респ Татарстан, г Казань, ул Баумана"
    assert set(item) == {"value", "fias_id", "postal_code"}


def test_programs_get_a_company(on, anna: User):
    response = Program(anna).get(f"/lookups/companies/{SBERBANK}")
    assert response.status_code == 200
    assert response.json()["name"] == "ПАО СБЕРБАНК"
    assert response.json()["status"] == "active"


def test_a_failing_service_is_an_empty_list_and_a_clear_problem(on, anna: User):
    on.http.extend([500, 500])
    assert Program(anna).get("/lookups/addresses", {"q": "Москва"}).json() == {"items": []}
    refused(Program(anna).get(f"/lookups/companies/{SBERBANK}"), 424, "lookup_failed")


def test_an_unknown_company_is_404(on, anna: User):
    refused(Program(anna).get(f"/lookups/companies/{NOBODY}"), 404, "company_unknown")


@pytest.mark.parametrize("path", ["/lookups/addresses?q=Москва", f"/lookups/companies/{SBERBANK}"])
def test_switched_off_they_are_404_and_nobody_is_asked(fake, anna: User, path):
    refused(Program(anna).get(path), 404, "lookups_off")
    assert fake.asked == []


def test_off_is_an_implementation_too():
    for ask in (Nothing().suggest, Nothing().find):
        with pytest.raises(lookups.LookupsOff):
            ask("7707083893")


@pytest.mark.parametrize(
    "query", [{}, {"q": ""}, {"q": " "}, {"q": "я" * 301}, {"q": "a\nb"}, {"q": "Москва", "x": "1"}]
)
def test_what_is_no_address_is_422_and_nobody_is_asked(on, anna: User, query):
    refused(Program(anna).get("/lookups/addresses", query), 422, "invalid")
    assert on.asked == []


@pytest.mark.parametrize("inn", ["7707083894", "1", "x", "%00", "%D9%A7", "7707083893%0A1"])
def test_what_is_no_inn_is_422_and_nobody_is_asked(on, anna: User, inn):
    refused(Program(anna).get(f"/lookups/companies/{inn}"), 422, "invalid", "")
    assert on.asked == []


@pytest.mark.parametrize("path", ["/lookups/addresses?q=Москва", f"/lookups/companies/{SBERBANK}"])
def test_strangers_are_refused_before_anybody_is_asked(on, db, path):
    refused(Program().get(path), 401, "not_authenticated")
    assert on.asked == []


def test_look_ups_count_as_searches(on, settings, anna: User):
    settings.LIMITS = {**settings.LIMITS, "search": (2, 10**8)}  # a window whose edge is years away
    api = Program(anna)
    first = api.get("/lookups/addresses", {"q": "Москва"})
    assert '"search";q=2' in first.headers["RateLimit-Policy"]
    assert api.get(f"/lookups/companies/{SBERBANK}").status_code == 200
    for path in ("/lookups/addresses?q=Москва", f"/lookups/companies/{SBERBANK}", "/deals/?q=Москва"):
        refused(api.get(path), 429, "too_often")
    assert len(on.asked) == 2


def test_nothing_that_was_asked_stands_in_a_log(on, anna: User, caplog):
    caplog.set_level(logging.DEBUG)
    on.http.extend([200, 403])
    for text in ("Москва, Тверская", "Казань, Баумана"):
        Program(anna).get("/lookups/addresses", {"q": text})
    Program(anna).get(f"/lookups/companies/{ENTREPRENEUR}")
    told = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("lk"))
    assert "status 403" in told
    assert "/lookups/companies/" in told
    for secret in ("Тверская", "%D0", "Баумана", ENTREPRENEUR, KEY):
        assert secret not in told


@pytest.mark.parametrize("path", ["/lookups/addresses?q=Москва", f"/lookups/companies/{SBERBANK}"])
def test_keys_that_work_with_deals_or_clients_may_look_up(on, vera: User, path):
    for scope in WORK_SCOPES:
        assert program(make_key(vera, [scope]).token).get(ROOT_OF_API + path).status_code == 200
    others = [scope for scope in Scope if scope not in WORK_SCOPES]
    refused(program(make_key(vera, others).token).get(ROOT_OF_API + path), 403, "scope_missing")


# --- the forms


def test_the_address_field_suggests_only_where_look_ups_are_on(fake, settings, anna: User):
    page = browser_of(anna).get(link("deals:deal_create")).content.decode()
    assert "data-suggest" not in page
    assert "address_suggest" not in page
    settings.DADATA_KEY = KEY
    page = browser_of(anna).get(link("deals:deal_create")).content.decode()
    assert 'data-suggest="/api/v1/lookups/addresses"' in page
    assert page.count("address_suggest") == 1
    assert "data-suggest" in str(CreateDealForm()["property_address"])
