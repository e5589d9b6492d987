"""Every page of the audit has its index: how PostgreSQL reads those of a busy agency beside other ones."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actor import Actor, ActorKind
from accounts.models import Event
from accounts.services import alarms, audit
from accounts.services.audit import AuditFilter

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.long,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="these plans are PostgreSQL's"),
]

AGENCY = uuid4()
ROWS, AGENCIES, PEOPLE = 60_000, 100, 5  # of each agency
FILL = """
insert into accounts_event (id, agency_id, seq, at, action, actor_kind, actor_id, request_id, object_type, object_id,
  deal_id, client_id, fields, data, mac)
select gen_random_uuid(), case n %% %(agencies)s when 0 then %(agency)s else md5((n %% %(agencies)s)::text) end::uuid,
  n, now() - n * interval '1 minute', case when n %% 4000 < 10 then 'export.made'
    else (array['deal.changed', 'note.added', 'client.looked_at'])[1 + n %% 3] end,
  'agent', md5(n %% %(agencies)s || ':' || n / %(agencies)s %% %(people)s)::uuid, '',
  'deal', md5('deal' || n / 1000)::uuid, md5('deal' || n / 1000)::uuid, md5('client' || n / 2000)::uuid, '[]', '{}', ''
from generate_series(1, %(rows)s) n;
analyze accounts_event
"""
INDEXES = re.compile(r"(?:Index Scan|Index Only Scan)(?: Backward)? using (\w+)|Bitmap Index Scan on (\w+)|(Seq Scan)")
HEAD = Actor(ActorKind.AGENT, agency_id=AGENCY, user_id=uuid4(), is_head=True)


@pytest.fixture
def events() -> None:
    with connection.cursor() as cursor:
        for statement in FILL.split(";"):
            names: dict[str, Any] = {"agency": str(AGENCY), "agencies": AGENCIES, "rows": ROWS, "people": PEOPLE}
            cursor.execute(statement, names if "%(" in statement else None)


def indexes(call: Callable[[], object]) -> set[str]:
    """Return by which indexes a call finds its events, and whether it reads all of them."""
    with CaptureQueriesContext(connection) as captured:
        call()
    found: set[str] = set()
    with connection.cursor() as cursor:
        for query in captured:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN {query['sql']}")
                plan = "\n".join(line for (line,) in cursor.fetchall())
                found |= {"".join(names) for names in INDEXES.findall(plan)}
    return found


@pytest.mark.usefixtures("events")
def test_pages_of_the_audit_are_read_by_their_indexes():
    somewhere = Event.objects.get(agency_id=AGENCY, seq=ROWS // 2)
    middle, long_ago = (somewhere.at, somewhere.pk), timezone.now() - timedelta(days=15)
    person, rare = {"actor": (somewhere.actor_id,)}, {"action": ("export.made",)}
    by_ids = {"event_deal_timeline", "event_client_timeline", "event_object_versions"}

    def page(after: Any = None, **asked: Any) -> set[str]:
        return indexes(lambda: audit.list_events(AuditFilter(**asked), actor=HEAD, limit=50, after=after))

    assert page() == page(middle) == {"event_of_agency"}
    assert page(since=long_ago) == page(until=long_ago) == {"event_of_agency"}
    assert page(**rare) == page(middle, **rare) == {"event_of_agency_action"}
    assert "event_actor" in page(**person)
    assert "Seq Scan" not in page(middle, **person) | page(**person, **rare)
    assert by_ids <= page(object=somewhere.deal_id)
    assert "Seq Scan" not in page(middle, object=somewhere.client_id)
    seen = alarms.Seen(AGENCY, "agent", somewhere.actor_id or uuid4(), 30)
    assert indexes(lambda: alarms.norm_of(seen, timezone.now())) == {"event_looks"}
    assert indexes(lambda: list(alarms.busy(timezone.now()))) <= {"event_newest", "event_action"}
    export = audit.events_of(AuditFilter(since=long_ago), HEAD)
    assert indexes(lambda: next(audit.batches_of(export))) == {"event_of_agency"}
