"""A text column that the database cannot read, bound to its row; opened when the attribute is first read."""

import base64
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django import forms
from django.core import checks
from django.core.exceptions import FieldError, ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute

from lk_site.encryption.cells import (
    UNREADABLE,
    UNSET,
    CannotOpen,
    Cell,
    RowKey,
    Unreadable,
    Unset,
    ValueUnreadable,
    seal,
)

log = logging.getLogger("lk.encryption")
handing_cells_over: ContextVar[bool] = ContextVar("handing_cells_over", default=False)


class SealedAttribute(DeferredAttribute):
    """Reads and writes the cell that an instance carries."""

    field: "EncryptedTextField[Any, Any]"

    def __get__(self, row: models.Model | None, owner: type[models.Model] | None = None) -> Any:
        if row is None:
            return self
        try:
            cell = row.__dict__[self.field.attname]
        except KeyError:
            row.refresh_from_db(fields=[self.field.attname])
            cell = row.__dict__[self.field.attname]
        if cell is None:
            return None
        if cell.raw or handing_cells_over.get():
            return cell
        if cell.plain is UNSET:
            cell.plain = self.field.shown(cell, row)
        return cell.plain

    def __set__(self, row: models.Model, value: Any) -> None:
        name = self.field.attname
        if type(value) is Cell:
            row.__dict__[name] = value
            return
        cell: Cell | None = row.__dict__.get(name)
        if cell is None:
            row.__dict__[name] = None if value is None else Cell(None, as_text(value))
        elif type(value) is Unreadable and type(self.__get__(row)) is Unreadable:
            return  # what could not be read stays as it is
        elif cell.plain is UNSET or cell.plain != value:
            row.__dict__[name] = Cell(None, as_text(value), prior=cell.prior if cell.token is None else cell)


def as_text(value: Any) -> Any:
    """Return a plain `str` for text of a subclass, such as SafeString; anything else is refused when it is saved."""
    return str.__str__(value) if isinstance(value, str) and type(value) is not Unreadable else value


if TYPE_CHECKING:
    from django.db.models import Field
    from django.utils.functional import _StrOrPromise
else:

    class Field(models.Field):
        """Django's field takes type parameters only where types are checked."""

        def __class_getitem__(cls, types):
            return cls


SetType = TypeVar("SetType", contravariant=True)
GetType = TypeVar("GetType", covariant=True)


