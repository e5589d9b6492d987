"""Evidence: who did what to which object, when, from where. One table is timeline, audit and change feed."""

import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from auditlog.models import AbstractLogEntry, LogEntryManager
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import new_id
from lk_site.encryption import EncryptedModel, EncryptedTextField, KeyedField
from lk_site.encryption.keys import ring

if TYPE_CHECKING:
    from accounts.actor import Actor

PLATFORM = UUID(int=0)  # the row of numbers for events of nobody's agency
CHAIN_FORMAT = b"lk event 1"  # changes with the columns that are chained, or with how they are written
CHAINED = "events that it chained stand for ever, and verify_audit asks for it"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Action(models.TextChoices):
    """Everything that leaves evidence (security.md 5.1)."""

    DEAL_CREATED = "deal.created", _("created the deal")
    DEAL_CHANGED = "deal.changed", _("changed the deal")
    DEAL_MOVED = "deal.moved", _("moved the deal")
    DEAL_MOVE_UNDONE = "deal.move_undone", _("undid the move")
    DEAL_REOPENED = "deal.reopened", _("reopened the deal")
    DEAL_HANDED_OVER = "deal.handed_over", _("handed the deal over")
    DEAL_TRASHED = "deal.trashed", _("moved the deal to the trash")
    DEAL_RESTORED = "deal.restored", _("restored the deal")
    DEAL_PURGED = "deal.purged", _("the deal was purged from the trash")
    NOTE_ADDED = "note.added", _("added a note")
    NOTE_EDITED = "note.edited", _("edited a note")
    NOTE_DELETED = "note.deleted", _("deleted a note")
    CLIENT_CREATED = "client.created", _("created the client")
    CLIENT_CHANGED = "client.changed", _("changed the client")
    CLIENT_TRASHED = "client.trashed", _("moved the client to the trash")
    CLIENT_RESTORED = "client.restored", _("restored the client")
    CLIENT_PURGED = "client.purged", _("the client was purged from the trash")
    CLIENT_HANDED_OVER = "client.handed_over", _("handed the client over")
    CLIENT_LOOKED_AT = "client.looked_at", _("looked at the number")
    CLIENT_REVEALED = "client.revealed", _("revealed the number")
    CLIENT_SEARCHED = "client.searched", _("searched by a number")
    PERSON_REVEALED = "person.revealed", _("revealed an agent's number")
    PIPELINE_CHANGED = "pipeline.changed", _("changed a pipeline")
    SESSION_OPENED = "session.opened", _("logged in")
    SESSION_ENDED = "session.ended", _("ended a session")
    LOGIN_FAILED = "login.failed", _("failed to log in")
    CODE_SENT = "code.sent", _("a code was sent")
    SMS_FAILED = "sms.failed", _("an SMS could not be sent")
    NOTICE_SENT = "notice.sent", _("a notice was sent")
    ACCESS_REFUSED = "access.refused", _("was refused")
    CONSENT_GIVEN = "consent.given", _("gave consent")
    PROFILE_CHANGED = "profile.changed", _("changed the profile")
    AGENCY_OPENED = "agency.opened", _("opened the agency")
    AGENCY_CHANGED = "agency.changed", _("changed the agency")
    AGENCY_CLOSED = "agency.closed", _("closed the agency")
    AGENT_ADDED = "agent.added", _("added an agent")
    AGENT_CHANGED = "agent.changed", _("changed an agent")
    AGENT_DISABLED = "agent.disabled", _("disabled an agent")
    AGENT_ENABLED = "agent.enabled", _("enabled an agent")
    ROLE_CHANGED = "role.changed", _("changed a role")
    LIMITS_CLEARED = "limits.cleared", _("cleared the counters")
    RANGE_LIFTED = "range.lifted", _("lifted a stopped range")
    SESSION_CONFIRMED = "session.confirmed", _("confirmed with a code")
    FACTOR_ADDED = "factor.added", _("added a second factor")
    FACTOR_CHANGED = "factor.changed", _("changed a second factor")
    FACTOR_REMOVED = "factor.removed", _("removed a second factor")
    BACKUP_CODE_USED = "backup_code.used", _("used a back-up code")
    KEY_MADE = "key.made", _("made a key")
    KEY_CHANGED = "key.changed", _("changed a key")
    KEY_ROTATED = "key.rotated", _("gave a key a new secret")
    KEY_USED = "key.used", _("used a key")
    KEY_REVOKED = "key.revoked", _("revoked a key")
    ALARM_RAISED = "alarm.raised", _("raised the alarm: unusually many numbers")
    ALARM_SEEN = "alarm.seen", _("looked into the alarm")
    WEBHOOK_ADDED = "webhook.added", _("added a webhook")
    WEBHOOK_CHANGED = "webhook.changed", _("changed a webhook")
    WEBHOOK_REMOVED = "webhook.removed", _("removed a webhook")
    WEBHOOK_SWITCHED_OFF = "webhook.switched_off", _("switched a webhook off")
    WEBHOOK_SWITCHED_ON = "webhook.switched_on", _("switched a webhook on")
    WEBHOOK_REPLAYED = "webhook.replayed", _("sent deliveries of a webhook again")
    STAFF_ADDED = "staff.added", _("added a staff user")
    STAFF_CHANGED = "staff.changed", _("changed a staff user")
    STAFF_LOGGED_IN = "staff.logged_in", _("logged in to the admin")
    STAFF_LOGIN_FAILED = "staff.login_failed", _("failed to log in to the admin")
    ADMIN_ACTION = "admin.action", _("acted in the admin")
    BACKUP_MADE = "backup.made", _("made a backup")
    BACKUP_VERIFIED = "backup.verified", _("verified a backup")
    BACKUP_FAILED = "backup.failed", _("a backup failed its check")
    BACKUP_RESTORED = "backup.restored", _("restored a backup")
    # their services come with later issues; their words are fixed, because evidence is for ever
    EXPORT_MADE = "export.made", _("made an export")
    KEYS_ROTATED = "keys.rotated", _("rotated the keys")
    PERSON_ERASED = "person.erased", _("erased a person")


