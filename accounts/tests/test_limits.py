from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import Action, Counter, Event
from accounts.services import limits
from accounts.services.limits import Refused, Taken, Use

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def taken(times: int, name: str = "code.sends.phone.10min", *key: str, now: datetime = NOON) -> int:
    """Take a limit so many times and return how often it was within it."""
    return sum(bool(limits.take(name, *key or ("phone", "79160000001"), now=now)) for _ in range(times))


def test_as_many_pass_as_the_limit_says():
    assert taken(10) == 3


def test_a_limit_of_nothing_lets_nobody_through(settings):
    settings.LIMITS = {**settings.LIMITS, "code.sends.phone.10min": (0, 600)}
    assert taken(3) == 0
    assert limits.take("code.sends.phone.10min", "a", now=NOON) == Refused("code.sends.phone.10min", 600)


def test_a_refusal_says_how_long_to_wait():
    taken(3)
    refused = limits.take("code.sends.phone.10min", "phone", "79160000001", now=NOON + 4 * MINUTE)
    assert refused == Refused("code.sends.phone.10min", 360)
    assert refused.error().retry_after == 360


def test_what_is_left_is_told():
    assert [limits.take("code.sends.phone.10min", "a", now=NOON) for _ in range(3)] == [Taken(2), Taken(1), Taken(0)]


def test_a_new_window_begins_when_the_old_one_has_ended():
    taken(3)
    assert taken(1, now=NOON + timedelta(seconds=599)) == 0
    assert taken(9, now=NOON + timedelta(seconds=600)) == 3


def test_keys_and_names_are_counted_apart():
    assert taken(9, "code.sends.phone.10min", "a") == taken(9, "code.sends.phone.10min", "b") == 3
    assert taken(9, "code.sends.phone.hour", "a") == 5


def test_parts_of_a_key_do_not_run_together():
    assert taken(3, "code.sends.phone.10min", "ab", "c") == taken(3, "code.sends.phone.10min", "a", "bc") == 3


def test_a_factor_multiplies_a_limit():
    assert sum(bool(limits.take("code.sends.phone.10min", "a", factor=50, now=NOON)) for _ in range(200)) == 150


def test_the_scale_of_local_mode_multiplies_every_limit(settings):
    settings.LIMITS_SCALE = 10
    assert taken(50) == 30


