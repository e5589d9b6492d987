"""What would break clients: the differences between two OpenAPI documents after which a program that worked does not.

No well-kept library does this from Python: oasdiff is a Go program, and those on PyPI compare names without direction.
Only what our documents use is compared: 3.1 schemas of `type`, `properties`, `items`, `enum`, bounds, `anyOf`, `$ref`.

A request may send everything that it could send; an answer may hold only what it could hold. So one comparison serves
both, turned round: of requests the old must fit into the new, of answers the new into the old. Answers may gain members
and values of enumerations (api.md says so to programs), and bounds of answers are nobody's business.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
NO_LONGER = "no longer"
ANY = float("inf")
LOWEST = {"minimum": -ANY, "exclusiveMinimum": -ANY, "minLength": 0, "minItems": 0}  # and what they are where unsaid
HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
ANYBODY: Schema = {}  # the security requirement of an operation that needs none


@dataclass(frozen=True, order=True)
class Break:
    """One change that breaks clients: where in the document, and what."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def breaks(old: Schema, new: Schema) -> list[Break]:
    """Return every change from one document to the other that breaks clients, in the order of their places."""
    found = [*operation_breaks(old, new), *webhook_breaks(old, new), *refusal_breaks(old, new)]
    return sorted(set(found))


def operation_breaks(old: Schema, new: Schema) -> Iterator[Break]:
    for address, methods in old["paths"].items():
        for method in [method for method in METHODS if method in methods]:
            where, now = f"{method.upper()} {address}", new["paths"].get(address, {}).get(method)
            if now is None:
                yield Break(where, "removed")
            else:
                yield from breaks_of_one(where, methods[method], now, (old, new))


def breaks_of_one(where: str, was: Schema, now: Schema, documents: tuple[Schema, Schema]) -> Iterator[Break]:
    if was.get("operationId") != now.get("operationId"):
        yield Break(where, f"renamed to {now.get('operationId')}")
    yield from security_breaks(where, was, now)
    yield from parameter_breaks(where, was, now, Comparison(*documents, is_request=True))
    yield from body_breaks(where, was, now, Comparison(*documents, is_request=True))
    yield from answer_breaks(where, was, now, Comparison(*documents, is_request=False))


def webhook_breaks(old: Schema, new: Schema) -> Iterator[Break]:
    """Yield what receivers of webhooks are no longer told: to them our requests are what answers are to others."""
    for name, methods in old.get("webhooks", {}).items():
        where, now = f"webhook {name}", new.get("webhooks", {}).get(name)
        if now is None:
            yield Break(where, "removed")
        else:
            comparison = Comparison(old, new, is_request=False)
            yield from content_breaks(where, methods["post"]["requestBody"], now["post"]["requestBody"], comparison)


def refusal_breaks(old: Schema, new: Schema) -> Iterator[Break]:
    """Yield refusals whose code came with another status: programs tell them apart by either."""
    now = new.get("components", {}).get("examples", {})
    for code, example in old.get("components", {}).get("examples", {}).items():
        was_status, status = example["value"]["status"], now.get(code, example)["value"]["status"]
        if was_status != status:
            yield Break(f"refusal {code}", f"status {status} instead of {was_status}")


def security_breaks(where: str, was: Schema, now: Schema) -> Iterator[Break]:
    """Yield ways in that are no longer enough."""
    ways = now.get("security", [ANYBODY]) or [ANYBODY]
    for old_way in was.get("security", [ANYBODY]) or [ANYBODY]:
        if not any(is_enough(old_way, way) for way in ways):
            yield Break(where, f"{way_in_words(old_way)} is {NO_LONGER} enough")


def is_enough(held: Schema, needed: Schema) -> bool:
    return all(name in held and set(scopes) <= set(held[name]) for name, scopes in needed.items())


def way_in_words(way: Schema) -> str:
    return " and ".join(" ".join([name, *scopes]) for name, scopes in way.items()) or "to be nobody"


def parameter_breaks(where: str, was: Schema, now: Schema, comparison: "Comparison") -> Iterator[Break]:
    old, new = by_place(was), by_place(now)
    for key, parameter in old.items():
        place = f"{where} {key[0]} {key[1]}"
        if key not in new:
            yield Break(place, "removed")
            continue
        if is_needed(new[key]) and not is_needed(parameter):
            yield Break(place, "required now")
        yield from comparison.unfit(place, parameter["schema"], new[key]["schema"])
    for key, parameter in new.items():
        if key not in old and is_needed(parameter):
            yield Break(f"{where} {key[0]} {key[1]}", "required and new")