TIMELINE_ACTIONS = (  # the timeline shows these; looks, searches and refusals stand only in the audit (security.md 5.3)
    Action.DEAL_CREATED,
    Action.DEAL_CHANGED,
    Action.DEAL_MOVED,
    Action.DEAL_MOVE_UNDONE,
    Action.DEAL_REOPENED,
    Action.DEAL_HANDED_OVER,
    Action.DEAL_TRASHED,
    Action.DEAL_RESTORED,
    Action.NOTE_ADDED,
    Action.NOTE_EDITED,
    Action.NOTE_DELETED,
    Action.CLIENT_REVEALED,
    Action.CLIENT_CHANGED,
)
FEED_ACTIONS = (  # the change feed and webhooks tell these: whatever changes what a list or a note shows
    Action.DEAL_CREATED,
    Action.DEAL_CHANGED,
    Action.DEAL_MOVED,
    Action.DEAL_MOVE_UNDONE,
    Action.DEAL_REOPENED,
    Action.DEAL_HANDED_OVER,
    Action.DEAL_TRASHED,
    Action.DEAL_RESTORED,
    Action.DEAL_PURGED,
    Action.NOTE_ADDED,
    Action.NOTE_EDITED,
    Action.NOTE_DELETED,
    Action.CLIENT_CREATED,
    Action.CLIENT_CHANGED,
    Action.CLIENT_TRASHED,
    Action.CLIENT_RESTORED,
    Action.CLIENT_PURGED,
    Action.CLIENT_HANDED_OVER,
    Action.PIPELINE_CHANGED,
    Action.AGENT_ADDED,
    Action.AGENT_CHANGED,
    Action.AGENT_DISABLED,
    Action.AGENT_ENABLED,
    Action.ROLE_CHANGED,
    Action.PROFILE_CHANGED,  # an agent's own name stands on his deals and clients
)
LOOKS = (Action.CLIENT_LOOKED_AT, Action.CLIENT_REVEALED)  # somebody saw a client's numbers
OBJECT_WORDS = {"user": "agent", "lostreason": "lost_reason"}  # where programs know a model by another name


class AgencyHead(models.Model):
    """The last number and MAC of an agency's events. Its row is the last lock that a transaction takes."""

    agency_id = models.UUIDField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    mac = KeyedField(max_length=33, default=b"", purpose="audit", stays=CHAINED)
    anchored_seq = models.BigIntegerField(default=0)  # the last one that an anchor outside the database holds

    def __str__(self) -> str:
        return f"events of {self.agency_id}"


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Events of the actor's agency; the deal or client they tell about is checked by its own `visible_to`."""
        return self.filter(agency_id=actor.agency_id)

    def timeline(self) -> Self:
        return self.filter(action__in=TIMELINE_ACTIONS)

    def newest_first(self) -> Self:
        return self.order_by("-seq")

    def changed_fields_since(self, object_id: UUID, version: int) -> list[str]:
        """Return the names of the fields that changed in an object after `version`, in the order they changed."""
        changes = self.filter(object_id=object_id, version__gt=version).order_by("version", "seq")
        return list(dict.fromkeys(name for names in changes.values_list("fields", flat=True) for name in names))


