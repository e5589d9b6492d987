"""The API of LK, the cabinet of real-estate agents: `Client` and `AsyncClient`, typed, over httpx."""

from lk_client import models, webhooks
from lk_client.async_client import AsyncClient
from lk_client.calls import UNSET
from lk_client.client import Client
from lk_client.errors import (
    BadRequest,
    ClientExists,
    Conflict,
    CursorExpired,
    FieldError,
    Gone,
    Invalid,
    KeyRefused,
    LimitReached,
    LkError,
    NoAnswer,
    NotAllowed,
    NotCarriedOut,
    NotDone,
    NotForKeys,
    NotFound,
    Problem,
    Refused,
    ScopeMissing,
    ServerError,
    Stale,
    UnexpectedAnswer,
    VersionRequired,
)
from lk_client.exchange import NO_RETRIES, Retries
from lk_client.version import __version__
from lk_client.webhooks import WebhookRefused

__all__ = [
    "NO_RETRIES",
    "UNSET",
    "AsyncClient",
    "BadRequest",
    "Client",
    "ClientExists",
    "Conflict",
    "CursorExpired",
    "FieldError",
    "Gone",
    "Invalid",
    "KeyRefused",
    "LimitReached",
    "LkError",
    "NoAnswer",
    "NotAllowed",
    "NotCarriedOut",
    "NotDone",
    "NotForKeys",
    "NotFound",
    "Problem",
    "Refused",
    "Retries",
    "ScopeMissing",
    "ServerError",
    "Stale",
    "UnexpectedAnswer",
    "VersionRequired",
    "WebhookRefused",
    "__version__",
    "models",
    "webhooks",
]
