"""What staff see of the work in the background: queues, who is at them, and why something failed. Codes and counts."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from accounts.models import (
    Operation,
    OperationState,
    RunningProcess,
    SmsMessage,
    SmsState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookState,
)
from accounts.services.processes import COUNTED_FOR
from lk_site.encryption import Unreadable

LATELY = timedelta(days=7)  # how far back failures are counted
REASONS_AT_MOST = 5  # of one queue, the most frequent ones
RESULTS_READ = 200  # results are sealed: the newest so many of failed operations are opened for their reason
SMS, WEBHOOKS, OPERATIONS = "sms", "webhooks", "operations"


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue: how many wait, how many a worker holds, since when the oldest could go, how many failed lately."""

    name: str
    waiting: int
    held: int
    oldest_due_at: datetime | None
    failed: int
    reasons: list[tuple[str, int]]  # codes and how often, the most frequent first


def queues(now: datetime) -> list[Queue]:
    """Return every queue as it is now."""
    reasons = {SMS: sms_reasons(now), WEBHOOKS: webhook_reasons(now), OPERATIONS: operation_reasons(now)}
    return [queue(name, rows, reasons[name], now) for name, rows in waiting().items()]


def waiting() -> dict[str, QuerySet[Any]]:
    """Return what waits or is being done, by the name of its queue; nothing waits for an endpoint that is off."""
    on = WebhookDelivery.objects.filter(state=WebhookState.WAITING, endpoint__in=WebhookEndpoint.objects.on())
    return {SMS: SmsMessage.objects.queued(), WEBHOOKS: on, OPERATIONS: Operation.objects.open()}


def queue(name: str, rows: QuerySet[Any], reasons: "Counter[str]", now: datetime) -> Queue:
    held = Q(leased_until__gt=now)
    found = rows.aggregate(
        waiting=Count("pk", filter=~held),
        held=Count("pk", filter=held),
        oldest=Min("due_at", filter=~held & Q(due_at__lte=now)),
    )
    most_frequent = reasons.most_common(REASONS_AT_MOST)
    return Queue(name, found["waiting"], found["held"], found["oldest"], reasons.total(), most_frequent)


def sms_reasons(now: datetime) -> "Counter[str]":
    """Count SMS that nobody got by what the gateway said; a code that died while it waited has no answer."""
    failed = SmsMessage.objects.filter(state=SmsState.FAILED, created_at__gt=now - LATELY).order_by()
    return counted(
        (str(status or ""), count) for status, count in failed.values_list("gateway_status").annotate(Count("pk"))
    )


def webhook_reasons(now: datetime) -> "Counter[str]":
    """Count deliveries that were tried and have not arrived by the last answer, or why there was none."""
    made = WebhookDelivery.objects.filter(created_at__gt=now - LATELY).exclude(state=WebhookState.DONE)
    tried = made.exclude(last_code=None, last_error="").order_by()
    found = tried.values_list("last_code", "last_error").annotate(Count("pk"))
    return counted((str(code or error), count) for code, error, count in found)


def operation_reasons(now: datetime) -> "Counter[str]":
    """Count operations that failed for good by the code of their problem."""
    failed = Operation.objects.filter(state=OperationState.FAILED, created_at__gt=now - LATELY)
    newest = failed.defer("request").order_by("-created_at")[:RESULTS_READ]
    return Counter(reason_of(operation) for operation in newest)


def reason_of(operation: Operation) -> str:
    """Return the code of the problem that an operation failed with, which names nobody; nothing if it has not."""
    if operation.state != OperationState.FAILED or isinstance(operation.result, Unreadable) or not operation.result:
        return ""
    return str(json.loads(operation.result).get("code", ""))


def counted(pairs: Iterable[tuple[str, int]]) -> "Counter[str]":
    found: Counter[str] = Counter()
    for reason, count in pairs:
        found[reason] += count
    return found


def workers(now: datetime) -> list[RunningProcess]:
    """Return the workers that were seen lately."""
    seen = RunningProcess.objects.filter(kind="worker", seen_at__gt=now - COUNTED_FOR)
    return list(seen.order_by("host", "pid"))
