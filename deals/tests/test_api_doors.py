"""Pages and API are two doors to the same rules: what one refuses the other refuses, and nothing is stored."""

from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from deals.models import Client, Deal, Note
from deals.services.deals import edit_deal
from deals.services.notes import add_note
from deals.services.pipeline import move_deal
from deals.tests.browsing import browser_of, new_deal_form
from deals.tests.making import OTHER_PHONE, PHONE, by, make_client, make_deal
from deals.tests.programs import CREATED, Program

TERMS = {"property_address": "Москва, Тверская ул., 12, кв. 34", "price": "12500000"}
DONE = (200, 201, 204, 302)


class Pages:
    """A person in a browser, by the words of the API."""

    def __init__(self, user: User) -> None:
        self.browser = browser_of(user)

    def see(self, deal: Deal) -> int:
        return self.get(f"/deals/{deal.pk}/")

    def see_client(self, client: Client) -> int:
        return self.get(f"/clients/{client.pk}/")

    def create(self, **changes: str) -> int:
        return self.post("/deals/new/", new_deal_form(client_name="", **changes))

    def edit(self, deal: Deal, version: int | None, **changes: str) -> int:
        return self.post(f"/deals/{deal.pk}/edit/", {**TERMS, **changes}, version)

    def move(self, deal: Deal, to: str, version: int | None, **more: str) -> int:
        return self.post(f"/deals/{deal.pk}/move/", {"to": to, **more}, version)

    def undo(self, deal: Deal, version: int | None) -> int:
        return self.post(f"/deals/{deal.pk}/undo-move/", {}, version)

    def hand_over(self, deal: Deal, agent: User, version: int | None) -> int:
        return self.post(f"/deals/{deal.pk}/hand-over/", {"agent": str(agent.pk)}, version)

    def trash(self, row: Any, version: int | None) -> int:
        return self.post(f"/{kind_of(row)}/{row.pk}/trash/", {}, version)

    def restore(self, row: Any, version: int | None) -> int:
        return self.post(f"/{kind_of(row)}/{row.pk}/restore/", {}, version)

    def reveal(self, client: Client) -> int:
        return self.post(f"/clients/{client.pk}/reveal/", {"reason": ""})

    def note(self, deal: Deal, text: str) -> int:
        return self.post(f"/deals/{deal.pk}/notes/", {"text": text, "form_key": str(uuid4())})

    def edit_note(self, note: Note, text: str) -> int:
        return self.post(f"/deals/{note.deal_id}/notes/{note.pk}/edit/", {"text": text})

    def delete_note(self, note: Note) -> int:
        return self.post(f"/deals/{note.deal_id}/notes/{note.pk}/delete/", {})

    def get(self, path: str) -> int:
        return int(self.browser.get(path).status_code)

    def post(self, path: str, form: dict[str, str], version: int | None = None) -> int:
        form = form if version is None else {**form, "version": str(version)}
        return int(self.browser.post(path, form).status_code)


