"""What both clients are made with: the address, the key, time-outs, and what every request carries."""

from __future__ import annotations

import logging
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from lk_client.calls import Answer
from lk_client.exchange import Lost, Request
from lk_client.version import __version__

log = logging.getLogger("lk_client")

ROOT = "/api/v1"
KEY = re.compile(r"lk_live_[0-9A-Za-z]{46}", re.ASCII)
OWN_MACHINE = ("localhost", "127.0.0.1", "::1")
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
AGENT = f"lk-client/{__version__} (Python {platform.python_version()}; httpx {httpx.__version__})"
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class Secret:
    """A key that shows itself to nobody but LK."""

    def __init__(self, key: str) -> None:
        if not KEY.fullmatch(key):  # the sentence must not hold the key
            raise ValueError("A key is lk_live_ and 46 letters and digits. Copy it whole.")
        self._key = key

    def header(self) -> str:
        return f"Bearer {self._key}"

    def __repr__(self) -> str:
        return f"<key {self._key[:18]}…>"

    def __reduce__(self) -> Any:
        raise TypeError("A key is not pickled: read it again where it is needed.")


@dataclass(frozen=True)
class Connection:
    """Where LK is and who asks. `language` is that of names and sentences in answers."""

    secret: Secret
    base_url: str
    language: str
    user_agent: str = AGENT
    root: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", root_of(self.base_url))

    def url(self, request: Request) -> str:
        return self.root + request.path

    def headers(self, request: Request) -> dict[str, str]:
        every = {
            "Accept": "application/json, application/problem+json",
            "Accept-Language": self.language,
            "Authorization": self.secret.header(),
            "User-Agent": self.user_agent,
        }
        return {**every, **request.headers}

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return what httpx sends, all but time-outs."""
        arguments: dict[str, Any] = {
            "method": request.method,
            "url": self.url(request),
            "headers": self.headers(request),
            "content": request.content,
        }
        return arguments | ({"params": list(request.query)} if request.query else {})


def connection(key: str, base_url: str, language: str, user_agent: str | None) -> Connection:
    """Return the connection. Raises ValueError for what is no key, and for an address that would show the key."""
    agent = f"{user_agent} {AGENT}" if user_agent else AGENT
    return Connection(Secret(key), base_url, language, agent)


def root_of(base_url: str) -> str:
    """Return the API's root at this address. Raises ValueError where the key would travel in clear."""
    address = urlsplit(base_url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in OWN_MACHINE):
        raise ValueError("base_url begins with https://, or with http:// on this machine.")
    if address.username or address.password or address.query or address.fragment:
        raise ValueError("base_url is the address of LK alone.")
    return base_url.rstrip("/").removesuffix(ROOT) + ROOT


def answer_of(request: Request, response: httpx.Response) -> Answer:
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    log.debug("%s %s %d %s", request.method, request.path, response.status_code, headers.get("x-request-id", ""))
    return Answer(response.status_code, headers, response.content)


def lost(request: Request, error: httpx.RequestError) -> Lost:
    """Return what is known of a request without an answer. Its text names no key: headers are not part of it."""
    why = f"{type(error).__name__}: {error}".rstrip(": ")
    log.debug("%s %s %s", request.method, request.path, why)
    return Lost(why, was_sent=not isinstance(error, NEVER_SENT))
