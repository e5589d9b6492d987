"""nginx in front: what it lets through and as what, what it refuses and in which words, and what it serves itself."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import RequestFactory

from conftest import absent
from deploy.tests.nginx import HOST, NGINX, Front, gunicorn, in_front_of, wait_until, write_configuration
from lk_site import addresses
from lk_site.middleware import headers
from lk_site.problems import REFUSALS

NO_NGINX = "No nginx here. On Debian: apt-get install nginx-light"
REFUSED = {"bad_request", "not_found", "method_not_allowed", "too_large", "too_often", "unavailable"}


@pytest.fixture(scope="module")
def front(tmp_path_factory) -> Iterator[Front]:
    """nginx in front of an application that tells what reached it."""
    if NGINX is None:
        absent(NO_NGINX)
    folder = tmp_path_factory.mktemp("front")
    with (
        gunicorn("deploy.tests.mirror:application", folder) as web,
        in_front_of([web], folder, settings.STATIC_ROOT) as up,
    ):
        yield up


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Iterator[Front]:
    """nginx in front of nobody."""
    if NGINX is None:
        absent(NO_NGINX)
    folder = tmp_path_factory.mktemp("alone")
    with in_front_of([1], folder, settings.STATIC_ROOT) as up:
        yield up


def test_nginx_finds_nothing_wrong_with_the_configuration(front: Front):
    conf = front.folder / "nginx" / "nginx.conf"
    checked = subprocess.run(
        [str(NGINX), "-t", "-c", conf, "-p", f"{conf.parent}/"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr


def test_what_a_client_claims_of_where_it_comes_from_is_overwritten(front: Front, settings):
    forged = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=203.0.113.7",
        "X-Real-IP": "203.0.113.7",
        "X_Forwarded_For": "203.0.113.7",
    }
    seen = json.loads(front.ask("GET", "/", forged)[2])
    assert (seen["HTTP_X_FORWARDED_FOR"], seen["HTTP_X_FORWARDED_PROTO"]) == ("127.0.0.1", "https")
    assert "203.0.113.7" not in str(seen)
    assert "evil" not in str(seen)
    settings.TRUSTED_HOPS = 1
    request = RequestFactory().get("/", **{name: seen[name] for name in seen if name.startswith("HTTP_X_F")})
    assert addresses.client_address(request) == "127.0.0.1"
    assert addresses.is_secure(request)


def test_the_path_and_its_escapes_arrive_as_they_were_sent(front: Front):
    seen = json.loads(front.ask("GET", "/deals/?q=%D0%BB&next=//x")[2])
    assert (seen["PATH_INFO"], seen["QUERY_STRING"], seen["HTTP_HOST"]) == ("/deals/", "q=%D0%BB&next=//x", HOST)


def test_headers_of_the_application_are_not_doubled(front: Front):
    _status, told, _body = front.ask("GET", "/")
    assert told.get_all("X-Content-Type-Options") == ["nosniff"]
    assert told.get_all("X-Request-ID") == ["0123456789abcdef"]
    assert told.get_all("Server") == ["nginx"]


def test_an_error_of_the_application_stays_as_it_is(front: Front):
    status, _told, body = front.ask("GET", "/?status=500")
    assert status == 500
    assert json.loads(body)["REQUEST_METHOD"] == "GET"


def test_pages_and_json_are_compressed_but_not_for_another_site(front: Front):
    asked = {"Accept-Encoding": "gzip"}
    for kind in ("application/json", "text/html"):
        path = f"/?fill=5000&type={kind}"
        assert front.ask("GET", path, asked)[1]["Content-Encoding"] == "gzip"
        foreign = front.ask("GET", path, {**asked, "Sec-Fetch-Site": "cross-site"})
        assert foreign[0] == 200
        assert foreign[1]["Content-Encoding"] is None
        assert json.loads(foreign[2])["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_questions_of_machines_are_not_public(front: Front, path):
    assert front.ask("GET", path)[0] == 404


def test_plain_http_is_sent_to_tls_and_nothing_else_is_served_there(front: Front):
    with socket.create_connection(("127.0.0.1", front.plain), timeout=10) as plain:
        plain.sendall(b"GET /deals/?q=1 HTTP/1.1\r\nHost: lk.example\r\nConnection: close\r\n\r\n")
        answer = plain.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 308")
    assert "Location: https://lk.example/deals/?q=1\r\n" in answer


def test_a_name_that_is_not_ours_gets_no_answer(front: Front):
    with pytest.raises(OSError, match=r"(?i)unrecognized|alert|handshake|reset|EOF"):
        front.open(name="evil.example")
    with socket.create_connection(("127.0.0.1", front.plain), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert plain.recv(100) == b""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_the_newest_tls_is_spoken_and_none_that_is_broken(front: Front):
    with front.open() as connection:
        assert connection.version() == "TLSv1.3"
    old = ssl.create_default_context(cafile=str(front.folder / "fullchain.pem"))
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError, match=r"(?i)protocol|alert|handshake"):
        Front(front.tls, front.plain, front.folder, old).open()


# --- refusals


@pytest.mark.parametrize(
    ("path", "kind"), [("/deals/new/", "text/html"), ("/api/v1/deals/", "application/problem+json")]
)
def test_a_body_over_a_megabyte_is_refused_in_the_readers_form(front: Front, path, kind):
    at_most = settings.FORM_BYTES_AT_MOST
    assert json.loads(front.ask("POST", path, body=b"x" * at_most)[2])["body_bytes"] == at_most
    status, told, body = front.ask("POST", path, {"Content-Length": str(at_most + 1)})
    assert status == 413
    assert told["Content-Type"].startswith(kind)
    assert told["X-Content-Type-Options"] == "nosniff"
    assert "мегабайт" in body.decode()


def smuggled(*lines: str, body: str = "0\r\n\r\nGET /admin/ HTTP/1.1\r\nHost: lk.example\r\n\r\n") -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: lk.example", *lines, "", body]).encode()


@pytest.mark.parametrize(
    "raw",
    [
        smuggled("Content-Length: 5", "Transfer-Encoding: chunked"),
        smuggled("Transfer-Encoding: chunked", "Content-Length: 5"),
        smuggled("Transfer-Encoding: xchunked"),
        smuggled("Transfer-Encoding: chunked, identity"),
        smuggled("Content-Length: 5", "Content-Length: 6"),
        smuggled("Content-Length: +5"),
        smuggled("Content-Length : 5"),
        smuggled("Transfer-Encoding: chunked", body="zz\r\n"),
        b"GET / HTTP/1.1\r\nHost: lk.example\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: lk.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: lk.example\r\nX: a\x00b\r\n\r\n",
    ],
)
def test_a_request_that_two_servers_could_read_differently_is_refused(front: Front, raw):
    answer = front.send(raw)
    assert re.match(rb"HTTP/1\.1 (400|501) ", answer), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"REQUEST_METHOD" not in answer


def test_a_chunked_body_reaches_the_application_whole_with_its_length(front: Front):
    raw = smuggled("Transfer-Encoding: chunked", "Connection: close", body="5\r\nhello\r\n0\r\n\r\n")
    seen = json.loads(front.send(raw).partition(b"\r\n\r\n")[2])
    assert (seen["body_bytes"], seen.get("HTTP_TRANSFER_ENCODING")) == (5, None)


def test_long_headers_and_addresses_are_refused_in_words(front: Front):
    assert front.ask("GET", "/", {"X-Long": "x" * 9000})[0] == 431
    status, _told, body = front.ask("GET", f"/?q={'x' * 9000}")
    assert status == 414
    assert "Слишком длинный адрес" in body.decode()


@pytest.mark.parametrize(("path", "kind"), [("/deals/", "text/html"), ("/api/v1/deals/", "application/problem+json")])
def test_without_the_application_people_and_programs_are_told_to_come_back(alone: Front, path, kind):
    status, told, body = alone.ask("GET", path)
    assert (status, told["Retry-After"]) == (503, "5")
    assert told["Content-Type"].startswith(kind)
    assert "Сохранённое цело" in body.decode()


def test_a_web_machine_that_is_down_costs_nobody_an_answer(front: Front, tmp_path):
    with (
        gunicorn("deploy.tests.mirror:application", tmp_path) as web,
        in_front_of([1, web], tmp_path, settings.STATIC_ROOT) as two,
    ):
        assert [two.ask("POST", "/", body=b"x")[0] for _again in range(10)] == [200] * 10


def test_a_flood_from_one_source_is_refused_and_nobody_else_notices(alone: Front):
    with alone.open(source="127.0.3.1") as flood:
        connection = http.client.HTTPSConnection("127.0.0.1", alone.tls, timeout=30)
        connection.sock = flood
        for _many in range(900):  # in less time than a tenth of a second each, or this machine is slower than a phone
            connection.request("GET", "/api/v1/deals/", headers={"Host": HOST})
            response = connection.getresponse()
            document = json.loads(response.read())
            if response.status == 429:
                break
        assert (response.status, document["code"], response.headers["Retry-After"]) == (429, "too_often", "1")
    assert alone.ask("GET", "/")[0] == 503


def test_pages_of_nginx_have_the_headers_of_every_answer(alone: Front):
    for path, policy in (("/", headers.PAGES), ("/api/v1/deals/", headers.DATA), (static("css/app.css"), headers.DATA)):
        _status, told, _body = alone.ask("GET", path)
        wanted = {**headers.ALWAYS, "Content-Security-Policy": policy}
        wanted["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains; preload"
        assert {name: told.get_all(name) for name in wanted} == {name: [value] for name, value in wanted.items()}
        assert told["X-Request-ID"]


def test_problems_of_nginx_have_the_shape_of_ours():
    text = (Path(__file__).parents[1] / "nginx" / "lk" / "problems.conf").read_text(encoding="utf-8")
    found = re.findall(r"return ([0-9]+) '(.*)';", text)
    assert {json.loads(body)["code"] for _status, body in found} == REFUSED
    for status, body in found:
        document = json.loads(body)
        assert document["status"] == int(status)
        assert document["code"] in REFUSALS
        assert set(document) == {"type", "title", "status", "detail", "code", "errors", "request_id"}


# --- static files


def static(name: str) -> str:
    return f"/static/{staticfiles_storage.stored_name(name)}"  # type: ignore[attr-defined]


def test_static_files_come_from_disk_compressed_and_are_kept_for_ever(alone: Front):
    status, told, _body = alone.ask("GET", static("css/app.css"), {"Accept-Encoding": "gzip"})
    assert (status, told["Content-Encoding"], told["Vary"]) == (200, "gzip", "Accept-Encoding")
    assert told["Cache-Control"] == "max-age=315360000, public, immutable"
    assert told["Content-Type"] == "text/css"


def test_a_static_name_without_a_hash_is_asked_for_again(alone: Front):
    assert alone.ask("GET", "/static/css/app.css")[1]["Cache-Control"] == "max-age=60, public"


def test_a_static_file_that_this_machine_lacks_is_asked_of_the_application(front: Front):
    for path in ("/static/css/none.css", "/static/css/none.0123456789ab.css"):
        assert json.loads(front.ask("GET", path)[2])["PATH_INFO"] == path


def test_nothing_beside_the_static_files_is_served(front: Front):
    for path in ("/static../keys.json", "/static/../keys.json", "/static/%2e%2e/keys.json", "/_lk/503.html"):
        assert b'"REQUEST_METHOD"' in front.ask("GET", path)[2] or front.ask("GET", path)[0] in (400, 404)


# --- logs


def test_the_log_holds_no_address_path_or_query_and_joins_with_ours(front: Front):
    front.ask("GET", "/deals/79031234567/?q=79031234567")
    wait_until(lambda: '"method":"GET"' in front.log)
    front.send(b"BAD 79031234567\r\n\r\n")
    lines = [json.loads(line) for line in front.log.splitlines()]
    assert "79031234567" not in front.log + (front.folder / "error.log").read_text()
    assert "127.0.0.1" not in front.log
    assert "0123456789abcdef" in {line["request_id"] for line in lines}


# --- slow clients


@pytest.mark.long
def test_three_hundred_slow_clients_keep_nobody_waiting(front: Front):
    """Each sends a byte a second of a header or a body, from many addresses; eight threads of gunicorn are free."""
    slow = [front.open(source=f"127.0.1.{number % 100 + 1}") for number in range(300)]
    try:
        for number, connection in enumerate(slow):
            body = f"POST /{number} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000\r\n\r\nx".encode()
            connection.sendall(body if number % 2 else b"GET / HTTP/1.1\r\nHost: lk")
        for _second in range(5):
            for connection in slow:
                connection.sendall(b"x")
            assert [front.ask("GET", "/")[0] for _again in range(20)] == [200] * 20
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.long
def test_who_reads_slowly_holds_no_thread_of_the_application(front: Front):
    readers = [front.open(source="127.0.2.1") for _ in range(50)]
    try:
        for connection in readers:
            connection.sendall(f"GET /?fill=200000 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert [front.ask("GET", "/")[0] for _again in range(20)] == [200] * 20
    finally:
        for connection in readers:
            connection.close()


def test_the_configuration_of_the_repo_names_the_paths_that_the_page_names(tmp_path):
    conf = write_configuration(tmp_path, tls=1, plain=2, web_ports=[3], static=tmp_path)
    text = "".join(file.read_text() for file in conf.parent.rglob("*.conf"))
    assert not re.search(r"\s/(etc/letsencrypt|var)/(?!www/html)", text)
    shutil.rmtree(tmp_path / "nginx")
