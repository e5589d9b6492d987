"""The worker: sends what waits in the outbox, asks what became of it, and sweeps what has outlived its time."""

import logging
import signal
import time
from argparse import ArgumentParser
from collections.abc import Callable
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone

from accounts.gateways import Gateway, gateway
from accounts.services import outbox, sweeps
from lk_site import startup

log = logging.getLogger("lk.worker")

PAUSE_S = 1.0  # between two looks into an empty outbox
FOLLOW_UP_EVERY_S = 15.0
SWEEP_EVERY_S = 60.0
AFTER_FAULT_S = 5.0


class Command(BaseCommand):
    """Any number of workers may run: each message is leased to one of them, and sweeps find nothing twice."""

    help = "Send SMS from the outbox and sweep what has outlived its time, until SIGTERM; a batch is finished first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="send and sweep what is due now, then end")

    def handle(self, *args: Any, once: bool = False, **options: Any) -> None:
        startup.check()
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        through = gateway()
        chores = [
            Chore(SWEEP_EVERY_S, lambda: sweeps.run(timezone.now())),
            Chore(FOLLOW_UP_EVERY_S, lambda: outbox.follow_up(through)),
        ]
        if once:
            self.turn(through, chores)
        while not (once or self.stopping):
            self.wait(self.turn_or_recover(through, chores))

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def turn_or_recover(self, through: Gateway, chores: list["Chore"]) -> float:
        """Do one turn and return how long to wait after it.

        The database may be away for a while; and nothing that breaks in one turn may keep the next codes from going.
        """
        try:
            return 0 if self.turn(through, chores) else PAUSE_S
        except (DatabaseError, InterfaceError) as fault:
            log.error("no database: %s", type(fault).__name__)
        except Exception:
            log.exception("a turn failed")
        finally:
            close_old_connections()
        return AFTER_FAULT_S

    def turn(self, through: Gateway, chores: list["Chore"]) -> int:
        """Send one batch and do the chores whose time has come; return how many messages were tried."""
        tried = outbox.deliver(through)
        for chore in chores:
            chore.do_if_due()
        return tried

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))


class Chore:
    """Something done every so many seconds, the first time at once."""

    def __init__(self, every_s: float, do: Callable[[], object]) -> None:
        self.every_s = every_s
        self.do = do
        self.next = 0.0

    def do_if_due(self) -> None:
        now = time.monotonic()
        if now >= self.next:
            self.next = now + self.every_s
            self.do()
