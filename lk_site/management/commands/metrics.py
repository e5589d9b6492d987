"""`manage.py metrics`: answers Prometheus at LK_METRICS_ADDRESS."""

import logging
import signal
import time
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

log = logging.getLogger("lk.metrics")

TRY_AGAIN_S = 2.0  # while the one before still listens


class Command(BaseCommand):
    help = "Answer Prometheus at LK_METRICS_ADDRESS until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.METRICS_ADDRESS:
            raise CommandError("LK_METRICS_ADDRESS is not set; set it to the address to listen at, as 127.0.0.1:9108.")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        self.listen(settings.METRICS_ADDRESS)

    def listen(self, address: tuple[str, int]) -> None:
        """Listen, and wait where another process does already: whoever ends here would end the site with it."""
        from lk_site.metrics.listener import Listener

        while True:
            try:
                with Listener(address) as listener:
                    listener.serve_forever()
            except OSError as error:
                log.error("metrics cannot listen at %s port %s: %s", *address, error.strerror)
                time.sleep(TRY_AGAIN_S)


def stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
