"""What an agent proves himself with beside the SMS: an authenticator app, and back-up codes for when it is lost.

Each change needs a fresh code, leaves an event, and is told to the agent by SMS, so that a thief cannot make it unseen.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.actor import Actor, ActorKind
from accounts.models import Action, AgentBackupCode, AgentTotp, Passkey, User
from accounts.services import limits, outbox, people, proofs, sessions, step_up, totp
from accounts.services.entry import CodeRefused
from accounts.services.limits import Refused
from accounts.services.proofs import BACKUP_CODE, codes_left
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.encryption import Unreadable, blind_index
from lk_site.errors import Clash, Invalid, InvalidValue, NotAllowed
from lk_site.formats import mask_phone
from lk_site.text import clean_text

PENDING_FOR = timedelta(hours=1)  # a secret that no app has confirmed by then is deleted
NOTICE_LIFE = timedelta(days=1)
NOTICES = "factor.notices"
TOLD = {  # what the agent is told; each fits one SMS of 70 characters in either language
    "totp.added": _("LK: the login asks for an app's code now. Not you? Call support"),
    "totp.removed": _("LK: the login no longer asks for an app's code. Not you? Call support"),
    "backup_codes.renewed": _("LK: new back-up codes were made. Not you? Call support"),
    "passkey.added": _("LK: a passkey was added to your login. Not you? Call support"),
    "passkey.removed": _("LK: a passkey was removed from your login. Not you? Call support"),
    "factors.removed": _("LK: support removed app and passkeys. Not you? Call support"),
}


class TotpExists(Clash):
    """An agent has one authenticator at a time."""

    code = "totp_exists"
    sentence = _("There is an authenticator app already. Remove it before you add another one.")


@dataclass(frozen=True, slots=True, repr=False)
class Enrolment:
    """What a new authenticator needs, shown until it is confirmed."""

    secret: str
    url: str


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person has, as he sees it."""

    totp: AgentTotp | None
    backup_codes_left: int


def factors_of(actor: Actor) -> Factors:
    """Return what the actor has. Raises NotAllowed for anyone but an agent."""
    user_id = agent_id_of(actor)
    return Factors(AgentTotp.objects.of(user_id).confirmed().first(), codes_left(user_id))


@unit_of_work
def begin_totp(*, actor: Actor) -> Enrolment:
    """Make a new secret for an authenticator; it opens nothing until `confirm_totp`. Needs a fresh code.

    Raises NotAllowed, FreshCodeRequired, TotpExists.
    """
    user = lock_self(actor)
    step_up.require_fresh_code(actor)
    if AgentTotp.objects.of(user.pk).confirmed().exists():
        raise TotpExists
    AgentTotp.objects.of(user.pk).delete()
    secret = totp.new_secret()
    AgentTotp(user=user, secret=secret).save(force_insert=True)
    return enrolment(user, secret)


def pending_totp(*, actor: Actor) -> Enrolment | None:
    """Return the secret that waits for its first code, or None. Needs a fresh code: who has it can make codes.

    Raises NotAllowed, FreshCodeRequired.
    """
    user_id = agent_id_of(actor)
    step_up.require_fresh_code(actor)
    row = AgentTotp.objects.of(user_id).pending().filter(created_at__gt=timezone.now() - PENDING_FOR).first()
    if row is None or isinstance(row.secret, Unreadable):
        return None
    return enrolment(User.objects.get(pk=user_id), row.secret)


@unit_of_work
def confirm_totp(code: str, *, actor: Actor) -> list[str]:
    """Let the login ask for the authenticator from now on, and return ten back-up codes, shown once.

    Raises NotAllowed, AgentTotp.DoesNotExist where none waits, FreshCodeRequired, and CodeRefused for a wrong code.
    """
    user = lock_self(actor)
    row = AgentTotp.objects.of(user.pk).pending().get()
    step_up.require_fresh_code(actor)
    step = None if isinstance(row.secret, Unreadable) else totp.step_of(row.secret, code)
    if step is None:
        raise CodeRefused
    row.last_step, row.confirmed_at = step, timezone.now()
    row.save(update_fields=["last_step", "confirmed_at"])
    record(actor, Action.FACTOR_ADDED, user, kind="totp")
    tell(user, "totp.added", actor=actor)
    return new_backup_codes(user)


