"""The demo data: forty deals that look alive, once, in local mode only."""

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Event, User
from accounts.services import evidence
from deals.models import Deal

pytestmark = pytest.mark.django_db


def test_the_demo_fills_an_empty_database_once(capsys):
    call_command("demo")
    call_command("demo")
    people = capsys.readouterr().out.splitlines()
    assert people[:4] == people[4:]
    assert (Deal.objects.count(), User.objects.count()) == (40, 4)
    assert set(Deal.objects.values_list("stage__kind", flat=True)) == {"open", "won", "lost"}
    assert {flaw for _, flaw in evidence.verify()} == {None}


def test_what_happened_on_a_demo_deal_is_told_in_the_order_of_time():
    call_command("demo", verbosity=0)
    for deal in Deal.objects.all():
        times = list(Event.objects.filter(deal_id=deal.pk).order_by("seq").values_list("at", flat=True))
        assert times == sorted(times)
        assert times[0] == deal.created_at


def test_the_demo_refuses_anything_but_local_mode(settings):
    settings.LOCAL = False
    with pytest.raises(CommandError):
        call_command("demo")
    assert not User.objects.exists()
