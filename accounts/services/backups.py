"""Backups that prove themselves: made of one moment, sealed to a public key, and restored in earnest to be believed.

The keys of the database are never in a backup: it names those that are needed, by id and fingerprint. Its manifest
carries a MAC under the key of the audit, so whoever can write where backups lie and has no keys cannot make one up.

A backup is proved by restoring it into a scratch database and looking there: every table has the rows that the manifest
counted in the snapshot, newest and oldest values of each encrypted column open and each index is that of its row, and
the evidence of every agency is as it was written.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import triggers
from accounts.actor import Actor
from accounts.models import Action, Backup, Session
from accounts.services import canaries, evidence, processes
from accounts.services.key_holders import RenewedColumns, holders, told
from accounts.services.unit_of_work import record, unit_of_work
from lk_site import environment
from lk_site.backup import BackupDamaged, BackupRefused, folders, sealing
from lk_site.backup.engines import ENGINES, Engine, Snapshot
from lk_site.backup.folders import DATABASE, Manifest
from lk_site.encryption.keys import KeyInvalid, KeyMissing, ring

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

SEALED_AS = b"lk backup 1"
OF_SQLITE = "sqlite_"  # its own tables: what ANALYZE has counted, say
SAMPLE = 50  # rows of each column from either end


@dataclass(frozen=True)
class Proof:
    """What was found in order in a backup."""

    rows: int
    values: int  # encrypted values opened and indexes made again
    agencies: int  # whose evidence is as it was written, the platform one of them
    events: int


# --- making ----------------------------------------------------------------------------------------------------------


def make_backup(folder: Path, recipients: list[str], *, keep: int | None = None) -> Path:
    """Write a backup of the database as it is now into a folder, and return it; then keep the newest `keep` alone.

    The newest that has proved itself stays too. Raises BackupRefused; nothing is left then.
    """
    if not recipients:
        raise BackupRefused("There is no key to seal to: set LK_BACKUP_TO to a public key of age, or give --to.")
    for text in recipients:
        sealing.recipient_of(text)
    with refused_by_disk(folder), folders.alone_in(folder):
        made_at = timezone.now()
        backup = folder / folders.name_of(made_at)
        with folders.working_in(folder, backup.name) as draft:
            manifest = write_backup(draft, made_at, recipients)
            folders.publish(draft, backup)
        remember(backup, manifest)
        if keep is not None:
            remove_old(folder, keep)
    return backup


def write_backup(draft: Path, made_at: datetime, recipients: list[str]) -> Manifest:
    """Write both files of a backup and return its manifest: the counts are those of the copy, to the row."""
    with engine().snapshot(connection, draft) as snapshot:
        manifest = manifest_of(snapshot, made_at, recipients)
        with snapshot.source() as source:
            sealed = folders.write_private(draft / DATABASE, lambda file: sealing.seal(source, file, recipients))
    manifest = sealed_manifest(replace(manifest, size=sealed.size, sha256=sealed.sha256))
    folders.write_manifest(draft, manifest)
    return manifest


def manifest_of(snapshot: Snapshot, made_at: datetime, recipients: list[str]) -> Manifest:
    quote = connection.ops.quote_name
    count = "SELECT count(*) FROM {}".format  # nosec B608 of tables that the database has named
    return Manifest(
        made_at=made_at.isoformat(),
        database=connection.vendor,
        server=snapshot.server,
        migrations=dict(snapshot.ask("SELECT app, max(name) FROM django_migrations GROUP BY app ORDER BY app")),
        rows={table: snapshot.ask(count(quote(table)))[0][0] for table in sorted(snapshot.tables())},
        keys=needed_keys(snapshot.ask("SELECT purpose, key_id FROM accounts_keycanary ORDER BY purpose, key_id")),
        sealed_to=recipients,
    )


def needed_keys(planted: list[tuple[Any, ...]]) -> dict[str, list[str]]:
    """Return the marks of the keys that values may stand under: those with a canary."""
    needed: dict[str, list[str]] = {}
    try:
        for purpose, key_id in planted:
            needed.setdefault(purpose, []).append(processes.mark(purpose, key_id))
    except KeyMissing as error:
        raise BackupRefused(f"{error}{error.advice}") from None
    return needed


def sealed_manifest(manifest: Manifest) -> Manifest:
    keys = ring("audit")
    return replace(manifest, seal=f"{keys.active_id}:{keys.mac(SEALED_AS + manifest.sealed_part()).hex()}")


@unit_of_work
def remember(backup: Path, manifest: Manifest) -> None:
    row_of(backup, manifest)
    record(Actor.system(), Action.BACKUP_MADE, backup=backup.name, bytes=manifest.size)


def row_of(backup: Path, manifest: Manifest) -> Backup:
    """Return the row of a backup, made now for one that this database does not know."""
    about = {
        "made_at": datetime.fromisoformat(manifest.made_at),
        "bytes": manifest.size,
        "rows": sum(manifest.rows.values()),
    }
    return Backup.objects.get_or_create(name=backup.name, defaults=about)[0]


def remove_old(folder: Path, keep: int) -> None:
    """Remove all but the newest backups and the newest that has proved itself; those of other keys are not ours."""
    newest_first = [backup for backup in folders.backups_in(folder) if is_ours(backup)]
    proved = set(Backup.objects.exclude(verified_at=None).values_list("name", flat=True))
    good = next((backup for backup in newest_first if backup.name in proved), None)
    for backup in newest_first[max(1, keep) :]:
        if backup != good:
            folders.remove(backup)
            Backup.objects.filter(name=backup.name).update(removed_at=timezone.now())


def is_ours(backup: Path) -> bool:
    """Whether a backup is of this kind of database, and this LK's keys have sealed its manifest."""
    try:
        manifest = folders.read_manifest(backup)
        check_seal(manifest)
    except BackupRefused:
        return False
    return manifest.database == connection.vendor


