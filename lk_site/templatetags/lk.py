"""Tags and filters of our pages. Lists do not use the filters: their rows carry ready strings."""

import re
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from django import template
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from lk_site import formats
from lk_site.flashes import Flash, read_flashes

register = template.Library()

ICONS = Path(__file__).resolve().parents[2] / "static" / "vendor" / "lucide"
OPENING = (
    '<svg class="icon" aria-hidden="true" viewBox="0 0 24 24" width="20" height="20" fill="none" '
    'stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">'
)


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """Draw an icon of `static/vendor/lucide` inline; the word beside it is its name for a screen reader."""
    drawing = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    shapes = re.sub(r"<!--.*?-->|<svg[^>]*>|</svg>|\s*\n\s*", "", drawing, flags=re.DOTALL)
    return mark_safe(f"{OPENING}{shapes.strip()}</svg>")  # nosec: our own pinned files


@register.simple_tag(takes_context=True)
def flashes(context: dict[str, Any]) -> list[Flash]:
    """Give the messages that wait for this person; an error page without a request has none."""
    request = context.get("request")
    return list(read_flashes(request)) if isinstance(request, HttpRequest) else []


@register.filter
def money(amount: Decimal | int | None) -> str:
    """Write roubles as `money_text` does."""
    return formats.money_text(amount)


@register.filter
def percent(value: Decimal | int | None) -> str:
    """Write a percentage as `percent_text` does."""
    return formats.percent_text(value)


@register.filter
def phone(digits: str) -> str:
    """Write a phone as `phone_text` does."""
    return formats.phone_text(digits)


@register.filter
def day(value: date) -> str:
    """Write a day as `day_text` does, today being today in the reader's zone."""
    return formats.day_text(value, timezone.localdate(), translation.get_language() or "ru")


@register.filter
def when(moment: datetime) -> SafeString:
    """Write a moment as `when_text` does, in a `time` element."""
    zone, language = timezone.get_current_timezone(), translation.get_language() or "ru"
    text = formats.when_text(moment, timezone.now(), zone, language)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), formats.exact_text(moment, zone, language), text
    )


@register.filter
def age(since: datetime) -> str:
    """Write how long ago a moment was, as `age_text` does."""
    return formats.age_text(timezone.now() - since, translation.get_language() or "ru")
