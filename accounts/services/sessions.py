"""Sessions of people: opened by a login, seen as a list of devices, ended one by one or all at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, Session, User
from accounts.models.base import hash_of
from accounts.models.sessions import SessionQuerySet
from accounts.services.session_store import new_key, new_row
from accounts.services.unit_of_work import record, unit_of_work
from lk_site import metrics

BROWSER_AT_MOST = Session._meta.get_field("browser").max_length or 0
KEPT_FOR = timedelta(days=1)  # security.md 2.8: an ended row is kept a day, unusable


@dataclass(frozen=True, slots=True, repr=False)
class OpenSession:
    """A session just opened. `key` goes into its cookie and is known nowhere else."""

    key: str
    row: Session


@unit_of_work
def open_session(user: User, *, own_device: bool, browser: str, actor: Actor) -> OpenSession:
    """Open a session for a person who has just proved who he is; `actor` is nobody, and tells the address.

    At most ten stay: the oldest ends. The caller holds the lock of the person's row.
    """
    key = new_key()
    row = new_row(key, user, own_device=own_device, browser=browser[:BROWSER_AT_MOST], address=actor.address)
    now_in = Actor.of(user, address=actor.address, request_id=actor.request_id, session_id=row.pk)
    record(now_in, Action.SESSION_OPENED, row, agency_id=user.agency_id, own_device=own_device)
    too_many = (
        Session.objects.of(user.pk).live(timezone.now()).order_by("-created_at", "-id")[settings.SESSIONS_AT_MOST :]
    )
    end(list(too_many), "too_many", actor=now_in, agency_id=user.agency_id)
    metrics.SESSIONS_OPENED.add()
    return OpenSession(key, row)


@unit_of_work
def confirm(*, actor: Actor) -> OpenSession:
    """Write that the actor's session was proved by a code just now, and give it a new id. Raises Session.DoesNotExist.

    Whoever had the old id, had he stolen it, is out.
    """
    if actor.session_id is None:
        raise Session.DoesNotExist
    row = own_sessions(actor).filter(pk=actor.session_id).select_related("user").select_for_update(of=("self",)).get()
    key = new_key()
    row.key_hash, row.confirmed_at = hash_of(key), timezone.now()
    row.save(update_fields=["key_hash", "confirmed_at"])
    record(actor, Action.SESSION_CONFIRMED, row)
    return OpenSession(key, row)


def devices_of(actor: Actor) -> list[Session]:
    """Return the actor's live sessions, the last used first."""
    if actor.user_id is None:
        return []
    return list(Session.objects.of(actor.user_id).live(timezone.now()).order_by("-seen_at", "-id"))


@unit_of_work
def end_session(session_id: UUID, *, actor: Actor) -> None:
    """End one of the actor's own sessions. Raises Session.DoesNotExist for any other and for one that has ended."""
    end([own_sessions(actor).select_for_update().get(pk=session_id)], "by_person", actor=actor)


@unit_of_work
def end_other_sessions(*, actor: Actor) -> int:
    """End the actor's sessions but the one he asks from, and return how many there were."""
    live = own_sessions(actor).select_for_update().order_by("id")
    return end([row for row in live if row.pk != actor.session_id], "by_person", actor=actor)


@unit_of_work
def end_all(user_id: UUID, *, actor: Actor) -> int:
    """End all sessions of a person, as staff do and as a disabling does; return how many there were."""
    live = Session.objects.of(user_id).live(timezone.now()).select_for_update(of=("self",))
    rows = list(live.select_related("user").order_by("id"))
    return end(rows, "by_staff", actor=actor, agency_id=rows[0].user.agency_id if rows else None)


@unit_of_work
def log_out(*, actor: Actor) -> None:
    """Delete the session that the actor asks from."""
    row = Session.objects.filter(pk=actor.session_id).first() if actor.session_id else None
    if row is None:
        return
    record(actor, Action.SESSION_ENDED, row, why="logout")
    row.delete()


def own_sessions(actor: Actor) -> SessionQuerySet:
    if actor.user_id is None:
        return Session.objects.none()
    return Session.objects.of(actor.user_id).live(timezone.now())


def end(rows: Iterable[Session], why: str, *, actor: Actor, agency_id: UUID | None = None) -> int:
    """Make these rows unusable, record it, and return how many they were. They are kept a day."""
    ids = []
    for row in rows:
        ids.append(row.pk)
        record(actor, Action.SESSION_ENDED, row, agency_id=agency_id, why=why)
    if ids:
        Session.objects.filter(pk__in=ids).update(ended_at=timezone.now())
    return len(ids)


def sweep(now: datetime) -> None:
    """Delete sessions that ended, idled out or lived out more than a day ago."""
    Session.objects.over(now - KEPT_FOR).delete()
