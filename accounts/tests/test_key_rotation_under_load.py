"""Keys rotated while four processes write with different keys, and the rotator killed; processes that start and end."""

import subprocess
from collections import Counter as Counts
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from accounts.actor import Actor
from accounts.models import Agency, Role, RunningProcess, User
from accounts.services import agencies, key_rotation, processes
from accounts.services.key_holders import holders
from accounts.tests.key_machines import Machine, Writer
from accounts.tests.key_writers import NUMBERS
from accounts.tests.people import make_agent
from accounts.tests.test_worker import wait_until
from deals.models import Client, ClientPhone, ClientToken
from deals.services.clients import tokens_of
from deals.services.queries import clients_ending_in, clients_named
from lk_site.encryption.keys import new_key, ring

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
CLIENTS = 2000  # enough for a rotation to be caught in the middle
TURNS = 25
ROTATED = ("fields", "client_index")


@pytest.fixture
def machines(tmp_path: Path, settings: Any) -> Any:
    """Make machines with these keys; nothing that runs on them outlives the test."""
    made: list[Machine] = []

    def make(name: str, keys: Any = None) -> Machine:
        made.append(Machine(tmp_path / name, keys or settings.KEYS))
        return made[-1]

    yield make
    for machine in made:
        machine.stop()


@pytest.fixture
def anna() -> User:
    agency = agencies.add_agency("Ключ", actor=Actor.system())
    make_agent(agency, "Вера Власова", role=Role.HEAD)
    return make_agent(agency)


def seed(agent: User) -> None:
    """Give an agent many clients at once."""
    assert agent.agency_id is not None
    clients = [Client(agency_id=agent.agency_id, agent=agent, name=f"Пётр {i}", notes="Да") for i in range(CLIENTS)]
    Client.objects.bulk_create(clients)
    ClientPhone.objects.bulk_create(ClientPhone.of(one, 0, f"7926{i:07}") for i, one in enumerate(clients))
    ClientToken.objects.bulk_create(token for one in clients for token in tokens_of(one))


def counts(purpose: str) -> Counts[int]:
    found: Counts[int] = Counts()
    for holder in holders(purpose):
        found.update(holder.counts())
    return found


def swapped(keys: Any, *purposes: str) -> Any:
    return keys | {purpose: keys[purpose][::-1] for purpose in purposes}


def with_second(keys: Any, *purposes: str) -> Any:
    return keys | {purpose: [*keys[purpose], {"id": 2, "key": new_key()}] for purpose in purposes}


def has_rotated(purpose: str, more_than: int) -> bool:
    return counts(purpose)[2] > more_than


def all_have_done(writers: list[Writer], count: int) -> bool:
    return all(one.has_done(count) for one in writers)


def ready(*writers: Writer) -> None:
    for one in writers:
        wait_until(one.is_ready)


