"""Staff: how they are made, and how they prove themselves: a password, and a code of the authenticator or of paper."""

import re
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, StaffBackupCode, StaffTotp, User, UserKind
from accounts.services import evidence, limits, sessions, totp
from accounts.services.limits import Use
from accounts.services.unit_of_work import record, unit_of_work
from lk_site import addresses
from lk_site.encryption import blind_index, blind_indexes
from lk_site.errors import Clash, DomainError, FieldError, Invalid

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{2,49}", re.ASCII)
BACKUP_CODE = "staff.backup_code"
FAILURES_ACCOUNT, FAILURES_SOURCE = "staff.failures.account", "staff.failures.source"


class StaffRefused(DomainError):
    """Login, password or code is wrong, or there were too many failures: one answer for all of them."""

    code = "staff_refused"
    status = 403
    sentence = _("Login, password or code is wrong, or there were too many tries. After five, wait 15 minutes.")


class LoginTaken(Clash):
    """Two members of staff cannot share a login."""

    code = "login_taken"
    sentence = _("This login is taken.")


class Proof(NamedTuple):
    """What a person types to enter the admin."""

    login: str
    password: str
    code: str


@dataclass(frozen=True, slots=True, repr=False)
class Enrolment:
    """What a new authenticator needs, shown once and never again."""

    login: str
    secret: str
    backup_codes: list[str]

    @property
    def url(self) -> str:
        """The secret as an authenticator app scans it."""
        return totp.url_of(self.secret, self.login)


class StaffBackend(BaseBackend):
    """Django's door to the same check. Agents have no password and no backend: they log in by code."""

    def authenticate(
        self, request: HttpRequest | None, login: str = "", password: str = "", code: str = "", **kwargs: Any
    ) -> User | None:
        """Return the member of staff, or None; the refusal is counted and recorded by then."""
        actor: Actor = getattr(request, "actor", None) or Actor.nobody()
        try:
            return check_proof(Proof(login, password, code), actor=actor)
        except StaffRefused:
            return None

    def get_user(self, user_id: UUID) -> User | None:
        return User.objects.staff().active().filter(pk=user_id).first()


def check_proof(proof: Proof, *, actor: Actor) -> User:
    """Return the member of staff who proves himself, or raise StaffRefused once the failure is counted and recorded.

    A try is counted before it is looked at, so that parallel ones get no more looks than the limits say; a success
    takes its count back.
    """
    proof = proof._replace(login=proof.login.strip().casefold()[:200], code=re.sub(r"[\s-]", "", proof.code).lower())
    uses = [Use(FAILURES_ACCOUNT, (proof.login,)), Use(FAILURES_SOURCE, (addresses.source(actor.address),))]
    user = prove(proof) if limits.take_all(uses) else None
    if user is None:
        evidence.failed_login(actor, Action.STAFF_LOGIN_FAILED)
        raise StaffRefused
    limits.clear([FAILURES_ACCOUNT], proof.login)
    limits.give_back(FAILURES_SOURCE, addresses.source(actor.address))
    return user


def prove(proof: Proof) -> User | None:
    """Return the member of staff whose password and code these are. An unknown login costs the same time."""
    user = User.objects.staff().active().filter(login=proof.login).first()
    if not check_password(proof.password, user.password if user else unusable_password()):
        return None
    return user if user and use_code(user, proof.code) else None


@cache
def unusable_password() -> str:
    """Return a hash that no password fits, as costly to check as a real one."""
    return make_password(secrets.token_urlsafe())


def log_in(proof: Proof, *, browser: str, actor: Actor) -> sessions.OpenSession:
    """Open a session of the admin. Raises StaffRefused."""
    user = check_proof(proof, actor=actor)
    with unit_of_work():
        user = User.objects.lock(user.pk)
        opened = sessions.open_session(user, own_device=False, browser=browser, actor=actor)
        record(Actor.of(user, address=actor.address, request_id=actor.request_id), Action.STAFF_LOGGED_IN, user)
    return opened


