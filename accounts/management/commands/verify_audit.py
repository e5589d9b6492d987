"""`manage.py verify_audit`: is the evidence as it was written?"""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from accounts.services import evidence
from accounts.services.anchors import AnchorsBroken


class Command(BaseCommand):
    help = "Check the chain of events of every agency; name the first bad row and end with status 1 if there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", type=UUID, help="the id of one agency; 0 in every digit is the platform")
        parser.add_argument(
            "--anchors", type=Path, nargs="+", metavar="DIR", default=(), help="the folders of every machine's anchors"
        )

    def handle(self, *args: Any, agency: UUID | None, anchors: list[Path], **options: Any) -> None:
        flawed = 0
        try:
            for agency_id, flaw in evidence.verify(agency, anchors):
                self.stdout.write(f"{agency_id} {flaw or 'ok'}")
                flawed += flaw is not None
        except AnchorsBroken as broken:
            self.stdout.write(f"anchors {broken}")
            flawed += 1
        if flawed:
            raise SystemExit(1)