class Calls:
    """The same person's program."""

    def __init__(self, user: User) -> None:
        self.program = Program(user)

    def see(self, deal: Deal) -> int:
        return int(self.program.get(f"/deals/{deal.pk}").status_code)

    def see_client(self, client: Client) -> int:
        return int(self.program.get(f"/clients/{client.pk}").status_code)

    def create(self, **changes: str) -> int:
        return self.send("POST", "/deals/", CREATED | changes)

    def edit(self, deal: Deal, version: int | None, **changes: str) -> int:
        return self.send("PATCH", f"/deals/{deal.pk}", changes, version)

    def move(self, deal: Deal, to: str, version: int | None, **more: str) -> int:
        return self.send("POST", f"/deals/{deal.pk}/stage-moves", {"to": to, **more}, version)

    def undo(self, deal: Deal, version: int | None) -> int:
        return self.send("POST", f"/deals/{deal.pk}/stage-moves/undo", None, version)

    def hand_over(self, deal: Deal, agent: User, version: int | None) -> int:
        return self.send("POST", f"/deals/{deal.pk}/hand-over", {"agent": str(agent.pk)}, version)

    def trash(self, row: Any, version: int | None) -> int:
        return self.send("DELETE", f"/{kind_of(row)}/{row.pk}", None, version)

    def restore(self, row: Any, version: int | None) -> int:
        return self.send("POST", f"/{kind_of(row)}/{row.pk}/restore", None, version)

    def reveal(self, client: Client) -> int:
        return self.send("POST", f"/clients/{client.pk}/reveal", {})

    def note(self, deal: Deal, text: str) -> int:
        return self.send("POST", f"/deals/{deal.pk}/notes", {"text": text})

    def edit_note(self, note: Note, text: str) -> int:
        return self.send("PATCH", f"/deals/{note.deal_id}/notes/{note.pk}", {"text": text})

    def delete_note(self, note: Note) -> int:
        return self.send("DELETE", f"/deals/{note.deal_id}/notes/{note.pk}", None)

    def send(self, method: str, path: str, body: Any, version: int | None = None) -> int:
        return int(self.program.send(method, path, body, version=version).status_code)


def kind_of(row: Deal | Client) -> str:
    return "deals" if isinstance(row, Deal) else "clients"


both_doors = pytest.mark.parametrize("door", [Pages, Calls])


@both_doors
def test_both_hide_what_one_may_not_see(door, anna, boris, gleb):
    deal = make_deal(anna)
    note = add_note(deal.pk, "Заметка", actor=by(anna))
    for stranger in (door(boris), door(gleb)):
        assert stranger.see(deal) == 404
        assert stranger.see_client(deal.client) == 404
        assert stranger.edit(deal, None, price="1") == 404  # and not 428: sight comes before versions
        assert stranger.move(deal, "showing", 1) == 404
        assert stranger.undo(deal, 1) == 404
        assert stranger.hand_over(deal, boris, 1) == 404
        assert stranger.trash(deal, 1) == 404
        assert stranger.restore(deal, 1) == 404
        assert stranger.trash(deal.client, 1) == 404
        assert stranger.reveal(deal.client) == 404
        assert stranger.note(deal, "x") == 404
        assert stranger.edit_note(note, "x") == 404
        assert stranger.delete_note(note) == 404
    assert (Deal.objects.get().version, Note.objects.get().edited_at) == (1, None)


@both_doors
@pytest.mark.parametrize(
    "changes",
    [
        {"price": "0"},
        {"price": "1000000000000"},
        {"price": "1.234"},
        {"commission_percent": "100.01"},
        {"client_phone": "+7 916 ***-**-67"},
        {"client_phone": "12"},
        {"client_phone": ""},
        {"property_address": ""},
        {"property_address": "а" * 301},
        {"property_address": "а\u0000б"},
        {"property_address": "а\u202eб"},
        {"kind": "swap"},
        {"property_type": "castle"},
        {"notes": "я" * 5001},
    ],
)
def test_both_refuse_what_cannot_be_and_store_nothing(door, anna, changes):
    assert door(anna).create(**changes) in (400, 422)
    assert not Deal.objects.exists()
    assert not Client.objects.exists()


@both_doors
def test_both_create_the_same_deal(door, anna):
    assert door(anna).create(commission_percent="2.5") in DONE
    deal = Deal.objects.get()
    assert (str(deal.price), str(deal.commission_percent), deal.client.numbers) == ("12500000.00", "2.50", [PHONE])


@both_doors
def test_both_tell_of_a_client_with_another_name(door, anna):
    make_client(anna, PHONE, name="Пётр")
    assert door(anna).create() in DONE
    assert Pages(anna).post("/deals/new/", new_deal_form()) == 409
    assert Calls(anna).send("POST", "/deals/", CREATED | {"client_name": "Мария"}) == 409
    assert Deal.objects.count() == 1


