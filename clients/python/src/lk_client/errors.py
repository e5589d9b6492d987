"""What can go wrong. Every refusal of LK is a `Refused` with the problem document (RFC 9457) that LK sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KNOWN = frozenset({"type", "title", "status", "detail", "code", "instance", "request_id", "errors"})


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field: `pointer` is a JSON pointer into the body, or `?name` of a parameter."""

    pointer: str
    code: str
    message: str


@dataclass(frozen=True)
class Problem:
    """A refusal as LK words it. `code` is for programs and never changes, `detail` is for people.

    `extra` holds the members that only this refusal has: `current_version` of `stale`, `client` of `client_exists`.
    `code` is empty where the answer was no problem document: something between you and LK answered.
    """

    status: int
    code: str = ""
    title: str = ""
    detail: str = ""
    request_id: str = ""
    errors: tuple[FieldError, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        named = "; ".join(f"{error.pointer}: {error.message}" for error in self.errors)
        said = f"{self.status} {self.code or self.title}: {self.detail}"
        return f"{said} [{named}]" if named else said


class LkError(Exception):
    """Everything that this package raises about a call.

    `idempotency_key` is the key that the call carried: repeat the call with it, and the change happens once.
    """

    idempotency_key: str | None = None


class NoAnswer(LkError):
    """LK could not be reached, or did not answer in time, as often as it was tried.

    Whether a change was made is not known. Repeat it with the same `idempotency_key`.
    """


class UnexpectedAnswer(LkError):
    """The answer is not what the API says: a member is missing, or it is not JSON."""


class NotDone(LkError):
    """An operation of long work failed, or was not done within the time that you gave it."""


class Refused(LkError):
    """LK said no. `problem` is the whole document."""

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.retry_after = retry_after

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def errors(self) -> tuple[FieldError, ...]:
        return self.problem.errors

    @property
    def request_id(self) -> str:
        return self.problem.request_id


class BadRequest(Refused):
    """400, 411, 413, 415 and other refusals of a request that cannot be read."""


class KeyRefused(Refused):
    """401: the key is wrong, expired, revoked, or asks from a network that it is not for."""


class NotAllowed(Refused):
    """403: the key may not do this."""


class ScopeMissing(NotAllowed):
    """403 `scope_missing`: the key has none of the scopes that would do."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """Return the scopes any one of which would do."""
        return _texts(self.problem.extra.get("scopes"))


class NotForKeys(NotAllowed):
    """403 `not_for_keys`: only people may do this."""


class NotFound(Refused):
    """404: there is nothing here that the key may see."""


class Conflict(Refused):
    """409: another row stands in the way."""


class ClientExists(Conflict):
    """409 `client_exists`: a client with this phone is there under another name."""

    @property
    def client(self) -> str | None:
        """The id of the client who is there."""
        return _text(self.problem.extra.get("client"))


class Gone(Refused):
    """410."""


class CursorExpired(Gone):
    """410 `cursor_expired`: the feed keeps 30 days. Copy everything again, then follow from a new cursor."""


class Stale(Refused):
    """412: the row was changed since the version that you have."""

    @property
    def current_version(self) -> int | None:
        found = self.problem.extra.get("current_version")
        return found if isinstance(found, int) else None

    @property
    def changed_fields(self) -> tuple[str, ...]:
        return _texts(self.problem.extra.get("changed_fields"))


class Invalid(Refused):
    """422: values do not fit, or a rule forbids this; `errors` names the fields."""


class NotCarriedOut(Refused):
    """424 `not_done`: of an atomic list another item was refused, and so this one was not done."""


class VersionRequired(Refused):
    """428: pass the object, or its `version`."""


class LimitReached(Refused):
    """429: too many calls, and `retry_after` seconds are longer than the client waits by itself."""


class ServerError(Refused):
    """5xx, as often as it was tried."""


BY_CODE: dict[str, type[Refused]] = {
    "client_exists": ClientExists,
    "cursor_expired": CursorExpired,
    "not_for_keys": NotForKeys,
    "scope_missing": ScopeMissing,
}
BY_STATUS: dict[int, type[Refused]] = {
    401: KeyRefused,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Stale,
    422: Invalid,
    424: NotCarriedOut,
    428: VersionRequired,
    429: LimitReached,
}


def refusal(problem: Problem, retry_after: float | None = None) -> Refused:
    """Return the exception for a problem: by its code where that has one of its own, else by its status."""
    kind = BY_CODE.get(problem.code) or BY_STATUS.get(problem.status)
    if kind is None:
        kind = ServerError if problem.status >= 500 else BadRequest
    return kind(problem, retry_after=retry_after)


def problem_of(status: int, document: Any, request_id: str = "") -> Problem:
    """Return the problem that a document says, or one without a code where it says none."""
    if not isinstance(document, dict) or not isinstance(document.get("code"), str):
        return Problem(status, title="No problem document", detail=f"The answer was {status}.", request_id=request_id)
    return Problem(
        status=status,
        code=document["code"],
        title=_text(document.get("title")) or "",
        detail=_text(document.get("detail")) or "",
        request_id=_text(document.get("request_id")) or request_id,
        errors=_field_errors(document.get("errors")),
        extra={name: value for name, value in document.items() if name not in KNOWN},
    )


def _field_errors(found: Any) -> tuple[FieldError, ...]:
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return tuple(
        FieldError(str(row.get("pointer", "")), str(row.get("code", "")), str(row.get("message", ""))) for row in rows
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
