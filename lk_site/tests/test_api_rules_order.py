"""`api.md`, "the order of refusals": whatever is wrong with a request at once, the answer is the earlier refusal.

Each fault below spoils one request that otherwise succeeds: taking back a move. Every pair of them is tried, neighbours
and others, by a session and by a key; `FAULTS` is the order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as ours
from django.test import Client as Browser

from accounts.models import Scope, User
from accounts.services import keys
from accounts.services.keys import ShownKey
from accounts.tests.clock import Clock, clock
from accounts.tests.programs import confirmed, make_key, program
from deals.services.deals import trash_deal
from deals.services.pipeline import move_deal
from deals.tests.making import by, make_deal
from deals.tests.programs import ROOT, Program
from lk_site.tests.askers import ByKey, BySession
from lk_site.tests.walking import World

__all__ = ["clock"]

BYTES_AT_MOST = ours.JSON_BYTES_AT_MOST
USED = "used"  # an Idempotency-Key that came with another request before


@dataclass(frozen=True)
class Prepared:
    """What the requests are about: made once, and left as it was by every test."""

    world: World
    key: ShownKey
    own: dict[str, UUID]  # deals that the asker has moved himself, by who he is
    by_vera: UUID  # one of Anna's that Vera has moved
    elsewhere: UUID  # one of another agency


@dataclass
class Asked:
    """A request that takes back a move, and whatever is wrong with it."""

    who: str
    prepared: Prepared
    clock: Clock
    limits: dict[str, Any]
    browser: Browser
    deal: UUID
    headers: dict[str, str]
    query: str = ""
    body: bytes = b"{}"
    type: str = "application/json"

    def send(self) -> Any:
        path = f"{ROOT}/deals/{self.deal}/stage-moves/undo{self.query}"
        return self.browser.generic("POST", path, self.body, content_type=self.type, headers=self.headers)


# --- what may be wrong


def in_order(asked: Asked) -> None:
    """Nothing is wrong."""


def too_large(asked: Asked) -> None:
    asked.body += b" " * BYTES_AT_MOST


def in_plain_text(asked: Asked) -> None:
    asked.type = "text/plain"


def by_nobody(asked: Asked) -> None:
    asked.browser = program("lk_live_" + "0" * 46) if asked.who == "key" else Program().browser


def from_another_site(asked: Asked) -> None:
    asked.headers["Sec-Fetch-Site"] = "cross-site"


def without_csrf_token(asked: Asked) -> None:
    del asked.headers["X-CSRFToken"]


def from_another_network(asked: Asked) -> None:
    change_key(asked, networks=["203.0.113.0/24"])


def without_the_scope(asked: Asked) -> None:
    change_key(asked, scopes=[Scope.DEALS_READ])


def change_key(asked: Asked, **changes: Any) -> None:
    keys.edit_key(asked.prepared.key.key.pk, **changes, actor=confirmed(asked.prepared.world.vera))


def before_consent(asked: Asked) -> None:
    anna = User.objects.get(pk=asked.prepared.world.anna.pk)
    anna.consent_version = ""
    anna.save_changes("consent_version")


def too_often(asked: Asked) -> None:
    asked.limits.update(person=(0, 300), key=(0, 120))


def not_json(asked: Asked) -> None:
    asked.body = b"{" + asked.body[2:]


def out_of_shape(asked: Asked) -> None:
    asked.query = "?colour=red"


def with_a_used_key(asked: Asked) -> None:
    asked.headers["Idempotency-Key"] = USED


def of_another_agency(asked: Asked) -> None:
    asked.deal = asked.prepared.elsewhere


def moved_by_another(asked: Asked) -> None:
    asked.deal = asked.prepared.by_vera


def without_a_version(asked: Asked) -> None:
    del asked.headers["If-Match"]


def from_an_old_version(asked: Asked) -> None:
    asked.headers["If-Match"] = '"1"'


def too_late(asked: Asked) -> None:
    asked.clock.now += timedelta(minutes=11)


Fault = Callable[[Asked], None]
Answer = tuple[int, str]
LAST_FAULTS: dict[Fault, Answer] = {
    too_often: (429, "too_often"),
    not_json: (400, "not_json"),
    out_of_shape: (422, "invalid"),
    with_a_used_key: (422, "idempotency_key_reused"),
    of_another_agency: (404, "not_found"),
    moved_by_another: (403, "not_allowed"),
    without_a_version: (428, "version_required"),
    from_an_old_version: (412, "stale"),
    too_late: (422, "undo_too_late"),
}
FAULTS: dict[str, dict[Fault, Answer]] = {  # in the order of refusals
    "session": {
        too_large: (413, "too_large"),
        in_plain_text: (415, "not_json_type"),
        by_nobody: (401, "not_authenticated"),
        from_another_site: (403, "cross_site"),
        without_csrf_token: (403, "csrf_failed"),
        before_consent: (403, "consent_required"),
        **LAST_FAULTS,
    },
    "key": {
        too_large: (413, "too_large"),
        in_plain_text: (415, "not_json_type"),
        by_nobody: (401, "not_authenticated"),
        from_another_site: (403, "cross_site"),
        from_another_network: (403, "network_refused"),
        without_the_scope: (403, "scope_missing"),
        **LAST_FAULTS,
    },
}
NOT_TOGETHER = {without_a_version, from_an_old_version}


def pairs() -> Iterator[Any]:
    for who, faults in FAULTS.items():
        for first, second in combinations(faults, 2):
            if {first, second} != NOT_TOGETHER:
                yield pytest.param(who, first, second, id=f"{who}-{first.__name__}-{second.__name__}")


@pytest.fixture(scope="module")
def prepared(shared_world: World) -> Prepared:
    shown, anna, vera, gleb = make_key(shared_world.vera), shared_world.anna, shared_world.vera, shared_world.gleb
    own = {}
    for who, asker in (("session", BySession(anna)), ("key", ByKey(shown.token, anna))):
        asker.post(f"/deals/{own_move(asker)}/stage-moves/undo", {}, version=2, key=USED)
        own[who] = own_move(asker)
    return Prepared(shared_world, shown, own, moved(anna, by_whom=vera), moved(gleb, by_whom=gleb))


def own_move(asker: BySession) -> UUID:
    deal = asker.create()
    asker.post(f"/deals/{deal['id']}/stage-moves", {"to": "showing"}, version=1)
    return UUID(deal["id"])


def moved(agent: User, *, by_whom: User) -> UUID:
    return move_deal(make_deal(agent).pk, "showing", actor=by(by_whom), version=1).pk


@pytest.fixture
def asks(prepared: Prepared, db: None, clock: Clock, settings: Any) -> Callable[[str], Asked]:
    """Return what makes a request that succeeds, by a session or by a key."""
    settings.LIMITS = {**settings.LIMITS}

    def asked(who: str) -> Asked:
        anna = prepared.world.anna
        asker = ByKey(prepared.key.token, anna) if who == "key" else BySession(anna)
        headers = {"If-Match": '"2"', "X-CSRFToken": asker.token, "Accept-Language": "en"}
        return Asked(who, prepared, clock, settings.LIMITS, asker.browser, prepared.own[who], headers)

    return asked


def answer_to(asked: Asked) -> Answer:
    response = asked.send()
    return response.status_code, response.json()["code"]


@pytest.mark.parametrize("who", FAULTS)
def test_the_request_that_is_spoilt_here_succeeds(who: str, asks: Callable[[str], Asked]):
    assert asks(who).send().status_code == 200


@pytest.mark.parametrize(("who", "fault"), [(who, fault) for who, faults in FAULTS.items() for fault in faults])
def test_each_fault_has_its_refusal(who: str, fault: Fault, asks: Callable[[str], Asked]):
    asked = asks(who)
    fault(asked)
    assert answer_to(asked) == FAULTS[who][fault]


@pytest.mark.parametrize(("who", "first", "second"), list(pairs()))
def test_the_order_of_refusals(who: str, first: Fault, second: Fault, asks: Callable[[str], Asked]):
    asked = asks(who)
    second(asked)
    first(asked)
    assert answer_to(asked) == FAULTS[who][first]


@pytest.mark.parametrize("who", FAULTS)
def test_a_replay_comes_after_the_shape_and_before_what_has_changed_since(who: str, asks: Callable[[str], Asked]):
    asked = asks(who)
    asked.headers["Idempotency-Key"] = "again"
    first = asked.send()
    too_late(asked)
    again = asked.send()  # the version is an old one by now, and there is no move to undo
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (200, first.content, "true")
    out_of_shape(asked)
    assert answer_to(asked) == (422, "invalid")


@pytest.mark.parametrize("who", FAULTS)
def test_a_replay_is_404_for_who_may_not_see_the_object_any_more(who: str, asks: Callable[[str], Asked]):
    asked = asks(who)
    asked.headers["Idempotency-Key"] = "again"
    assert asked.send().status_code == 200
    trash_deal(asked.deal, actor=by(asked.prepared.world.vera), version=3)
    assert answer_to(asked) == (404, "not_found")


def test_the_shape_is_refused_the_same_whether_or_not_the_row_exists(asks: Callable[[str], Asked]):
    answers = set()
    for fault in (in_order, of_another_agency):
        asked = asks("session")
        out_of_shape(asked)
        fault(asked)
        answers.add(answer_to(asked))
    assert answers == {(422, "invalid")}
