"""Traces for OpenTelemetry. Without LK_OTLP_ENDPOINT nothing of it is imported.

Spans hold routes, methods, statuses, and statements with holes where their values go: nothing that somebody typed, no
address, and of ids the request's own alone. Of exceptions nothing is told, since their texts may quote a row. Whoever
asks cannot make us trace: a `traceparent` from outside is not believed. A thread sends the spans, and drops them where
the collector does not take them.
"""

import atexit
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lk_site.metrics import METHODS, OTHER, route_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

SEND_S = 3.0  # what the collector may take for one batch
LAST_SEND_S = 2.0  # what sending the rest may delay the end of a process
STATEMENT_AT_MOST = 2000  # characters

Answer = Callable[[HttpRequest], HttpResponseBase]
making = threading.Lock()


def request_span(request: HttpRequest, answer: Answer) -> HttpResponseBase:
    """Return what `answer` returns, in a span of the request's route, with one for each statement inside."""
    if not settings.OTLP_ENDPOINT:
        return answer(request)
    with span("request", is_server=True) as current, statements_traced(current):
        response = answer(request)
        describe(current, request, response)
        return response


def describe(current: "Span", request: HttpRequest, response: HttpResponseBase) -> None:
    from opentelemetry.trace import StatusCode

    method = request.method if request.method in METHODS else OTHER
    route = route_of(request, response)
    current.update_name(f"{method} {route}")
    current.set_attribute("http.request.method", method)
    current.set_attribute("http.route", route)
    current.set_attribute("http.response.status_code", response.status_code)
    current.set_attribute("lk.request_id", request.id)  # type: ignore[attr-defined]
    if response.status_code >= 500:
        current.set_status(StatusCode.ERROR)


def outgoing_span(name: str) -> "AbstractContextManager[Span | None]":
    """Return a span of something that is sent; nothing while traces are off."""
    return span(name) if settings.OTLP_ENDPOINT else nullcontext()


@contextmanager
def span(name: str, attributes: dict[str, str] | None = None, *, is_server: bool = False) -> Iterator["Span"]:
    from opentelemetry.trace import SpanKind, StatusCode

    kind = SpanKind.SERVER if is_server else SpanKind.CLIENT
    with tracer().start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except Exception:
            current.set_status(StatusCode.ERROR)
            raise


@contextmanager
def statements_traced(current: "Span") -> Iterator[None]:
    """Give each statement of this thread a span; hot reads then go through Django's cursor, which is slower."""
    if not current.is_recording():
        yield
        return
    with connection.execute_wrapper(statement_span):
        yield


def statement_span(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    verb = sql.split(None, 1)[0].upper() if sql else OTHER
    about = {"db.system.name": connection.vendor, "db.operation.name": verb, "db.query.text": sql[:STATEMENT_AT_MOST]}
    with span(verb, about):
        return execute(sql, params, many, context)


def tracer() -> "Tracer":
    return provider().get_tracer("lk")


def provider() -> "TracerProvider":
    """Return what makes the spans of this process. It has a thread, so a process makes it when it first needs it."""
    with making:
        return made_provider(settings.OTLP_ENDPOINT)


@cache
def made_provider(endpoint: str) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    made = TracerProvider(resource=Resource.create({"service.name": "lk"}), shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=SEND_S)))
    atexit.register(send_rest, made)
    return made


def send_rest(made: "TracerProvider") -> None:
    """Send what waits, or leave it: the end of a process does not wait for a collector that is away."""
    sending = threading.Thread(target=made.shutdown, daemon=True)
    sending.start()
    sending.join(LAST_SEND_S)
