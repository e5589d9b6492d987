"""Throttles of pages and API (security.md 7): many requests of one person or one source, many searches.

Counted in a cache, never in the database. What must be exact (codes, looks, exports) is counted in `accounts`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_ratelimit.core import get_usage

from accounts.services.devices import known_device
from lk_site import addresses, metrics
from lk_site.problems import refusal

UNCOUNTED = ("/healthz", "/readyz")  # machines ask these, often and from one address


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used up of one limit, this request included."""

    name: str
    limit: int
    seconds: int
    used: int
    resets_in: int

    @property
    def is_over(self) -> bool:
        return self.used > self.limit

    @property
    def policy(self) -> str:
        return f'"{self.name}";q={self.limit};w={self.seconds}'

    @property
    def state(self) -> str:
        return f'"{self.name}";r={max(self.limit - self.used, 0)};t={self.resets_in}'


class Throttle:
    """Counts every request before the view, and refuses it after 401 and 403."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info not in UNCOUNTED:
            count_asker(request)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if is_search(request, view):
            count(request, "search", str(asker(request)[1]))
        if limit := getattr(view, "counted_as", ""):
            count(request, limit, str(asker(request)[1]))
        over = [usage for usage in usages(request) if usage.is_over]
        if not over:
            return None
        for usage in over:
            metrics.LIMITS_HIT.add(usage.name)
        wait = max(usage.resets_in for usage in over)
        return refusal(request, "too_often", headers={"Retry-After": str(wait)})


def add_limit_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Say what the limits are and what is left of them; an answer made before the throttle is counted now."""
    found = usages(request) or [count_asker(request)]
    response.headers["RateLimit-Policy"] = ", ".join(usage.policy for usage in found)
    response.headers["RateLimit"] = ", ".join(usage.state for usage in found)


def usages(request: HttpRequest) -> list[Usage]:
    found: list[Usage] = request.__dict__.setdefault("usages", [])
    return found


def count_asker(request: HttpRequest) -> Usage:
    """Count who asks; a program within its own limit also counts against that of its agency's programs together.

    So one that hammers is refused alone, and leaves the others what they need.
    """
    name, value = asker(request)
    usage = count(request, name, value)
    if name == "key" and not usage.is_over:
        count(request, "agency", str(request.actor.agency_id))  # type: ignore[attr-defined]
    return usage


def asker(request: HttpRequest) -> tuple[str, str]:
    """Return which limit holds for who asks, and what it is counted under.

    A person or a program; else a browser that has logged in before, which stands outside the limits of its source (on a
    Monday morning 3,000 agents come from one address); else the source.
    """
    actor = getattr(request, "actor", None)
    if actor is not None and actor.id:
        return "key" if actor.is_key else "person", str(actor.id)
    cookie = request.COOKIES.get(settings.DEVICE_COOKIE_NAME)
    if cookie and (device := known_device(cookie)):
        return "anonymous", f"device {device}"
    return "anonymous", addresses.source(request.client_address)  # type: ignore[attr-defined]


def count(request: HttpRequest, name: str, value: str) -> Usage:
    """Count this request under a value of the named limit; remember and return what is used of it."""
    limit, seconds = settings.LIMITS[name]
    is_office = name == "anonymous" and addresses.is_office(getattr(request, "client_address", None))
    limit *= settings.LIMITS_SCALE * (settings.OFFICE_FACTOR if is_office else 1)
    found = usage_of(request, name, value, (limit, seconds)) or usage_of(request, name, value, (limit, seconds))
    used, resets_in = found or (limit + 1, seconds)
    usage = Usage(name, limit, seconds, used, max(resets_in, 1))
    usages(request).append(usage)
    return usage


def usage_of(request: HttpRequest, name: str, value: str, rate: tuple[int, int]) -> tuple[int, int] | None:
    """Return the count and the seconds to the end of the window; None if the counter vanished meanwhile."""
    found = get_usage(request, group=name, key=lambda group, request: value, rate=rate, increment=True)
    return (found["count"], found["time_left"]) if found["limit"] else None


def is_search(request: HttpRequest, view: Any) -> bool:
    """Return whether the view is marked by `counts_as_search`, and this request is one."""
    parameters: tuple[str, ...] | None = getattr(view, "search_parameters", None)
    if parameters is None:
        return False
    return not parameters or any(name in request.GET for name in parameters)
