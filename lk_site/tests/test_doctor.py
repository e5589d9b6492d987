"""Each thing that can be wrong with a set-up is told, with what to do; where all is well, nothing is."""

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import signing
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import Client
from django.utils import timezone

from accounts import triggers
from accounts.models import KeyCanary, RunningProcess
from accounts.services import outbox, processes
from accounts.tests.fake_sms_ru import API_ID, running
from lk_site import doctor
from lk_site.doctor import database, findings, machine, work
from lk_site.doctor.findings import Level
from lk_site.doctor.site import FORGED, what_is_believed_wrongly
from lk_site.health import ASKED_BY_DOCTOR, DOCTOR
from lk_site.new_keys import write_new_keys

WRONG, WARN, OK = Level.WRONG, Level.WARN, Level.OK
GB = 1024**3
NOW = "2026-01-01"


def said(check: Callable[[], Any], level: Level) -> str:
    """Return what a check says at this level."""
    return " ".join(sentence for found, sentence in check() if found is level)


@pytest.fixture
def public(settings):
    """Settings of a machine that serves others, with nothing wrong."""
    settings.LOCAL, settings.SITE_HOST, settings.ALLOWED_HOSTS = False, "lk.example", ["lk.example"]
    settings.OPERATOR, settings.SMS_GATEWAY, settings.SMS_RU_API_ID = "ООО «ЛК»", "sms_ru", API_ID
    settings.TRUSTED_HOPS, settings.SECURE_SSL_REDIRECT = 1, True
    return settings


# --- the machine


def test_a_public_set_up_as_it_should_be_has_nothing_wrong(public):
    for check in (machine.switches, machine.hosts, machine.packages, machine.languages, machine.static_files_collected):
        assert said(check, WRONG) + said(check, WARN) == ""


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DEBUG", True, "DEBUG is on"),
        ("SITE_HOST", "", "LK_SITE_HOST is not set"),
        ("OPERATOR", "", "LK_OPERATOR is not set"),
        ("SMS_GATEWAY", "file", "shows codes"),
        ("SMS_RU_API_ID", "", "LK_SMS_RU_API_ID is not set"),
    ],
)
def test_a_switch_that_is_wrong_is_named(public, name, value, says):
    setattr(public, name, value)
    assert says in said(machine.switches, WRONG)


def test_a_switch_for_ones_own_machine_is_a_warning(settings, public):
    settings.SECURE_SSL_REDIRECT = False
    assert "LK_SSL_REDIRECT=0" in said(machine.switches, WARN)
    settings.HOST = "0.0.0.0"
    assert "past nginx" in said(machine.switches, WARN)
    settings.LOCAL = True
    assert "LK_LOCAL=1" in said(machine.switches, WARN)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ALLOWED_HOSTS", ["lk.example", "*"], "LK_HOSTS has *"),
        ("ALLOWED_HOSTS", [".example"], "LK_HOSTS has .example"),
        ("SITE_HOST", "https://lk.example", "more than a name"),
        ("TRUSTED_HOPS", 0, "LK_TRUSTED_HOPS=0"),
    ],
)
def test_a_host_that_is_wrong_is_named(public, name, value, says):
    setattr(public, name, value)
    assert says in said(machine.hosts, WRONG)


def test_a_package_of_another_version_is_named(settings, tmp_path):
    (tmp_path / "requirements.txt").write_text("django==1.0 \\\n  --hash=sha256:0\nno-such-package==2.0 \\\n")
    settings.BASE_DIR = tmp_path
    assert "django" in said(machine.packages, WRONG)
    assert "and 1 more" in said(machine.packages, WRONG)


@pytest.fixture
def key_file(settings, monkeypatch, tmp_path):
    monkeypatch.delenv("LK_KEYS")
    settings.KEYS_FILE = tmp_path / "keys" / "keys.json"
    write_new_keys(settings.KEYS_FILE)
    return settings.KEYS_FILE


