"""What limits codes and tries: by phone or by a browser that the phone has used, by source, range and for all.

The subject of a limit is the phone or, where a browser carries the phone's device cookie, that browser alone: what
strangers ask for the phone does not count there. Numbers stand in settings, with their sources.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import limits
from accounts.services.limits import Refused, Use
from lk_site import addresses

PHONE_SENDS = ("code.sends.phone.10min", "code.sends.phone.hour", "code.sends.phone.day")
SPACING = "code.sends.spacing"
SPACING_FORGOTTEN_AFTER_S = 3600  # an hour without a code: the next wait is the first one again
FAILURES = "code.failures.phone"
SOURCE_FAILURES = "code.failures.source"
RANGE, RANGE_NUMBER = "code.sends.range.hour", "code.sends.range.number"
RANGE_DIGITS = 4  # numbers of one range differ only in these, the last ones


@dataclass(frozen=True, slots=True, repr=False)
class Asker:
    """Whose limits count: a phone, the browser if it knows that phone, and where the request comes from."""

    phone: str
    device_id: UUID | None
    address: str | None
    is_own: bool = False  # the phone of who is signed in and asks: he may know of its limits

    @property
    def subject(self) -> tuple[str, str | UUID]:
        return ("phone", self.phone) if self.device_id is None else ("device", self.device_id)

    @property
    def source(self) -> str:
        return addresses.source(self.address)

    @property
    def source_factor(self) -> int:
        return settings.OFFICE_FACTOR if addresses.is_office(self.address) else 1


class NoSend(Exception):
    """A send is over a limit; leaving the savepoint with it takes back what was counted on the way."""

    def __init__(self, refused: Refused, *, stops_range: bool = False) -> None:
        super().__init__(refused.name)
        self.refused = refused
        self.stops_range = stops_range


def take_send(asker: Asker, *, is_known: bool) -> Refused | None:
    """Count a code about to be sent against every limit that holds for it, or against none and say which refuses."""
    try:
        with transaction.atomic():
            take_spacing(asker)
            take_sends(asker, is_known=is_known)
            if not is_known:
                take_range(asker.phone)
    except NoSend as over:
        if over.stops_range:
            limits.block(RANGE, range_of(asker.phone), until=timezone.now() + settings.RANGE_STOP)
        return over.refused
    return None


def take_spacing(asker: Asker) -> None:
    """Wait 60 s after the first code, then 120, 300, 600. Locks the subject: its sends follow one another."""
    spaced = limits.space(SPACING, *asker.subject, steps=spacing_steps(), forget_after=SPACING_FORGOTTEN_AFTER_S)
    if isinstance(spaced, Refused):
        raise NoSend(spaced)


def spacing_steps() -> list[int]:
    return [max(1, seconds // settings.LIMITS_SCALE) for seconds in settings.CODE_SPACING]


def take_sends(asker: Asker, *, is_known: bool) -> None:
    uses = [Use(name, asker.subject) for name in PHONE_SENDS]
    if asker.device_id is None:
        uses += budget_of_known() if is_known else limits_of_unknown(asker)
    taken = limits.take_all(uses)
    if isinstance(taken, Refused):
        raise NoSend(taken)


def budget_of_known() -> list[Use]:
    """Return the budget of phones that have logged in before: so many a day for each active agent, in all."""
    agents = User.objects.agents().active().count()
    return [Use("code.sends.known.day_per_agent", (), factor=max(agents, settings.KNOWN_BUDGET_AGENTS_AT_LEAST))]


def limits_of_unknown(asker: Asker) -> list[Use]:
    """Return the limits that count only phones that never logged in: an office behind one address must pass."""
    factor, network = asker.source_factor, addresses.network(asker.address)
    return [
        Use("code.sends.source.hour", (asker.source,), factor),
        Use("code.sends.source.day", (asker.source,), factor),
        Use("code.sends.network.hour", (network,), factor),
        Use("code.sends.unknown.hour", ()),
        Use("code.sends.unknown.day", ()),
    ]


def take_range(phone: str) -> None:
    """Count a number among those that differ only at the end; more than ten in an hour stop all for a day."""
    stopped = limits.blocked(RANGE, range_of(phone))
    if stopped is not None:
        raise NoSend(stopped)
    if not limits.take(RANGE_NUMBER, phone):
        return  # counted within this hour
    taken = limits.take(RANGE, range_of(phone))
    if isinstance(taken, Refused):
        raise NoSend(taken, stops_range=True)


def range_of(phone: str) -> str:
    return phone[:-RANGE_DIGITS]


def take_try(asker: Asker) -> Refused | None:
    """Count a look at a code as a failure before it is taken, so that parallel ones get no more than the limits say."""
    if asker.device_id is None:
        taken = limits.take(SOURCE_FAILURES, asker.source, factor=asker.source_factor)
        if isinstance(taken, Refused):
            return taken
    tried = limits.take_try(FAILURES, *asker.subject)
    return tried if isinstance(tried, Refused) else None


def forgive_try(asker: Asker) -> None:
    """The look was a success: forget the failures of this phone or browser, and nobody else's."""
    limits.clear([FAILURES], *asker.subject)
    if asker.device_id is None:
        limits.give_back(SOURCE_FAILURES, asker.source)


def wait_of(resend_at: datetime) -> int:
    """Return the whole seconds until then, 0 once it has passed."""
    left = (resend_at - timezone.now()).total_seconds()
    return max(0, -int(-left // 1))


def clear_phone(phone: str) -> int:
    """Free a phone of what was counted against it; return how many counters there were. For staff, who record it."""
    return limits.clear([*PHONE_SENDS, SPACING, FAILURES], "phone", phone)


def lift_range(phone: str) -> int:
    """Let codes go again to the numbers that differ from this one only at the end. For staff, who record it."""
    return limits.clear([RANGE], range_of(phone))
