"""What accounts asks of the work, the searches that pages keep, and the table of who may what."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action
from accounts.services import agencies
from deals.models import Client, Deal, LostReason, Pipeline, Search
from deals.services.clients import trash_client
from deals.services.deals import trash_deal
from deals.services.notes import add_note
from deals.services.permissions import MAY, may, may_ask
from deals.services.searches import keep_search, read_search
from deals.tests.making import by, make_client, make_deal
from lk_site.errors import NotAllowed


def test_a_new_agency_has_four_pipelines_and_its_lost_reasons(agency):
    assert set(Pipeline.objects.filter(agency=agency).values_list("kind", flat=True)) == {
        *("sale", "purchase", "let", "rent")
    }
    reasons = ["price", "chose_other_agent", "changed_plans", "no_loan", "not_reachable", "other"]
    assert list(LostReason.objects.filter(agency=agency).values_list("code", flat=True)) == reasons


def test_an_agent_holds_work_even_in_the_trash(anna, boris):
    deal, client = make_deal(anna), make_client(boris)
    trash_deal(deal.pk, actor=by(anna), version=1)
    trash_client(deal.client_id, actor=by(anna), version=1)
    trash_client(client.pk, actor=by(boris), version=1)
    assert agencies.work.holds_work(anna.pk)
    assert agencies.work.holds_work(boris.pk)
    agencies.work.sweep(timezone.now() + timedelta(days=31))
    assert not agencies.work.holds_work(anna.pk)
    assert not Deal.objects.exists()
    assert not Client.objects.exists()


def test_a_search_is_read_in_its_own_session_for_an_hour(anna, boris):
    session, other = by(anna).user_id, by(boris).user_id
    mine = Actor.of(anna, session_id=session)
    search_id = keep_search("Мария Петрова", actor=mine)
    assert search_id.version == 4
    assert read_search(search_id, actor=mine) == "Мария Петрова"
    for stranger in Actor.of(anna, session_id=other), Actor.of(boris, session_id=session):
        with pytest.raises(Search.DoesNotExist):
            read_search(search_id, actor=stranger)
    Search.objects.update(created_at=timezone.now() - timedelta(hours=1))
    with pytest.raises(Search.DoesNotExist):
        read_search(search_id, actor=mine)
    agencies.work.sweep(timezone.now())
    assert not Search.objects.exists()


def test_the_table_says_who_may_what(anna, boris, vera, gleb):
    deal = make_deal(anna)
    for action in set(MAY) - {Action.NOTE_EDITED, Action.NOTE_DELETED}:
        may_head = action != Action.CLIENT_LOOKED_AT
        may_agent = action not in (Action.DEAL_HANDED_OVER, Action.DEAL_REOPENED)
        asked = [may_ask(by(user), action, deal) for user in (anna, vera, boris, gleb)]
        assert asked == [may_agent, may_head, False, False], action


def test_a_note_is_its_authors(anna, vera):
    note = add_note(make_deal(anna).pk, "Мысль", actor=by(anna))
    may(by(anna), Action.NOTE_EDITED, note)
    with pytest.raises(NotAllowed):
        may(by(vera), Action.NOTE_EDITED, note)
