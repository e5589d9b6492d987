"""What is unsafe or broken stops the start: one sentence on stderr, an exit status that is not 0, no traceback."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from lk_site.encryption.keys import generate_keys
from lk_site.new_keys import write_new_keys
from lk_site.serve import ROOT

PUBLIC = {"LK_LOCAL": "", "LK_SITE_HOST": "lk.example", "LK_SMS_RU_API_ID": "an-account", "LK_OPERATOR": "ООО «ЛК»"}
WSGI = ["-c", "import lk_site.wsgi"]


def run(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Python as on a machine whose `var/` is this folder."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("LK_", "DATABASE_", "PYTEST"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**ours, "LK_LOCAL": "1", "LK_VAR_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def refusal(folder: Path, *arguments: str, **environment: str) -> str:
    """Return the one sentence with which a start is refused."""
    refused = run(folder, *(arguments or WSGI), **environment)
    assert refused.returncode != 0
    assert refused.stderr.startswith("LK does not start: "), refused.stderr
    assert refused.stderr.count("\n") == 1
    return refused.stderr


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A folder with keys and a migrated SQLite database."""
    folder = tmp_path_factory.mktemp("var")
    write_new_keys(folder / "keys.json")
    (folder / "static").symlink_to(settings.STATIC_ROOT)
    migrated = run(folder, "manage.py", "migrate", "--verbosity", "0", "--skip-checks")
    assert migrated.returncode == 0, migrated.stderr
    return folder


@pytest.fixture
def folder(migrated, tmp_path):
    """A copy of it, to be broken."""
    for name in ("keys.json", "lk.sqlite3"):
        (tmp_path / name).write_bytes((migrated / name).read_bytes())
        (tmp_path / name).chmod(0o600)
    (tmp_path / "static").symlink_to(settings.STATIC_ROOT)
    return tmp_path


def change_database(folder: Path, sql: str) -> None:
    connection = sqlite3.connect(folder / "lk.sqlite3")
    connection.executescript(sql)
    connection.close()


def test_what_is_right_starts(migrated):
    started = run(migrated, *WSGI)
    assert (started.returncode, started.stderr) == (0, "")


def test_what_is_right_starts_in_public(migrated):
    started = run(migrated, *WSGI, **PUBLIC)
    assert (started.returncode, started.stderr) == (0, "")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"HOST": "0.0.0.0"}, "ssh -L 8000:127.0.0.1:8000"),
        ({"HOST": "::"}, "HOST=:: is reachable by others"),
        ({"HOST": "192.168.1.7"}, "is reachable by others"),
        ({"HOST": "lk.example"}, "is reachable by others"),
        ({"LK_TRUSTED_HOPS": "1"}, "LK_TRUSTED_HOPS must be 0"),
        ({"LK_SMS_GATEWAY": "sms_ru"}, "sends no real SMS"),
        ({"LK_SMS_RU_API_ID": "an-account"}, "sends no real SMS"),
        ({"LK_SMS_GATEWAY": "sms.ru"}, "sends no real SMS"),
        ({"LK_SSL_REDIRECT": "1"}, "TLS settings must be off"),
        ({"LK_DADATA_URL": "127.0.0.1:8200"}, "LK_DADATA_URL=127.0.0.1:8200 is not an address"),
        ({"LK_DADATA_URL": "http://[::1:8200"}, "is not an address"),
        ({"LK_DADATA_KEY": "ключ"}, "LK_DADATA_KEY holds more than Latin letters"),
    ],
)
def test_local_mode_serves_one_machine_and_nobody_else(migrated, environment, says):
    assert says in refusal(migrated, **environment)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"LK_SITE_HOST": ""}, "LK_SITE_HOST is not set"),
        ({"LK_OPERATOR": ""}, "LK_OPERATOR is not set"),
        ({"LK_SMS_GATEWAY": "file"}, "shows codes"),
        ({"LK_SMS_GATEWAY": "console"}, "shows codes"),
        ({"LK_SMS_GATEWAY": "sms.ru"}, "LK_SMS_GATEWAY=sms.ru is none that LK knows"),
        ({"LK_SMS_RU_API_ID": ""}, "LK_SMS_RU_API_ID is not set"),
        ({"LK_DADATA_URL": "http://suggestions.dadata.ru"}, "begin it with https"),
        ({"LK_WEBHOOK_LOOPBACK": "1"}, "this machine's own services"),
        ({"LK_TRUSTED_HOPS": "two"}, "LK_TRUSTED_HOPS=two is not a number"),
        ({"DATABASE_URL": "mysql://host/lk"}, "DATABASE_URL must be"),
    ],
)
def test_public_mode_needs_what_it_serves_with(migrated, environment, says):
    assert says in refusal(migrated, **{**PUBLIC, **environment})


def test_in_public_nothing_scales_the_limits(migrated):
    program = "from lk_site import settings; print(settings.LIMITS_SCALE, settings.COOKIE_SECURE, settings.DEBUG)"
    scaled = {"LK_LIMITS_SCALE": "1000"}
    assert run(migrated, "-c", program, **scaled).stdout.split() == ["1000", "False", "False"]
    assert run(migrated, "-c", program, **PUBLIC, **scaled).stdout.split() == ["1", "True", "False"]


