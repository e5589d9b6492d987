"""What a type checker knows of both clients. Nothing runs here: mypy reads it with the rest of the house."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_type

from lk_client import UNSET, AsyncClient, Client, Stale, models, webhooks
from lk_client.async_sending import AsyncPages
from lk_client.sending import Pages


def with_the_sync_client(lk: Client) -> None:
    assert_type(lk.deals.list(status=["open"], price_min=1), Pages[models.DealItem])
    assert_type(lk.deals.rows(fields=["number"]), Pages[Mapping[str, Any]])
    assert_type(lk.deals.list().first().items, tuple[models.DealItem, ...])
    assert_type(lk.deals.get("1"), models.Deal)
    assert_type(lk.deals.get("1").price, Decimal)
    assert_type(lk.deals.trash("1", version=1), int | None)
    assert_type(lk.deals.edit("1", version=1, notes=None, price=UNSET), models.Deal)
    assert_type(lk.clients.reveal("1"), tuple[str, ...])
    assert_type([change.data for change in lk.changes.since("c")], list[Mapping[str, Any] | None])
    assert_type(lk.bulk.deals([{"do": "trash"}]), models.BulkResult)
    assert_type(lk.operations.wait(lk.bulk.deals_later([])), models.Operation)
    assert_type(lk.webhooks.create("https://example.ru").secret, str)


async def with_the_async_client(lk: AsyncClient) -> None:
    assert_type(lk.deals.list(status="open"), AsyncPages[models.DealItem])
    assert_type(await lk.deals.get("1"), models.Deal)
    assert_type([deal.number async for deal in lk.deals.list()], list[int])
    assert_type(await lk.operations.wait("1"), models.Operation)


def what_is_wrong_is_found(lk: Client) -> None:
    lk.deals.get()  # type: ignore[call-arg]
    lk.deals.list(stauts="open")  # type: ignore[call-arg]
    lk.deals.edit("1", price=1.5)  # type: ignore[arg-type]
    lk.deals.edit("1", property_address=None)  # type: ignore[arg-type]
    lk.deals.create(price=1)  # type: ignore[call-arg]


def what_is_raised_and_told(error: Stale, event: webhooks.Event) -> None:
    assert_type(error.current_version, int | None)
    assert_type(event.fields, tuple[str, ...])
