"""Tables of `accounts`: who is asking, and the evidence."""

from accounts.models.consents import Consent
from accounts.models.evidence import (
    PLATFORM,
    TIMELINE_ACTIONS,
    Action,
    AgencyHead,
    ChangeRecord,
    Event,
    EventText,
    KeyCanary,
)
from accounts.models.forms import IdempotencyKey, KeptForm
from accounts.models.login import Challenge, Counter, Purpose
from accounts.models.outbox import SmsMessage, SmsState
from accounts.models.people import Agency, Role, Theme, User, UserKind
from accounts.models.sessions import Session
from accounts.models.staff import StaffBackupCode, StaffTotp

__all__ = [
    "PLATFORM",
    "TIMELINE_ACTIONS",
    "Action",
    "Agency",
    "AgencyHead",
    "Challenge",
    "ChangeRecord",
    "Consent",
    "Counter",
    "Event",
    "EventText",
    "IdempotencyKey",
    "KeptForm",
    "KeyCanary",
    "Purpose",
    "Role",
    "Session",
    "SmsMessage",
    "SmsState",
    "StaffBackupCode",
    "StaffTotp",
    "Theme",
    "User",
    "UserKind",
]
