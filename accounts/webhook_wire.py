"""Webhooks on the wire: addresses that may be sent to, Standard Webhooks 1.0 signatures, and one try of a delivery.

Whoever names an address makes us ask it from inside our own network. So a name is resolved once, every address that is
not public is refused, and the connection goes to the very address that was checked: a name that changes meanwhile
changes nothing. Redirects are not followed. Any port may be named: a receiver behind a port of its own is usual, and
what answers on a public address can be asked by anybody.
"""

import base64
import hashlib
import hmac
import queue
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address, ip_network
from threading import Thread
from urllib.parse import SplitResult, quote, urlsplit

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.webhooks import URL_LENGTH
from lk_site.errors import InvalidValue
from lk_site.outgoing import SHORTEST_S, cut_off_after
from lk_site.text import clean_line, fitting

URL_AT_MOST = 500  # characters that somebody types
SECRET_PREFIX, SECRET_BYTES = "whsec_", 24  # Standard Webhooks 1.0: 24 to 64 bytes
READ_AT_MOST, KEPT_AT_MOST = 64 * 1024, 4 * 1024  # bytes of an answer
PORTS = {"https": 443, "http": 80}
HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?", re.ASCII)
SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
PATH_SAFE, QUERY_SAFE = "/%:@!$&'()*+,;=-._~", "/%:@!$&'()*+,;=-._~?"
CLOSED = [  # the IANA registries of special-purpose addresses, and where clouds keep their keys
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's inner services, on an address that looks public
        *("2001::/23", "2001:db8::/32", "3fff::/20"),  # Teredo and the like; documentation
        "2002::/16",  # 6to4: any IPv4 address may be inside
    )
]
GLOBAL_UNICAST = ip_network("2000::/3")  # outside of it: mapped IPv4, NAT64, unique local, link-local, multicast

Resolve = Callable[[str, int], Sequence[str]]


class Trouble(StrEnum):
    """Why there was no answer."""

    NAME_UNKNOWN = "name_unknown"
    ADDRESS_REFUSED = "address_refused"
    NOT_REACHED = "not_reached"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    NOT_HTTP = "not_http"
    UNREADABLE = "unreadable"  # our own record of it


class NotAnswered(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """What is sent. `secrets` sign it, the newest first; `payload` is the very text that is signed."""

    url: str
    id: str
    payload: str
    secrets: Sequence[str]


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back: the beginning of the body, and how many seconds the receiver asks to be left alone."""

    code: int
    body: bytes
    retry_after_s: float | None


# --- signatures


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(message: Message, at: datetime) -> dict[str, str]:
    """Return the headers by which a receiver knows that the payload is ours, and of this moment."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message.id}.{timestamp}.{message.payload}".encode()
    return {
        "webhook-id": message.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signature(secret, signed) for secret in message.secrets),
    }


def signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


# --- addresses


def clean_url(value: str) -> str:
    """Return an address that may be sent to, in ASCII. What its name resolves to is checked when it is sent to.

    Raises InvalidValue: `url_invalid`, `url_not_https`, `url_not_public`, and what `clean_line` raises.
    """
    parts = split(clean_line(value, URL_AT_MOST))
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback_is_open()):
        raise InvalidValue("url_not_https", _("The address must begin with https://."))
    host = ascii_host(parts.hostname or "")
    if is_literal(host) and not may_reach(host):
        raise InvalidValue("url_not_public", _("This address is not reachable from the internet."))
    port = f":{parts.port}" if parts.port not in (None, PORTS[parts.scheme]) else ""
    path = quote(parts.path or "/", safe=PATH_SAFE) + (f"?{quote(parts.query, safe=QUERY_SAFE)}" if parts.query else "")
    return fitting(f"{parts.scheme}://{bracketed(host)}{port}{path}", URL_LENGTH)


def split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_whole = parts.port != 0 and not (parts.username or parts.password or parts.fragment)
    except ValueError:
        raise url_invalid() from None
    if not (is_whole and parts.hostname):
        raise url_invalid()
    return parts


def ascii_host(host: str) -> str:
    """Return a host's name as DNS knows it, «пример.рф» in Punycode. Raises InvalidValue."""
    if is_literal(host):
        return host
    try:
        name = host.encode("idna").decode().lower()
    except UnicodeError:
        raise url_invalid() from None
    if not HOST_NAME.fullmatch(name):
        raise url_invalid()
    return name


def url_invalid() -> InvalidValue:
    return InvalidValue("url_invalid", _("This is not an address like https://example.ru/hook."))


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def may_reach(address: str) -> bool:
    """Whether a request may go to an IP address: a public one; in tests also to this machine."""
    return is_public(address) or (loopback_is_open() and ip_address(address).is_loopback)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet at large, and not to a network that only we stand in."""
    if "%" in address:  # of one interface
        return False
    ip = ip_address(address)
    if ip.version == 6 and ip not in GLOBAL_UNICAST:
        return False
    return not any(ip in network for network in CLOSED if network.version == ip.version)


def loopback_is_open() -> bool:
    """Whether receivers may stand on this machine. In public LK does not start with this switch; nor is it heeded."""
    return bool(settings.LOCAL and settings.WEBHOOK_LOOPBACK)


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a name, as the system knows them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_kind, place in found))


# --- one try


class Deadline:
    """The end of everything that a try may take, which one time-out after another would put off for ever."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        return max(SHORTEST_S, self.end - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.end