class Event(models.Model):
    """One fact, numbered without gaps in commit order per agency and chained by MAC. Never updated, never deleted.

    Ids are plain columns: a purge of the object must not touch its evidence.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency_id = models.UUIDField(_("agency"))
    seq = models.BigIntegerField(_("number"))
    at = models.DateTimeField(_("time"), default=timezone.now)
    action = models.CharField(_("action"), max_length=30, choices=Action)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.UUIDField(_("actor"), null=True)
    address = models.GenericIPAddressField(_("address"), null=True)
    request_id = models.CharField(_("request"), max_length=32, blank=True)
    object_type = models.CharField(_("object"), max_length=20, blank=True)
    object_id = models.UUIDField(_("object id"), null=True)
    deal_id = models.UUIDField(null=True)
    client_id = models.UUIDField(null=True)
    version = models.PositiveIntegerField(null=True)  # that the change made
    fields = models.JSONField(default=list)  # names of changed fields, never values
    data = models.JSONField(default=dict)  # codes and keyed digests, never personal data
    text_digest = KeyedField(  # of the text in `EventText`
        max_length=33, null=True, purpose="digests", stays="events keep the digests of their texts for ever"
    )
    mac = KeyedField(max_length=33, purpose="audit", stays=CHAINED)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        constraints = [models.UniqueConstraint(fields=["agency_id", "seq"], name="event_agency_seq")]
        indexes = [
            models.Index(fields=["deal_id", "-seq"], name="event_deal_timeline"),
            models.Index(fields=["client_id", "-seq"], name="event_client_timeline"),
            models.Index("object_id", "version", name="event_object_versions"),
            models.Index(fields=["actor_id", "-at"], name="event_actor"),
            models.Index(fields=["action", "-at"], name="event_action"),
            models.Index(fields=["-at"], name="event_newest"),
            models.Index(fields=["agency_id", "-at", "-id"], name="event_of_agency"),
            models.Index(fields=["agency_id", "action", "-at", "-id"], name="event_of_agency_action"),
            models.Index(fields=["actor_id", "-at"], condition=models.Q(action__in=LOOKS), name="event_looks"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.agency_id}/{self.seq}"

    @property
    def object_word(self) -> str:
        """What programs call the kind of its object."""
        return OBJECT_WORDS.get(self.object_type, self.object_type)

    def mac_after(self, previous: bytes, key_id: int | None = None) -> bytes:
        """Return the MAC that chains this event to the one before: a key's id, and HMAC-SHA256 over both.

        The key is the active one, or the one named, which may raise KeyMissing.
        """
        keys = ring("audit")
        key_id = keys.active_id if key_id is None else key_id
        return bytes((key_id,)) + keys.mac(self.chained_bytes(previous), key_id)

    def chained_bytes(self, previous: bytes) -> bytes:
        """Return every column but the MAC itself, and the previous MAC, written so that no two events look alike.

        It must come out the same before the insert and after a read, on both databases.
        """
        columns: tuple[str | bytes | None, ...] = (
            previous,
            self.id.bytes,
            self.agency_id.bytes,
            str(self.seq),
            str((self.at - EPOCH) // MICROSECOND),
            str(self.action),
            str(self.actor_kind),
            id_bytes(self.actor_id),
            self.address and ip_address(self.address).packed,
            self.request_id,
            self.object_type,
            id_bytes(self.object_id),
            id_bytes(self.deal_id),
            id_bytes(self.client_id),
            None if self.version is None else str(self.version),
            canonical_json(self.fields),
            canonical_json(self.data),
            None if self.text_digest is None else bytes(self.text_digest),
        )
        return CHAIN_FORMAT + b"".join(map(framed, columns))


def canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def id_bytes(value: UUID | None) -> bytes | None:
    return None if value is None else value.bytes


def framed(column: str | bytes | None) -> bytes:
    """Return a column with its length in front; nothing (NULL) is a length that no text has."""
    if column is None:
        return b"\xff\xff\xff\xff"
    data = column.encode() if isinstance(column, str) else column
    return len(data).to_bytes(4, "big") + data


class EventText(EncryptedModel):
    """The text that belongs to an event, in a row of its own: blanking it leaves the event and its digest."""

    event_id = models.UUIDField(primary_key=True)
    text = EncryptedTextField(max_length=10_000, null=True)  # None: erased, shown as «текст удалён»
    erased_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"text of {self.event_id}"


class KeyCanary(models.Model):
    """A known text sealed under each key: whoever cannot open it has the wrong keys and must not start."""

    purpose = models.CharField(max_length=20)
    key_id = models.PositiveSmallIntegerField()
    token = models.BinaryField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["purpose", "key_id"], name="key_canary_once")]

    def __str__(self) -> str:
        return f"canary {self.purpose} {self.key_id}"


def nothing_of(value: Any) -> str:
    """Mask for the change records: that a field changed is told, no part of its value ever is."""
    return "•••"


class ChangeRecordManager(LogEntryManager):  # type: ignore[misc]
    """Change records join the unit of work: they are stamped with the actor and written in one statement at its end."""

    def create(self, **kwargs: Any) -> "ChangeRecord":
        from accounts.services.unit_of_work import keep_change_record

        kwargs["object_repr"] = f"{kwargs['content_type'].model} {kwargs['object_pk']}"  # a name is a value too
        return keep_change_record(self.model(**kwargs))


class ChangeRecord(AbstractLogEntry):  # type: ignore[misc]
    """django-auditlog's entry: names of changed fields of people, agencies, pipelines, clients, deals."""

    request_id = models.CharField(max_length=32, blank=True)

    objects = ChangeRecordManager()

    class Meta(AbstractLogEntry.Meta):  # type: ignore[misc]
        abstract = False
        verbose_name = _("change record")
        verbose_name_plural = _("change records")
        indexes = [models.Index(fields=["content_type", "object_pk", "-timestamp"], name="change_record_of_object")]