def test_four_writers_with_either_key_and_a_rotator_killed_twice_lose_nothing(machines, settings, anna):
    seed(anna)
    settings.KEYS = with_second(settings.KEYS, *ROTATED)
    operator, behind = machines("operator"), machines("behind")
    ahead = machines("ahead", swapped(settings.KEYS, *ROTATED))
    before = {purpose: counts(purpose)[1] for purpose in ROTATED}
    for purpose in ROTATED:
        processes.begin_use(purpose, 2)
    writers = [(behind, ahead)[number % 2].write_with("clients", str(anna.pk), str(number)) for number in range(4)]
    ready(*writers)
    for purpose in ROTATED:
        rotator = operator.start("manage.py", "keys", "rotate", purpose)
        wait_until(partial(has_rotated, purpose, before[purpose] // 5))
        end(rotator)
        assert counts(purpose)[1] > before[purpose] // 5, "it was killed too late to prove anything"
    for purpose in ROTATED:
        rotation = key_rotation.rotate(purpose, operator.file)
        assert len(rotation.behind) == 2
        assert rotation.flaws == []
    acknowledged = [said for one in writers for said in one.end()]
    settings.KEYS = operator.keys
    for purpose in ROTATED:
        rotation = key_rotation.rotate(purpose, operator.file)
        assert (rotation.flaws, rotation.busy, rotation.left, rotation.behind) == ([], 0, {}, [])
        assert list(counts(purpose)) == [2]
    assert [flaw for _, _, flaws in key_rotation.verify() for flaw in flaws] == []
    for purpose in ROTATED:
        key_rotation.retire(purpose, 1, operator.file)
    settings.KEYS = operator.keys
    assert {purpose: list(ring(purpose).keys) for purpose in ROTATED} == {"fields": [2], "client_index": [2]}
    all_is_read_found_and_unique(anna, acknowledged)


def all_is_read_found_and_unique(anna: User, acknowledged: list[Any]) -> None:
    assert anna.agency_id is not None
    made = {said[1] for said in acknowledged if said[0] == "made"}
    clients = {str(client.pk): client for client in Client.objects.whole()}
    assert len(made) > 20, "the writers hardly wrote"
    assert made <= set(clients)
    newest: dict[str, tuple[int, str]] = {}
    for _, pk, version, name in (said for said in acknowledged if said[0] == "named"):
        newest[pk] = max(newest.get(pk, (0, "")), (version, name))
    for pk, (version, name) in newest.items():
        if clients[pk].version == version:
            assert (clients[pk].name, clients[pk].notes) == (name, name)
    numbers = Counts(phone.phone for phone in ClientPhone.objects.filter(is_live=True, agent=anna))
    assert [number for number, count in numbers.items() if count > 1] == []
    for number in NUMBERS:
        found = ClientPhone.objects.with_numbers(anna.agency_id, [number]).filter(is_live=True)
        assert [phone.phone for phone in found] == [number] * numbers[number]
    for client in [clients[pk] for pk in sorted(made)[:20]]:
        assert client.pk in set(clients_named((client.name or "").split()[0], anna.agency_id) or [])
        assert client.pk in set(clients_ending_in(client.numbers[0][-4:], anna.agency_id))


def test_a_process_with_old_keys_never_meets_a_value_under_the_new_one(machines, settings, anna):
    seed(anna)
    one, other = machines("one"), machines("other")
    serves = one.serve()
    assert RunningProcess.objects.count() == 1
    assert other.keys_command("generate", "fields").returncode == 0
    refused = other.keys_command("rotate", "fields")
    assert refused.returncode == 1
    assert "The key 2 of fields is not loaded by web on" in refused.stderr
    assert set(counts("fields")) == {1}
    restarted = machines("restarted with the old file").serve()
    one.copy_keys_from(other)
    end(serves)
    assert other.keys_command("rotate", "fields").returncode == 1, "one is left"
    end(restarted)
    renewed = one.serve()
    rotated = other.keys_command("rotate", "fields")
    assert rotated.returncode == 0, rotated.stderr
    assert "These still write with an older key: web on" in rotated.stdout
    late = machines("late, with the old file").run("-c", "import lk_site.wsgi")
    assert late.returncode == 3
    assert "LK does not start: The key 2 of fields is not loaded." in late.stderr
    end(renewed)


def end(one: "subprocess.Popen[str]") -> None:
    one.kill()
    one.communicate()


def test_a_process_that_starts_while_the_key_is_put_first_either_knows_it_or_does_not_start(machines, settings, anna):
    """Whoever comes first wins: the rotator is refused, or the late process is."""
    old, new = machines("old"), machines("new")
    assert new.keys_command("generate", "fields").returncode == 0
    for _ in range(4):
        starts = old.start("-c", "import lk_site.wsgi; print('serves', flush=True); input()")
        rotates = new.start("manage.py", "keys", "rotate", "fields")
        told, _errors = rotates.communicate(timeout=60)
        assert starts.stdout is not None
        serves = starts.stdout.readline() == "serves\n"
        assert (rotates.returncode == 0) != serves, told
        end(starts)
        if not serves:
            break


def test_two_rotators_share_the_work(machines, settings, anna):
    seed(anna)
    machine = machines("both")
    assert machine.keys_command("generate", "fields").returncode == 0
    rotators = [machine.start("manage.py", "keys", "rotate", "fields") for _ in range(2)]
    for one in rotators:
        told, errors = one.communicate(timeout=120)
        assert one.returncode == 0, (told, errors)
    settings.KEYS = machine.keys
    assert list(counts("fields")) == [2]
    assert [flaw for _, _, flaws in key_rotation.verify("fields") for flaw in flaws] == []


def race(machines: Any, keys: Any, purpose: str, kind: str, *things: str) -> list[list[Any]]:
    """Let four processes do one thing after another at the same moments, two with each key; return what each said."""
    orders = [machines("front", keys), machines("behind", swapped(keys, purpose))]
    writers = [orders[number % 2].write_with(kind, *things) for number in range(4)]
    ready(*writers)
    for number in range(TURNS):
        for one in writers[number % 4 :] + writers[: number % 4]:
            one.go()
        wait_until(partial(all_have_done, writers, number + 1))
    return [one.end() for one in writers]


def test_a_phone_gets_one_agent_whichever_key_its_first_login_is_written_with(machines, settings):
    keys = with_second(settings.KEYS, "agent_index")
    phones = [f"7916111{last:04}" for last in range(TURNS)]
    settings.KEYS = keys
    said = race(machines, keys, "agent_index", "agents", *phones)
    assert said[0] == said[1] == said[2] == said[3]
    assert User.objects.agents().count() == len(phones)
    assert set(counts("agent_index")) == {1, 2}, "one of the keys wrote nothing, so nothing was proved"


def test_an_idempotency_key_has_one_effect_whichever_key_it_is_written_with(machines, settings, anna):
    keys = with_second(settings.KEYS, "digests")
    settings.KEYS = keys
    before = Agency.objects.count()
    said = race(machines, keys, "digests", "once", str(anna.pk), *(f"key-{number}" for number in range(TURNS)))
    assert said[0] == said[1] == said[2] == said[3]
    assert Agency.objects.count() == before + TURNS


def test_a_limit_is_exact_whichever_key_counts(machines, settings):
    keys = with_second(settings.KEYS, "digests")
    said = race(machines, keys, "digests", "limits", *(f"name-{number}" for number in range(TURNS)))
    for taken in zip(*said, strict=True):
        assert sum(sum(answers[0]) for answers in taken) == settings.LIMITS["export"][0]
