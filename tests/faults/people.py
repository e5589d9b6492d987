"""`python -m faults.people COUNT [CLIENTS]`: makes so many agents with sessions, and prints whom a load may ask as.

The first of them gets so many clients, without any evidence of how: rows to be rotated.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass

AGENTS_OF_AN_AGENCY = 6


@dataclass(frozen=True)
class Person:
    """An agent with a session: what his browser sends."""

    phone: str
    session: str
    csrf: str
    device: str


def made(count: int) -> list[Person]:
    """Make agents in agencies of a few, the first of each its head."""
    from uuid import uuid4

    from django.middleware.csrf import _get_new_csrf_string

    from accounts.actor import Actor
    from accounts.models import Role, User
    from accounts.services import agencies, consents, devices
    from accounts.services.session_store import new_key, new_row

    people, agency, first = [], None, User.objects.count()
    for number in range(count):
        if number % AGENTS_OF_AN_AGENCY == 0:
            agency = agencies.add_agency(f"Агентство {number}", actor=Actor.system())
        role = Role.AGENT if number % AGENTS_OF_AN_AGENCY else Role.HEAD
        agent, phone = User(agency=agency, role=role), f"7{9260000000 + first + number}"
        agent.set_phone(phone)
        agent.save(force_insert=True)
        newest = consents.CONSENTS[-1].version
        consents.welcome("Анна Агеева", consents.PERSONAL_DATA, newest, actor=Actor.of(agent))
        key = new_key()
        new_row(key, agent, address="127.0.0.1")
        people.append(Person(phone, key, _get_new_csrf_string(), devices.cookie_of(uuid4(), phone)))
    return people


def fill(phone: str, count: int) -> None:
    from accounts.models import User
    from deals.models import Client, ClientPhone, ClientToken
    from deals.services.clients import agency_of, tokens_of

    agent = User.objects.with_phone(phone).get()
    clients = [Client(agency_id=agency_of(agent), agent=agent, name=f"Пётр {number}") for number in range(count)]
    Client.objects.bulk_create(clients)
    ClientPhone.objects.bulk_create(ClientPhone.of(one, 0, f"7900{number:07}") for number, one in enumerate(clients))
    ClientToken.objects.bulk_create(token for one in clients for token in tokens_of(one))


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lk_site.settings")
    django.setup()
    people = made(int(sys.argv[1]))
    for wanted in sys.argv[2:]:
        fill(people[0].phone, int(wanted))
    sys.stdout.write(json.dumps([asdict(person) for person in people]))
