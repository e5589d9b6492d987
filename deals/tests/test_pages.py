"""Pages of deals and clients: what a person does in a browser, without JavaScript."""

from datetime import date
from uuid import uuid4

import pytest
from django.urls import reverse

from accounts.models import User
from deals.models import Client, Deal
from deals.services.pipeline import move_deal
from deals.tests.browsing import browser_of, new_deal_form, version_on
from deals.tests.making import OTHER_PHONE, PHONE, by, make_client, make_deal

pytestmark = pytest.mark.django_db


def card_of(deal: Deal) -> str:
    return reverse("deals:deal_detail", args=[deal.pk])


def page(user: User, name: str, *args: object) -> str:
    response = browser_of(user).get(reverse(f"deals:{name}", args=args))
    assert response.status_code == 200, response.content[:500]
    return response.content.decode()


def test_a_person_creates_a_deal_finds_it_by_phone_and_moves_it(anna: User) -> None:
    browser = browser_of(anna)
    assert "Мария" not in page(anna, "deal_list")
    created = browser.post(reverse("deals:deal_create"), new_deal_form())
    assert created.status_code == 302
    deal = Deal.objects.get()
    card = browser.get(created["Location"]).content.decode()
    assert "+7 916 123-45-67".replace(" ", "") in card.replace("\u00a0", "").replace(" ", "")
    assert 'href="tel:+79161234567"' in card
    found = browser.post(reverse("deals:deal_search"), {"q": "8 916 123-45-67"}, follow=True)
    assert "Мария Петрова" in found.content.decode()
    assert "916" not in found.request["QUERY_STRING"]
    move = {"to": "showing", "version": version_on(card)}
    assert browser.post(reverse("deals:deal_move", args=[deal.pk]), move).status_code == 302
    deal.refresh_from_db()
    assert deal.stage.code == "showing"
    assert "Новая → Показы" in page(anna, "deal_detail", deal.pk)


def test_two_clicks_make_one_deal(anna: User) -> None:
    browser, form = browser_of(anna), new_deal_form()
    first, second = (browser.post(reverse("deals:deal_create"), form) for _ in range(2))
    assert (first.status_code, first["Location"]) == (second.status_code, second["Location"])
    assert Deal.objects.count() == 1


def test_a_form_sent_again_with_other_text_offers_both_ways_and_loses_nothing(anna: User) -> None:
    browser, form = browser_of(anna), new_deal_form()
    browser.post(reverse("deals:deal_create"), form)
    answer = browser.post(reverse("deals:deal_create"), form | {"price": "13 000 000"})
    assert answer.status_code == 409
    assert "13 000 000" in answer.content.decode()
    deal = Deal.objects.get()
    carried = browser.post(reverse("deals:deal_edit", args=[deal.pk]), form | {"price": "13 000 000", "carry": "1"})
    assert carried.status_code == 200
    assert "13 000 000" in carried.content.decode()
    deal.refresh_from_db()
    assert deal.price == 12_500_000


def test_the_second_of_two_tabs_sees_both_values_and_loses_neither(anna: User) -> None:
    deal = make_deal(anna)
    browser = browser_of(anna)
    form = {"version": "1", "property_address": deal.property_address, "price": "11 000 000"}
    assert browser.post(reverse("deals:deal_edit", args=[deal.pk]), form).status_code == 302
    second = browser.post(reverse("deals:deal_edit", args=[deal.pk]), form | {"price": "10 000 000"})
    shown = second.content.decode()
    assert second.status_code == 412
    assert "10 000 000" in shown
    assert "11\u202f000\u202f000\u202f₽" in shown
    assert 'name="version" value="2"' in shown
    deal.refresh_from_db()
    assert deal.price == 11_000_000


