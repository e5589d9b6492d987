"""Spans as a collector receives them: what was asked, never what was typed; and a collector that nobody waits for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from accounts.gateways import OutgoingSms, TryAgain
from accounts.models import User
from accounts.services import outbox
from accounts.tests.logging_in import Tray, ask_for_code, give_code, known_phone, sent_code
from lk_site import environment, tracing
from lk_site.tests.people import client_of, person

OURS = {
    *("http.request.method", "http.route", "http.response.status_code", "lk.request_id"),
    *("db.system.name", "db.operation.name", "db.query.text"),
}


class Collector(ThreadingHTTPServer):
    """Takes what is sent by OTLP over HTTP and decodes it; while `holds` is set it takes and does not answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiving)
        self.received: list[ExportTraceServiceRequest] = []
        self.has_come, self.lets_go = threading.Event(), threading.Event()
        self.lets_go.set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that has hung up is no failure here."""

    @property
    def spans(self) -> list[Any]:
        scopes = [scope for one in self.received for resource in one.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [about(span) for span in self.spans if span.name == name]


class Receiving(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.has_come.set()
        self.server.lets_go.wait(30)
        assert self.path == "/v1/traces"
        self.server.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.end_headers()
        self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal quiet."""


def about(span: Any) -> dict[str, Any]:
    """Return the attributes of a span."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.lets_go.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def collector(settings: Any) -> Iterator[Collector]:
    with collecting() as server:
        settings.OTLP_ENDPOINT = server.url
        yield server
        tracing.provider().shutdown()


def sent() -> None:
    """Let everything that ended be sent."""
    tracing.provider().force_flush()


@pytest.mark.django_db
def test_a_request_is_a_span_of_its_route_with_one_for_each_statement(collector: Collector):
    answer = Client().post("/login/", {"phone": known_phone()})
    sent()
    (request,) = [span for span in collector.spans if span.name == "POST login/"]
    assert about(request) == {
        "http.request.method": "POST",
        "http.route": "login/",
        "http.response.status_code": 302,
        "lk.request_id": answer["X-Request-ID"],
    }
    inside = [span for span in collector.spans if span.parent_span_id == request.span_id]
    assert {span.trace_id for span in inside} == {request.trace_id}
    assert {"SELECT", "INSERT"} <= {about(span)["db.operation.name"] for span in inside}


@pytest.mark.django_db
def test_nothing_that_was_typed_is_in_any_span(collector: Collector):
    client, phone = Client(), known_phone(name="Анна Агеева")
    ask_for_code(client, phone)
    code = sent_code(phone)
    give_code(client, phone, code)
    client.get(f"/deals/?q={phone}&name=Иванова", headers={"Traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    client.get(f"/{phone}/Иванова/", headers={"User-Agent": "Netscape 79169990001"})
    client.post("/deals/search/", {"q": "Иванова"})
    sent()
    assert {name for span in collector.spans for name in about(span)} <= OURS
    told = "".join(str(one) for one in collector.received) + repr([about(span) for span in collector.spans])
    agent = User.objects.with_phone(phone).get()
    for secret in (phone, phone[1:], code, "Иванова", "Анна", "127.0.0.1", "Netscape", str(agent.pk), agent.pk.hex):
        assert secret not in told
    assert {"GET unknown", "sms"} <= {span.name for span in collector.spans}
    assert bytes.fromhex("ab" * 16) not in {span.trace_id for span in collector.spans}


@pytest.mark.django_db
def test_failures_are_marked_and_not_quoted(collector: Collector, small_api: None):
    anna = person("79161234567")
    client_of(anna).post(f"/api/v1/people/{anna.pk}/names", {"name": "broken"}, "application/json")
    sent()
    (failed,) = [span for span in collector.spans if about(span).get("http.response.status_code") == 500]
    assert failed.status.code == 2
    assert not failed.status.message
    assert not failed.events


@pytest.mark.django_db(transaction=True)
def test_messages_that_go_out_are_spans(collector: Collector):
    class Away(Tray):
        def send(self, sms: OutgoingSms) -> Any:
            raise TryAgain(None)

    outbox.queue_sms("79161234567", "Code 123456", useless_at=timezone.now() + timedelta(minutes=5))
    outbox.deliver(Away())
    sent()
    (span,) = [span for span in collector.spans if span.name == "sms"]
    assert (about(span), span.status.code, len(span.events)) == ({}, 2, 0)


@pytest.mark.django_db
def test_a_collector_that_hangs_keeps_no_request(collector: Collector):
    """It holds the first batch until the test has ended: every answer here was made meanwhile."""
    collector.lets_go.clear()
    Client().get("/login/")
    sending = threading.Thread(target=sent)
    sending.start()
    assert collector.has_come.wait(10)
    assert [Client().get("/login/").status_code for _ in range(5)] == [200] * 5
    assert not collector.received
    collector.lets_go.set()
    sending.join()


@pytest.mark.django_db
def test_a_collector_that_is_gone_breaks_no_request(settings: Any):
    with collecting() as server:
        gone = server.url
    settings.OTLP_ENDPOINT = gone
    assert [Client().get("/login/").status_code for _ in range(3)] == [200] * 3
    tracing.send_rest(tracing.provider())
    assert Client().get("/login/").status_code == 200


@pytest.mark.django_db
def test_without_an_endpoint_statements_take_their_quick_way(settings: Any):
    settings.OTLP_ENDPOINT = ""
    before = tracing.made_provider.cache_info().currsize
    assert Client().get("/login/").status_code == 200
    assert tracing.made_provider.cache_info().currsize == before


def test_an_address_that_is_none_stops_the_start(monkeypatch: Any):
    monkeypatch.setenv("LK_OTLP_ENDPOINT", "collector:4318")
    with pytest.raises(ImproperlyConfigured):
        environment.collector("LK_OTLP_ENDPOINT")
    monkeypatch.setenv("LK_OTLP_ENDPOINT", "http://127.0.0.1:4318/")
    assert environment.collector("LK_OTLP_ENDPOINT") == "http://127.0.0.1:4318"
