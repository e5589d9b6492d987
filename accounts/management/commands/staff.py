"""`manage.py staff`: who may enter the admin. For the first one, and for a lost authenticator."""

import secrets
import sys
from argparse import ArgumentParser
from getpass import getpass
from io import StringIO
from typing import Any

import segno
from django.core.management.base import BaseCommand, CommandError

from accounts.actor import Actor
from accounts.models import User
from accounts.services import staff
from accounts.services.staff import Enrolment
from lk_site.errors import DomainError

GENERATED_BYTES = 18  # 144 bits


class Command(BaseCommand):
    help = "Make staff users, replace a lost authenticator or a password, shut somebody out of the admin or let him in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        words = {
            "add": "make a staff user; shows the authenticator's secret and ten back-up codes once",
            "reset-totp": "replace a lost authenticator and all back-up codes",
            "password": "set another password",  # nosec B105
            "disable": "shut out, at once",
            "enable": "let in again",
        }
        for action, help_text in words.items():
            one = actions.add_parser(action, help=help_text)
            one.add_argument("login")
            if action in ("add", "password"):
                one.add_argument("--generate", action="store_true", help="make the password instead of asking for it")

    def handle(self, *args: Any, action: str, login: str, generate: bool = False, **options: Any) -> None:
        try:
            self.carry_out(action, login, generate)
        except User.DoesNotExist:
            raise CommandError(f"There is no staff user {login}.") from None
        except DomainError as refused:
            sentences = [str(error.message) for error in refused.errors] or [str(refused)]
            raise CommandError(" ".join(sentences)) from None

    def carry_out(self, action: str, login: str, generate: bool) -> None:
        actor = Actor.system()
        if action == "add":
            self.show(staff.add_staff(login, self.password(generate), actor=actor))
        elif action == "reset-totp":
            self.show(staff.reset_totp(login, actor=actor))
        elif action == "password":
            staff.set_password(login, self.password(generate), actor=actor)
        else:
            staff.set_staff_active(login, action == "enable", actor=actor)
        self.stdout.write(self.style.SUCCESS(f"Done: {action} {login}"))

    def password(self, generate: bool) -> str:
        """Return the password that is typed twice, or a new one, printed, where nobody can type."""
        if generate or not sys.stdin.isatty():
            made = secrets.token_urlsafe(GENERATED_BYTES)
            self.stdout.write(f"Password: {made}")
            return made
        typed = getpass("Password: ")
        if getpass("Once more: ") != typed:
            raise CommandError("The two differ. Nothing was done.")
        return typed

    def show(self, enrolment: Enrolment) -> None:
        """Print what is shown once and never again."""
        self.stdout.write("\nScan this with an authenticator app:\n")
        drawing = StringIO()
        segno.make(enrolment.url, error="m").terminal(out=drawing, compact=True)
        self.stdout.write(drawing.getvalue())
        self.stdout.write(f"\nor type it in: {enrolment.secret}\n{enrolment.url}\n")
        self.stdout.write("\nBack-up codes, each good for one login; keep them on paper:")
        for code in enrolment.backup_codes:
            self.stdout.write(f"  {code}")
        self.stdout.write("\nThe admin is at /admin/. None of this is shown again.\n")
