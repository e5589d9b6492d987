"""Agencies: opened by a first login or by staff, named, closed when their last person leaves."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, Agency, Event, Role, User
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.errors import Clash, Invalid, InvalidValue
from lk_site.text import clean_line

AGENCY_NAME_AT_MOST = 100


class Work(Protocol):
    """What `accounts` asks the app that holds the work; `deals` answers it."""

    def lay_out_agency(self, agency: Agency, *, actor: Actor) -> None:
        """Give a new agency what its people start with: pipelines and lost reasons."""

    def holds_work(self, user_id: UUID) -> bool:
        """Tell whether an agent has deals or clients, trashed ones included."""
        ...

    def places(self, events: Iterable[Event], *, actor: Actor) -> dict[UUID, tuple[str, str]]:
        """Return name and address of the deals and clients that these events are about and the actor can open."""
        ...

    def sweep(self, now: datetime) -> None:
        """Purge what has outlived its time."""


class NoWork:
    """Holds the place until the app of the work is ready."""

    def lay_out_agency(self, agency: Agency, *, actor: Actor) -> None:
        raise NotImplementedError

    def holds_work(self, user_id: UUID) -> bool:
        raise NotImplementedError

    def places(self, events: Iterable[Event], *, actor: Actor) -> dict[UUID, tuple[str, str]]:
        raise NotImplementedError

    def sweep(self, now: datetime) -> None:
        raise NotImplementedError


work: Work = NoWork()  # `deals.apps` puts itself here: accounts never imports deals


class AgencyNotEmpty(Clash):
    """An agency with people stays open."""

    code = "agency_not_empty"
    sentence = _("People still belong to this agency. Move them first.")


@unit_of_work
def open_agency_of_one(phone: str, *, actor: Actor) -> User:
    """Open an agency for a phone that nobody has, and return its only agent, who heads it.

    `phone` is digits with country code. Of two first logins at once both get the one agent.
    """
    User.objects.lock_phone(phone)
    if known := User.objects.with_phone(phone).first():
        return known
    agency = Agency()
    head = User(agency=agency, role=Role.HEAD)
    head.set_phone(phone)
    try:
        with transaction.atomic():
            agency.save(force_insert=True)
            head.save(force_insert=True)
    except IntegrityError:
        return User.objects.with_phone(phone).get()
    record(actor, Action.AGENCY_OPENED, agency)
    record(actor, Action.AGENT_ADDED, head, role=Role.HEAD.value)
    work.lay_out_agency(agency, actor=actor)
    return head


@unit_of_work
def add_agency(name: str, *, actor: Actor) -> Agency:
    """Open an agency that staff will fill with people. Raises Invalid for a name that cannot be one."""
    agency = Agency(name=cleaned_name(name))
    agency.save(force_insert=True)
    record(actor, Action.AGENCY_OPENED, agency, fields=["name"])
    work.lay_out_agency(agency, actor=actor)
    return agency


@unit_of_work
def rename_agency(agency_id: UUID, name: str, *, actor: Actor) -> Agency:
    """Name an agency anew. Raises Agency.DoesNotExist for a closed one, Invalid for a name that cannot be one."""
    agency = Agency.objects.open().select_for_update(no_key=True).get(pk=agency_id)
    cleaned = cleaned_name(name)
    if cleaned == agency.name:
        return agency
    agency.name = cleaned
    agency.save(update_fields=["name"])
    record(actor, Action.AGENCY_CHANGED, agency, fields=["name"])
    return agency


@unit_of_work
def close_agency(agency_id: UUID, *, actor: Actor) -> Agency:
    """Close an agency that nobody belongs to; its evidence stays. Raises AgencyNotEmpty."""
    agency = Agency.objects.open().select_for_update(no_key=True).get(pk=agency_id)
    if User.objects.filter(agency_id=agency_id).exists():
        raise AgencyNotEmpty
    agency.closed_at = timezone.now()
    agency.save(update_fields=["closed_at"])
    record(actor, Action.AGENCY_CLOSED, agency)
    return agency


def cleaned_name(name: str) -> str:
    """Return an agency's name as it is stored. Raises Invalid."""
    try:
        cleaned = clean_line(name, AGENCY_NAME_AT_MOST)
    except InvalidValue as error:
        raise Invalid(errors=[error.at("name")]) from error
    if not cleaned:
        raise Invalid.at("name", "required", _("Name the agency."))
    return cleaned
