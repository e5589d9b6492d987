"""`/audit`: what was done in the agency, for its head and for programs that report."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Field, Query, Router, Schema, Status
from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from accounts.actor import ActorRequest
from accounts.api.idempotent import idempotent
from accounts.audit_csv import CSV, csv_answer
from accounts.audit_pages import address_of
from accounts.models import Event, Scope
from accounts.services import alarms, audit
from accounts.services.audit import AUDITED, NEWEST_FIRST, AuditFilter, Names
from accounts.services.step_up import FreshCodeRequired
from lk_site.cursors import CursorInvalid
from lk_site.errors import Invalid, LimitReached, NotAllowed
from lk_site.operations import needs, refuses
from lk_site.schemas import IdIn, MomentIn, PageQuery, StrictSchema, TimeOut

router = Router(tags=["audit"])

VALUES_AT_MOST = 50
ACTIONS = {"type": "string", "enum": [action.value for action in AUDITED]}
TABLE = """number;at;actor_kind;who;what;about;action;object_type;object;deal;client;version;fields;address;request
12;2026-11-23 12:05:00+03:00;agent;Анна;Изменил(а) сделку;№ 7;deal.changed;deal;{id};{id};;2;price;203.0.113.5;3f1d
""".format(id="0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8")
ANSWER = {"description": "OK", "content": {CSV: {"schema": {"type": "string"}, "example": TABLE}}}


def known_action(value: str) -> str:
    if value not in AUDITED:
        raise PydanticCustomError("unknown", "{sentence}", {"sentence": "There is no such action."})
    return value


ActionIn = Annotated[str, AfterValidator(known_action), WithJsonSchema(ACTIONS)]
ActorsIn = Annotated[list[IdIn], Field(max_length=VALUES_AT_MOST, description="Ids of people and keys.")]
ActionsIn = Annotated[list[ActionIn], Field(max_length=len(AUDITED))]
SINCE, UNTIL = "Not before.", "Before, not at."
OBJECT = "It, or what belongs to this deal or client."


class AuditQuery(PageQuery):
    """Which events."""

    actor: ActorsIn = []
    action: ActionsIn = []
    since: MomentIn | None = Field(None, description=SINCE)
    until: MomentIn | None = Field(None, description=UNTIL)
    object: IdIn | None = Field(None, description=OBJECT)


class AuditExportIn(StrictSchema):
    """Which events: those of the last 31 days, unless it says another time of no more."""

    actor: ActorsIn = []
    action: ActionsIn = []
    since: MomentIn | None = Field(None, description=SINCE, examples=["2026-11-01T00:00:00Z"])
    until: MomentIn | None = Field(None, description=UNTIL, examples=["2026-11-23T00:00:00Z"])
    object: IdIn | None = Field(None, description=OBJECT, examples=[None])


class AuditActorOut(Schema):
    """Who did it."""

    kind: str = Field(
        description="`agent`, `key`, `staff` of the platform, `system` (LK itself), `nobody` (not logged in)",
        examples=["agent"],
    )
    id: UUID | None = Field(description="Of the person or the key; never of staff.")
    name: str | None = Field(description="Null for who is not of the agency any more.", examples=["Анна Агеева"])


class AuditEventOut(Schema):
    """One fact. It is never changed, and holds no personal data of clients."""

    id: UUID
    number: int = Field(description="Without gaps in the agency, in the order it was committed.", examples=[12])
    at: TimeOut
    action: str = Field(examples=["deal.changed"])
    actor: AuditActorOut
    address: str | None = Field(examples=["203.0.113.5"])
    object_type: str = Field(examples=["deal"])
    object_id: UUID | None
    deal: UUID | None = Field(description="That it is about.")
    client: UUID | None = Field(description="That it is about.", examples=[None])
    version: int | None = Field(description="Of the object, that the change made.", examples=[2])
    fields: list[str] = Field(description="Names of what changed.", examples=[["price"]])
    request_id: str = Field(description="The `X-Request-ID` of its answer.", examples=["3f1d0c6f9a2b4e57"])


class AuditEventsPage(Schema):
    items: list[AuditEventOut]
    next_cursor: str | None = Field(examples=[None])


@router.get("", response=AuditEventsPage)
@needs(Scope.REPORTS_READ)
@refuses(NotAllowed, CursorInvalid)
def list_audit_events(request: ActorRequest, query: Query[AuditQuery]) -> HttpResponse:
    """List what was done in the agency, newest first; for a person heads only."""
    after = NEWEST_FIRST.position(request, query.cursor)
    page = audit.list_events(asked(query), actor=request.actor, limit=query.limit, after=after)
    names = audit.names_in(page.events, request.actor)
    return NEWEST_FIRST.answer_up_to(request, [event_out(event, names) for event in page.events], page.last)


@router.post("/export", response={200: None}, openapi_extra={"responses": {200: ANSWER}})
@refuses(NotAllowed, FreshCodeRequired, Invalid, LimitReached)
def export_audit(request: ActorRequest, payload: AuditExportIn) -> HttpResponseBase:
    """Return up to 100,000 events of up to 31 days as CSV, newest first, with semicolons; heads only.

    It takes a fresh code, counts against three exports a day, and leaves an event itself. Times are in the time zone
    of the person who asks.
    """
    return csv_answer(audit.export_events(asked(payload), actor=request.actor), request.actor)


@router.post("/alarms/{uuid:alarm_id}/seen", response={204: None})
@refuses(NotAllowed)
@idempotent()
def see_alarms(request: ActorRequest, alarm_id: UUID) -> Status[None]:
    """Take an alarm (an event `alarm.raised`), and those before it, off the pages of the head who asks."""
    alarms.see_alarms(alarm_id, actor=request.actor)
    return Status(204, None)


def asked(query: AuditQuery | AuditExportIn) -> AuditFilter:
    since: datetime | None = query.since
    return AuditFilter(tuple(query.actor), tuple(query.action), since, query.until, query.object)


def event_out(event: Event, names: Names) -> dict[str, Any]:
    """Return an event as `AuditEventOut` says."""
    who = names.who(event)
    return {
        "id": event.pk,
        "number": event.seq,
        "at": event.at,
        "action": event.action,
        "actor": {"kind": who.kind, "id": who.id, "name": who.name or None},
        "address": address_of(event) or None,
        "object_type": event.object_word,
        "object_id": event.object_id,
        "deal": event.deal_id,
        "client": event.client_id,
        "version": event.version,
        "fields": event.fields,
        "request_id": event.request_id,
    }
