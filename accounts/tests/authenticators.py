"""Authenticator apps of tests, and agents who have one."""

import time
from base64 import b32decode

from django.utils import timezone
from django_otp.oath import TOTP

from accounts.models import AgentTotp, User
from accounts.services import factors, totp
from accounts.services.unit_of_work import unit_of_work


def app_code(user: User, steps: int = 0) -> str:
    """The code that the person's app shows now, or so many steps of 30 s away."""
    app = TOTP(b32decode(AgentTotp.objects.get(user=user).secret or ""))
    app.time = time.time() + steps * totp.STEP_S
    return f"{app.token():06}"


def with_app(user: User) -> list[str]:
    """Give a person an app that has been confirmed, and return the back-up codes."""
    AgentTotp(user=user, secret=totp.new_secret(), confirmed_at=timezone.now()).save(force_insert=True)
    return unit_of_work(factors.new_backup_codes)(user)