# --- restoring -------------------------------------------------------------------------------------------------------


def restore_backup(backup: Path, identity_file: Path, *, replace_all: bool = False) -> Manifest:
    """Fill the database with a backup, whole or not at all, migrate it to this LK, and end every session in it.

    A session that was ended after the backup would be open again. Raises BackupRefused; a database that has tables is
    refused unless `replace_all`.
    """
    manifest = checked(backup)
    if not replace_all and connection.introspection.table_names():
        raise BackupRefused(
            "The database is not empty: name an empty one in DATABASE_URL, or give --replace to lose what is in it."
        )
    with work_folder() as work:
        pour_into(connection.settings_dict, backup, identity_file, work)
    connection.close()  # prepared statements of other tables
    migrate_forward()
    note_restored(backup)
    return manifest


def checked(backup: Path) -> Manifest:
    """Return the manifest of a backup that this LK, its keys and its database fit; raises BackupRefused."""
    manifest = folders.read_manifest(backup)
    check_keys(manifest)
    check_seal(manifest)
    if manifest.database != connection.vendor:
        raise BackupRefused(f"The backup is of {manifest.database}, and DATABASE_URL names {connection.vendor}.")
    known = MigrationLoader(None).disk_migrations
    for app, name in manifest.migrations.items():
        if (app, name) not in known:
            raise BackupRefused(f"The backup was made by a newer LK: this one does not know {app} {name}.")
    folders.check_digest(backup, manifest)
    return manifest


def check_keys(manifest: Manifest) -> None:
    """Raise BackupRefused unless every key that the backup needs is loaded, and is the same."""
    for purpose, marks in manifest.keys.items():
        loaded = processes.marks().get(purpose, [])
        for mark in marks:
            if mark not in loaded:
                raise BackupRefused(
                    f"The backup needs key {mark.partition(':')[0]} of {purpose}, which is not loaded, or another one "
                    "is: put the keys that were in use when it was made into LK_KEYS_FILE."
                )


def check_seal(manifest: Manifest) -> None:
    key_id, _colon, mac = manifest.seal.partition(":")
    try:
        expected = ring("audit").mac(SEALED_AS + manifest.sealed_part(), int(key_id)).hex()
    except (KeyMissing, ValueError):
        expected = ""
    if not expected or not hmac.compare_digest(expected, mac):
        raise BackupDamaged("The manifest is not the one that LK wrote: it was changed, or made without the keys.")


def pour_into(database: dict[str, Any], backup: Path, identity_file: Path, work: Path) -> None:
    identities = sealing.identities_in(identity_file)
    with (backup / DATABASE).open("rb") as file:
        engine().fill(database, lambda sink: sealing.unseal(file, sink, identities), work)


def migrate_forward() -> None:
    """Apply the migrations that are newer than the backup, and check the keys by its canaries."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)
    try:
        canaries.check_canaries()
    except (KeyMissing, KeyInvalid) as error:
        raise BackupRefused(f"{error}{error.advice}") from None


@unit_of_work
def note_restored(backup: Path) -> None:
    ended = Session.objects.filter(ended_at=None).update(ended_at=timezone.now())
    record(Actor.system(), Action.BACKUP_RESTORED, backup=backup.name, sessions=ended)


# --- proving ---------------------------------------------------------------------------------------------------------


def verify_backup(backup: Path, identity_file: Path) -> Proof:
    """Restore a backup into a scratch database and prove it there; write down when it did or did not prove itself.

    Raises BackupDamaged where the backup itself is wanting, and BackupRefused where nothing can be said of it.
    """
    try:
        manifest = checked(backup)
        proof = prove(backup, manifest, identity_file)
    except BackupDamaged as damaged:
        note_failed(backup, str(damaged))
        raise
    note_verified(backup, manifest, proof)
    return proof


def prove(backup: Path, manifest: Manifest, identity_file: Path) -> Proof:
    with work_folder() as work, engine().scratch(scratch_server(), work) as database:
        pour_into(database, backup, identity_file, work)
        with as_default(database):
            check_rows(manifest)
            migrate_forward()
            values, (agencies, events) = open_samples(), check_evidence()
    return Proof(sum(manifest.rows.values()), values, agencies, events)


def scratch_server() -> Any:
    """Return a connection to where scratch databases are made: beside our own, or where settings say."""
    if not settings.BACKUP_SCRATCH_URL or connection.vendor != "postgresql":
        return connection
    there = environment.postgresql_at(urlsplit(settings.BACKUP_SCRATCH_URL))
    return type(connections["default"])({**connection.settings_dict, **there}, "scratch")


@contextmanager
def as_default(database: dict[str, Any]) -> Iterator[None]:
    """Let this thread's models read and write another database for a while."""
    own = connections["default"]
    connections["default"] = other = type(own)(database, "default")
    try:
        yield
    finally:
        connections["default"] = own
        other.close()
        ContentType.objects.clear_cache()  # of ids that the other database gave them


