"""What callgrind runs: each kind of request is asked until it is warm, and then counted."""

import gc
import os

from bench import callgrind
from bench.environment import for_django
from bench.rows import LIST

WARM, TIMES, TURNS = 5, 3, 6
FLOOR = "the floor's list of 20"


def main(rows: list[str]) -> None:
    os.environ |= for_django()
    import django

    django.setup()
    from accounts.models import Role, User
    from bench import floor
    from bench.calls import floor_calls
    from bench.in_process import asking, calls_of
    from bench.seed import visitor
    from lk_site.wsgi import application

    agent = User.objects.agents().filter(role=Role.AGENT).order_by("phone_index")[0]
    for row in rows:
        if row == FLOOR:
            ask = asking(floor.application, floor_calls()[LIST][0])
        else:
            ask = asking(application, calls_of(visitor(agent))[row])  # a session of its own: it is seen once a minute
        for _ in range(WARM):
            ask()
        gc.collect()
        callgrind.start()
        for _ in range(TURNS):
            callgrind.zero()
            for _ in range(TIMES):
                ask()
            callgrind.dump(row)
