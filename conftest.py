"""What every test stands on: an environment of its own, append-only tables that can be emptied, and a browser.

The environment is made before Django reads its settings, by the first process; pytest-xdist's workers inherit it.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSER_FIXTURES = {"page", "context", "browser", "new_context"}
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def prepare_environment() -> Path:
    """Give the tests a folder, keys and switches of their own, whatever the shell has set; return the folder."""
    from lk_site.encryption.keys import generate_keys

    for name in [name for name in os.environ if name.startswith("LK_")]:
        del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="lk-tests-"))
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "lk_site.settings",
        "DJANGO_ALLOW_ASYNC_UNSAFE": "true",  # Playwright runs an event loop in the thread that also asks the database
        "HOST": "127.0.0.1",
        "LK_KEYS": json.dumps(generate_keys()),
        "LK_LOCAL": "1",
        "LK_TEST_SQLITE": str(folder / "test.sqlite3"),  # a file: threads and the live server share it as in production
        "LK_VAR_DIR": str(folder),
        "LK_TEST_REDIS_URL": os.environ.pop("REDIS_URL", ""),  # asked for by name, see `redis_url`
    }
    return folder


FOLDER = Path(os.environ["LK_VAR_DIR"]) if IS_WORKER else prepare_environment()


def pytest_configure() -> None:
    """Set Django up: pytest-django looked for settings before this file made the environment."""
    import django

    django.setup()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let tables be emptied, and, once, collect the static files as production does: hashed and compressed."""
    lift_triggers_while_flushing()
    drop_databases_that_are_in_use()
    read_static_files_once()
    if not IS_WORKER and not session.config.option.collectonly:
        from django.core.management import call_command

        call_command("collectstatic", interactive=False, verbosity=0)


def pytest_unconfigure() -> None:
    if not IS_WORKER:
        shutil.rmtree(FOLDER, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that drive a browser, and let `-k security_1_2` find those of a requirement of security.md."""
    from lk_site.tests.security_table import words_of

    numbered = words_of()
    for item in items:
        item.extra_keyword_matches |= numbered.get(getattr(item, "originalname", ""), set())
        if BROWSER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")


def lift_triggers_while_flushing() -> None:
    """Tests that commit empty every table afterwards: lift the triggers that refuse it, and restore them at once."""
    from django.db.backends.base.operations import BaseDatabaseOperations

    plain = BaseDatabaseOperations.execute_sql_flush

    def execute_sql_flush(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        lift, restore = trigger_statements(self.connection)
        plain(self, [*lift, *sql_list, *restore])

    BaseDatabaseOperations.execute_sql_flush = execute_sql_flush  # type: ignore[method-assign, assignment]


def drop_databases_that_are_in_use() -> None:
    """PostgreSQL may still be ending the session of a process that a test has killed when its database is dropped."""
    from django.db.backends.postgresql.creation import DatabaseCreation

    def destroy(self: Any, test_database_name: str, verbosity: int) -> None:
        with self._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {self.connection.ops.quote_name(test_database_name)} WITH (FORCE)")

    DatabaseCreation._destroy_test_db = destroy  # type: ignore[attr-defined]


def read_static_files_once() -> None:
    """Every client of a test loads the middleware anew: let the static files be looked at by the first one alone.

    Reading them took two thirds of the time of a test that asks once.
    """
    from whitenoise.middleware import WhiteNoiseMiddleware

    plain, known = WhiteNoiseMiddleware.add_files, dict[tuple[str, str | None], dict[str, Any]]()

    def add_files(self: WhiteNoiseMiddleware, root: str, prefix: str | None = None) -> None:
        if (root, prefix) not in known:
            plain(self, root, prefix)
            known[root, prefix] = dict(self.files)
        self.files.update(known[root, prefix])

    WhiteNoiseMiddleware.add_files = add_files


def trigger_statements(connection: Any) -> tuple[list[str], list[str]]:
    """Return the statements that lift all triggers of this database, and those that restore them."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("select distinct tgrelid::regclass::text from pg_trigger where not tgisinternal")
            tables = [table for (table,) in cursor.fetchall()]
            lift = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables]
            return lift, [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables]
        cursor.execute("select name, sql from sqlite_master where type = 'trigger'")
        triggers = cursor.fetchall()
    return [f'DROP TRIGGER "{name}"' for name, _ in triggers], [sql for _, sql in triggers]


@pytest.fixture(autouse=True)
def _empty_caches() -> Iterator[None]:
    """Throttles count in process memory: no test inherits another's counts."""
    yield
    from django.core.cache import caches

    for cache in caches.all(initialized_only=True):
        cache.clear()


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis for tests of what is shared between processes: `REDIS_URL`, else a skip (in CI a failure)."""
    url = os.environ["LK_TEST_REDIS_URL"]
    if not url:
        absent("REDIS_URL is not set: no Redis to test against.")
    return url


@pytest.fixture(scope="session")
def live_server() -> Iterator[Any]:
    """The application in a thread, static files through its own middleware as in production."""
    from pytest_django.live_server_helper import LiveServer

    server = LiveServer("localhost", start=False)
    server.thread.static_handler = as_it_is  # type: ignore[assignment]
    server.start()
    yield server
    server.stop()


def as_it_is(application: Callable[..., Any]) -> Callable[..., Any]:
    return application


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Launch the Chromium that the system has; none is ever downloaded."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        absent("No Chromium here. On Debian: apt-get install chromium")
    return {**browser_type_launch_args, "executable_path": executable, "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """Browse as a Russian agent does; a test that wants English opens a context of its own."""
    return {**browser_context_args, "locale": "ru-RU", "timezone_id": "Europe/Moscow"}


@pytest.fixture
def windows(new_context: Any, live_server: Any) -> Iterator[Any]:
    """Windows of the browser, none of which may have anything to complain about in the end."""
    from lk_site.tests.windows import Windows

    opened = Windows(new_context, live_server.url)
    yield opened
    assert opened.complaints == []


def absent(what: str) -> None:
    """Skip a test for something this machine lacks; in CI nothing may be lacking."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
