"""What `fields=` and `expand=` make of answers: their schemas, and the things that are put in place of ids."""

from collections.abc import Callable
from typing import Any

from accounts.actor import Actor
from accounts.api.me import ColleagueOut, colleague
from accounts.models import Scope, User
from deals.api.schemas import ClientListItem, ClientOut, DealListItem, DealOut
from deals.api.shown import client_item
from deals.services.client_listing import rows_by_id
from lk_site.answers import Ready
from lk_site.errors import ScopeMissing
from lk_site.selection import Part, Selecting, Selection, selected, selected_page

Items = list[dict[str, Any]]

SelectedDeal = selected(DealOut, client=ClientListItem, agent=ColleagueOut)
SelectedDeals = selected_page(selected(DealListItem, client=ClientListItem, agent=ColleagueOut))
SelectedClient = selected(ClientOut, agent=ColleagueOut)
SelectedClients = selected_page(selected(ClientListItem, agent=ColleagueOut))


def asked_by(actor: Actor, query: Selecting) -> Selection:
    """Return what is asked for. Raises ScopeMissing where a key may not see what it wants expanded; NotAmongFields."""
    asked = query.selection()
    if actor.is_key and "client" in asked.expand and Scope.CLIENTS_READ not in actor.scopes:
        raise ScopeMissing([Scope.CLIENTS_READ])
    return asked


def selected_items(items: Items, asked: Selection, *, actor: Actor) -> Items:
    """Return what is asked for of these items, each expansion in one statement. It changes the items."""
    for name in asked.expand:
        EXPANSIONS[name](items, actor)
    return asked.parts(items)


def selected_row(row: Ready, asked: Selection, *, actor: Actor) -> Ready:
    """Return what is asked for of one row."""
    version = row.version
    (members,) = selected_items([row], asked, actor=actor)
    return Part(members, version)


def expand_clients(items: Items, actor: Actor) -> None:
    """Put clients, masked, in place of their ids. One who was handed over this moment keeps his id."""
    rows = rows_by_id({item["client"] for item in items}, actor=actor)
    for item in items:
        if row := rows.get(item["client"]):
            item["client"] = client_item(row)


def expand_agents(items: Items, actor: Actor) -> None:
    people = User.objects.visible_to(actor).in_bulk({item["agent"]["id"] for item in items})
    for item in items:
        if agent := people.get(item["agent"]["id"]):
            item["agent"] = colleague(agent)


EXPANSIONS: dict[str, Callable[[Items, Actor], None]] = {"client": expand_clients, "agent": expand_agents}
