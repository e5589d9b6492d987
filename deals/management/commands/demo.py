"""`manage.py demo`: people and deals that look like real ones, into an empty database, in local mode only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Agency, Role, User
from accounts.services.agencies import add_agency
from accounts.services.people import add_agent
from accounts.services.unit_of_work import RUNNING, unit_of_work
from deals.management.commands._demo_deals import DEALS, DemoDeal
from deals.models import Client, Deal, LostReason, Note
from deals.services.deals import create_deal, edit_deal, trash_deal
from deals.services.hand_over import hand_over_deal
from deals.services.notes import add_note
from deals.services.pipeline import move_deal
from lk_site.formats import phone_text

ZONE = ZoneInfo("Europe/Moscow")
SEED = 20261123  # the same people and deals on every machine
AGENCIES = {"Ключи и двери": ("vera", "anna", "boris"), "Свой угол": ("gleb",)}
NAMES = {"vera": "Вера Власова", "anna": "Анна Агеева", "boris": "Борис Белов", "gleb": "Глеб Громов"}
PHONES = {"vera": "79000000001", "anna": "79000000002", "boris": "79000000003", "gleb": "79000000004"}
HEADS = ("vera", "gleb")
OTHER_REASON = "Продаёт сестре по завещанию, агент не нужен"
CUT_IN_PRICE, HANDED_OVER, TRASHED = 17, 16, 9  # places in DEALS
Act = Callable[[datetime], None]


class Command(BaseCommand):
    help = "Fill an empty database with demo people and 40 deals, and print whom to log in as. Local mode only."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOCAL:
            raise CommandError("Demo data is for local mode only (LK_LOCAL=1).")
        if not Agency.objects.exists():
            Demo().fill()
        for person in User.objects.agents().select_related("agency").order_by("pk"):
            if person.phone and person.phone in PHONES.values():
                self.stdout.write(f"{person.get_role_display()}: {person.name}, {phone_text(person.phone)}")


class Demo:
    """A history of months, told in the order it happened."""

    def __init__(self) -> None:
        self.random = Random(SEED)  # nosec B311
        self.now = timezone.now()
        self.people: dict[str, User] = {}
        self.phones: dict[str, str] = {}

    @unit_of_work
    def fill(self) -> None:
        """Open the agencies and let everything happen: all of it, or nothing where something fails."""
        with happened(self.now - timedelta(days=max(told.age for told in DEALS) + 7)):
            for name, people in AGENCIES.items():
                self.open_agency(name, people)
        steps = [step for place, told in enumerate(DEALS) for step in self.steps_of(place, told)]
        for moment, act in sorted(steps, key=lambda step: step[0]):
            with happened(moment):
                act(moment)

    def open_agency(self, name: str, people: tuple[str, ...]) -> None:
        agency = add_agency(name, actor=Actor.system())
        for key in people:
            role = Role.HEAD if key in HEADS else Role.AGENT
            self.people[key] = add_agent(agency.pk, phone=PHONES[key], name=NAMES[key], role=role, actor=Actor.system())

    def actor(self, key: str) -> Actor:
        return Actor.of(self.people[key], address="127.0.0.1", request_id="demo")

    def phone_of(self, client: str) -> str:
        """Return the client's number: invented, of a range that Russian mobiles have."""
        return self.phones.setdefault(client, f"7900{self.random.randrange(1_000_000, 9_999_999)}")

    def steps_of(self, place: int, told: DemoDeal) -> list[tuple[datetime, Act]]:
        """Return what happened on a deal, each act at its time."""
        story = Story(told, self.actor(told.agent), phone=self.phone_of(told.client))
        acts = story.acts()
        if place == CUT_IN_PRICE:
            acts.append(story.cut_price)
        if place == HANDED_OVER:
            acts.append(story.hand_over_to(self.people["anna"]))
        if place == TRASHED:
            acts.append(story.trash)
        days = [told.age * (1 - part / len(acts)) for part in range(len(acts))]
        return list(zip(sorted(map(self.moment, days)), acts, strict=True))

    def moment(self, days_ago: float) -> datetime:
        """Return a moment of the working day so many days ago."""
        day = (self.now - timedelta(days=days_ago)).astimezone(ZONE).date()
        start = datetime.combine(day, time(10), ZONE)
        return min(start + timedelta(seconds=self.random.randrange(9 * 3600)), self.now - settings.UNDO_WITHIN)


