"""What gunicorn calls: it tells the supervisor, which started it, that a process of it serves."""

import os
from contextlib import suppress
from typing import Any

from lk_site.serve import SERVES


def post_worker_init(worker: Any) -> None:
    """Write a byte into the supervisor's pipe; later processes find it closed."""
    pipe = os.environ.get("LK_SERVES_FD", "")
    if pipe.isdigit():
        with suppress(OSError):
            os.write(int(pipe), SERVES)
