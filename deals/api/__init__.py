"""Operations of `deals`, by the prefix under which the API holds them."""

from ninja import Router

from deals.api import clients, deals, pipelines, timeline

routers: list[tuple[str, Router]] = [  # (prefix, router)
    ("/pipelines", pipelines.router),
    ("/deals", deals.router),
    ("/deals", timeline.router),
    ("/clients", clients.router),
]
