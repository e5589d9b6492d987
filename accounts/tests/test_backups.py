"""Backups prove themselves or are refused with a sentence; nothing is ever left half done."""

import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone, translation
from pyrage import x25519

from accounts.actor import Actor
from accounts.models import Action, Agency, Backup, Event, RunningProcess, Session, User
from accounts.services import agencies, backups, evidence
from accounts.services.processes import mark
from accounts.tests.people import make_agency, make_agent, make_staff, sign_in, staff_actor
from accounts.tests.recording import record_now
from accounts.tests.test_evidence import lifted
from accounts.tests.test_worker import database_url
from conftest import absent
from lk_site.backup import BackupDamaged, BackupRefused, folders, sealing
from lk_site.encryption.keys import generate_keys
from lk_site.tests.databases import Digests, digests

NAME = "Агафья Редкая"
OF_RESTORING = ("accounts_event", "accounts_agencyhead", "accounts_session")  # it is recorded, and sessions end


@dataclass
class Original:
    """A backup that was made once, what its database was like, and the identity that opens it."""

    backup: Path
    identity: Path
    public: str
    was: Digests


@pytest.fixture(scope="module")
def original(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Original:
    for program in ("pg_dump", "pg_restore", "psql") if connection.vendor == "postgresql" else ():
        if not shutil.which(program):
            absent(f"No {program} here. On Debian: apt-get install postgresql-client")
    folder = tmp_path_factory.mktemp("backups")
    with django_db_blocker.unblock():
        public = sealing.new_identity(folder / "identity")
        fill_database()
        was = digests()
        backup = backups.make_backup(folder / "made", [public])
        call_command("flush", interactive=False, verbosity=0)
        connections.close_all()
    return Original(backup, folder / "identity", public, was)


def fill_database() -> None:
    """A few rows of each kind: sealed, indexed, chained, with a text of an event, and an open session."""
    agency = agencies.add_agency("Ключ", actor=staff_actor())
    anna = make_agent(agency, NAME)
    record_now(Actor.of(anna), Action.CLIENT_REVEALED, anna, text="Пропущенный звонок")
    sign_in(Client(), anna, project.SESSION_COOKIE_NAME)


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.VAR_DIR, settings.BACKUP_DIR = tmp_path, tmp_path / "made"
    return tmp_path


@pytest.fixture
def backup(original: Original, folder: Path) -> Path:
    """A copy of the original, to be spoiled."""
    return Path(shutil.copytree(original.backup, folder / "made" / original.backup.name))


@contextmanager
def empty_database(folder: Path) -> Iterator[None]:
    """Another database of the same kind, in the place of the tests' own."""
    (folder / "elsewhere").mkdir(exist_ok=True)
    with backups.engine().scratch(connection, folder / "elsewhere") as database, backups.as_default(database):
        yield


@contextmanager
def restored(original: Original, folder: Path) -> Iterator[None]:
    with empty_database(folder):
        backups.restore_backup(original.backup, original.identity)
        yield


def rewrite(backup: Path, **facts: Any) -> None:
    """Change a manifest as somebody would who has the keys."""
    manifest = backups.sealed_manifest(replace(folders.read_manifest(backup), **facts))
    (backup / folders.MANIFEST).unlink()
    folders.write_manifest(backup, manifest)


def with_its_digest(backup: Path) -> None:
    """Let the manifest fit what the file holds now."""
    file = backup / folders.DATABASE
    data = file.read_bytes()
    file.unlink()
    sealed = folders.write_private(file, lambda out: out.write(data))
    rewrite(backup, size=sealed.size, sha256=sealed.sha256)


def write_only(folder: Path, public: str) -> Path:
    """Write a backup without remembering it in its database, which may have no table for that."""
    with folders.alone_in(folder), folders.working_in(folder) as draft:
        now = timezone.now()
        backups.write_backup(draft, now, [public])
        folders.publish(draft, made := folder / folders.name_of(now))
    return made


def leftovers(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob(f"{folders.DRAFT}*")]


# --- made ------------------------------------------------------------------------------------------------------------


def test_a_backup_is_two_private_files_and_its_manifest_says_what_is_needed(original: Original):
    assert sorted(path.name for path in original.backup.iterdir()) == [folders.DATABASE, folders.MANIFEST]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in original.backup.iterdir()}
    assert (modes, stat.S_IMODE(original.backup.stat().st_mode)) == ({0o600}, 0o700)
    manifest = folders.read_manifest(original.backup)
    assert manifest.database == connection.vendor
    assert manifest.rows["accounts_user"] == 2
    assert manifest.keys["fields"] == [mark("fields", 1)]
    assert manifest.migrations["accounts"] == max(path.stem for path in Path("accounts/migrations").glob("0*.py"))
    folders.check_digest(original.backup, manifest)
    assert leftovers(original.backup.parent) == []