def test_keys_as_they_should_be_have_nothing_wrong(key_file):
    assert said(machine.keys, WRONG) + said(machine.keys, WARN) == ""


def test_keys_that_others_may_read_are_wrong_and_so_is_a_copy_beside(key_file):
    key_file.chmod(0o640)
    assert f"chmod 600 {key_file}" in said(machine.keys, WRONG)
    key_file.chmod(0o600)
    copy = key_file.with_name("keys.json.bak")
    copy.write_text(key_file.read_text())
    copy.chmod(0o644)
    assert f"{copy} has mode 0644" in said(machine.keys, WRONG)


def test_a_folder_of_keys_that_others_may_write_to_is_wrong(key_file):
    key_file.parent.chmod(0o777)
    assert "Others may put keys" in said(machine.keys, WRONG)


def test_keys_beside_backups_are_wrong_and_inside_a_release_a_warning(public, key_file):
    public.BACKUP_DIR = key_file.parent
    assert "lies with the backups" in said(machine.keys, WRONG)
    public.BASE_DIR = key_file.parent.parent
    assert "inside the release" in said(machine.keys, WARN)


def test_old_keys_are_a_warning(key_file):
    long_ago = time.time() - 400 * 86_400
    os.utime(key_file, (long_ago, long_ago))
    assert "has not changed for 400 days" in said(machine.keys, WARN)


def test_keys_that_are_not_there_are_wrong_and_those_in_the_environment_a_warning(key_file, monkeypatch):
    key_file.unlink()
    assert "python -m lk_site.new_keys" in said(machine.keys, WRONG)
    monkeypatch.setenv("LK_KEYS", "{}")
    assert "a file of mode 0600 is better" in said(machine.keys, WARN)


def test_a_release_without_its_translation_and_a_machine_without_the_time_zone_are_wrong(settings, tmp_path):
    settings.BASE_DIR, settings.TIME_ZONE = tmp_path, "Europe/Atlantis"
    assert "Russian translation" in said(machine.languages, WRONG)
    assert "Europe/Atlantis" in said(machine.languages, WRONG)


