from ninja import Router

routers: list[tuple[str, Router]] = []  # (prefix, router)