@unit_of_work
def remove_totp(*, actor: Actor) -> None:
    """Take the authenticator and the back-up codes away: the SMS alone logs in again.

    Raises NotAllowed, AgentTotp.DoesNotExist, FreshCodeRequired.
    """
    user = lock_self(actor)
    row = AgentTotp.objects.of(user.pk).confirmed().get()
    step_up.require_fresh_code(actor)
    row.delete()
    AgentBackupCode.objects.filter(user=user).delete()
    record(actor, Action.FACTOR_REMOVED, user, kind="totp")
    tell(user, "totp.removed", actor=actor)


@unit_of_work
def renew_backup_codes(*, actor: Actor) -> list[str]:
    """Return ten new back-up codes, shown once; the old ones open nothing any more.

    Raises NotAllowed, AgentTotp.DoesNotExist without an authenticator, FreshCodeRequired.
    """
    user = lock_self(actor)
    AgentTotp.objects.of(user.pk).confirmed().get()
    step_up.require_fresh_code(actor)
    record(actor, Action.FACTOR_CHANGED, user, kind="backup_codes")
    tell(user, "backup_codes.renewed", actor=actor)
    return new_backup_codes(user)


@unit_of_work
def remove_factors(user_id: UUID, *, reason: str, actor: Actor) -> None:
    """Take all factors of an agent who has lost them away, for staff, who have made sure whom they speak to.

    His sessions end. Raises NotAllowed, User.DoesNotExist, Invalid without a reason.
    """
    people.must_be_staff(actor)
    reason = cleaned_reason(reason)
    user = people.lock_person(user_id)
    AgentTotp.objects.of(user.pk).delete()
    AgentBackupCode.objects.filter(user=user).delete()
    Passkey.objects.of(user.pk).delete()
    sessions.end_all(user.pk, actor=actor)
    record(actor, Action.FACTOR_REMOVED, user, kind="all", text=reason)
    tell(user, "factors.removed", actor=actor)


def enrolment(user: User, secret: str) -> Enrolment:
    return Enrolment(secret, totp.url_of(secret, mask_phone(user.phone or "")))


def new_backup_codes(user: User) -> list[str]:
    """Put ten new back-up codes in the place of the old ones, and return them as they are shown."""
    AgentBackupCode.objects.filter(user=user).delete()
    codes = totp.new_backup_codes()
    AgentBackupCode.objects.bulk_create(
        AgentBackupCode(user=user, digest=blind_index("codes", BACKUP_CODE, user.pk, code)) for code in codes
    )
    return [totp.written(code) for code in codes]


def cleaned_reason(reason: str) -> str:
    """Return why staff remove factors. Raises Invalid without a reason."""
    try:
        cleaned = clean_text(reason, people.REASON_AT_MOST)
    except InvalidValue as error:
        raise Invalid(errors=[error.at("reason")]) from error
    if not cleaned:
        raise Invalid.at("reason", "required", _("Say how you made sure who asks."))
    return cleaned


def tell(user: User, what: str, *, actor: Actor) -> None:
    """Let the agent know by SMS, in his language; at most so many a day, since a change needs a code each time."""
    if isinstance(limits.take(NOTICES, user.pk), Refused):
        return
    with override(user.language or settings.LANGUAGE_CODE):
        text = str(TOLD[what])
    address = actor.address if actor.kind == ActorKind.AGENT else None
    outbox.queue_sms(user.phone or "", text, useless_at=timezone.now() + NOTICE_LIFE, address=address)


def lock_self(actor: Actor) -> User:
    """Lock the actor's own row: changes of one person's factors follow one another. Raises NotAllowed."""
    return User.objects.lock(agent_id_of(actor))


def agent_id_of(actor: Actor) -> UUID:
    if actor.kind != ActorKind.AGENT or actor.user_id is None:
        raise NotAllowed
    return actor.user_id


def has_factors(user_id: UUID) -> bool:
    """Return whether there is anything that staff could remove."""
    return proofs.asks_for_totp(user_id) or Passkey.objects.of(user_id).exists()


def sweep(now: datetime) -> None:
    """Delete secrets that no app has confirmed."""
    AgentTotp.objects.pending().filter(created_at__lt=now - PENDING_FOR).delete()
