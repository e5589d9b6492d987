"""Passkeys (WebAuthn): a key in the person's device that opens after a finger, a face or a PIN, and cannot be phished.

Each ceremony signs a random challenge, which is kept as a digest, bound to its use and person, and used up once. User
verification is always asked for, so a passkey is two factors by itself: it logs in without an SMS.
"""

import re
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.actor import Actor
from accounts.models import Action, Passkey, PasskeyChallenge, PasskeyUse, User
from accounts.models.base import hash_of
from accounts.services import entry, evidence, factors, sessions, step_up
from accounts.services.entry import LoggedIn
from accounts.services.sessions import OpenSession
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.encryption import Unreadable
from lk_site.errors import Clash, DomainError, Invalid, InvalidValue
from lk_site.formats import mask_phone
from lk_site.text import clean_line

CHALLENGE_BYTES = 32
BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,16000}", re.ASCII)
PASSKEYS_AT_MOST = 10
NAME_AT_MOST = 100
REQUIRED = UserVerificationRequirement.REQUIRED
BROKEN = (  # what the library raises for bytes that are no answer of an authenticator
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
    *(struct.error, InvalidSignature, UnsupportedAlgorithm),
)


class PasskeyRefused(DomainError):
    """Unknown, foreign, copied, late, or not what was asked for: all look the same."""

    code = "passkey_refused"
    status = 400
    sentence = _("This passkey does not open. Try again, or log in with a code from an SMS.")


class TooManyPasskeys(Clash):
    """A person has ten at most."""

    code = "too_many_passkeys"
    sentence = _("There are ten passkeys already. Remove one that is no longer used.")


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    """What a passkey has answered to a challenge."""

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes


def passkeys_of(actor: Actor) -> list[Passkey]:
    """Return the actor's passkeys, the oldest first. Raises NotAllowed for anyone but an agent."""
    return list(Passkey.objects.of(factors.agent_id_of(actor)).order_by("id"))


@unit_of_work
def begin_adding(*, actor: Actor) -> dict[str, Any]:
    """Return what the browser needs to make a passkey. Raises NotAllowed, FreshCodeRequired, TooManyPasskeys."""
    user = factors.lock_self(actor)
    step_up.require_fresh_code(actor)
    known = [AttestedCredentialData(bytes(row.credential)) for row in room_for_one(user.pk)]
    options, _state = server().register_begin(
        PublicKeyCredentialUserEntity(
            id=user.pk.bytes, name=mask_phone(user.phone or ""), display_name=mask_phone(user.phone or "")
        ),
        credentials=known,
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=REQUIRED,
        challenge=new_challenge(PasskeyUse.ADD, user),
    )
    return dict(options)["publicKey"]  # type: ignore[no-any-return]


