"""The worker: sends codes and webhooks, does what was asked for later, and chores when they are due."""

import logging
import signal
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from accounts.gateways import Gateway, gateway
from accounts.services import alarms, anchors, operations, outbox, processes, schedules, sweeps, webhook_delivery
from accounts.services.schedules import Chore
from lk_site import metrics, startup

log = logging.getLogger("lk.worker")

PAUSE_S = 1.0  # between two looks into an empty outbox
AFTER_FAULT_S = 5.0
FOLLOW_UP_EVERY = timedelta(seconds=15)
SWEEP_EVERY = timedelta(minutes=1)
SWEEP_LEASE = timedelta(minutes=10)  # the first one after a long pause deletes for a while
WATCH_EVERY = timedelta(minutes=5)  # over who sees how many numbers
ANCHOR_EVERY = timedelta(minutes=1)  # how often somebody looks whether an anchor is due


class Command(BaseCommand):
    """Any number of workers may run: each message, operation and chore is leased to one of them."""

    help = "Send SMS and webhooks, do queued operations and chores, until SIGTERM; what has begun is finished first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do everything that is due now, then end")

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
        if once:
            outbox.deliver(through)
            schedules.do_due(chores(through))
            webhook_delivery.deliver()
            while operations.run_next():
                pass
            return
        beside = [
            Thread(target=self.deliver_webhooks),
            Thread(target=self.carry_out_operations),
            Thread(target=self.do_chores, args=[chores(through)]),
        ]
        for thread in beside:
            thread.start()
        while not self.stopping:
            self.wait(self.recovering("codes", lambda: outbox.deliver(through)))
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
            self.wait(self.recovering("operations", lambda: operations.wait_and_run(PAUSE_S)))
        connections.close_all()

    def do_chores(self, known: list[Chore]) -> None:
        """Do what is due of the chores, beside the codes as well: deleting much takes a while."""
        while not self.stopping:
            self.wait(self.recovering("chores", lambda: schedules.do_due(known)))
        connections.close_all()

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

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))


def chores(through: Gateway) -> list[Chore]:
    """Return everything that workers do again and again."""
    return [
        Chore("sms_ends", FOLLOW_UP_EVERY, lambda now: outbox.follow_up(through)),
        Chore("alarms", WATCH_EVERY, alarms.watch),
        Chore("anchors", ANCHOR_EVERY, anchors.anchor_if_due),
        *(Chore(f"sweep_{what}", SWEEP_EVERY, sweep, SWEEP_LEASE) for what, sweep in sweeps.SWEEPS.items()),
    ]
