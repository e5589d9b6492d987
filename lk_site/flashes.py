"""Messages after an action, with a way to take the action back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Flash:
    """One message as the page shows it; `undo_url` is posted to with `undo_version`, and empty without an undo."""

    text: str
    is_error: bool = False
    undo_url: str = ""
    undo_version: int | None = None


def flash(request: HttpRequest, text: str, *, undo_url: str = "", undo_version: int | None = None) -> None:
    """Say on the next page what was done, and offer to undo it by a POST to `undo_url` with the row's new version."""
    extra = json.dumps({"url": undo_url, "version": undo_version}) if undo_url else ""
    messages.success(request, text, extra_tags=extra)


def read_flashes(request: HttpRequest) -> Iterator[Flash]:
    """Yield the waiting messages once; those of other code that uses Django's messages come without undo."""
    for message in messages.get_messages(request):
        undo = json.loads(message.extra_tags) if (message.extra_tags or "").startswith("{") else {}
        yield Flash(
            text=str(message.message),
            is_error=message.level >= messages.ERROR,
            undo_url=undo.get("url", ""),
            undo_version=undo.get("version"),
        )
