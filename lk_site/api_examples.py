"""Example values of schemas: what the OpenAPI document says requests and answers look like."""

from typing import Any

SAMPLES = {  # by format, then by type
    "uuid": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8",
    "date": "2026-12-01",
    "date-time": "2026-11-23T09:05:00Z",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "string": "…",
}


def sample(schemas: dict[str, Any], part: dict[str, Any]) -> Any:
    """Return an example value of a schema: its own, or one made of the examples inside. `schemas` are those by name."""
    if "examples" in part:
        return part["examples"][0]
    if "$ref" in part:
        return sample(schemas, schemas[part["$ref"].rsplit("/", 1)[-1]])
    for several in ("allOf", "anyOf", "oneOf"):
        if several in part:
            return sample(schemas, part[several][0])
    if part.get("type") == "object":
        return {name: sample(schemas, inner) for name, inner in part.get("properties", {}).items()}
    if part.get("type") == "array":
        return [sample(schemas, part["items"])]
    return plain_sample(part)


def plain_sample(part: dict[str, Any]) -> Any:
    """Return an example of a schema without parts."""
    if "const" in part or "enum" in part:
        return part.get("const", part.get("enum", [None])[0])
    if "default" in part:
        return part["default"]
    return SAMPLES.get(part.get("format", ""), SAMPLES.get(part.get("type", "")))
