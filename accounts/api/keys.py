"""`/keys`: the keys of programs, for the head in person; `/key`: what a program may know of its own."""

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpResponse
from ninja import Field, Query, Router, Schema, Status

from accounts.actor import ActorRequest
from accounts.api.idempotent import idempotent
from accounts.models import ApiKey, Event, Scope
from accounts.services import keys
from accounts.services.keys import DAYS_AT_MOST, NAME_AT_MOST, NETWORKS_AT_MOST, NEWEST_FIRST, KeyRevoked, TooManyKeys
from accounts.services.step_up import FreshCodeRequired
from lk_site.cursors import CursorInvalid
from lk_site.errors import Invalid, NotAllowed
from lk_site.operations import needs, refuses
from lk_site.schemas import Line, PageQuery, StrictSchema, TimeOut, absent

own_key = Router(tags=["keys"])
router = Router(tags=["keys"])

NameIn = Annotated[str, Line(NAME_AT_MOST, least=1)]
ScopesIn = Annotated[list[Scope], Field(max_length=len(Scope))]
NetworkIn = Annotated[str, Line(50, least=1)]
NetworksIn = Annotated[list[NetworkIn], Field(max_length=NETWORKS_AT_MOST)]
DaysIn = Annotated[int, Field(ge=1, le=DAYS_AT_MOST, strict=True, description="From now on.", examples=[365])]


class KeyIn(StrictSchema):
    name: NameIn = Field(examples=["Бухгалтерия"])
    scopes: ScopesIn = Field(examples=[["deals:read"]])
    networks: NetworksIn = Field([], description="It may be used from these only.", examples=[["203.0.113.0/24"]])
    days: DaysIn = DAYS_AT_MOST


class KeyPatch(StrictSchema):
    """A merge patch: fields that are absent stay."""

    name: NameIn = absent("Бухгалтерия")
    scopes: ScopesIn = absent(["deals:read", "clients:read"])
    networks: NetworksIn = absent(["203.0.113.0/24"])


class RotationIn(StrictSchema):
    days: DaysIn = DAYS_AT_MOST


class SecretOut(Schema):
    """One secret of a key, without the secret."""

    starts_with: str = Field(examples=["lk_live_7Gq2LmX0aB"])
    made_at: TimeOut
    ends_at: TimeOut | None = Field(description="Null: with its key.", examples=[None])


class KeyOut(Schema):
    id: UUID
    name: str = Field(examples=["Бухгалтерия"])
    scopes: list[str] = Field(examples=[["deals:read"]])
    networks: list[str] = Field(examples=[[]])
    secrets: list[SecretOut]
    created_at: TimeOut
    expires_at: TimeOut
    used_at: TimeOut | None
    used_from: str | None = Field(examples=["203.0.113.5"])
    revoked_at: TimeOut | None = Field(examples=[None])


class ShownKeyOut(KeyOut):
    token: str | None = Field(
        description="The key itself: shown now, and never again; null where the answer is a replay.",
        examples=["lk_live_7Gq2LmX0aB-and-36-more"],
    )


class KeysOut(Schema):
    items: list[KeyOut]


class OwnKeyOut(Schema):
    """The key that asks."""

    id: UUID
    name: str = Field(examples=["Бухгалтерия"])
    agency: UUID
    scopes: list[str] = Field(examples=[["deals:read"]])
    expires_at: TimeOut


class DeedOut(Schema):
    """One thing done with a key, as the evidence tells it."""

    id: UUID
    at: TimeOut
    action: str = Field(examples=["deal.created"])
    address: str | None = Field(examples=["203.0.113.5"])
    object_type: str = Field(examples=["deal"])
    object_id: UUID | None
    fields: list[str] = Field(examples=[["price"]])


class DeedsPage(Schema):
    items: list[DeedOut]
    next_cursor: str | None = Field(examples=[None])


@own_key.get("", response=OwnKeyOut)
@needs(*Scope)
@refuses(NotAllowed)
def get_own_key(request: ActorRequest) -> dict[str, Any]:
    """Tell a program which key it uses, and what that may do."""
    key = request.actor.key
    if key is None:
        raise NotAllowed
    return {
        "id": key.pk,
        "name": key.name,
        "agency": key.agency_id,
        "scopes": key.scopes,
        "expires_at": key.expires_at,
    }


