"""The API: one `NinjaAPI`, whose every refusal is a problem document."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.urls import URLPattern, URLResolver, path
from ninja import NinjaAPI, Router
from ninja.errors import HttpError, ValidationError, ValidationErrorContext
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation, PathView

import accounts.api
import deals.api
from lk_site import api_docs, openapi
from lk_site.answers import JSON, Renderer
from lk_site.errors import DomainError
from lk_site.invalid import field_errors
from lk_site.openapi_parts import DESCRIPTION
from lk_site.problems import OF_STATUS, domain_problem, problem
from lk_site.strict_json import StrictParser, known_parameters


class Api(NinjaAPI):
    """NinjaAPI with our addresses, guards and words.

    Ninja takes its views out of Django's CSRF check; here they are put back, but for operations marked `csrf_exempt`.
    """

    def _get_urls(self) -> list[URLResolver | URLPattern]:
        addresses: list[URLResolver | URLPattern] = [
            path(
                "openapi.json", login_not_required(functools.partial(api_docs.openapi_json, api=self)), name="openapi"
            ),
            path("docs", login_not_required(functools.partial(api_docs.docs, api=self)), name="docs"),
        ]
        for router in self._get_bound_routers():
            views = [view for view in router.path_operations.values() for _operation in view.operations]
            for pattern, view in zip(router.urls_paths(router.prefix), views, strict=True):
                guard(pattern.callback, view)
                addresses.append(pattern)
        return [*addresses, path("", login_not_required(nothing_here), name="api-root")]

    def get_content_type(self) -> str:
        return JSON

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        return openapi.completed(schema, operations(self))

    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ValidationError:
        return ValidationError(list(field_errors(error_contexts)))  # type: ignore[arg-type]


def guard(callback: Any, view: PathView) -> None:
    """Let middleware see what the operations of an address say of themselves."""
    functions = [operation.view_func for operation in view.operations]
    callback.csrf_exempt = all(operation.csrf_exempt for operation in view.operations)
    callback.login_required = not all(getattr(function, "is_public", False) for function in functions)
    callback.scopes = {
        method: getattr(operation.view_func, "scopes", ())
        for operation in view.operations
        for method in operation.methods
    }
    for function in functions:
        if (parameters := getattr(function, "search_parameters", None)) is not None:
            callback.search_parameters = parameters
        if (limit := getattr(function, "counted_as", None)) is not None:
            callback.counted_as = limit


def operations(of: NinjaAPI) -> Iterator[Operation]:
    for router in of._get_bound_routers():
        for view in router.path_operations.values():
            yield from view.operations


def nothing_here(request: HttpRequest) -> HttpResponse:
    raise Http404


def new_api(namespace: str, routers: list[tuple[str, Router]]) -> Api:
    """Return an API with these routers, each under its prefix."""
    new = Api(
        title="LK",
        version="1",
        description=DESCRIPTION,
        urls_namespace=namespace,
        openapi_url=None,
        docs_url=None,
        parser=StrictParser(),
        renderer=Renderer(),
    )
    new.add_decorator(known_parameters, mode="view")
    for kind, answer in ANSWERS.items():
        new.add_exception_handler(kind, answer)
    for prefix, router in routers:
        new.add_router(prefix, router)
    return new


def http_problem(request: HttpRequest, error: Any) -> HttpResponse:
    """Answer ninja's own error; it wraps what our parser raises."""
    if isinstance(error.__cause__, DomainError):
        return domain_problem(request, error.__cause__)
    return problem(request, OF_STATUS.get(error.status_code, "bad_request"))


ANSWERS: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
    DomainError: domain_problem,
    HttpError: http_problem,
    ValidationError: lambda request, error: problem(request, "invalid", errors=error.errors),
    Http404: lambda request, error: problem(request, "not_found"),
    ObjectDoesNotExist: lambda request, error: problem(request, "not_found"),  # absent and not yours look the same
    UnreadablePostError: lambda request, error: problem(request, "bad_request"),
}

api = new_api("api", [*accounts.api.routers, *deals.api.routers])