@pytest.mark.parametrize(
    ("fact", "typed", "shown"),
    [
        ("property_address", {"property_address": "Казань, ул. Баумана, 5"}, "Казань, ул. Баумана, 5"),
        ("price", {"price": "11 000 000"}, "11\u202f000\u202f000\u202f₽"),
        ("commission_percent", {"commission_percent": "3,5 %"}, "3,5\u202f%"),
        ("property_type", {"property_type": "room"}, "property_type"),
        ("next_step", {"next_step_text": "Позвонить", "next_step_on": "2030-05-01"}, "Позвонить"),
        ("notes", {"notes": "Ключи у соседки"}, "Ключи у соседки"),
    ],
)
def test_one_fact_is_changed_by_itself(anna: User, fact: str, typed: dict[str, str], shown: str) -> None:
    deal, browser = make_deal(anna, notes="Собственник в Твери"), browser_of(anna)
    url = f"{reverse('deals:deal_edit', args=[deal.pk])}?field={fact}"
    small = browser.get(url)
    assert {field.name for field in small.context["form"].visible_fields()} == set(typed)
    assert browser.post(url, {"version": version_on(small.content.decode()), **typed}).status_code == 302
    assert shown in page(anna, "deal_detail", deal.pk)
    after = Deal.objects.get()
    others = {"property_address", "price", "notes"} - {fact}
    assert after.version == 2
    assert all(getattr(after, name) == getattr(deal, name) for name in others)


def test_two_people_changing_one_fact_lose_neither_value(anna: User, vera: User) -> None:
    deal = make_deal(anna)
    url = f"{reverse('deals:deal_edit', args=[deal.pk])}?field=price"
    assert browser_of(vera).post(url, {"version": "1", "price": "11 000 000"}).status_code == 302
    second = browser_of(anna).post(url, {"version": "1", "price": "10 000 000"})
    assert second.status_code == 412
    assert "10 000 000" in second.content.decode()
    assert "11\u202f000\u202f000\u202f₽" in second.content.decode()


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("price", "много"),
        ("price", "0"),
        ("client_phone", "916123"),
        ("property_address", ""),
        ("property_address", "x" * 301),
        ("commission_percent", "200"),
        ("kind", "gift"),
        ("property_address", "a\u202eb"),
        ("next_step_on", "0001-01-01"),
    ],
)
def test_bad_input_is_refused_at_its_field_kept_and_not_stored(anna: User, field: str, typed: str) -> None:
    answer = browser_of(anna).post(reverse("deals:deal_create"), new_deal_form(**{field: typed}))
    assert answer.status_code == 422
    assert answer.context["form"].errors[field]
    assert "Тверская" in answer.content.decode() or field == "property_address"
    assert not Deal.objects.exists()
    assert not Client.objects.exists()


def test_the_same_phone_with_another_name_shows_both_names(anna: User) -> None:
    make_client(anna, PHONE, name="Мария Петрова")
    answer = browser_of(anna).post(reverse("deals:deal_create"), new_deal_form(client_name="Пётр Ильин"))
    shown = answer.content.decode()
    assert answer.status_code == 409
    assert "Мария Петрова" in shown
    assert "Пётр Ильин" in shown
    chosen = new_deal_form(client_name="Пётр Ильин", client=str(Client.objects.get().pk))
    assert browser_of(anna).post(reverse("deals:deal_create"), chosen).status_code == 302


def test_the_card_tells_how_long_the_deal_stood_in_each_stage(anna: User) -> None:
    deal = make_deal(anna)
    assert [time["name"] for time in browser_of(anna).get(card_of(deal)).context["stage_times"]] == ["Новая"]
    move_deal(deal.pk, "showing", actor=by(anna), version=1)
    move_deal(deal.pk, "won", actor=by(anna), version=2)
    card = browser_of(anna).get(card_of(deal))
    assert [time["name"] for time in card.context["stage_times"]] == ["Новая", "Показы"]
    assert "Показы: меньше часа" in card.content.decode()


def test_an_open_deal_without_a_next_step_is_marked(anna: User) -> None:
    make_deal(anna)
    make_deal(anna, next_step={"text": "Позвонить", "due_on": date(2099, 1, 1)})
    won = make_deal(anna)
    move_deal(won.pk, "won", actor=by(anna), version=1)
    response = browser_of(anna).get(reverse("deals:deal_list"))
    rows = [(row["next_step_state"], bool(row["next_step_when"])) for row in response.context["rows"]]
    assert rows == [("none", False), ("later", True), ("missing", True)]