class Story:
    """What an agent did on one deal. Each act takes its time, for the rows that it leaves."""

    def __init__(self, told: DemoDeal, agent: Actor, *, phone: str) -> None:
        self.told, self.agent, self.phone = told, agent, phone
        self.deal = Deal()

    def acts(self) -> list[Act]:
        """Return the creation, and the moves with notes between the last of them."""
        moves = [self.move_to(code) for code in self.told.path.split()]
        notes = [self.note(text) for text in self.told.notes]
        first = max(0, len(moves) - len(notes))
        between = [act for pair in zip(moves[first:], notes, strict=False) for act in pair]
        return [self.create, *moves[:first], *between, *notes[len(moves) :]]

    def create(self, moment: datetime) -> None:
        told, due_on = self.told, (timezone.now() + timedelta(days=self.told.due_in)).astimezone(ZONE).date()
        self.deal = create_deal(
            client_phone=self.phone,
            client_name=told.client,
            kind=told.kind,
            property_type=told.property_type,
            property_address=told.address,
            price=Decimal(told.price),
            commission_percent=Decimal(told.percent),
            next_step={"text": told.next_step, "due_on": due_on} if told.next_step else None,
            actor=self.agent,
        )
        Deal.objects.filter(pk=self.deal.pk).update(created_at=moment, updated_at=moment, stage_since=moment)
        client = Client.objects.filter(pk=self.deal.client_id)
        client.filter(created_at__gt=moment).update(created_at=moment, updated_at=moment)
        client.update(newest_deal_at=moment)

    def move_to(self, code: str) -> Act:
        stage, _, reason = code.partition(":")

        def move(moment: datetime) -> None:
            comment = OTHER_REASON if reason == LostReason.OTHER else ""
            self.deal = move_deal(
                self.deal.pk,
                stage,
                lost_reason=reason,
                comment=comment,
                actor=self.agent,
                version=self.deal.version,
            )
            Deal.objects.filter(pk=self.deal.pk).update(updated_at=moment, stage_since=moment)

        return move

    def note(self, text: str) -> Act:
        def write(moment: datetime) -> None:
            note = add_note(self.deal.pk, text, actor=self.agent)
            Note.objects.filter(pk=note.pk).update(created_at=moment)

        return write

    def cut_price(self, moment: datetime) -> None:
        price = self.deal.price - 500_000
        self.deal = edit_deal(self.deal.pk, {"price": price}, actor=self.agent, version=self.deal.version)
        Deal.objects.filter(pk=self.deal.pk).update(updated_at=moment)

    def hand_over_to(self, agent: User) -> Act:
        def hand_over(moment: datetime) -> None:
            self.deal = hand_over_deal(self.deal.pk, agent.pk, actor=self.agent, version=self.deal.version)
            Deal.objects.filter(pk=self.deal.pk).update(updated_at=moment)
            Client.objects.filter(pk=self.deal.client_id).update(newest_deal_at=self.deal.created_at)

        return hand_over

    def trash(self, moment: datetime) -> None:
        self.deal = trash_deal(self.deal.pk, actor=self.agent, version=self.deal.version)
        Deal.objects.filter(pk=self.deal.pk).update(updated_at=moment, deleted_at=moment)


@contextmanager
def happened(moment: datetime) -> Iterator[None]:
    """Let the events of what is done inside tell this time; they are chained later, when all is written."""
    unit = RUNNING.get()
    assert unit is not None
    already = len(unit.events)
    yield
    for event in unit.events[already:]:
        event.at = moment
