"""Nobody sees a client's number but who works him, within the looks of an hour: on no page, in no answer."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from deals.models import Client, Deal
from deals.services.clients import edit_client, trash_client
from deals.services.deals import edit_deal, trash_deal
from deals.services.looks import look_at
from deals.services.notes import add_note
from deals.services.pipeline import move_deal
from deals.tests.browsing import browser_of, new_deal_form
from deals.tests.making import OTHER_PHONE, PHONE, THIRD_PHONE, by, make_client, make_deal
from deals.tests.programs import Program

pytestmark = pytest.mark.django_db

FOURTH_PHONE = "79215556677"
NUMBERS = [phone[1:] for phone in (PHONE, OTHER_PHONE, THIRD_PHONE, FOURTH_PHONE)]


@pytest.fixture
def work(anna: User) -> dict[str, Any]:
    """Things of Anna's: a deal of a client without a name, who shows as his mask, a lost one, and some in the trash."""
    client = make_client(anna, PHONE, OTHER_PHONE, notes="Любит тишину")
    deal, lost = make_deal(anna, client=client.pk), make_deal(anna, THIRD_PHONE, client_name="Мария")
    add_note(deal.pk, "Просят скидку", actor=by(anna))
    move_deal(lost.pk, "lost", actor=by(anna), version=1, lost_reason="price")
    trashed = make_deal(anna, THIRD_PHONE)
    trash_deal(trashed.pk, actor=by(anna), version=1)
    gone = make_client(anna, FOURTH_PHONE)
    trash_client(gone.pk, actor=by(anna), version=1)
    edit_deal(deal.pk, {"notes": "Ключи у соседа"}, actor=by(anna), version=1)
    edit_client(client.pk, {"notes": "Любит тень"}, actor=by(anna), version=1)
    return {"client": client, "deal": deal, "lost": lost, "trashed": trashed, "gone": gone}


def pages(user: User, work: dict[str, Any]) -> Iterator[Any]:
    """Ask for every page about these things, and send stale and refused forms to those that show them again."""
    browser, deal, client = browser_of(user), work["deal"].pk, work["client"].pk
    for name in ("deal_list", "deal_trash_list", "client_list", "client_trash_list", "deal_create"):
        yield browser.get(reverse(f"deals:{name}"))
    yield browser.get(reverse("deals:deal_create"), {"client": str(client)})
    for name in ("deal_detail", "deal_edit", "deal_move", "deal_hand_over"):
        for pk in (deal, work["lost"].pk):
            yield browser.get(reverse(f"deals:{name}", args=[pk]))
    for name in ("client_detail", "client_edit"):
        yield browser.get(reverse(f"deals:{name}", args=[client]))
    for place, text in (("deal_search", "4567"), ("deal_search", "тверская"), ("client_search", "#1")):
        yield browser.post(reverse(f"deals:{place}"), {"q": text}, follow=True)
    stale: dict[str, str] = {"version": "1", "property_address": "Тверь", "price": "1", "name": "Пётр", "to": "showing"}
    yield browser.post(reverse("deals:deal_edit", args=[deal]), stale)
    yield browser.post(reverse("deals:deal_move", args=[deal]), stale)
    yield browser.post(reverse("deals:client_edit", args=[client]), stale)
    yield browser.post(reverse("deals:deal_move", args=[deal]), {"version": "2"})
    yield browser.post(reverse("deals:note_add", args=[deal]), {"text": ""})
    yield browser.post(reverse("deals:deal_restore", args=[work["trashed"].pk]), {"version": "2"}, follow=True)


