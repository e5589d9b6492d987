"""How LK says no: a stable code for programs and a sentence for people, mapped to answers in one place."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with one field: `field` is its name, or a JSON pointer where fields nest."""

    field: str
    code: str
    message: "_StrOrPromise"

    @property
    def pointer(self) -> str:
        """Return where the field stands: in a JSON body as RFC 6901 writes it, `?name` for a parameter of the query."""
        if not self.field or self.field.startswith(("/", "?")):
            return self.field
        return "/" + self.field.replace("~", "~0").replace("/", "~1")


class DomainError(Exception):
    """A refusal by a rule. Subclasses stand next to the rule that raises them and say which code, status and sentence.

    `detail` replaces the sentence of the class, `errors` name fields, and the keyword arguments are facts for programs
    (members of the problem document).
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 422
    sentence: ClassVar["_StrOrPromise"] = _("This cannot be done.")
    facts: ClassVar[dict[str, Any]] = {}  # an example of the members that its document has of its own

    def __init__(
        self, detail: "_StrOrPromise | None" = None, *, errors: Iterable[FieldError] = (), **extra: Any
    ) -> None:
        super().__init__(self.code)
        self.detail: _StrOrPromise = self.sentence if detail is None else detail
        self.errors = list(errors)
        self.extra = extra

    def __str__(self) -> str:
        return str(self.detail)


class Invalid(DomainError):
    """Fields break rules that a shape cannot say."""

    code = "invalid"
    sentence = _("Some fields need a change.")

    @classmethod
    def at(cls, field: str, code: str, message: "_StrOrPromise") -> "Invalid":
        """Return the refusal of one field."""
        return cls(errors=[FieldError(field, code, message)])


class NotAllowed(DomainError):
    """The actor sees the object, and may not do this with it."""

    code = "not_allowed"
    status = 403
    sentence = _("You may not do this.")


class ScopeMissing(DomainError):
    """The key of a program has none of the scopes that would do; its document names them."""

    code = "scope_missing"
    status = 403
    sentence = _("The key has no scope for this.")
    facts = {"scopes": ["clients:read"]}

    def __init__(self, scopes: Iterable[str]) -> None:
        super().__init__(scopes=sorted(scopes))


class Clash(DomainError):
    """Another row stands in the way."""

    code = "clash"
    status = 409
    sentence = _("This clashes with something that is already here.")


class VersionRequired(DomainError):
    """A change came without the version that it was made from."""

    code = "version_required"
    status = 428
    sentence = _("Say which version you are changing.")


class Stale(DomainError):
    """A change was made from a version that is no longer current; `changed_fields` changed since."""

    code = "stale"
    status = 412
    sentence = _("Someone has changed this meanwhile. Compare, then save again.")
    facts = {"current_version": 3, "changed_fields": ["price"]}

    def __init__(self, current_version: int, changed_fields: Iterable[str] = ()) -> None:
        self.current_version = current_version
        self.changed_fields = sorted(set(changed_fields))
        super().__init__(current_version=current_version, changed_fields=self.changed_fields)


class LimitReached(DomainError):
    """A limit is used up until `retry_after` seconds have passed."""

    code = "limit_reached"
    status = 429
    facts = {"retry_after": 600}

    def __init__(self, retry_after: int, detail: "_StrOrPromise | None" = None) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__(wait_sentence(self.retry_after) if detail is None else detail, retry_after=self.retry_after)


def wait_sentence(seconds: int) -> "_StrOrPromise":
    """Return how long to wait, in seconds below two minutes and in minutes above."""
    if seconds < 120:
        return ngettext_lazy("Too often. Try again in %d second.", "Too often. Try again in %d seconds.") % seconds
    minutes = -(-seconds // 60)
    return ngettext_lazy("Too often. Try again in %d minute.", "Too often. Try again in %d minutes.") % minutes


class InvalidValue(ValueError):
    """A value that a plain validation function refuses: a form error at the field, a 422 item in the API."""

    def __init__(self, code: str, message: "_StrOrPromise") -> None:
        super().__init__(code)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return str(self.message)

    def at(self, field: str) -> FieldError:
        """Return this refusal as that of a named field."""
        return FieldError(field, self.code, self.message)
