"""Limits of codes and tries, with the real numbers of security.md 1, on a clock that the test sets forward."""

from ipaddress import ip_address
from itertools import pairwise

import pytest
from django.core.cache import caches
from django.test import Client

from accounts.models import Challenge, SmsMessage
from accounts.services import limits, login_limits
from accounts.tests.clock import clock
from accounts.tests.logging_in import (
    ADDRESS,
    ANNA,
    STRANGER,
    ask_for_code,
    known_phone,
    other_than,
    send,
    sent_code,
    sent_codes,
    verify,
)
from accounts.tests.people import make_agent

__all__ = ["clock"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def anna():
    return make_agent(phone=ANNA)


def is_sent(phone: str = ANNA, **browser: str) -> bool:
    """Ask for a code in a new browser, and tell whether one was queued."""
    before = SmsMessage.objects.count()
    send(phone, **browser)
    return SmsMessage.objects.count() > before


def numbers(count: int, start: int = 0) -> list[str]:
    """Phones that nobody has, no two in one range."""
    return [f"7930{start + number:03}{number:04}" for number in range(count)]


def test_a_phone_waits_60_120_and_300_seconds_between_codes(clock, settings):
    settings.LIMITS = {**settings.LIMITS, "code.sends.phone.10min": (100, 600)}
    for wait in (60, 120, 300):
        assert is_sent()
        clock.forward(seconds=wait - 1)
        assert not is_sent()
        clock.forward(seconds=1)
    assert is_sent()


def test_a_phone_gets_three_codes_in_ten_minutes_five_an_hour_ten_a_day(clock):
    sent_at = []
    minutes = [*range(60), *range(60, 24 * 60, 10)]
    for minute, following in pairwise(minutes):
        if is_sent():
            sent_at.append(minute)
        clock.forward(minutes=following - minute)
    assert len([minute for minute in sent_at if minute < 10]) == 3
    assert len([minute for minute in sent_at if minute < 60]) == 5
    assert len(sent_at) == 10


def test_a_browser_is_told_to_wait_60_120_300_and_600_seconds_whatever_is_sent(clock):
    told, token = [], ""
    for _ in range(5):
        sent = send(token=token)
        token = sent.challenge_token
        told.append(sent.resend_after_s)
        clock.forward(seconds=sent.resend_after_s)
    assert told == [60, 120, 300, 600, 600]


def test_a_source_gets_ten_codes_an_hour_and_thirty_a_day_for_unknown_phones(clock):
    for hour in range(3):
        assert [is_sent(phone) for phone in numbers(11, start=hour * 20)] == [True] * 10 + [False]
        assert is_sent(STRANGER[:-7] + f"{hour:03}0000", address="203.0.113.1"), "another source"
        clock.forward(hours=1)
    assert not is_sent("79310000000")


def test_an_ipv6_network_of_64_bits_is_one_source(clock):
    addresses = [str(ip_address("2001:db8:1:2::") + number) for number in range(11)]
    sent = [is_sent(phone, address=address) for phone, address in zip(numbers(11), addresses, strict=True)]
    assert sent == [True] * 10 + [False]


@pytest.mark.parametrize(
    "addresses",
    [
        [f"198.51.100.{number}" for number in range(61)],
        [f"2001:db8:7:{number:x}::1" for number in range(61)],
    ],
    ids=["ipv4", "ipv6"],
)
def test_a_neighbourhood_gets_sixty_codes_an_hour_for_unknown_phones(clock, addresses):
    sent = [is_sent(phone, address=address) for phone, address in zip(numbers(61), addresses, strict=True)]
    assert sent == [True] * 60 + [False]


def test_unknown_phones_get_300_codes_an_hour_in_all(clock):
    addresses = [f"10.{number // 200}.{number % 200}.1" for number in range(301)]
    sent = [is_sent(phone, address=address) for phone, address in zip(numbers(301), addresses, strict=True)]
    assert sent == [True] * 300 + [False]
    assert is_sent(ANNA), "a known phone passes"


def test_more_than_ten_numbers_of_a_range_stop_it_for_a_day(clock):
    phones = [f"7940000{number:04}" for number in range(14)]
    known = "79400009999"
    make_agent(phone=known)
    addresses = [f"10.0.{number}.1" for number in range(14)]
    sent = [is_sent(phone, address=address) for phone, address in zip(phones, addresses, strict=True)]
    assert sent == [True] * 10 + [False] * 4
    clock.forward(hours=23, minutes=59)
    assert not is_sent(phones[13])
    assert is_sent(known), "whoever has logged in before passes"
    clock.forward(minutes=2)
    assert is_sent(phones[13])


def test_one_number_many_times_does_not_stop_its_range(clock):
    for _ in range(4):
        assert is_sent(STRANGER)
        clock.forward(minutes=11)
    others = [f"{STRANGER[:-4]}{number:04}" for number in range(100, 109)]
    assert all(is_sent(phone, address=f"10.0.{index}.1") for index, phone in enumerate(others))


def test_staff_lift_a_range_and_clear_a_phone(clock):
    phones = [f"7940000{number:04}" for number in range(12)]
    for index, phone in enumerate(phones):
        is_sent(phone, address=f"10.0.{index}.1")
    login_limits.lift_range(phones[0])
    assert is_sent(phones[11])
    assert is_sent(ANNA)
    assert not is_sent(ANNA)
    login_limits.clear_phone(ANNA)
    assert is_sent(ANNA)


def test_known_phones_share_a_budget_of_two_a_day_for_each_agent(clock, settings):
    settings.KNOWN_BUDGET_AGENTS_AT_LEAST = 1
    phones = [ANNA, *(known_phone() for _ in range(2))]
    assert all(is_sent(phone) for phone in phones)
    clock.forward(hours=1)
    assert all(is_sent(phone) for phone in phones)
    clock.forward(hours=1)
    assert not is_sent(ANNA)
    clock.forward(hours=23)
    assert is_sent(ANNA)


def test_an_office_of_known_agents_passes_behind_one_address(clock):
    phones = [known_phone() for _ in range(100)]
    assert all(is_sent(phone, address=ADDRESS) for phone in phones)


def test_a_named_office_has_fifty_times_the_limits_of_a_source(clock, settings):
    settings.OFFICE_SOURCES = ["198.51.100.0/24"]
    assert all(is_sent(phone) for phone in numbers(100))
    fail(21, clock)
    assert logs_in(clock)


def fail(times: int, clock, *, per_phone: int = 1, address: str = ADDRESS) -> None:
    """Type wrong codes from one address, each for another phone."""
    for phone in numbers(times, start=500):
        token = send(phone, address="203.0.113.77").challenge_token
        Challenge.objects.filter(code_digest=None).update(code_digest=b"-")
        assert verify("000000", token, phone=phone, address=address) is None


def logs_in(clock, *, address: str = ADDRESS, phone: str = ANNA) -> bool:
    token = send(phone, address=address).challenge_token
    return verify(sent_code(phone), token, phone=phone, address=address) is not None


def test_a_source_gets_twenty_failures_in_ten_minutes(clock):
    fail(20, clock)
    token = send().challenge_token
    code = sent_code(ANNA)
    assert verify(code, token) is None, "the right code is not looked at"
    assert verify(code, token, address="203.0.113.9") is not None, "elsewhere it opens"
    clock.forward(minutes=10)
    assert logs_in(clock)


def guess_wrong(times: int) -> None:
    """Type wrong codes in new browsers, five in each, as somebody does whom no other limit stops."""
    for number in range(times):
        if number % 5 == 0:
            limits.clear([*login_limits.PHONE_SENDS, login_limits.SPACING], "phone", ANNA)
            Challenge.objects.all().delete()
            token = send(address=f"10.1.{number}.1").challenge_token
            code = sent_code(ANNA)
        assert verify(other_than(code), token, address=f"10.1.{number}.1") is None


def right_code_opens() -> bool:
    limits.clear([*login_limits.PHONE_SENDS, login_limits.SPACING], "phone", ANNA)
    Challenge.objects.all().delete()
    token = send(address="203.0.113.1").challenge_token
    return verify(sent_codes(ANNA)[-1], token, address="203.0.113.1") is not None


def test_ten_failures_lock_a_phone_for_15_minutes_then_30_60_120_and_240(clock):
    for minutes in (15, 30, 60, 120, 240, 240):
        guess_wrong(10)
        clock.forward(minutes=minutes, seconds=-1)
        assert not right_code_opens(), f"locked for {minutes} minutes"
        clock.forward(seconds=1)
    assert right_code_opens()


def test_a_success_clears_the_failures_of_its_phone(clock):
    guess_wrong(9)
    assert right_code_opens()
    guess_wrong(9)
    assert right_code_opens()


def test_a_refused_try_is_counted_although_it_raises(clock):
    token = send().challenge_token
    code = sent_code(ANNA)
    for tries in range(1, 6):
        assert verify(other_than(code), token) is None
        assert Challenge.objects.get().attempts == tries
    assert verify(code, token) is None


def test_a_forged_forwarded_address_makes_no_new_source(clock):
    caller = Client()
    for number in range(10):
        ask_for_code(caller, numbers(10)[number], **{"X-Forwarded-For": f"203.0.113.{number}"})
    assert SmsMessage.objects.count() == 10
    ask_for_code(Client(), "79310000000", **{"X-Forwarded-For": "203.0.113.99"})
    assert SmsMessage.objects.count() == 10


def test_counters_outlive_the_caches(clock):
    assert is_sent()
    for cache in caches.all():
        cache.clear()
    assert not is_sent()


# --- a browser that has logged in before


def known_browser(clock) -> tuple[str, str]:
    """Log in once, and return the device cookie."""
    token = send().challenge_token
    logged_in = verify(sent_code(ANNA), token)
    assert logged_in is not None
    clock.forward(hours=2)
    return logged_in.device_cookie, token


def test_strangers_cannot_lock_an_agent_out_of_a_browser_that_he_has_used(clock, settings):
    device, _ = known_browser(clock)
    guess_wrong(10)  # all of his phone's failures
    for _ in range(5):  # all of his phone's codes and challenges
        is_sent()
        clock.forward(minutes=1)
    fail(20, clock)  # all of his address's failures
    settings.KNOWN_BUDGET_AGENTS_AT_LEAST = 1  # all codes of known phones: one agent has two a day
    assert not is_sent()
    sent_codes(ANNA)
    sent = send(device=device)
    assert not sent.told_to_wait
    assert verify(sent_code(ANNA), sent.challenge_token) is not None


def test_a_known_browser_has_limits_of_its_own_and_is_told_them(clock):
    device, _ = known_browser(clock)
    told = [send(device=device) for _ in range(2)]
    assert [(sent.told_to_wait, sent.resend_after_s) for sent in told] == [(False, 60), (True, 60)]
    clock.forward(minutes=2)
    send(device=device)
    clock.forward(minutes=3)
    send(device=device)
    clock.forward(minutes=2)
    fourth = send(device=device)
    assert fourth.told_to_wait
    assert fourth.resend_after_s == 180, "three codes in ten minutes"


def test_failures_in_a_known_browser_do_not_lock_the_phone(clock):
    device, _ = known_browser(clock)
    token = send(device=device).challenge_token
    code = sent_code(ANNA)
    for _ in range(5):
        verify(other_than(code), token)
    clock.forward(minutes=11)
    token = send(token=token, device=device).challenge_token
    code = sent_code(ANNA)
    for _ in range(5):
        verify(other_than(code), token)
    assert verify(code, token) is None
    clock.forward(hours=1)
    assert right_code_opens()


@pytest.mark.parametrize("forge", [lambda cookie: cookie[:-2] + "xx", lambda cookie: "", lambda cookie: "::::"])
def test_a_forged_device_cookie_is_no_device_cookie(clock, forge):
    device, _ = known_browser(clock)
    assert is_sent()
    assert not is_sent(device=forge(device))


def test_a_device_cookie_is_worth_nothing_for_another_phone(clock):
    device, _ = known_browser(clock)
    boris = known_phone()
    assert is_sent(boris)
    assert not is_sent(boris, device=device)
    assert Challenge.objects.filter(device_id__isnull=False).count() == 0


def test_a_phone_has_three_open_challenges_and_nobody_kills_a_code_of_another_browser(clock, settings):
    settings.LIMITS = {name: (1000, seconds) for name, (count, seconds) in settings.LIMITS.items()}
    settings.CODE_SPACING = (1,)
    tokens = []
    for _ in range(4):
        tokens.append(send().challenge_token)
        clock.forward(seconds=1)
    first, second, third = sent_codes(ANNA)
    assert Challenge.objects.exclude(code_digest=None).count() == 3
    assert verify(first, tokens[0]) is not None
    assert verify(third, tokens[1]) is None
    assert verify(second, tokens[1]) is not None
    assert is_sent(), "a used challenge is not open any more"


def test_failures_are_forgotten_after_an_hour(clock):
    guess_wrong(9)
    clock.forward(hours=1)
    guess_wrong(9)
    assert right_code_opens()
