"""Schemas in words, for the page of the API: what each member of a body or an answer is, and which bounds it keeps."""

from collections.abc import Iterator
from typing import Any

DEEPEST = 3  # members of members of members: what is deeper stands in openapi.json
BOUNDS = {  # of texts and numbers, lowest and highest, and what is counted
    "string": ("minLength", "maxLength", " characters"),
    "array": ("minItems", "maxItems", " items"),
    "integer": ("minimum", "maximum", ""),
    "number": ("minimum", "maximum", ""),
}
FORMATS = {"uuid": "id", "date-time": "time", "date": "date"}

Field = dict[str, Any]


def fields_of(schemas: dict[str, Any], part: dict[str, Any], within: str = "", depth: int = 1) -> Iterator[Field]:
    """Yield the members of an object, or of each of several shapes, with those of their own members after them."""
    for shape in shapes(schemas, part):
        needed = shape.get("required", [])
        for name, member in shape.get("properties", {}).items():
            place = f"{within}{name}"
            about = described(schemas, member)
            yield {"name": place, "kind": kind_of(schemas, member), "required": name in needed, "about": about}
            if depth < DEEPEST:
                yield from fields_of(schemas, member, f"{place}.", depth + 1)


def shapes(schemas: dict[str, Any], part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the object that a schema is, or is a list of: of several the first, for that is the usual one."""
    found = resolved(schemas, part)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in found:
            return [shape for one in found[several] for shape in shapes(schemas, one)][:1]
    if found.get("type") == "array":
        return shapes(schemas, found.get("items", {}))
    return [found] if "properties" in found else []


def kind_of(schemas: dict[str, Any], part: dict[str, Any]) -> str:
    """Return what a value is, in words: `text, 1 to 300 characters`."""
    found = resolved(schemas, part)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in found:
            return " or ".join(dict.fromkeys(kind_of(schemas, one) for one in found[several]))
    if "enum" in found or "const" in found:
        return " | ".join(str(value) for value in found.get("enum", [found.get("const")]))
    kinds = found.get("type", "anything")
    return " or ".join(plain_kind(schemas, found, kind) for kind in (kinds if isinstance(kinds, list) else [kinds]))


def plain_kind(schemas: dict[str, Any], part: dict[str, Any], kind: str) -> str:
    if kind == "array":
        return f"list of {kind_of(schemas, part.get('items', {}))}{bounds_of(part, kind)}"
    if kind == "string":
        return FORMATS.get(part.get("format", "")) or f"text{likeness(part)}{bounds_of(part, kind)}"
    return kind + bounds_of(part, kind)


def likeness(part: dict[str, Any]) -> str:
    """Return an example of a text that must look like something."""
    return f" like {part['examples'][0]}" if "pattern" in part and part.get("examples") else ""


def bounds_of(part: dict[str, Any], kind: str) -> str:
    lowest, highest, counted = BOUNDS.get(kind, ("", "", ""))
    least, most = part.get(lowest), part.get(highest)
    if most is None:
        return "" if least is None else f", at least {least}{counted}"
    return f", at most {most}{counted}" if least is None else f", {least} to {most}{counted}"


def described(schemas: dict[str, Any], part: dict[str, Any]) -> str:
    return str(part.get("description") or resolved(schemas, part).get("description") or "")


def resolved(schemas: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    return schemas[part["$ref"].rsplit("/", 1)[-1]] if "$ref" in part else part
