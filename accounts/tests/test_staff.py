import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.db import connection

from accounts.actor import Actor
from accounts.models import Action, Event, Session, StaffBackupCode, StaffTotp, User
from accounts.services import staff, totp
from accounts.services.session_store import new_key, new_row
from accounts.services.staff import Proof, StaffRefused
from accounts.tests.people import PASSWORD, make_staff, totp_code
from lk_site.errors import Invalid

pytestmark = pytest.mark.django_db
OFFICE = "198.51.100.9"


def nobody(address: str = OFFICE) -> Actor:
    return Actor.nobody(address=address, request_id="test")


def is_let_in(login: str = "sonya", password: str = PASSWORD, code: str = "", address: str = OFFICE) -> bool:
    try:
        staff.check_proof(Proof(login, password, code), actor=nobody(address))
    except StaffRefused:
        return False
    return True


@pytest.fixture
def sonya(db: None) -> User:
    return make_staff()


def test_password_and_code_of_the_authenticator_let_staff_in(sonya: User) -> None:
    opened = staff.log_in(Proof("Sonya ", PASSWORD, totp_code(sonya)), browser="Firefox", actor=nobody())
    assert opened.row.user == sonya
    assert set(Event.objects.values_list("action", flat=True)) >= {Action.STAFF_LOGGED_IN, Action.SESSION_OPENED}


@pytest.mark.parametrize(
    "wrong", [{"login": "nobody"}, {"password": "wrong"}, {"code": "000000"}, {"code": ""}, {"code": "x" * 200}]
)
def test_anything_wrong_is_refused_in_the_same_words(sonya: User, wrong: dict[str, str]) -> None:
    right = {"login": "sonya", "password": PASSWORD, "code": totp_code(sonya)}
    with pytest.raises(StaffRefused) as refused:
        staff.check_proof(Proof(**(right | wrong)), actor=nobody())
    assert str(refused.value) == str(StaffRefused.sentence)
    assert Event.objects.filter(action=Action.STAFF_LOGIN_FAILED).count() == 1


def test_a_time_step_opens_once(sonya: User) -> None:
    code = totp_code(sonya)
    assert is_let_in(code=code)
    assert not is_let_in(code=code)


def test_an_older_step_than_the_last_one_opens_nothing(sonya: User) -> None:
    assert is_let_in(code=totp_code(sonya, steps=1))
    assert not is_let_in(code=totp_code(sonya))
    assert not is_let_in(code=totp_code(sonya, steps=-1))


def test_a_clock_may_be_one_step_off_and_no_more(sonya: User, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    assert not is_let_in(code=totp_code(sonya, steps=-2))
    assert not is_let_in(code=totp_code(sonya, steps=2))
    assert is_let_in(code=totp_code(sonya, steps=-1))


@pytest.mark.django_db(transaction=True)
def test_of_parallel_logins_with_one_code_one_is_let_in() -> None:
    code = totp_code(make_staff())

    def enter(number: int) -> bool:
        try:
            return is_let_in(code=code, address=f"198.51.100.{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(enter, range(1, 5))) == 1


def test_a_back_up_code_opens_once(sonya: User) -> None:
    enrolment = staff.reset_totp("sonya", actor=Actor.system())
    assert len(enrolment.backup_codes) == 10
    assert is_let_in(code=enrolment.backup_codes[0].upper())
    assert not is_let_in(code=enrolment.backup_codes[0])
    assert is_let_in(code=enrolment.backup_codes[1])
    assert StaffBackupCode.objects.filter(used_at=None).count() == 8


def test_secret_and_back_up_codes_are_not_in_the_database(sonya: User) -> None:
    enrolment = staff.reset_totp("sonya", actor=Actor.system())
    with connection.cursor() as cursor:
        cursor.execute(f"select secret from {StaffTotp._meta.db_table}")
        assert enrolment.secret.encode() not in bytes(cursor.fetchone()[0])
        cursor.execute(f"select digest from {StaffBackupCode._meta.db_table}")
        kept = b"".join(bytes(row[0]) for row in cursor.fetchall())
    assert not any(code.replace("-", "").encode() in kept for code in enrolment.backup_codes)


def test_after_five_failures_even_the_right_proof_is_refused(sonya: User) -> None:
    for number in range(5):
        assert not is_let_in(password="wrong", address=f"198.51.100.{number}")
    assert not is_let_in(code=totp_code(sonya), address="198.51.100.77")


def test_a_source_has_five_failures_over_all_accounts(sonya: User) -> None:
    for number in range(5):
        assert not is_let_in(login=f"guess{number}")
    assert not is_let_in(code=totp_code(sonya))
    assert is_let_in(code=totp_code(sonya, steps=1), address="203.0.113.1")


def test_successes_lock_nobody_out(sonya: User, monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.time()
    for number in range(8):
        now = started + number * totp.STEP_S
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert is_let_in(code=totp_code(sonya))


@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_get_five_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    make_staff()
    looks: list[str] = []
    monkeypatch.setattr(staff, "check_password", lambda password, hashed: looks.append(password))

    def guess(number: int) -> None:
        try:
            is_let_in(password=f"guess {number}", address=f"198.51.100.{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(1, 41)))
    assert len(looks) == 5


def test_a_disabled_member_of_staff_is_refused_and_his_sessions_end(sonya: User) -> None:
    row = new_row(new_key(), sonya)
    staff.set_staff_active("sonya", False, actor=Actor.system())
    assert Session.objects.get(pk=row.pk).ended_at
    assert not is_let_in(code=totp_code(sonya))


def test_a_new_password_or_authenticator_ends_sessions(sonya: User) -> None:
    rows = [new_row(new_key(), sonya) for _ in range(2)]
    staff.set_password("sonya", "another good password", actor=Actor.system())
    staff.reset_totp("sonya", actor=Actor.system())
    assert all(Session.objects.get(pk=row.pk).ended_at for row in rows)
    assert not is_let_in(code=totp_code(sonya))


@pytest.mark.parametrize(("login", "password"), [("", PASSWORD), ("ж", PASSWORD), ("a b", PASSWORD), ("olga", "short")])
def test_staff_need_a_login_and_a_good_password(login: str, password: str) -> None:
    with pytest.raises(Invalid):
        staff.add_staff(login, password, actor=Actor.system())


def test_a_login_is_taken_once(sonya: User) -> None:
    with pytest.raises(staff.LoginTaken):
        staff.add_staff("SONYA", PASSWORD, actor=Actor.system())


def test_the_backend_of_django_asks_for_the_same(sonya: User, rf: Any) -> None:
    assert authenticate(rf.post("/"), login="sonya", password=PASSWORD) is None
    assert authenticate(rf.post("/"), login="sonya", password=PASSWORD, code=totp_code(sonya)) == sonya
