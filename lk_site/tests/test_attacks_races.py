"""Two requests at once: what one takes away the other no longer does, and every acknowledged change has its event."""

from contextlib import suppress
from functools import partial

import pytest
from django.db import transaction

from accounts.models import Action, Event, EventText, Role, Session, User
from accounts.services import evidence, people
from accounts.services.session_store import new_key
from accounts.services.sessions import open_session
from accounts.tests.people import make_agent, make_staff, staff_actor
from deals.models import Client, Deal, Note
from deals.services.clients import create_client, edit_client, restore_client, trash_client
from deals.services.deals import edit_deal, restore_deal, trash_deal
from deals.services.hand_over import hand_over_deal
from deals.services.notes import add_note, delete_note, edit_note
from deals.services.pipeline import move_deal, undo_move
from deals.tests.conftest import open_agency
from deals.tests.making import by, make_client, make_deal
from deals.tests.programs import CREATED, Program
from deals.tests.test_races import at_once, refusals

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = 5  # a race is lost by chance: each is run so often


@pytest.fixture
def agency(db):
    return open_agency("Ключи и двери")


@pytest.fixture
def anna(agency):
    return make_agent(agency, "Анна")


@pytest.fixture
def boris(agency):
    return make_agent(agency, "Борис")


@pytest.fixture
def vera(agency):
    return make_agent(agency, "Вера", role=Role.HEAD)


@pytest.fixture(autouse=True)
def _chain(db):
    """After whatever happened, every event has its place."""
    yield
    assert {flaw for _, flaw in evidence.verify()} == {None}


def events(action, pk):
    return Event.objects.filter(action=action, object_id=pk).count()


def test_of_two_restores_one_happens(anna, vera):
    for _ in range(TIMES):
        deal = trash_deal(make_deal(anna).pk, actor=by(anna), version=1)
        results = at_once(*[partial(restore_deal, deal.pk, actor=by(who), version=2) for who in (anna, vera)])
        assert len(refusals(results)) == 1
        assert events(Action.DEAL_RESTORED, deal.pk) == 1
        assert Deal.objects.get(pk=deal.pk).version == 3


def test_of_two_restores_of_a_client_one_happens(anna, vera):
    client = make_client(anna)
    for number in range(TIMES):
        trashed = trash_client(client.pk, actor=by(anna), version=2 * number + 1)
        results = at_once(
            *[partial(restore_client, client.pk, actor=by(who), version=trashed.version) for who in (anna, vera)]
        )
        assert len(refusals(results)) == 1
    assert events(Action.CLIENT_RESTORED, client.pk) == TIMES


def test_a_deal_is_moved_or_trashed_and_never_both_from_one_version(anna, vera):
    for _ in range(TIMES):
        deal = make_deal(anna)
        results = at_once(
            partial(trash_deal, deal.pk, actor=by(vera), version=1),
            partial(move_deal, deal.pk, "showing", actor=by(anna), version=1),
        )
        assert refusals(results) in (["Stale"], ["DoesNotExist"])
        stored = Deal.objects.get(pk=deal.pk)
        assert stored.version == 2
        assert (stored.deleted_at is None) == (stored.stage.code == "showing")


def test_a_move_is_undone_once_by_twenty_clicks(anna):
    deal = make_deal(anna)
    move_deal(deal.pk, "showing", actor=by(anna), version=1)
    results = at_once(*[lambda: undo_move(deal.pk, actor=by(anna), version=2)] * 6)
    assert refusals(results) == ["Stale"] * 5
    assert events(Action.DEAL_MOVE_UNDONE, deal.pk) == 1


def test_an_undo_and_a_hand_over_leave_the_deal_with_one_of_both(anna, boris, vera):
    for _ in range(TIMES):
        deal = make_deal(anna, "79160001122")
        move_deal(deal.pk, "showing", actor=by(anna), version=1)
        results = at_once(
            partial(undo_move, deal.pk, actor=by(anna), version=2),
            partial(hand_over_deal, deal.pk, boris.pk, actor=by(vera), version=2),
        )
        assert len(refusals(results)) == 1
        stored = Deal.objects.get(pk=deal.pk)
        assert (stored.agent == boris) == (stored.stage.code == "showing")


def test_a_hand_over_and_a_new_client_of_the_taker_leave_one_client_of_a_number(anna, boris, vera):
    for number in range(TIMES):
        phone = f"7916000{number:04}"
        deal = make_deal(anna, phone)
        at_once(
            partial(hand_over_deal, deal.pk, boris.pk, actor=by(vera), version=1),
            partial(create_client, phones=[phone], actor=by(boris)),
        )
        stored = Deal.objects.get(pk=deal.pk)
        assert stored.agent == stored.client.agent == boris
        live = [client for client in Client.objects.filter(agent=boris, deleted_at=None) if client.numbers == [phone]]
        assert len(live) == 1


