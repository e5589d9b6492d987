"""What LK counts of itself for Prometheus; docs/seeing.md lists it all. Off without LK_METRICS_ADDRESS.

No label holds what somebody typed, an address, or the id of anybody: labels are names that stand in the code.
"""

from lk_site.metrics.catalogue import (
    CODES,
    COUNTED,
    ENDPOINTS_SWITCHED_OFF,
    IN_FLIGHT,
    LIMITS_HIT,
    METHODS,
    OPERATIONS,
    OTHER,
    SESSIONS_OPENED,
    SMS,
    UNAVAILABLE,
    WEBHOOK_TRIES,
    WORKER_FAULTS,
    WORKER_TURNED,
    request_answered,
    route_of,
)
from lk_site.metrics.files import count_as
from lk_site.metrics.measures import Kind, Measure

__all__ = [
    "CODES",
    "COUNTED",
    "ENDPOINTS_SWITCHED_OFF",
    "IN_FLIGHT",
    "LIMITS_HIT",
    "METHODS",
    "OPERATIONS",
    "OTHER",
    "SESSIONS_OPENED",
    "SMS",
    "UNAVAILABLE",
    "WEBHOOK_TRIES",
    "WORKER_FAULTS",
    "WORKER_TURNED",
    "Kind",
    "Measure",
    "count_as",
    "request_answered",
    "route_of",
]
