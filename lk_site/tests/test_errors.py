"""A refusal says one thing to programs and one to people."""

from typing import ClassVar

from django.utils.translation import override

from lk_site.errors import Clash, DomainError, FieldError, Invalid, InvalidValue, LimitReached, NotAllowed, Stale


class StageClosed(DomainError):
    code: ClassVar[str] = "stage_closed"


def test_code_and_status_belong_to_the_class():
    assert (StageClosed().code, StageClosed().status) == ("stage_closed", 422)
    assert (NotAllowed().code, NotAllowed().status) == ("not_allowed", 403)
    assert Clash(client="1").extra == {"client": "1"}


def test_the_sentence_waits_for_the_readers_language():
    refusal = NotAllowed()
    with override("en"):
        assert str(refusal) == str(refusal.detail) == "You may not do this."
    assert str(NotAllowed("Only the head may.")) == "Only the head may."


def test_stale_names_the_current_version_and_each_changed_field_once():
    refusal = Stale(7, ["price", "address", "price"])
    assert refusal.status == 412
    assert refusal.extra == {"current_version": 7, "changed_fields": ["address", "price"]}


def test_a_limit_tells_when_to_come_back():
    with override("en"):
        assert str(LimitReached(1)) == "Too often. Try again in 1 second."
        assert str(LimitReached(119)) == "Too often. Try again in 119 seconds."
        assert str(LimitReached(121)) == "Too often. Try again in 3 minutes."
    assert LimitReached(0).retry_after == 1
    assert LimitReached(60).extra == {"retry_after": 60}


def test_fields_are_named_and_pointed_at():
    (error,) = Invalid.at("price", "too_low", "Too low.").errors
    assert error == FieldError("price", "too_low", "Too low.")
    assert error.pointer == "/price"
    assert FieldError("/next_step/due_on", "x", "x").pointer == "/next_step/due_on"
    assert FieldError("", "x", "x").pointer == ""


def test_a_refused_value_becomes_the_refusal_of_a_field():
    refused = InvalidValue("too_long", "Shorten it.")
    assert isinstance(refused, ValueError)
    assert refused.at("name") == FieldError("name", "too_long", "Shorten it.")
    assert str(refused) == "Shorten it."
