"""`manage.py keys`: new keys made, let encrypt, and taken out, while people work. See `services/key_rotation.py`."""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.services import key_rotation, processes
from accounts.services.key_holders import Holder
from accounts.services.key_rotation import KeyStatus, Rotation
from lk_site import environment, startup
from lk_site.encryption.key_file import KeyFile, KeysInEnvironment, KeyStore, KeyVariable
from lk_site.encryption.keys import PURPOSES, KeyInvalid, KeyMissing

TOLD_EVERY_S = 2.0
SHOWN_AT_MOST = 20  # flaws by name; the rest are counted


class Command(BaseCommand):
    help = "Show, make, rotate, verify and retire keys. A key is known everywhere before it encrypts anywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        one: dict[str, Any] = {"choices": PURPOSES, "metavar": "PURPOSE", "help": ", ".join(PURPOSES)}
        generate = actions.add_parser("generate", help="make a key that opens and does not encrypt yet")
        generate.add_argument("purpose", **one)
        status = actions.add_parser("status", help="show keys, who knows them, what stands under them, what to do next")
        status.add_argument("purpose", nargs="?", **one)
        rotate = actions.add_parser("rotate", help="let the newest key encrypt, and make older values anew under it")
        rotate.add_argument("purpose", **one)
        verify = actions.add_parser("verify", help="open every value; status 1 if one cannot be read")
        verify.add_argument("purpose", nargs="?", **one)
        retire = actions.add_parser("retire", help="take a key out that nothing stands under")
        retire.add_argument("purpose", **one)
        retire.add_argument("key_id", type=int, metavar="ID")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        told = {name: options[name] for name in ("purpose", "key_id") if options.get(name) is not None}
        try:
            startup.check_database()
            startup.check_migrations()
            getattr(self, action)(**told)
        except startup.UnfitStart as unfit:
            raise CommandError(str(unfit)) from None
        except KeysInEnvironment as refused:
            self.stdout.write(refused.text)
            raise CommandError(str(refused)) from None
        except (KeyMissing, KeyInvalid) as refused:
            raise CommandError(f"{refused}{refused.advice}") from None

    # --- the five

    def generate(self, purpose: str) -> None:
        key_id = key_rotation.generate(purpose, store())
        self.stdout.write(f"Key {key_id} of {purpose} is in {store()}. It opens values and encrypts none yet.")
        self.stdout.write(
            "Copy the key file to every machine and restart every web server and worker, in any order.\n"
            f"Then: python manage.py keys rotate {purpose}"
        )

    def status(self, purpose: str | None = None) -> None:
        for process in (running := processes.running()):
            seen = int((process.now - process.seen_at).total_seconds())  # type: ignore[attr-defined]
            self.stdout.write(f"{process}, seen {seen} s ago")
        for one in [purpose] if purpose else PURPOSES:
            ring = key_rotation.status(one)
            self.stdout.write(f"\n{one}")
            for key in ring.keys:
                self.show_key(key, len(running))
            self.stdout.write(f"  next: {ring.next_step}")

    def rotate(self, purpose: str) -> None:
        rotation = key_rotation.rotate(purpose, store(), tell=Progress(self.stdout.write))
        self.stdout.write(f"Key {rotation.key_id} of {purpose} encrypts; {rotation.renewed:,} rows were made anew.")
        self.show_flaws(rotation.flaws)
        for sentence in what_is_left(purpose, rotation):
            self.stdout.write(sentence)
        if rotation.flaws or rotation.busy:
            raise SystemExit(1)

    def verify(self, purpose: str | None = None) -> None:
        counts: dict[Holder, int] = {}
        flaws: list[str] = []
        tell = Progress(self.stdout.write)
        for holder, count, wrong in key_rotation.verify(purpose):
            counts[holder] = counts.get(holder, 0) + count
            flaws += wrong
            tell(holder, counts[holder])
        self.stdout.write(f"{sum(counts.values()):,} values in {len(counts)} places, {len(flaws):,} are not right.")
        self.show_flaws(flaws)
        if flaws:
            raise SystemExit(1)

    def retire(self, purpose: str, key_id: int) -> None:
        aside = key_rotation.retire(purpose, key_id, store())
        self.stdout.write(f"Key {key_id} of {purpose} is out of {store()}.")
        self.stdout.write(
            f"Backups made until now may need it: {aside} holds it; keep that file with them and delete it with the "
            "last of them.\nCopy the key file to every machine and restart every web server and worker."
        )

    # --- showing

    def show_key(self, key: KeyStatus, running: int) -> None:
        does = "encrypts" if key.is_active else "opens"
        known = f"known to all {running}" if not key.unaware else f"known to {key.known_to} of {running}"
        values = key.renewable + sum(key.staying.values())
        self.stdout.write(f"  key {key.key_id:<3} {does:<8} {values:>12,} values   {known}")
        for process in key.unaware:
            self.stdout.write(f"           not known to {process}")
        for holder, count in key.values.items():
            self.stdout.write(f"           {count:>12,} {holder.name}")

    def show_flaws(self, flaws: list[str]) -> None:
        for flaw in flaws[:SHOWN_AT_MOST]:
            self.stdout.write(f"  {flaw}")
        if len(flaws) > SHOWN_AT_MOST:
            self.stdout.write(f"  and {len(flaws) - SHOWN_AT_MOST:,} more")


class Progress:
    """Says now and then how far it is."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write = write
        self.next = time.monotonic() + TOLD_EVERY_S

    def __call__(self, holder: Holder, done: int) -> None:
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + TOLD_EVERY_S
            self.write(f"  {holder.name}: {done:,}")


def store() -> KeyStore:
    """Return where the keys of this process come from."""
    in_environment = bool(environment.text("LK_KEYS"))
    return KeyVariable(settings.KEYS) if in_environment else KeyFile(settings.KEYS_FILE)


def what_is_left(purpose: str, rotation: Rotation) -> list[str]:
    """Return the sentences that say what an operator does after a rotation."""
    said = [f"{count:,} values still stand under key {key_id}." for key_id, count in sorted(rotation.left.items())]
    if rotation.busy:
        said.append(f"{rotation.busy:,} rows were busy; run this again.")
    if rotation.behind:
        named = ", ".join(map(str, rotation.behind))
        said.append(
            f"These still write with an older key: {named}. Copy the key file to every machine, restart them, and run "
            "this again."
        )
    return said or [f"Nothing that could be made anew is left. See: python manage.py keys status {purpose}"]
