"""`Idempotency-Key` of operations: the same key and body get the first answer again, and nothing happens twice."""

import functools
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.services.idempotency import Answer, KeyInProgress, KeyReused, answer_once
from lk_site.answers import JSON, to_json
from lk_site.errors import DomainError, FieldError
from lk_site.operations import refuses, rendered

LONGEST = 255  # characters of a key (api.md)
KEPT_HEADERS = ("ETag", "Location")


class KeyInvalid(DomainError):
    """The header holds no key."""

    code = "idempotency_key_invalid"
    sentence = _("An Idempotency-Key has 1 to 255 characters.")


def idempotent(
    model: type[Model] | None = None, *, shown_once: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let an operation that changes something be repeated safely with an `Idempotency-Key`.

    `model` is what the operation is about, found by the path's `<model>_id`, else by the answer's `id`: a replay is
    given only to who may still see that row. `shown_once` names a member of the answer that is kept nowhere: it is null
    in replays. Stands above `etagged`. What the operation raises undoes the key.
    """

    def decorate(operation: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(operation)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            key = request.headers.get("Idempotency-Key")
            if key is None:
                return operation(request, *args, **kwargs)
            if not 1 <= len(key) <= LONGEST:
                raise KeyInvalid(errors=[FieldError("", KeyInvalid.code, KeyInvalid.sentence)])

            def effect() -> Answer:
                first.append(rendered(request, operation(request, *args, **kwargs), kwargs))
                return kept_answer(first[0], model, kwargs, shown_once)

            first: list[HttpResponse] = []
            response = answered(request, key, model, effect)
            return first[0] if first and shown_once else response

        run.is_idempotent = True  # type: ignore[attr-defined]
        return refuses(KeyInProgress, KeyReused, KeyInvalid)(run)

    return decorate


def answered(request: HttpRequest, key: str, model: type[Model] | None, effect: Callable[[], Answer]) -> HttpResponse:
    """Return the first answer of a key, marked where it is a replay."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    route = request.resolver_match.route if request.resolver_match else request.path
    asked = request.path.encode() + b"\0" + request.body
    answer = answer_once(f"{request.method} {route}", key, asked, actor=actor, effect=effect)
    if answer.is_replay:
        require_sight(answer, model, actor)
    response = HttpResponse(answer.body, status=answer.status, content_type=JSON, headers=answer.headers)
    if answer.is_replay:
        response["Idempotent-Replayed"] = "true"
    return response


def require_sight(answer: Answer, model: type[Model] | None, actor: Actor) -> None:
    """Raise Http404 for a replay about a row that the actor no longer sees."""
    if model is None or answer.object_id is None:
        return
    rows: Any = model._default_manager
    if not rows.visible_to(actor).filter(pk=answer.object_id).exists():
        raise Http404


def kept_answer(response: HttpResponse, model: type[Model] | None, path: dict[str, Any], shown_once: str) -> Answer:
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    body = response.content.decode()
    if shown_once:
        body = to_json({**json.loads(body), shown_once: None}).decode()
    object_type, object_id = "", None
    if model is not None:
        object_type = model._meta.model_name or ""
        object_id = path.get(f"{object_type}_id") or UUID(json.loads(body)["id"])
    return Answer(response.status_code, body, headers, object_type, object_id)
