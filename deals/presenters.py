"""Rows and cards as ready strings: templates only place them. No work per row that can be done per page."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from accounts.actor import Actor
from accounts.models import Action
from deals.models import Client, Deal, DealKind, PropertyType, Stage, StageKind
from deals.services.client_listing import ClientRow
from deals.services.client_summaries import ClientDeals, deals_of_clients
from deals.services.deal_rows import DealRow
from deals.services.permissions import may_ask
from deals.services.pipeline import can_undo, stage_durations
from lk_site.formats import (
    age_text,
    day_text,
    mask_phone,
    money_text,
    percent_text,
    phone_text,
    when_text,
)
from lk_site.links import link

SOON_DAYS = 3


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a page: language, time zone, and what the time is. Made once a page."""

    language: str
    zone: ZoneInfo
    now: datetime
    today: date

    @classmethod
    def of(cls, actor: Actor) -> "Reader":
        zone = ZoneInfo(actor.user.time_zone if actor.user else "Europe/Moscow")
        now = timezone.now()
        return cls(get_language() or "ru", zone, now, now.astimezone(zone).date())

    def when(self, moment: datetime) -> str:
        return when_text(moment, self.now, self.zone, self.language)

    def day(self, day: date) -> str:
        return day_text(day, self.today, self.language)

    def age(self, since: datetime) -> str:
        return age_text(self.now - since, self.language)


def next_step_state(deal: Deal | DealRow, today: date) -> str:
    """Return `late`, `today`, `soon`, `later`, `missing` for an open deal without a step, `none` for a closed one."""
    day = deal.next_step_on
    if not deal.is_open:
        return "none"
    if day is None:
        return "missing"
    if deal.is_overdue(today):
        return "late"
    if day == today:
        return "today"
    return "soon" if (day - today).days <= SOON_DAYS else "later"


def deal_rows(rows: list[DealRow], actor: Actor) -> list[dict[str, str]]:
    """Return rows of a list of deals as ready strings."""
    reader = Reader.of(actor)
    nameless = _("No name")
    return [deal_row(row, reader, nameless) for row in rows]


def deal_row(row: DealRow, reader: Reader, nameless: str) -> dict[str, str]:
    """Return one row; what is made here of codes, numbers and days is ours, which a template need not escape."""
    return {
        "url": ours(link("deals:deal_detail", row.id)),
        "number": ours(row.number),
        "client_name": row.client_name or row.client_phone_masked or nameless,
        "address": row.property_address,
        "price": ours(money_text(row.price)),
        "stage_name": row.stage_name(reader.language),
        "stage_kind": ours(row.status),
        "next_step_text": row.next_step_text if row.is_open else "",
        "next_step_when": ours(next_step_when(row, reader)),
        "next_step_state": ours(next_step_state(row, reader.today)),
        "created_when": ours(reader.when(row.created_at)),
        "agent_name": row.agent_name,
    }


def ours(value: object) -> SafeString:
    """Mark what LK itself wrote of codes, numbers and days: nothing of it was typed by anybody."""
    return SafeString(value)  # nosec B703


def next_step_when(row: DealRow, reader: Reader) -> str:
    """Return the day of the next step; an open deal without one is marked by these words (product.md)."""
    if not row.is_open:
        return ""
    return reader.day(row.next_step_on) if row.next_step_on else _("no next step")


def phones_of(client: Client, *, is_open: bool) -> list[dict[str, str]]:
    """Return a client's numbers for a card: `tel` is empty where only the mask is shown."""
    if is_open:
        return [{"text": phone_text(number), "tel": f"+{number}"} for number in client.numbers]
    return [{"text": mask_phone(number), "tel": ""} for number in client.numbers]


def deal_card(deal: Deal, reader: Reader) -> dict[str, Any]:
    """Return what the card of a deal shows, ready to be placed."""
    return {
        "id": deal.pk,
        "number": deal.number,
        "version": deal.version,
        "kind_name": DealKind(deal.kind).label,
        "client_name": client_name(deal.client),
        "client_url": link("deals:client_detail", deal.client_id),
        "stage_name": deal.stage.name,
        "stage_kind": deal.stage.kind,
        "stage_age": reader.age(deal.stage_since),
        "is_open": deal.is_open,
        "lost_reason": deal.lost_reason and deal.lost_reason.name,
        "lost_comment": deal.lost_comment,
        "price": money_text(deal.price),
        "commission": money_text(deal.commission),
        "commission_percent": percent_text(deal.commission_percent),
        "next_step_text": deal.next_step_text if deal.is_open else "",
        "next_step_when": reader.day(deal.next_step_on) if deal.next_step_on else "",
        "next_step_state": next_step_state(deal, reader.today),
        "address": deal.property_address,
        "property_name": capfirst(PropertyType(deal.property_type).label) if deal.property_type else "",
        "agent_name": deal.agent.name or "",
        "created_when": reader.when(deal.created_at),
        "notes": deal.notes or "",
    }


