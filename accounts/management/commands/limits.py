"""`manage.py limits clear`: empty all counters, in local mode."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actor import Actor
from accounts.models import Action
from accounts.services import limits
from accounts.services.unit_of_work import record, unit_of_work


class Command(BaseCommand):
    help = (
        "Empty the counters of codes, tries and looks. Local mode only: elsewhere staff clear one phone in the admin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["clear"])

    @unit_of_work
    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOCAL:
            raise CommandError(
                "Limits are cleared in local mode only (LK_LOCAL=1); here staff clear one phone in the admin."
            )
        cleared = limits.clear_all()
        record(Actor.system(), Action.LIMITS_CLEARED, counters=cleared)
        self.stdout.write(f"{cleared} counters cleared.")