@router.get("", response=KeysOut)
@refuses(NotAllowed)
def list_keys(request: ActorRequest) -> dict[str, Any]:
    """List the keys of the agency, the newest first, ended ones too; heads only."""
    return {"items": [key_out(key) for key in keys.keys_of(request.actor)]}


@router.post("", response={201: ShownKeyOut})
@refuses(NotAllowed, FreshCodeRequired, TooManyKeys, Invalid)
@idempotent(ApiKey, shown_once="token")
def make_key(request: ActorRequest, payload: KeyIn) -> Status[dict[str, Any]]:
    """Make a key. The answer shows it once; heads only, after a fresh code."""
    return Status(201, shown_key(keys.make_key(**payload.model_dump(), actor=request.actor)))


@router.get("/{uuid:key_id}", response=KeyOut)
@refuses(NotAllowed)
def get_key(request: ActorRequest, key_id: UUID) -> dict[str, Any]:
    """Return a key of the agency, without its secrets; heads only."""
    return key_out(keys.seen_key(key_id, actor=request.actor))


@router.patch("/{uuid:key_id}", response=KeyOut)
@refuses(NotAllowed, FreshCodeRequired, KeyRevoked, Invalid)
@idempotent()
def edit_key(request: ActorRequest, key_id: UUID, payload: KeyPatch) -> dict[str, Any]:
    """Change name, scopes or networks of a key; heads only, after a fresh code."""
    return key_out(keys.edit_key(key_id, **payload.model_dump(exclude_unset=True), actor=request.actor))


@router.delete("/{uuid:key_id}", response={204: None})
@refuses(NotAllowed, KeyRevoked)
def revoke_key(request: ActorRequest, key_id: UUID) -> Status[None]:
    """End a key at once; heads only."""
    keys.revoke_key(key_id, actor=request.actor)
    return Status(204, None)


@router.post("/{uuid:key_id}/rotate", response={201: ShownKeyOut})
@refuses(NotAllowed, FreshCodeRequired, KeyRevoked, Invalid)
@idempotent(shown_once="token")
def rotate_key(request: ActorRequest, key_id: UUID, payload: RotationIn) -> Status[dict[str, Any]]:
    """Give a key a new secret, shown once; the old one works for 24 hours more. Heads only, after a fresh code."""
    return Status(201, shown_key(keys.rotate_key(key_id, days=payload.days, actor=request.actor)))


@router.get("/{uuid:key_id}/deeds", response=DeedsPage)
@refuses(NotAllowed, CursorInvalid)
def list_deeds(request: ActorRequest, key_id: UUID, query: Query[PageQuery]) -> HttpResponse:
    """List what was done with a key, newest first; heads only."""
    after = NEWEST_FIRST.position(request, query.cursor)
    deeds = keys.deeds_of(keys.seen_key(key_id, actor=request.actor))
    rows = NEWEST_FIRST.after(deeds, after)[: query.limit + 1]
    return NEWEST_FIRST.answer(request, rows, query.limit, show=deed_out, key=lambda event: (event.at, event.pk))


def shown_key(shown: keys.ShownKey) -> dict[str, Any]:
    return {**key_out(shown.key), "token": shown.token}


def key_out(key: ApiKey) -> dict[str, Any]:
    """Return a key as `KeyOut` says; nothing in it opens anything."""
    secrets = [
        {"starts_with": secret.shown, "made_at": secret.made_at, "ends_at": secret.ends_at}
        for secret in key.secrets.all()
    ]
    names = ("id", "name", "scopes", "networks", "created_at", "expires_at", "used_at", "used_from", "revoked_at")
    return {name: getattr(key, name) for name in names} | {"secrets": secrets}


def deed_out(event: Event) -> dict[str, Any]:
    names = ("id", "at", "action", "address", "object_type", "object_id", "fields")
    return {name: getattr(event, name) for name in names}