@unit_of_work
def add_passkey(name: str, *, client_data: bytes, attestation: bytes, actor: Actor) -> Passkey:
    """Keep the public half of a passkey that the browser has just made.

    Raises NotAllowed, FreshCodeRequired, Invalid for a wrong name, TooManyPasskeys, and PasskeyRefused.
    """
    user = factors.lock_self(actor)
    step_up.require_fresh_code(actor)
    name = cleaned_name(name)
    room_for_one(user.pk)
    challenge = claimed(client_data, PasskeyUse.ADD, user.pk)
    response = {"clientDataJSON": websafe_encode(client_data), "attestationObject": websafe_encode(attestation)}
    try:
        data = server().register_complete(state_of(challenge), of_browser(b"", response))
        assert data.credential_data is not None
    except BROKEN as error:
        raise PasskeyRefused from error
    row = Passkey(
        user=user,
        name=name,
        credential_id=data.credential_data.credential_id,
        credential=bytes(data.credential_data),
        sign_count=data.counter,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise PasskeyRefused from error
    record(actor, Action.FACTOR_ADDED, user, kind="passkey", passkey=str(row.pk))
    factors.tell(user, "passkey.added", actor=actor)
    return row


@unit_of_work
def remove_passkey(passkey_id: UUID, *, actor: Actor) -> None:
    """Let a passkey open nothing any more. Raises NotAllowed, Passkey.DoesNotExist, FreshCodeRequired."""
    user = factors.lock_self(actor)
    row = Passkey.objects.of(user.pk).get(pk=passkey_id)
    step_up.require_fresh_code(actor)
    record(actor, Action.FACTOR_REMOVED, user, kind="passkey", passkey=str(row.pk))
    row.delete()
    factors.tell(user, "passkey.removed", actor=actor)


@unit_of_work
def begin_login() -> dict[str, Any]:
    """Return what the browser needs to let the person choose a passkey of his: it names nobody."""
    return asked_for(new_challenge(PasskeyUse.LOGIN, None), [])


def log_in(signed: Signed, *, own_device: bool, browser: str, actor: Actor) -> LoggedIn:
    """Open a session for who has signed. Raises PasskeyRefused, once the failure is recorded."""
    logged_in = try_login(signed, own_device=own_device, browser=browser, actor=actor)
    if logged_in is None:
        raise PasskeyRefused
    return logged_in


@unit_of_work
def try_login(signed: Signed, *, own_device: bool, browser: str, actor: Actor) -> LoggedIn | None:
    """Look at an answer once, and return None for a refusal: its record commits."""
    row = used(signed, PasskeyUse.LOGIN, None)
    agent = User.objects.select_related("agency").lock(row.user_id) if row else None
    if agent is None or not agent.is_active:
        evidence.failed_login(actor, Action.LOGIN_FAILED, agent)
        return None
    return entry.enter(agent, device_id=uuid4(), own_device=own_device, browser=browser, actor=actor)


@unit_of_work
def begin_confirming(*, actor: Actor) -> dict[str, Any]:
    """Return what the browser needs to confirm the session with a passkey. Raises NotAllowed."""
    user = factors.lock_self(actor)
    known = [AttestedCredentialData(bytes(row.credential)) for row in Passkey.objects.of(user.pk).order_by("id")]
    return asked_for(new_challenge(PasskeyUse.STEP_UP, user), known)


def confirm(signed: Signed, *, actor: Actor) -> OpenSession:
    """Confirm the actor's session, which gets a new id. Raises NotAllowed, PasskeyRefused once that is recorded."""
    confirmed = try_confirming(signed, actor=actor)
    if confirmed is None:
        raise PasskeyRefused
    return confirmed


@unit_of_work
def try_confirming(signed: Signed, *, actor: Actor) -> OpenSession | None:
    """Look at an answer once, and return None for a refusal: its record commits."""
    user = factors.lock_self(actor)
    if not user.is_active or used(signed, PasskeyUse.STEP_UP, user.pk) is None:
        evidence.failed_login(actor, Action.LOGIN_FAILED, user)
        return None
    return sessions.confirm(actor=actor)


def used(signed: Signed, use: PasskeyUse, user_id: UUID | None) -> Passkey | None:
    """Return the passkey that signed, its use written down, or None. A counter that goes back tells of a copy."""
    try:
        challenge = claimed(signed.client_data, use, user_id)
    except PasskeyRefused:
        return None
    rows = Passkey.objects.of_credential(signed.credential_id)
    row = (rows.of(user_id) if user_id else rows).first()
    counter = None if row is None else counter_of(signed, row, challenge)
    if row is None or counter is None or ((counter or row.sign_count) and counter <= row.sign_count):
        return None
    fresh = Passkey.objects.filter(pk=row.pk, sign_count=row.sign_count)
    return row if fresh.update(sign_count=counter, used_at=timezone.now()) else None


def counter_of(signed: Signed, row: Passkey, challenge: bytes) -> int | None:
    """Return the counter of an answer that this passkey has signed, or None for any other."""
    response = {
        "clientDataJSON": websafe_encode(signed.client_data),
        "authenticatorData": websafe_encode(signed.authenticator_data),
        "signature": websafe_encode(signed.signature),
    }
    known = AttestedCredentialData(bytes(row.credential))
    try:
        server().authenticate_complete(state_of(challenge), [known], of_browser(signed.credential_id, response))
        counter: int = AuthenticatorData(signed.authenticator_data).counter
    except BROKEN:
        return None
    return counter


def new_challenge(use: PasskeyUse, user: User | None) -> bytes:
    """Return random bytes to sign, of which the digest is kept."""
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    PasskeyChallenge(
        challenge_hash=hash_of(websafe_encode(challenge)),
        use=use,
        user=user,
        expires_at=timezone.now() + settings.CODE_LIFE,
    ).save(force_insert=True)
    return challenge


def claimed(client_data: bytes, use: PasskeyUse, user_id: UUID | None) -> bytes:
    """Return the challenge that a browser says was signed, used up now. Raises PasskeyRefused for one not asked for."""
    try:
        said = CollectedClientData(client_data)
        digest, is_nested = hash_of(websafe_encode(said.challenge)), said.cross_origin is not False
    except BROKEN as error:
        raise PasskeyRefused from error
    whose = Q(user_id=user_id) if user_id else Q(user=None)
    mine = PasskeyChallenge.objects.filter(whose, challenge_hash=digest, use=use, used_at=None)
    if is_nested or not mine.filter(expires_at__gt=timezone.now()).update(used_at=timezone.now()):
        raise PasskeyRefused
    return said.challenge


def server() -> Fido2Server:
    return Fido2Server(PublicKeyCredentialRpEntity(id=settings.SITE_HOST, name="LK"), verify_origin=is_our_origin)


def is_our_origin(origin: str) -> bool:
    """Return whether a page of this site asked; on one's own machine it may have any port."""
    parts = urlsplit(origin)
    if settings.LOCAL:
        return parts.hostname == settings.SITE_HOST
    return parts.scheme == "https" and parts.netloc == settings.SITE_HOST


def asked_for(challenge: bytes, known: list[AttestedCredentialData]) -> dict[str, Any]:
    options, _state = server().authenticate_begin(known or None, user_verification=REQUIRED, challenge=challenge)
    return dict(options)["publicKey"]  # type: ignore[no-any-return]


def state_of(challenge: bytes) -> dict[str, Any]:
    """Return what the library keeps between the two halves of a ceremony."""
    return {"challenge": websafe_encode(challenge), "user_verification": REQUIRED}


def of_browser(credential_id: bytes, response: Mapping[str, str]) -> dict[str, Any]:
    """Return an answer as a browser writes it in JSON."""
    name = websafe_encode(credential_id)
    return {"id": name, "rawId": name, "type": "public-key", "clientExtensionResults": {}, "response": dict(response)}


def room_for_one(user_id: UUID) -> list[Passkey]:
    """Return the person's passkeys. Raises TooManyPasskeys where no other one fits."""
    rows = list(Passkey.objects.of(user_id).order_by("id"))
    if len(rows) >= PASSKEYS_AT_MOST:
        raise TooManyPasskeys
    return rows


def read_bytes(text: str) -> bytes:
    """Return the bytes of base64url without padding. Raises InvalidValue: `base64url_invalid`."""
    if not BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise InvalidValue("base64url_invalid", _("This is no base64url."))
    return websafe_decode(text)


def shown_name(row: Passkey) -> str:
    return str(_("unavailable")) if isinstance(row.name, Unreadable) else row.name


def cleaned_name(name: str) -> str:
    """Return a passkey's name as it is stored. Raises Invalid."""
    try:
        cleaned = clean_line(name, NAME_AT_MOST)
    except InvalidValue as error:
        raise Invalid(errors=[error.at("name")]) from error
    if not cleaned:
        raise Invalid.at("name", "required", _("Write a name."))
    return cleaned


def sweep(now: datetime) -> None:
    """Delete challenges that nobody can sign any more."""
    PasskeyChallenge.objects.filter(expires_at__lt=now).delete()
