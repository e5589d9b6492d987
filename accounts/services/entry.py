"""What every way to log in ends with: a session, and a browser that is known from now on."""

from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Session, User
from accounts.services import devices, sessions
from accounts.services.unit_of_work import unit_of_work
from lk_site.errors import DomainError


class CodeRefused(DomainError):
    """A wrong, expired, used or foreign code, no challenge, or a lock: all look the same."""

    code = "code_refused"
    status = 400
    sentence = _("This code does not open. Check the digits, or ask for another code.")


@dataclass(frozen=True, slots=True, repr=False)
class LoggedIn:
    """A session just opened, and what the browser gets to keep."""

    user: User
    session: Session
    session_key: str
    device_cookie: str


@unit_of_work
def enter(agent: User, *, device_id: UUID, own_device: bool, browser: str, actor: Actor) -> LoggedIn:
    """Open a session for an agent who has proved all that was asked of him. The caller holds the lock of his row."""
    User.objects.filter(pk=agent.pk).update(logged_in_at=timezone.now())
    opened = sessions.open_session(agent, own_device=own_device, browser=browser, actor=actor)
    return LoggedIn(agent, opened.row, opened.key, devices.cookie_of(device_id, agent.phone or ""))
