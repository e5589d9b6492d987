"""Finding a client by his number, as staff do: in one agency, and recorded."""

from uuid import UUID

from accounts.actor import Actor
from accounts.models import Action, Agency
from accounts.services.people import must_be_staff
from accounts.services.unit_of_work import record, unit_of_work
from deals.models import Client, ClientPhone


@unit_of_work
def find_clients(agency_id: UUID, phone: str, *, actor: Actor) -> list[Client]:
    """Return the clients of an agency who have this number (digits), trashed ones included.

    Two agents may know the same person. Raises NotAllowed for anyone but staff, Agency.DoesNotExist.
    """
    must_be_staff(actor)
    agency = Agency.objects.get(pk=agency_id)
    rows = ClientPhone.objects.with_numbers(agency_id, [phone]).order_by("client_id")
    found = list(Client.objects.filter(pk__in=rows.values("client_id")).order_by("-id"))
    record(actor, Action.CLIENT_SEARCHED, agency, found=len(found))
    return found
