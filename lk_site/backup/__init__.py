"""Backups: one folder each, with a database sealed to a public key by age, and a manifest in clear beside it.

`sealing` is age, `folders` writes and finds backups whole or not at all, `postgresql` and `sqlite` know how each
database is copied as of one moment and filled again. What a backup must prove: see `accounts.services.backups`.
"""


class BackupRefused(Exception):
    """Why there is no backup, or nothing was restored, in one sentence that says what to do."""


class BackupDamaged(BackupRefused):
    """The backup itself is not what it should be: another one must be taken."""
