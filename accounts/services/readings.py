"""Gauges that are read from the database when somebody asks for metrics, each by one short query, never per request.

They tell of the whole database, so every machine that is asked says the same.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from django.db.models import Count, F, Max, Min, Q, Sum

from accounts.models import (
    Action,
    AgencyHead,
    Backup,
    Event,
    RunningProcess,
    Schedule,
    WebhookEndpoint,
)
from accounts.services import jobs
from accounts.services.processes import COUNTED_FOR
from lk_site.metrics import Kind, Measure

Read = tuple[Measure, tuple[str, ...], float]  # what, its labels, how much

KINDS_OF_PROCESSES = ("web", "worker")

PROCESSES = Measure(
    "lk_processes", Kind.GAUGE, "Web servers and workers, on all machines, that were seen lately.", ("kind",)
)
QUEUE_LENGTH = Measure(
    "lk_queue_length",
    Kind.GAUGE,
    "What waits: SMS, deliveries of webhooks to endpoints that are on, operations.",
    ("queue",),
)
QUEUE_OLDEST = Measure(
    "lk_queue_oldest_due_seconds",
    Kind.GAUGE,
    "For how long the oldest that could go has waited; 0 where none could.",
    ("queue",),
)
CHORE_SUCCEEDED = Measure(
    "lk_chore_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When a worker last did a chore to its end, in seconds since 1970.",
    ("chore",),
)
ENDPOINTS = Measure(
    "lk_webhook_endpoints",
    Kind.GAUGE,
    "Endpoints of webhooks: `working`, `failing` at their last try, `off` by LK itself, `off_by_hand`.",
    ("state",),
)
AUDIT_EVENTS = Measure("lk_audit_events_total", Kind.COUNTER, "Events of all agencies: the sum of their last numbers.")
UNANCHORED = Measure(
    "lk_audit_unanchored_events", Kind.GAUGE, "Events that no anchor outside the database holds yet, of all agencies."
)
AUDIT_VERIFIED = Measure(
    "lk_audit_last_verified_timestamp_seconds",
    Kind.GAUGE,
    "When the chains of events last proved whole, by themselves or in a verified backup, in seconds since 1970.",
)
BACKUP_MADE = Measure(
    "lk_backup_last_made_timestamp_seconds",
    Kind.GAUGE,
    "The moment that the newest backup shows, in seconds since 1970.",
)
BACKUP_VERIFIED = Measure(
    "lk_backup_last_verified_timestamp_seconds", Kind.GAUGE, "When a backup last proved itself, in seconds since 1970."
)

READ = (
    PROCESSES,
    QUEUE_LENGTH,
    QUEUE_OLDEST,
    CHORE_SUCCEEDED,
    ENDPOINTS,
    AUDIT_EVENTS,
    UNANCHORED,
    AUDIT_VERIFIED,
    BACKUP_MADE,
    BACKUP_VERIFIED,
)
PROOFS = (Action.BACKUP_VERIFIED.value, "audit.verified")  # what records that the chains were checked


def processes(now: datetime) -> Iterator[Read]:
    lately = RunningProcess.objects.filter(seen_at__gt=now - COUNTED_FOR).order_by()
    counts = dict(lately.values_list("kind").annotate(Count("pk")))
    for kind in KINDS_OF_PROCESSES:
        yield PROCESSES, (kind,), counts.get(kind, 0)


def sms(now: datetime) -> Iterator[Read]:
    yield from queue(jobs.SMS, now)


def webhooks(now: datetime) -> Iterator[Read]:
    yield from queue(jobs.WEBHOOKS, now)


def operations(now: datetime) -> Iterator[Read]:
    yield from queue(jobs.OPERATIONS, now)


def queue(name: str, now: datetime) -> Iterator[Read]:
    found = jobs.waiting()[name].aggregate(length=Count("pk"), oldest=Min("due_at"))
    oldest: datetime = found["oldest"] or now
    yield QUEUE_LENGTH, (name,), found["length"]
    yield QUEUE_OLDEST, (name,), max(0.0, (now - oldest).total_seconds())


def chores(now: datetime) -> Iterator[Read]:
    for name, at in Schedule.objects.values_list("name", "succeeded_at"):
        if at is not None:
            yield CHORE_SUCCEEDED, (name,), at.timestamp()


def endpoints(now: datetime) -> Iterator[Read]:
    by_hand = Q(off_why="person")
    states = {
        "working": Q(is_on=True, failing_since=None),
        "failing": Q(is_on=True, failing_since__isnull=False),
        "off": Q(is_on=False) & ~by_hand,
        "off_by_hand": Q(is_on=False) & by_hand,
    }
    there = WebhookEndpoint.objects.there()
    found = there.aggregate(**{state: Count("pk", filter=condition) for state, condition in states.items()})
    for state, count in found.items():
        yield ENDPOINTS, (state,), count


def audit(now: datetime) -> Iterator[Read]:
    found = AgencyHead.objects.aggregate(events=Sum("seq"), unanchored=Sum(F("seq") - F("anchored_seq")))
    yield AUDIT_EVENTS, (), found["events"] or 0
    yield UNANCHORED, (), found["unanchored"] or 0


def proofs(now: datetime) -> Iterator[Read]:
    last = Event.objects.filter(action__in=PROOFS).aggregate(at=Max("at"))["at"]
    if last is not None:
        yield AUDIT_VERIFIED, (), last.timestamp()


def backups(now: datetime) -> Iterator[Read]:
    found = Backup.objects.aggregate(made=Max("made_at"), verified=Max("verified_at"))
    for measure, at in ((BACKUP_MADE, found["made"]), (BACKUP_VERIFIED, found["verified"])):
        if at is not None:
            yield measure, (), at.timestamp()


READINGS: tuple[Callable[[datetime], Iterator[Read]], ...] = (
    processes,
    sms,
    webhooks,
    operations,
    chores,
    endpoints,
    audit,
    proofs,
    backups,
)
