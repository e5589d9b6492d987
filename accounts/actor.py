"""Who is asking. Every service takes an actor by name; every query of the work asks it what may be seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from django.db.models import TextChoices
from django.http import HttpRequest

from accounts.models import ApiKey, User


class ActorKind(TextChoices):
    AGENT = "agent"
    KEY = "key"  # a program of an agency: sees what its head sees, within its scopes
    STAFF = "staff"
    SYSTEM = "system"
    NOBODY = "nobody"  # not signed in: may log in, and leaves evidence when that fails


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a program, or LK itself, and where the request came from."""

    kind: ActorKind
    user: User | None = None
    agency_id: UUID | None = None
    user_id: UUID | None = None
    is_head: bool = False
    address: str | None = None
    request_id: str = ""
    session_id: UUID | None = None
    key: ApiKey | None = None
    scopes: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, user: User, *, address: str | None = None, request_id: str = "", session_id: UUID | None = None
    ) -> Self:
        """Return the actor that this person is."""
        return cls(
            kind=ActorKind.STAFF if user.is_staff else ActorKind.AGENT,
            user=user,
            agency_id=user.agency_id,
            user_id=user.pk,
            is_head=user.is_head and not user.is_staff,
            address=address,
            request_id=request_id,
            session_id=session_id,
        )

    @classmethod
    def of_key(cls, key: ApiKey, *, address: str | None = None, request_id: str = "") -> Self:
        """Return the actor that a program with this key is."""
        return cls(
            kind=ActorKind.KEY,
            agency_id=key.agency_id,
            is_head=True,
            address=address,
            request_id=request_id,
            key=key,
            scopes=frozenset(key.scopes),
        )

    @classmethod
    def nobody(cls, *, address: str | None = None, request_id: str = "") -> Self:
        return cls(kind=ActorKind.NOBODY, address=address, request_id=request_id)

    @classmethod
    def system(cls, *, request_id: str = "") -> Self:
        """Return LK itself: sweeps and commands."""
        return cls(kind=ActorKind.SYSTEM, request_id=request_id)

    @property
    def id(self) -> UUID | None:
        """The person or the program: who did it, in evidence, and whose limits count."""
        return self.key.pk if self.key else self.user_id

    @property
    def is_signed_in(self) -> bool:
        return self.user is not None or self.key is not None

    @property
    def is_key(self) -> bool:
        return self.kind == ActorKind.KEY

    @property
    def is_staff(self) -> bool:
        return self.kind == ActorKind.STAFF


class ActorRequest(HttpRequest):
    """A request as our middleware leaves it."""

    actor: Actor
    client_address: str | None
    id: str
    kept_forms: dict[str, dict[str, list[str]]]  # by where they post to; see `kept_middleware.kept_initial`


IN_FORCE: ContextVar[Actor | None] = ContextVar("actor", default=None)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Let change records made inside name this actor, unless the service that makes them names its own."""
    token = IN_FORCE.set(actor)
    try:
        yield
    finally:
        IN_FORCE.reset(token)


def current_actor() -> Actor:
    """Return the actor in force; outside of a request that is LK itself."""
    return IN_FORCE.get() or Actor.system()
