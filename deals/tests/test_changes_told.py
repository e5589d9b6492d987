"""Whatever a service does, a copy that follows the feed equals the lists afterwards: nothing changes untold."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from types import ModuleType
from typing import Any

import pytest
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import User
from accounts.services import agencies, people, profile
from accounts.tests.people import new_phone, staff_actor
from deals import services
from deals.models import Client, Deal, LostReason, Pipeline, Stage
from deals.services import (
    client_finding,
    clients,
    hand_over,
    looks,
    notes,
    pipeline,
    pipeline_editing,
    queries,
    searches,
    trash,
)
from deals.services import deals as deal_services
from deals.services.clients import agency_of
from deals.services.pipeline_editing import Names
from deals.tests.making import OTHER_PHONE, PHONE, THIRD_PHONE, by, make_client, make_deal
from deals.tests.mirror import Copy, Mirror
from deals.tests.programs import Program

pytestmark = pytest.mark.django_db

NAMES = Names(name_ru="Иначе", name_en="Otherwise", position=77)


class Office:
    """Anna, Boris and Vera, who heads them, at work: deals that are open, lost and in the trash, and clients likewise.

    Each service is called with the newest versions, by Vera where somebody must see everything.
    """

    def __init__(self, anna: User, boris: User, vera: User) -> None:
        self.anna, self.boris, self.vera, self.agency = anna, boris, vera, agency_of(anna)
        self.head, self.staff, self.now = by(vera), staff_actor(), timezone.now()
        step = {"text": "Позвонить", "due_on": date(2026, 12, 1)}
        self.deal = make_deal(anna, PHONE, client_name="Мария", next_step=step)
        self.note = self.noted(self.deal)
        self.lost = make_deal(anna, OTHER_PHONE, client_name="Пётр")
        pipeline.move_deal(self.lost.pk, "lost", actor=by(anna), version=1, lost_reason="other", comment="Сам")
        self.moved = make_deal(boris, "79030000004")
        self.with_deal(pipeline.move_deal, self.moved, "showing")
        self.away = people.add_agent(self.agency, phone=new_phone(), name="Дина", role="agent", actor=self.staff)
        people.disable_agent(self.away.pk, actor=self.staff)
        self.trashed = make_deal(anna, THIRD_PHONE)
        self.noted(self.trashed)
        deal_services.trash_deal(self.trashed.pk, actor=by(anna), version=1)
        self.alone = make_client(anna, "79030000001", name="Один")
        self.gone = make_client(anna, "79030000002", name="Лишний")
        clients.trash_client(self.gone.pk, actor=by(anna), version=1)

    def noted(self, deal: Deal) -> Any:
        return notes.add_note(deal.pk, "Смотрели", actor=by(self.anna))

    def with_deal(self, service: Callable[..., Any], deal: Deal, *args: Any, **more: Any) -> Any:
        version = Deal.objects.get(pk=deal.pk).version
        return service(deal.pk, *args, actor=self.head, version=version, **more)

    def with_client(self, service: Callable[..., Any], client: Client, *args: Any) -> Any:
        version = Client.objects.get(pk=client.pk).version
        return service(client.pk, *args, actor=self.head, version=version)

    def edited(self, service: Callable[..., Any], model: Any, **which: Any) -> Any:
        return service(model.objects.visible_to(self.head).get(**which).pk, NAMES, actor=self.staff)

    def a_month_later(self, service: Callable[..., Any]) -> Any:
        return service(self.now + timedelta(days=31))

    def hand_over(self, deal: Deal) -> Any:
        return self.with_deal(hand_over.hand_over_deal, deal, self.boris.pk)


@pytest.fixture
def office(anna: User, boris: User, vera: User) -> Office:
    return Office(anna, boris, vera)


def hand_over_to_one_who_knows_him(office: Office) -> Any:
    make_client(office.boris, PHONE, name="Маша")
    return office.hand_over(office.deal)


def hand_over_a_copy(office: Office) -> Any:
    make_deal(office.anna, PHONE)
    return office.hand_over(office.deal)


def restore_with_its_client(office: Office) -> Any:
    office.with_client(clients.trash_client, office.trashed.client)
    return office.with_deal(deal_services.restore_deal, office.trashed)


def name_who_had_none(office: Office) -> Any:
    make_client(office.anna, "79030000003")
    return make_deal(office.anna, "79030000003", client_name="Ольга")


def close_an_agency(office: Office) -> Any:
    return agencies.close_agency(agencies.add_agency("Пустое", actor=office.staff).pk, actor=office.staff)


def purge_clients(office: Office) -> Any:
    office.a_month_later(trash.purge_deals)
    return office.a_month_later(trash.purge_clients)


EXAMPLES: dict[Callable[..., Any], list[Callable[[Office], Any]]] = {
    client_finding.find_clients: [lambda o: client_finding.find_clients(o.agency, PHONE, actor=o.staff)],
    clients.create_client: [lambda o: make_client(o.boris, "79030000009", name="Новый", email="a@example.org")],
    clients.edit_client: [
        lambda o: o.with_client(clients.edit_client, o.deal.client, {"name": "Мария Петровна"}),
        lambda o: o.with_client(clients.edit_client, o.deal.client, {"phones": ["79990000000", PHONE]}),
        lambda o: o.with_client(clients.edit_client, o.trashed.client, {"name": "Кто", "email": "b@example.org"}),
        lambda o: o.with_client(clients.edit_client, o.deal.client, {"notes": "Да"}),
    ],
    clients.trash_client: [lambda o: o.with_client(clients.trash_client, o.alone)],
    clients.restore_client: [lambda o: o.with_client(clients.restore_client, o.gone)],
    deal_services.create_deal: [
        lambda o: make_deal(o.anna, "79030000009", client_name="Новый"),
        lambda o: make_deal(o.anna, "79030000002", client_name="Лишний"),  # he comes back from the trash
        name_who_had_none,
    ],
    deal_services.edit_deal: [
        lambda o: o.with_deal(deal_services.edit_deal, o.deal, {"price": 7}),
        lambda o: o.with_deal(deal_services.edit_deal, o.deal, {"next_step": None, "property_address": "Тут"}),
        lambda o: o.with_deal(deal_services.edit_deal, o.deal, {"notes": "Ключи"}),
    ],
    deal_services.trash_deal: [lambda o: o.with_deal(deal_services.trash_deal, o.deal)],
    deal_services.restore_deal: [
        lambda o: o.with_deal(deal_services.restore_deal, o.trashed),
        restore_with_its_client,
    ],
    hand_over.hand_over_deal: [
        lambda o: o.hand_over(o.deal),
        hand_over_to_one_who_knows_him,
        hand_over_a_copy,
    ],
    looks.take_look: [lambda o: looks.look_at(o.deal.client, actor=by(o.anna))],
    looks.record_reveal: [lambda o: looks.reveal_phones(o.deal.client_id, actor=o.head)],
    notes.add_note: [lambda o: o.noted(o.deal)],
    notes.edit_note: [lambda o: notes.edit_note(o.deal.pk, o.note.pk, "Иначе", actor=by(o.anna))],
    notes.delete_note: [lambda o: notes.delete_note(o.deal.pk, o.note.pk, actor=by(o.anna))],
    pipeline.move_deal: [
        lambda o: o.with_deal(pipeline.move_deal, o.deal, "showing"),
        lambda o: o.with_deal(pipeline.move_deal, o.deal, "lost", lost_reason="other", comment="Так"),
        lambda o: o.with_deal(pipeline.move_deal, o.lost, "showing", comment="Снова"),
    ],
    pipeline.undo_move: [lambda o: o.with_deal(pipeline.undo_move, o.moved)],
    pipeline_editing.edit_pipeline: [lambda o: o.edited(pipeline_editing.edit_pipeline, Pipeline, kind="sale")],
    pipeline_editing.edit_stage: [
        lambda o: o.edited(pipeline_editing.edit_stage, Stage, code="lost", pipeline__kind="sale"),
        lambda o: o.edited(pipeline_editing.edit_stage, Stage, code="new", pipeline__kind="sale"),
    ],
    pipeline_editing.edit_lost_reason: [
        lambda o: o.edited(pipeline_editing.edit_lost_reason, LostReason, code="other"),
    ],
    pipeline_editing.add_stage: [
        lambda o: pipeline_editing.add_stage(
            Pipeline.objects.get(agency=o.agency, kind="sale").pk, "extra", "open", NAMES, actor=o.staff
        )
    ],
    pipeline_editing.add_lost_reason: [
        lambda o: pipeline_editing.add_lost_reason(o.agency, "extra", NAMES, actor=o.staff)
    ],
    queries.record_search: [lambda o: queries.record_search([PHONE], actor=o.head)],
    searches.keep_search: [
        lambda o: searches.keep_search("Арбат", actor=Actor.of(o.anna, session_id=o.anna.pk)),
    ],
    trash.purge_deals: [lambda o: o.a_month_later(trash.purge_deals)],
    trash.purge_clients: [lambda o: o.a_month_later(trash.purge_clients), purge_clients],
    agencies.open_agency_of_one: [lambda o: agencies.open_agency_of_one(new_phone(), actor=o.staff)],
    agencies.add_agency: [lambda o: agencies.add_agency("Новое", actor=o.staff)],
    agencies.rename_agency: [lambda o: agencies.rename_agency(o.agency, "Иначе", actor=o.staff)],
    agencies.close_agency: [close_an_agency],
    people.add_agent: [
        lambda o: people.add_agent(o.agency, phone=new_phone(), name="Дана", role="agent", actor=o.staff)
    ],
    people.set_role: [lambda o: people.set_role(o.anna.pk, "head", actor=o.staff)],
    people.rename_agent: [lambda o: people.rename_agent(o.anna.pk, "Анна Петровна", actor=o.staff)],
    people.disable_agent: [lambda o: people.disable_agent(o.anna.pk, actor=o.staff)],
    people.enable_agent: [lambda o: people.enable_agent(o.away.pk, actor=o.staff)],
    people.end_sessions: [lambda o: people.end_sessions(o.anna.pk, actor=o.staff)],
    people.clear_counters: [lambda o: people.clear_counters(o.anna.pk, actor=o.staff)],
    people.lift_range: [lambda o: people.lift_range(PHONE, actor=o.staff)],
    people.find_agent: [lambda o: people.find_agent(PHONE, actor=o.staff)],
    profile.edit_profile: [
        lambda o: profile.edit_profile(actor=by(o.anna), name="Анна Андреевна"),
        lambda o: profile.edit_profile(actor=by(o.anna), theme="dark"),
    ],
}


RUNS_THESE = "deals.services.bulk"  # many of these services in one transaction, and nothing of its own


def units_of(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """Yield the services of a module: what runs as a unit of work, so what can change anything."""
    for found in vars(module).values():
        is_unit = getattr(getattr(found, "__code__", None), "co_name", "") == "in_unit"
        if is_unit and found.__module__ == module.__name__:
            yield found


def test_every_service_has_an_example_here():
    names = [name for _, name, _ in pkgutil.iter_modules(services.__path__, f"{services.__name__}.")]
    modules = [*(importlib.import_module(name) for name in names if name != RUNS_THESE), agencies, people, profile]
    found = {service for module in modules for service in units_of(module)}
    assert {f"{one.__module__}.{one.__name__}" for one in found - EXAMPLES.keys()} == set()


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(act, id=f"{service.__name__}-{number}")
        for service, acts in EXAMPLES.items()
        for number, act in enumerate(acts)
    ],
)
def test_a_copy_that_follows_equals_the_lists_whatever_a_service_did(office: Office, act: Callable[[Office], Any]):
    api = Program(office.vera)
    mirror = Mirror(api)
    act(office)
    mirror.catch_up()
    assert mirror.copy.differs_from(Copy.of(api)) == []
