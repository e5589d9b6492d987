"""What an operation of the API says about itself, beside its schemas: marks that the edge and OpenAPI read.

Marks stand under the route, in any order::

    @router.post("/", response={201: DealOut})
    @refuses(ClientExists)
    @idempotent(Deal)
    @etagged
    def create_deal(request: ActorRequest, payload: DealIn) -> Status[Deal]: ...
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Status
from ninja.operation import Operation

from lk_site.answers import Ready, to_json
from lk_site.errors import DomainError

F = TypeVar("F", bound=Callable[..., Any])


def public(function: F) -> F:
    """Let anybody call the operation, signed in or not."""
    function.is_public = True  # type: ignore[attr-defined]
    return function


def needs(*scopes: str) -> Callable[[F], F]:
    """Let a program call the operation if its key has any one of these scopes. Without the mark it is for people only.

    A person needs no scope: what he may do is asked of the services.
    """

    def mark(function: F) -> F:
        function.scopes = scopes  # type: ignore[attr-defined]
        return function

    return mark


def counts_as_search(*parameters: str) -> Callable[[F], F]:
    """Count calls against the limit of searches: those with one of these query parameters, or all if none is named."""

    def mark(function: F) -> F:
        function.search_parameters = parameters  # type: ignore[attr-defined]
        return function

    return mark


def counts_as(limit: str) -> Callable[[F], F]:
    """Count calls against one more limit of settings, that of what weighs more than a request."""

    def mark(function: F) -> F:
        function.counted_as = limit  # type: ignore[attr-defined]
        return function

    return mark


def refuses(*refusals: type[DomainError]) -> Callable[[F], F]:
    """Declare the rules that may refuse the operation. What the edge refuses everywhere is declared by itself."""

    def mark(function: F) -> F:
        function.refusals = (*getattr(function, "refusals", ()), *refusals)  # type: ignore[attr-defined]
        return function

    return mark


def can_be_queued(function: F) -> F:
    """Say that the operation may be asked for with `Prefer: respond-async`: it is then 202, and done by a worker."""
    function.can_be_queued = True  # type: ignore[attr-defined]
    return function


def rendered(request: HttpRequest, result: Any, arguments: dict[str, Any]) -> HttpResponse:
    """Return the answer that ninja would make of an operation's result, for a decorator that needs it early.

    `arguments` are the operation's keyword arguments: its `response` argument, if it has one, carries headers.
    """
    if isinstance(result, HttpResponseBase):
        return result  # type: ignore[return-value]
    operation: Operation = request.operation  # type: ignore[attr-defined]
    name = operation.signature.response_arg
    response: HttpResponse = arguments[name] if name else operation.api.create_temporal_response(request)
    status, row = (result.status_code, result.value) if isinstance(result, Status) else (200, result)
    if isinstance(row, Ready):
        response.content, response.status_code = to_json(row), status
        return response
    return operation._result_to_response(request, result, response)  # type: ignore[return-value]
