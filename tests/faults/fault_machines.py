"""Three web machines and three workers on one database: sessions, limits, jobs, files, changes."""

import http.client
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from deploy.tests.nginx import HOST, free_port, wait_until
from faults.conftest import be_able
from faults.people import Person
from faults.stack import Machine, Stack, running
from faults.writers import Answer

PROCESSES = 2  # of each machine
MACHINES = 3
TRIES = 30
REFUSED_IN_A_ROW = 40  # by then every process has refused


class Redis:
    """A Redis server of this module's own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.call("ping") == "PONG")

    def call(self, *words: str) -> str:
        asked = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, check=False)
        return asked.stdout.strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.kill()


@pytest.fixture(scope="module", params=["with Redis", "without Redis"])
def three(request: Any, redis: Redis, tmp_path_factory: Any) -> Iterator[Stack]:
    """Three web machines behind nginx, and three workers."""
    be_able()
    shared = {"REDIS_URL": redis.url} if request.param == "with Redis" else {}
    folder = tmp_path_factory.mktemp("three")
    with running(folder, shared, machines=MACHINES, workers=3, static=settings.STATIC_ROOT) as up:
        yield up


def ask(machine: Machine, method: str, path: str, person: Person, body: Any = None, source: str = "10.0.0.1") -> Answer:
    """Ask a machine past nginx, as nginx would."""
    connection = http.client.HTTPConnection("127.0.0.1", machine.port, timeout=30)
    cookies = {"": person.session, "-csrf": person.csrf, "-challenge": person.device}
    headers = {
        "Host": HOST,
        "X-Forwarded-For": source,
        "X-Forwarded-Proto": "https",
        "Referer": f"https://{HOST}/",
        "Cookie": "; ".join(f"__Host-lk{name}={value}" for name, value in cookies.items() if value),
        "X-CSRFToken": person.csrf,
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid4()),
    }
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    return answer


def test_a_session_is_good_at_every_machine_until_it_ends_at_one(three: Stack):
    person = three.add_people(1)[0]
    assert [ask(one, "GET", "/api/v1/me", person).status for one in three.machines] == [200] * MACHINES
    assert ask(three.machines[0], "POST", "/api/v1/auth/logout", person).status in (200, 204)
    assert [ask(one, "GET", "/api/v1/me", person).status for one in three.machines] == [401] * MACHINES


def test_what_one_machine_changed_the_others_show_at_once(three: Stack):
    person = three.people[0]
    typed = {"client_phone": "79165550001", "property_address": f"Улица {uuid4().hex}, 1", "price": "1000000.00"}
    made = ask(three.machines[0], "POST", "/api/v1/deals/", person, typed).json
    path = f"/api/v1/deals/{made['id']}"
    for number, machine in enumerate(three.machines):
        assert ask(machine, "POST", f"{path}/notes", person, {"text": f"Заметка {number}"}).status == 201
        seen = [ask(one, "GET", f"{path}/timeline", person).json["items"] for one in three.machines]
        assert seen[0] == seen[1] == seen[2]
        assert seen[0][0]["text"] == f"Заметка {number}"


def test_static_files_have_one_name_and_one_body_at_every_machine(three: Stack):
    nobody = Person("", "", "", "")
    pages = [ask(one, "GET", "/login/", nobody).body.decode() for one in three.machines]
    names = {tuple(re.findall(r'/static/[^"]+', page)) for page in pages}
    assert len(names) == 1
    for path in next(iter(names)):
        assert len({ask(one, "GET", path, nobody).body for one in three.machines}) == 1


def test_thirty_guesses_over_three_machines_get_five_looks(three: Stack):
    agent = three.add_people(1)[0]
    asked = three.run("-c", CHALLENGE, agent.phone).split()
    guesser = Person(agent.phone, "", agent.csrf, asked[0])
    wrong = "000000" if asked[1] != "000000" else "000001"

    def guess(number: int) -> int:
        typed = {"phone": agent.phone, "code": wrong}
        machine = three.machines[number % MACHINES]
        return ask(machine, "POST", "/api/v1/auth/verify-code", guesser, typed, source=f"10.1.0.{number}").status

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(guess, range(TRIES))) == {400}
    assert three.cluster.sql("SELECT max(attempts) FROM accounts_challenge") == "5"
    typed = {"phone": agent.phone, "code": asked[1]}
    right = ask(three.machines[0], "POST", "/api/v1/auth/verify-code", guesser, typed, source="10.1.1.1")
    assert right.status == 400, "the right code comes too late"


CHALLENGE = """
import django, re, sys
django.setup()
from accounts.actor import Actor
from accounts.services import login, outbox
told = []
plain = outbox.queue_sms
outbox.queue_sms = lambda phone, text, **fields: (told.append(text), plain(phone, text, **fields))
sent = login.send_code(sys.argv[1], challenge_token="", device_cookie="", actor=Actor.nobody(address="10.1.2.3"))
print(sent.challenge_token, re.search(r"#([0-9]{6})", told[0])[1])
"""


def passed_of(stack: Stack, processes: int, network: str) -> tuple[int, int]:
    """Ask at every machine in turn, as one source, until all refuse; return how many requests passed, and the limit."""
    limit, nobody, asked, passed, refused = settings.LIMITS["anonymous"][0], Person("", "", "", ""), 0, 1, 0
    source = next(one for one in (f"{network}.{last}" for last in range(1, 99)) if has_begun_lately(stack, one))
    while refused < REFUSED_IN_A_ROW and asked < (limit + REFUSED_IN_A_ROW) * processes:
        status = ask(stack.machines[asked % MACHINES], "GET", "/login/", nobody, source=source).status
        asked += 1
        passed, refused = (passed + 1, 0) if status == 200 else (passed, refused + 1)
    assert refused == REFUSED_IN_A_ROW, "the limit is open"
    return passed, limit


def has_begun_lately(stack: Stack, source: str) -> bool:
    """Whether the window in which this source is counted has minutes to go; asking counts one."""
    told = ask(stack.web, "GET", "/api/v1/me", Person("", "", "", ""), source=source).headers
    return told is not None and int(str(told["RateLimit"]).rpartition("t=")[2]) > 120


def test_requests_of_one_source_are_counted_over_all_machines(three: Stack):
    """With Redis exactly; without it each process counts for itself, and nobody gets more than all of them allow."""
    processes = 1 if "REDIS_URL" in three.environment else PROCESSES * MACHINES
    passed, limit = passed_of(three, processes, "10.2.0")
    assert passed == limit if processes == 1 else limit <= passed <= limit * processes


def test_three_workers_send_each_code_once(three: Stack):
    already = len(three.gateway.messages)
    agents = three.add_people(20)
    for number, agent in enumerate(agents):
        sender = Person(agent.phone, "", agent.csrf, "")
        machine = three.machines[number % MACHINES]
        body = {"phone": agent.phone}
        assert ask(machine, "POST", "/api/v1/auth/send-code", sender, body, source=f"10.3.0.{number}").status == 202
    wait_until(lambda: three.unsent == 0)
    sent = Counter(kept.phone for kept in three.gateway.messages[already:])
    assert sent == Counter(agent.phone for agent in agents)


def test_a_machine_that_is_killed_costs_the_others_nothing(three: Stack):
    redis = "with Redis" if "REDIS_URL" in three.environment else "without Redis"
    with three.trial(f"one of three web machines killed, {redis}") as trial:
        before = three.machines[1].web.process.pid
        three.machines[1].web.kill()
        three.workers[1].kill()
        trial.over()
        trial.wait_for(30)
        wait_until(lambda: three.machines[1].web.process.pid != before)


def test_redis_killed_and_flushed_under_load_never_opens_a_limit(three: Stack, redis: Redis):
    if "REDIS_URL" not in three.environment:
        pytest.skip("there is none")
    with three.trial("Redis flushed, killed, started again") as trial:
        redis.call("flushall")
        trial.wait_for(20)
        redis.kill()
        trial.wait_for(20)
        passed, limit = passed_of(three, PROCESSES * MACHINES, "10.4.0")
        assert passed <= limit * PROCESSES * MACHINES
        redis.start()
        trial.over()
        trial.wait_for(20)
    assert set(trial.load.statuses) <= {200, 201, 302}
