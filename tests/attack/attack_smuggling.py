"""Requests that two servers could read differently: one answer each, one request at most, and nobody else's answer."""

import re
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from attack import table
from deploy.tests.nginx import HOST
from faults.stack import Stack

FIRST_S, MORE_S = 2.0, 0.3  # what an answer and its rest may take
SMUGGLED = f"GET /smuggled/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
CHUNKED = f"0\r\n\r\n{SMUGGLED}"  # who reads chunks sees a second request
INSIDE = f"{len(SMUGGLED):x}\r\n{SMUGGLED}\r\n0\r\n\r\n"  # who reads the length of the first line does


def post(*lines: str, body: str = CHUNKED, first: str = "POST /login/ HTTP/1.1", host: str = f"Host: {HOST}") -> bytes:
    return "\r\n".join([first, *([host] if host else []), *lines, "", body]).encode("utf-8")


LENGTH = f"Content-Length: {len(CHUNKED)}"
SHORT = INSIDE.index("\n") + 1
CODINGS = (
    "Transfer-Encoding: chunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: chunked\x0b",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: \x00chunked",
    'Transfer-Encoding: "chunked"',
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding\r\n : chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer_Encoding: chunked",
    " Transfer-Encoding: chunked",
    "X: a\nTransfer-Encoding: chunked",
    "X: a\rTransfer-Encoding: chunked",
    "Connection: close, Transfer-Encoding\r\nTransfer-Encoding: chunked",
)
LENGTHS = ("+5", "-5", "0x5", "5, 6", "5 6", "5\x00", "05", "5;", "٥", "9" * 30, "")
TORN = (
    "zz\r\n",
    "5;a=b\r\nhello\r\n0\r\n\r\n",
    "5\nhello\n0\n\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFF1\r\nhello",
    "5\r\nhelloX0\r\n\r\n" + SMUGGLED,
    "0\r\nX-Forwarded-For: 203.0.113.9\r\nHost: evil.example\r\n\r\n",
)
CASES: dict[str, bytes] = {
    **{f"{coding!r} after a length": post(LENGTH, coding) for coding in CODINGS},
    **{f"{coding!r} before a length": post(coding, LENGTH) for coding in CODINGS},
    **{f"{coding!r} and a short length": post(coding, f"Content-Length: {SHORT}", body=INSIDE) for coding in CODINGS},
    **{f"length {length[:20]!r}": post(f"Content-Length: {length}") for length in LENGTHS},
    **{f"chunks {torn[:20]!r}": post("Transfer-Encoding: chunked", body=torn) for torn in TORN},
    "two lengths": post("Content-Length: 0", LENGTH),
    "two equal lengths": post(LENGTH, LENGTH),
    "a space in a name": post("Content Length: 5"),
    "two hosts": post("Host: evil.example", "Content-Length: 0", body=""),
    "no host": post("Content-Length: 0", body="", host=""),
    "another host in the address": post("Content-Length: 0", body="", first="POST http://evil.example/ HTTP/1.1"),
    "no version": b"GET /smuggled/\r\n\r\n",
    "version 1.2": post("Content-Length: 0", body="", first="POST /login/ HTTP/1.2"),
    "version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tab in the first line": post("Content-Length: 0", body="", first="POST\t/login/\tHTTP/1.1"),
    "a line break in the address": post("Content-Length: 0", body="", first="GET /login/\rX: HTTP/1.1"),
    "a method in lower case": post("Content-Length: 0", body="", first="post /login/ HTTP/1.1"),
    "CONNECT": post("Content-Length: 0", body="", first="CONNECT 127.0.0.1:5432 HTTP/1.1"),
    "a body of a GET": post(LENGTH, first="GET /login/ HTTP/1.1"),
    "an upgrade": post("Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", LENGTH),
    "an expectation": post("Expect: 100-continue\x00", LENGTH),
    "a NUL in a value": post("X: a\x00b", LENGTH),
    "bare line feeds": post(LENGTH).replace(b"\r\n", b"\n"),
}


def exchange(opened: Callable[[], socket.socket], raw: bytes) -> bytes:
    """Send bytes as they are, and return what comes back until the other side closes or has no more to say."""
    answer = b""
    with opened() as connection, suppress(OSError):
        connection.settimeout(FIRST_S)
        connection.sendall(raw)
        while part := connection.recv(65536):
            answer += part
            connection.settimeout(MORE_S)
    return answer


def through(stack: Stack, way: str) -> Callable[[], socket.socket]:
    if way == "nginx":
        return stack.front.open
    return lambda: socket.create_connection(("127.0.0.1", stack.web.port), timeout=10)


def requests_seen(stack: Stack) -> int:
    return stack.web.web.text.count('"message": "request"')


@pytest.mark.parametrize("way", ["nginx", "gunicorn alone"])
def test_no_request_hides_in_another(stack: Stack, way: str):
    """A hidden one would be seen by the application and answered to somebody else."""
    wrong = {name: told for name, raw in CASES.items() if (told := wrong_with(stack, way, raw))}
    table.rows.append(table.Row("request smuggling", f"{len(CASES)} shapes, {way}", 3 * len(CASES), len(wrong)))
    assert wrong == {}


def wrong_with(stack: Stack, way: str, raw: bytes) -> str:
    """Send it, and two requests of other people after it; return what went wrong, or nothing."""
    before = requests_seen(stack)
    answer = exchange(through(stack, way), raw)
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.[0-9] ([0-9]{3}) ", answer)]
    for _again in range(2):
        status, told, _body = stack.front.ask("GET", "/login/")
        if (status, told["Content-Type"]) != (200, "text/html; charset=utf-8"):
            return f"the next person got {status}"
    if requests_seen(stack) - before - 2 > len(statuses):
        return f"answered {statuses}, and the application saw {requests_seen(stack) - before - 2} requests"
    return f"answered {statuses}" if [status for status in statuses if status >= 500 and status != 501] else ""


def test_what_is_sent_is_answered(stack: Stack):
    """Or the test above would see nothing because nothing arrives: two plain requests are two, by either way."""
    raw = post("Content-Length: 0", body="") + SMUGGLED.encode()
    for way in ("nginx", "gunicorn alone"):
        before = requests_seen(stack)
        answer = exchange(through(stack, way), raw)
        assert len(re.findall(rb"HTTP/1\.[0-9] [0-9]{3} ", answer)) == 2, way
        assert requests_seen(stack) - before == 2
