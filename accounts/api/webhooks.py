"""`/webhooks`: where programs are told what happens, for heads and for keys with `webhooks:manage`."""

import json
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status
from pydantic import WithJsonSchema

from accounts.actor import ActorRequest
from accounts.api.idempotent import idempotent
from accounts.models import Scope, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookState
from accounts.services import webhooks
from accounts.services.webhooks import (
    DESCRIPTION_AT_MOST,
    NEWEST_FIRST,
    TRIES_SHOWN,
    TYPES,
    EndpointOff,
    RangeTooWide,
    TooManyEndpoints,
)
from accounts.webhook_wire import URL_AT_MOST
from lk_site.answers import Ready
from lk_site.cursors import CursorInvalid
from lk_site.errors import Invalid, NotAllowed, Stale, VersionRequired
from lk_site.etags import etagged, if_match
from lk_site.openapi_parts import EVENT
from lk_site.operations import needs, refuses
from lk_site.schemas import Line, MomentIn, PageQuery, StrictSchema, TimeOut, absent

router = Router(tags=["webhooks"])

URL_SCHEMA = {
    "type": "string",
    "maxLength": URL_AT_MOST,
    "pattern": "^https://",
    "examples": ["https://example.ru/hook"],
}
UrlIn = Annotated[str, Line(URL_AT_MOST, least=1), WithJsonSchema(URL_SCHEMA)]
TypeIn = Annotated[str, Line(30, least=1), WithJsonSchema({"type": "string", "enum": list(TYPES)})]
TypesIn = Annotated[list[TypeIn], Field(max_length=len(TYPES), description="Types of events. None of them means all.")]
DescriptionIn = Annotated[str, Line(DESCRIPTION_AT_MOST)]


class WebhookIn(StrictSchema):
    url: UrlIn
    description: DescriptionIn = Field("", examples=["Бухгалтерия"])
    types: TypesIn = Field([], examples=[["deal.created", "deal.moved"]])


class WebhookPatch(StrictSchema):
    """A merge patch: fields that are absent stay."""

    url: UrlIn = absent("https://example.ru/hook")
    description: DescriptionIn = absent("Бухгалтерия")
    types: TypesIn = absent(["deal.created"])


class WebhookOut(Schema):
    id: UUID
    url: str = Field(examples=["https://example.ru/hook"])
    description: str = Field(examples=["Бухгалтерия"])
    types: list[str] = Field(description="None of them means all.", examples=[["deal.created", "deal.moved"]])
    is_on: bool
    off_why: str | None = Field(description="`person`, `failing` or `gone`; null while it is on.", examples=[None])
    switched_off_at: TimeOut | None = Field(examples=[None])
    failing_since: TimeOut | None = Field(
        description="Of the first try that failed since one arrived.", examples=[None]
    )
    previous_secret_until: TimeOut | None = Field(
        description="Until then the secret before signs beside the present one.", examples=[None]
    )
    version: int
    created_at: TimeOut
    updated_at: TimeOut


