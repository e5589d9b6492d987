"""One size of the database under load: what each kind of request costs, of the floor and of LK."""

import json
import sys

from bench import filling
from bench.environment import DEALS, SECONDS, VAR

FLEETING = (
    "accounts_challenge",
    "accounts_counter",
    "accounts_idempotencykey",
    "accounts_session",
    "accounts_smsmessage",
)


def main(is_compared: bool) -> None:
    """Measure on the database of this size, beside the floor or alone, and keep the result for the report."""
    filling.main()
    from django.db import connection

    from bench.calls import floor_calls, product_calls
    from bench.measure import cold_start_s, measure
    from lk_site.startup import leave_database

    with connection.cursor() as cursor:  # what earlier runs have left behind
        cursor.execute(f"TRUNCATE {', '.join(FLEETING)}")
    bare, ours = floor_calls() if is_compared else {}, product_calls()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_challenge")
    leave_database()
    found: dict[str, object] = dict(measure(bare, ours, SECONDS if is_compared else SECONDS / 2))
    if is_compared:
        found["cold_start_s"] = cold_start_s()
    (VAR / f"load-{DEALS}.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(is_compared=sys.argv[1:] != ["alone"])