def test_nothing_of_a_person_and_no_key_is_in_the_clear(original: Original):
    for file in original.backup.iterdir():
        data = file.read_bytes()
        assert all(word.encode() not in data for word in (NAME, "79160", "Ключ"))
        assert all(entry["key"].encode() not in data for ring in project.KEYS.values() for entry in ring)
    assert (original.backup / folders.DATABASE).read_bytes().startswith(b"age-encryption.org/v1")


def test_age_alone_opens_it_to_a_dump_that_the_tools_of_the_database_read(original: Original, tmp_path: Path):
    with (original.backup / folders.DATABASE).open("rb") as sealed, (tmp_path / "dump").open("wb") as dump:
        sealing.unseal(sealed, dump, sealing.identities_in(original.identity))
    begins = b"PGDMP" if connection.vendor == "postgresql" else b"\x1f\x8b"
    assert (tmp_path / "dump").read_bytes().startswith(begins)


@pytest.mark.django_db(transaction=True)
def test_a_backup_made_while_others_write_is_of_one_moment(original: Original, folder: Path):
    ended, opened = threading.Event(), threading.Event()

    def write() -> None:
        while not ended.is_set():
            agencies.add_agency("Ключ", actor=Actor.system())  # an agency and its event, in one transaction
            opened.set()
        connection.close()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    assert opened.wait(20)
    made = backups.make_backup(folder / "made", [original.public])
    ended.set()
    for writer in writers:
        writer.join()
    with empty_database(folder):
        backups.restore_backup(made, original.identity)
        backups.check_evidence()
        count = Agency.objects.count()
        assert count == Event.objects.filter(action=Action.AGENCY_OPENED).count()
        assert count == folders.read_manifest(made).rows["accounts_agency"]


@pytest.mark.django_db
def test_only_public_keys_are_sealed_to(folder: Path):
    with pytest.raises(BackupRefused, match="LK_BACKUP_TO"):
        backups.make_backup(folder / "made", [])
    with pytest.raises(BackupRefused, match="no public key of age"):
        backups.make_backup(folder / "made", ["ssh-ed25519 AAAA"])
    assert not (folder / "made").exists()


