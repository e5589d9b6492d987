"""What outlives its time and is deleted by the worker. Sweeps may run side by side, and be cut off anywhere."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.models import Counter
from accounts.services import (
    agencies,
    factors,
    idempotency,
    kept_forms,
    login,
    operations,
    outbox,
    passkeys,
    processes,
    second_factor,
    sessions,
    webhook_delivery,
)

COUNTERS_KEPT_FOR = timedelta(days=1)  # longer than the longest lock, whose level a counter remembers


def run(now: datetime) -> None:
    """Do every sweep."""
    for sweep in SWEEPS.values():
        sweep(now)


def sweep_work(now: datetime) -> None:
    """Let the app that holds the work do its own."""
    agencies.work.sweep(now)


def sweep_counters(now: datetime) -> None:
    """Delete counters whose windows and blocks are long over."""
    before = now - COUNTERS_KEPT_FOR
    unblocked = Q(blocked_until=None) | Q(blocked_until__lt=before)
    Counter.objects.filter(unblocked, window_ends_at__lt=before).delete()


SWEEPS: dict[str, Callable[[datetime], None]] = {  # by what they delete; each is a chore of its own
    "codes": login.sweep,
    "pending_logins": second_factor.sweep,
    "factors": factors.sweep,
    "passkey_challenges": passkeys.sweep,
    "sms": outbox.sweep,
    "sessions": sessions.sweep,
    "kept_forms": kept_forms.sweep,
    "idempotency_keys": idempotency.sweep,
    "operations": operations.sweep,
    "webhooks": webhook_delivery.sweep,
    "processes": processes.sweep,
    "counters": sweep_counters,
    "work": sweep_work,
}
