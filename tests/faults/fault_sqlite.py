"""SQLite with fifty people who write at once: nobody hears that the database is locked."""

from pathlib import Path

from django.conf import settings

from faults.conftest import be_able
from faults.stack import running

WRITERS = 50


def test_fifty_writers_on_sqlite_are_all_answered(tmp_path: Path):
    be_able()
    address = f"sqlite:///{tmp_path}/lk.sqlite3"
    with (
        running(tmp_path, {"DATABASE_URL": address}, people=WRITERS, static=settings.STATIC_ROOT) as stack,
        stack.trial("SQLite", writers=WRITERS) as trial,
    ):
        trial.wait_for(4 * WRITERS)
    assert set(trial.load.statuses) <= {200, 201, 302, 409}
    assert "locked" not in stack.log()
