"""What is done behind the pages: workers, queues, throttles, SMS, backups."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone, translation
from redis import Redis
from redis.exceptions import RedisError

from accounts.gateways import Refused, SmsRu, TryAgain, gateway
from accounts.models import Operation, RunningProcess, SmsMessage, WebhookDelivery
from accounts.services import backups, processes
from lk_site.doctor.findings import Level, Said

START_WORKER = "Run: systemctl start lk-worker@1, and see: journalctl -u lk-worker@1"
LATE_AFTER = {"SMS": timedelta(seconds=30), "webhook": timedelta(minutes=10), "operation": timedelta(minutes=5)}
BALANCE_AT_LEAST = 500  # roubles: an hour of the busiest morning of a small agency
DAY = timedelta(days=1)


def workers() -> Said:
    seen = RunningProcess.objects.filter(kind="worker", seen_at__gt=Now() - processes.COUNTED_FOR)
    if count := seen.count():
        yield Level.OK, f"{count} seen in the last {processes.COUNTED_FOR.seconds // 60} minutes."
    else:
        yield Level.WRONG, f"No worker runs: no code reaches anybody. {START_WORKER}"


def queues() -> Said:
    """What is due and waits."""
    now, late = timezone.now(), 0
    for name, due in waiting(now).items():
        oldest: datetime | None = due.order_by("due_at").values_list("due_at", flat=True).first()
        if oldest is not None and now - oldest > LATE_AFTER[name]:
            late += 1
            level = Level.WRONG if name == "SMS" else Level.WARN
            yield level, f"The oldest {name} waits {int((now - oldest).total_seconds())} s for a worker. {START_WORKER}"
    failed = SmsMessage.objects.filter(state="failed", settled_at__gt=now - DAY).count()
    if failed:
        yield Level.WARN, f"{failed} SMS of the last day were not taken by the gateway; see SMS in the admin."
    if not late:
        yield Level.OK, "Nothing waits longer than it should."


def waiting(now: datetime) -> dict[str, QuerySet[Any]]:
    return {
        "SMS": SmsMessage.objects.due(now),
        "webhook": WebhookDelivery.objects.due(now).filter(endpoint__is_on=True, endpoint__removed_at=None),
        "operation": Operation.objects.due(now),
    }


def throttles() -> Said:
    if not settings.REDIS_URL:
        yield Level.OK, "REDIS_URL is not set: each process counts requests for itself. Enough for one web machine."
        return
    try:
        Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1).ping()
    except (RedisError, ValueError) as error:
        yield Level.WRONG, f"Redis does not answer ({type(error).__name__}); each process counts for itself meanwhile."
    else:
        yield Level.OK, "Redis answers."


def sms_account() -> Said:
    through = gateway()
    if not isinstance(through, SmsRu):
        yield Level.WARN, f"LK_SMS_GATEWAY={settings.SMS_GATEWAY} sends nothing to phones."
        return
    try:
        balance = through.balance()
    except TryAgain:
        yield Level.WARN, "The SMS gateway does not answer; codes wait in the outbox. Look at its page of incidents."
    except Refused as refused:
        yield Level.WRONG, f"The SMS gateway refuses the account ({refused.status}); check LK_SMS_RU_API_ID."
    else:
        level = Level.OK if balance >= BALANCE_AT_LEAST else Level.WARN if balance > 0 else Level.WRONG
        yield (
            level,
            f"{balance:.2f} roubles are left at the gateway.{'' if level is Level.OK else ' Top the account up.'}",
        )


def backups_proved() -> Said:
    """Whether the last backup was made and proved in time; see docs/operate-backups.md."""
    now = timezone.now()
    with translation.override("en"):
        state = backups.state(now)
        complaints = [str(sentence) for sentence in state.complaints]
    is_protected = state.made is not None and not state.made.is_late(now)
    for sentence in complaints:
        yield Level.WARN if is_protected or settings.LOCAL else Level.WRONG, f"{sentence} See docs/operate-backups.md"
    if not complaints:
        yield Level.OK, "The last one was made and proved in time."
