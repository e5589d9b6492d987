"""nginx with the configuration of `deploy/nginx`, on ports and paths of a test, in front of a gunicorn on loopback."""

import datetime
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lk_site.serve import ROOT, web

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
HOST = "lk.example"
CONF = ROOT / "deploy" / "nginx"


@dataclass
class Front:
    """A running nginx: where it speaks TLS and plain http, and what trusts its certificate."""

    tls: int
    plain: int
    folder: Path
    context: ssl.SSLContext

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask over TLS, as for the name of the site, and return status, headers and body."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.tls, timeout=30, context=self.context)
        connection.sock = self.open()
        connection.request(method, path, body, {"Host": HOST, **(headers or {})})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.headers, content

    def open(self, source: str = "127.0.0.1", name: str = HOST) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.tls), timeout=30, source_address=(source, 0))
        return self.context.wrap_socket(plain, server_hostname=name)

    def send(self, raw: bytes) -> bytes:
        """Send bytes as they are, and return all that comes back."""
        with self.open() as connection:
            connection.sendall(raw)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    @property
    def log(self) -> str:
        return (self.folder / "lk.log").read_text(encoding="utf-8")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def certificate(folder: Path) -> ssl.SSLContext:
    """Write a certificate of the site's name that signs itself, and return what trusts it alone."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=90))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "fullchain.pem").write_bytes(pem)
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ssl.create_default_context(cadata=pem.decode())


def write_configuration(
    folder: Path, *, tls: int, plain: int, web_ports: list[int], static: Path, office: str = ""
) -> Path:
    """Copy the configuration with ports and paths of this test in place of a machine's; return its main file."""
    here = folder / "nginx"
    shutil.copytree(CONF, here)
    changes = {
        "listen [::]:80 default_server;": "",
        "listen [::]:443 ssl http2 default_server;": "",
        "listen [::]:80;": "",
        "listen [::]:443 ssl http2;": "",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "listen 443": f"listen 127.0.0.1:{tls}",
        "server 127.0.0.1:8000;": " ".join(f"server 127.0.0.1:{port};" for port in web_ports),
        "# 203.0.113.0/24 1;": f"{office} 1;" if office else "",
        "/etc/letsencrypt/live/lk.example/": f"{folder}/",
        "/var/lib/lk/static/": f"{static}/",
        "/etc/nginx/lk/pages/": f"{here}/lk/pages/",
        "/var/log/nginx/": f"{folder}/",
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "user www-data;": "user root;" if os.geteuid() == 0 else "",  # who may read the folders of a test
        "include mime.types;": "include /etc/nginx/mime.types;",
        "access_log off;": "access_log off;"
        + "".join(f" {kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        + f" client_body_temp_path {folder}/body;",
    }
    for file in here.rglob("*.conf"):
        text = file.read_text(encoding="utf-8")
        for stands, comes in changes.items():
            text = text.replace(stands, comes)
        file.write_text(text, encoding="utf-8")
    return here / "nginx.conf"


@contextmanager
def in_front_of(web_ports: list[int], folder: Path, static: Path, office: str = "") -> Iterator[Front]:
    """Run nginx in front of what listens at these ports, until the block ends."""
    tls, plain = free_port(), free_port()
    context = certificate(folder)
    conf = write_configuration(folder, tls=tls, plain=plain, web_ports=web_ports, static=static, office=office)
    command = [str(NGINX), "-c", str(conf), "-p", f"{conf.parent}/", "-e", f"{folder}/error.log", "-g", "daemon off;"]
    with (folder / "nginx.out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        wait_until(lambda: answers(tls) or process.poll() is not None)
        assert process.poll() is None, (folder / "nginx.out").read_text()
        yield Front(tls, plain, folder, context)
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def gunicorn(application: str, folder: Path, **environment: str) -> Iterator[int]:
    """Serve a WSGI application as LK is served, and return its port."""
    port = free_port()
    log = (folder / "web.log").open("wb")
    process = subprocess.Popen(
        web("127.0.0.1", port, application), cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log
    )
    try:
        wait_until(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "web.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(40)
        log.close()
