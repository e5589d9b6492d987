"""Programs that write beside a rotation, each a process with a key file of its own; they say what was acknowledged.

`python -m accounts.tests.key_writers clients AGENT SEED` creates and edits clients of an agent until its input is
closed, and prints a JSON line for each that was made or named. `… agents PHONE…` opens an agency for each phone, one
for each line that comes in; `… once AGENT KEY…` and `… limits NAME…` use idempotency keys and limits likewise.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from random import Random

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lk_site.settings")
django.setup()

from django.db import connection  # noqa: E402

from accounts.actor import Actor  # noqa: E402
from accounts.models import User  # noqa: E402
from accounts.services import agencies, idempotency, limits, processes  # noqa: E402
from accounts.services.unit_of_work import unit_of_work  # noqa: E402
from deals.models import Client  # noqa: E402
from deals.services.clients import create_client, edit_client, restore_client, trash_client  # noqa: E402
from lk_site.errors import DomainError  # noqa: E402

NUMBERS = [f"7916000{last:04}" for last in range(60)]  # few, so that everybody wants the same ones
PAUSE_S = 0.02 if connection.vendor == "sqlite" else 0  # its lock is not fair: who never pauses keeps it from others
GIVEN_UP = (DomainError, Client.DoesNotExist)


def say(*words: object) -> None:
    sys.stdout.write(json.dumps(words, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def wait_for_end(closed: threading.Event) -> None:
    sys.stdin.read()
    closed.set()


def write_clients(agent_id: str, seed: str) -> None:
    closed = threading.Event()
    threading.Thread(target=wait_for_end, args=(closed,), daemon=True).start()
    random, actor = Random(int(seed)), Actor.of(User.objects.get(pk=agent_id))
    say("ready")
    while not closed.wait(PAUSE_S):
        number, name = random.choice(NUMBERS), f"Мария {random.randrange(10**9)}"
        try:
            made = create_client(phones=[number], name=name, actor=actor)
            say("made", str(made.pk))
        except GIVEN_UP as refused:
            known = getattr(refused, "existing", None)
            if known is not None:
                change(known, number, name, random.randrange(4), actor)


def change(client: Client, number: str, name: str, what: int, actor: Actor) -> None:
    try:
        if what == 0:
            trash_client(client.pk, actor=actor, version=client.version)
            restore_client(client.pk, actor=actor, version=client.version + 1)
        elif what == 1:
            edit_client(client.pk, {"phones": [NUMBERS[-1], number]}, actor=actor, version=client.version)
        else:
            edit_client(client.pk, {"name": name, "notes": name}, actor=actor, version=client.version)
            say("named", str(client.pk), client.version + 1, name)
    except GIVEN_UP:
        return


def log_in(*phones: str) -> None:
    for phone in each(phones):
        say(str(agencies.open_agency_of_one(phone, actor=Actor.nobody()).pk))


def answer(user_id: str, *keys: str) -> None:
    actor = Actor.of(User.objects.get(pk=user_id))
    for key in each(keys):
        say(idempotency.answer_once("POST /x", key, b"body", actor=actor, effect=lambda: effect(actor)).body)


def effect(actor: Actor) -> idempotency.Answer:
    agency = agencies.add_agency("Ключ", actor=actor)
    return idempotency.Answer(201, str(agency.pk))


@unit_of_work
def take(name: str) -> bool:
    return bool(limits.take("export", name))


def take_limits(*names: str) -> None:
    for name in each(names):
        say([take(name) for _ in range(3)])


def each(things: Iterable[str]) -> Iterator[str]:
    """Say that we are ready, and yield one thing for each line that comes in."""
    say("ready")
    for thing in things:
        sys.stdin.readline()
        yield thing


KINDS: dict[str, Callable[..., None]] = {
    "clients": write_clients,
    "agents": log_in,
    "once": answer,
    "limits": take_limits,
}

if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    with processes.joined("writer"):
        KINDS[kind](*arguments)