@both_doors
def test_both_refuse_an_old_version(door, anna, boris, vera):
    deal = make_deal(anna)
    edit_deal(deal.pk, {"notes": "x"}, actor=by(anna), version=1)
    asking, head = door(anna), door(vera)
    assert asking.edit(deal, 1, price="1") == 412
    assert asking.move(deal, "showing", 1) == 412
    assert head.hand_over(deal, boris, 1) == 412
    assert Deal.objects.get().version == 2


@both_doors
def test_both_ask_what_a_stage_asks_for(door, anna):
    deal, asking = make_deal(anna), door(anna)
    assert asking.move(deal, "lost", 1) == 422
    assert asking.move(deal, "lost", 1, lost_reason="other") == 422
    assert asking.move(deal, "nowhere", 1) == 422
    assert asking.move(deal, "lost", 1, lost_reason="other", comment="Купил сам") in DONE
    assert Deal.objects.get().status == "lost"


@both_doors
def test_both_let_only_the_head_reopen_and_hand_over(door, anna, boris, vera):
    deal = make_deal(anna)
    move_deal(deal.pk, "won", actor=by(anna), version=1)
    assert door(anna).move(deal, "showing", 2, comment="Ошибка") == 403
    assert door(anna).hand_over(deal, boris, 2) == 403
    assert door(vera).move(deal, "showing", 2, comment="Сорвалась") in DONE
    assert door(vera).hand_over(deal, boris, 3) in DONE
    assert Deal.objects.get().agent == boris


@both_doors
def test_both_undo_only_ones_own_move(door, anna, vera):
    deal = make_deal(anna)
    move_deal(deal.pk, "showing", actor=by(anna), version=1)
    assert door(vera).undo(deal, 2) == 403
    assert door(anna).undo(deal, 2) in DONE
    assert Deal.objects.get().stage.code == "new"


@both_doors
def test_both_let_only_the_author_change_a_note(door, anna, vera):
    deal = make_deal(anna)
    note = add_note(deal.pk, "Заметка", actor=by(anna))
    assert door(vera).edit_note(note, "x") == 403
    assert door(vera).delete_note(note) == 403
    assert door(vera).note(deal, "Своя") in DONE
    assert door(anna).edit_note(note, "Новая") in DONE
    assert door(anna).delete_note(note) in DONE


@both_doors
def test_both_throw_away_and_bring_back(door, anna):
    deal, asking = make_deal(anna), door(anna)
    assert asking.trash(deal, 1) in DONE
    assert asking.see(deal) == 404
    assert asking.restore(deal, 2) in DONE
    assert asking.see(deal) == 200
    assert Deal.objects.get().version == 3


@both_doors
def test_both_keep_a_client_with_deals(door, anna):
    client = make_deal(anna).client
    door(anna).trash(client, 1)
    assert Client.objects.get().deleted_at is None


@both_doors
def test_both_leave_in_the_trash_whose_number_another_client_has(door, anna):
    client, asking = make_client(anna, OTHER_PHONE), door(anna)
    assert asking.trash(client, 1) in DONE
    make_client(anna, OTHER_PHONE)
    asking.restore(client, 2)
    client.refresh_from_db()
    assert client.deleted_at is not None


@both_doors
def test_both_count_reveals_with_looks(door, anna, vera, settings):
    settings.LIMITS = settings.LIMITS | {"looks": (1, 3600)}
    client, head = make_client(anna), door(vera)
    assert head.reveal(client) in DONE
    assert head.reveal(client) == 429


@both_doors
@pytest.mark.parametrize("email", ["maria", "maria@", "a" * 250 + "@e.ru", "мария@пример .рф"])
def test_both_refuse_what_is_no_address_of_mail(door, anna, email):
    asking = door(anna)
    if isinstance(asking, Pages):
        form = {"phone_1": PHONE, "email": email, "form_key": str(uuid4())}
        assert asking.post("/clients/new/", form) == 422
    else:
        assert asking.send("POST", "/clients/", {"phones": [PHONE], "email": email}) == 422
    assert not Client.objects.exists()
