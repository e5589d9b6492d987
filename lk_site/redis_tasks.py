"""Calls to rows through a list in Redis. Apart, because importing its client takes a third of a second."""

import json
import logging
import time
from typing import Any, cast

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from lk_site.tasks import Call, RowBackend, Task

log = logging.getLogger("lk.tasks")

CALLS = "lk:tasks"  # the list in Redis; each call is the JSON of a task's path and its arguments: an id
CALLS_AT_MOST, CALLS_KEPT_S = 10_000, 600  # of calls that nobody hears; their rows wait in the database
AWAY = (RedisError, OSError)
ASK_AGAIN_S = 2.0  # so that a Redis that is gone costs one request in two seconds its time-out
TIMEOUT_S = 0.5
LOOK_EVERY_S = 10.0  # into the database, for rows whose call was lost or whose next try is due


class RedisBackend(RowBackend):
    """Calls through a list in Redis; while Redis is away, workers look."""

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.redis = Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
        )
        self.away_until = self.look_at = 0.0

    def call(self, task: Task[..., Any], args: list[str]) -> None:
        if time.monotonic() < self.away_until:
            return
        try:
            with self.redis.pipeline() as pipe:
                pipe.lpush(CALLS, json.dumps([task.module_path, args]))
                pipe.ltrim(CALLS, 0, CALLS_AT_MOST - 1)
                pipe.expire(CALLS, CALLS_KEPT_S)
                pipe.execute()
        except AWAY as error:
            self.be_away(error)

    def heard(self, wait_s: float) -> Call | None:
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0:
            if time.monotonic() < self.away_until:
                time.sleep(min(left, TIMEOUT_S))
                continue
            try:
                found = self.redis.brpop([CALLS], timeout=min(left, TIMEOUT_S / 2))
            except AWAY as error:
                self.be_away(error)
            else:
                if found:
                    path, args = json.loads(cast("list[str]", found)[1])
                    return path, args
        return None

    def be_away(self, error: Exception) -> None:
        self.away_until, self.look_at = time.monotonic() + ASK_AGAIN_S, 0.0
        log.warning("redis is away, workers look for operations: %s", type(error).__name__)

    @property
    def must_look(self) -> bool:
        now = time.monotonic()
        if now < self.look_at and now >= self.away_until:
            return False
        self.look_at = now + LOOK_EVERY_S
        return True