def send(
    message: Message,
    *,
    resolve: Resolve = resolved,
    tls: ssl.SSLContext | None = None,
    timeout_s: float | None = None,
) -> Answer:
    """Send a message once and return the answer, whatever its status.

    Raises NotAnswered; after `timeout_s` (settings.WEBHOOK_TIMEOUT_S) in all at the latest.
    """
    parts = urlsplit(message.url)
    deadline = Deadline(settings.WEBHOOK_TIMEOUT_S if timeout_s is None else timeout_s)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    sock = connected(open_addresses(host, port, resolve, deadline), port, deadline)
    try:
        sock.settimeout(deadline.left_s)
        if parts.scheme == "https":
            sock = wrapped(sock, host, tls or ssl.create_default_context())
        with cut_off_after(deadline.left_s, sock):
            return exchanged(sock, message, parts, deadline)
    finally:
        sock.close()


def open_addresses(host: str, port: int, resolve: Resolve, deadline: Deadline) -> list[str]:
    """Return the addresses of a host that may be reached. Raises NotAnswered."""
    found = [host] if is_literal(host) else resolved_by(deadline, resolve, host, port)
    if not found:
        raise NotAnswered(Trouble.NAME_UNKNOWN)
    if not (allowed := [address for address in found if may_reach(address)]):
        raise NotAnswered(Trouble.ADDRESS_REFUSED)
    return allowed


def resolved_by(deadline: Deadline, resolve: Resolve, host: str, port: int) -> Sequence[str]:
    """Resolve a name in a thread: the system's resolver knows no time-out. Raises NotAnswered."""
    answers: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(resolve(host, port))
        except (OSError, UnicodeError):
            answers.put([])

    Thread(target=look_up, name="webhook resolver", daemon=True).start()
    try:
        return answers.get(timeout=deadline.left_s)
    except queue.Empty:
        raise NotAnswered(Trouble.TIMED_OUT) from None


def connected(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """Return a connection to the first of these addresses that takes one. Raises NotAnswered."""
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        if not deadline.is_over:
            with suppress(OSError):  # one that is silent leaves time for the others
                return socket.create_connection((address, port), timeout=deadline.left_s / left)
    raise NotAnswered(Trouble.TIMED_OUT if deadline.is_over else Trouble.NOT_REACHED)


def wrapped(sock: socket.socket, host: str, tls: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection that will speak TLS as the host of this name; the handshake is still to come.

    Raises NotAnswered for one that the receiver has ended already, with or without words of its own.
    """
    try:
        return tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except OSError:
        raise NotAnswered(Trouble.TLS_FAILED) from None


def exchanged(sock: socket.socket, message: Message, parts: SplitResult, deadline: Deadline) -> Answer:
    """Send a message over a connection and read the answer. Raises NotAnswered."""
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        with asked(sock, message, parts) as response:
            if deadline.is_over:  # headers that were cut off look like headers that have ended
                raise NotAnswered(Trouble.TIMED_OUT)
            asks_s = retry_after_s(response.headers.get("Retry-After", ""))
            return Answer(response.status, beginning_of(response), asks_s)
    except ssl.SSLError:
        raise NotAnswered(Trouble.TIMED_OUT if deadline.is_over else Trouble.TLS_FAILED) from None
    except HTTPException:
        raise NotAnswered(Trouble.TIMED_OUT if deadline.is_over else Trouble.NOT_HTTP) from None
    except (OSError, ValueError):
        raise NotAnswered(Trouble.TIMED_OUT if deadline.is_over else Trouble.NOT_REACHED) from None


def asked(sock: socket.socket, message: Message, parts: SplitResult) -> HTTPResponse:
    """Send the request and return the answer, its body still unread. http.client follows no redirect."""
    connection = HTTPConnection(parts.netloc)
    connection.sock = sock
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "LK-Webhooks/1",
        "Connection": "close",
        **signed_headers(message, timezone.now()),
    }
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("POST", path, message.payload.encode(), headers)
    return connection.getresponse()


def beginning_of(response: HTTPResponse) -> bytes:
    """Return the first bytes of a body. The status decides, so a body that breaks off is no failure."""
    kept, seen = b"", 0
    with suppress(OSError, HTTPException, ValueError):
        while seen < READ_AT_MOST and (part := response.read1(KEPT_AT_MOST)):
            seen += len(part)
            kept += part[: KEPT_AT_MOST - len(kept)]
    return kept


def retry_after_s(header: str) -> float | None:
    """Return the seconds that `Retry-After` asks for (RFC 9110: a number or a date), None where it cannot be read."""
    if SECONDS.fullmatch(header.strip()):
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - timezone.now()).total_seconds())
    except (TypeError, ValueError, OverflowError):  # no date, no such date, or a date without its zone
        return None