def test_a_hand_over_and_a_new_deal_for_the_same_client(anna, boris, vera):
    for number in range(TIMES):
        deal = make_deal(anna, f"7916111{number:04}")
        results = at_once(
            partial(hand_over_deal, deal.pk, boris.pk, actor=by(vera), version=1),
            partial(make_deal, anna, client=deal.client_id),
        )
        assert refusals(results) in ([], ["Invalid"])
        assert all(made.agent == made.client.agent for made in Deal.objects.select_related("client"))


def test_two_hand_overs_give_a_deal_once(anna, boris, vera, agency):
    for number in range(TIMES):
        third = make_agent(agency, "Третий")
        deal = make_deal(anna, f"7916222{number:04}")
        results = at_once(
            *[partial(hand_over_deal, deal.pk, to.pk, actor=by(vera), version=1) for to in (boris, third, boris, third)]
        )
        assert len(refusals(results)) == 3
        stored = Deal.objects.get(pk=deal.pk)
        assert stored.client.agent == stored.agent
        assert events(Action.DEAL_HANDED_OVER, deal.pk) == 1


def test_after_the_hand_over_the_old_agent_changes_nothing(anna, boris, vera):
    """Whatever he began before it: either it came first, or he is a stranger."""
    for number in range(TIMES):
        deal = make_deal(anna, f"7916333{number:04}")
        results = at_once(
            partial(hand_over_deal, deal.pk, boris.pk, actor=by(vera), version=1),
            partial(edit_deal, deal.pk, {"notes": "поздно"}, actor=by(anna), version=1),
            partial(edit_client, deal.client_id, {"notes": "поздно"}, actor=by(anna), version=1),
            partial(trash_deal, deal.pk, actor=by(anna), version=1),
        )
        done = [result for result in results if not isinstance(result, Exception)]
        handed = Event.objects.filter(deal_id=deal.pk, action=Action.DEAL_HANDED_OVER).first()
        late = Event.objects.filter(actor_id=anna.pk, deal_id=deal.pk, seq__gt=handed.seq) if handed else []
        assert not late
        assert done
        stored = Deal.objects.get(pk=deal.pk)
        assert stored.client.agent == stored.agent


def test_a_note_is_deleted_or_edited_and_a_deleted_one_keeps_no_text(anna):
    deal = make_deal(anna)
    for _ in range(TIMES):
        note = add_note(deal.pk, "Первый", actor=by(anna))
        with suppress(Note.DoesNotExist):
            at_once(
                partial(edit_note, deal.pk, note.pk, "Второй", actor=by(anna)),
                partial(delete_note, deal.pk, note.pk, actor=by(anna)),
            )
        stored = Note.objects.get(pk=note.pk)
        assert stored.deleted_at is not None
        ids = Event.objects.filter(object_id=note.pk).values_list("pk", flat=True)
        assert not [row for row in EventText.objects.filter(pk__in=list(ids)) if row.text]


def test_a_disabled_agent_has_no_session_however_fast_he_logs_in(agency, vera):
    make_staff()
    for _ in range(TIMES):
        agent = make_agent(agency, "Бывший")
        at_once(
            partial(people.disable_agent, agent.pk, actor=staff_actor("sonya")),
            *[partial(log_in, agent.pk) for _ in range(3)],
        )
        assert not Session.objects.filter(user=agent, ended_at=None).exists()


def log_in(pk):
    """Open a session as the login does: the person's row is locked first."""
    with transaction.atomic():
        agent = User.objects.lock(pk)
        if not agent.is_active:
            return None
        return open_session(agent, own_device=False, browser=new_key()[:10], actor=by(agent))


def test_a_request_of_an_agent_who_is_being_disabled_is_whole_or_not_at_all(agency, vera):
    make_staff()
    for number in range(TIMES):
        agent = make_agent(agency, "Бывший")
        program = Program(agent)
        body = {**CREATED, "client_phone": f"7916444{number:04}"}
        results = at_once(
            partial(people.disable_agent, agent.pk, actor=staff_actor("sonya")),
            partial(program.post, "/deals/", body),
        )
        assert results[1].status_code in (201, 401)
        assert Deal.objects.filter(agent=agent).count() == (results[1].status_code == 201)
        assert program.get("/deals/").status_code == 401
        assert program.post("/deals/", body).status_code == 401


def test_the_last_two_heads_cannot_both_go(db):
    make_staff()
    for _ in range(TIMES):
        agency = open_agency("Две главы")
        first, second = (make_agent(agency, name, role=Role.HEAD) for name in ("Первая", "Вторая"))
        results = at_once(
            partial(people.disable_agent, first.pk, actor=staff_actor("sonya")),
            partial(people.set_role, second.pk, "agent", actor=staff_actor("sonya")),
        )
        assert refusals(results) == ["LastHead"]
        assert User.objects.filter(agency=agency, role=Role.HEAD, is_active=True).count() == 1


def test_one_key_twenty_times_at_once_is_one_deal(anna):
    program = Program(anna)
    answers = at_once(*[lambda: program.post("/deals/", CREATED, key="one").json().get("id")] * 6)
    assert len(set(answers) - {None}) == 1
    assert Deal.objects.count() == 1
