"""Codes of an agent's authenticator and of its back-up, used up one by one, with tries that are counted exactly."""

from uuid import UUID

from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, AgentBackupCode, AgentTotp, Purpose, User
from accounts.services import limits, totp
from accounts.services.limits import Refused
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.encryption import Unreadable, blind_indexes

FAILURES = "factor.failures"
BACKUP_CODE = "agent.backup_code"  # what the digest of a back-up code is bound to


def asks_for_totp(user_id: UUID) -> bool:
    """Return whether the SMS does not suffice for this person."""
    return AgentTotp.objects.of(user_id).confirmed().exists()


def codes_left(user_id: UUID) -> int:
    return AgentBackupCode.objects.filter(user_id=user_id, used_at=None).count()


@unit_of_work
def use_code(user: User, code: str, *, purpose: Purpose, actor: Actor) -> bool:
    """Use up a code of the app, or a back-up code; tell whether it was one. Each try is counted before it is looked at.

    Login and confirmation are counted apart: who has stolen a session cannot lock its person out of the login.
    """
    if isinstance(limits.take_try(FAILURES, purpose.value, user.pk), Refused):
        return False
    if not (use_totp(user.pk, code) if totp.is_totp(code) else use_backup_code(user, code, actor=actor)):
        return False
    limits.clear([FAILURES], purpose.value, user.pk)
    return True


def forgive(user_id: UUID) -> None:
    """Forget the failures of a person. For staff, who record it."""
    for purpose in Purpose:
        limits.clear([FAILURES], purpose.value, user_id)


def use_totp(user_id: UUID, code: str) -> bool:
    """Use up a code's time step: neither it nor an older one opens anything again, however many ask at once."""
    row = AgentTotp.objects.of(user_id).confirmed().first()
    if row is None or isinstance(row.secret, Unreadable):
        return False
    step = totp.step_of(row.secret, code)
    return step is not None and bool(AgentTotp.objects.filter(pk=row.pk, last_step__lt=step).update(last_step=step))


def use_backup_code(user: User, code: str, *, actor: Actor) -> bool:
    """Use up a back-up code, which leaves an event."""
    digests = blind_indexes("codes", BACKUP_CODE, user.pk, code)
    unused = AgentBackupCode.objects.filter(user=user, digest__in=digests, used_at=None)
    if not unused.update(used_at=timezone.now()):
        return False
    record(actor, Action.BACKUP_CODE_USED, user, left=codes_left(user.pk))
    return True
