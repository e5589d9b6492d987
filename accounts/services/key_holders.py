"""Every place of the database where values stand under keys, found by asking the models.

A holder knows the ring of its values, counts them by key, opens them all, and makes those under old keys anew: in
batches, each a short transaction that locks only rows nobody else holds and waits for none, so that it can neither
keep a writer waiting for long nor deadlock with one. A value is replaced only where it is still the one that was read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, ClassVar, Protocol, cast

from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Count, F, Func, Q

from lk_site.encryption import CannotOpen, Cell, KeyedField
from lk_site.encryption.cells import seal, unseal
from lk_site.encryption.keys import KeyMissing, ring
from lk_site.encryption.models import encrypted_fields

ROWS_AT_ONCE, ROWS_AT_LEAST = 500, 10
LETTERS_AT_ONCE = 16_000_000  # that a batch may hold if every text were as long as it may be


@dataclass
class Batch:
    """What became of some rows; `last` is the key of the last one, None where there was none."""

    last: Any = None
    renewed: int = 0
    busy: int = 0  # locked, or changed meanwhile: another round finds them
    flaws: list[str] = field(default_factory=list)  # what could not be read, and was left as it is


class Holder(Protocol):
    """Values under the keys of one purpose."""

    @property
    def name(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def stays(self) -> str:
        """How long values under an old key stand, where nobody can make them anew; else empty."""
        ...

    def counts(self) -> dict[int, int]:
        """Return how many values stand under each key."""
        ...

    def renew(self, key_id: int, after: Any) -> Batch:
        """Make values of the next rows anew under a key. `after` is the last row of the batch before."""
        ...

    def check(self) -> Iterator[tuple[int, list[str]]]:
        """Open every value, reading only; yield for each batch the number of values and what is wrong."""
        ...


CountsByKey = dict[int, int]
OTHERS: list[Callable[[], Holder]] = []  # holders that no field tells of; the app that has them adds its own


def holders(purpose: str | None = None) -> list[Holder]:
    """Return the holders of one purpose, or all."""
    found = [holder for model in apps.get_models() for holder in of_model(model)] + [make() for make in OTHERS]
    return [holder for holder in found if purpose in (None, holder.purpose)]


def of_model(model: type[models.Model]) -> Iterator[Holder]:
    if model._meta.proxy or not model._meta.managed:
        return
    if fields := encrypted_fields(model):
        yield SealedColumns(model, fields)
    for column in model._meta.local_concrete_fields:
        if isinstance(column, KeyedField):
            yield (IndexColumn if column.parts else DigestColumn)(model, [column])


class Columns(ABC):
    """Columns of one model in which the id of the key stands at the same place of each value."""

    id_at: ClassVar[int]  # of the byte that is the key's id, counted from 1
    stays = ""

    def __init__(self, model: type[models.Model], fields: Sequence[Any]) -> None:
        self.model = model
        self.fields = fields
        self.rows = model._base_manager.using("default")

    @property
    def name(self) -> str:
        return f"{self.model._meta.label} {', '.join(one.name for one in self.fields)}"

    def id_of(self, one: Any) -> Func:
        """Return the byte of the key's id, for the database: empty for an empty value, NULL for none."""
        return Func(F(one.name), self.id_at, 1, function="substr", output_field=models.BinaryField())

    def counts(self) -> CountsByKey:
        found: CountsByKey = {}
        for one in self.fields:
            groups = self.rows.order_by().annotate(key_id=self.id_of(one)).values_list("key_id").annotate(Count("pk"))
            for key_id, count in groups:
                if key_id:
                    found[bytes(key_id)[0]] = found.get(bytes(key_id)[0], 0) + count
        return found


