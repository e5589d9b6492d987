"""`manage.py verify_audit`: is the evidence as it was written?"""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from accounts.services import evidence


class Command(BaseCommand):
    help = "Check the chain of events of every agency; name the first bad row and end with status 1 if there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", type=UUID, help="the id of one agency; 0 in every digit is the platform")

    def handle(self, *args: Any, agency: UUID | None, **options: Any) -> None:
        flawed = 0
        for agency_id, flaw in evidence.verify(agency):
            self.stdout.write(f"{agency_id} {flaw or 'ok'}")
            flawed += flaw is not None
        if flawed:
            raise SystemExit(1)
