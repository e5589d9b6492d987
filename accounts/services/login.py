"""Login by a code in an SMS (security.md 1): a challenge for each browser, five looks at a code, and no enumeration.

Known, unknown, disabled and limited phones get the same answer. A refused try is counted in a transaction that
commits; the exception comes after it.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, Challenge, Purpose, User
from accounts.models.base import hash_of
from accounts.models.login import CHALLENGE_PHONE
from accounts.services import agencies, codes, devices, entry, evidence, login_limits, outbox, proofs, second_factor
from accounts.services.entry import CodeRefused, LoggedIn
from accounts.services.limits import Refused
from accounts.services.login_limits import Asker
from accounts.services.second_factor import SecondFactorRequired
from accounts.services.unit_of_work import unit_of_work
from lk_site import metrics
from lk_site.encryption import Unreadable, blind_index, blind_indexes

TOKEN_BYTES = 16  # security.md 1.1: 128 bits
KEPT_FOR = timedelta(hours=24)  # 1.1: digests of codes are deleted after a day


@dataclass(frozen=True, slots=True, repr=False)
class SentCode:
    """The answer to every request for a code, sent or not.

    `told_to_wait` is set only for a browser that this phone has used: its limit is reached and nothing was sent.
    """

    challenge_token: str
    resend_after_s: int
    told_to_wait: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class OpenChallenge:
    """What the page of the code shows of the browser's own challenge."""

    phone: str
    resend_after_s: int


def send_code(
    phone: str, *, challenge_token: str, device_cookie: str, actor: Actor, purpose: Purpose = Purpose.LOGIN
) -> SentCode:
    """Let a code be sent to a phone (digits with country code), unless rules or limits say no; the answer is the same.

    `challenge_token` and `device_cookie` are the browser's cookies, empty where it has none. No SMS leaves before the
    worker takes it from the outbox.
    """
    is_own = purpose == Purpose.STEP_UP  # to log in, who is signed in may name any phone
    asker = Asker(phone, devices.device_of(device_cookie, phone), actor.address, is_own=is_own)
    with transaction.atomic():
        challenge, token = challenge_for(asker, challenge_token, purpose)
        refused = None if challenge.resend_at > timezone.now() else ask(challenge, asker)
    told = refused is not None and is_told(asker, refused)
    return SentCode(token, login_limits.wait_of(challenge.resend_at), told_to_wait=told)


def challenge_for(asker: Asker, token: str, purpose: Purpose) -> tuple[Challenge, str]:
    """Return the browser's challenge for this phone, locked, or a new one not yet saved; and its token."""
    found = Challenge.objects.of_token(hash_of(token)).select_for_update().first() if token else None
    if found and found.used_at is None and found.device_id == asker.device_id and is_for(found, asker.phone, purpose):
        return found, token
    now, token = timezone.now(), secrets.token_urlsafe(TOKEN_BYTES)
    challenge = Challenge(
        token_hash=hash_of(token),
        phone=asker.phone,
        phone_index=blind_index("agent_index", CHALLENGE_PHONE, asker.phone),
        purpose=purpose,
        device_id=asker.device_id,
        resend_at=now,
        created_at=now,
        expires_at=now + settings.CODE_LIFE,
    )
    return challenge, token


def ask(challenge: Challenge, asker: Asker) -> Refused | None:
    """Give the challenge a new code if it may have one, and make it wait for the next in any case."""
    steps = login_limits.spacing_steps()
    wait = steps[min(challenge.sends, len(steps) - 1)]
    refused = refusal_to_send(challenge, asker)
    metrics.CODES.add(challenge.purpose, "queued" if refused is None else "withheld")
    if refused is None:
        put_new_code(challenge, asker)
    elif is_told(asker, refused):
        wait = refused.retry_after
    challenge.sends += 1
    challenge.resend_at = timezone.now() + timedelta(seconds=wait)
    challenge.save()
    return refused


def is_told(asker: Asker, refused: Refused) -> bool:
    """Return whether this browser may know that a limit is reached: the phone is its person's own, or has used it."""
    return (asker.device_id is not None or asker.is_own) and refused.retry_after > 0


def refusal_to_send(challenge: Challenge, asker: Asker) -> Refused | None:
    """Return why no code may go to this phone now, or None and have it counted."""
    agent = User.objects.with_phone(asker.phone).first()
    if not (agent.is_active if agent else settings.SIGNUP == "open"):
        return Refused("closed", 0)
    others = Challenge.objects.open(timezone.now()).of_subject(phone_indexes(asker.phone), asker.device_id)
    if others.exclude(pk=challenge.pk).count() >= settings.OPEN_CHALLENGES_AT_MOST:
        return Refused("open_challenges", int(settings.CODE_LIFE.total_seconds()))
    return login_limits.take_send(asker, is_known=agent is not None)


