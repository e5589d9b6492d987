"""What Prometheus is told: counts of this machine's processes and readings of the database, and nobody's data."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, AgencyHead, Backup, Role, WebhookEndpoint, WebhookOff
from accounts.services import outbox, webhook_delivery, webhooks
from accounts.services.evidence import first_flaw
from accounts.services.readings import READ, READINGS
from accounts.services.unit_of_work import record, unit_of_work
from accounts.tests.logging_in import ANNA, ask_for_code, give_code, known_phone, log_in, other_than, sent_code
from accounts.tests.people import make_agency, make_agent
from accounts.tests.test_webhook_delivery import by, happen
from lk_site import environment
from lk_site.metrics import COUNTED
from lk_site.metrics.listener import LOOKED_AT
from lk_site.tests.scraping import Scrape, scrape
from lk_site.tests.test_in_public import wait_until

__all__ = ["scrape"]
committed = pytest.mark.django_db(transaction=True)  # the listener reads in a thread of its own


@committed
def test_requests_are_counted_by_route_method_and_class_of_status(scrape: Scrape):
    client = Client()
    for address in ("/login/", "/login/", "/deals/", f"/{ANNA}/", f"/deals/?phone={ANNA}"):
        client.get(address)
    client.generic("PURGE", "/login/")
    found = scrape.samples()
    assert found["lk_requests_total", "GET", "login/", "2xx"] == 2
    assert found["lk_requests_total", "GET", "deals/", "3xx"] == 2
    assert found["lk_requests_total", "GET", "unknown", "4xx"] == 1
    assert found["lk_requests_total", "other", "login/", "4xx"] == 1
    assert found["lk_request_seconds_count", "GET", "login/"] == 2
    assert found["lk_request_seconds_bucket", "+Inf", "GET", "deals/"] == 2
    assert found["lk_requests_in_flight",] == 0


@committed
def test_codes_sessions_and_sms_are_counted(scrape: Scrape):
    client, phone = Client(), known_phone()
    ask_for_code(client, phone)
    code = sent_code(phone)
    give_code(client, phone, other_than(code))
    give_code(client, phone, code)
    found = scrape.samples()
    assert found["lk_codes_total", "queued", "login"] == 1
    assert found["lk_codes_total", "refused", "login"] == 1
    assert found["lk_codes_total", "verified", "login"] == 1
    assert found["lk_sessions_opened_total",] == 1
    assert found["lk_sms_total", "sent"] == 1


@committed
def test_limits_that_refuse_are_counted_by_name(scrape: Scrape, settings: Any):
    settings.LIMITS = {**settings.LIMITS, "anonymous": (3, 300)}
    assert [ask_for_code(Client()).status_code for _ in range(2)] == [202, 202]
    assert [Client().get("/login/").status_code for _ in range(3)] == [200, 429, 429]
    found = scrape.samples()
    assert found["lk_limits_hit_total", "anonymous"] == 2
    assert found["lk_limits_hit_total", "code.sends.spacing"] == 1
    assert found["lk_codes_total", "withheld", "login"] == 1


@committed
def test_a_database_that_is_away_is_counted(scrape: Scrape, small_api: None):
    from lk_site.tests.people import client_of, person

    anna = person("79161234567")
    answer = client_of(anna).post(f"/api/v1/people/{anna.pk}/names", {"name": "database"}, "application/json")
    assert answer.status_code == 503
    assert scrape.samples()["lk_unavailable_total", "no_database"] == 1


@committed
def test_queues_are_read_when_somebody_asks(scrape: Scrape):
    now = timezone.now()
    for minutes in (1, 3):
        sms = outbox.queue_sms(ANNA, "Code", useless_at=now + timedelta(hours=1))
        type(sms).objects.filter(pk=sms.pk).update(due_at=now - timedelta(minutes=minutes))
    found = scrape.samples()
    assert found["lk_queue_length", "sms"] == 2
    assert 180 <= found["lk_queue_oldest_due_seconds", "sms"] < 200
    assert found["lk_queue_length", "operations"] == 0
    assert found["lk_queue_oldest_due_seconds", "operations"] == 0


@committed
def test_deliveries_that_wait_count_while_their_endpoint_is_on(scrape: Scrape, settings: Any):
    settings.WEBHOOK_LOOPBACK = True
    vera = by(make_agent(make_agency(), role=Role.HEAD))
    endpoint = webhooks.add_endpoint("http://127.0.0.1:9/", actor=vera)
    happen(vera)
    webhook_delivery.fan_out()
    found = scrape.samples()
    assert (found["lk_queue_length", "webhooks"], found["lk_webhook_endpoints", "working"]) == (1, 1)
    webhook_delivery.deliver()
    off = unit_of_work(lambda: webhook_delivery.switch_off(WebhookEndpoint.objects.get(), WebhookOff.GONE, actor=vera))
    off()
    found = scrape.samples()
    assert endpoint is not None
    assert found["lk_webhook_tries_total", "unanswered"] == 1
    assert found["lk_webhook_endpoints_switched_off_total", "gone"] == 1
    assert (found["lk_queue_length", "webhooks"], found["lk_webhook_endpoints", "off"]) == (0, 1)


@committed
def test_backups_and_evidence_tell_their_ages_once_there_are_any(scrape: Scrape):
    assert not [name for name, *_ in scrape.samples() if name.startswith(("lk_backup", "lk_audit_last"))]
    made = timezone.now() - timedelta(days=3)
    Backup.objects.create(name="one", made_at=made, bytes=1, rows=1, verified_at=made + timedelta(hours=1))
    unit_of_work(lambda: record(Actor.system(), Action.BACKUP_VERIFIED))()
    found = scrape.samples()
    assert found["lk_backup_last_made_timestamp_seconds",] == pytest.approx(made.timestamp())
    assert found["lk_backup_last_verified_timestamp_seconds",] == pytest.approx(made.timestamp() + 3600)
    assert found["lk_audit_last_verified_timestamp_seconds",] > made.timestamp() + 3600
    assert found["lk_audit_events_total",] == AgencyHead.objects.get().seq == found["lk_audit_unanchored_events",]
    assert first_flaw(AgencyHead.objects.get().pk) is None


@pytest.mark.django_db
@pytest.mark.parametrize("read", READINGS, ids=lambda read: read.__name__)
def test_each_reading_is_one_query(read: Any, django_assert_num_queries: Any):
    with django_assert_num_queries(1):
        told = list(read(timezone.now()))
    assert {measure for measure, _labels, _value in told} <= set(READ)
    assert all(len(labels) == len(measure.labels) for measure, labels, _value in told)


@committed
def test_a_reading_that_fails_takes_none_of_the_others_along(scrape: Scrape):
    table = Backup._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        try:
            found = scrape.samples()
        finally:
            cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
    assert (found["lk_database_up",], found["lk_readings_broken",]) == (1, 1)
    assert found["lk_queue_length", "sms"] == 0
    assert scrape.samples()["lk_readings_broken",] == 0


@committed
def test_a_folder_that_cannot_be_written_refuses_no_request(scrape: Scrape, settings: Any, tmp_path: Any, caplog: Any):
    (tmp_path / "file").touch()
    settings.METRICS_DIR = tmp_path / "file" / "metrics"
    client = Client()
    assert [client.get("/login/").status_code for _ in range(2)] == [200, 200]
    told = [record for record in caplog.records if record.name == "lk.metrics"]
    assert len(told) == 1
    settings.METRICS_DIR = tmp_path


@committed
def test_no_phone_name_or_id_is_in_what_prometheus_reads(scrape: Scrape):
    """The day of `test_nothing_in_the_dump` looks for everything typed; here are ids too."""
    client, phone = Client(), known_phone(name="Анна Агеева")
    log_in(client, phone)
    client.get(f"/deals/?q={phone}", headers={"X-Request-ID": "1234567890abcdef"})
    ids = {str(row) for row in AgencyHead.objects.values_list("pk", flat=True)}
    text = scrape.text()
    assert not [secret for secret in (phone, phone[1:], "Анна", "127.0.0.1", *ids) if secret in text]


# --- several processes

CHILDREN = """
import django, json, os, signal, sys, time
django.setup()
from lk_site.metrics import CODES, IN_FLIGHT, SESSIONS_OPENED, WORKER_TURNED, count_as, files
from prometheus_client.multiprocess import MultiProcessCollector
from django.conf import settings

