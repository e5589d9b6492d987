"""Operations of `accounts`, by the prefix under which the API holds them."""

from ninja import Router

from accounts.api import auth, me

routers: list[tuple[str, Router]] = [  # (prefix, router)
    ("/auth", auth.auth),
    ("/me", me.me),
    ("/me/sessions", auth.own_sessions),
    ("/agents", me.agents),
]
