"""Transactions that wait for each other: PostgreSQL ends one of them, which may begin again."""

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import OperationalError
from django.utils.translation import gettext_lazy as _

from lk_site.errors import Clash

P = ParamSpec("P")
R = TypeVar("R")

DEADLOCK = "40P01"  # PostgreSQL's sqlstate
PAUSE_S = 0.1  # for the other one to wake and take what was let go: at once, we would be there first, and meet again


class Busy(Clash):
    """Others change the same rows, and twice neither could wait for the other."""

    code = "busy"
    sentence = _("Others are changing the same rows. Ask again in a moment.")
    retry_after = 1


def begun_again(function: Callable[P, R]) -> Callable[P, R]:
    """Run a whole transaction once more where a deadlock has ended it. Raises Busy if that happens twice."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for _attempt in range(2):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if not is_deadlock(error):
                    raise
                ended = error
                time.sleep(PAUSE_S)
        raise Busy from ended

    return run


def is_deadlock(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == DEADLOCK
