"""The life of keys: made, known everywhere, put first, and taken out once nothing stands under them (security.md 3.4).

A ring is a list in the key file: its first key encrypts, all open. A new key must be known everywhere before it
encrypts anywhere, or a web server would read values that it cannot open and look for numbers that it cannot find. So:

1. `generate` adds a key at the end of its ring: it opens and does not encrypt. The operator copies the file to every
   machine and restarts what runs there, in any order; nothing stands under the new key meanwhile, and a machine that
   restarts with the old file goes on.
2. `rotate` refuses while a running process does not know the new key (`processes` tells how that is certain). Then it
   puts the key first in the file, and from then on nothing starts without the key. The operator copies and restarts
   once more: old and new processes read what either writes, and look for numbers under both keys.
3. `rotate` also makes every value under an older key anew, beside writers. Its only memory is the values themselves:
   killed at any moment, it is run again and goes on; two of them share the work. It is done when nothing stands under
   an older key, which can only be once no process writes with one.
4. `retire` refuses while anything stands under the key or a process writes with it. Then it forgets the key's canary,
   so that processes start without the key, and takes it out of the file; a copy is kept aside, for older backups.

What one purpose means by that:

- `fields`: every encrypted column, sealed anew.
- `client_index`, `agent_index`: indexes and tokens, made anew. Uniqueness does not rest on the index alone while two
  keys are in use: a number is looked for under every key, where one transaction at a time may give it away
  (`lock_values`, and the lock of the agent for the numbers of clients).
- `codes`: digests of codes live 24 hours; back-up codes of staff stay under their key until they get new ones.
- `digests`: of limits and idempotency live a day or two, and are looked for under every key; the digests of events'
  texts stand for ever, so a key that made some is never retired.
- `audit`: new events are chained under the new key, old ones are not touched: their key is never retired.
- `signing`: what was signed with an older key is believed as long as that key is in the file (SECRET_KEY_FALLBACKS).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError

from accounts.actor import Actor
from accounts.models import Action, RunningProcess
from accounts.services import canaries, processes
from accounts.services.idempotency import is_timeout
from accounts.services.key_holders import Batch, Holder, holders
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.encryption.key_file import KeyStore, add_last, put_first, take_out
from lk_site.encryption.keys import KeyInvalid, Ring, ring

ROUNDS_AT_MOST = 20  # over what was busy, before a rotator says so and ends
Tell = Callable[[Holder, int], None]  # of progress: how many rows of a holder have been made anew


class KeyRefused(KeyInvalid):
    """What was asked would leave something unreadable, or makes no sense now; the sentence says what to do."""

    advice = ""


@dataclass
class Rotation:
    """What a rotation did and what it left."""

    key_id: int
    renewed: int = 0  # rows
    busy: int = 0
    flaws: list[str] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)  # key id -> values that could be made anew and were not
    behind: list[RunningProcess] = field(default_factory=list)  # processes that write with an older key


@dataclass
class KeyStatus:
    """One key of a ring as an operator asks for it."""

    key_id: int
    is_active: bool
    values: dict[Holder, int]
    known_to: int
    unaware: list[RunningProcess]
    writers: list[RunningProcess]

    @property
    def renewable(self) -> int:
        return sum(count for holder, count in self.values.items() if not holder.stays)

    @property
    def staying(self) -> dict[Holder, int]:
        return {holder: count for holder, count in self.values.items() if holder.stays}


@dataclass
class RingStatus:
    """The keys of a purpose, in the order of the ring, and what to do next."""

    purpose: str
    keys: list[KeyStatus]
    next_step: str


def generate(purpose: str, store: KeyStore) -> int:
    """Make a key for a purpose that opens and does not encrypt yet, and return its id.

    Raises KeyRefused while an older rotation is not finished, KeyInvalid for keys that cannot be changed, and
    KeysInEnvironment.
    """
    canaries.check_canaries()
    keys = ring(purpose)
    if keys.newest_id != keys.active_id:
        raise KeyRefused(f"The key {keys.newest_id} of {purpose} was made and never used: rotate to it first.")
    key_id: int = store.change(add_last(purpose, set(canaries.planted(purpose))))[purpose][-1]["id"]
    note(purpose, "generated", key_id)
    return key_id


def rotate(purpose: str, store: KeyStore, *, tell: Tell = lambda holder, done: None) -> Rotation:
    """Let the newest key of a purpose encrypt, and make values under older keys anew as far as that is possible now.

    Raises KeyRefused where there is no newer key, KeyNotEverywhere while a running process does not know it, KeyInvalid
    and KeysInEnvironment where it cannot be put first.
    """
    canaries.check_canaries()
    keys = ring(purpose)
    if len(keys.keys) == 1:
        raise KeyRefused(f"{purpose} has one key, {keys.active_id}. Make another: manage.py keys generate {purpose}")
    rotation = Rotation(keys.newest_id)
    promote(purpose, rotation.key_id, store)
    for holder in holders(purpose):
        renew_all(holder, rotation, tell)
    note(purpose, "rotated", rotation.key_id, renewed=rotation.renewed, unreadable=len(rotation.flaws))
    rotation.left = left_under_older(purpose, rotation.key_id)
    rotation.behind = [
        process for process in processes.running() if not process.writes_with(*marked(purpose, rotation.key_id))
    ]
    return rotation


def promote(purpose: str, key_id: int, store: KeyStore) -> None:
    """Put a key first, once every running process knows it."""
    processes.begin_use(purpose, key_id)
    store.change(put_first(purpose, key_id))
    if ring(purpose).active_id != key_id:
        note(purpose, "promoted", key_id)


def renew_all(holder: Holder, rotation: Rotation, tell: Tell) -> None:
    """Make the values of a holder anew, in rounds: what was busy in one is tried in the next."""
    done = 0
    for _ in range(ROUNDS_AT_MOST):
        busy, flaws, after = 0, list[str](), None
        while (batch := next_batch(holder, rotation.key_id, after)).last is not None:
            after = batch.last
            done, busy = done + batch.renewed, busy + batch.busy
            flaws += batch.flaws
            tell(holder, done)
        if not busy:
            break
    rotation.renewed += done
    rotation.busy += busy
    rotation.flaws += flaws


def next_batch(holder: Holder, key_id: int, after: Any) -> Batch:
    """Make the next rows of a holder anew; where people keep SQLite's write lock from us, ask for it again."""
    for _ in range(ROUNDS_AT_MOST):
        try:
            return holder.renew(key_id, after)
        except OperationalError as error:
            if not is_timeout(error):
                raise
    raise KeyRefused("The database was locked by others all the time; run this again when they write less.")