def check_rows(manifest: Manifest) -> None:
    """Raise BackupDamaged unless every table is there with as many rows as were counted when the backup was made."""
    with connection.cursor() as cursor:
        found = {}
        names = connection.introspection.table_names(cursor)
        for table in (name for name in names if not name.startswith(OF_SQLITE)):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # nosec B608
            found[table] = cursor.fetchone()[0]
    for table in sorted({*found, *manifest.rows}):
        if found.get(table) != manifest.rows.get(table):
            raise BackupDamaged(
                f"{table} has {found.get(table, 'no')} rows, and {manifest.rows.get(table, 'no')} were backed up."
            )


def open_samples() -> int:
    """Open the oldest and the newest values of each encrypted column, make their indexes again, and count them."""
    count = 0
    for holder in holders():
        if isinstance(holder, RenewedColumns):
            for one in holder.fields:
                count += open_sample(holder, one)
    return count


def open_sample(holder: RenewedColumns, one: Any) -> int:
    """Check values of one column from either end, rows without one passed over; raises BackupDamaged."""
    filled = holder.rows.annotate(filled_key_id=holder.id_of(one)).exclude(filled_key_id=None)
    filled = filled.exclude(filled_key_id=b"")
    rows = {row.pk: row for order in ("pk", "-pk") for row in filled.order_by(order)[:SAMPLE]}
    for row in rows.values():
        if what := holder.flaw(row, one, holder.values_of(row)[one]):
            raise BackupDamaged(f"{told(row, one, what)}.")
    return len(rows)


def check_evidence() -> tuple[int, int]:
    """Return how many agencies and events the evidence has; raises BackupDamaged with its first flaw."""
    if missing := triggers.missing():
        raise BackupDamaged(f"{missing[0]} could be rewritten in it: its triggers are missing.")
    agencies = events = 0
    for agency_id, flaw in evidence.verify():
        if flaw:
            raise BackupDamaged(f"The evidence of agency {agency_id} is not as it was written: {flaw}.")
        agencies, events = agencies + 1, events + evidence.ends_of(agency_id)[0]
    return agencies, events


@unit_of_work
def note_verified(backup: Path, manifest: Manifest, proof: Proof) -> None:
    row = row_of(backup, manifest)
    row.verified_at = timezone.now()
    row.save(update_fields=["verified_at"])
    record(Actor.system(), Action.BACKUP_VERIFIED, backup=backup.name, rows=proof.rows, values=proof.values)


@unit_of_work
def note_failed(backup: Path, why: str) -> None:
    Backup.objects.filter(name=backup.name).update(failed_at=timezone.now(), failure=why[:300])
    record(Actor.system(), Action.BACKUP_FAILED, backup=backup.name)


# --- telling ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """What staff must know of the backups."""

    made: Backup | None
    verified: Backup | None
    complaints: list["_StrOrPromise"]


def state(now: datetime) -> State:
    """Return the last backup made, the last that proved itself, and what is wrong, a sentence each."""
    made, verified = Backup.objects.last_made(), Backup.objects.last_verified()
    failed = Backup.objects.failed_since(verified.verified_at if verified else None).first()
    rules: list[tuple[bool, _StrOrPromise]] = [
        (made is None, _("There is no backup.")),
        (made is not None and made.is_late(now), _("The newest backup is older than two days.")),
        (made is not None and verified is None, _("No backup has ever been verified.")),
        (
            verified is not None and verified.was_verified_late(now),
            _("No backup has been verified for more than two days."),
        ),
        (failed is not None, _("A backup failed its check: %s") % (failed.failure if failed else "")),
    ]
    return State(made, verified, [sentence for is_so, sentence in rules if is_so])


# --- shared ----------------------------------------------------------------------------------------------------------


def engine() -> Engine:
    return ENGINES[connection.vendor]


@contextmanager
def work_folder() -> Iterator[Path]:
    """Give a folder on the disk of the database for what is restored; one command at a time."""
    folder = settings.VAR_DIR / "backup-work"
    with refused_by_disk(folder), folders.alone_in(folder), folders.working_in(folder) as work:
        yield work


@contextmanager
def refused_by_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupRefused(f"{folder} cannot be written ({error.strerror or error}); nothing is left of it.") from None
