"""The worker as a process: it empties the outbox, recovers, and ends after its batch when it is asked to."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from accounts.management.commands import worker
from accounts.models import Challenge, Counter, IdempotencyKey, SmsMessage, SmsState
from accounts.services import limits, outbox, schedules, sweeps
from accounts.services.schedules import Chore
from accounts.tests.clock import clock
from accounts.tests.fake_sms_ru import API_ID, running
from accounts.tests.logging_in import ANNA, Tray, send, sent_code
from accounts.tests.people import make_agent
from lk_site.logs import JsonFormatter

__all__ = ["clock"]
TEXT = "Code 123456\n@localhost #123456"


Worker = subprocess.Popen[bytes]


def database_url() -> str:
    """Return the address of the test database, as the worker's environment names it."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return re.sub(r"/[^/]*$", f"/{name}", os.environ["DATABASE_URL"])


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Worker]]:
    """Start workers on the test database; none outlives the test."""
    started: list[Worker] = []

    def start_one(**environment: str) -> Worker:
        places = {"DATABASE_URL": database_url(), "LK_VAR_DIR": str(tmp_path)}
        command = [sys.executable, "manage.py", "worker"]
        environment = {**os.environ, **places, **environment}
        both = subprocess.STDOUT
        new = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=both)
        started.append(new)
        return new

    yield start_one
    for one in started:
        if one.poll() is None:
            one.kill()
            one.communicate()


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def queue(phone: str = ANNA) -> SmsMessage:
    return outbox.queue_sms(phone, TEXT, useless_at=timezone.now() + timedelta(minutes=5))


@pytest.mark.django_db(transaction=True)
def test_a_worker_sends_what_waits_and_ends_when_asked(tmp_path, start):
    queue()
    started = start()
    wait_until(lambda: SmsMessage.objects.filter(state=SmsState.SENT).exists())
    queue("79260000001")
    wait_until(lambda: not SmsMessage.objects.queued().exists())
    started.send_signal(signal.SIGTERM)
    output, _ = started.communicate(timeout=10)
    assert started.returncode == 0, output
    lines = [json.loads(line) for line in (tmp_path / "sms.jsonl").read_text().splitlines()]
    assert [(line["phone"], line["code"]) for line in lines] == [(ANNA, "123456"), ("79260000001", "123456")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_a_worker_killed_while_it_sends_loses_nothing(start):
    through_fake = {
        "LK_LOCAL": "0",
        "LK_SITE_HOST": "lk.example.ru",
        "LK_SMS_GATEWAY": "sms_ru",
        "LK_SMS_RU_API_ID": API_ID,
        "LK_OPERATOR": "LK LLC",
    }
    with running() as fake:
        fake.delay_s = 2
        sms = queue()
        first = start(LK_SMS_RU_URL=fake.url, **through_fake)
        wait_until(lambda: SmsMessage.objects.filter(attempts=1).exists())
        first.kill()
        first.communicate()
        fake.delay_s = 0
        SmsMessage.objects.update(leased_until=timezone.now())
        second = start(LK_SMS_RU_URL=fake.url, **through_fake)
        wait_until(lambda: SmsMessage.objects.filter(state=SmsState.SENT).exists())
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=10)
        assert {kept.idempotency_key for kept in fake.messages} == {str(sms.pk)}
        assert 1 <= len(fake.messages) <= 2


@pytest.mark.django_db
def test_codes_are_deleted_a_day_after_they_were_made(clock):
    make_agent(phone=ANNA)
    send()
    sent_code(ANNA)
    clock.forward(hours=23, minutes=59)
    sweeps.run(timezone.now())
    assert Challenge.objects.count() == 1
    clock.forward(minutes=2)
    sweeps.run(timezone.now())
    assert Challenge.objects.count() == 0


@pytest.mark.django_db
def test_counters_are_deleted_long_after_they_matter(clock):
    limits.take("search", "x")
    limits.block("export", "x", until=timezone.now() + timedelta(days=2))
    clock.forward(hours=25)
    sweeps.run(timezone.now())
    assert Counter.objects.count() == 1
    clock.forward(days=2)
    sweeps.run(timezone.now())
    assert Counter.objects.count() == 0


@pytest.mark.django_db
def test_idempotency_keys_are_deleted_after_a_day(clock):
    key = IdempotencyKey(
        actor_id=make_agent().pk, scope="x", key_digest=b"x", request_digest=b"x", created_at=clock.now
    )
    key.save(force_insert=True)
    clock.forward(hours=23)
    sweeps.run(timezone.now())
    assert IdempotencyKey.objects.count() == 1
    clock.forward(hours=2)
    sweeps.run(timezone.now())
    assert IdempotencyKey.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [DatabaseError("+79161234567"), KeyError("+79161234567")])
def test_a_fault_is_logged_without_its_message_and_the_worker_goes_on(caplog, fault):
    def break_down(now: datetime) -> None:
        raise fault

    command, tray = worker.Command(), Tray()
    chores = [Chore("breaks", timedelta(minutes=1), break_down)]
    assert command.recovering("chores", lambda: schedules.do_due(chores)) == worker.AFTER_FAULT_S
    (line,) = [JsonFormatter().format(record) for record in caplog.records]
    assert type(fault).__name__ in line
    assert "79161234567" not in line
    queue()
    assert command.recovering("codes", lambda: outbox.deliver(tray)) == 0
    assert len(tray.sent) == 1


@pytest.mark.django_db
def test_one_turn_can_be_asked_for(settings, tmp_path):
    settings.SMS_GATEWAY, settings.SMS_FILE = "file", tmp_path / "sms.jsonl"
    queue()
    call_command("worker", once=True)
    assert SmsMessage.objects.get().state == SmsState.SENT
