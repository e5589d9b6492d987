"""`/me/factors`: what a person proves himself with beside the SMS."""

from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Router, Schema, Status
from pydantic import WithJsonSchema

from accounts.actor import ActorRequest
from accounts.api.idempotent import idempotent
from accounts.models import Passkey
from accounts.services import factors, passkeys
from accounts.services.entry import CodeRefused
from accounts.services.factors import TotpExists
from accounts.services.passkeys import PasskeyRefused, Signed, TooManyPasskeys
from accounts.services.step_up import FreshCodeRequired
from accounts.services.totp import clean_factor_code
from lk_site.errors import Invalid, NotAllowed
from lk_site.operations import refuses
from lk_site.schemas import Line, StrictSchema, TimeOut, borrowed

router = Router(tags=["me"])

FACTOR_CODE_SCHEMA = {"type": "string", "minLength": 6, "maxLength": 20, "examples": ["042317"]}
FactorCodeIn = Annotated[str, borrowed(clean_factor_code), WithJsonSchema(FACTOR_CODE_SCHEMA)]
BYTES_SCHEMA = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_-]+$",
    "minLength": 1,
    "maxLength": 16_000,
    "examples": ["aGk"],
}
BytesIn = Annotated[bytes, borrowed(passkeys.read_bytes), WithJsonSchema(BYTES_SCHEMA)]
SHOWN_ONCE = "Shown now, and never again; null where the answer is a replay."


class FactorCode(StrictSchema):
    code: FactorCodeIn = Field(description="Six digits of the app, or a back-up code.")


class TotpOut(Schema):
    """An authenticator app."""

    added_at: TimeOut


class PasskeyOut(Schema):
    id: UUID
    name: str = Field(examples=["Мой телефон"])
    added_at: TimeOut
    used_at: TimeOut | None


class FactorsOut(Schema):
    totp: TotpOut | None = Field(description="Null: the SMS alone logs in.")
    backup_codes_left: int = Field(examples=[10])
    passkeys: list[PasskeyOut]


class CeremonyOut(Schema):
    """What the browser's `navigator.credentials` takes as `publicKey`, bytes in base64url."""

    options: dict[str, Any] = Field(examples=[{"challenge": "MjIyMjIyMjIyMjIyMjIyMg", "userVerification": "required"}])


class SignedIn(StrictSchema):
    """What a passkey has answered: members of `PublicKeyCredential`, bytes in base64url."""

    credential_id: BytesIn
    client_data: BytesIn
    authenticator_data: BytesIn
    signature: BytesIn

    def signed(self) -> Signed:
        return Signed(self.credential_id, self.client_data, self.authenticator_data, self.signature)


class PasskeyIn(StrictSchema):
    name: Annotated[str, Line(passkeys.NAME_AT_MOST, least=1)] = Field(examples=["Мой телефон"])
    client_data: BytesIn
    attestation: BytesIn


class EnrolmentOut(Schema):
    """What an authenticator app needs."""

    secret: str = Field(description="In base32, to type in.", examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    url: str = Field(description="To scan, as a QR code.", examples=["otpauth://totp/LK?secret=JBSWY3DPEHPK3PXP"])


class BegunTotpOut(Schema):
    enrolment: EnrolmentOut | None = Field(description=SHOWN_ONCE)


class BackupCodesOut(Schema):
    backup_codes: list[str] | None = Field(
        description=f"Ten codes that stand for the app, each once. {SHOWN_ONCE}", examples=[["abcde-fghjk"]]
    )


@router.get("", response=FactorsOut)
@refuses(NotAllowed)
def get_factors(request: ActorRequest) -> dict[str, Any]:
    """Return what the login asks of the person beside the SMS."""
    found = factors.factors_of(request.actor)
    totp = found.totp and {"added_at": found.totp.confirmed_at}
    rows = [passkey_out(row) for row in passkeys.passkeys_of(request.actor)]
    return {"totp": totp, "backup_codes_left": found.backup_codes_left, "passkeys": rows}


@router.post("/totp", response={201: BegunTotpOut})
@refuses(NotAllowed, FreshCodeRequired, TotpExists)
@idempotent(shown_once="enrolment")
def begin_totp(request: ActorRequest) -> Status[dict[str, Any]]:
    """Make a secret for an authenticator app, after a fresh code. It opens nothing until it is confirmed."""
    begun = factors.begin_totp(actor=request.actor)
    return Status(201, {"enrolment": {"secret": begun.secret, "url": begun.url}})


@router.post("/totp/confirm", response=BackupCodesOut)
@refuses(NotAllowed, FreshCodeRequired, CodeRefused)
@idempotent(shown_once="backup_codes")
def confirm_totp(request: ActorRequest, payload: FactorCode) -> dict[str, Any]:
    """Prove that the app has the secret, after a fresh code: from now on the login asks for its code."""
    return {"backup_codes": factors.confirm_totp(payload.code, actor=request.actor)}


@router.delete("/totp", response={204: None})
@refuses(NotAllowed, FreshCodeRequired)
def remove_totp(request: ActorRequest) -> Status[None]:
    """Take the authenticator and the back-up codes away, after a fresh code."""
    factors.remove_totp(actor=request.actor)
    return Status(204, None)


@router.post("/backup-codes", response={201: BackupCodesOut})
@refuses(NotAllowed, FreshCodeRequired)
@idempotent(shown_once="backup_codes")
def renew_backup_codes(request: ActorRequest) -> Status[dict[str, Any]]:
    """Make ten new back-up codes in place of the old ones, after a fresh code."""
    return Status(201, {"backup_codes": factors.renew_backup_codes(actor=request.actor)})


@router.post("/passkeys/begin", response=CeremonyOut)
@refuses(NotAllowed, FreshCodeRequired, TooManyPasskeys)
@idempotent()
def begin_adding_passkey(request: ActorRequest) -> dict[str, Any]:
    """Return what the browser needs to make a passkey, after a fresh code. Good for five minutes, once."""
    return {"options": passkeys.begin_adding(actor=request.actor)}


@router.post("/passkeys", response={201: PasskeyOut})
@refuses(NotAllowed, FreshCodeRequired, TooManyPasskeys, Invalid, PasskeyRefused)
@idempotent()
def add_passkey(request: ActorRequest, payload: PasskeyIn) -> Status[dict[str, Any]]:
    """Keep a passkey that the browser has made, after a fresh code: it logs in without an SMS."""
    row = passkeys.add_passkey(
        payload.name, client_data=payload.client_data, attestation=payload.attestation, actor=request.actor
    )
    return Status(201, passkey_out(row))


@router.delete("/passkeys/{uuid:passkey_id}", response={204: None})
@refuses(NotAllowed, FreshCodeRequired)
def remove_passkey(request: ActorRequest, passkey_id: UUID) -> Status[None]:
    """Remove a passkey, after a fresh code."""
    passkeys.remove_passkey(passkey_id, actor=request.actor)
    return Status(204, None)


def passkey_out(row: Passkey) -> dict[str, Any]:
    return {"id": row.pk, "name": passkeys.shown_name(row), "added_at": row.created_at, "used_at": row.used_at}
