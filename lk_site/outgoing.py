"""Requests that we send to other services: bounded in time and in bytes, whatever those answer."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection as PlainConnection
from http.client import HTTPException, HTTPSConnection
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

SHORTEST_S = 0.01  # what is left of the time when connecting took it all


class NoAnswer(Exception):
    """The service did not answer in time, or not with what was asked for. Says why, and nothing of the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `body` is cut off after as many bytes as were asked for."""

    status: int
    body: bytes

    def json_object(self) -> dict[str, Any]:
        """Return the JSON object in the body. Raises NoAnswer for anything else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            raise NoAnswer("not JSON") from None
        if not isinstance(found, dict):
            raise NoAnswer("no JSON object")
        return found


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float, bytes_at_most: int) -> Answer:
    """Send a body and return the answer, whatever its status; redirects are not followed.

    Raises NoAnswer for a fault of the network and for an exchange that takes longer than `timeout_s` in all.
    """
    parts, started = urlsplit(url), time.monotonic()
    kind = HTTPSConnection if parts.scheme == "https" else PlainConnection
    connection = kind(parts.netloc, timeout=timeout_s)
    try:
        connection.connect()
        with cut_off_after(timeout_s - (time.monotonic() - started), connection.sock):
            connection.request("POST", parts.path, body, {"Connection": "close", **headers})
            response = connection.getresponse()
            return Answer(response.status, response.read(bytes_at_most))
    except (OSError, HTTPException) as error:
        raise NoAnswer(type(error).__name__) from None
    finally:
        connection.close()


@contextmanager
def cut_off_after(seconds: float, sock: socket.socket) -> Iterator[None]:
    """End an exchange that takes longer in all: the time-out of a socket begins anew with each byte."""

    def cut_off() -> None:
        with suppress(OSError):  # closed meanwhile
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # SSLSocket's own forgets TLS under a reader's hands

    timer = Timer(max(seconds, SHORTEST_S), cut_off)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