class ShownWebhookOut(WebhookOut):
    secret: str = Field(description="Shown now, and never again.", examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class WebhooksOut(Schema):
    items: list[WebhookOut]


class DeliveryOut(Schema):
    """One event for one webhook. Code, error and latency are those of the last try."""

    id: UUID
    message_id: str = Field(
        description="The header `webhook-id`: the same over tries and replays.",
        examples=["msg_0198f3c27d4e7a109c553b1de2a4f6b8"],
    )
    event: UUID
    type: str = Field(examples=["deal.changed"])
    state: str = Field(description="`waiting`, `done` or `failed`", examples=["done"])
    attempts: int = Field(description="Tries since it was made or replayed.")
    next_try_at: TimeOut | None = Field(description="While it waits.", examples=[None])
    code: int | None = Field(description="The status that the receiver answered.", examples=[200])
    error: str | None = Field(
        description="Why there was no answer: `name_unknown`, `address_refused`, `not_reached`, `tls_failed`, "
        "`timed_out`, `not_http`, `unreadable` (by LK itself).",
        examples=[None],
    )
    latency_ms: int | None = Field(examples=[84])
    created_at: TimeOut
    settled_at: TimeOut | None


class TryOut(Schema):
    at: TimeOut
    code: int | None = Field(examples=[200])
    error: str | None = Field(examples=[None])
    latency_ms: int = Field(examples=[84])
    body: str = Field(description="The first 4 KB of the answer.", examples=["ok"])


class WholeDeliveryOut(DeliveryOut):
    payload: dict[str, Any] = Field(examples=EVENT["examples"])
    tries: list[TryOut] = Field(description=f"The last {TRIES_SHOWN}, the newest first.")


class DeliveriesPage(Schema):
    items: list[DeliveryOut]
    next_cursor: str | None = Field(examples=[None])


class DeliveriesQuery(PageQuery):
    state: list[WebhookState] = Field([], max_length=len(WebhookState), description="Any of these.")


class RangeIn(StrictSchema):
    since: MomentIn
    until: MomentIn


class ReplayedOut(Schema):
    deliveries: int = Field(description="How many are sent again.", examples=[12])


@router.get("", response=WebhooksOut)
@needs(Scope.WEBHOOKS_MANAGE)
@refuses(NotAllowed)
def list_webhooks(request: ActorRequest) -> dict[str, Any]:
    """List the agency's webhooks, the oldest first; heads and keys only."""
    return {"items": [webhook_out(endpoint) for endpoint in webhooks.endpoints_of(request.actor)]}


@router.post("", response={201: ShownWebhookOut})
@needs(Scope.WEBHOOKS_MANAGE)
@refuses(NotAllowed, TooManyEndpoints, Invalid)
@idempotent(WebhookEndpoint)
@etagged
def add_webhook(request: ActorRequest, payload: WebhookIn, response: HttpResponse) -> Status[Ready]:
    """Add a webhook. It is sent what happens from now on; the answer shows its secret once."""
    endpoint = webhooks.add_endpoint(**payload.model_dump(), actor=request.actor)
    response["Location"] = f"{request.path}/{endpoint.pk}"
    return Status(201, shown_webhook(endpoint))


@router.get("/{uuid:webhook_id}", response=WebhookOut)
@needs(Scope.WEBHOOKS_MANAGE)
@etagged
def get_webhook(request: ActorRequest, webhook_id: UUID) -> Ready:
    """Return a webhook, without its secret."""
    return webhook_out(WebhookEndpoint.objects.visible_to(request.actor).get(pk=webhook_id))


@router.patch("/{uuid:webhook_id}", response=WebhookOut)
@needs(Scope.WEBHOOKS_MANAGE)
@refuses(VersionRequired, Stale, Invalid)
@idempotent(WebhookEndpoint)
@etagged
def edit_webhook(request: ActorRequest, webhook_id: UUID, payload: WebhookPatch) -> Ready:
    """Change where and what is sent. What waits goes to the new address."""
    changes = payload.model_dump(exclude_unset=True)
    return webhook_out(webhooks.edit_endpoint(webhook_id, actor=request.actor, version=if_match(request), **changes))


@router.delete("/{uuid:webhook_id}", response={204: None})
@needs(Scope.WEBHOOKS_MANAGE)
@refuses(VersionRequired, Stale)
def remove_webhook(request: ActorRequest, webhook_id: UUID) -> Status[None]:
    """Remove a webhook with its deliveries, for good."""
    webhooks.remove_endpoint(webhook_id, actor=request.actor, version=if_match(request))
    return Status(204, None)


@router.post("/{uuid:webhook_id}/rotate-secret", response=ShownWebhookOut)
@needs(Scope.WEBHOOKS_MANAGE)
@idempotent(WebhookEndpoint)
@etagged
def rotate_webhook_secret(request: ActorRequest, webhook_id: UUID) -> Ready:
    """Give a webhook a new secret, shown once. The one before signs beside it for 24 hours."""
    return shown_webhook(webhooks.rotate_secret(webhook_id, actor=request.actor))


@router.post("/{uuid:webhook_id}/switch-off", response=WebhookOut)
@needs(Scope.WEBHOOKS_MANAGE)
@idempotent(WebhookEndpoint)
@etagged
def switch_webhook_off(request: ActorRequest, webhook_id: UUID) -> Ready:
    """Stop sending; what happens meanwhile is sent when it is switched on again."""
    return webhook_out(webhooks.switch_off(webhook_id, actor=request.actor))


@router.post("/{uuid:webhook_id}/switch-on", response=WebhookOut)
@needs(Scope.WEBHOOKS_MANAGE)
@idempotent(WebhookEndpoint)
@etagged
def switch_webhook_on(request: ActorRequest, webhook_id: UUID) -> Ready:
    """Send again: what waits, what failed and what happened meanwhile, back to 30 days."""
    return webhook_out(webhooks.switch_on(webhook_id, actor=request.actor))


@router.post("/{uuid:webhook_id}/test", response={202: DeliveryOut})
@needs(Scope.WEBHOOKS_MANAGE)
@idempotent(WebhookDelivery)
def test_webhook(request: ActorRequest, webhook_id: UUID) -> Status[Ready]:
    """Send an event of type `webhook.test`, once, also while the webhook is off."""
    return Status(202, delivery_out(webhooks.send_test(webhook_id, actor=request.actor)))


@router.post("/{uuid:webhook_id}/replay", response={202: ReplayedOut})
@needs(Scope.WEBHOOKS_MANAGE)
@refuses(EndpointOff, RangeTooWide, Invalid)
@idempotent()
def replay_webhook(request: ActorRequest, webhook_id: UUID, payload: RangeIn) -> Status[Ready]:
    """Send everything again that happened from one time to another, back to 30 days, under the same ids."""
    count = webhooks.replay_range(webhook_id, since=payload.since, until=payload.until, actor=request.actor)
    return Status(202, Ready(deliveries=count))


@router.get("/{uuid:webhook_id}/deliveries", response=DeliveriesPage)
@needs(Scope.WEBHOOKS_MANAGE)
@refuses(CursorInvalid)
def list_deliveries(request: ActorRequest, webhook_id: UUID, query: Query[DeliveriesQuery]) -> HttpResponse:
    """List a webhook's deliveries of the last 30 days, the newest first."""
    after = NEWEST_FIRST.position(request, query.cursor)
    rows = webhooks.deliveries_of(webhook_id, actor=request.actor)
    rows = rows.filter(state__in=query.state) if query.state else rows
    found = NEWEST_FIRST.after(rows, after)[: query.limit + 1]
    return NEWEST_FIRST.answer(request, found, query.limit, show=delivery_out, key=lambda delivery: (delivery.pk,))


@router.get("/{uuid:webhook_id}/deliveries/{uuid:delivery_id}", response=WholeDeliveryOut)
@needs(Scope.WEBHOOKS_MANAGE)
def get_delivery(request: ActorRequest, webhook_id: UUID, delivery_id: UUID) -> dict[str, Any]:
    """Return a delivery with its payload and its tries."""
    delivery = webhooks.deliveries_of(webhook_id, actor=request.actor).get(pk=delivery_id)
    tries = [try_out(one) for one in webhooks.tries_of(delivery)]
    return {**delivery_out(delivery), "payload": json.loads(delivery.payload), "tries": tries}


@router.post("/{uuid:webhook_id}/deliveries/{uuid:delivery_id}/replay", response={202: DeliveryOut})
@needs(Scope.WEBHOOKS_MANAGE)
@refuses(EndpointOff)
@idempotent(WebhookDelivery)
def replay_delivery(request: ActorRequest, webhook_id: UUID, delivery_id: UUID) -> Status[Ready]:
    """Send a delivery again, under the same id."""
    return Status(202, delivery_out(webhooks.replay_delivery(webhook_id, delivery_id, actor=request.actor)))


def webhook_out(endpoint: WebhookEndpoint) -> Ready:
    """Return a webhook as `WebhookOut` says."""
    names = ("id", "url", "description", "types", "is_on", "switched_off_at", "failing_since")
    until = endpoint.previous_until
    return Ready(
        {name: getattr(endpoint, name) for name in (*names, "version", "created_at", "updated_at")},
        off_why=endpoint.off_why or None,
        previous_secret_until=until if until and until > timezone.now() else None,
    )


def shown_webhook(endpoint: WebhookEndpoint) -> Ready:
    return Ready(webhook_out(endpoint) | {"secret": endpoint.secret})


def delivery_out(delivery: WebhookDelivery) -> Ready:
    """Return a delivery as `DeliveryOut` says."""
    return Ready(
        id=delivery.pk,
        message_id=delivery.message_id,
        event=delivery.event_id,
        type=delivery.type,
        state=delivery.state,
        attempts=delivery.attempts,
        next_try_at=delivery.due_at if delivery.state == WebhookState.WAITING else None,
        code=delivery.last_code,
        error=delivery.last_error or None,
        latency_ms=delivery.last_latency_ms,
        created_at=delivery.created_at,
        settled_at=delivery.settled_at,
    )


def try_out(one: WebhookAttempt) -> dict[str, Any]:
    names = ("at", "code", "latency_ms", "body")
    return {name: getattr(one, name) for name in names} | {"error": one.error or None}
