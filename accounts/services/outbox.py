"""The outbox of SMS: queued with what they are about, sent by a worker, retried while their code lives.

A worker takes a lease, sends outside any transaction, and settles by the lease's id. A killed worker's lease runs out
and another one sends again, with the same id: at worst a message arrives twice, never not at all.
"""

import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.actor import Actor
from accounts.gateways import Delivery, DeliveryReport, Gateway, OutgoingSms, Refused, Sent, TryAgain
from accounts.models import Action, SmsMessage, SmsState, User
from accounts.services.unit_of_work import record, unit_of_work
from lk_site import metrics, tracing
from lk_site.encryption import Unreadable

BATCH = 10  # sent side by side, so one that hangs holds up none
LEASE = timedelta(seconds=60)  # longer than the gateway's time-out (settings.SMS_TIMEOUT_S)
ATTEMPTS_AT_MOST = 12  # with the pauses below more than the five minutes that a code lives
PAUSE_AT_MOST_S = 30
LOOK_EVERY = timedelta(seconds=30)
LOOK_FOR = timedelta(hours=1)
LOOKED_AT_ONCE = 100
KEPT_FOR = timedelta(days=90)  # rows without text, for the admin

Outcome = Sent | Refused | TryAgain


def queue_sms(
    phone: str, text: str, *, useless_at: datetime, challenge_id: UUID | None = None, address: str | None = None
) -> SmsMessage:
    """Put a message into the outbox, in the caller's transaction, in place of what waits for the same challenge."""
    if challenge_id is not None:
        cancel_queued(challenge_id)
    now = timezone.now()
    return SmsMessage.objects.create(
        phone=phone,
        text=text,
        useless_at=useless_at,
        challenge_id=challenge_id,
        address=address,
        created_at=now,
        due_at=now,
    )


def cancel_queued(challenge_id: UUID) -> None:
    """Take back what waits for a challenge. What is being sent just now keeps its lease, so it can be settled."""
    waiting = SmsMessage.objects.queued().of_challenge(challenge_id)
    waiting.update(state=SmsState.CANCELLED, text=None, settled_at=timezone.now())


def deliver(gateway: Gateway) -> int:
    """Send what is due, one batch, and return how many messages were tried."""
    give_up_useless()
    batch = list(claim())
    if not batch:
        return 0
    with ThreadPoolExecutor(len(batch)) as pool:
        tries = {pool.submit(tried, gateway, outgoing(sms)): sms for sms in batch}
        for done in as_completed(tries):
            settle(tries[done], done.result())
    return len(batch)


def claim(most: int = BATCH) -> Iterable[SmsMessage]:
    """Lease due messages to this worker alone and return them, the oldest first."""
    now, lease = timezone.now(), uuid4()
    due = SmsMessage.objects.due(now).order_by("due_at", "id")
    with transaction.atomic():
        locked = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        ids = list(locked.values_list("pk", flat=True)[:most])
        if not ids:
            return []
        mine = SmsMessage.objects.filter(pk__in=ids)
        mine.update(lease=lease, leased_until=now + LEASE, attempts=F("attempts") + 1)
    return list(SmsMessage.objects.filter(lease=lease, state=SmsState.QUEUED).order_by("due_at", "id"))


def outgoing(sms: SmsMessage) -> OutgoingSms | None:
    """Return the message as a gateway takes it, or None if its phone or text cannot be read."""
    phone, text = sms.phone, sms.text
    if not text or isinstance(phone, Unreadable) or isinstance(text, Unreadable):
        return None
    minutes = max(1, round((sms.useless_at - timezone.now()).total_seconds() / 60))
    return OutgoingSms(id=sms.pk, phone=phone, text=text, address=sms.address, attempt=sms.attempts, minutes=minutes)


def tried(gateway: Gateway, sms: OutgoingSms | None) -> Outcome:
    """Return what came of handing a message to the gateway. Runs in a thread, outside any transaction."""
    if sms is None:
        return Refused(0)
    try:
        with tracing.outgoing_span("sms"):
            return gateway.send(sms)
    except (TryAgain, Refused) as outcome:
        return outcome


def settle(sms: SmsMessage, outcome: Outcome) -> None:
    """Write down what came of a try, if the lease is still this worker's."""
    if isinstance(outcome, Sent):
        settle_sent(sms, outcome)
        metrics.SMS.add("sent")
    elif isinstance(outcome, Refused) or sms.attempts >= ATTEMPTS_AT_MOST:
        settle_failed(sms, outcome.status)
    else:
        put_off(sms, outcome.status)
        metrics.SMS.add("put_off")


