"""Step-up (security.md 2.4): what would hurt most needs a fresh code from who is signed in.

The code comes by SMS, or from the authenticator app of who has one: then a stolen SIM does not suffice.
"""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor, ActorKind
from accounts.models import Action, Challenge, Purpose, Session, User
from accounts.models.base import hash_of
from accounts.services import evidence, login, proofs, sessions
from accounts.services.entry import CodeRefused
from accounts.services.login import OpenChallenge, SentCode
from accounts.services.sessions import OpenSession
from accounts.services.unit_of_work import unit_of_work
from lk_site.errors import DomainError, NotAllowed


class FreshCodeRequired(DomainError):
    """The session was not confirmed within the last minutes."""

    code = "fresh_code_required"
    status = 403
    sentence = _("Confirm with a fresh code first.")


def require_fresh_code(actor: Actor) -> None:
    """Raise FreshCodeRequired unless a code has confirmed the actor's session within FRESH_CODE_LIFE."""
    if not is_fresh(actor):
        raise FreshCodeRequired


def is_fresh(actor: Actor) -> bool:
    row = Session.objects.filter(pk=actor.session_id).only("confirmed_at").first() if actor.session_id else None
    if row is None or row.confirmed_at is None:
        return False
    return timedelta(0) <= timezone.now() - row.confirmed_at < settings.FRESH_CODE_LIFE


def asks_for_totp(actor: Actor) -> bool:
    """Return whether the actor confirms with his authenticator app, and no SMS is sent."""
    return actor.user_id is not None and proofs.asks_for_totp(actor.user_id)


def send_code(*, challenge_token: str, device_cookie: str, actor: Actor) -> SentCode:
    """Let a code be sent to the actor's own phone; he may know of its limits. Raises NotAllowed for who has no phone.

    Nothing is sent to who has an authenticator app. The cookies are the browser's, as for a login; a code for one does
    not open the other.
    """
    phone = phone_of(actor)
    if asks_for_totp(actor):
        return SentCode(challenge_token, 0)
    return login.send_code(
        phone,
        challenge_token=challenge_token,
        device_cookie=device_cookie,
        actor=actor,
        purpose=Purpose.STEP_UP,
    )


def open_challenge(*, challenge_token: str, actor: Actor) -> OpenChallenge | None:
    """Return what the page of the code shows, or None where no code that was sent to the actor is still good."""
    found = login.open_challenge(challenge_token, Purpose.STEP_UP)
    is_good = Challenge.objects.of_token(hash_of(challenge_token)).open(timezone.now()).exists()
    return found if found and is_good and found.phone == phone_of(actor) else None


def verify_code(code: str, *, challenge_token: str, actor: Actor) -> OpenSession:
    """Confirm the actor's session, which gets a new id. Raises CodeRefused, once the try is counted, and NotAllowed."""
    phone = phone_of(actor)
    if asks_for_totp(actor):
        confirmed = try_factor(code, actor=actor)
    else:
        confirmed = try_code(phone, code, challenge_token=challenge_token, actor=actor)
    if confirmed is None:
        raise CodeRefused
    return confirmed


@unit_of_work
def try_code(phone: str, code: str, *, challenge_token: str, actor: Actor) -> OpenSession | None:
    """Look at a code once, count it, and return None for a refusal: the count commits with it."""
    if login.prove(phone, code, challenge_token=challenge_token, purpose=Purpose.STEP_UP, actor=actor) is None:
        return None
    return sessions.confirm(actor=actor)


@unit_of_work
def try_factor(code: str, *, actor: Actor) -> OpenSession | None:
    """Look at a code of the app once, count it, and return None for a refusal: the count commits with it."""
    assert actor.user_id is not None
    user = User.objects.agents().active().lock(actor.user_id)
    if not proofs.use_code(user, code, purpose=Purpose.STEP_UP, actor=actor):
        evidence.failed_login(actor, Action.LOGIN_FAILED, user)
        return None
    return sessions.confirm(actor=actor)


def phone_of(actor: Actor) -> str:
    """Return the number that proves the actor: read anew, since he may have another one by now."""
    if actor.kind != ActorKind.AGENT or actor.user_id is None:
        raise NotAllowed
    phone: str = User.objects.agents().active().get(pk=actor.user_id).phone or ""
    return phone
