"""Write the OpenAPI document of the running code to `openapi.json`."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from lk_site.api import api
from lk_site.api_docs import document
from lk_site.openapi_changes import Break, breaks


class Command(BaseCommand):
    help = (
        "Write openapi.json; a test fails when it differs from what the API says of itself. What breaks clients of the "
        "document that is there is written only with a reason, which then belongs into the changelog."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--breaking", metavar="REASON", help="why clients must be broken")

    def handle(self, *args: Any, breaking: str | None = None, **options: Any) -> None:
        committed, written = settings.BASE_DIR / "openapi.json", document(api)
        found = breaks_of(committed, written)
        if found and not (breaking or "").strip():
            raise CommandError(f"This breaks clients; change it, or say why: --breaking REASON\n{in_lines(found)}")
        committed.write_text(written, encoding="utf-8")
        if found:
            self.stdout.write(f"For the changelog: {breaking}\n{in_lines(found)}")


def breaks_of(committed: Path, written: str) -> list[Break]:
    """Return what the new document breaks of the committed one, nothing where there is none yet."""
    if not committed.exists():
        return []
    return breaks(json.loads(committed.read_text(encoding="utf-8")), json.loads(written))


def in_lines(found: list[Break]) -> str:
    return "\n".join(f"  {each}" for each in found)
