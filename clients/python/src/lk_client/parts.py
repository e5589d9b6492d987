"""The operations of the sync client, in parts. `async_parts` has the same names: a test compares them."""

from __future__ import annotations

from lk_client.models import Operation
from lk_client.operations import agency, bulk, changes, clients, deals, notes, webhooks
from lk_client.operations.changes import Place
from lk_client.operations.selecting import Several
from lk_client.sending import Feed, Lists, Part, Sends


class Deals(Part):
    list = Lists(deals.list_deals)
    rows = Lists(deals.list_deal_rows)
    get = Sends(deals.get_deal)
    row = Sends(deals.get_deal_row)
    create = Sends(deals.create_deal)
    edit = Sends(deals.edit_deal)
    trash = Sends(deals.trash_deal)
    restore = Sends(deals.restore_deal)
    move = Sends(deals.move_deal)
    undo_move = Sends(deals.undo_move)
    hand_over = Sends(deals.hand_over_deal)


class Clients(Part):
    list = Lists(clients.list_clients)
    rows = Lists(clients.list_client_rows)
    get = Sends(clients.get_client)
    row = Sends(clients.get_client_row)
    create = Sends(clients.create_client)
    edit = Sends(clients.edit_client)
    trash = Sends(clients.trash_client)
    restore = Sends(clients.restore_client)
    reveal = Sends(clients.reveal_client)


class Notes(Part):
    add = Sends(notes.add_note)
    edit = Sends(notes.edit_note)
    delete = Sends(notes.delete_note)


class Timeline(Part):
    list = Lists(notes.list_timeline)


class Pipelines(Part):
    get = Sends(agency.list_pipelines)


class Agents(Part):
    list = Lists(agency.list_agents)


class Key(Part):
    get = Sends(agency.get_key)


class Lookups(Part):
    addresses = Sends(agency.suggest_addresses)
    company = Sends(agency.find_company)


class Bulk(Part):
    deals = Sends(bulk.change_deals)
    clients = Sends(bulk.change_clients)
    deals_later = Sends(bulk.change_deals_later)
    clients_later = Sends(bulk.change_clients_later)


class Operations(Part):
    get = Sends(bulk.get_operation)

    def wait(self, operation: Operation | str, *, at_most_s: float = 600.0, every_s: float = 1.0) -> Operation:
        """Wait until an operation is over; return it. Raises NotDone where it failed or takes longer than that."""
        return self._client.drive(bulk.until_over(operation, at_most_s, every_s))


class Changes(Part):
    read = Sends(changes.read_changes)
    present_cursor = Sends(changes.present_cursor)

    def since(self, cursor: str | None = None, *, types: Several = None, limit: int | None = None) -> Feed:
        """Return the feed from this cursor on, from now on without one."""
        return Feed(self._client, Place(cursor, types, limit))


class Webhooks(Part):
    list = Sends(webhooks.list_webhooks)
    get = Sends(webhooks.get_webhook)
    create = Sends(webhooks.create_webhook)
    edit = Sends(webhooks.edit_webhook)
    delete = Sends(webhooks.delete_webhook)
    rotate_secret = Sends(webhooks.rotate_secret)
    switch_off = Sends(webhooks.switch_off)
    switch_on = Sends(webhooks.switch_on)
    test = Sends(webhooks.send_test)
    replay = Sends(webhooks.replay)
    deliveries = Lists(webhooks.list_deliveries)
    delivery = Sends(webhooks.get_delivery)
    replay_delivery = Sends(webhooks.replay_delivery)
