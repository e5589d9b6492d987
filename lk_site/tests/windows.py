"""Windows of a real browser: who is signed in, how wide they are, and what they complained about."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.urls import reverse
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from accounts.actor import Actor
from accounts.gateways import FileGateway
from accounts.models import User
from accounts.services import outbox
from accounts.services.sessions import open_session
from accounts.services.unit_of_work import unit_of_work

PHONE_SIZE, DESKTOP_SIZE = (360, 800), (1280, 800)
PATIENCE_MS = 10_000
ANSWER_REFUSED = "Failed to load resource: the server responded with a status of 4"  # a refusal is an answer too


@dataclass
class Windows:
    """Opens windows on the live server; whatever their consoles say stands in `complaints`."""

    new_context: Callable[..., BrowserContext]
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, user: User | None = None, size: tuple[int, int] = PHONE_SIZE, **options: Any) -> Page:
        """Open a window in a browser of its own, in which this person is signed in."""
        viewport = {"width": size[0], "height": size[1]}
        context = self.new_context(viewport=viewport, base_url=self.base, **options)
        context.set_default_timeout(PATIENCE_MS)
        if user is not None:
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": self.base}])
        context.on("console", self.listen)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        return context.new_page()

    def listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(ANSWER_REFUSED):
            self.complaints.append(f"{message.location.get('url')}: {message.text}")


@unit_of_work
def session_of(user: User) -> str:
    """Open a session as a login does, and return what its cookie holds."""
    return open_session(user, own_device=False, browser="", actor=Actor.nobody(address="127.0.0.1")).key


def newest_code(phone: str) -> str:
    """Send what waits, as the worker of a local run does, and return the newest code that came to this phone."""
    gateway = FileGateway(settings.SMS_FILE)
    while outbox.deliver(gateway):
        pass
    sent = [json.loads(line) for line in gateway.path.read_text(encoding="utf-8").splitlines()]
    codes: list[str] = [sms["code"] for sms in sent if sms["phone"] == phone]
    return codes[-1]


def url(name: str, *args: object) -> str:
    return reverse(name, args=args)
