"""Questions a machine asks without a session: is this process fit, can it serve now, and as whom does it see me."""

import logging
from functools import cache

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.db import DatabaseError, InterfaceError, connection
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from lk_site import startup
from lk_site.problems import RETRY_AFTER_S

log = logging.getLogger("lk.health")

ASKED_BY_DOCTOR = "X-LK-Doctor"
DOCTOR = "lk.doctor"
DOCTOR_WAITS_S = 60


@cache
def be_fit() -> None:
    """Raise UnfitStart unless keys, migrations and triggers are right; asked until they once were."""
    startup.check()


@require_safe
@never_cache
@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 once migrations and keys are right, without asking the database again."""
    try:
        be_fit()
    except startup.UnfitStart as reason:
        log.error("unfit: %s", reason)
        return unavailable("unfit")
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if the process is fit and the database answers now."""
    try:
        be_fit()
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except startup.UnfitStart as reason:
        log.error("unfit: %s", reason)
        return unavailable("unfit")
    except (DatabaseError, InterfaceError):
        return unavailable("no_database")
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
@login_not_required
def seen(request: HttpRequest) -> JsonResponse:
    """Tell how a request of `manage.py doctor` arrived. For others, who lack the signing key, there is no such page."""
    try:
        signing.loads(request.headers.get(ASKED_BY_DOCTOR, ""), salt=DOCTOR, max_age=DOCTOR_WAITS_S)
    except signing.BadSignature:
        raise Http404 from None
    return JsonResponse(
        {
            "address": request.client_address,  # type: ignore[attr-defined]
            "scheme": request.scheme,
            "peer": request.META.get("REMOTE_ADDR", ""),
            "forwarded": request.headers.get("X-Forwarded-For", ""),
            "hops": settings.TRUSTED_HOPS,
        }
    )


def unavailable(status: str) -> JsonResponse:
    return JsonResponse({"status": status}, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
