"""Everybody does everything at once with a few numbers: nothing fails, and afterwards every rule still holds."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, connection
from django.db.models import F
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, Event, User, UserKind
from accounts.services import evidence
from accounts.services.people import rename_agent
from accounts.tests.people import make_staff
from deals.models import Client, ClientPhone, ClientToken, Deal, Note, Stage
from deals.services import trash
from deals.services.clients import edit_client, restore_client, trash_client
from deals.services.deals import edit_deal, restore_deal, trash_deal
from deals.services.hand_over import hand_over_deal
from deals.services.looks import look_at, reveal_phones
from deals.services.notes import add_note
from deals.services.pipeline import move_deal, undo_move
from deals.services.pipeline_editing import Names, edit_stage
from deals.tests.making import by, make_client, make_deal
from lk_site.encryption import last4_token, name_tokens
from lk_site.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = [f"7916000000{last}" for last in range(6)]  # few, so that everybody wants the same ones
NAMES = ["", "Мария", "Пётр"]
STAGES = ["new", "showing", "advance", "won"]
PEOPLE_AT_ONCE, ACTS = 6, 80


class Someone:
    """One person who does one thing after another, whatever the others do meanwhile."""

    def __init__(self, seed: int, people: list[User], head: User) -> None:
        self.random = Random(seed)
        self.people = people
        self.head = head
        self.staff = Actor.of(User.objects.get(kind=UserKind.STAFF))
        self.done: Counter[str] = Counter()

    def act(self) -> None:
        """Do one thing; a refusal and a row that is gone are answers, everything else is a failure."""
        act = self.random.choices(*zip(*self.acts(), strict=True))[0]
        try:
            act()
            self.done[act.__name__] += 1
        except (DomainError, ObjectDoesNotExist, IndexError) as refused:
            self.done[type(refused).__name__] += 1
        except IntegrityError:  # read live, thrown away and purged in an instant: here the trash keeps nothing
            if act.__name__ not in ("look", "note"):
                raise

    def acts(self) -> list[tuple[Callable[[], Any], int]]:
        return [
            *((self.create_deal, 5), (self.create_client, 3), (self.edit_deal, 1), (self.edit_client, 4)),
            *((self.hand_over, 6), (self.move, 2), (self.undo, 1), (self.note, 1), (self.look, 2), (self.reveal, 1)),
            *((self.trash_deal, 4), (self.restore_deal, 4), (self.trash_client, 3), (self.restore_client, 3)),
            *((self.purge, 1), (self.rename_agent, 1), (self.edit_stage, 1)),
        ]

    def create_deal(self) -> None:
        make_deal(self.anybody(), self.number(), client_name=self.random.choice(NAMES))

    def create_client(self) -> None:
        make_client(self.anybody(), *self.numbers(), name=self.random.choice(NAMES))

    def edit_deal(self) -> None:
        deal = self.one(Deal)
        edit_deal(deal.pk, {"price": self.random.randint(1, 9)}, actor=by(self.head), version=deal.version)

    def edit_client(self) -> None:
        client, changes = self.one(Client), {"phones": self.numbers(), "name": self.random.choice(NAMES)}
        edit_client(client.pk, changes, actor=by(self.head), version=client.version)

    def hand_over(self) -> None:
        deal = self.one(Deal)
        hand_over_deal(deal.pk, self.anybody().pk, actor=by(self.head), version=deal.version)

    def move(self) -> None:
        deal = self.one(Deal)
        move_deal(deal.pk, self.random.choice(STAGES), actor=by(self.head), version=deal.version, comment="Так")

    def undo(self) -> None:
        last = Event.objects.filter(action=Action.DEAL_MOVED).order_by("-seq")[0]
        undo_move(last.deal_id or last.id, actor=by(self.head), version=last.version)

    def note(self) -> None:
        add_note(self.one(Deal).pk, "Мысль", actor=by(self.head))

    def look(self) -> None:
        client = self.one(Client)
        look_at(client, actor=by(client.agent))

    def reveal(self) -> None:
        reveal_phones(self.one(Client).pk, actor=by(self.head))

    def trash_deal(self) -> None:
        deal = self.one(Deal)
        trash_deal(deal.pk, actor=by(self.head), version=deal.version)

    def restore_deal(self) -> None:
        deal = self.one(Deal, is_trashed=True)
        restore_deal(deal.pk, actor=by(self.head), version=deal.version)

    def trash_client(self) -> None:
        client = self.one(Client)
        trash_client(client.pk, actor=by(self.head), version=client.version)

    def restore_client(self) -> None:
        client = self.one(Client, is_trashed=True)
        restore_client(client.pk, actor=by(self.head), version=client.version)

    def purge(self) -> None:
        trash.purge(timezone.now() + timedelta(days=31))

    def rename_agent(self) -> None:
        rename_agent(self.anybody().pk, self.random.choice(["Анна", "Вера"]), actor=self.staff)

    def edit_stage(self) -> None:
        stage = self.random.choice(list(Stage.objects.visible_to(by(self.head)).filter(pipeline__kind="sale")))
        names = Names(name_ru="Этап", name_en=self.random.choice(["One", "Two"]), position=stage.position)
        edit_stage(stage.pk, names, actor=self.staff)

    def anybody(self) -> User:
        return self.random.choice(self.people)

    def number(self) -> str:
        return self.random.choice(NUMBERS)

    def numbers(self) -> list[str]:
        return self.random.sample(NUMBERS, self.random.randint(1, 2))

    def one(self, model: Any, *, is_trashed: bool = False) -> Any:
        rows = list(model.objects.filter(deleted_at__isnull=not is_trashed).order_by("pk")[:20])
        if not rows:
            raise model.DoesNotExist
        return self.random.choice(rows)


def storm(everyone: list[Someone], acts: int) -> Counter[str]:
    """Let everyone act at the same time; return what was done how often."""
    start = Barrier(len(everyone))

    def run(someone: Someone) -> Counter[str]:
        start.wait()
        try:
            for _ in range(acts):
                someone.act()
        finally:
            connection.close()
        return someone.done

    with ThreadPoolExecutor(len(everyone)) as threads:
        return sum(threads.map(run, everyone), Counter[str]())


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_at_once_every_rule_holds_afterwards(anna, boris, vera, seed):
    people = [anna, boris, vera]
    make_staff()
    done = storm([Someone(100 * seed + place, people, vera) for place in range(PEOPLE_AT_ONCE)], ACTS)
    refused = {act.__name__ for act, _ in Someone(0, people, vera).acts()} - set(done)
    assert len(refused) <= 3, done  # a storm that refuses everything proves nothing
    assert_clients_are_whole()
    assert_deals_are_whole()
    assert_evidence_is_whole()


def assert_clients_are_whole() -> None:
    live = ClientPhone.objects.filter(client__deleted_at=None)
    numbers = [(row.agent_id, row.phone) for row in live]
    assert len(numbers) == len(set(numbers))
    assert set(live.values_list("is_live", flat=True)) <= {True}
    assert not ClientPhone.objects.filter(is_live=True).exclude(client__deleted_at=None).exists()
    assert not ClientPhone.objects.exclude(agent=F("client__agent")).exists()
    for client in Client.objects.whole():
        positions = list(client.phones.values_list("position", flat=True))
        assert positions == list(range(len(positions)))
        assert positions
        found = set(ClientToken.objects.filter(client=client).values_list("token", flat=True))
        ends = {last4_token(client.agency_id, number) for number in client.numbers}
        assert found == ends | name_tokens(client.agency_id, client.name or "")


def assert_deals_are_whole() -> None:
    assert not Deal.objects.exclude(agent=F("client__agent")).exists()
    assert not Deal.objects.filter(deleted_at=None).exclude(client__deleted_at=None).exists()
    assert not Deal.objects.filter(client__newest_deal_at__lt=F("created_at")).exists()
    assert not Note.objects.filter(deal=None).exists()
    created = Event.objects.filter(action=Action.DEAL_CREATED).order_by("seq")
    numbers = list(Deal.objects.order_by("number").values_list("number", flat=True))
    assert len(numbers) == len(set(numbers))
    assert max(numbers, default=0) <= created.count()  # no number is lost: each stands for a deal that was made


def assert_evidence_is_whole() -> None:
    assert {flaw for _, flaw in evidence.verify()} == {None}
    for row in [*Deal.objects.all(), *Client.objects.all()]:
        events = Event.objects.filter(object_id=row.pk).exclude(version=None)
        versions = list(events.order_by("seq").values_list("version", flat=True))
        assert versions == list(range(1, row.version + 1)), f"{row}: {versions} for version {row.version}"
