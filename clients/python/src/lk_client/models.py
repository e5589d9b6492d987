"""What LK answers, as frozen dataclasses.

Ids are texts. Money and percents are Decimal, times are datetime in UTC, days are date. Codes (`kind`, `status`,
`action`) are texts and not enumerations: their lists grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from lk_client.errors import Refused, problem_of, refusal
from lk_client.reading import Record, record


@dataclass(frozen=True, kw_only=True)
class Choice(Record):
    """A code for programs and its name in the language of the client."""

    code: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Stage(Choice):
    """A step of a pipeline; `kind` is `open`, `won` or `lost`."""

    kind: str


@dataclass(frozen=True, kw_only=True)
class LostReason(Choice):
    comment: str | None


@dataclass(frozen=True, kw_only=True)
class Pipeline(Record):
    code: str
    name: str
    kind: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, kw_only=True)
class Pipelines(Record):
    """The agency's pipelines, and why its deals are lost."""

    items: tuple[Pipeline, ...]
    lost_reasons: tuple[Choice, ...]


@dataclass(frozen=True, kw_only=True)
class Person(Record):
    """An agent where another thing names him."""

    id: str
    name: str | None


@dataclass(frozen=True, kw_only=True)
class KeyName(Record):
    """A key where another thing names it."""

    id: str
    name: str | None


@dataclass(frozen=True, kw_only=True)
class Agent(Person):
    """Somebody of the agency; `role` is `agent` or `head`."""

    role: str
    active: bool


@dataclass(frozen=True, kw_only=True)
class NextStep(Record):
    text: str
    due_on: date | None


@dataclass(frozen=True, kw_only=True)
class DealItem(Record):
    """A deal as a list shows it."""

    id: str
    number: int
    client: str
    client_phone_masked: str
    client_name: str | None
    property_address: str
    price: Decimal
    kind: str
    property_type: str | None
    commission_percent: Decimal | None
    stage: Stage
    status: str
    lost_reason: LostReason | None
    agent: Person
    next_step: NextStep | None
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Deal(DealItem):
    """A whole deal. `client_phone` is None where only the mask is shown, as it is to a key."""

    client_phone: str | None
    notes: str | None


@dataclass(frozen=True, kw_only=True)
class ClientItem(Record):
    """A client as a list shows him."""

    id: str
    name: str | None
    phones_masked: tuple[str, ...]
    email: str | None
    agent: Person
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Client(ClientItem):
    """A whole client. `phones` is None where only the masks are shown, as they are to a key: see `reveal`."""

    phones: tuple[str, ...] | None
    notes: str | None


@dataclass(frozen=True, kw_only=True)
class Revealed(Record):
    phones: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Note(Record):
    """A note on a deal's timeline: `author` wrote it, or the `key`."""

    id: str
    text: str
    author: Person | None
    key: KeyName | None = None
    created_at: datetime
    edited_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class TimelineEntry(Record):
    """One thing that happened on a deal: by `actor`, by a `key`, or by LK itself."""

    id: str
    at: datetime
    action: str
    actor: Person | None
    key: KeyName | None = None
    version: int | None
    fields: tuple[str, ...]
    was_stage: Choice | None
    now_stage: Choice | None
    lost_reason: Choice | None
    was_agent: Person | None
    now_agent: Person | None
    text: str | None
    is_text_erased: bool
    note: str | None
    is_edited: bool


@dataclass(frozen=True, kw_only=True)
class BulkItem(Record):
    """What became of one item: `status` as the single operation has it; `problem` where it was refused."""

    index: int
    status: int
    id: str | None
    version: int | None
    problem: Mapping[str, Any] | None

    @property
    def error(self) -> Refused | None:
        """The exception that the single operation would raise, None where the item was done."""
        return None if self.problem is None else refusal(problem_of(self.status, self.problem))


@dataclass(frozen=True, kw_only=True)
class BulkResult(Record):
    """What became of a list of changes: `committed` is False for a dry run, and where `atomic` refused all."""

    items: tuple[BulkItem, ...]
    committed: bool

    @property
    def refused(self) -> tuple[BulkItem, ...]:
        return tuple(item for item in self.items if item.problem is not None)


@dataclass(frozen=True, kw_only=True)
class ChangedObject(Record):
    type: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Change(Record):
    """One item of the feed. `data` is the object as its list shows it now, None where it is no more."""

    id: str
    type: str
    at: datetime
    version: int | None
    fields: tuple[str, ...] = ()
    object: ChangedObject
    data: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class ChangesPage(Record):
    """Part of the feed. `next_cursor` is where to go on, now or later; `has_more` says whether now."""

    items: tuple[Change, ...]
    next_cursor: str
    has_more: bool = False


@dataclass(frozen=True, kw_only=True)
class Key(Record):
    """The key that asks."""

    id: str
    name: str
    agency: str
    scopes: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class SuggestedAddress(Record):
    value: str
    fias_id: str | None
    postal_code: str | None


@dataclass(frozen=True, kw_only=True)
class SuggestedAddresses(Record):
    items: tuple[SuggestedAddress, ...]


@dataclass(frozen=True, kw_only=True)
class Company(Record):
    inn: str
    name: str
    full_name: str | None
    kpp: str | None
    ogrn: str | None
    address: str | None
    status: str | None


@dataclass(frozen=True, kw_only=True)
class Operation(Record):
    """Long work: `queued`, `running`, `done` or `failed`.

    `result` is what the direct call would have answered, `problem` why it failed; kept for seven days.
    """

    id: str
    name: str
    state: str
    created_at: datetime
    started_at: datetime | None
    done_at: datetime | None
    result: Mapping[str, Any] | None
    problem: Mapping[str, Any] | None

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed")

    def bulk(self) -> BulkResult:
        """Return the result of a list of changes. Raises ValueError before it is done."""
        if self.result is None:
            raise ValueError(f"The operation is {self.state}.")
        return record(BulkResult, self.result)


@dataclass(frozen=True, kw_only=True)
class Webhook(Record):
    """An address that is told what happens: of `types`, or everything where none is named.

    `off_why` is `person`, `failing` or `gone` while it is off.
    """

    id: str
    url: str
    description: str
    types: tuple[str, ...]
    is_on: bool
    off_why: str | None
    switched_off_at: datetime | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class WebhookWithSecret(Webhook):
    """A webhook with its new secret, shown now and never again. No repr shows it."""

    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Webhooks(Record):
    items: tuple[Webhook, ...]


@dataclass(frozen=True, kw_only=True)
class Delivery(Record):
    """One event for one webhook: `waiting`, `done` or `failed`. Code, error and latency are those of the last try."""

    id: str
    message_id: str
    event: str
    type: str
    state: str
    attempts: int
    next_try_at: datetime | None
    code: int | None
    error: str | None
    latency_ms: int | None
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Try(Record):
    """One try of a delivery, with the beginning of what the receiver answered."""

    at: datetime
    code: int | None
    error: str | None
    latency_ms: int
    body: str


@dataclass(frozen=True, kw_only=True)
class WholeDelivery(Delivery):
    """A delivery with what was sent and what came of it, the newest try first."""

    payload: Mapping[str, Any]
    tries: tuple[Try, ...]


@dataclass(frozen=True, kw_only=True)
class Replayed(Record):
    deliveries: int
