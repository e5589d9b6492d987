"""Callers that run at the same time, each on a connection of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

R = TypeVar("R")
THREADS = 6  # below the size of the connection pool


def side_by_side(times: int, do: Callable[[int], R]) -> list[R]:
    """Call `do(0)`, `do(1)`, … from a few threads that start together, and return what they answered."""
    ready = threading.Barrier(min(THREADS, times))

    def share(first: int) -> list[R]:
        ready.wait()
        try:
            return [do(number) for number in range(first, times, ready.parties)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(ready.parties) as pool:
        return [answer for answers in pool.map(share, range(ready.parties)) for answer in answers]
