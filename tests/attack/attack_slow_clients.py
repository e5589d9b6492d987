"""Clients that send or read as slowly as they can, by the hundred, and the person who works meanwhile."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from attack import table
from deploy.tests.nginx import HOST
from faults.stack import Stack

SLOW = 300
ROUNDS, ASKED = 5, 10


def slow_headers(_number: int) -> bytes:
    return f"GET /login/ HTTP/1.1\r\nHost: {HOST}\r\nX-Slow: ".encode()


def slow_body(number: int) -> bytes:
    path = ("/login/", "/api/v1/auth/send-code", "/admin/login/")[number % 3]
    return f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5000\r\n\r\nphone=".encode()


def slow_chunks(_number: int) -> bytes:
    return f"POST /login/ HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n".encode()


def slow_reader(_number: int) -> bytes:
    return f"GET /api/v1/openapi.json HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


@contextmanager
def connections(stack: Stack, begin: Callable[[int], bytes]) -> Iterator[list[ssl.SSLSocket]]:
    """Open them from a hundred addresses, each with the beginning of a request."""
    opened: list[ssl.SSLSocket] = []
    try:
        for number in range(SLOW):
            connection = stack.front.open(source=f"127.0.4.{number % 100 + 1}")
            opened.append(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(begin(number))
        yield opened
    finally:
        for connection in opened:
            connection.close()


@pytest.mark.parametrize("begin", [slow_headers, slow_body, slow_chunks, slow_reader], ids=lambda begin: begin.__name__)
def test_slow_clients_keep_nobody_waiting(stack: Stack, begin: Callable[[int], bytes]):
    person = stack.people[0]
    cookie = {"Cookie": f"__Host-lk={person.session}"}
    refused = 0
    with connections(stack, begin) as slow:
        for _round in range(ROUNDS):
            for connection in slow if begin is not slow_reader else ():
                with suppress(OSError):  # nginx has had enough of it
                    connection.sendall(b"x")
            refused += sum(stack.front.ask("GET", "/deals/", cookie)[0] != 200 for _again in range(ASKED))
    table.rows.append(table.Row("slow clients", f"{SLOW} × {begin.__name__}", SLOW + ROUNDS * ASKED, refused))
    assert refused == 0
