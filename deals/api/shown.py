"""How deals and clients are shown to programs, as plain dicts: a response schema over each row would cost more than all
the rest of a list. `test_api_lists` and `test_api_deals` hold them to their schemas."""

from typing import Any

from django.utils.translation import get_language

from accounts.actor import Actor
from accounts.models import ApiKey, User
from deals.models import Client, Deal, Note, Stage
from deals.services.client_listing import ClientRow
from deals.services.deal_details import DealDetail
from deals.services.deal_rows import DealRow
from deals.services.looks import look_at
from deals.services.timeline import Person, TimelineEntry
from lk_site.answers import Ready


def deal_item(row: DealRow, language: str | None) -> dict[str, Any]:
    """Return a row of a list as `DealListItem` says; `language` is the reader's."""
    text = row.next_step_text
    return {
        "id": row.id,
        "number": row.number,
        "client": row.client_id,
        "client_phone_masked": row.client_phone_masked,
        "client_name": row.client_name or None,
        "property_address": row.property_address,
        "price": row.price,
        "kind": row.kind,
        "property_type": row.property_type or None,
        "commission_percent": row.commission_percent,
        "stage": {"code": row.stage_code, "name": row.stage_name(language), "kind": row.status},
        "status": row.status,
        "lost_reason": lost_reason_of(row, language),
        "agent": {"id": row.agent_id, "name": row.agent_name or None},
        "next_step": {"text": text, "due_on": row.next_step_on} if text else None,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deleted_at": row.deleted_at,
    }


def lost_reason_of(row: DealRow, language: str | None) -> dict[str, Any] | None:
    if row.lost_reason_code is None:
        return None
    return {"code": row.lost_reason_code, "name": row.lost_reason_name(language), "comment": row.lost_comment or None}


def deal_detail(deal: DealDetail) -> Ready:
    """Return a deal as `DealOut` says; the number in clear was looked at when it was read."""
    item = deal_item(deal.row, get_language())
    return Ready(item, client_phone=deal.phone, notes=deal.notes or None)


def deal_out(deal: Deal, *, actor: Actor, typed: str | None = None) -> Ready:
    """Return a deal as `DealOut` says: the number in clear is a look, unless it is the one that was just typed."""
    client = deal.client
    main = client.numbers[0]
    is_open = main == typed or look_at(client, actor=actor)
    return Ready(
        id=deal.pk,
        number=deal.number,
        client=client.pk,
        client_phone_masked=client.masked_numbers[0],
        client_name=client.name,
        property_address=deal.property_address,
        price=deal.price,
        kind=deal.kind,
        property_type=deal.property_type or None,
        commission_percent=deal.commission_percent,
        stage=stage_out(deal.stage),
        status=deal.status,
        lost_reason=lost_reason_out(deal),
        agent=agent_out(deal.agent),
        next_step={"text": text, "due_on": deal.next_step_on} if (text := deal.next_step_text) else None,
        version=deal.version,
        created_at=deal.created_at,
        updated_at=deal.updated_at,
        deleted_at=deal.deleted_at,
        client_phone=main if is_open else None,
        notes=deal.notes,
    )


def client_item(row: ClientRow) -> dict[str, Any]:
    """Return a row of a list as `ClientListItem` says."""
    return {
        "id": row.id,
        "name": row.name or None,
        "phones_masked": row.masked_numbers,
        "email": row.email or None,
        "agent": {"id": row.agent_id, "name": row.agent_name or None},
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deleted_at": row.deleted_at,
    }


def client_out(client: Client, *, actor: Actor, typed: list[str] | None = None) -> Ready:
    """Return a client as `ClientOut` says: numbers in clear are a look, unless they were just typed."""
    return client_shown(client, is_open=client.numbers == typed or look_at(client, actor=actor))


def client_shown(client: Client, *, is_open: bool) -> Ready:
    """Return a client as `ClientOut` says, with his numbers in clear or masked."""
    return Ready(
        id=client.pk,
        name=client.name,
        phones_masked=client.masked_numbers,
        email=client.email,
        agent=agent_out(client.agent),
        version=client.version,
        created_at=client.created_at,
        updated_at=client.updated_at,
        deleted_at=client.deleted_at,
        phones=client.numbers if is_open else None,
        notes=client.notes,
    )


def stage_out(stage: Stage) -> dict[str, Any]:
    return {"code": stage.code, "name": stage.name, "kind": stage.kind}


def agent_out(agent: User) -> dict[str, Any]:
    return {"id": agent.pk, "name": agent.name}


def key_out(key: ApiKey) -> dict[str, Any]:
    return {"id": key.pk, "name": key.name}


def lost_reason_out(deal: Deal) -> dict[str, Any] | None:
    if (reason := deal.lost_reason) is None:
        return None
    return {"code": reason.code, "name": reason.name, "comment": deal.lost_comment}


def note_out(note: Note, text: str) -> Ready:
    return Ready(
        id=note.pk,
        text=text,
        author=agent_out(note.author) if note.author else None,
        key=key_out(note.key) if note.key else None,
        created_at=note.created_at,
        edited_at=note.edited_at,
    )


def timeline_item(entry: TimelineEntry) -> dict[str, Any]:
    """Return an entry as `TimelineEntryOut` says."""
    return {
        "id": entry.id,
        "at": entry.at,
        "action": entry.action,
        "actor": person(entry.actor),
        "key": person(entry.key),
        "version": entry.version,
        "fields": entry.fields,
        "was_stage": choice(entry.data.get("was"), entry.was_stage),
        "now_stage": choice(entry.data.get("now"), entry.now_stage),
        "lost_reason": choice(entry.data.get("reason"), entry.lost_reason),
        "was_agent": person(entry.was_agent),
        "now_agent": person(entry.now_agent),
        "text": entry.text,
        "is_text_erased": entry.is_text_erased,
        "note": entry.note_id,
        "is_edited": entry.is_edited,
    }


def person(someone: Person | None) -> dict[str, Any] | None:
    return {"id": someone.id, "name": someone.name or None} if someone else None


def choice(code: str | None, name: str) -> dict[str, str] | None:
    """Return a stage or a reason by its code and name; a hand-over names people in the same place, not these."""
    return {"code": code, "name": name} if code and name else None
