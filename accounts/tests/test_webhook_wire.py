"""One try of a webhook: signed as the specification says, and never sent where only we could reach."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.utils import timezone

from accounts.tests.clock import clock
from accounts.tests.receiver import Receiver, Told, receiving
from accounts.webhook_wire import (
    KEPT_AT_MOST,
    Answer,
    Message,
    NotAnswered,
    clean_url,
    is_public,
    new_secret,
    retry_after_s,
    send,
    signature,
)
from lk_site.errors import InvalidValue

__all__ = ["clock"]
PAYLOAD = '{"type":"deal.changed"}'


@pytest.fixture
def loopback(settings) -> None:
    settings.WEBHOOK_LOOPBACK = True


@pytest.fixture
def receiver(loopback) -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def message(url: str, *secrets: str) -> Message:
    return Message(url, "msg_1", PAYLOAD, secrets or [new_secret()])


def trouble(url: str, *found: str, timeout_s: float | None = None) -> str:
    """Return why a message to this address, whose name resolves to what is found, was not answered."""
    with pytest.raises(NotAnswered) as refused:
        send(message(url), resolve=lambda host, port: found, timeout_s=timeout_s)
    return refused.value.trouble.value


# --- signatures


def test_a_signature_is_the_one_of_the_specification():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    assert signature(secret, signed) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_has_24_bytes_and_is_never_the_same():
    secrets = {new_secret() for _ in range(20)}
    assert len(secrets) == 20
    assert all(secret.startswith("whsec_") and len(secret) == len("whsec_") + 32 for secret in secrets)


def test_every_secret_signs(receiver):
    secrets = [new_secret(), new_secret()]
    send(message(receiver.url, *secrets))
    (received,) = receiver.received
    for secret in secrets:
        assert received.opened(secret) == {"type": "deal.changed"}


# --- addresses

REFUSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.1.2.3"),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
    *("198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    "168.63.129.16",
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.216.34", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::5db8:d822", "64:ff9b:1::1", "100::1", "2001::1", "2001:10::1", "2001:db8::1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2002:7f00:1::1", "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1"),
    *("fd00:ec2::254", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
]
ACCEPTED = [
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "192.0.1.1"),
    *("2606:4700::1111", "2a02:6b8::2:242"),
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused_also_behind_a_name(address):
    assert not is_public(address)
    assert trouble("https://hooks.example.ru/", address) == "address_refused"


@pytest.mark.parametrize("address", ACCEPTED)
def test_a_public_address_is_none_of_those(address):
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]"])
def test_an_address_in_the_url_itself_is_refused_when_it_is_typed_and_when_it_is_sent_to(host):
    with pytest.raises(InvalidValue) as refused:
        clean_url(f"https://{host}/")
    assert refused.value.code == "url_not_public"
    assert trouble(f"https://{host}/") == "address_refused"


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
def test_a_name_that_the_system_takes_for_this_machine_is_refused(host):
    with pytest.raises(NotAnswered) as refused:
        send(message(f"https://{host}:9/"))
    assert refused.value.trouble in ("address_refused", "name_unknown")


def test_a_name_that_begins_to_resolve_to_this_machine_is_refused_at_that_moment(receiver, settings):
    settings.WEBHOOK_LOOPBACK = False
    answers = iter((["93.184.216.34"], ["127.0.0.1"]))
    next(answers)  # as it was when somebody typed it
    with pytest.raises(NotAnswered, match="address_refused"):
        send(message(f"http://hooks.example.ru:{receiver.port}/"), resolve=lambda host, port: next(answers))
    assert receiver.received == []


def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_asked_for_once(receiver):
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["10.0.0.1", "127.0.0.1"]

    answer = send(message(f"http://hooks.example.ru:{receiver.port}/a?b=c"), resolve=resolve)
    (received,) = receiver.received
    assert (answer.code, asked, received.path) == (200, ["hooks.example.ru"], "/a?b=c")
    assert received.headers["host"] == f"hooks.example.ru:{receiver.port}"


def test_loopback_is_closed_unless_two_switches_open_it(receiver, settings):
    for local, switch in ((False, True), (True, False), (False, False)):
        settings.LOCAL, settings.WEBHOOK_LOOPBACK = local, switch
        assert trouble(receiver.url) == "address_refused"
        with pytest.raises(InvalidValue):
            clean_url(receiver.url)
    settings.LOCAL = settings.WEBHOOK_LOOPBACK = True
    assert clean_url(receiver.url) == receiver.url
    assert trouble("http://hooks.example.ru/", "10.0.0.1") == "address_refused", "nothing else is opened"


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        (" https://Example.RU ", "https://example.ru/"),
        ("https://example.ru:443/a", "https://example.ru/a"),
        ("https://example.ru:8443/a?token=1%202", "https://example.ru:8443/a?token=1%202"),
        ("https://пример.рф/крюк?я", "https://xn--e1afmkfd.xn--p1ai/%D0%BA%D1%80%D1%8E%D0%BA?%D1%8F"),
        ("https://[2a02:6b8::2:242]/", "https://[2a02:6b8::2:242]/"),
    ],
)
def test_an_address_is_written_one_way(typed, url):
    assert clean_url(typed) == url


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("http://example.ru/", "url_not_https"),
        ("ftp://example.ru/", "url_not_https"),
        ("example.ru/hook", "url_invalid"),
        ("https://", "url_invalid"),
        ("https:///path", "url_invalid"),
        ("https://user:secret@example.ru/", "url_invalid"),
        ("https://example.ru/#part", "url_invalid"),
        ("https://example.ru:0/", "url_invalid"),
        ("https://example.ru:70000/", "url_invalid"),
        ("https://example.ru\\@127.0.0.1/", "url_invalid"),
        ("https://exa mple.ru/", "url_invalid"),
        ("https://[::1/", "url_invalid"),
        ("https://" + "a" * 64 + ".ru/", "url_invalid"),
        ("https://-/", "url_invalid"),
        ("https://example.ru/\r\nX: 1", "line_break"),
        ("https://example.ru/" + "a" * 500, "too_long"),
    ],
)
def test_what_is_no_address_is_refused(typed, code):
    with pytest.raises(InvalidValue) as refused:
        clean_url(typed)
    assert refused.value.code == code


# --- TLS


def certificate_for(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what a server of this name shows, and what a client that trusts it is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem, key_pem)
    return server, ssl.create_default_context(cafile=str(pem))


def to_this_machine(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_tls_proves_the_name_although_the_connection_goes_to_an_address(loopback, tmp_path):
    server, trusting = certificate_for("hooks.example.ru", tmp_path)
    with receiving(tls=server) as receiver:
        url = f"https://hooks.example.ru:{receiver.port}/"
        assert send(message(url), resolve=to_this_machine, tls=trusting).code == 200
        assert len(receiver.received) == 1


@pytest.mark.parametrize("name", ["other.example.ru", "hooks.example.ru"])
def test_a_certificate_of_another_name_or_of_nobody_known_is_refused(loopback, tmp_path, name):
    server, trusting = certificate_for(name, tmp_path)
    with receiving(tls=server) as receiver:
        trusted = trusting if name.startswith("other") else ssl.create_default_context()
        url = f"https://hooks.example.ru:{receiver.port}/"
        with pytest.raises(NotAnswered, match="tls_failed"):
            send(message(url), resolve=to_this_machine, tls=trusted)
        assert receiver.received == []


# --- bounds


def test_an_answer_is_kept_up_to_its_bound(receiver):
    receiver.always = Told(500, body=b"x" * 1_000_000)
    assert send(message(receiver.url)) == Answer(500, b"x" * KEPT_AT_MOST, None)


def test_a_receiver_that_says_nothing_is_left_after_the_time_that_a_try_may_take(receiver):
    receiver.may_answer.clear()
    assert trouble(receiver.url, timeout_s=0.3) == "timed_out"


def test_a_try_takes_fifteen_seconds_in_all(settings):
    assert settings.WEBHOOK_TIMEOUT_S == 15


def test_a_resolver_that_says_nothing_is_left_too(loopback):
    never = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        never.wait()
        return []

    with pytest.raises(NotAnswered, match="timed_out"):
        send(message("https://hooks.example.ru/"), resolve=resolve, timeout_s=0.2)
    never.set()


@pytest.fixture
def dripping() -> Iterator[int]:
    """A server that sends a byte of a header every now and then, for ever; its port."""
    gone = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def drip() -> None:
            sock, _place = server.accept()
            with closing(sock):
                try:
                    sock.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                    while not gone.wait(0.05):
                        sock.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        gone.set()
        thread.join()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_receiver_that_answers_byte_by_byte_is_cut_off(loopback, dripping, scheme):
    assert trouble(f"{scheme}://127.0.0.1:{dripping}/", timeout_s=0.4) in ("timed_out", "tls_failed")


@pytest.mark.parametrize(("said", "why"), [(b"SSH-2.0-OpenSSH\r\n", "not_http"), (b"", "not_http")])
def test_what_is_no_http_is_no_answer(loopback, said, why):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def say() -> None:
            sock, _place = server.accept()
            with closing(sock):
                sock.sendall(said)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):  # what is closed unread is reset
                    pass

        thread = threading.Thread(target=say, daemon=True)
        thread.start()
        assert trouble(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout_s=5) == why
        thread.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # ssl itself forgets to close
@pytest.mark.parametrize("said", [b"", b"220 mail.example.ru ESMTP\r\n"])
def test_a_receiver_that_breaks_off_before_tls_begins_has_not_answered(loopback, said):
    is_connected = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def break_off() -> None:
            sock, _place = server.accept()
            is_connected.wait(5)
            sock.sendall(said)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # with a reset
            sock.close()

        thread = threading.Thread(target=break_off, daemon=True)
        thread.start()

        class Late(ssl.SSLContext):
            def wrap_socket(self, *args: Any, **how: Any) -> ssl.SSLSocket:
                is_connected.set()
                thread.join()
                return super().wrap_socket(*args, **how)

        url = f"https://hooks.example.ru:{server.getsockname()[1]}/"
        with pytest.raises(NotAnswered, match="tls_failed"):
            send(message(url), resolve=to_this_machine, tls=Late(ssl.PROTOCOL_TLS_CLIENT), timeout_s=5)


def test_nobody_who_listens_and_a_name_that_nobody_knows_are_told_apart(loopback):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    assert trouble(f"http://127.0.0.1:{port}/") == "not_reached"
    assert trouble("https://hooks.example.ru/") == "name_unknown"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 5 ", 5),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("21 Oct 2015 07:28:00", None),
    ],
)
def test_how_long_a_receiver_asks_to_be_left_alone_is_read_as_http_writes_it(header, seconds):
    assert retry_after_s(header) == seconds


def test_a_date_to_come_is_read_too(clock):
    clock.now = clock.now.replace(microsecond=0)
    later = (timezone.now() + timedelta(minutes=3)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after_s(later) == 180
