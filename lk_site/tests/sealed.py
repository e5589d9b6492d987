"""Tables that stand only while tests run: their models belong to no installed app, so no migration sees them."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ClassVar

from django.apps import AppConfig, apps
from django.db import connection, models
from uuid6 import UUID, uuid7

from lk_site.encryption import EncryptedModel, EncryptedQuerySet, EncryptedTextField

PHONE = "+79161234567"


def new_id() -> UUID:
    return uuid7()  # of a subclass of UUID, as some libraries give


class Mood(models.TextChoices):
    CALM = "calm"
    HASTY = "hasty"


class Team(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id)
    name = models.CharField(max_length=50)

    objects: ClassVar[models.Manager["Team"]] = models.Manager()

    class Meta:
        app_label = "sealed"

    def __str__(self) -> str:
        return "team"


class PersonQuerySet(EncryptedQuerySet["Person"]):
    def visible_to(self, team_id: Any) -> "PersonQuerySet":
        return self.filter(team_id=team_id)


class Person(EncryptedModel):
    id = models.UUIDField(primary_key=True, default=new_id)
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="+", blank=True)
    title = models.CharField(max_length=50, blank=True)
    badge = models.CharField(max_length=10, null=True, blank=True, unique=True)
    mood = models.CharField(max_length=10, choices=Mood, default=Mood.CALM)
    facts = models.JSONField(default=dict, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    phone = EncryptedTextField(max_length=20, blank=True)
    email = EncryptedTextField(max_length=50, null=True, blank=True)

    objects = PersonQuerySet.as_manager()

    class Meta:
        app_label = "sealed"
        indexes = [models.Index("team", models.F("seen_at").desc(), models.F("id").desc(), name="person_page")]

    def __str__(self) -> str:
        return f"person {self.pk}"


class Visit(models.Model):
    person = models.ForeignKey(Person, models.CASCADE)

    objects: ClassVar[models.Manager["Visit"]] = models.Manager()

    class Meta:
        app_label = "sealed"

    def __str__(self) -> str:
        return "visit"


class Secret(EncryptedModel):
    """A column whose label outlives its name."""

    id = models.UUIDField(primary_key=True, default=new_id)
    word = EncryptedTextField(label="sealed_person\0phone")

    class Meta:
        app_label = "sealed"

    def __str__(self) -> str:
        return f"secret {self.pk}"


TABLES = (Team, Person, Visit, Secret)


@contextmanager
def tables() -> Iterator[None]:
    with connection.schema_editor() as editor:
        for model in TABLES:
            editor.create_model(model)
    yield
    with connection.schema_editor() as editor:
        for model in reversed(TABLES):
            editor.delete_model(model)


@contextmanager
def installed() -> Iterator[None]:
    """Let pickles and fixtures name these models, as those of an installed app."""
    config = AppConfig(__name__, import_module(__name__))
    config.apps, config.models, config.models_module = apps, apps.all_models["sealed"], config.module
    apps.app_configs["sealed"] = config
    apps.clear_cache()
    yield
    del apps.app_configs["sealed"]
    apps.clear_cache()


def token_of(row: models.Model, column: str = "phone") -> Any:
    """Return what the database holds."""
    with connection.cursor() as cursor:
        cursor.execute(f"select {column} from {row._meta.db_table} where id = %s", [key_of(row)])
        (value,) = cursor.fetchone()
    return None if value is None else bytes(value)


def put_token(row: models.Model, token: bytes, column: str = "phone") -> None:
    """Write behind the application's back."""
    with connection.cursor() as cursor:
        cursor.execute(f"update {row._meta.db_table} set {column} = %s where id = %s", [token, key_of(row)])


def anna(**values: Any) -> Any:
    return Person.objects.create(**{"title": "a", "phone": PHONE, **values})


def reloaded(row: Any) -> Any:
    """Return the row as another request would read it."""
    return type(row).objects.get(pk=row.pk)


def key_of(row: models.Model) -> Any:
    return row.pk.hex if connection.vendor == "sqlite" else row.pk


def spoil(row: models.Model) -> bytes:
    """Turn one bit of the phone's token; return what then stands there."""
    token = bytearray(token_of(row))
    token[20] ^= 1
    put_token(row, bytes(token))
    return bytes(token)
