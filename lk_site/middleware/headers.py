"""Headers of every response, errors and static files included (security.md 2.6)."""

from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from lk_site.problems import is_api

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NOBODY_ELSE = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
PAGES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    f"connect-src 'self'; manifest-src 'self'; worker-src 'self'; {NOBODY_ELSE}"
)
ADMIN = f"default-src 'self'; img-src 'self' data:; object-src 'none'; {NOBODY_ELSE}"
DATA = "default-src 'none'; sandbox"
API_VARY = ("Cookie", "Authorization", "Accept-Language")


def add_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Add what every response carries and nothing closer to the view has set."""
    if is_api(request):
        patch_vary_headers(response, API_VARY)
    if response.status_code in (204, 304):
        response.headers.pop("Content-Type", None)
    has = set(response.headers)  # Django's own `in` raises and catches an error for each name that is not there
    for name, value in wanted(request, response):
        if name not in has:
            response.headers[name] = value


def wanted(request: HttpRequest, response: HttpResponseBase) -> Iterator[tuple[str, str]]:
    yield from ALWAYS.items()
    yield "Content-Security-Policy", content_policy(request, response)
    yield "Cache-Control", "private, no-cache" if is_api(request) else "no-store"
    if settings.SECURE_HSTS_SECONDS and request.is_secure():
        yield "Strict-Transport-Security", transport_policy()
    if isinstance(response, HttpResponse) and response.status_code not in (204, 304):
        yield "Content-Length", str(len(response.content))


def content_policy(request: HttpRequest, response: HttpResponseBase) -> str:
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return DATA
    return ADMIN if request.path_info.startswith("/admin/") else PAGES


def transport_policy() -> str:
    policy = f"max-age={settings.SECURE_HSTS_SECONDS}"
    policy += "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    return policy + ("; preload" if settings.SECURE_HSTS_PRELOAD else "")