def answers(user: User, work: dict[str, Any]) -> Iterator[Any]:
    """Ask a program's questions about the same things, and let it change them."""
    program, deal, client = Program(user), work["deal"].pk, work["client"].pk
    for path in ("/deals/", "/deals/?trashed=true", "/deals/?q=4567", "/clients/", "/clients/?trashed=true"):
        yield program.get(path)
    for path in (f"/deals/{deal}", f"/deals/{deal}/timeline", f"/clients/{client}"):
        yield program.get(path)
    yield program.patch(f"/deals/{deal}", {"price": "1.00"}, version=1)
    yield program.patch(f"/clients/{client}", {"name": "Пётр"}, version=1)
    yield program.patch(f"/deals/{deal}", {"price": "1.00"}, version=2)
    yield program.patch(f"/clients/{client}", {"name": "Пётр"}, version=2)
    yield program.post(f"/deals/{deal}/stage-moves", {"to": "showing"}, version=3)
    yield program.post(f"/deals/{deal}/stage-moves/undo", version=4)
    yield program.post(f"/clients/{work['gone'].pk}/restore", version=2)
    yield program.post(f"/deals/{work['trashed'].pk}/restore", version=2)
    yield program.delete(f"/clients/{client}", version=3)


def shown(response: Any) -> str:
    """Return all digits of an answer, its headers included, however they are grouped."""
    return re.sub(r"\D", "", f"{dict(response.headers)} {response.content.decode()}")


@pytest.mark.parametrize("ask", [pages, answers])
def test_the_head_sees_masks_everywhere(anna: User, vera: User, work: dict[str, Any], ask: Any) -> None:
    for response in ask(vera, work):
        assert response.status_code < 500
        assert not [number for number in NUMBERS if number in shown(response)], response.request["PATH_INFO"]


@pytest.mark.parametrize("ask", [pages, answers])
def test_above_the_looks_of_an_hour_the_own_agent_does_too(
    anna: User, work: dict[str, Any], settings: Any, ask: Any
) -> None:
    settings.LIMITS = {**settings.LIMITS, "looks": (1, 3600)}
    assert look_at(make_client(anna, "79990000000"), actor=by(anna))
    for response in ask(anna, work):
        assert not [number for number in NUMBERS if number in shown(response)], response.request["PATH_INFO"]


def test_the_head_takes_an_own_client_without_seeing_others(anna: User, vera: User, work: dict[str, Any]) -> None:
    own = make_client(vera, FOURTH_PHONE)
    browser = browser_of(vera)
    clash = browser.post(reverse("deals:client_edit", args=[own.pk]), {"version": "1", "phone_1": PHONE})
    assert clash.status_code == 302  # Anna's client is no clash: each agent has his own
    assert PHONE[1:] in shown(browser.get(reverse("deals:client_detail", args=[own.pk])))
    form = new_deal_form(client_name="Другая")
    assert browser.post(reverse("deals:deal_create"), form).status_code == 302
    again = browser.post(reverse("deals:deal_create"), form | {"price": "1"})  # the deal exists
    assert again.status_code == 409
    assert Deal.objects.get(agent=vera).client == own
    assert Client.objects.get(pk=own.pk).name == "Другая"


def test_numbers_that_were_typed_are_saved_though_the_looks_of_the_hour_are_used_up(
    anna: User, vera: User, settings: Any
) -> None:
    client = make_client(anna, PHONE)
    settings.LIMITS = {**settings.LIMITS, "looks": (1, 3600)}
    assert look_at(make_client(anna, "79990000000"), actor=by(anna))
    url, form = reverse("deals:client_edit", args=[client.pk]), {"version": "1", "phone_1": OTHER_PHONE}
    assert browser_of(anna).post(url, form).status_code == 302
    assert Client.objects.get(pk=client.pk).numbers == [OTHER_PHONE]
    for reader in anna, vera:  # a stale form keeps what was typed, and shows nothing of what stands there now
        conflict = browser_of(reader).post(url, form | {"phone_1": THIRD_PHONE})
        assert conflict.status_code == 412
        assert THIRD_PHONE[1:] in shown(conflict)
        assert OTHER_PHONE[1:] not in shown(conflict)
