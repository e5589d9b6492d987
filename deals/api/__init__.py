"""Operations of `deals`, by the prefix under which the API holds them."""

from ninja import Router

from deals.api import bulk, changes, clients, deals, lookups, pipelines, timeline

routers: list[tuple[str, Router]] = [  # (prefix, router)
    ("/pipelines", pipelines.router),
    ("/deals", deals.router),
    ("/deals", timeline.router),
    ("/clients", clients.router),
    ("", bulk.router),
    ("/changes", changes.router),
    ("/lookups", lookups.router),
]