@pytest.mark.django_db
def test_a_full_disk_leaves_nothing(original: Original, folder: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(BackupRefused, match=r"cannot be written|SQLite refuses"):
            backups.make_backup(folder / "made", [original.public])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((folder / "made").iterdir()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("killed_by", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_backup_is_none_and_the_next_one_clears_up(original: Original, folder: Path, killed_by: int):
    environment = {**os.environ, "DATABASE_URL": database_url(), "LK_VAR_DIR": str(folder)}
    command = [sys.executable, "manage.py", "backup", "make", "--to", original.public, "--folder", str(folder / "made")]
    with subprocess.Popen(command, cwd=project.BASE_DIR, env=environment, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None and not list((folder / "made").glob("*")) + leftovers(folder):
            pass
        running.send_signal(killed_by)
    for backup in folders.backups_in(folder / "made"):  # it was quicker, and is whole
        folders.check_digest(backup, folders.read_manifest(backup))
    assert killed_by == signal.SIGKILL or leftovers(folder) == []
    made = backups.make_backup(folder / "made", [original.public])
    assert leftovers(folder) == []
    assert folders.backups_in(folder / "made")[0] == made


@pytest.mark.django_db
def test_one_command_at_a_time_writes_into_a_folder(original: Original, folder: Path):
    with folders.alone_in(folder / "made"), pytest.raises(BackupRefused, match="Another backup command"):
        backups.make_backup(folder / "made", [original.public])


@pytest.mark.django_db
def test_the_newest_are_kept_and_the_newest_that_proved_itself(original: Original, backup: Path):
    made = backup.parent
    foreign = Path(shutil.copytree(backup, made / "lk-20260101T000000000000Z"))
    (foreign / folders.MANIFEST).write_text("{}")
    Backup.objects.create(name=backup.name, made_at=timezone.now(), bytes=1, rows=1, verified_at=timezone.now())
    second = backups.make_backup(made, [original.public])
    third = backups.make_backup(made, [original.public], keep=1)
    assert folders.backups_in(made) == [third, backup, foreign]
    assert Backup.objects.get(name=second.name).removed_at is not None


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite needs no programs.")
@pytest.mark.django_db
def test_a_missing_program_is_named(original: Original, folder: Path, monkeypatch: Any):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BackupRefused, match="apt-get install postgresql-client"):
        backups.make_backup(folder / "made", [original.public])
    assert list((folder / "made").iterdir()) == []


# --- restored --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_restored_database_is_the_same_to_the_last_column_and_its_sessions_have_ended(
    original: Original, folder: Path
):
    with restored(original, folder):
        assert digests().differ_from(original.was, besides=OF_RESTORING) == []
        assert User.objects.exclude(agency=None).get().name == NAME
        assert not Session.objects.filter(ended_at=None).exists()
        assert Event.objects.filter(action=Action.BACKUP_RESTORED).count() == 1
        assert all(flaw is None for _, flaw in evidence.verify())


@pytest.mark.django_db
def test_what_is_in_a_database_is_lost_only_on_purpose_and_only_for_a_whole_backup(
    original: Original, folder: Path, backup: Path
):
    cut(backup)
    with_its_digest(backup)
    with restored(original, folder):
        make_agency("Новая")
        was = digests()
        with pytest.raises(BackupRefused, match="not empty"):
            backups.restore_backup(original.backup, original.identity)
        with pytest.raises(BackupDamaged):
            backups.restore_backup(backup, original.identity, replace_all=True)
        assert digests().differ_from(was) == []
        backups.restore_backup(original.backup, original.identity, replace_all=True)
        assert Agency.objects.count() == 1
    assert leftovers(folder) == []


@pytest.mark.django_db
def test_an_older_backup_is_migrated_forward(original: Original, folder: Path):
    with restored(original, folder):
        call_command("migrate", "accounts", "0006", verbosity=0)
        older = write_only(folder / "made", original.public)
    assert "accounts_backup" not in folders.read_manifest(older).rows
    with empty_database(folder):
        backups.restore_backup(older, original.identity)
        assert not Backup.objects.exists()


# --- refused ---------------------------------------------------------------------------------------------------------


def cut(backup: Path) -> None:
    file = backup / folders.DATABASE
    os.truncate(file, file.stat().st_size - 100)


def flip(backup: Path) -> None:
    file = backup / folders.DATABASE
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def flip_and_tell(backup: Path) -> None:
    flip(backup)
    with_its_digest(backup)


def lose_file(backup: Path) -> None:
    (backup / folders.DATABASE).unlink()


def spoil_manifest(backup: Path) -> None:
    (backup / folders.MANIFEST).write_text('{"format": 1, "rows"')


def edit_manifest(backup: Path) -> None:
    manifest = json.loads((backup / folders.MANIFEST).read_text())
    (backup / folders.MANIFEST).write_text(json.dumps({**manifest, "made_at": "2026-01-01T00:00:00+00:00"}))


def miscount(backup: Path) -> None:
    rewrite(backup, rows={**folders.read_manifest(backup).rows, "accounts_user": 3})


DAMAGES: dict[Callable[[Path], None], str] = {
    cut: "The backup is cut",
    flip: "SHA-256",
    flip_and_tell: "does not open",
    lose_file: "cannot be read",
    spoil_manifest: "is damaged",
    edit_manifest: "not the one that LK wrote",
    miscount: "accounts_user has 2 rows, and 3 were backed up",
}


@pytest.mark.django_db
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_backup_is_refused_and_its_failure_is_told(
    original: Original, backup: Path, folder: Path, damage: Callable[[Path], None]
):
    Backup.objects.create(name=backup.name, made_at=timezone.now(), bytes=1, rows=1)
    damage(backup)
    with pytest.raises(BackupDamaged, match=DAMAGES[damage]):
        backups.verify_backup(backup, original.identity)
    assert DAMAGES[damage] in Backup.objects.get().failure
    assert Event.objects.filter(action=Action.BACKUP_FAILED).count() == 1
    assert DAMAGES[damage] in str(backups.state(timezone.now()).complaints[-1])
    assert leftovers(folder) == []


@pytest.mark.django_db
def test_what_says_nothing_of_the_backup_is_refused_without_blaming_it(original: Original, backup: Path, folder: Path):
    def refuse(sentence: str, identity: Path = original.identity) -> None:
        with pytest.raises(BackupRefused, match=sentence) as refused:
            backups.verify_backup(backup, identity)
        assert not isinstance(refused.value, BackupDamaged)

    sealing.new_identity(other := folder / "other")
    refuse("sealed to another key", other)
    other.chmod(0o644)
    refuse("chmod 600", other)
    other.chmod(0o600)
    other.write_text("AGE-SECRET-KEY-1NONE")
    refuse("holds no identity of age", other)
    refuse("cannot be read", folder / "none")
    rewrite(backup, database="oracle")
    refuse("The backup is of oracle")
    rewrite(backup, database=connection.vendor, migrations={"accounts": "9999_newer"})
    refuse("made by a newer LK: this one does not know accounts 9999_newer")
    (backup / folders.MANIFEST).write_text('{"format": 2}')
    refuse("made by a newer LK")
    assert not Event.objects.filter(action=Action.BACKUP_FAILED).exists()
    with pytest.raises(BackupRefused, match="is no backup"):
        backups.verify_backup(folder, original.identity)


@pytest.mark.django_db
def test_other_keys_are_refused_before_anything_is_touched(original: Original, settings: Any):
    settings.KEYS = generate_keys()
    with pytest.raises(BackupRefused, match="needs key 1 of agent_index"):
        backups.checked(original.backup)


def rewrite_evidence() -> None:
    with lifted():
        Event.objects.filter(action=Action.AGENCY_OPENED).update(address="203.0.113.99")


def move_a_value() -> None:
    """Give Sonya the sealed name of Agafya: it opens in its own row alone."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET name = (SELECT name FROM accounts_user WHERE phone IS NOT NULL)")


@pytest.mark.django_db
def test_a_whole_backup_of_a_spoiled_database_does_not_prove_itself(original: Original, folder: Path):
    with restored(original, folder):
        rewrite_evidence()
        made = write_only(folder / "made", original.public)
        move_a_value()
        with pytest.raises(BackupDamaged, match=r"accounts\.User name of .*: it cannot be read"):
            backups.open_samples()
    with pytest.raises(BackupDamaged, match="not as it was written"):
        backups.verify_backup(made, original.identity)


# --- told ------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps its statistics apart.")
@pytest.mark.django_db
def test_a_backup_with_the_statistics_of_sqlite_proves_itself(original: Original, folder: Path):
    with restored(original, folder):
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        analyzed = write_only(folder / "analyzed", original.public)
    backups.verify_backup(analyzed, original.identity)


@pytest.mark.django_db
def test_a_verified_backup_is_written_down_with_evidence(original: Original, backup: Path, folder: Path):
    proof = backups.verify_backup(backup, original.identity)
    manifest = folders.read_manifest(backup)
    assert proof.rows == sum(manifest.rows.values())
    assert (proof.events, proof.agencies) == (manifest.rows["accounts_event"], manifest.rows["accounts_agencyhead"])
    assert proof.values >= 4  # Agafya's name and phone with its index, and a text
    assert Backup.objects.get().verified_at is not None
    assert Event.objects.get(action=Action.BACKUP_VERIFIED).data["backup"] == backup.name
    assert backups.state(timezone.now()).complaints == []
    assert not RunningProcess.objects.exists()
    assert leftovers(folder) == []


def test_segments_are_sealed_by_a_program_whole_and_once(original: Original, tmp_path: Path):
    def run(*words: object) -> tuple[int, str]:
        command = [sys.executable, "-m", "lk_site.backup.age", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=project.BASE_DIR, check=False)
        return done.returncode, done.stderr.strip()

    segment, sealed, opened = tmp_path / "0001", tmp_path / "0001.age", tmp_path / "opened"
    segment.write_bytes(os.urandom(100_000))
    assert run("seal", segment, sealed, original.public) == (0, "")
    assert run("seal", segment, sealed, original.public) == (0, "")  # PostgreSQL asks again after a crash
    assert run("open", sealed, opened, original.identity) == (0, "")
    assert opened.read_bytes() == segment.read_bytes()
    segment.write_bytes(b"of another server")
    assert run("seal", segment, sealed, original.public) == (1, f"{sealed} is there already, and is not of this file.")
    assert run("open", tmp_path / "0002.age", opened, original.identity)[0] == 1
    os.truncate(sealed, 70_000)
    assert run("open", sealed, tmp_path / "cut", original.identity) == (1, "The backup is damaged: it does not open.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001", "0001.age", "0001.age.sha256", "opened"]


@pytest.mark.django_db
def test_the_page_of_staff_says_in_words_what_is_late_or_wrong(client: Client):
    sign_in(client, make_staff(), project.ADMIN_COOKIE_NAME)
    client.cookies[project.LANGUAGE_COOKIE_NAME] = "en"

    def said(sentence: str) -> bool:
        pages = [client.get(address).content.decode() for address in ("/admin/", "/admin/accounts/backup/")]
        assert len({sentence in page for page in pages}) == 1
        return sentence in pages[0]

    now = timezone.now()
    assert said("There is no backup.")
    row = Backup.objects.create(name="lk-1", made_at=now - timedelta(days=2, minutes=1), bytes=1, rows=1)
    assert said("The newest backup is older than two days.")
    assert said("No backup has ever been verified.")
    Backup.objects.filter(pk=row.pk).update(verified_at=now - timedelta(days=2, minutes=1), made_at=now)
    assert said("No backup has been verified for more than two days.")
    assert not said("older than two days")
    Backup.objects.filter(pk=row.pk).update(failed_at=now, failure="The backup is cut.")
    assert said("A backup failed its check: The backup is cut.")
    Backup.objects.filter(pk=row.pk).update(verified_at=now)
    assert not said("backup failed")
    with translation.override("en"):
        assert backups.state(now).complaints == []


@pytest.mark.django_db
def test_the_command_makes_proves_and_shows_and_says_no_in_a_sentence(
    original: Original, folder: Path, capsys: Any, settings: Any
):
    def say(*words: Any) -> str:
        call_command("backup", *map(str, words))
        return str(capsys.readouterr().out)

    with pytest.raises(CommandError, match="There is no backup in"):
        say("verify", "--identity", original.identity)
    public = say("identity", folder / "identity").strip().removeprefix("LK_BACKUP_TO=")
    assert str(x25519.Recipient.from_str(public)) == public
    assert stat.S_IMODE((folder / "identity").stat().st_mode) == 0o600
    with pytest.raises(CommandError, match="exists already"):
        say("identity", folder / "identity")
    settings.BACKUP_TO = [public, original.public]
    assert "rows in" in say("make", "--keep", 3)
    with pytest.raises(CommandError, match="LK_BACKUP_IDENTITY_FILE"):
        say("verify")
    settings.BACKUP_IDENTITY_FILE = str(folder / "identity")
    with pytest.raises(SystemExit):
        say("status")
    assert "proved itself" in say("verify")
    assert "verified" in say("status")
    with pytest.raises(CommandError, match="not empty"):
        say("restore", folders.backups_in(settings.BACKUP_DIR)[0])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