def put_new_code(challenge: Challenge, asker: Asker) -> None:
    """Replace the challenge's code, and let the new one wait for the worker."""
    code = codes.new_code()
    challenge.code_digest = codes.digest(challenge, asker.phone, code)
    challenge.attempts = 0
    challenge.expires_at = timezone.now() + settings.CODE_LIFE
    outbox.queue_sms(
        asker.phone,
        codes.sms_text(code),
        useless_at=challenge.expires_at,
        challenge_id=challenge.pk,
        address=asker.address,
    )


def open_challenge(challenge_token: str, purpose: Purpose = Purpose.LOGIN) -> OpenChallenge | None:
    """Return what the page of the code shows, or None where this browser has asked for no code."""
    mine = Challenge.objects.of_token(hash_of(challenge_token)).filter(used_at=None, purpose=purpose)
    found = mine.first() if challenge_token else None
    if found is None or isinstance(found.phone, Unreadable):
        return None
    return OpenChallenge(found.phone, login_limits.wait_of(found.resend_at))


def verify_code(
    phone: str, code: str, *, challenge_token: str, own_device: bool, browser: str, actor: Actor
) -> LoggedIn:
    """Open a session for who proves a phone by the code that its challenge was sent.

    The first code of an unknown phone opens an agency of one. Raises CodeRefused, once the try is counted and recorded,
    and SecondFactorRequired for who has an authenticator app: the login goes on there.
    """
    logged_in = try_code(
        phone, code, challenge_token=challenge_token, own_device=own_device, browser=browser, actor=actor
    )
    if logged_in is None:
        raise CodeRefused
    if isinstance(logged_in, SecondFactorRequired):
        raise logged_in
    return logged_in


@unit_of_work
def try_code(
    phone: str, code: str, *, challenge_token: str, own_device: bool, browser: str, actor: Actor
) -> LoggedIn | SecondFactorRequired | None:
    """Look at a code once, count it, and return None for a refusal: the count commits with it."""
    challenge = prove(phone, code, challenge_token=challenge_token, purpose=Purpose.LOGIN, actor=actor)
    if challenge is None:
        return None
    agent = agent_of(phone, actor=actor)
    if agent is None:
        note_failure(phone, actor)
        return None
    device_id = challenge.device_id or uuid4()
    if proofs.asks_for_totp(agent.pk):
        return second_factor.begin(agent, device_id=device_id, own_device=own_device)
    return entry.enter(agent, device_id=device_id, own_device=own_device, browser=browser, actor=actor)


def prove(phone: str, code: str, *, challenge_token: str, purpose: Purpose, actor: Actor) -> Challenge | None:
    """Return the challenge whose code this is, used up now, or None for a failure, which is recorded."""
    challenge = claim_look(challenge_token, phone, purpose)
    if challenge is not None and opens(challenge, phone, code, actor):
        metrics.CODES.add(purpose, "verified")
        return challenge
    metrics.CODES.add(purpose, "refused")
    note_failure(phone, actor)
    return None


def opens(challenge: Challenge, phone: str, code: str, actor: Actor) -> bool:
    """Return whether the code is right and no lock holds; a right one is used up."""
    asker = Asker(phone, challenge.device_id, actor.address)
    if login_limits.take_try(asker) is not None or not codes.is_right(challenge, phone, code):
        return False
    challenge.used_at, challenge.code_digest = timezone.now(), None
    challenge.save(update_fields=["used_at", "code_digest"])
    outbox.cancel_queued(challenge.pk)
    login_limits.forgive_try(asker)
    return True


def claim_look(token: str, phone: str, purpose: Purpose) -> Challenge | None:
    """Take one of the five looks at the code of an open challenge for this phone and return it locked, or None.

    One conditional UPDATE: 200 parallel guesses get exactly five looks, and a used code none.
    """
    mine = Challenge.objects.of_token(hash_of(token)).filter(phone_index__in=phone_indexes(phone), purpose=purpose)
    with_looks = mine.open(timezone.now()).filter(attempts__lt=settings.CODE_TRIES)
    if not with_looks.update(attempts=F("attempts") + 1):
        return None
    return mine.get()


def agent_of(phone: str, *, actor: Actor) -> User | None:
    """Return the agent of a proved phone, locked, a new one in an agency of one; None for one who may not log in."""
    agents = User.objects.with_phone(phone).select_related("agency").select_for_update(of=("self",), no_key=True)
    agent = agents.first()
    if agent is None and settings.SIGNUP == "open":
        agencies.open_agency_of_one(phone, actor=actor)
        agent = agents.get()
    return agent if agent is not None and agent.is_active else None


def note_failure(phone: str, actor: Actor) -> None:
    evidence.failed_login(actor, Action.LOGIN_FAILED, User.objects.with_phone(phone).first())


def sweep(now: datetime) -> None:
    """Delete challenges, and the digests of codes with them, a day after the code was made."""
    Challenge.objects.filter(expires_at__lt=now - KEPT_FOR + settings.CODE_LIFE).delete()


def is_for(challenge: Challenge, phone: str, purpose: Purpose) -> bool:
    return challenge.purpose == purpose and bytes(challenge.phone_index) in phone_indexes(phone)


def phone_indexes(phone: str) -> list[bytes]:
    return blind_indexes("agent_index", CHALLENGE_PHONE, phone)
