"""`/auth/*` and `/me/sessions`: the same login as the pages', for programs."""

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.views.decorators.csrf import csrf_exempt
from ninja import Field, Router, Schema, Status
from pydantic import WithJsonSchema

from accounts import cookies
from accounts.actor import ActorRequest
from accounts.api.factors import CeremonyOut, FactorCode, SignedIn
from accounts.api.idempotent import idempotent
from accounts.api.schemas import MeOut, me_of
from accounts.models import Session
from accounts.services import login as logins
from accounts.services import passkeys, second_factor, sessions, step_up
from accounts.services.codes import clean_code
from accounts.services.entry import CodeRefused
from accounts.services.passkeys import PasskeyRefused
from accounts.services.second_factor import SecondFactorRequired
from lk_site.errors import NotAllowed
from lk_site.operations import public, refuses
from lk_site.problems import domain_problem
from lk_site.schemas import AgentPhoneIn, StrictSchema, TimeOut, borrowed

CODE_SCHEMA = {"type": "string", "minLength": 6, "maxLength": 20, "examples": ["042317"]}
CodeIn = Annotated[str, borrowed(clean_code), WithJsonSchema(CODE_SCHEMA)]

auth = Router(tags=["auth"])
own_sessions = Router(tags=["me"])


class PhoneIn(StrictSchema):
    phone: AgentPhoneIn


class CodeSentOut(Schema):
    resend_after_s: int = Field(examples=[60])


class StepUpOut(CodeSentOut):
    by: str = Field(description="Where the code comes from: `sms`, or `totp`, the authenticator app.", examples=["sms"])


class ProofIn(StrictSchema):
    phone: AgentPhoneIn
    code: CodeIn
    own_device: bool = False


class PasskeyLoginIn(SignedIn):
    own_device: bool = False


class LoggedInOut(Schema):
    user: MeOut


class SessionOut(Schema):
    """One device where the person is logged in."""

    id: UUID
    is_current: bool
    is_own_device: bool
    browser: str = Field(examples=["Mozilla/5.0 (Linux; Android 15) …"])
    address: str | None = Field(examples=["203.0.113.5"])
    opened_at: TimeOut
    seen_at: TimeOut


class SessionsOut(Schema):
    items: list[SessionOut]


@auth.post("/send-code", response={202: CodeSentOut})
@csrf_exempt
@public
def send_code(request: ActorRequest, payload: PhoneIn, response: HttpResponse) -> Status[Any]:
    """Have a code sent to a phone. The answer is the same whether or not somebody has this phone."""
    sent = logins.send_code(
        payload.phone,
        challenge_token=cookies.challenge_of(request),
        device_cookie=cookies.device_of(request),
        actor=request.actor,
    )
    get_token(request)  # sets the CSRF cookie, which verify-code needs
    cookies.set_challenge(response, sent.challenge_token)
    return Status(202, {"resend_after_s": sent.resend_after_s})


@auth.post("/verify-code", response=LoggedInOut)
@refuses(CodeRefused, SecondFactorRequired)
@public
def verify_code(request: ActorRequest, payload: ProofIn, response: HttpResponse) -> Any:
    """Open a session with the code that this browser's challenge was sent.

    For who has an authenticator app the answer is 403 `second_factor_required` with a new challenge cookie: the login
    goes on with `POST /auth/verify-second-factor`.
    """
    try:
        logged_in = logins.verify_code(
            payload.phone,
            payload.code,
            challenge_token=cookies.challenge_of(request),
            own_device=payload.own_device,
            browser=request.headers.get("User-Agent", ""),
            actor=request.actor,
        )
    except SecondFactorRequired as more:
        refused = domain_problem(request, more)
        cookies.set_challenge(refused, more.token)
        return refused
    cookies.let_in(request, response, logged_in)
    return {"user": me_of(logged_in.user)}


@auth.post("/verify-second-factor", response=LoggedInOut)
@refuses(CodeRefused)
@public
def verify_second_factor(request: ActorRequest, payload: FactorCode, response: HttpResponse) -> dict[str, Any]:
    """Open the session of a login that `verify-code` answered with `second_factor_required`."""
    logged_in = second_factor.verify_code(
        payload.code,
        token=cookies.challenge_of(request),
        browser=request.headers.get("User-Agent", ""),
        actor=request.actor,
    )
    cookies.let_in(request, response, logged_in)
    return {"user": me_of(logged_in.user)}


