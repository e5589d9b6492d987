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


def counts_as_search(*parameters: str) -> Callable[[F], F]:
    """Count calls against the limit of searches: those with one of these query parameters, or all if none is named."""

    def mark(function: F) -> F:
        function.search_parameters = parameters  # type: ignore[attr-defined]
        return function

    return mark


def refuses(*refusals: type[DomainError]) -> Callable[[F], F]:
    """Declare the rules that may refuse the operation. What the edge refuses everywhere is declared by itself."""

    def mark(function: F) -> F:
        function.refusals = (*getattr(function, "refusals", ()), *refusals)  # type: ignore[attr-defined]
        return function

    return mark


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