def left_under_older(purpose: str, key_id: int) -> dict[int, int]:
    """Return how many values that can be made anew stand under other keys."""
    left: dict[int, int] = {}
    for holder in holders(purpose):
        for other, count in holder.counts().items():
            if other != key_id and not holder.stays:
                left[other] = left.get(other, 0) + count
    return left


def retire(purpose: str, key_id: int, store: KeyStore) -> object:
    """Take a key that nothing stands under out of the keys; return the file that it is kept aside in, if any.

    Raises KeyRefused for the key that encrypts, for one that a process writes with, and for one that values stand
    under; KeyInvalid, KeysInEnvironment.
    """
    canaries.check_canaries()
    keys = ring(purpose)
    if key_id not in keys.keys:
        raise KeyRefused(f"{purpose} has no key {key_id}; it has {', '.join(map(str, keys.keys))}.")
    refuse_in_use(key_status(purpose, key_id, keys), purpose)
    entry = {"purpose": purpose, **entry_of(purpose, key_id)}
    aside = store.keep_aside(entry)
    forget(purpose, key_id)
    store.change(take_out(purpose, key_id))
    return aside


def refuse_in_use(status: KeyStatus, purpose: str) -> None:
    """Raise KeyRefused for a key that something still needs."""
    if status.is_active:
        raise KeyRefused(f"The key {status.key_id} of {purpose} encrypts; rotate to another one first.")
    if status.writers:
        named = ", ".join(map(str, status.writers))
        raise KeyRefused(f"These still write with key {status.key_id} of {purpose}, restart them: {named}.")
    if status.renewable:
        raise KeyRefused(
            f"{status.renewable} values stand under key {status.key_id} of {purpose}; run: "
            f"manage.py keys rotate {purpose}"
        )
    for holder, count in status.staying.items():
        raise KeyRefused(
            f"{count} values of {holder.name} stand under key {status.key_id} of {purpose}: {holder.stays}."
        )