def test_the_table_knows_no_phone():
    taken(1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_counter")
        (row,) = cursor.fetchall()
    assert "9160000001" not in str(row)
    assert "9160000001" not in bytes(Counter.objects.get().key).decode("latin-1")


def test_one_statement_takes_one_limit_or_many(django_assert_num_queries):
    with django_assert_num_queries(1):
        limits.take("search", "a")
    with django_assert_num_queries(1):
        limits.take_all([Use("looks", ("a",)), Use("search", ("a",)), Use("search", ("b",)), Use("person", ("a",))])


def test_of_several_limits_all_are_taken_or_none():
    taken(3)
    uses = [Use("code.sends.phone.hour", ("p",)), Use("code.sends.phone.10min", ("phone", "79160000001"))]
    assert limits.take_all(uses, now=NOON) == Refused("code.sends.phone.10min", 600)
    assert taken(9, "code.sends.phone.hour", "p") == 5


def test_the_refusal_of_several_is_that_of_the_longest_wait():
    for name in ("code.sends.phone.10min", "code.sends.phone.hour"):
        taken(5, name, "p")
    uses = [Use("code.sends.phone.10min", ("p",)), Use("code.sends.phone.hour", ("p",))]
    assert limits.take_all(uses, now=NOON) == Refused("code.sends.phone.hour", 3600)


def test_what_is_left_of_several_is_the_least():
    assert limits.take_all([Use("search", ("a",)), Use("looks", ("a",))]) == Taken(29)


def test_a_refusal_outside_of_a_transaction_takes_back_what_the_others_counted():
    taken(3)
    limits.take_all([Use("looks", ("a",)), Use("code.sends.phone.10min", ("phone", "79160000001"))], now=NOON)
    assert limits.take("looks", "a", now=NOON) == Taken(59)


def test_a_transaction_that_rolls_back_takes_its_count_with_it():
    with transaction.atomic():
        taken(3)
        transaction.set_rollback(True)
    assert taken(9) == 3


def test_a_use_can_be_given_back_and_never_more_than_were_taken():
    assert taken(9, "code.sends.phone.10min", "a") == 3
    limits.give_back("code.sends.phone.10min", "a")
    assert taken(9, "code.sends.phone.10min", "a") == 1
    for _ in range(9):
        limits.give_back("code.sends.phone.10min", "a")
    assert taken(9, "code.sends.phone.10min", "a") == 3


def test_clearing_frees_one_key_and_nobody_elses():
    for key in ("a", "b"):
        taken(3, "code.sends.phone.10min", key)
    assert limits.clear(["code.sends.phone.10min", "code.sends.phone.hour"], "a") == 1
    assert taken(9, "code.sends.phone.10min", "a") == 3
    assert taken(9, "code.sends.phone.10min", "b") == 0


def test_a_block_refuses_whatever_the_count_until_it_ends():
    assert limits.blocked("code.sends.range.hour", "7916000", now=NOON) is None
    taken(1, "code.sends.range.hour", "7916000")
    limits.block("code.sends.range.hour", "7916000", until=NOON + 24 * HOUR)
    assert limits.blocked("code.sends.range.hour", "7916000", now=NOON) == Refused("code.sends.range.hour", 86_400)
    assert limits.take("code.sends.range.hour", "7916000", now=NOON + HOUR) == Refused("code.sends.range.hour", 82_800)
    assert limits.take("code.sends.range.hour", "7916000", now=NOON + 24 * HOUR)


# --- tries: ten failures an hour a phone, then 15 minutes, doubling to 4 hours


def tries_until_refused(now: datetime) -> tuple[int, timedelta]:
    """Fail as long as tries are taken; return how often, and how long the refusal that follows says to wait."""
    for number in range(100):
        answer = limits.take_try("code.failures.phone", "a", now=now)
        if isinstance(answer, Refused):
            return number, timedelta(seconds=answer.retry_after)
    raise AssertionError("never refused")


def test_ten_failures_block_a_phone_each_time_twice_as_long_up_to_four_hours():
    now, waits = NOON, []
    for _ in range(7):
        number, wait = tries_until_refused(now)
        assert number == 10
        waits.append(wait)
        now += wait
    assert [wait / MINUTE for wait in waits] == [15, 30, 60, 120, 240, 240, 240]


def test_failures_of_an_earlier_hour_do_not_count():
    for i in range(30):
        assert limits.take_try("code.failures.phone", "a", now=NOON + i * 7 * MINUTE)


def test_a_block_ends_and_the_last_try_tells_when():
    answers = [limits.take_try("code.failures.phone", "a", now=NOON) for _ in range(10)]
    assert [answer.left for answer in answers if answer] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert isinstance(answers[-1], limits.Taken)
    assert answers[-1].next_at == NOON + 15 * MINUTE
    assert limits.blocked("code.failures.phone", "a", now=NOON + 14 * MINUTE) == Refused("code.failures.phone", 60)
    assert limits.blocked("code.failures.phone", "a", now=NOON + 15 * MINUTE) is None


def test_who_stayed_away_as_long_as_the_longest_block_starts_with_the_shortest():
    _, first = tries_until_refused(NOON)
    _, second = tries_until_refused(NOON + first)
    assert (first, second) == (15 * MINUTE, 30 * MINUTE)
    assert tries_until_refused(NOON + first + second + 4 * HOUR) == (10, 15 * MINUTE)


def test_a_success_clears_failures_and_blocks():
    tries_until_refused(NOON)
    limits.clear(["code.failures.phone"], "a")
    assert tries_until_refused(NOON) == (10, 15 * MINUTE)


# --- spacing: 60 s after the first code, then 120, 300, 600


def sent(now: datetime) -> Taken | Refused:
    return limits.space("code.sends.spacing", "a", steps=(60, 120, 300, 600), forget_after=3600, now=now)


def test_each_code_waits_longer_than_the_one_before():
    now, waits = NOON, []
    for _ in range(6):
        answer = sent(now)
        assert answer
        assert answer.next_at
        waits.append((answer.next_at - now).total_seconds())
        assert sent(answer.next_at - timedelta(seconds=1)) == Refused("code.sends.spacing", 1)
        now = answer.next_at
    assert waits == [60, 120, 300, 600, 600, 600]


def test_an_hour_without_a_code_starts_with_the_first_wait():
    sent(NOON)
    sent(NOON + MINUTE)
    answer = sent(NOON + MINUTE + HOUR)
    assert answer
    assert answer.next_at == NOON + 2 * MINUTE + HOUR


# --- many at once

CALLERS = 200


def at_once(call) -> list[bool]:
    def alone(number: int) -> bool:
        try:
            return bool(call(number))
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        return list(pool.map(alone, range(CALLERS)))


@pytest.mark.django_db(transaction=True)
def test_of_200_at_once_exactly_three_pass():
    assert sum(at_once(lambda _: limits.take("code.sends.phone.10min", "a"))) == 3
    assert Counter.objects.get().count == 3


@pytest.mark.django_db(transaction=True)
def test_of_200_tries_at_once_exactly_ten_are_looked_at():
    assert sum(at_once(lambda _: limits.take_try("code.failures.phone", "a"))) == 10


@pytest.mark.django_db(transaction=True)
def test_of_200_sends_at_once_exactly_one_goes():
    assert sum(at_once(lambda _: limits.space("spacing", "a", steps=(60,), forget_after=3600))) == 1


@pytest.mark.django_db(transaction=True)
def test_200_that_take_the_same_limits_in_any_order_do_not_block_each_other():
    uses = [Use("code.sends.phone.hour", ("a",)), Use("code.sends.source.hour", ("b",)), Use("looks", ("c",))]
    assert sum(at_once(lambda number: limits.take_all(uses[:: 1 if number % 2 else -1]))) == 5
    assert sorted(Counter.objects.values_list("count", flat=True)) == [5, 5, 5]


# --- the command


def test_the_command_empties_all_counters_and_leaves_evidence(capsys):
    taken(3)
    call_command("limits", "clear")
    assert "1 counters cleared" in capsys.readouterr().out
    assert taken(9) == 3
    assert Event.objects.get().action == Action.LIMITS_CLEARED


def test_the_command_refuses_outside_of_local_mode(settings):
    settings.LOCAL = False
    taken(3)
    with pytest.raises(CommandError, match="local mode only"):
        call_command("limits", "clear")
    assert taken(1) == 0
