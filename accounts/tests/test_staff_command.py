import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actor import Actor
from accounts.models import Action, Event, User
from accounts.services import staff
from accounts.services.staff import Proof
from accounts.tests.people import make_staff, totp_code

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("staff", *arguments, stdout=out)
    return out.getvalue()


def test_the_first_staff_user_is_made_with_all_he_needs_to_enter() -> None:
    said = run("add", "sonya", "--generate")
    sonya = User.objects.get(login="sonya")
    password = re.findall(r"Password: (\S+)", said)[0]
    assert "otpauth://totp/LK%3Asonya?secret=" in said
    codes = re.findall(r"^  ([a-z0-9]{5}-[a-z0-9]{5})$", said, re.M)
    assert len(codes) == 10
    nobody = Actor.nobody(address="198.51.100.9")
    assert staff.check_proof(Proof("sonya", password, totp_code(sonya)), actor=nobody) == sonya
    assert staff.check_proof(Proof("sonya", password, codes[0]), actor=nobody) == sonya
    assert Event.objects.get(action=Action.STAFF_ADDED).actor_kind == "system"


def test_a_lost_authenticator_is_replaced() -> None:
    old = make_staff().totp.secret
    said = run("reset-totp", "sonya")
    new = User.objects.get(login="sonya").totp.secret
    assert new != old
    assert new in said


def test_staff_are_shut_out_and_let_in() -> None:
    make_staff()
    run("disable", "sonya")
    assert not User.objects.get(login="sonya").is_active
    run("enable", "sonya")
    assert User.objects.get(login="sonya").is_active


def test_a_password_is_replaced() -> None:
    was = make_staff().password
    run("password", "sonya", "--generate")
    assert User.objects.get(login="sonya").password != was


@pytest.mark.parametrize("arguments", [("reset-totp", "nobody"), ("add", "ж", "--generate"), ("disable", "nobody")])
def test_what_cannot_be_done_is_said_in_a_sentence(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