def by_place(operation: Schema) -> dict[tuple[str, str], Schema]:
    return {(parameter["in"], parameter["name"]): parameter for parameter in operation.get("parameters", [])}


def is_needed(part: Schema) -> bool:
    return bool(part.get("required"))


def body_breaks(where: str, was: Schema, now: Schema, comparison: "Comparison") -> Iterator[Break]:
    old, new = was.get("requestBody"), now.get("requestBody")
    if old is None:
        if new is not None and is_needed(new):
            yield Break(f"{where} body", "required and new")
        return
    if new is None:
        yield Break(f"{where} body", "removed")
        return
    if is_needed(new) and not is_needed(old):
        yield Break(f"{where} body", "required now")
    yield from content_breaks(f"{where} body", old, new, comparison)


def answer_breaks(where: str, was: Schema, now: Schema, comparison: "Comparison") -> Iterator[Break]:
    """Yield what a program that got a good answer no longer gets. Refusals may come and go."""
    for status, old in was["responses"].items():
        place, new = f"{where} {status}", now["responses"].get(status)
        if not status.startswith("2"):
            continue
        if new is None:
            yield Break(place, "removed")
            continue
        for name in old.get("headers", {}):
            if name not in new.get("headers", {}):
                yield Break(f"{place} header {name}", "removed")
        yield from content_breaks(place, old, new, comparison)


def content_breaks(where: str, old: Schema, new: Schema, comparison: "Comparison") -> Iterator[Break]:
    contents = new.get("content", {})
    for kind, content in old.get("content", {}).items():
        if kind not in contents:
            yield Break(where, f"{NO_LONGER} {kind}")
        else:
            yield from comparison.unfit(where, content["schema"], contents[kind]["schema"])


# --- schemas


@dataclass
class Comparison:
    """Two documents, and whether it is requests of theirs that are compared, or answers."""

    old: Schema
    new: Schema
    is_request: bool
    seen: set[tuple[str, str]] = field(default_factory=set)  # pairs of names: schemas may hold themselves

    def unfit(self, where: str, was: Schema, now: Schema) -> Iterator[Break]:
        """Yield what an old schema allows and a new one does not, in a request; in an answer the other way round."""
        pair = (was.get("$ref", ""), now.get("$ref", ""))
        if all(pair):
            if pair in self.seen:
                return
            self.seen.add(pair)
        olds, news = alternatives(self.old, was), alternatives(self.new, now)
        for alternative, others in self.pairs(olds, news):
            yield from self.unfit_alternative(where, alternative, others)
        self.seen.discard(pair)

    def pairs(self, olds: list[Schema], news: list[Schema]) -> Iterator[tuple[Schema, list[Schema]]]:
        """Yield each alternative that must fit, and those that it may fit into.

        An answer of a shape that is only given to who asks for it surprises nobody: it is held to its like alone.
        """
        inner, outer = (olds, news) if self.is_request else (news, olds)
        for alternative in inner:
            others = [other for other in outer if is_asked_for(other) == is_asked_for(alternative)]
            if others or not is_asked_for(alternative):
                yield alternative, others

    def unfit_alternative(self, where: str, inner: Schema, outers: list[Schema]) -> Iterator[Break]:
        """Yield why an alternative fits none of the others: of the one that is nearest to it."""
        reasons = [list(self.misfits(where, inner, outer)) for outer in outers if may_be(inner, outer)]
        if reasons:
            yield from min(reasons, key=len)
        elif self.is_request:
            yield Break(where, f"{kind_in_words(inner)} is {NO_LONGER} accepted")
        else:
            yield Break(where, f"may be {kind_in_words(inner)} now")

    def misfits(self, where: str, inner: Schema, outer: Schema) -> Iterator[Break]:
        was, now = (inner, outer) if self.is_request else (outer, inner)
        yield from self.member_breaks(where, was, now)
        if "items" in was and "items" in now:
            yield from self.unfit(f"{where}[]", was["items"], now["items"])
        if was.get("format") != now.get("format") and "format" in outer:
            yield Break(where, f"format {now.get('format', 'none')} instead of {was.get('format', 'none')}")
        if self.is_request:
            yield from value_breaks(where, was, now)
            yield from bound_breaks(where, was, now)

    def member_breaks(self, where: str, was: Schema, now: Schema) -> Iterator[Break]:
        old, new = was.get("properties", {}), now.get("properties", {})
        for name, schema in old.items():
            if name in new:
                yield from self.unfit(f"{where} .{name}", schema, new[name])
            else:
                yield Break(f"{where} .{name}", "removed")
        yield from self.requirement_breaks(where, set(was.get("required", [])), set(now.get("required", [])))
        if self.is_request and is_free(was) and now.get("additionalProperties") is False:
            yield Break(where, "other members are refused now")

    def requirement_breaks(self, where: str, was: set[str], now: set[str]) -> Iterator[Break]:
        lost, what = (now - was, "required now") if self.is_request else (was - now, "may be absent now")
        for name in sorted(lost):
            yield Break(f"{where} .{name}", what)