def test_a_lost_deal_needs_its_reason_on_the_page_too(anna: User) -> None:
    deal = make_deal(anna)
    answer = browser_of(anna).post(reverse("deals:deal_move", args=[deal.pk]), {"to": "lost", "version": "1"})
    assert answer.status_code == 422
    assert answer.context["form"].errors["lost_reason"]


def test_a_reason_chosen_before_another_stage_was_is_forgotten(anna: User) -> None:
    deal = make_deal(anna)
    move = {"to": "showing", "lost_reason": "price", "version": "1"}
    assert browser_of(anna).post(reverse("deals:deal_move", args=[deal.pk]), move).status_code == 302
    deal.refresh_from_db()
    assert (deal.stage.code, deal.lost_reason) == ("showing", None)


def test_only_the_own_agent_is_offered_a_deal_with_the_client(anna: User, vera: User) -> None:
    client = make_client(anna)
    offered = f"{reverse('deals:deal_create')}?client={client.pk}"
    assert offered in page(anna, "client_detail", client.pk)
    assert offered not in page(vera, "client_detail", client.pk)


def test_notes_are_added_once_edited_and_deleted_with_a_trace(anna: User) -> None:
    deal, browser = make_deal(anna), browser_of(anna)
    form = {"text": "Просят скидку", "form_key": str(uuid4())}
    for _ in range(2):
        assert browser.post(reverse("deals:note_add", args=[deal.pk]), form).status_code == 302
    assert page(anna, "deal_detail", deal.pk).count('class="entry-text">Просят скидку') == 1
    note = deal.note_entries.get()
    edit = reverse("deals:note_edit", args=[deal.pk, note.pk])
    assert "Просят скидку" in browser.get(edit).content.decode()
    assert browser.post(edit, {"text": "Скидку дали"}).status_code == 302
    assert "Скидку дали" in page(anna, "deal_detail", deal.pk)
    assert browser.post(reverse("deals:note_delete", args=[deal.pk, note.pk])).status_code == 302
    shown = page(anna, "deal_detail", deal.pk)
    assert "Скидку дали" not in shown
    assert "entry-gone" in shown


def test_the_head_sees_a_mask_and_reveals_the_number(anna: User, vera: User) -> None:
    deal = make_deal(anna)
    card = page(vera, "deal_detail", deal.pk)
    assert "tel:" not in card
    assert "***" in card
    revealed = browser_of(vera).post(reverse("deals:client_reveal", args=[deal.client_id]))
    assert "tel:+79161234567" in revealed.content.decode()


def test_a_number_asked_for_on_a_deals_card_is_shown_there(anna: User, vera: User) -> None:
    deal, other = make_deal(anna), make_deal(anna, OTHER_PHONE)
    browser, reveal = browser_of(vera), reverse("deals:client_reveal", args=[deal.client_id])
    card = browser.post(reveal, {"deal": str(deal.pk)})
    assert "tel:+79161234567" in card.content.decode()
    assert card.context["deal"]["number"] == deal.number
    assert "tel:" not in browser.get(reverse("deals:deal_detail", args=[deal.pk])).content.decode()
    assert "deal" not in browser.post(reveal, {"deal": str(other.pk)}).context  # not of this client: his own card


def test_the_head_hands_over_and_an_agent_may_not(anna: User, boris: User, vera: User) -> None:
    deal = make_deal(anna)
    url = reverse("deals:deal_hand_over", args=[deal.pk])
    form = {"agent": str(boris.pk), "version": "1"}
    assert browser_of(anna).post(url, form).status_code == 403
    assert browser_of(vera).get(url).status_code == 200
    assert browser_of(vera).post(url, form).status_code == 302
    deal.refresh_from_db()
    assert deal.agent == boris