def client_name(client: Client) -> str:
    return client.name or (client.masked_numbers[:1] or [_("No name")])[0]


def deal_buttons(deal: Deal, actor: Actor) -> dict[str, bool]:
    """Return which buttons the card draws: those that the table of permissions lets work."""
    move = Action.DEAL_MOVED if deal.is_open else Action.DEAL_REOPENED
    return {
        "edit": may_ask(actor, Action.DEAL_CHANGED, deal),
        "move": may_ask(actor, move, deal),
        "hand_over": may_ask(actor, Action.DEAL_HANDED_OVER, deal),
        "trash": may_ask(actor, Action.DEAL_TRASHED, deal),
        "reopen": not deal.is_open and may_ask(actor, Action.DEAL_REOPENED, deal),
    }


def stage_times(stages: list[Stage], deal: Deal, reader: Reader) -> list[dict[str, str]]:
    """Return how long the deal stood in each open stage that it went through, in the pipeline's order."""
    stood = stage_durations(deal, now=reader.now)
    went_through = [stage for stage in stages if stage.is_open and stage.code in stood]
    return [{"name": stage.name, "stood": age_text(stood[stage.code], reader.language)} for stage in went_through]


def stage_steps(stages: list[Stage], deal: Deal) -> list[dict[str, Any]]:
    """Return the pipeline as a line of steps, those before the present one done."""
    return [
        {
            "code": stage.code,
            "name": stage.name,
            "kind": stage.kind,
            "is_current": stage.pk == deal.stage_id,
            "is_done": stage.position < deal.stage.position and deal.stage.kind != StageKind.LOST,
        }
        for stage in stages
    ]


def undo_button(deal: Deal, actor: Actor, reader: Reader) -> dict[str, Any] | None:
    """Return the button that takes the actor's last move back, while that is possible."""
    if not can_undo(deal, actor=actor, now=reader.now):
        return None
    url = link("deals:deal_undo_move", deal.pk)
    return {"url": url, "version": deal.version, "text": _("Undo the move")}


def client_rows(rows: list[ClientRow], actor: Actor) -> list[dict[str, str]]:
    """Return rows of a list of clients as ready strings, with the newest deal of each."""
    reader, deals = Reader.of(actor), deals_of_clients([row.id for row in rows], actor=actor)
    return [client_row(row, deals.get(row.id), reader) for row in rows]


def client_row(row: ClientRow, deals: ClientDeals | None, reader: Reader) -> dict[str, str]:
    count = deals.deals if deals else 0
    return {
        "url": link("deals:client_detail", row.id),
        "name": row.name or _("No name"),
        "phones": ", ".join(row.masked_numbers[:1]),
        "deals_text": ngettext("%d deal", "%d deals", count) % count if count else "",
        "last_deal": deals.newest_address if deals else "",
        "when": reader.when(row.created_at),
        "agent_name": row.agent_name,
    }


def client_card(client: Client, reader: Reader) -> dict[str, Any]:
    """Return what the card of a client shows."""
    return {
        "id": client.pk,
        "name": client_name(client),
        "email": client.email or "",
        "notes": client.notes or "",
        "agent_name": client.agent.name or "",
        "version": client.version,
        "created_when": reader.when(client.created_at),
    }


def trashed_deal_row(row: DealRow, reader: Reader) -> dict[str, Any]:
    """Return a deal in the trash as a row that can be restored."""
    return {
        "name": f"№ {row.number}, {row.client_name or row.client_phone_masked}",
        "detail": row.property_address,
        "restore_url": link("deals:deal_restore", row.id),
        "version": row.version,
        **deadlines(row.deleted_at, reader),
    }


def trashed_client_row(row: ClientRow, reader: Reader) -> dict[str, Any]:
    """Return a client in the trash as a row that can be restored."""
    return {
        "name": row.name or _("No name"),
        "detail": ", ".join(row.masked_numbers),
        "restore_url": link("deals:client_restore", row.id),
        "version": row.version,
        **deadlines(row.deleted_at, reader),
    }


def deadlines(deleted_at: datetime | None, reader: Reader) -> dict[str, str]:
    assert deleted_at is not None
    purged_on = (deleted_at + settings.TRASH_LIFE).astimezone(reader.zone).date()
    return {
        "when": _("deleted %s") % reader.when(deleted_at),
        "purge_text": _("gone for good %s") % reader.day(purged_on),
    }
