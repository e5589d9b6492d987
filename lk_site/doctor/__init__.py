"""What is wrong with a set-up, in plain words that say what to do: `manage.py doctor`. Nothing here changes anything.

Each check is a small function that yields what it finds. One that cannot be carried out is itself a finding, so a
database that is gone does not hide what is wrong with the keys.
"""

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError

from lk_site.doctor import database, machine, work
from lk_site.doctor.findings import Check, Finding, Level
from lk_site.doctor.site import Site

OFFLINE: dict[str, Check] = {
    "switches": machine.switches,
    "hosts": machine.hosts,
    "packages": machine.packages,
    "keys": machine.keys,
    "languages": machine.languages,
    "disk": machine.disk,
    "static files": machine.static_files_collected,
    "database": database.database,
    "durability": database.durability,
    "connections": database.connections_enough,
    "roles": database.roles,
    "migrations": database.migrations,
    "evidence": database.evidence,
    "keys of the database": database.keys_of_database,
    "clock": database.clock,
    "workers": work.workers,
    "queues": work.queues,
    "throttles": work.throttles,
    "backups": work.backups_proved,
}
ONLINE: dict[str, Check] = {"SMS": work.sms_account}


def examine(through: Site | None = None, *, online: bool = True) -> Iterator[Finding]:
    """Yield what every check finds. `through` is how to reach the site as people do; None leaves those checks out."""
    checks = {**OFFLINE, **(ONLINE if online else {}), **(through.checks() if through else {})}
    for name, check in checks.items():
        yield from carried_out(name, check)


def carried_out(name: str, check: Check) -> Iterator[Finding]:
    try:
        for level, says in check():
            yield Finding(name, level, says)
    except (DatabaseError, InterfaceError, ImproperlyConfigured, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        yield Finding(name, Level.WRONG, f"This could not be looked at ({reason}).")