def test_a_deal_goes_to_the_trash_and_comes_back(anna: User) -> None:
    deal, browser = make_deal(anna), browser_of(anna)
    assert browser.post(reverse("deals:deal_trash", args=[deal.pk]), {"version": "1"}).status_code == 302
    assert browser.get(reverse("deals:deal_detail", args=[deal.pk])).status_code == 404
    assert deal.property_address in page(anna, "deal_trash_list")
    assert browser.post(reverse("deals:deal_restore", args=[deal.pk]), {"version": "2"}).status_code == 302
    assert browser.get(reverse("deals:deal_detail", args=[deal.pk])).status_code == 200


def test_a_client_is_added_edited_and_trashed(anna: User) -> None:
    browser = browser_of(anna)
    form = {"form_key": str(uuid4()), "name": "Олег", "phone_1": "+7 926 765-43-21", "phone_2": "+49 30 901820"}
    created = browser.post(reverse("deals:client_create"), form)
    assert created.status_code == 302
    client = Client.objects.get()
    assert client.numbers == ["79267654321", "4930901820"]
    edit = reverse("deals:client_edit", args=[client.pk])
    shown = browser.get(edit).content.decode()
    again = {"version": version_on(shown), "name": "Олег Ли", "phone_1": "+7 926 765-43-21", "phone_2": "+49 30 901820"}
    assert browser.post(edit, again).status_code == 302
    assert "Олег Ли" in page(anna, "client_detail", client.pk)
    assert "Олег Ли" in page(anna, "client_list")
    assert browser.post(reverse("deals:client_trash", args=[client.pk]), {"version": "2"}).status_code == 302
    assert "Олег Ли" in page(anna, "client_trash_list")
    assert browser.post(reverse("deals:client_restore", args=[client.pk]), {"version": "3"}).status_code == 302


def test_a_number_that_stands_twice_is_refused_at_its_field(anna: User) -> None:
    form = {"form_key": str(uuid4()), "phone_1": PHONE, "phone_3": OTHER_PHONE, "phone_5": "8 916 123-45-67"}
    answer = browser_of(anna).post(reverse("deals:client_create"), form)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["phone_5"]


def test_two_tabs_editing_one_client_lose_neither_value(anna: User) -> None:
    client, browser = make_client(anna, name="Олег"), browser_of(anna)
    url = reverse("deals:client_edit", args=[client.pk])
    form = {"version": "1", "phone_1": "+7 916 123-45-67", "name": "Олег Ли"}
    assert browser.post(url, form).status_code == 302
    second = browser.post(url, form | {"name": "Олег Ким"})
    assert second.status_code == 412
    assert "Олег Ли" in second.content.decode()
    assert "Олег Ким" in second.content.decode()


def test_a_stale_button_says_so_on_the_page_it_stands_on(anna: User) -> None:
    deal = make_deal(anna)
    card = reverse("deals:deal_detail", args=[deal.pk])
    answer = browser_of(anna).post(
        reverse("deals:deal_trash", args=[deal.pk]), {"version": "7"}, headers={"Referer": f"http://testserver{card}"}
    )
    assert (answer.status_code, answer["Location"]) == (302, card)
    deal.refresh_from_db()
    assert deal.deleted_at is None


@pytest.mark.parametrize(
    "query", ["price_min=много", "stage=nowhere", "created_from=0001-01-01", "cursor=junk", "utm_source=x"]
)
def test_the_list_stands_whatever_its_address_says(anna: User, query: str) -> None:
    make_deal(anna)
    response = browser_of(anna).get(f"{reverse('deals:deal_list')}?{query}")
    assert response.status_code == 200
    assert "Тверская" in response.content.decode()


def test_pages_of_the_list_follow_each_other_without_gaps(anna: User) -> None:
    for number in range(23):
        make_deal(anna, property_address=f"Дом {number:03}")
    browser = browser_of(anna)
    first = browser.get(reverse("deals:deal_list"))
    second = browser.get(first.context["next_url"])
    shown = [row["address"] for response in (first, second) for row in response.context["rows"]]
    assert shown == [f"Дом {number:03}" for number in reversed(range(23))]
    assert second.context["next_url"] == ""
