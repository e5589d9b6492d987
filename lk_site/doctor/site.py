"""What the site looks like from outside: asked by its own name, through the proxy, as people ask it."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import signing

from lk_site.doctor.findings import Check, Level, Said
from lk_site.health import ASKED_BY_DOCTOR, DOCTOR
from lk_site.middleware.headers import ALWAYS

FORGED = "203.0.113.77"  # TEST-NET-3: nobody's address
TIMEOUT_S = 10.0
BYTES_AT_MOST = 4 * 1024 * 1024
DAYS_TO_MENTION, DAYS_TO_MEND = 21, 7
ONE_PROXY = "Let nginx overwrite X-Forwarded-For (deploy/nginx/lk/proxy.conf)"


class Unreachable(OSError):
    """Why the site could not be asked."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Site:
    """How to reach the site: by its own name, unless told to ask another address for it."""

    host: str
    address: str = ""
    port: int = 443
    plain_port: int = 80
    authority: str = ""  # a file of certificates to trust besides those of the system

    def checks(self) -> dict[str, Check]:
        return {
            "TLS": self.tls,
            "redirect": self.redirect,
            "trusted hops": self.trusted_hops,
            "static files served": self.static_served,
            "probes": self.probes_private,
            "headers": self.headers_once,
        }

    def ask(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Raises Unreachable, and SSLCertVerificationError for a certificate that browsers would refuse."""
        with self.open() as connected:
            connection = http.client.HTTPSConnection(self.host, timeout=TIMEOUT_S)
            connection.sock = connected
            return exchange(connection, path, {"Host": self.host, **(headers or {})})

    def open(self) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        if self.authority:
            context.load_verify_locations(self.authority)
        return context.wrap_socket(self.connect(self.port), server_hostname=self.host)

    def connect(self, port: int) -> socket.socket:
        try:
            return socket.create_connection((self.address or self.host, port), timeout=TIMEOUT_S)
        except OSError as error:
            where = f"{self.host}{f' at {self.address}' if self.address else ''} port {port}"
            raise Unreachable(f"nothing answers for {where}: {error.strerror or error}") from None

    # --- the checks

    def tls(self) -> Said:
        try:
            with self.open() as connected:
                certificate: dict[str, Any] = connected.getpeercert() or {}
                version = connected.version()
        except ssl.SSLCertVerificationError as error:
            yield Level.WRONG, f"Browsers refuse the certificate: {error.verify_message} Renew it: certbot renew"
            return
        days = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86_400)
        if days < DAYS_TO_MENTION:
            level = Level.WRONG if days < DAYS_TO_MEND else Level.WARN
            yield level, f"The certificate ends in {days} days and was not renewed. See: certbot renew --dry-run"
        else:
            yield Level.OK, f"{version}, the certificate is good for {days} days."

    def redirect(self) -> Said:
        connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
        connection.sock = self.connect(self.plain_port)
        answer = exchange(connection, "/login/", {"Host": self.host})
        to = answer.headers.get("Location", "")
        if answer.status in (301, 308) and to.startswith(f"https://{self.host}"):
            yield Level.OK, "Plain http is sent to https."
        else:
            yield (
                Level.WRONG,
                f"Plain http is answered {answer.status}; it must be sent to https: see deploy/nginx/lk.conf",
            )

    def trusted_hops(self) -> Said:
        """Ask with a forged address, and compare what the application believes with what is so."""
        signed = {ASKED_BY_DOCTOR: signing.dumps("", salt=DOCTOR), "X-Forwarded-For": FORGED}
        answer = self.ask("/seen", signed | {"X-Forwarded-Proto": "http"})
        if answer.status != 200:
            yield (
                Level.WRONG,
                f"The site answers the doctor with {answer.status}: another release, other signing keys or another "
                "clock serves there.",
            )
            return
        seen = json.loads(answer.body)
        wrong = list(what_is_believed_wrongly(seen))
        for sentence in wrong:
            yield Level.WRONG, sentence
        if not wrong:
            yield Level.OK, f"Seen as {seen['address']} over {seen['scheme']}, whatever a client claims."

    def static_served(self) -> Said:
        path = f"{settings.STATIC_URL}{staticfiles_storage.stored_name('css/app.css')}"  # type: ignore[attr-defined]
        answer = self.ask(path, {"Accept-Encoding": "gzip"})
        if answer.status != 200:
            yield (
                Level.WRONG,
                f"{path} is answered {answer.status}: pages have no style. Run collectstatic, and see that nginx may "
                f"read {settings.STATIC_ROOT}",
            )
            return
        if "immutable" not in answer.headers.get("Cache-Control", ""):
            yield Level.WARN, "Static files are not kept by browsers; see deploy/nginx/lk.conf"
        if answer.headers.get("Content-Encoding") != "gzip":
            yield Level.WARN, "Static files go uncompressed: gzip_static is off; see deploy/nginx/lk.conf"
        yield Level.OK, "They are served."

    def probes_private(self) -> Said:
        status = self.ask("/readyz").status
        if status == 404:
            yield Level.OK, "/healthz and /readyz are not public."
        else:
            yield Level.WARN, f"/readyz is answered {status} to anybody, uncounted; close it: see deploy/nginx/lk.conf"

    def headers_once(self) -> Said:
        answer = self.ask("/login/")
        if answer.status != 200:
            yield Level.WRONG, f"/login/ is answered {answer.status}: nobody can log in. See: journalctl -u lk-web"
            return
        wanted = [*ALWAYS, "Content-Security-Policy", "Strict-Transport-Security"]
        amiss = [name for name in wanted if len(answer.headers.get_all(name) or []) != 1]
        if amiss:
            yield Level.WARN, f"{', '.join(amiss)} must come once; the proxy drops or doubles it: see deploy/nginx/lk"
        else:
            yield Level.OK, "Each protection comes once."


def what_is_believed_wrongly(seen: dict[str, Any]) -> list[str]:
    """Return what is wrong with how our request was seen; it claimed to come from FORGED by plain http."""
    entries = [entry.strip() for entry in seen["forwarded"].split(",") if entry.strip()]
    ours = [entry for entry in entries if entry != FORGED]
    if seen["hops"] and not ours:
        return [f"The proxy hands on what a client claims of its address, or none is there. {ONE_PROXY}"]
    if seen["address"] == FORGED:
        return [f"LK_TRUSTED_HOPS={seen['hops']} is too many: anybody can claim any address. Set it to {len(ours)}."]
    if not seen["hops"] and ours:
        return [f"LK_TRUSTED_HOPS=0 behind a proxy: everybody is {seen['address']}. Set it to {len(ours)}."]
    if seen["hops"] < len(ours):
        return [f"LK_TRUSTED_HOPS={seen['hops']} is too few: everybody is {seen['address']}. Set it to {len(ours)}."]
    if seen["scheme"] != "https":
        return ["A request over TLS is taken for plain http. Let nginx overwrite X-Forwarded-Proto with $scheme."]
    return []


def exchange(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> Answer:
    try:
        connection.request("GET", path, headers={"Connection": "close", **headers})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read(BYTES_AT_MOST))
    except (http.client.HTTPException, TimeoutError) as error:
        raise Unreachable(f"{path} is not answered ({type(error).__name__})") from None
    finally:
        connection.close()