@unit_of_work
def forget(purpose: str, key_id: int) -> None:
    canaries.uproot(purpose, key_id)
    note(purpose, "retired", key_id)


@unit_of_work
def note(purpose: str, step: str, key_id: int, *, renewed: int = 0, unreadable: int = 0) -> None:
    """Leave evidence of a step in the life of a key."""
    actor, action = Actor.system(), Action.KEYS_ROTATED
    record(actor, action, purpose=purpose, step=step, key=key_id, renewed=renewed, unreadable=unreadable)


def status(purpose: str) -> RingStatus:
    """Return the keys of a purpose and what to do next. It counts values, which reads every row."""
    keys = ring(purpose)
    found = [key_status(purpose, key_id, keys) for key_id in keys.keys]
    return RingStatus(purpose, found, next_step(purpose, found))


def key_status(purpose: str, key_id: int, keys: Ring) -> KeyStatus:
    running, mark = processes.running(), processes.mark(purpose, key_id)
    counted = {holder: holder.counts().get(key_id, 0) for holder in holders(purpose)}
    unaware = [process for process in running if not process.knows(purpose, mark)]
    return KeyStatus(
        key_id=key_id,
        is_active=key_id == keys.active_id,
        values={holder: count for holder, count in counted.items() if count},
        known_to=len(running) - len(unaware),
        unaware=unaware,
        writers=[process for process in running if process.writes_with(purpose, mark)],
    )


def next_step(purpose: str, keys: list[KeyStatus]) -> str:
    """Return what an operator does next about a ring, in a sentence."""
    newest = max(keys, key=lambda key: key.key_id)
    older = [key for key in keys if key is not newest]
    if not older:
        return f"nothing; for another key: manage.py keys generate {purpose}"
    if newest.unaware:
        return f"copy the key file to every machine and restart {named(newest.unaware)}"
    if not newest.is_active or any(key.renewable and not key.writers for key in older):
        return f"manage.py keys rotate {purpose}"
    if behind := [process for key in older for process in key.writers]:
        return f"copy the key file to every machine and restart {named(behind)}; then: manage.py keys rotate {purpose}"
    if free := [key for key in older if not key.values]:
        return f"manage.py keys retire {purpose} {free[0].key_id}"
    return f"nothing; older keys stay: {'; '.join(sorted({holder.stays for key in older for holder in key.staying}))}"


def verify(purpose: str | None = None) -> Iterator[tuple[Holder, int, list[str]]]:
    """Open every value, and yield for each batch its holder, the number of values, and what is wrong with which."""
    for holder in holders(purpose):
        for count, flaws in holder.check():
            yield holder, count, flaws


def entry_of(purpose: str, key_id: int) -> dict[str, object]:
    from django.conf import settings

    return next(entry for entry in settings.KEYS[purpose] if entry["id"] == key_id)


def marked(purpose: str, key_id: int) -> tuple[str, str]:
    return purpose, processes.mark(purpose, key_id)


def named(running: list[RunningProcess]) -> str:
    return ", ".join(map(str, running))