class RenewedColumns(Columns):
    """Columns whose values can be made anew."""

    @abstractmethod
    def renewed(self, row: models.Model, one: Any, old: bytes, key_id: int) -> bytes:
        """Return a value as it is under another key. Raises CannotOpen."""

    @abstractmethod
    def flaw(self, row: models.Model, one: Any, old: bytes) -> str:
        """Return what is wrong with a value, or nothing."""

    @property
    def at_once(self) -> int:
        letters = sum(one.max_length or 0 for one in encrypted_fields(self.model))
        return max(ROWS_AT_LEAST, min(ROWS_AT_ONCE, LETTERS_AT_ONCE // max(1, letters)))

    def stale(self, key_id: int) -> models.QuerySet[Any]:
        """Return the rows with a value under any other key."""
        ids = {f"{one.name}_key_id": self.id_of(one) for one in self.fields}
        now = [Q(**{f"{name}__isnull": False}) & ~Q(**{f"{name}__in": [b"", bytes((key_id,))]}) for name in ids]
        condition = now[0]
        for other in now[1:]:
            condition |= other
        return cast(models.QuerySet[Any], self.rows.annotate(**ids).filter(condition))

    def next_of(self, rows: models.QuerySet[Any], after: Any) -> list[Any]:
        following = rows if after is None else rows.filter(pk__gt=after)
        return list(following.order_by("pk")[: self.at_once])

    def renew(self, key_id: int, after: Any) -> Batch:
        batch, changes = Batch(), list[Change]()
        for row in self.next_of(self.stale(key_id), after):
            batch.last = row.pk
            old, new = self.values_of(row), dict[Any, bytes]()
            for one, value in old.items():
                if value[self.id_at - 1] != key_id:
                    try:
                        new[one] = self.renewed(row, one, value, key_id)
                    except CannotOpen as error:
                        batch.flaws.append(told(row, one, str(error)))
            if new:
                changes.append(Change(row.pk, tuple(new), (*new.values(),), tuple(old[one] for one in new)))
        self.write(changes, batch)
        return batch

    def values_of(self, row: models.Model) -> dict[Any, bytes]:
        """Return the values of a row that are there, by their fields."""
        found = {}
        for one in self.fields:
            value = row.__dict__[one.attname]
            if value := value.token if isinstance(value, Cell) else value:
                found[one] = bytes(value)
        return found

    def write(self, changes: "list[Change]", batch: Batch) -> None:
        """Write a batch in one transaction, or, where one value clashes with another row's, each by itself."""
        try:
            batch.renewed += self.written(changes)
        except IntegrityError:
            for change in changes:
                try:
                    batch.renewed += self.written([change])
                except IntegrityError:
                    batch.flaws.append(f"{self.name} of {change.pk}: another row has this value already")
                    batch.busy -= 1
        batch.busy += len(changes) - batch.renewed

    def written(self, changes: "list[Change]") -> int:
        """Replace values of rows that nobody holds and that still have them; return how many rows."""
        with transaction.atomic(), connection.cursor() as cursor:
            free = self.lock([change.pk for change in changes])
            ours = sorted((change for change in changes if change.pk in free), key=Change.columns_of)
            count = 0
            for columns, same in groupby(ours, key=Change.columns_of):
                cursor.executemany(self.replace(columns), [self.params(change) for change in same])
                count += cursor.rowcount
            return count

    def lock(self, keys: list[Any]) -> set[Any]:
        """Lock the rows that nobody else holds, and return their keys. An index is part of a key, and needs it all."""
        rows = self.rows.filter(pk__in=keys).order_by("pk")
        return set(rows.select_for_update(skip_locked=True, no_key=not self.is_of_key).values_list("pk", flat=True))

    is_of_key: ClassVar[bool] = False

    def replace(self, columns: Sequence[str]) -> str:
        quote = connection.ops.quote_name
        pairs = ", ".join(f"{quote(column)} = %s" for column in columns)
        still = " AND ".join(f"{quote(column)} = %s" for column in (str(self.model._meta.pk.column), *columns))
        return f"UPDATE {quote(self.model._meta.db_table)} SET {pairs} WHERE {still}"  # nosec B608

    def params(self, change: "Change") -> list[Any]:
        binary = cast(Any, connection).Database.Binary
        key = self.model._meta.pk.get_db_prep_value(change.pk, connection)
        return [*map(binary, change.new), key, *map(binary, change.old)]

    def check(self) -> Iterator[tuple[int, list[str]]]:
        after = None
        while rows := self.next_of(self.rows.all(), after):
            after, count, flaws = rows[-1].pk, 0, list[str]()
            for row in rows:
                for one, value in self.values_of(row).items():
                    count += 1
                    if what := self.flaw(row, one, value):
                        flaws.append(told(row, one, what))
            yield count, flaws


@dataclass(frozen=True, slots=True)
class Change:
    """New values for columns of one row, and those that they take the place of."""

    pk: Any
    fields: tuple[Any, ...]
    new: tuple[bytes, ...]
    old: tuple[bytes, ...]

    def columns_of(self) -> tuple[str, ...]:
        return tuple(str(one.column) for one in self.fields)


class SealedColumns(RenewedColumns):
    """The encrypted fields of a model."""

    purpose, id_at = "fields", 2

    def __init__(self, model: type[models.Model], fields: Sequence[Any]) -> None:
        super().__init__(model, fields)
        self.rows = self.rows.only(*(one.name for one in fields))

    def renewed(self, row: models.Model, one: Any, old: bytes, key_id: int) -> bytes:
        key = one.key_of(row)
        return seal(unseal(old, one.label, key), one.label, key, key_id=key_id)

    def flaw(self, row: models.Model, one: Any, old: bytes) -> str:
        try:
            unseal(old, one.label, one.key_of(row))
        except CannotOpen as error:
            return f"it cannot be read ({error})"
        return ""


class IndexColumn(RenewedColumns):
    """A blind index that can be made of the row itself."""

    id_at, is_of_key = 1, True

    def __init__(self, model: type[models.Model], fields: Sequence[Any]) -> None:
        super().__init__(model, fields)
        self.purpose: str = fields[0].purpose

    def renewed(self, row: models.Model, one: Any, old: bytes, key_id: int) -> bytes:
        return cast(bytes, one.index_of(row, key_id))

    def flaw(self, row: models.Model, one: Any, old: bytes) -> str:
        try:
            return "" if one.index_of(row, old[0]) == old else "it is not the index of what the row holds"
        except (CannotOpen, KeyMissing) as error:
            return f"it cannot be checked ({error})"


class DigestColumn(Columns):
    """Keyed digests of what nobody has any more: under an old key they stand until they are deleted."""

    id_at = 1

    def __init__(self, model: type[models.Model], fields: Sequence[Any]) -> None:
        super().__init__(model, fields)
        self.purpose: str = fields[0].purpose
        self.stays: str = fields[0].stays

    def renew(self, key_id: int, after: Any) -> Batch:
        return Batch()

    def check(self) -> Iterator[tuple[int, list[str]]]:
        """Look whether the keys are there; the digests of events are checked by `verify_audit`."""
        for key_id, count in self.counts().items():
            known = key_id in ring(self.purpose).keys
            yield count, [] if known else [f"{self.name}: {count} values under key {key_id}, which is not loaded"]


def told(row: models.Model, one: Any, what: str) -> str:
    return f"{row._meta.label} {one.name} of {row.pk}: {what}"
