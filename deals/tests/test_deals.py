"""Creating, editing, throwing away and restoring deals."""

from accounts.actor import Actor
from deals.services.listing import DealFilter, list_deals
from deals.tests.making import make_deal


def test_a_deal_starts_in_the_first_stage_of_its_pipeline(anna):
    deal = make_deal(anna)
    assert (deal.stage.code, deal.number, deal.agent, deal.version) == ("new", 1, anna, 1)
    page = list_deals(DealFilter(), actor=Actor.of(anna), limit=20)
    assert page.rows[0].client_phone_masked
    page = list_deals(DealFilter(q="тверская"), actor=Actor.of(anna), limit=20)
    assert page.rows[0].client_phone_masked
    page = list_deals(DealFilter(q="4567"), actor=Actor.of(anna), limit=20)
    assert page.rows[0].client_phone_masked