class EncryptedTextField(Field[SetType, GetType]):
    """Text sealed to its row with AES-256-GCM. Only `isnull` looks into it; find rows by a blind index beside it.

    Models that have one derive from EncryptedModel and make their key themselves, before the insert. `label` freezes
    the name that tokens are bound to: give it the old `table NUL column` before a table or column is renamed.
    """

    descriptor_class = SealedAttribute
    _pyi_private_set_type: str  # what django-stubs reads; with null=True it adds None
    _pyi_private_get_type: str

    def __init__(
        self,
        verbose_name: "_StrOrPromise | None" = None,
        *,
        max_length: int = 200,
        label: str | None = None,
        **kwargs: Any,
    ) -> None:
        for option in ("primary_key", "unique", "db_index"):
            if kwargs.get(option):
                raise FieldError(f"an encrypted field takes no {option}")
        self.frozen_label = label
        self.label = b""
        super().__init__(verbose_name, max_length=max_length, **kwargs)
        self.validators.append(MaxLengthValidator(max_length))

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        if self.frozen_label is not None:
            kwargs["label"] = self.frozen_label
        return name, "lk_site.encryption.EncryptedTextField", args, kwargs

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        if cls._meta.abstract:
            return
        self.label = (self.frozen_label or f"{cls._meta.db_table}\0{self.column}").encode()
        if len(self.label) > 255:
            raise FieldError(f"the label of {name} is longer than 255 bytes: freeze a shorter one")
        setattr(cls, self.attname, self.descriptor_class(self))  # Django leaves it out when a base has the name already

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        from lk_site.encryption.models import EncryptedModel

        messages = super().check(**kwargs)
        if not issubclass(self.model, EncryptedModel):
            messages.append(
                checks.Error("A model with an encrypted field is an EncryptedModel.", obj=self, id="lk.E001")
            )
        if isinstance(self.model._meta.pk, models.AutoField):
            messages.append(checks.Error("The key of a row is made before it is sealed.", obj=self, id="lk.E002"))
        return messages

    # --- reading

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Cell | None:
        return None if value is None else Cell(bytes(value))

    def key_of(self, row: models.Model) -> RowKey:
        """Return the row's own key as the database has it."""
        pk = self.model._meta.pk
        value = getattr(row, pk.attname)
        return cast(RowKey, pk.to_python(value) if type(value) is str else value)

    def shown(self, cell: Cell, row: models.Model) -> str:
        """Return the text of a cell, or, having logged it, that it is unavailable."""
        return open_cell(cell, self, self.key_of(row))

    # --- writing

    def pre_save(self, row: models.Model, add: bool) -> Cell | None:
        """Return the sealed cell of a row. An untouched or equal text keeps its token."""
        cell: Cell | None = row.__dict__.get(self.attname)
        if cell is None:
            return None
        key = self.key_of(row)
        if cell.token is None or (cell.key is not None and cell.key != key):
            cell = row.__dict__[self.attname] = self.sealed(cell, key)
        return cell

    def sealed(self, cell: Cell, key: RowKey) -> Cell | None:
        """Return a cell whose token belongs to the row of this key."""
        if key is None:
            raise FieldError(f"{self.name} is encrypted: the row's key must be made before it is saved")
        text = self.written(cell, key)
        if text is None:
            return None
        if cell.prior is not None and cell.prior.plain == text and cell.prior.key in (None, key):
            return cell.prior
        return Cell(seal(text, self.label, key), text, key=key)

    def written(self, cell: Cell, key: RowKey) -> str | None:
        """Return the text that a cell asks to be written, or raise ValueUnreadable."""
        try:
            if cell.token is not None:
                return cell.open(self.label, key)
            if cell.prior is not None:
                cell.prior.plain = cell.prior.open(self.label, key)
        except CannotOpen:
            raise ValueUnreadable from None
        if type(cell.plain) is Unreadable:
            raise ValueUnreadable
        if cell.plain is not None and type(cell.plain) is not str:
            raise TypeError(f"{self.name} takes text, not {type(cell.plain).__name__}")
        return cell.plain

    def get_internal_type(self) -> str:
        return "BinaryField"

    def get_prep_value(self, value: Any) -> Any:
        return value

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if value is None:
            return None
        if type(value) is Cell and value.token is not None:
            return binary(value.token, connection)
        if value in ("", b""):  # the empty text has an empty token in every row
            return binary(b"", connection)
        raise FieldError(f"{self.name} is encrypted: only save() and bulk_create() write it")

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        if hasattr(value, "as_sql"):
            raise FieldError(f"{self.name} is encrypted: it takes no expression")
        return self.get_db_prep_value(value, connection)

    # --- refusing

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted: no lookup {lookup_name}, use the index beside it")
        return super().get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> Any:
        raise FieldError(f"{self.name} is encrypted: no lookup {lookup_name}, use the index beside it")

    # --- forms and fixtures

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, (Cell, Unreadable)):
            return value
        if isinstance(value, dict):  # of a fixture: a form sends text only
            return Cell(base64.b64decode(value["sealed"]))
        return str(value)

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Refuse at the field what saving would refuse: a new text in place of one that cannot be read."""
        cell = None if model_instance is None else model_instance.__dict__.get(self.attname)
        if cell is not None and cell.prior is not None and model_instance is not None:
            try:
                self.written(cell, self.key_of(model_instance))
            except ValueUnreadable as refusal:
                raise ValidationError(str(refusal), code=refusal.code) from None
        return super().clean(value, model_instance)

    def value_to_string(self, row: models.Model) -> Any:
        cell = self.pre_save(row, False)
        return None if cell is None else {"sealed": base64.b64encode(cell.token or b"").decode()}

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        current = getattr(instance, self.attname)
        if type(current) is Unreadable and data == current:
            return
        setattr(instance, self.attname, None if data == "" and self.null else data)

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": forms.CharField, "max_length": self.max_length, **kwargs})


def binary(data: bytes, connection: Any) -> Any:
    """Return bytes as the database's driver wants them."""
    return connection.Database.Binary(data)


def open_cell(cell: Cell, field: "EncryptedTextField[Any, Any]", key: RowKey) -> str:
    """Return the text of a cell of the row with this key; one that does not open is logged and shown as unavailable."""
    if cell.token is None and not isinstance(cell.plain, Unset):
        return cast(str, cell.plain)
    try:
        return cell.open(field.label, key)
    except CannotOpen as error:
        log.error("unreadable value: %s.%s of %s (%s)", field.model._meta.label, field.name, key, error)
        return Unreadable(UNREADABLE)


def encrypted_field(model: type[models.Model], name: str) -> EncryptedTextField[Any, Any]:
    """Return the encrypted field of a model, for `open_cell`."""
    field = model._meta.get_field(name)
    if not isinstance(field, EncryptedTextField):
        raise FieldError(f"{model._meta.label}.{name} is not encrypted")
    return field
