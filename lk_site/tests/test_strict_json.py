from decimal import Decimal
from typing import Any

import pytest

from lk_site.strict_json import NotJson, Unfit, parse
from lk_site.tests.people import client_of, person

ADDRESS = "/api/v1/people/{}/names"


def test_a_plain_body_is_read():
    body = '{"a": [1, -2.50, true, null, "ё"], "b": {"c": "x\\ty"}}'
    assert parse(body.encode()) == {"a": [1, Decimal("-2.50"), True, None, "ё"], "b": {"c": "x\ty"}}


def test_text_and_names_arrive_in_nfc():
    assert parse('{"и\u0306": "е\u0308"}'.encode()) == {"й": "ё"}


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ('{"a": 1, "a": 2}', "/a", "duplicate_key"),
        ('{"x": [{"a": 1, "a": 2}]}', "/x/0/a", "duplicate_key"),
        ('{"и\u0306": 1, "й": 2}', "/й", "duplicate_key"),
        ('{"a": NaN}', "/a", "number_not_finite"),
        ('{"a": [-Infinity]}', "/a/0", "number_not_finite"),
        ('{"a": 1e400}', "/a", "number_out_of_range"),
        ('{"a": 1e-400}', "/a", "number_out_of_range"),
        ('{"a": 1e999999999999}', "/a", "number_out_of_range"),
        ('{"a": ' + "1" * 5000 + "}", "/a", "number_out_of_range"),
        ('{"a": 0.' + "1" * 5000 + "}", "/a", "number_out_of_range"),
        ('{"a": "\\u0000"}', "/a", "bad_character"),
        ('{"a": "\\u0007"}', "/a", "bad_character"),
        ('{"a": "\\u0085"}', "/a", "bad_character"),
        ('{"a": "\\ud800"}', "/a", "bad_character"),
        ('{"a/b~": "\\u007f"}', "/a~1b~0", "bad_character"),
        ('{"\\u0000": 1}', "", "bad_character"),
        ('{"\\ud800": 1, "\\ud800": 2}', "", "duplicate_key"),
        ("[" * 21 + "]" * 21, "/0" * 20, "too_deep"),
        ("[" * 100_000, None, "too_deep"),
    ],
)
def test_what_no_field_can_mean_is_refused_where_it_stands(body: str, pointer: str | None, code: str):
    with pytest.raises((Unfit, NotJson)) as refused:
        parse(body.encode())
    if isinstance(refused.value, Unfit):
        (error,) = refused.value.errors
        assert error.code == code
        assert pointer is None or error.pointer == (pointer or "")


def test_twenty_levels_are_accepted():
    assert parse(b"[" * 20 + b"]" * 20)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{'a': 1}", b'{"a": "\xff"}', b'\xef\xbb\xbf{"a": 1}', b'{"a": "\x01"}', b"01", b"{}{}"]
)
def test_what_is_not_json_in_utf8_is_refused(body: bytes):
    with pytest.raises(NotJson):
        parse(body)


@pytest.mark.django_db
@pytest.mark.usefixtures("small_api")
class TestOverHttp:
    def post(self, body: bytes | str, content_type: str = "application/json", **headers: str) -> Any:
        anna = person("79161234567")
        return client_of(anna).post(
            ADDRESS.format(anna.pk), body.encode() if isinstance(body, str) else body, content_type, headers=headers
        )

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=cp1251", "application/xml", ""],
    )
    def test_other_content_types_are_415(self, content_type: str):
        response = self.post('{"name": "a"}', content_type)
        assert (response.status_code, response.json()["code"]) == (415, "not_json_type")

    def test_utf8_may_be_named(self):
        assert self.post('{"name": "a"}', "application/json; charset=UTF-8").status_code == 201

    @pytest.mark.parametrize("body", ["{", "[1", '{"name": "a"}}', "\x00"])
    def test_what_is_not_json_is_400(self, body: str):
        response = self.post(body)
        assert (response.status_code, response.json()["code"]) == (400, "not_json")

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ("", "", "required"),
            ("{}", "/name", "required"),
            ("[]", "", "not_an_object"),
            ("null", "", "not_an_object"),
            ('{"name": 5}', "/name", "not_text"),
            ('{"name": null}', "/name", "not_text"),
            ('{"name": ""}', "/name", "too_short"),
            ('{"name": "' + "x" * 21 + '"}', "/name", "too_long"),
            ('{"name": "a", "price": "1.234"}', "/price", "not_a_number"),
            ('{"name": "a", "price": -1}', "/price", "not_a_number"),
            ('{"name": "a", "price": 1e400}', "/price", "number_out_of_range"),
            ('{"name": "a", "colour": 1}', "/colour", "unknown_field"),
            ('{"name": "a", "tags": "b"}', "/tags", "not_a_list"),
            ('{"name": "a", "tags": ["b", 1]}', "/tags/1", "not_text"),
            ('{"name": "a\\u0000b"}', "/name", "bad_character"),
            ('{"name": "a\\ud800b"}', "/name", "bad_character"),
            ('{"name": "a\\nb"}', "/name", "line_break"),
            ('{"name": "a\\u202eb"}', "/name", "bidi_override"),
        ],
    )
    def test_a_body_that_does_not_fit_is_422_at_the_field(self, body: str, pointer: str, code: str):
        response = self.post(body)
        assert response.status_code == 422
        assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(pointer, code)]
        assert response.json()["errors"][0]["message"]

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("colour=1", "?colour", "unknown_parameter"),
            ("limit=1&limit=2", "?limit", "repeated_parameter"),
            ("limit=0", "?limit", "out_of_range"),
            ("limit=101", "?limit", "out_of_range"),
            ("limit=ten", "?limit", "not_a_whole_number"),
            ("q=%00", "?q", "bad_character"),
            ("q=%ff", "?q", "bad_character"),
            ("cursor=abc", "?cursor", "cursor_invalid"),
        ],
    )
    def test_a_query_that_does_not_fit_is_422(self, query: str, pointer: str, code: str):
        response = client_of(person("79161234567")).get(f"/api/v1/agencies/?{query}")
        assert response.status_code == 422
        assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(pointer, code)]

    def test_a_parameter_that_means_or_may_repeat(self):
        assert client_of(person("79161234567")).get("/api/v1/agencies/?role=a&role=b").status_code == 200

    def test_operations_without_parameters_know_none(self):
        anna = person("79161234567")
        assert client_of(anna).get(f"/api/v1/people/{anna.pk}?utm_source=x").status_code == 422

    def test_not_json_comes_before_an_unknown_parameter(self):
        anna = person("79161234567")
        response = client_of(anna).post(ADDRESS.format(anna.pk) + "?x=1", b"{", "application/json")
        assert response.status_code == 400

    @pytest.mark.parametrize(
        ("body", "status", "pointers"),
        [
            (b"", 202, []),
            (b"{}", 202, []),
            (b'{"name": "a", "b": {}}', 422, ["/name", "/b"]),
            (b"[]", 422, [""]),
            (b'{"a": 1, "a": 2}', 422, ["/a"]),
            (b"{", 400, []),
        ],
    )
    def test_an_operation_that_takes_no_body_ignores_none(self, body: bytes, status: int, pointers: list[str]):
        response = client_of().post("/api/v1/auth/knock", body, "application/json")
        assert response.status_code == status
        if status != 202:
            assert [error["pointer"] for error in response.json()["errors"]] == pointers

    def test_sentences_are_in_the_language_asked_for(self):
        anna = person("79161234567")
        client = client_of(anna, **{"Accept-Language": "ru"})
        assert client.get("/api/v1/agencies/?x=1")["Content-Language"] == "ru"
