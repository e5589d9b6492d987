"""Somebody who writes without end, in a process of his own: `python -m deals.tests.writing <seed> <head's id>`."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deals.tests.test_storm import Someone


def writer(seed: int, head_id: str) -> "Someone":
    from accounts.models import User
    from deals.tests.test_storm import Someone

    head = User.objects.get(pk=head_id)
    return Someone(seed, list(User.objects.filter(agency=head.agency).order_by("pk")), head)


def main() -> None:
    import django

    django.setup()
    someone = writer(int(sys.argv[1]), sys.argv[2])
    while True:
        someone.act()
        sys.stdout.write(".")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
