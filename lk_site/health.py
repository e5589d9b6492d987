"""Two questions a machine asks without a session: is this process fit, and can it serve now."""

import logging
from functools import cache

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from lk_site import startup
from lk_site.problems import RETRY_AFTER_S

log = logging.getLogger("lk.health")


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


def unavailable(status: str) -> JsonResponse:
    return JsonResponse({"status": status}, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