@unit_of_work
def settle_sent(sms: SmsMessage, sent: Sent) -> None:
    now = timezone.now()
    settled = SmsMessage.objects.filter(pk=sms.pk, lease=sms.lease).update(
        state=SmsState.SENT,
        text=None,
        lease=None,
        leased_until=None,
        gateway_id=sent.gateway_id,
        gateway_status=sent.status,
        settled_at=now,
        due_at=now + LOOK_EVERY,
    )
    if settled:
        record_outcome(Action.CODE_SENT if sms.challenge_id else Action.NOTICE_SENT, sms, sent.status)


@unit_of_work
def settle_failed(sms: SmsMessage, status: int | None) -> None:
    """Give a message up for good: its text is erased."""
    waiting = SmsMessage.objects.queued().filter(pk=sms.pk, lease=sms.lease)
    if waiting.update(**given_up(status)):
        metrics.SMS.add("failed")
        record_outcome(Action.SMS_FAILED, sms, status)


def put_off(sms: SmsMessage, status: int | None) -> None:
    """Let a message wait before its next try, longer each time."""
    due_at = timezone.now() + timedelta(seconds=pause_s(sms.attempts))
    waiting = SmsMessage.objects.queued().filter(pk=sms.pk, lease=sms.lease)
    waiting.update(due_at=due_at, lease=None, leased_until=None, gateway_status=status)


def pause_s(attempts: int) -> float:
    """Return 1, 2, 4 … 30 seconds after the first, second, third … try, shaken so that workers do not march in step."""
    return float(min(2 ** (attempts - 1), PAUSE_AT_MOST_S)) * random.uniform(0.5, 1)  # nosec B311


def give_up_useless() -> None:
    """Erase messages whose code died in the queue: cancelled if never tried, failed if no gateway took them."""
    now = timezone.now()
    useless = SmsMessage.objects.useless(now)
    useless.filter(attempts=0).update(state=SmsState.CANCELLED, text=None, settled_at=now)
    for sms in useless.filter(attempts__gt=0)[:LOOKED_AT_ONCE]:
        settle_failed(sms, sms.gateway_status)


def given_up(status: int | None) -> dict[str, object]:
    return {
        "state": SmsState.FAILED,
        "text": None,
        "lease": None,
        "leased_until": None,
        "gateway_status": status,
        "settled_at": timezone.now(),
    }


def record_outcome(action: Action, sms: SmsMessage, status: int | None) -> None:
    """Record what became of an SMS, as the deed of whoever asked for it, beside the agent whose phone it is."""
    phone = sms.phone
    agent = None if isinstance(phone, Unreadable) else User.objects.with_phone(phone).first()
    asker = Actor.nobody(address=sms.address)
    record(asker, action, agent or sms, sms=str(sms.pk), status=status, attempts=sms.attempts)


def follow_up(gateway: Gateway) -> int:
    """Ask the gateway what became of messages it took over, and return how many came to an end."""
    now = timezone.now()
    sent = SmsMessage.objects.undelivered_since(now - LOOK_FOR).filter(due_at__lte=now)
    waiting = {sms.gateway_id: sms for sms in sent.order_by("due_at")[:LOOKED_AT_ONCE]}
    if not waiting:
        return 0
    try:
        reports = gateway.reports(list(waiting))
    except (TryAgain, Refused):
        reports = {}
    SmsMessage.objects.filter(pk__in=[sms.pk for sms in waiting.values()]).update(due_at=now + LOOK_EVERY)
    return sum(1 for _ in ended(waiting, reports.items()))


def ended(waiting: dict[str, SmsMessage], reports: Iterable[tuple[str, DeliveryReport]]) -> Iterator[SmsMessage]:
    """Write down the ends that are told, and yield their messages."""
    for gateway_id, report in reports:
        if report.delivery is not Delivery.ON_ITS_WAY:
            settle_delivery(waiting[gateway_id], report)
            yield waiting[gateway_id]


@unit_of_work
def settle_delivery(sms: SmsMessage, report: DeliveryReport) -> None:
    has_failed = report.delivery is Delivery.FAILED
    sent = SmsMessage.objects.filter(pk=sms.pk, state=SmsState.SENT)
    state = SmsState.FAILED if has_failed else SmsState.DELIVERED
    if sent.update(state=state, gateway_status=report.status) and has_failed:
        record_outcome(Action.SMS_FAILED, sms, report.status)


def sweep(now: datetime) -> None:
    """Delete messages that are long done."""
    SmsMessage.objects.exclude(state=SmsState.QUEUED).filter(created_at__lt=now - KEPT_FOR).delete()
