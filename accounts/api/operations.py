"""`/operations`: what became of work that was asked for with `Prefer: respond-async` (RFC 7240)."""

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema

from accounts.actor import ActorRequest
from accounts.models import Operation, OperationState, Scope
from accounts.services.operations import RETRY_AFTER_S
from lk_site.answers import json_answer
from lk_site.encryption import Unreadable
from lk_site.operations import needs
from lk_site.schemas import TimeOut

router = Router(tags=["operations"])


class OperationOut(Schema):
    """Work that goes on. It is kept for seven days."""

    id: UUID
    name: str = Field(examples=["deals.bulk"])
    state: str = Field(description="`queued`, `running`, `done` or `failed`", examples=["done"])
    created_at: TimeOut
    started_at: TimeOut | None
    done_at: TimeOut | None
    result: dict[str, Any] | None = Field(
        description="Once it is done: the answer that it would have given at once.",
        examples=[{"items": [], "committed": True}],
    )
    problem: dict[str, Any] | None = Field(description="Of a failed one: why. Nothing of it was done.", examples=[None])


@router.get("/{uuid:operation_id}", response=OperationOut)
@needs(Scope.DEALS_WRITE, Scope.CLIENTS_WRITE, Scope.WEBHOOKS_MANAGE)
def get_operation(request: ActorRequest, operation_id: UUID) -> HttpResponse:
    """Return an operation to who asked for it. While it goes on, `Retry-After` says when to ask again."""
    operation = Operation.objects.visible_to(request.actor).get(pk=operation_id)
    return operation_answer(operation, 200)


def wants_async(request: HttpRequest) -> bool:
    """Return whether the asker prefers not to wait for the answer."""
    preferences = request.headers.get("Prefer", "").split(",")
    return any(one.partition(";")[0].strip().lower() == "respond-async" for one in preferences)


def queued_answer(operation: Operation) -> HttpResponse:
    """Return 202 for work that was queued just now, and where to ask what became of it."""
    response = operation_answer(operation, 202)
    response["Location"] = f"/api/v1/operations/{operation.pk}"
    response["Preference-Applied"] = "respond-async"
    return response


def operation_answer(operation: Operation, status: int) -> HttpResponse:
    response = json_answer(operation_out(operation), status)
    if operation.is_open:
        response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def operation_out(operation: Operation) -> dict[str, Any]:
    """Return an operation as `OperationOut` says."""
    told = None if isinstance(operation.result, Unreadable) else json.loads(operation.result or "null")
    has_failed = operation.state == OperationState.FAILED
    return {
        "id": operation.pk,
        "name": operation.name,
        "state": operation.state,
        "created_at": operation.created_at,
        "started_at": operation.started_at,
        "done_at": operation.done_at,
        "result": None if has_failed else told,
        "problem": told if has_failed else None,
    }
