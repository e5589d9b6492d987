from django.urls import include, path

from accounts.admin import site
from lk_site import health
from lk_site.api import api

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("seen", health.seen, name="seen"),
    path("api/v1/", api.urls),
    path("admin/", site.urls),
    path("", include("accounts.urls")),
    path("", include("deals.urls")),
]
handler400 = "accounts.views.errors.bad_request"
handler403 = "accounts.views.errors.forbidden"
handler404 = "accounts.views.errors.not_found"
handler500 = "accounts.views.errors.server_error"
