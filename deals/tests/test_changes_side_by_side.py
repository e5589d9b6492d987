"""Copies that follow the feed while many write at once, and roll back, and die: in the end each equals the database."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Barrier, Event
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction

from accounts import models
from accounts.models import FEED_ACTIONS, AgencyHead, User
from accounts.services.unit_of_work import unit_of_work
from accounts.tests.people import make_staff
from deals.services.clients import agency_of
from deals.services.deals import edit_deal
from deals.services.notes import add_note
from deals.tests.making import OTHER_PHONE, by, make_client, make_deal
from deals.tests.mirror import Copy, Mirror
from deals.tests.programs import Program
from deals.tests.test_storm import Someone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

WRITERS, ACTS = 6, 60
PAGES = (1, 7, 100)  # items a page, of copies that follow at the same time


class Undone(Exception):
    """A transaction that is taken back on purpose."""


class Writer(Someone):
    """Somebody of the storm, who also takes back what he did, and commits late what he began early."""

    def act(self) -> None:
        way = self.random.random()
        if way < 0.15:
            with suppress(Undone), unit_of_work():
                super().act()
                self.done["taken back"] += 1
                raise Undone
        elif way < 0.3:
            self.create_slowly()
        else:
            super().act()

    def create_slowly(self) -> None:
        """Create a deal with many notes in one transaction: others, who began later, commit before it."""
        with unit_of_work():
            deal = make_deal(self.anybody(), f"7926{self.random.randrange(10**7):07}")
            for _ in range(self.random.randrange(15)):
                add_note(deal.pk, "Мысль", actor=by(self.head))
        self.done["slowly"] += 1


@pytest.fixture(autouse=True)
def limits_that_nobody_reaches(settings: Any) -> None:
    settings.LIMITS_SCALE = 1_000_000


@pytest.fixture
def people(anna: User, boris: User, vera: User) -> list[User]:
    make_staff()
    return [anna, boris, vera]


def follow_until(over: Event, head: User, limit: int, started: Barrier) -> Mirror:
    """Take a copy when everybody starts, and follow until everything that was written has been told."""
    started.wait()
    try:
        mirror = Mirror(Program(head), limit)
        while not over.is_set():
            mirror.follow()
        mirror.catch_up()
        return mirror
    finally:
        connection.close()


def write(writer: Writer, started: Barrier) -> Counter[str]:
    started.wait()
    try:
        for _ in range(ACTS):
            writer.act()
        return writer.done
    finally:
        connection.close()


def numbers_told(mirror: Mirror, head: User) -> list[int]:
    numbers = dict(models.Event.objects.visible_to(by(head)).values_list("pk", "seq"))
    return [numbers[models.Event._meta.pk.to_python(event)] for event in mirror.told]


def assert_is_exact(mirror: Mirror, head: User) -> None:
    """Check that a copy is what the lists show, and that each event since its first was told once and in order."""
    assert mirror.copy.differs_from(Copy.of(Program(head))) == []
    numbers = numbers_told(mirror, head)
    since = models.Event.objects.visible_to(by(head)).filter(action__in=FEED_ACTIONS, seq__gte=numbers[0])
    assert numbers == list(since.order_by("seq").values_list("seq", flat=True))


@pytest.mark.parametrize("seed", [1, 2])
def test_copies_that_follow_while_six_write_are_exact(people: list[User], vera: User, seed: int):
    make_deal(people[0], OTHER_PHONE, client_name="Мария")
    started, over = Barrier(WRITERS + len(PAGES)), Event()
    with ThreadPoolExecutor(WRITERS + len(PAGES)) as threads:
        copies = [threads.submit(follow_until, over, vera, limit, started) for limit in PAGES]
        writers = [Writer(100 * seed + place, people, vera) for place in range(WRITERS)]
        written = [threads.submit(write, writer, started) for writer in writers]
        try:
            done = sum((one.result() for one in written), Counter[str]())
        finally:
            over.set()
        mirrors = [one.result() for one in copies]
    assert {"create_deal", "edit_client", "move", "trash_deal", "restore_deal", "hand_over", "purge"} <= set(done), done
    assert min(done["taken back"], done["slowly"]) > 10, done
    for mirror in mirrors:
        assert_is_exact(mirror, vera)


@contextmanager
def somebody_who_writes(seed: int, head: User) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that writes until it is killed, without a warning."""
    program = [sys.executable, "-m", "deals.tests.writing", str(seed), str(head.pk)]
    process = subprocess.Popen(
        program, cwd=django_settings.BASE_DIR, env=os.environ | {"DATABASE_URL": database_url()}, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def database_url() -> str:
    """Return the address of the database that this test writes to."""
    own = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{own['NAME']}"
    return f"postgres://{own['USER']}:{own['PASSWORD']}@{own['HOST']}:{own['PORT']}/{own['NAME']}"


def wait_for_the_killed(head: User) -> None:
    """Wait until the server knows what became of the last commit of who was killed: it holds the agency's numbers."""
    with transaction.atomic():
        AgencyHead.objects.select_for_update().get(pk=agency_of(head))


def test_a_copy_is_exact_though_writers_are_killed_in_the_middle(people: list[User], vera: User):
    make_deal(people[0], OTHER_PHONE, client_name="Мария")
    mirror = Mirror(Program(vera), 7)
    for round_ in range(3):
        with somebody_who_writes(round_, vera) as one, somebody_who_writes(100 + round_, vera) as other:
            for process in (one, other):
                assert process.stdout is not None
                assert process.stdout.read(30) == b"." * 30
                mirror.follow()
    wait_for_the_killed(vera)
    mirror.catch_up()
    assert len(mirror.told) > 30
    assert_is_exact(mirror, vera)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
def test_who_commits_late_is_told_late_and_is_not_passed_over(anna: User, boris: User, vera: User):
    deal = make_deal(anna)
    mirror = Mirror(Program(vera))
    has_written, may_commit = Event(), Event()

    def write_slowly() -> None:
        try:
            with unit_of_work():
                edit_deal(deal.pk, {"price": 5}, actor=by(anna), version=1)
                has_written.set()
                assert may_commit.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(write_slowly)
        assert has_written.wait(30)
        quick = make_client(boris, OTHER_PHONE)
        mirror.catch_up()
        assert len(mirror.told) == 1
        assert mirror.copy.deals[str(deal.pk)]["version"] == 1
        may_commit.set()
        slow.result()
    mirror.catch_up()
    assert str(quick.pk) in mirror.copy.clients
    assert mirror.copy.deals[str(deal.pk)]["price"] == "5.00"
    assert_is_exact(mirror, vera)
