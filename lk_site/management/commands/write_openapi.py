"""Write the OpenAPI document of the running code to `openapi.json`."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from lk_site.api import api
from lk_site.api_docs import document


class Command(BaseCommand):
    help = "Write openapi.json; a test fails when it differs from what the API says of itself."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        (settings.BASE_DIR / "openapi.json").write_text(document(api), encoding="utf-8")
