"""Counters of throttles: in Redis, and in the memory of this process while Redis is away. They never fail open."""

import logging
import time
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger("lk.throttle")

AWAY = (RedisError, OSError)
ASK_AGAIN_S = 2.0  # so that a Redis that is gone costs one request in two seconds its time-out


class RedisOrMemoryCache(RedisCache):
    """The three calls that django-ratelimit makes, answered by the cache `memory` while Redis is away."""

    away_until = 0.0

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self.either("add", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self.either("incr", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self.either("get", *args, **kwargs)

    def either(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= RedisOrMemoryCache.away_until:
            try:
                return getattr(super(), name)(*args, **kwargs)
            except AWAY as error:
                RedisOrMemoryCache.away_until = time.monotonic() + ASK_AGAIN_S
                log.warning("redis is away: %s", type(error).__name__)
        return getattr(caches["memory"], name)(*args, **kwargs)
