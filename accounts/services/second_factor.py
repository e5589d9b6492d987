"""The second half of a login: the code of an authenticator app, from a browser that has just proved the phone."""

import secrets
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, PendingLogin, Purpose, User
from accounts.models.base import hash_of
from accounts.services import entry, evidence, proofs
from accounts.services.entry import CodeRefused, LoggedIn
from accounts.services.unit_of_work import unit_of_work
from lk_site.errors import DomainError

TOKEN_BYTES = 16  # as of a challenge: 128 bits


class SecondFactorRequired(DomainError):
    """The phone is proved, and its person has an authenticator app: its code is asked for with the new challenge."""

    code = "second_factor_required"
    status = 403
    sentence = _("Now the code of your authenticator app, or a back-up code.")

    def __init__(self, token: str = "") -> None:
        super().__init__()
        self.token = token  # of the browser's challenge cookie from now on


def begin(agent: User, *, device_id: UUID, own_device: bool) -> SecondFactorRequired:
    """Let a login go on with the second factor, and return what tells so: to be raised once this has committed."""
    token, now = secrets.token_urlsafe(TOKEN_BYTES), timezone.now()
    PendingLogin(
        token_hash=hash_of(token),
        user=agent,
        device_id=device_id,
        is_own_device=own_device,
        created_at=now,
        expires_at=now + settings.CODE_LIFE,
    ).save(force_insert=True)
    return SecondFactorRequired(token)


def is_pending(token: str) -> bool:
    """Return whether this browser's login waits for the second factor."""
    return bool(token) and PendingLogin.objects.of_token(hash_of(token)).open(timezone.now()).exists()


def verify_code(code: str, *, token: str, browser: str, actor: Actor) -> LoggedIn:
    """Open the session of a login that waits for this code. Raises CodeRefused, once the try is recorded."""
    logged_in = try_code(code, token=token, browser=browser, actor=actor)
    if logged_in is None:
        raise CodeRefused
    return logged_in


@unit_of_work
def try_code(code: str, *, token: str, browser: str, actor: Actor) -> LoggedIn | None:
    """Look at a code once, count it, and return None for a refusal: the count commits with it."""
    pending = claim_look(token)
    if pending is None:
        evidence.failed_login(actor, Action.LOGIN_FAILED)
        return None
    agent = User.objects.select_related("agency").lock(pending.user_id)
    whose = Actor.of(agent, address=actor.address, request_id=actor.request_id)
    if not agent.is_active or not proofs.use_code(agent, code, purpose=Purpose.LOGIN, actor=whose):
        evidence.failed_login(actor, Action.LOGIN_FAILED, agent)
        return None
    pending.used_at = timezone.now()
    pending.save(update_fields=["used_at"])
    return entry.enter(
        agent, device_id=pending.device_id, own_device=pending.is_own_device, browser=browser, actor=actor
    )


def claim_look(token: str) -> PendingLogin | None:
    """Take one of the five looks of a login that waits, and return it locked, or None."""
    mine = PendingLogin.objects.of_token(hash_of(token))
    if not mine.open(timezone.now()).filter(attempts__lt=settings.CODE_TRIES).update(attempts=F("attempts") + 1):
        return None
    return mine.get()


def sweep(now: datetime) -> None:
    """Delete logins that waited in vain, and those that went on."""
    PendingLogin.objects.filter(expires_at__lt=now).delete()
