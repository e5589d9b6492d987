"""The operations of the async client, in parts. `parts` has the same names: a test compares them."""

from __future__ import annotations

from lk_client.async_sending import AsyncFeed, AsyncLists, AsyncPart, AsyncSends
from lk_client.models import Operation
from lk_client.operations import agency, bulk, changes, clients, deals, notes, webhooks
from lk_client.operations.changes import Place
from lk_client.operations.selecting import Several


class Deals(AsyncPart):
    list = AsyncLists(deals.list_deals)
    rows = AsyncLists(deals.list_deal_rows)
    get = AsyncSends(deals.get_deal)
    row = AsyncSends(deals.get_deal_row)
    create = AsyncSends(deals.create_deal)
    edit = AsyncSends(deals.edit_deal)
    trash = AsyncSends(deals.trash_deal)
    restore = AsyncSends(deals.restore_deal)
    move = AsyncSends(deals.move_deal)
    undo_move = AsyncSends(deals.undo_move)
    hand_over = AsyncSends(deals.hand_over_deal)


class Clients(AsyncPart):
    list = AsyncLists(clients.list_clients)
    rows = AsyncLists(clients.list_client_rows)
    get = AsyncSends(clients.get_client)
    row = AsyncSends(clients.get_client_row)
    create = AsyncSends(clients.create_client)
    edit = AsyncSends(clients.edit_client)
    trash = AsyncSends(clients.trash_client)
    restore = AsyncSends(clients.restore_client)
    reveal = AsyncSends(clients.reveal_client)


class Notes(AsyncPart):
    add = AsyncSends(notes.add_note)
    edit = AsyncSends(notes.edit_note)
    delete = AsyncSends(notes.delete_note)


class Timeline(AsyncPart):
    list = AsyncLists(notes.list_timeline)


class Pipelines(AsyncPart):
    get = AsyncSends(agency.list_pipelines)


class Agents(AsyncPart):
    list = AsyncLists(agency.list_agents)


class Key(AsyncPart):
    get = AsyncSends(agency.get_key)


class Lookups(AsyncPart):
    addresses = AsyncSends(agency.suggest_addresses)
    company = AsyncSends(agency.find_company)


class Bulk(AsyncPart):
    deals = AsyncSends(bulk.change_deals)
    clients = AsyncSends(bulk.change_clients)
    deals_later = AsyncSends(bulk.change_deals_later)
    clients_later = AsyncSends(bulk.change_clients_later)


class Operations(AsyncPart):
    get = AsyncSends(bulk.get_operation)

    async def wait(self, operation: Operation | str, *, at_most_s: float = 600.0, every_s: float = 1.0) -> Operation:
        """Wait until an operation is over; return it. Raises NotDone where it failed or takes longer than that."""
        return await self._client.drive(bulk.until_over(operation, at_most_s, every_s))


class Changes(AsyncPart):
    read = AsyncSends(changes.read_changes)
    present_cursor = AsyncSends(changes.present_cursor)

    def since(self, cursor: str | None = None, *, types: Several = None, limit: int | None = None) -> AsyncFeed:
        """Return the feed from this cursor on, from now on without one."""
        return AsyncFeed(self._client, Place(cursor, types, limit))


class Webhooks(AsyncPart):
    list = AsyncSends(webhooks.list_webhooks)
    get = AsyncSends(webhooks.get_webhook)
    create = AsyncSends(webhooks.create_webhook)
    edit = AsyncSends(webhooks.edit_webhook)
    delete = AsyncSends(webhooks.delete_webhook)
    rotate_secret = AsyncSends(webhooks.rotate_secret)
    switch_off = AsyncSends(webhooks.switch_off)
    switch_on = AsyncSends(webhooks.switch_on)
    test = AsyncSends(webhooks.send_test)
    replay = AsyncSends(webhooks.replay)
    deliveries = AsyncLists(webhooks.list_deliveries)
    delivery = AsyncSends(webhooks.get_delivery)
    replay_delivery = AsyncSends(webhooks.replay_delivery)
