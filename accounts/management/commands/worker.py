"""The worker: sends codes and webhooks, does what was asked for later, and sweeps what has outlived its time."""

import logging
import signal
import time
from argparse import ArgumentParser
from collections.abc import Callable
from threading import Thread
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from django.utils import timezone

from accounts.gateways import Gateway, gateway
from accounts.services import anchors, operations, outbox, processes, sweeps, webhook_delivery
from lk_site import metrics, startup

log = logging.getLogger("lk.worker")

PAUSE_S = 1.0  # between two looks into an empty outbox
FOLLOW_UP_EVERY_S = 15.0
SWEEP_EVERY_S = 60.0
ANCHOR_EVERY_S = 60.0  # how often it looks whether an anchor is due
AFTER_FAULT_S = 5.0


class Command(BaseCommand):
    """Any number of workers may run: each message is leased to one of them, and sweeps find nothing twice."""

    help = "Send SMS and webhooks, do queued operations, and sweep, until SIGTERM; what has begun is finished first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="send and sweep what is due now, then end")

    def handle(self, *args: Any, once: bool = False, **options: Any) -> None:
        metrics.count_as("worker")
        startup.check()
        with startup.unfit_keys(), processes.joined("worker"):
            self.work(once)

    def work(self, once: bool) -> None:
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        through = gateway()
        chores = [
            Chore("sweeps", SWEEP_EVERY_S, lambda: sweeps.run(timezone.now())),
            Chore("sms_ends", FOLLOW_UP_EVERY_S, lambda: outbox.follow_up(through)),
            Chore("anchors", ANCHOR_EVERY_S, lambda: anchors.anchor_if_due(timezone.now())),
        ]
        if once:
            self.turn(through, chores)
            webhook_delivery.deliver()
            while operations.run_next():
                pass
            return
        beside = [Thread(target=self.deliver_webhooks), Thread(target=self.carry_out_operations)]
        for thread in beside:
            thread.start()
        while not self.stopping:
            self.wait(self.turn_or_recover(through, chores))
        for thread in beside:
            thread.join()

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def deliver_webhooks(self) -> None:
        """Send webhooks beside the codes, in a thread of its own: receivers that hang never keep a code from going."""
        courier = webhook_delivery.Courier()
        while not self.stopping:
            self.wait(self.recovering("webhooks", lambda: courier.turn(wait_s=PAUSE_S) or len(courier.on_the_way)))
        self.recovering("webhooks", courier.finish)
        connections.close_all()

    def carry_out_operations(self) -> None:
        """Do what programs asked for and do not wait for, beside the codes too: a hundred items take a while."""
        while not self.stopping:
            self.wait(self.recovering("operations", operations.run_next))
        connections.close_all()

    def turn_or_recover(self, through: Gateway, chores: list["Chore"]) -> float:
        """Do one turn and return how long to wait after it."""
        return self.recovering("codes", lambda: self.turn(through, chores))

    def recovering(self, name: str, turn: Callable[[], int]) -> float:
        """Do something and return how long to wait after it: not at all where it found something to do.

        The database may be away for a while; and nothing that breaks in one turn may keep the next codes from going.
        A worker that lacks a key of the others does nothing.
        """
        try:
            if not processes.may_serve():
                return AFTER_FAULT_S
            found = turn()
            metrics.WORKER_TURNED.happened(name)
            return 0 if found else PAUSE_S
        except (DatabaseError, InterfaceError) as fault:
            log.error("no database: %s", type(fault).__name__)
        except Exception:
            log.exception("a turn failed")
        finally:
            close_old_connections()
        metrics.WORKER_FAULTS.add(name)
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

    def __init__(self, name: str, every_s: float, do: Callable[[], object]) -> None:
        self.name = name
        self.every_s = every_s
        self.do = do
        self.next = 0.0

    def do_if_due(self) -> None:
        now = time.monotonic()
        if now >= self.next:
            self.next = now + self.every_s
            self.do()
            metrics.CHORE_SUCCEEDED.happened(self.name)