def value_breaks(where: str, was: Schema, now: Schema) -> Iterator[Break]:
    """Yield values that a request could send and no longer can."""
    old, new = values(was), values(now)
    if new is None:
        return
    if old is None:
        yield Break(where, f"only {', '.join(map(repr, new))} now")
        return
    for value in [value for value in old if value not in new]:
        yield Break(where, f"{value!r} is {NO_LONGER} accepted")


def values(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def bound_breaks(where: str, was: Schema, now: Schema) -> Iterator[Break]:
    """Yield bounds that a request keeps no longer by keeping the old ones."""
    narrower = [name for name, unsaid in LOWEST.items() if now.get(name, -ANY) > was.get(name, unsaid)]
    narrower += [name for name in HIGHEST if now.get(name, ANY) < was.get(name, ANY)]
    for name in narrower:
        yield Break(where, f"{name} {now[name]} instead of {was.get(name, 'none')}")
    if "pattern" in now and now["pattern"] != was.get("pattern") and values(was) is None:
        yield Break(where, f"pattern {now['pattern']} instead of {was.get('pattern', 'none')}")


def alternatives(document: Schema, schema: Schema) -> list[Schema]:
    """Return a schema as a list of schemas of one type each, any of which a value may fit."""
    if "$ref" in schema:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return alternatives(document, {**found(document, schema["$ref"]), **beside})
    if "allOf" in schema:
        return alternatives(document, merged(document, schema))
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return [each for part in schema[several] for each in alternatives(document, part)]
    kind = schema.get("type")
    return [{**schema, "type": one} for one in kind] if isinstance(kind, list) else [schema]


def found(document: Schema, reference: str) -> Schema:
    """Return what a `$ref` into the document names."""
    part = document
    for name in reference.removeprefix("#/").split("/"):
        part = part[name.replace("~1", "/").replace("~0", "~")]
    return part


def merged(document: Schema, schema: Schema) -> Schema:
    """Return one schema that says what all parts of an `allOf` say."""
    whole: Schema = {name: value for name, value in schema.items() if name != "allOf"}
    for part in schema["allOf"]:
        said = found(document, part["$ref"]) if "$ref" in part else part
        members = {**whole.get("properties", {}), **said.get("properties", {})}
        required = [*whole.get("required", []), *said.get("required", [])]
        whole = {**said, **whole, "properties": members, "required": required}
    return whole


def may_be(inner: Schema, outer: Schema) -> bool:
    """Return whether values of one type are of the other too; a schema without a type is of every type."""
    was, now = kind_of(inner), kind_of(outer)
    return now is None or was == now or (was == "integer" and now == "number")


def kind_of(schema: Schema) -> str | None:
    if "type" in schema:
        return str(schema["type"])
    allowed = values(schema)
    return NAMES.get(type(allowed[0])) if allowed else ("object" if "properties" in schema else None)


NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def is_asked_for(schema: Schema) -> bool:
    """Return whether answers have this shape only where a parameter asks for it, as `fields` does."""
    return bool(schema.get("x-asked-for"))


def is_free(schema: Schema) -> bool:
    """Return whether an object may hold members of any name."""
    return kind_of(schema) == "object" and schema.get("additionalProperties", True) is not False


def kind_in_words(schema: Schema) -> str:
    return schema.get("title") or kind_of(schema) or "anything"