def totals():
    alive = files.gather()
    told = MultiProcessCollector(None, str(settings.METRICS_DIR)).collect()
    samples = {sample.name: sample.value for metric in told for sample in metric.samples}
    kinds, names = sorted({process.kind for process in alive}), os.listdir(settings.METRICS_DIR)
    return {**samples, "alive": len(alive), "kinds": kinds, "files": len(names)}

def child(number):
    pid = os.fork()
    if pid:
        return pid
    for _ in range(number):
        SESSIONS_OPENED.add()
    IN_FLIGHT.add()
    os.write(tells, b".")
    time.sleep(60)

count_as("web")
told, tells = os.pipe()
SESSIONS_OPENED.add()  # the parent counts too, as a preloading server might
pids = [child(number) for number in (3, 4, 5)]
for _ in pids:
    os.read(told, 1)
said = [totals()]
for pid in pids[:2]:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
said += [totals(), totals()]
os.kill(pids[2], signal.SIGKILL)
os.waitpid(pids[2], 0)
said.append(totals())
print(json.dumps(said))
"""


def run(program: str, **environment: str) -> str:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS")} | environment
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=settings.BASE_DIR, env=ours, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_killed_processes_have_counted_stays_and_what_they_were_doing_goes(tmp_path: Any):
    begun, two_killed, again, all_killed = json.loads(
        run(CHILDREN, LK_METRICS_ADDRESS="9108", LK_METRICS_DIR=str(tmp_path))
    )
    assert [one["lk_sessions_opened_total"] for one in (begun, two_killed, again, all_killed)] == [13, 13, 13, 13]
    assert [one["lk_requests_in_flight"] for one in (begun, two_killed)] == [3, 1]
    assert [one["alive"] for one in (begun, two_killed, all_killed)] == [4, 2, 1]
    assert begun["kinds"] == ["web"]
    assert again["files"] < begun["files"], "renewals must not fill the folder"
    last = json.loads(run(CHILDREN, LK_METRICS_ADDRESS="9108", LK_METRICS_DIR=str(tmp_path)))[-1]
    assert last["lk_sessions_opened_total"] == 13, "where nobody is left, counts begin anew"


THREADS = """
import django, os
from threading import Barrier, Thread
django.setup()
from django.conf import settings
from lk_site.metrics import CODES, SESSIONS_OPENED, files
together = Barrier(8)
def count():
    together.wait()
    for _ in range(200):
        SESSIONS_OPENED.add()
        CODES.add("login", "queued")
