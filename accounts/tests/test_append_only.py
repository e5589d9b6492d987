import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from accounts import triggers
from accounts.actor import Actor
from accounts.models import Action, ChangeRecord, Event, User
from accounts.tests.people import make_agent
from accounts.tests.recording import record_now

pytestmark = pytest.mark.django_db
is_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'")
is_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'")


@pytest.fixture
def anna() -> User:
    return make_agent()


@pytest.fixture
def event(anna) -> Event:
    return record_now(Actor.of(anna), Action.PROFILE_CHANGED, anna)


@pytest.fixture
def change(anna) -> ChangeRecord:
    return ChangeRecord.objects.filter(object_pk=str(anna.pk)).get()


@pytest.fixture(params=["event", "change"])
def row(request) -> models.Model:
    return request.getfixturevalue(request.param)


def refuses(sql: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    "act",
    [
        lambda row: row.save(force_update=True),
        lambda row: row.delete(),
        lambda row: type(row).objects.all().delete(),
        lambda row: type(row).objects.update(request_id="x"),
    ],
)
def test_no_row_of_evidence_is_changed_or_deleted(row, act):
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        act(row)
    assert type(row).objects.filter(pk=row.pk).exists()


@is_postgresql
@pytest.mark.parametrize("table", ["accounts_event", "accounts_changerecord"])
def test_no_table_of_evidence_is_truncated(db, table):
    refuses(f"TRUNCATE {table} CASCADE")


@is_sqlite
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("same", ["id", "number"])
def test_no_event_is_replaced(event, same, recursive):
    columns = [field.column for field in Event._meta.concrete_fields]
    new_id = f"'{'0' * 31}1'"
    values = ", ".join(new_id if column == "id" and same == "number" else f'"{column}"' for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA recursive_triggers={recursive}")
    try:
        refuses(f"REPLACE INTO accounts_event ({names}) SELECT {values} FROM accounts_event")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA recursive_triggers=ON")
    assert Event.objects.filter(pk=event.pk).exists()


@is_sqlite
def test_no_change_record_is_replaced(change):
    refuses("REPLACE INTO accounts_changerecord SELECT * FROM accounts_changerecord")


def test_an_upsert_changes_no_event(event):
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Event.objects.bulk_create(
            [event], update_conflicts=True, unique_fields=["agency_id", "seq"], update_fields=["action"]
        )


def test_a_missing_trigger_is_named_and_put_back(db):
    assert triggers.missing() == []
    drop(
        "accounts_event",
        "accounts_event_no_change" if connection.vendor == "postgresql" else "accounts_event_no_delete",
    )
    assert triggers.missing() == ["accounts_event"]
    triggers.install()
    assert triggers.missing() == []


@is_postgresql
def test_a_trigger_that_is_switched_off_is_missing(db):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_event DISABLE TRIGGER accounts_event_no_truncate")
    assert triggers.missing() == ["accounts_event"]
    triggers.install()
    assert triggers.missing() == []


@is_sqlite
@pytest.mark.django_db(transaction=True)
def test_migrate_gives_a_rebuilt_table_its_triggers_back():
    field = Event._meta.get_field("action")
    with connection.schema_editor() as editor:
        editor._remake_table(Event, alter_fields=[(field, field)])  # type: ignore[attr-defined]
    assert triggers.missing() == ["accounts_event"]
    triggers.install_after_migrate(apps.get_app_config("accounts"), using="default")
    assert triggers.missing() == []


def test_the_migration_operation_installs_and_removes(db):
    editor = connection.schema_editor(atomic=False)
    triggers.remove_in_migration(None, editor)
    assert triggers.missing() == ["accounts_event", "accounts_changerecord"]
    triggers.install_in_migration(None, editor)
    assert triggers.missing() == []
    assert triggers.InstallTriggers().reversible


def drop(table: str, trigger: str) -> None:
    on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {trigger}{on_table}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", [1, 2])
def test_evidence_refuses_again_after_a_test_was_flushed(time):
    assert not Event.objects.exists()
    anna = make_agent()
    record_now(Actor.of(anna), Action.PROFILE_CHANGED, anna)
    with pytest.raises(IntegrityError, match="append-only"):
        Event.objects.all().delete()