@auth.post("/step-up", response={202: StepUpOut})
@refuses(NotAllowed)
def send_step_up_code(request: ActorRequest, response: HttpResponse) -> Status[Any]:
    """Have a code sent to one's own phone, to confirm the session for five minutes.

    Nothing is sent to who has an authenticator app: its code is asked for.
    """
    sent = step_up.send_code(
        challenge_token=cookies.challenge_of(request), device_cookie=cookies.device_of(request), actor=request.actor
    )
    by = "totp" if step_up.asks_for_totp(request.actor) else "sms"
    if by == "sms":
        cookies.set_challenge(response, sent.challenge_token)
    return Status(202, {"resend_after_s": sent.resend_after_s, "by": by})


@auth.post("/step-up/verify", response={204: None})
@refuses(CodeRefused, NotAllowed)
def verify_step_up_code(request: ActorRequest, payload: FactorCode, response: HttpResponse) -> Status[None]:
    """Confirm the session with the code. The session gets a new id."""
    opened = step_up.verify_code(payload.code, challenge_token=cookies.challenge_of(request), actor=request.actor)
    cookies.confirmed(request, opened, response)
    return Status(204, None)


@auth.post("/passkey/begin", response=CeremonyOut)
@public
def begin_passkey_login(request: ActorRequest) -> dict[str, Any]:
    """Return what the browser needs to offer the person's passkeys. Good for five minutes, once."""
    return {"options": passkeys.begin_login()}


@auth.post("/passkey", response=LoggedInOut)
@refuses(PasskeyRefused)
@public
def log_in_with_passkey(request: ActorRequest, payload: PasskeyLoginIn, response: HttpResponse) -> dict[str, Any]:
    """Open a session with a passkey, without an SMS and without the authenticator app."""
    browser = request.headers.get("User-Agent", "")
    logged_in = passkeys.log_in(payload.signed(), own_device=payload.own_device, browser=browser, actor=request.actor)
    cookies.let_in(request, response, logged_in)
    return {"user": me_of(logged_in.user)}


@auth.post("/step-up/passkey/begin", response=CeremonyOut)
@refuses(NotAllowed)
def begin_passkey_step_up(request: ActorRequest) -> dict[str, Any]:
    """Return what the browser needs to confirm the session with one of the person's passkeys."""
    return {"options": passkeys.begin_confirming(actor=request.actor)}


@auth.post("/step-up/passkey", response={204: None})
@refuses(NotAllowed, PasskeyRefused)
def confirm_with_passkey(request: ActorRequest, payload: SignedIn, response: HttpResponse) -> Status[None]:
    """Confirm the session with a passkey. The session gets a new id."""
    cookies.confirmed(request, passkeys.confirm(payload.signed(), actor=request.actor), response)
    return Status(204, None)


@auth.post("/logout", response={204: None})
def log_out(request: ActorRequest, response: HttpResponse) -> Status[None]:
    """End the session."""
    cookies.let_out(request, response)
    return Status(204, None)


@own_sessions.get("", response=SessionsOut)
def list_sessions(request: ActorRequest) -> dict[str, Any]:
    """List the devices where the person is logged in, the last used first."""
    return {"items": [shown(row, request) for row in sessions.devices_of(request.actor)]}


@own_sessions.delete("/{uuid:session_id}", response={204: None})
def end_session(request: ActorRequest, session_id: UUID) -> Status[None]:
    """End one session of the person."""
    sessions.end_session(session_id, actor=request.actor)
    return Status(204, None)


@own_sessions.post("/end-others", response={204: None})
@idempotent()
def end_other_sessions(request: ActorRequest) -> Status[None]:
    """End all sessions of the person but this one."""
    sessions.end_other_sessions(actor=request.actor)
    return Status(204, None)


def shown(row: Session, request: ActorRequest) -> dict[str, Any]:
    return {
        "id": row.pk,
        "is_current": row.pk == request.actor.session_id,
        "is_own_device": row.is_own_device,
        "browser": row.browser,
        "address": row.address,
        "opened_at": row.created_at,
        "seen_at": row.seen_at,
    }