def test_without_keys_nothing_starts(folder):
    (folder / "keys.json").unlink()
    assert "python -m lk_site.new_keys" in refusal(folder)


def test_keys_that_others_may_read_are_refused(folder):
    (folder / "keys.json").chmod(0o644)
    assert "chmod 600" in refusal(folder)


def test_keys_of_another_database_are_refused(folder):
    assert "is not the one this database was written with" in refusal(folder, LK_KEYS=json.dumps(generate_keys()))


@pytest.mark.parametrize("purpose", ["fields", "client_index", "agent_index", "codes", "audit", "digests"])
def test_one_wrong_key_is_enough(folder, purpose):
    keys = json.loads((folder / "keys.json").read_text())
    keys[purpose] = generate_keys()[purpose]
    assert f"of {purpose} is not the one" in refusal(folder, LK_KEYS=json.dumps(keys))


def test_a_key_that_is_missing_from_its_ring_is_refused(folder):
    keys = json.loads((folder / "keys.json").read_text())
    keys["fields"] = [{**generate_keys()["fields"][0], "id": 2}]
    assert "The key 1 of fields is not loaded" in refusal(folder, LK_KEYS=json.dumps(keys))


def test_migrating_with_wrong_keys_plants_no_canary_of_theirs(folder):
    wrong = {"LK_KEYS": json.dumps(generate_keys())}
    assert "is not the one" in refusal(folder, "manage.py", "migrate", "--skip-checks", "--verbosity", "0", **wrong)
    assert run(folder, *WSGI).returncode == 0


def test_a_database_without_canaries_is_refused(folder):
    change_database(folder, "delete from accounts_keycanary")
    assert "no canary tells" in refusal(folder)


def test_a_file_that_is_no_database_is_refused(folder):
    (folder / "lk.sqlite3").write_bytes(b"not a database at all" * 100)
    assert "the database cannot be read" in refusal(folder)


def test_a_database_that_nobody_runs_is_refused(folder):
    assert "Connection refused" in refusal(folder, DATABASE_URL="postgres://lk:secret@127.0.0.1:1/lk")


def test_the_password_of_the_database_is_never_shown(folder):
    assert "secret" not in refusal(folder, DATABASE_URL="postgres://lk:secret@127.0.0.1:1/lk")


def test_migrations_that_are_not_applied_are_refused(folder):
    change_database(folder, "delete from django_migrations where app = 'deals'")
    assert "not applied; run: python manage.py migrate" in refusal(folder)


def test_an_empty_database_is_refused(folder):
    (folder / "lk.sqlite3").unlink()
    assert "not applied; run: python manage.py migrate" in refusal(folder)


def test_evidence_that_could_be_rewritten_is_refused(folder):
    change_database(folder, "drop trigger accounts_event_no_update")
    assert "accounts_event can be rewritten" in refusal(folder)


def test_migrate_brings_lost_triggers_back(folder):
    change_database(folder, "drop trigger accounts_event_no_update")
    assert run(folder, "manage.py", "migrate", "--verbosity", "0", "--skip-checks").returncode == 0
    assert run(folder, *WSGI).returncode == 0


def test_in_public_static_files_that_were_never_collected_are_refused(folder):
    (folder / "static").unlink()
    (folder / "static").mkdir()
    assert "is not among the static files; run: python manage.py collectstatic" in refusal(folder, **PUBLIC)
    assert run(folder, *WSGI).returncode == 0  # locally, where tests and tools draw no page


def test_a_file_that_came_after_the_others_were_collected_is_refused_by_name(folder):
    collected = json.loads((settings.STATIC_ROOT / "staticfiles.json").read_text())
    del collected["paths"]["css/app.css"]
    (folder / "static").unlink()
    (folder / "static").mkdir()
    for served in settings.STATIC_ROOT.iterdir():
        (folder / "static" / served.name).symlink_to(served)
    (folder / "static" / "staticfiles.json").unlink()
    (folder / "static" / "staticfiles.json").write_text(json.dumps(collected))
    assert "css/app.css is not among the static files" in refusal(folder, **PUBLIC)


def test_the_worker_serves_no_static_files_and_needs_none(folder):
    (folder / "static").unlink()
    assert run(folder, "manage.py", "worker", "--once", **PUBLIC).returncode == 0


def test_the_worker_refuses_too(folder):
    assert "TLS settings must be off" in refusal(folder, "manage.py", "worker", LK_SSL_REDIRECT="1")


@pytest.mark.parametrize("environment", [{"HOST": "0.0.0.0"}, {"LK_TRUSTED_HOPS": "x"}, {"LK_KEYS": "{}"}])
def test_the_server_says_a_refusal_once_and_stops(folder, environment):
    refusal(folder, "-m", "lk_site.serve", PORT="8979", **environment)
