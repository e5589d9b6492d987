"""`/me` and `/agents`: who asks, what he sets about himself, what he agrees to, and who works beside him."""

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Field, Query, Router, Schema, Status

from accounts.actor import ActorRequest
from accounts.api.idempotent import idempotent
from accounts.api.schemas import MeOut, me_of
from accounts.models import Consent, Theme, User
from accounts.models.keys import WORK_SCOPES
from accounts.services import consents, profile
from accounts.services.people import NAME_AT_MOST
from lk_site.cursors import CursorInvalid, Keyset
from lk_site.errors import Invalid
from lk_site.operations import needs, refuses
from lk_site.schemas import Line, PageQuery, StrictSchema, TimeOut, absent

me = Router(tags=["me"])
agents = Router(tags=["agents"])
IN_ORDER = Keyset(("id", UUID))


class MePatch(StrictSchema):
    """A merge patch: fields that are absent stay."""

    name: Annotated[str, Line(NAME_AT_MOST, least=1)] = absent("Анна Соколова")
    language: Literal["", "ru", "en"] = Field(
        default_factory=lambda: "", description="Empty: as each request asks with `Accept-Language`."
    )
    time_zone: Annotated[str, Line(50)] = Field(
        default_factory=lambda: "", description="A place of the IANA database.", examples=["Europe/Moscow"]
    )
    theme: Theme = absent()


class ConsentIn(StrictSchema):
    document: Annotated[str, Line(30, least=1)] = Field(examples=[consents.PERSONAL_DATA])
    version: Annotated[str, Line(20, least=1)] = Field(examples=["1"])


class ConsentOut(Schema):
    """A consent given, with the SHA-256 of the very text that was shown."""

    document: str = Field(examples=[consents.PERSONAL_DATA])
    version: str = Field(examples=["1"])
    language: str = Field(examples=["ru"])
    text_hash: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
    given_at: TimeOut


class ColleagueOut(Schema):
    """An agent of the own agency."""

    id: UUID
    name: str | None = Field(examples=["Анна Соколова"])
    role: str = Field(description="`agent` or `head`", examples=["agent"])
    active: bool


class ColleaguesPage(Schema):
    items: list[ColleagueOut]
    next_cursor: str | None = Field(examples=[None])


@me.get("", response=MeOut)
def get_me(request: ActorRequest) -> dict[str, Any]:
    """Return the person who asks."""
    assert request.actor.user is not None
    return me_of(request.actor.user)


@me.patch("", response=MeOut)
@refuses(Invalid)
@idempotent()
def edit_me(request: ActorRequest, payload: MePatch) -> dict[str, Any]:
    """Change the fields of the profile that are sent."""
    return me_of(profile.edit_profile(actor=request.actor, **payload.model_dump(exclude_unset=True)))


@me.post("/consents", response={201: ConsentOut})
@refuses(Invalid)
@idempotent()
def give_consent(request: ActorRequest, payload: ConsentIn) -> Status[Consent]:
    """Agree to a text that `consents_due` names. The hash kept is of the text in the language of this request."""
    return Status(201, consents.give_consent(payload.document, payload.version, actor=request.actor))


@agents.get("", response=ColleaguesPage)
@needs(*WORK_SCOPES)
@refuses(CursorInvalid)
def list_agents(request: ActorRequest, query: Query[PageQuery]) -> HttpResponse:
    """List the people of the own agency, in the order they joined LK."""
    after = IN_ORDER.position(request, query.cursor)
    rows = IN_ORDER.after(User.objects.visible_to(request.actor), after)[: query.limit + 1]
    return IN_ORDER.answer(request, rows, query.limit, show=colleague, key=lambda user: (user.pk,))


def colleague(user: User) -> dict[str, Any]:
    return {"id": user.pk, "name": user.name, "role": user.role, "active": user.is_active}
