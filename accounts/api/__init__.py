"""Operations of `accounts`, by the prefix under which the API holds them."""

from ninja import Router

from accounts.api import audit, auth, factors, keys, me, operations, webhooks

routers: list[tuple[str, Router]] = [  # (prefix, router)
    ("/auth", auth.auth),
    ("/me", me.me),
    ("/me/sessions", auth.own_sessions),
    ("/me/factors", factors.router),
    ("/agents", me.agents),
    ("/key", keys.own_key),
    ("/keys", keys.router),
    ("/audit", audit.router),
    ("/operations", operations.router),
    ("/webhooks", webhooks.router),
]