@pytest.mark.parametrize(
    ("free", "total", "level"),
    [(GB // 10, 100 * GB, WRONG), (GB, 5 * GB, WARN), (5 * GB, 100 * GB, WARN), (50 * GB, 100 * GB, OK)],
)
def test_a_disk_that_fills_up_is_told_in_time(free, total, level):
    assert machine.judged(Path("/var"), free, total)[0] is level


def test_static_files_that_were_never_collected_are_wrong(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    assert "collectstatic" in said(machine.static_files_collected, WRONG)


# --- the database


@pytest.mark.django_db
def test_a_database_of_this_release_has_nothing_wrong():
    for check in (database.migrations, database.evidence, database.keys_of_database, database.clock):
        assert said(check, WRONG) + said(check, WARN) == ""


@pytest.mark.django_db
def test_a_superuser_that_serves_and_owns_is_wrong():
    if connection.vendor != "postgresql":
        assert "SQLite" in said(database.database, WARN)
        return
    assert "roles.sql" in said(database.roles, WRONG)
    assert "tables and could lift" in said(database.roles, WRONG)


@pytest.mark.django_db
def test_a_role_that_only_reads_and_writes_rows_is_right():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no roles.")
    with connection.cursor() as cursor:
        cursor.execute("create role lk_test_server")
        cursor.execute("grant select, insert, update, delete on all tables in schema public to lk_test_server")
        cursor.execute("revoke create on schema public from public")
        cursor.execute("set local role lk_test_server")
        assert said(database.roles, WRONG) == ""
        cursor.execute("reset role")
        cursor.execute("revoke all on accounts_event from lk_test_server")
        cursor.execute("grant create on schema public to lk_test_server")
        cursor.execute("set local role lk_test_server")
        assert "may not use 1 tables" in said(database.roles, WRONG)
        assert "may create tables" in said(database.roles, WRONG)
        cursor.execute("reset role")


@pytest.mark.django_db
def test_a_promise_that_the_database_does_not_keep_is_wrong():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is set by us.")
    assert said(database.durability, WRONG) == ""
    with connection.cursor() as cursor:
        cursor.execute("set local synchronous_commit = off")
    assert "synchronous_commit off" in said(database.durability, WRONG)


@pytest.mark.django_db
def test_more_threads_than_connections_are_a_warning(monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite counts no connections.")
    monkeypatch.setenv("LK_WORKERS", "100")
    assert "Raise max_connections" in said(database.connections_enough, WARN)


@pytest.mark.django_db
def test_a_migration_that_is_missing_is_wrong_and_one_of_a_newer_release_a_warning():
    with connection.cursor() as cursor:
        ((_app, newest),) = MigrationLoader(connection).graph.leaf_nodes("deals")
        cursor.execute("delete from django_migrations where app = 'deals' and name = %s", [newest])
        cursor.execute(
            "insert into django_migrations (app, name, applied) values ('deals', '0999_later', '2026-01-01')"
        )
    assert f"1 migrations are not applied, deals.{newest}" in said(database.migrations, WRONG)
    assert "newer than this release: deals.0999_later" in said(database.migrations, WARN)


@pytest.mark.django_db(transaction=True)
def test_evidence_that_could_be_changed_is_wrong():
    name = next(iter(triggers.triggers_of(next(iter(triggers.append_only())), connection)))
    on_table = " on accounts_event" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"drop trigger {name}{on_table}")
    try:
        assert "can be rewritten" in said(database.evidence, WRONG)
    finally:
        triggers.install()


@pytest.mark.django_db
def test_keys_without_their_canary_are_wrong():
    KeyCanary.objects.filter(purpose="fields").delete()
    assert "no canary" in said(database.keys_of_database, WRONG)


@pytest.mark.django_db
def test_a_clock_that_goes_wrong_is_told(monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no clock of its own.")
    now = time.time()
    monkeypatch.setattr(database, "time", SimpleNamespace(time=lambda: now + 10))
    assert "chrony" in said(database.clock, WARN)
    monkeypatch.setattr(database, "time", SimpleNamespace(time=lambda: now - 3600))
    assert "chrony" in said(database.clock, WRONG)


# --- the work


@pytest.mark.django_db
def test_without_a_worker_no_code_reaches_anybody():
    assert "systemctl start lk-worker@1" in said(work.workers, WRONG)
    row = RunningProcess.objects.create(kind="worker", host="a", pid=1, keys={})
    assert said(work.workers, WRONG) == ""
    RunningProcess.objects.filter(pk=row.pk).update(
        seen_at=timezone.now() - processes.COUNTED_FOR - timedelta(minutes=1)
    )
    assert "No worker" in said(work.workers, WRONG)


@pytest.mark.django_db
def test_a_code_that_waits_is_wrong():
    assert said(work.queues, OK)
    sms = outbox.queue_sms("79031234567", "x", useless_at=timezone.now() + timedelta(minutes=5))
    assert said(work.queues, WRONG) == ""
    type(sms).objects.filter(pk=sms.pk).update(due_at=timezone.now() - timedelta(minutes=2))
    assert "The oldest SMS waits 12" in said(work.queues, WRONG)


def test_a_redis_that_is_named_and_does_not_answer_is_wrong(settings):
    settings.REDIS_URL = ""
    assert "not set" in said(work.throttles, OK)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "Redis does not answer" in said(work.throttles, WRONG)


@pytest.fixture
def fake(public) -> Iterator[Any]:
    with running() as started:
        public.SMS_RU_URL = started.url
        yield started


def test_an_account_with_money_is_well(fake):
    assert "4122.56 roubles" in said(work.sms_account, OK)


def test_an_account_that_is_refused_or_empty_is_told(fake, monkeypatch):
    fake.whole.append(200)
    assert "check LK_SMS_RU_API_ID" in said(work.sms_account, WRONG)
    fake.http.append(500)
    assert "does not answer" in said(work.sms_account, WARN)
    monkeypatch.setattr(work, "BALANCE_AT_LEAST", 5000)
    assert "Top the account up" in said(work.sms_account, WARN)


@pytest.mark.django_db
def test_without_a_backup_something_is_wrong_in_public(public):
    assert "There is no backup." in said(work.backups_proved, WRONG)


# --- through the proxy


@pytest.mark.parametrize(
    ("forwarded", "hops", "address", "scheme", "says"),
    [
        ("198.51.100.1", 1, "198.51.100.1", "https", ""),
        (f"{FORGED}, 198.51.100.1", 1, "198.51.100.1", "https", ""),
        (f"{FORGED}, 198.51.100.1, 10.0.0.1", 2, "198.51.100.1", "https", ""),
        ("198.51.100.1", 0, "127.0.0.1", "https", "Set it to 1"),
        (f"{FORGED}, 198.51.100.1", 2, FORGED, "https", "too many"),
        (f"{FORGED}, 198.51.100.1, 10.0.0.1", 1, "10.0.0.1", "https", "too few"),
        (FORGED, 1, FORGED, "https", "hands on what a client claims"),
        ("", 1, "127.0.0.1", "https", "hands on what a client claims"),
        ("198.51.100.1", 1, "198.51.100.1", "http", "X-Forwarded-Proto"),
    ],
)
def test_wrongly_trusted_hops_are_told_with_the_right_number(forwarded, hops, address, scheme, says):
    seen = {"forwarded": forwarded, "hops": hops, "address": address, "scheme": scheme}
    told = what_is_believed_wrongly(seen)
    assert (says in told[0]) if says else told == []


@pytest.mark.django_db
def test_only_the_doctor_is_told_how_he_is_seen(settings):
    assert Client().get("/seen").status_code == 404
    assert Client().get("/seen", headers={ASKED_BY_DOCTOR: signing.dumps("", salt="another")}).status_code == 404
    settings.TRUSTED_HOPS = 1
    told = Client().get(
        "/seen", headers={ASKED_BY_DOCTOR: signing.dumps("", salt=DOCTOR), "X-Forwarded-For": f"{FORGED}, 198.51.100.1"}
    )
    assert told.status_code == 200
    assert (told.json()["address"], told.json()["hops"]) == ("198.51.100.1", 1)


# --- the command


@pytest.mark.django_db
def test_the_command_says_it_in_lines_or_in_json_and_in_its_status():
    lines, document = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", offline=True, stdout=lines)
    assert ended.value.code == 2
    assert "wrong  workers: No worker runs" in lines.getvalue()
    with pytest.raises(SystemExit):
        call_command("doctor", offline=True, json=True, stdout=document)
    told = json.loads(document.getvalue())
    assert {"check", "level", "says"} == set(told[0])
    assert {one["check"] for one in told} >= {"keys", "disk", "migrations", "workers", "backups"}


def test_the_status_is_that_of_the_worst():
    found = {level: findings.Finding("x", level, "…") for level in Level}
    assert findings.worst([]) == findings.worst([found[OK]]) == 0
    assert findings.worst([found[OK], found[WARN]]) == 1
    assert findings.worst([found[WRONG], found[WARN]]) == 2


def test_a_check_that_cannot_be_carried_out_is_a_finding_and_stops_no_other():
    def fails() -> Any:
        yield OK, str(os.stat("/no such disk"))

    assert [str(one) for one in doctor.carried_out("disk", fails)] == [
        "wrong  disk: This could not be looked at ([Errno 2] No such file or directory: '/no such disk')."
    ]
