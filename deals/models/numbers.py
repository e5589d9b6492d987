"""Numbers of deals: short, per agency, never used again."""

from uuid import UUID

from django.db import connection, models

from accounts.models import Agency
from lk_site import hot_writes

NEXT_NUMBER = """
INSERT INTO {table} (agency_id, last_number) VALUES (%s, 1)
ON CONFLICT (agency_id) DO UPDATE SET last_number = {table}.last_number + 1
RETURNING last_number
"""


class DealCounter(models.Model):
    """The last deal number of an agency. Its row is locked after clients and deals, until the commit."""

    agency = models.OneToOneField(Agency, models.CASCADE, primary_key=True, related_name="+")
    last_number = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"deal numbers of {self.agency_id}"

    @classmethod
    def take(cls, agency_id: UUID) -> int:
        """Return the next number of the agency, in one statement: two at once get two numbers."""
        table = connection.ops.quote_name(cls._meta.db_table)
        key = cls._meta.pk.get_db_prep_value(agency_id, connection)
        ((number,),) = hot_writes.run(NEXT_NUMBER.format(table=table), [key])
        return int(number)
