"""`manage.py backup`: made, proved, restored. See `services/backups.py` and docs/operate-backups.md."""

import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation

from accounts.models import Backup
from accounts.services import backups
from lk_site.backup import BackupRefused, folders, sealing

SHOWN_AT_MOST = 10


class Command(BaseCommand):
    help = "Make a backup sealed to a public key of age, prove one by restoring it aside, and restore one."
    requires_system_checks: list[str] = []  # an empty database is filled here

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        identity = actions.add_parser("identity", help="make an identity of age, and show its public key")
        identity.add_argument("file", type=Path, metavar="FILE")
        make = actions.add_parser("make", help="write a backup of the database as it is now")
        make.add_argument("--to", action="append", metavar="AGE1…", help="a public key, in place of LK_BACKUP_TO")
        make.add_argument("--folder", type=Path, default=settings.BACKUP_DIR, help="where to, else LK_BACKUP_DIR")
        make.add_argument("--keep", type=positive, metavar="N", help="remove all but the N newest, and a proved one")
        verify = actions.add_parser("verify", help="restore a backup aside, and prove it there")
        verify.add_argument("backup", nargs="?", type=Path, metavar="BACKUP", help="else the newest in LK_BACKUP_DIR")
        restore = actions.add_parser("restore", help="fill the database with a backup")
        restore.add_argument("backup", type=Path, metavar="BACKUP")
        restore.add_argument("--replace", action="store_true", help="lose what is in the database now")
        for needs_identity in (verify, restore):
            needs_identity.add_argument("--identity", type=Path, metavar="FILE", help="else LK_BACKUP_IDENTITY_FILE")
        actions.add_parser("status", help="show the last backups; status 1 if one is late or has failed")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was begun is removed
        try:
            getattr(self, action)(options)
        except BackupRefused as refused:
            raise CommandError(str(refused)) from None

    # --- the five

    def identity(self, options: dict[str, Any]) -> None:
        public = sealing.new_identity(options["file"])
        self.stdout.write(f"LK_BACKUP_TO={public}")
        self.stderr.write(
            f"{options['file']} opens what is sealed to this key. Keep a copy where neither the backups nor this "
            "machine are: without it no backup can be restored."
        )

    def make(self, options: dict[str, Any]) -> None:
        recipients = options["to"] or settings.BACKUP_TO
        backup = backups.make_backup(options["folder"], recipients, keep=options["keep"])
        manifest = folders.read_manifest(backup)
        self.stdout.write(f"{backup}: {sum(manifest.rows.values()):,} rows in {manifest.size:,} bytes.")

    def verify(self, options: dict[str, Any]) -> None:
        backup = options["backup"] or newest()
        proof = backups.verify_backup(backup, identity_file(options))
        self.stdout.write(
            f"{backup} proved itself: {proof.rows:,} rows, {proof.values:,} values opened or indexed again, "
            f"{proof.events:,} events of {proof.agencies:,} chains as they were written."
        )

    def restore(self, options: dict[str, Any]) -> None:
        manifest = backups.restore_backup(options["backup"], identity_file(options), replace_all=options["replace"])
        self.stdout.write(
            f"The database is as it was at {manifest.made_at}, {sum(manifest.rows.values()):,} rows. Every session in "
            "it has ended. Look at keys of programs that were revoked since then: they work again."
        )

    def status(self, options: dict[str, Any]) -> None:
        for row in Backup.objects.newest_first()[:SHOWN_AT_MOST]:
            proved = f"verified {row.verified_at:%Y-%m-%d %H:%M}" if row.verified_at else "not verified"
            self.stdout.write(f"{row.name}  {row.bytes:>15,} bytes  {row.rows:>12,} rows  {proved}  {row.failure}")
        with translation.override("en"):
            complaints = [str(sentence) for sentence in backups.state(timezone.now()).complaints]
        for sentence in complaints:
            self.stdout.write(sentence)
        if complaints:
            raise SystemExit(1)


def positive(text: str) -> int:
    """Return a number from 1 on; raises ValueError."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def newest() -> Path:
    found = folders.backups_in(settings.BACKUP_DIR)
    if not found:
        raise BackupRefused(f"There is no backup in {settings.BACKUP_DIR}.")
    return found[0]


def identity_file(options: dict[str, Any]) -> Path:
    if found := options["identity"] or settings.BACKUP_IDENTITY_FILE:
        return Path(found)
    raise BackupRefused("There is no identity to open with: set LK_BACKUP_IDENTITY_FILE, or give --identity.")