def use_code(user: User, code: str) -> bool:
    """Use up a code of the authenticator, or a back-up code; tell whether it was one."""
    return use_totp(user, code) if totp.is_totp(code) else use_backup_code(user, code)


def use_totp(user: User, code: str) -> bool:
    """Use up a code's time step: neither it nor an older one opens anything again, however many ask at once."""
    row = StaffTotp.objects.filter(user=user).first()
    step = row and totp.step_of(row.secret or "", code)
    if row is None or step is None:
        return False
    return bool(StaffTotp.objects.filter(pk=row.pk, last_step__lt=step).update(last_step=step))


def use_backup_code(user: User, code: str) -> bool:
    """Use up a back-up code."""
    digests = blind_indexes("codes", BACKUP_CODE, user.pk, code)
    unused = StaffBackupCode.objects.filter(user=user, digest__in=digests, used_at=None)
    return bool(unused.update(used_at=timezone.now()))


@unit_of_work
def add_staff(login: str, password: str, *, actor: Actor) -> Enrolment:
    """Make a member of staff, and return what his authenticator needs. Raises Invalid, LoginTaken."""
    user = User(kind=UserKind.STAFF, login=cleaned_login(login))
    if User.objects.filter(login=user.login).exists():
        raise LoginTaken
    user.password = hashed(password, user)
    user.save(force_insert=True)
    record(actor, Action.STAFF_ADDED, user)
    return enrol(user)


@unit_of_work
def reset_totp(login: str, *, actor: Actor) -> Enrolment:
    """Replace a lost authenticator and all back-up codes; sessions end. Raises User.DoesNotExist."""
    user = lock_staff(login)
    sessions.end_all(user.pk, actor=actor)
    record(actor, Action.STAFF_CHANGED, user, fields=["totp"])
    return enrol(user)


@unit_of_work
def set_password(login: str, password: str, *, actor: Actor) -> User:
    """Give a member of staff another password; sessions end. Raises User.DoesNotExist, Invalid."""
    user = lock_staff(login)
    user.password = hashed(password, user)
    user.save_changes("password")
    sessions.end_all(user.pk, actor=actor)
    record(actor, Action.STAFF_CHANGED, user)
    return user


@unit_of_work
def set_staff_active(login: str, is_active: bool, *, actor: Actor) -> User:
    """Shut a member of staff out, his sessions ending at once, or let him in again. Raises User.DoesNotExist."""
    user = lock_staff(login)
    if user.is_active == is_active:
        return user
    user.is_active = is_active
    user.save_changes("is_active")
    sessions.end_all(user.pk, actor=actor)
    record(actor, Action.STAFF_CHANGED, user, is_active=is_active)
    return user


def lock_staff(login: str) -> User:
    return User.objects.staff().select_for_update(of=("self",), no_key=True).get(login=login.strip().casefold())


def enrol(user: User) -> Enrolment:
    """Give a member of staff a new secret and ten new back-up codes in place of the old ones."""
    StaffTotp.objects.filter(user=user).delete()
    StaffBackupCode.objects.filter(user=user).delete()
    secret = totp.new_secret()
    StaffTotp(user=user, secret=secret).save(force_insert=True)
    codes = totp.new_backup_codes()
    StaffBackupCode.objects.bulk_create(
        StaffBackupCode(user=user, digest=blind_index("codes", BACKUP_CODE, user.pk, code)) for code in codes
    )
    return Enrolment(user.login or "", secret, [totp.written(code) for code in codes])


def cleaned_login(login: str) -> str:
    """Return a login as it is stored. Raises Invalid."""
    cleaned = login.strip().casefold()
    if not LOGIN.fullmatch(cleaned):
        raise Invalid.at("login", "invalid", _("3 to 50 Latin letters, digits, dots, dashes; a letter or digit first."))
    return cleaned


def hashed(password: str, user: User) -> str:
    """Return the hash of a password that is good enough. Raises Invalid."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(errors=[FieldError("password", "weak", message) for message in error.messages]) from error
    return make_password(password)
