"""Refusals to start: what would make LK unsafe or broken ends it with one sentence and an exit status of 3."""

import ipaddress
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import django
import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from lk_site import static_files
from lk_site.encryption.keys import KeyInvalid, KeyMissing

UNFIT_STATUS = 3  # gunicorn stops for good when a worker ends with it, instead of starting the worker again
LOCAL_GATEWAYS = ("local", "console", "file")
NO_KEYS_HERE = "there are no keys; put them into LK_KEYS_FILE or LK_KEYS, or make new: python -m lk_site.new_keys"


class UnfitStart(Exception):
    """Why LK does not start, in one sentence that says what to do."""


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn a refusal, of ours or of the settings, into a sentence on stderr and the end of the process."""
    try:
        yield
    except (UnfitStart, ImproperlyConfigured) as error:
        reason = NO_KEYS_HERE if "SECRET_KEY" in str(error) else error
        sys.stderr.write(f"LK does not start: {reason}\n")
        raise SystemExit(UNFIT_STATUS) from None


def refuse_unfit_start() -> None:
    """Set Django up, and end the process with one sentence if it is not fit to serve; leave no open connection."""
    with one_sentence():
        check_settings()
        django.setup()
        check()
        check_static_files()
        join_running("web")
    leave_database()


def check() -> None:
    """Raise UnfitStart for the first thing that is not right."""
    check_settings()
    check_database()
    check_migrations()
    check_triggers()
    check_keys()


def check_settings() -> None:
    """Raise UnfitStart for switches that contradict each other or are missing; asks no database."""
    if not settings.KEYS:
        raise UnfitStart(NO_KEYS_HERE)
    for is_wrong, sentence in LOCAL_RULES if settings.LOCAL else PUBLIC_RULES:
        if is_wrong():
            raise UnfitStart(sentence.format(settings=settings))


def is_public(host: str) -> bool:
    """Whether others than this machine could reach a server at `host`."""
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


Rule = tuple[Callable[[], bool], str]
LOCAL_RULES: list[Rule] = [  # security.md 1.9
    (
        lambda: is_public(settings.HOST),
        "LK_LOCAL=1 serves this machine only and HOST={settings.HOST} is reachable by others; leave HOST at 127.0.0.1 "
        "and open a tunnel from the other machine: ssh -L {settings.PORT}:127.0.0.1:{settings.PORT} USER@THIS-MACHINE.",
    ),
    (
        lambda: settings.TRUSTED_HOPS > 0,
        "LK_LOCAL=1 stands behind no proxy, so LK_TRUSTED_HOPS must be 0; unset one of the two.",
    ),
    (
        lambda: settings.SMS_GATEWAY not in LOCAL_GATEWAYS or bool(settings.SMS_RU_API_ID),
        "LK_LOCAL=1 sends no real SMS; unset LK_SMS_GATEWAY and LK_SMS_RU_API_ID, or LK_LOCAL.",
    ),
    (
        lambda: settings.SECURE_SSL_REDIRECT or settings.SECURE_HSTS_SECONDS > 0,
        "LK_LOCAL=1 speaks plain http, so TLS settings must be off; unset LK_SSL_REDIRECT or LK_LOCAL.",
    ),
]
PUBLIC_RULES: list[Rule] = [
    (
        lambda: settings.WEBHOOK_LOOPBACK,
        "LK_WEBHOOK_LOOPBACK=1 would let anybody send requests to this machine's own services; unset it.",
    ),
    (
        lambda: not settings.SITE_HOST,
        "LK_SITE_HOST is not set; set it to the host name that people open, or LK_LOCAL=1 to try LK on this machine.",
    ),
    (
        lambda: not settings.OPERATOR,
        "LK_OPERATOR is not set; set it to the name of who answers for personal data, which the consent shows.",
    ),
    (
        lambda: settings.SMS_GATEWAY in LOCAL_GATEWAYS,
        "LK_SMS_GATEWAY={settings.SMS_GATEWAY} shows codes to whoever reads the log, which only LK_LOCAL=1 may; "
        "set it to sms_ru.",
    ),
    (
        lambda: settings.SMS_GATEWAY != "sms_ru",
        "LK_SMS_GATEWAY={settings.SMS_GATEWAY} is none that LK knows; set it to sms_ru.",
    ),
    (
        lambda: not settings.SMS_RU_API_ID,
        "LK_SMS_RU_API_ID is not set, so no code could be sent; set it to the account's key.",
    ),
    (
        lambda: not settings.DADATA_URL.startswith("https://"),
        "LK_DADATA_URL={settings.DADATA_URL} would show addresses and the key on their way; begin it with https.",
    ),
]


def check_database() -> None:
    try:
        if connection.vendor == "postgresql":  # the pool takes 10 s to give up and does not say why
            with connection.wrap_database_errors:
                psycopg.connect(**connection.get_connection_params()).close()
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except (DatabaseError, InterfaceError) as error:
        reason = " ".join(str(error).split())
        raise UnfitStart(f"the database cannot be read ({reason}); check DATABASE_URL and that it runs.") from error


def check_migrations() -> None:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        raise UnfitStart(f"the database cannot be read ({error}); check DATABASE_URL.") from error
    if missing:
        raise UnfitStart(f"{len(missing)} migrations are not applied; run: python manage.py migrate")


def check_triggers() -> None:
    from accounts import triggers

    if missing := triggers.missing():
        raise UnfitStart(f"{missing[0]} can be rewritten, its triggers are missing; run: python manage.py migrate")


def check_keys() -> None:
    from accounts.services import canaries

    with unfit_keys():
        canaries.check_canaries()
    if unguarded := canaries.unguarded_purposes():
        raise UnfitStart(f"no canary tells whether the keys of {unguarded[0]} are right; run: python manage.py migrate")


def check_static_files() -> None:
    """Raise UnfitStart where a page would ask for a file that was never collected, and be an error of ours."""
    if not settings.LOCAL and (missing := static_files.uncollected()):
        raise UnfitStart(f"{missing[0]} is not among the static files; run: python manage.py collectstatic --no-input")


def join_running(kind: str) -> None:
    """Announce this process with its keys. Raises UnfitStart where others have other keys."""
    from accounts.services import processes

    with unfit_keys():
        processes.join(kind)


@contextmanager
def unfit_keys() -> Iterator[None]:
    """Turn a refusal of keys into one of the start."""
    try:
        yield
    except (KeyMissing, KeyInvalid) as error:
        raise UnfitStart(f"{error}{error.advice}") from error


def leave_database() -> None:
    """Close connections and their pools: none survives the fork of a preloaded application."""
    for opened in connections.all(initialized_only=True):
        opened.close()
        if isinstance(opened, DatabaseWrapper):
            opened.close_pool()
