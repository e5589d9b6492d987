"""`manage.py doctor`: what is wrong with this set-up, and what to do. See `lk_site.doctor`."""

import json
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from lk_site import doctor
from lk_site.doctor.findings import STATUS, worst
from lk_site.doctor.site import Site


class Command(BaseCommand):
    help = (
        "Say in plain words what is wrong with this set-up. Status 0: all is well, 1: a warning, 2: something is wrong."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print a list of objects instead of lines")
        parser.add_argument(
            "--offline", action="store_true", help="ask neither the site from outside nor the SMS gateway"
        )
        parser.add_argument(
            "--at", metavar="ADDRESS[:PORT]", default="", help="where the site is asked, else by its name"
        )
        parser.add_argument("--plain-port", type=int, default=80, metavar="PORT", help="where it answers plain http")
        parser.add_argument("--trust", metavar="FILE", default="", help="a certificate to trust besides the system's")

    def handle(self, *args: Any, offline: bool, **options: Any) -> None:
        through = None if offline or settings.LOCAL else site_at(options["at"], options["plain_port"], options["trust"])
        findings = []
        for finding in doctor.examine(through, online=not offline):
            findings.append(finding)
            if not options["json"]:
                self.stdout.write(str(finding))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(one) for one in findings], ensure_ascii=False, indent=1))
        else:
            self.stdout.write(", ".join(f"{sum(one.level == level for one in findings)} {level}" for level in STATUS))
        if status := worst(findings):
            raise SystemExit(status)


def site_at(where: str, plain_port: int, trust: str) -> Site:
    """Raises CommandError for an address that is none."""
    address, _, port = where.strip("[]").rpartition(":") if where.count(":") == 1 else (where.strip("[]"), "", "443")
    if not port.isdecimal():
        raise CommandError(f"{where} is not an address like 192.0.2.1:443.")
    return Site(settings.SITE_HOST, address, int(port), plain_port, trust)
