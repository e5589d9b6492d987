"""What people do to each other and to themselves: a form sent twenty times, one deal edited by two, slow lines."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from faults.oracle import Told
from faults.people import Person
from faults.stack import Stack, Trial
from faults.writers import Answer, Browser, Load, new_phone

TIMES = 20
EDITS = 20


def all_at_once(times: int, do: Callable[[int], Answer]) -> list[Answer]:
    """Do something so many times at one moment, and return the answers."""
    ready = threading.Barrier(times)

    def one(number: int) -> Answer:
        ready.wait()
        return do(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def windows_of(trial: Trial, person: Person) -> list[Browser]:
    """Return windows of one person's browser, each on a connection of its own that is open already."""
    made = [trial.load.browser(person, f"127.0.5.{number + 1}") for number in range(TIMES)]
    for browser in made:
        assert browser.send("GET", "/me", None).status == 200
    return made


def test_twenty_parallel_posts_with_one_key_make_one_deal(stack: Stack):
    with stack.trial("a deal sent twenty times at once, ten deals") as trial:
        windows = windows_of(trial, stack.people[-1])
        for _deal in range(5):
            told, key = Told(f"Москва, улица {uuid4().hex}, 2", price="1000000.00"), str(uuid4())
            body = {"client_phone": new_phone(), "property_address": told.address, "price": told.price}
            post = trial.load.sender(lambda n: windows[n].send("POST", "/deals/", body, Idempotency_Key=key))  # noqa: B023
            answers = all_at_once(TIMES, post)
            assert {answer.status for answer in answers} == {201}
            told.id, told.version = answers[0].json["id"], 1
            assert {answer.json["id"] for answer in answers} == {told.id}
            trial.load.told.append(told)
        for _deal in range(5):
            told, key = Told(f"Москва, улица {uuid4().hex}, 3", price="1000000.00"), str(uuid4())
            typed = {"client_phone": new_phone(), "property_address": told.address, "price": told.price, "kind": "sale"}
            submit = trial.load.sender(lambda n: windows[n].submit("/deals/new/", form_key=key, **typed))  # noqa: B023
            answers = all_at_once(TIMES, submit)
            assert {answer.status for answer in answers} == {302}
            assert len({answer.headers["Location"] for answer in answers if answer.headers}) == 1
            trial.load.told.append(told)


def test_two_people_who_edit_one_deal_overwrite_nothing_of_each_other(stack: Stack):
    with stack.trial(f"two people edit one deal, {EDITS} times each") as trial:
        head, agent = stack.people[:2]
        told = Told(f"Москва, улица {uuid4().hex}, 4", price="1000000.00")
        trial.load.told.append(told)
        trial.load.make(trial.load.browser(agent, "127.0.6.1"), told)
        editors = [trial.load.browser(head, "127.0.6.2"), trial.load.browser(agent, "127.0.6.3")]
        with ThreadPoolExecutor(2) as pool:
            shares = pool.map(lambda editor: edited(trial.load, editor, told.id), editors)
        edits = [edit for share in shares for edit in share]
        assert [version for version, _price in sorted(edits)] == list(range(2, 2 + 2 * EDITS))
        told.version, told.price = max(edits)


def edited(load: Load, editor: Browser, deal: str) -> list[tuple[int, str]]:
    """Change the price until it was done so often, from whatever version is there; return versions and prices."""
    done: list[tuple[int, str]] = []
    while len(done) < EDITS:
        version = editor.send("GET", f"/deals/{deal}", None).json["version"]
        price = f"{random.randrange(10**6, 10**7)}.00"
        answer = editor.send("PATCH", f"/deals/{deal}", {"price": price}, If_Match=f'"{version}"')
        assert answer.status in (200, 412), answer.body
        if answer.status == 200:
            load.count(answer, time.monotonic())
            done.append((answer.json["version"], price))
    return done


def test_three_hundred_slow_clients_keep_nobody_waiting(stack: Stack):
    with stack.trial("300 clients that send a byte a second") as trial:
        slow = [stack.front.open(source=f"127.0.7.{number % 100 + 1}") for number in range(300)]
        for number, connection in enumerate(slow):
            head = "POST /deals/new/" if number % 2 else "GET /deals/"
            connection.sendall(f"{head} HTTP/1.1\r\nHost: lk.example\r\nContent-Length: 900\r\n".encode())
        for _second in range(8):
            for connection in slow:
                connection.sendall(b"X")
            trial.load.is_over.wait(1)
        has_no_trouble(trial)
        for connection in slow:
            connection.close()


def has_no_trouble(trial: Trial) -> None:
    assert trial.load.last_trouble == 0.0, trial.load.statuses
