"""Schemas in words, as the page of the API shows them."""

from typing import Any

import pytest

from lk_site.api_doc_fields import fields_of, kind_of

SCHEMAS: dict[str, Any] = {
    "Kind": {"type": "string", "enum": ["sale", "rent"]},
    "Step": {
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 300}, "on": {"type": "string"}},
        "required": ["text"],
    },
    "Deal": {
        "type": "object",
        "properties": {
            "kind": {"$ref": "#/components/schemas/Kind", "description": "Of the deal."},
            "steps": {"type": "array", "items": {"$ref": "#/components/schemas/Step"}},
            "self": {"anyOf": [{"$ref": "#/components/schemas/Deal"}, {"type": "null"}]},
        },
    },
}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 300}, "text, 1 to 300 characters"),
        ({"type": "string", "maxLength": 5}, "text, at most 5 characters"),
        ({"type": "string", "format": "uuid"}, "id"),
        ({"type": "string", "pattern": "^[0-9.]+$", "examples": ["12.00"]}, "text like 12.00"),
        ({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, "date or null"),
        ({"type": ["integer", "null"], "minimum": 1}, "integer, at least 1 or null"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 5}, "list of text, 1 to 5 items"),
        ({"$ref": "#/components/schemas/Kind"}, "sale | rent"),
        ({"const": "edit"}, "edit"),
        ({}, "anything"),
    ],
)
def test_a_kind_is_said_in_words(part: Any, words: str):
    assert kind_of(SCHEMAS, part) == words


def test_fields_stand_with_those_inside_them_and_end_somewhere():
    found = list(fields_of(SCHEMAS, {"$ref": "#/components/schemas/Deal"}))
    names = [field["name"] for field in found]
    assert names[:4] == ["kind", "steps", "steps.text", "steps.on"]
    assert max(name.count(".") for name in names) == 2
    told = {field["name"]: field for field in found}
    assert told["kind"]["about"] == "Of the deal."
    assert (told["steps.text"]["required"], told["steps.on"]["required"]) == (True, False)