threads = [Thread(target=count) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
from prometheus_client.multiprocess import MultiProcessCollector
alive = files.gather()
told = MultiProcessCollector(None, str(settings.METRICS_DIR)).collect()
print(len(alive), *sorted(sample.value for metric in told for sample in metric.samples))
"""


def test_threads_that_begin_together_lose_no_count(tmp_path: Any):
    said = run(THREADS, LK_METRICS_ADDRESS="9108", LK_METRICS_DIR=str(tmp_path))
    assert said.split() == ["1", "1600.0", "1600.0"]


OFF = """
import django, sys
django.setup()
from django.test import Client
Client().get("/nothing/")
from accounts.management.commands import worker
print(*[name for name in ("prometheus_client", "opentelemetry") if name in sys.modules])
"""


def test_what_is_off_is_not_even_imported():
    assert run(OFF, LK_METRICS_ADDRESS="", LK_OTLP_ENDPOINT="").strip() == ""


def test_the_command_waits_for_its_place_and_ends_when_asked(tmp_path: Any):
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    command = [sys.executable, "manage.py", "metrics"]
    places = {"LK_METRICS_ADDRESS": str(port), "LK_METRICS_DIR": str(tmp_path), "DATABASE_URL": "sqlite:///nowhere/x"}
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=os.environ | places, stderr=subprocess.PIPE)
    assert process.stderr is not None

    def answer() -> str:
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as asking:
                asking.request("GET", "/metrics")
                return asking.getresponse().read().decode()
        except ConnectionError:
            return ""

    try:
        assert b"cannot listen" in process.stderr.readline()
        taken.close()
        wait_until(answer)
        assert "lk_database_up 0.0" in answer(), "it also answers without a database"
    finally:
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 0, told


# --- settings


@pytest.mark.parametrize("value", ["host", "127.0.0.1:0", "127.0.0.1:x", ":70000", "8000", "0.0.0.0:8000"])
def test_an_address_that_is_none_or_the_sites_stops_the_start(monkeypatch: Any, value: str):
    monkeypatch.setenv("LK_METRICS_ADDRESS", value)
    with pytest.raises(ImproperlyConfigured):
        environment.listener("LK_METRICS_ADDRESS", site=("127.0.0.1", "8000"), is_local=False)


def test_a_port_alone_is_for_this_machine_and_local_mode_has_no_other(monkeypatch: Any):
    site = ("127.0.0.1", "8000")
    for value, wanted in [
        ("9108", ("127.0.0.1", 9108)),
        ("[::1]:9108", ("::1", 9108)),
        ("10.0.0.1:9", ("10.0.0.1", 9)),
    ]:
        monkeypatch.setenv("LK_METRICS_ADDRESS", value)
        assert environment.listener("LK_METRICS_ADDRESS", site=site, is_local=False) == wanted
    with pytest.raises(ImproperlyConfigured):
        environment.listener("LK_METRICS_ADDRESS", site=site, is_local=True)
    monkeypatch.setenv("LK_METRICS_ADDRESS", "")
    assert environment.listener("LK_METRICS_ADDRESS", site=site, is_local=False) is None


def test_names_of_metrics_are_each_there_once():
    names = [measure.name for measure in (*COUNTED, *READ, *LOOKED_AT)]
    assert len(names) == len(set(names))
    assert all(name.startswith("lk_") for name in names)
