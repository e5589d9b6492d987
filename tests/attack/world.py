"""`python -m attack.world`: makes people and things in the database of a site, and prints how to ask as each of them.

`python -m attack.world digests` prints a digest of each column of each table instead.
"""

import json
import os
import sys
from typing import Any

DEALS = 45  # more than a page of them


def made() -> dict[str, Any]:
    """Return the cookie of each person, a key of every scope, a CSRF token, and ids to ask about."""
    from django.conf import settings
    from django.middleware.csrf import _get_new_csrf_string
    from django.utils import timezone

    from accounts.models import Session
    from accounts.tests.programs import make_key
    from deals.tests.making import make_deal
    from lk_site.tests.walking import make_world

    world = make_world()
    for number in range(DEALS):
        make_deal(world.anna, f"7917{number:07}")
    Session.objects.update(confirmed_at=timezone.now())
    own = {who: settings.ADMIN_COOKIE_NAME if who == "staff" else settings.SESSION_COOKIE_NAME for who in world.users}
    return {
        "cookies": {who: f"{name}={world.browser(who).cookies[name].value}" for who, name in own.items()},
        "csrf": _get_new_csrf_string(),
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "key": make_key(world.vera).token,
        "ids": {name: str(world.things[name].pk) for name in ("deal", "client", "note", "stage", "agency")},
        "boris": str(world.boris.pk),
    }


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lk_site.settings")
    django.setup()
    if sys.argv[1:] == ["digests"]:
        from lk_site.tests.databases import digests

        sys.stdout.write(json.dumps(digests().of_columns))
    else:
        sys.stdout.write(json.dumps(made()))


if __name__ == "__main__":
    main()
