"""Gateways: the console and the file of local mode, and SMS.RU against a fake that answers as the real one does."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts import gateways
from accounts.gateways import Delivery, FileGateway, LocalGateway, OutgoingSms, Refused, SmsRu, TryAgain
from accounts.models import SmsMessage, SmsState
from accounts.services import outbox
from accounts.tests.fake_sms_ru import API_ID, FakeSmsRu, running
from accounts.tests.logging_in import ANNA

TEXT = "Код 042317\n@lk.example.ru #042317"


@pytest.fixture
def fake():
    with running() as fake:
        yield fake


def sms(phone: str = ANNA, attempt: int = 1) -> OutgoingSms:
    return OutgoingSms(id=uuid4(), phone=phone, text=TEXT, address="203.0.113.9", attempt=attempt)


def sms_ru(fake: FakeSmsRu, **changes) -> SmsRu:
    return SmsRu(**{"url": fake.url, "api_id": API_ID, "sender": "LK", "timeout_s": 0.5, **changes})


def test_the_file_has_one_json_object_a_line(tmp_path, capsys):
    path = tmp_path / "sms.jsonl"
    FileGateway(path).send(sms())
    LocalGateway(path).send(sms("79260000002"))
    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert first.keys() == {"at", "phone", "text", "code"}
    assert (first["phone"], first["text"], first["code"]) == (ANNA, TEXT, "042317")
    assert second["phone"] == "79260000002"
    assert "+79260000002" in capsys.readouterr().out


def test_a_message_reaches_sms_ru_with_the_address_of_who_asked(fake):
    sent = sms_ru(fake).send(sms())
    (kept,) = fake.messages
    assert (sent.gateway_id, sent.status) == (kept.sms_id, 100)
    assert (kept.phone, kept.text) == (ANNA, TEXT)
    assert (kept.fields["ip"], kept.fields["from"], kept.fields["ttl"]) == ("203.0.113.9", "LK", "5")


def test_an_accepted_request_with_a_refused_phone_is_refused(fake):
    for status in (202, 203, 204, 205, 206, 207, 209, 214, 230, 231, 232, 233):
        fake.answers[ANNA].append(status)
        with pytest.raises(Refused) as refused:
            sms_ru(fake).send(sms())
        assert refused.value.status == status


@pytest.mark.parametrize("status", [220, 500])
def test_a_gateway_that_cannot_now_is_worth_another_try(fake, status):
    fake.answers[ANNA].append(status)
    with pytest.raises(TryAgain):
        sms_ru(fake).send(sms())
    fake.whole.append(status)
    with pytest.raises(TryAgain):
        sms_ru(fake).send(sms())
    assert fake.messages == []


@pytest.mark.parametrize("status", [200, 201, 300, 301, 302])
def test_a_whole_request_is_refused(fake, status):
    fake.whole.append(status)
    with pytest.raises(Refused) as refused:
        sms_ru(fake).send(sms())
    assert refused.value.status == status


def test_a_wrong_key_is_refused(fake):
    with pytest.raises(Refused) as refused:
        sms_ru(fake, api_id="other").send(sms())
    assert refused.value.status == 200


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_broken_server_is_worth_another_try(fake, status):
    fake.http.append(status)
    with pytest.raises(TryAgain):
        sms_ru(fake).send(sms())


def test_a_slow_or_absent_server_is_worth_another_try(fake):
    fake.delay_s = 1
    with pytest.raises(TryAgain):
        sms_ru(fake, timeout_s=0.1).send(sms())
    with pytest.raises(TryAgain):
        SmsRu("http://127.0.0.1:9", API_ID, timeout_s=0.5).send(sms())


def of_anna(status: str) -> bytes:
    return f'{{"status_code": 100, "sms": {{"{ANNA}": {{"status_code": {status}}}}}}}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b"[" * 50_000, b'{"status": "OK"}', b'{"status_code": 100}'),
        b'{"status_code": 100, "sms": 5}',
        *map(of_anna, ("null", "1e999", "NaN", "true", "-1", "100000", '"1e2"', "[]")),
    ],
)
def test_an_answer_that_makes_no_sense_is_worth_another_try(fake, monkeypatch, body):
    monkeypatch.setattr("accounts.tests.fake_sms_ru.json.dumps", lambda told: body.decode())
    with pytest.raises(TryAgain):
        sms_ru(fake).send(sms())


def test_a_repeated_text_on_a_second_try_means_that_the_first_arrived(fake):
    fake.refuses_repeats, fake.swallow = True, 1
    with pytest.raises(TryAgain):
        sms_ru(fake).send(sms())
    assert sms_ru(fake).send(sms(attempt=2)).status == 231
    assert len(fake.messages) == 1


@pytest.mark.parametrize("sms_id", ["\x00", "1,2", "я", "x" * 51, None, 5, {}])
def test_an_id_that_is_none_is_not_kept(fake, monkeypatch, sms_id):
    monkeypatch.setattr(fake, "one", lambda *asked: {"status_code": 100, "sms_id": sms_id})
    assert sms_ru(fake).send(sms()).gateway_id == ""


def test_an_answer_that_trickles_is_cut_off():
    """The time-out of a socket is one of each byte: a gateway that sends one now and then would hold the worker."""
    with trickling() as url:
        started = time.monotonic()
        with pytest.raises(TryAgain):
            SmsRu(url, API_ID, timeout_s=0.5).send(sms())
        assert time.monotonic() - started < 2


@contextmanager
def trickling() -> Iterator[str]:
    """Serve an answer that comes byte by byte and never ends."""

    def trickle() -> None:
        asker, _address = door.accept()
        with asker, contextlib.suppress(OSError):
            asker.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while not is_over.wait(0.05):
                asker.sendall(b" ")

    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as door, ThreadPoolExecutor(1) as pool:
        pool.submit(trickle)
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            is_over.set()


def test_a_message_walks_to_its_phone(fake):
    gateway = sms_ru(fake)
    sent = gateway.send(sms())
    told = [gateway.reports([sent.gateway_id, "unknown"]) for _ in range(3)]
    assert [report[sent.gateway_id].status for report in told] == [100, 102, 103]
    assert [report[sent.gateway_id].delivery for report in told][-2:] == [Delivery.ON_ITS_WAY, Delivery.DELIVERED]
    assert all("unknown" not in report for report in told)


@pytest.mark.django_db
def test_the_worker_sends_through_a_gateway_that_is_down_at_first(fake, monkeypatch):
    monkeypatch.setattr(outbox, "pause_s", lambda attempts: 0)
    outbox.queue_sms(ANNA, TEXT, useless_at=timezone.now() + timedelta(minutes=5))
    fake.http.extend([503, 500])
    for _ in range(3):
        outbox.deliver(sms_ru(fake))
    assert fake.texts_to(ANNA) == [TEXT]
    assert SmsMessage.objects.get().state == SmsState.SENT


@pytest.mark.django_db
def test_a_gateway_that_hangs_for_one_holds_up_none(fake):
    for number in range(8):
        outbox.queue_sms(f"7916000000{number}", TEXT, useless_at=timezone.now() + timedelta(minutes=5))
    fake.delay_s = 0.3
    started = time.monotonic()
    assert outbox.deliver(sms_ru(fake)) == 8
    assert time.monotonic() - started < 1.5
    assert SmsMessage.objects.filter(state=SmsState.SENT).count() == 8


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("local", "LocalGateway"),
        ("console", "ConsoleGateway"),
        ("file", "FileGateway"),
        ("sms_ru", "SmsRu"),
        ("?", "SmsRu"),
    ],
)
def test_settings_name_the_gateway(settings, name, kind):
    settings.SMS_GATEWAY = name
    assert type(gateways.gateway()).__name__ == kind
