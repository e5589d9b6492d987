"""What a model and its queries need so that encrypted fields keep their word."""

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, Self, TypeVar

from django.core.exceptions import FieldError
from django.db import models
from django.db.models.signals import post_save, pre_save

from lk_site.encryption.cells import Cell
from lk_site.encryption.fields import EncryptedTextField, handing_cells_over

Row = TypeVar("Row", bound=models.Model, covariant=True)


@cache
def encrypted_fields(model: type[models.Model]) -> tuple[EncryptedTextField[Any, Any], ...]:
    """Return the encrypted fields of a model, inherited ones included."""
    return tuple(field for field in model._meta.concrete_fields if isinstance(field, EncryptedTextField))


class EncryptedQuerySet(models.QuerySet[Row]):
    """Refuses what would sort, compute or overwrite by ciphertext."""

    def refuse(self, names: Iterable[Any], what: str) -> None:
        """Raise FieldError if one of the names is an encrypted field of this model."""
        sealed = {field.name for field in encrypted_fields(self.model)}
        if named := sealed.intersection(name.lstrip("-") for name in map(name_of, names) if name):
            raise FieldError(f"{', '.join(sorted(named))} encrypted: no {what}")

    def update(self, **kwargs: Any) -> int:
        """Update as Django does. It only clears encrypted fields (None or ""), which needs no key."""
        self.refuse((name for name, value in kwargs.items() if not (value is None or value == "")), "update()")
        self.refuse((name for value in kwargs.values() for name in references(value)), "expression in update()")
        return super().update(**kwargs)

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        fields = list(fields)
        self.refuse(fields, "bulk_update()")
        return super().bulk_update(objs, fields, batch_size)

    def order_by(self, *field_names: Any) -> Self:
        self.refuse((name for field in field_names for name in references(field) or [field]), "order_by()")
        return super().order_by(*field_names)

    def values(self, *fields: Any, **expressions: Any) -> Any:
        self.refuse(fields, "values(), use cells()")
        return super().values(*fields, **expressions)

    def values_list(self, *fields: Any, flat: bool = False, named: bool = False) -> Any:
        self.refuse(fields, "values_list(), use cells()")
        return super().values_list(*fields, flat=flat, named=named)

    def cells(self, *fields: str) -> "models.QuerySet[Row, tuple[Any, ...]]":
        """Return rows as tuples, with a Cell where a field is encrypted; open it with `open_cell` and the row's key."""
        return super().values_list(*fields)

    def bulk_create(
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[Any]:
        """Create as Django does. An upsert by another key than the primary one leaves a token of the row that lost."""
        if update_conflicts and list(unique_fields or ()) not in (["pk"], [self.model._meta.pk.name]):
            self.refuse(update_fields or (), "bulk_create(update_conflicts=True) by another key")
        return super().bulk_create(objs, batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields)


def name_of(field: Any) -> str:
    """Return the field that a name or a plain reference names, or nothing."""
    return field if isinstance(field, str) else getattr(field, "name", "")


def references(value: Any) -> list[str]:
    """Return the names that an expression refers to."""
    parts = value.flatten() if hasattr(value, "flatten") else [value]
    return [name_of(part) for part in parts if isinstance(part, models.F)]


class EncryptedModel(models.Model):
    """Base of models with encrypted fields: its rows know which key their cells were sealed for."""

    objects = EncryptedQuerySet.as_manager()

    class Meta:
        abstract = True

    def __getstate__(self) -> Any:
        """Seal what is in clear: no pickle or copy holds clear text."""
        state = super().__getstate__()
        for field in encrypted_fields(type(self)):
            if state.get(field.attname) is not None:
                state[field.attname] = field.pre_save(self, False)
        return state

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        row = super().from_db(db, field_names, values, **kwargs)
        bind(row)
        return row

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: "models.QuerySet[Self] | None" = None,
    ) -> None:
        """Reload as Django does; encrypted fields are handed over unopened."""
        token = handing_cells_over.set(True)
        try:
            super().refresh_from_db(using, fields, from_queryset)
        finally:
            handing_cells_over.reset(token)


def bind(row: models.Model) -> None:
    """Tell the cells of a row which key they were sealed for, before anyone can change it."""
    for field in encrypted_fields(type(row)):
        cell: Cell | None = row.__dict__.get(field.attname)
        if cell is not None and cell.key is None:
            cell.key = field.key_of(row)


def hold_cells(sender: type[models.Model], instance: models.Model, raw: bool, **kwargs: Any) -> None:
    """Seal a row of a fixture: Django then calls no `pre_save` of fields and writes what the attributes show."""
    if raw and isinstance(instance, EncryptedModel):
        for field in encrypted_fields(sender):
            if (cell := field.pre_save(instance, True)) is not None:
                cell.raw = True


def let_cells_go(sender: type[models.Model], instance: models.Model, raw: bool, **kwargs: Any) -> None:
    if raw and isinstance(instance, EncryptedModel):
        for field in encrypted_fields(sender):
            if (cell := instance.__dict__.get(field.attname)) is not None:
                cell.raw = False


pre_save.connect(hold_cells, dispatch_uid="lk_site.encryption.hold")
post_save.connect(let_cells_go, dispatch_uid="lk_site.encryption.let_go")
