"""Tables of `accounts`: who is asking, and the evidence."""

from accounts.models.backups import Backup
from accounts.models.consents import Consent
from accounts.models.evidence import (
    FEED_ACTIONS,
    LOOKS,
    PLATFORM,
    TIMELINE_ACTIONS,
    Action,
    AgencyHead,
    ChangeRecord,
    Event,
    EventText,
    KeyCanary,
)
from accounts.models.factors import AgentBackupCode, AgentTotp, Passkey, PasskeyChallenge, PasskeyUse, PendingLogin
from accounts.models.forms import IdempotencyKey, KeptForm
from accounts.models.keys import ApiKey, KeySecret, Scope
from accounts.models.login import Challenge, Counter, Purpose
from accounts.models.operations import Operation, OperationState
from accounts.models.outbox import SmsMessage, SmsState
from accounts.models.people import Agency, Role, Theme, User, UserKind
from accounts.models.processes import RunningProcess
from accounts.models.schedules import Schedule
from accounts.models.sessions import Session
from accounts.models.staff import StaffBackupCode, StaffTotp
from accounts.models.webhooks import (
    TEST_TYPE,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookOff,
    WebhookState,
)

__all__ = [
    "FEED_ACTIONS",
    "LOOKS",
    "PLATFORM",
    "TEST_TYPE",
    "TIMELINE_ACTIONS",
    "Action",
    "Agency",
    "AgencyHead",
    "AgentBackupCode",
    "AgentTotp",
    "ApiKey",
    "Backup",
    "Challenge",
    "ChangeRecord",
    "Consent",
    "Counter",
    "Event",
    "EventText",
    "IdempotencyKey",
    "KeptForm",
    "KeyCanary",
    "KeySecret",
    "Operation",
    "OperationState",
    "Passkey",
    "PasskeyChallenge",
    "PasskeyUse",
    "PendingLogin",
    "Purpose",
    "Role",
    "RunningProcess",
    "Schedule",
    "Scope",
    "Session",
    "SmsMessage",
    "SmsState",
    "StaffBackupCode",
    "StaffTotp",
    "Theme",
    "User",
    "UserKind",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookOff",
    "WebhookState",
]
