"""`manage.py anchor`: write down outside the database how far the evidence goes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services import anchors


class Command(BaseCommand):
    help = "Write the heads of the chains that moved since the last anchor into LK_ANCHORS_DIR. The worker does it too."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = anchors.anchor()
        except (anchors.AnchorsBroken, OSError) as fault:
            raise CommandError(str(fault)) from fault
        self.stdout.write(f"{count} anchored")
