"""How many statements each page costs, and that it costs the same however much it shows."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from deals.models import Deal
from deals.services.clients import trash_client
from deals.services.deals import trash_deal
from deals.services.looks import look_at
from deals.services.notes import add_note
from deals.services.pipeline import move_deal
from deals.tests.browsing import browser_of
from deals.tests.making import by, make_client, make_deal
from deals.tests.test_api_statements import CONTROL

pytestmark = pytest.mark.django_db

PAGES = {  # statements for the agent and for the head; session and person are one of them
    "deal_list": (3, 4),
    "deal_list?status=open&stage=new": (4, 5),
    "deal_trash_list": (2, 2),
    "deal_create": (1, 1),
    "deal_detail": (12, 11),
    "deal_edit": (3, 3),
    "deal_move": (5, 5),
    "client_list": (4, 4),
    "client_trash_list": (3, 3),
    "client_create": (1, 1),
    "client_detail": (5, 5),
    "client_edit": (4, 3),
}


@pytest.fixture
def fill(anna: User, boris: User) -> Callable[[int], Deal]:
    """Return what makes so many deals and clients, some in the trash, and the first deal's long timeline."""

    def more(count: int) -> Deal:
        for _ in range(count):
            agent = boris if Deal.objects.count() % 3 else anna
            phone = f"7916{Deal.objects.count():07}"
            make_deal(agent, phone, client_name="Мария")
            gone = make_deal(agent, phone)
            trash_deal(gone.pk, actor=by(agent), version=1)
            client = make_client(agent, f"7926{gone.number:07}")
            trash_client(client.pk, actor=by(agent), version=1)
        deal = Deal.objects.visible_to(by(anna)).order_by("number")[0]
        for place in range(count):
            add_note(deal.pk, "Мысль", actor=by(anna))
            deal = move_deal(deal.pk, ["showing", "new"][place % 2], actor=by(anna), version=deal.version)
        make_deal(anna, client=deal.client_id)
        look_at(deal.client, actor=by(anna))
        return Deal.objects.whole().get(pk=deal.pk)

    return more


def statements(browser: Any, page: str, deal: Deal) -> list[str]:
    name, _, query = page.partition("?")
    one = name.rpartition("_")[2] in ("detail", "edit", "move")
    args = [(deal.client_id if name.startswith("client") else deal.pk)] if one else []
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(reverse(f"deals:{name}", args=args) + (f"?{query}" if query else "")).status_code == 200
    return [query["sql"] for query in captured if not query["sql"].upper().startswith(CONTROL)]


@pytest.mark.parametrize("who", ["agent", "head"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_costs_the_same_however_much_it_shows(
    anna: User, vera: User, fill: Callable[[int], Deal], name: str, who: str
) -> None:
    browser = browser_of(vera if who == "head" else anna)
    deal = fill(2)
    statements(browser, name, deal)  # what is asked once a process, or once a minute
    few = statements(browser, name, deal)
    most = PAGES[name][who == "head"]
    many = statements(browser, name, fill(4))
    assert (len(few), len(many)) == (most, most), "\n".join(many)
