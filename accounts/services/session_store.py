"""Sessions as Django asks for them, over rows that can be seen and ended.

One prepared statement gives session, person and agency: with Django's own store the same list costs twice as much.
What ends a session stands in its row; the cookie's age decides nothing.
"""

import json
import secrets
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.db import DatabaseError
from django.utils import timezone

from accounts.models import Agency, Session, User, UserKind
from accounts.models.base import hash_of
from lk_site.encryption import Unreadable
from lk_site.hot_reads import Compiled, Param

KEY_BYTES = 32
SESSION_COLUMNS = (
    *("id", "user_id", "is_own_device", "data"),
    *("created_at", "seen_at", "idle_until", "expires_at", "ended_at"),
)
USER_COLUMNS = tuple(field.attname for field in User._meta.concrete_fields)
AGENCY_COLUMNS = tuple(field.attname for field in Agency._meta.concrete_fields)
KEPT_BY_THE_ROW = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)

WHO_ASKS = Compiled(
    lambda: Session.objects.filter(key_hash=Param("key_hash", Session._meta.get_field("key_hash"))).cells(
        *SESSION_COLUMNS,
        *(f"user__{name}" for name in USER_COLUMNS),
        *(f"user__agency__{name}" for name in AGENCY_COLUMNS),
    )
)


def new_key() -> str:
    """Return the id of a new session, as its cookie carries it."""
    return secrets.token_urlsafe(KEY_BYTES)


def row_of(key: str) -> Session | None:
    """Return the session of a cookie with its person and agency, whatever its state; one statement."""
    found = WHO_ASKS.row(key_hash=hash_of(key))
    if found is None:
        return None
    user_from, agency_from = len(SESSION_COLUMNS), len(SESSION_COLUMNS) + len(USER_COLUMNS)
    row = Session.from_db("default", SESSION_COLUMNS, found[:user_from])
    row.user = User.from_db("default", USER_COLUMNS, found[user_from:agency_from])
    if row.user.agency_id is not None:
        row.user.agency = Agency.from_db("default", AGENCY_COLUMNS, found[agency_from:])
    return row


def new_row(
    key: str, user: User, *, own_device: bool = False, browser: str = "", address: str | None = None
) -> Session:
    """Insert and return a session that begins now."""
    now = timezone.now()
    row = Session(
        key_hash=hash_of(key),
        user=user,
        is_own_device=own_device,
        browser=browser,
        address=address,
        created_at=now,
        seen_at=now,
    )
    row.idle_until, row.expires_at = now + row.idle_for, now + row.lives_for
    row.save(force_insert=True)
    return row


class SessionStore(SessionBase):
    """A session of one kind of person. Nobody's session is never stored.

    `user` is who is signed in, or None; `row` the live row; `former_user_id` whose session it was if it has ended.
    """

    def __init__(self, session_key: str | None = None, kind: str = UserKind.AGENT) -> None:
        super().__init__(session_key)
        self.kind = kind
        self.row: Session | None = None
        self.former_user_id: UUID | None = None
        self.is_left = False  # the person left it in this request: its cookie goes

    @classmethod
    def of(cls, key: str, row: Session) -> Self:
        """Return the store of a session just opened."""
        store = cls(key, row.user.kind)
        store.row, store._session_cache = row, {}  # type: ignore[attr-defined]
        return store

    @property
    def user(self) -> User | None:
        self._get_session()  # type: ignore[attr-defined]
        return self.row.user if self.row else None

    def load(self) -> dict[str, Any]:
        row = row_of(self.session_key or "")
        if row is None or row.user.kind != self.kind:
            self._session_key = None
            return {}
        now = timezone.now()
        if not row.is_live(now):
            self.former_user_id = row.user_id
            return {}
        self.row = row
        note_seen(row, now)
        return {} if isinstance(row.data, Unreadable) else dict(json.loads(row.data or "{}"))

    def save(self, must_create: bool = False) -> None:
        data = dict(self._get_session(no_load=must_create))  # type: ignore[attr-defined]
        user_id = data.get(SESSION_KEY)
        for name in KEPT_BY_THE_ROW:
            data.pop(name, None)
        if self.row is None and user_id is not None:
            self._session_key = self.session_key or new_key()
            self.row = new_row(self._session_key, User.objects.get(pk=user_id))
        if self.row is not None:
            store_data(self.row, json.dumps(data) if data else "")

    def create(self) -> None:
        self._session_key = new_key()
        self.modified = True

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(key_hash=hash_of(session_key)).exists()

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if not key:
            return
        Session.objects.filter(key_hash=hash_of(key)).delete()
        if key == self.session_key:
            self.row, self.is_left = None, True


def note_seen(row: Session, now: datetime) -> None:
    """Move the idle end, at most once a minute."""
    if not row.is_seen_again(now):
        return
    row.seen_at, row.idle_until = now, now + row.idle_for
    Session.objects.filter(pk=row.pk, ended_at=None).update(seen_at=row.seen_at, idle_until=row.idle_until)


def store_data(row: Session, data: str) -> None:
    if row.data == data or isinstance(row.data, Unreadable):
        return
    row.data = data
    try:
        row.save(update_fields=["data"])
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # that one says: no such row any more, it was ended in another tab
            raise
