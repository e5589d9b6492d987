"""What the agency is made of, the key that asks, and what others know of addresses and companies."""

from __future__ import annotations

from lk_client.calls import Answer, Call, Listing, path, query
from lk_client.models import Agent, Company, Key, Pipelines, SuggestedAddress, SuggestedAddresses
from lk_client.operations.selecting import listing
from lk_client.reading import one


def list_agents(*, limit: int | None = None) -> Listing[Agent]:
    """List the people of the agency."""
    return listing(Agent, path("agents"), {"limit": limit})


def list_pipelines() -> Call[Pipelines]:
    """Return the pipelines with their stages, and why deals are lost."""
    return Call("GET", path("pipelines"), one(Pipelines))


def get_key() -> Call[Key]:
    """Return what the key that asks may do, and until when."""
    return Call("GET", path("key"), one(Key))


def suggest_addresses(text: str) -> Call[tuple[SuggestedAddress, ...]]:
    """Suggest addresses that begin as the text does, the likeliest first."""
    return Call("GET", path("lookups", "addresses"), suggestions, query=query(q=text))


def suggestions(answer: Answer) -> tuple[SuggestedAddress, ...]:
    return one(SuggestedAddresses)(answer).items


def find_company(inn: str) -> Call[Company]:
    """Return the company or entrepreneur with this INN."""
    return Call("GET", path("lookups", "companies", inn), one(Company))
