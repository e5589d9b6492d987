"""Everything that is counted as it happens; what is read from the database stands in `accounts.services.readings`.

What a transaction counted stays counted when it is rolled back: these are measurements, the evidence is `Event`.
"""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lk_site.metrics.measures import Kind, Measure

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CLASSES = {n: f"{n}xx" for n in range(1, 6)}
STATIC, UNKNOWN, OTHER = "static", "unknown", "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)  # where the buckets of requests end

REQUESTS = Measure(
    "lk_requests_total", Kind.COUNTER, "Requests that were answered, by class of status.", ("route", "method", "status")
)
REQUEST_SECONDS = Measure(
    "lk_request_seconds",
    Kind.HISTOGRAM,
    "How long requests took, from the first of our middleware to the end of the answer's making.",
    ("route", "method"),
    {"buckets": SECONDS},
)
IN_FLIGHT = Measure(
    "lk_requests_in_flight",
    Kind.GAUGE,
    "Requests that are being answered now.",
    options={"multiprocess_mode": "livesum"},
)
UNAVAILABLE = Measure(
    "lk_unavailable_total",
    Kind.COUNTER,
    "Requests answered with 503: `no_database`, or `no_key` where a process lacks a key of the others.",
    ("why",),
)
LIMITS_HIT = Measure(
    "lk_limits_hit_total",
    Kind.COUNTER,
    "Refused uses of a named limit; `evidence.*` and `code.sends.range.number` refuse nobody, they count once.",
    ("limit",),
)
CODES = Measure(
    "lk_codes_total",
    Kind.COUNTER,
    "Codes: `queued` for sending, `withheld` by a limit or a rule, `verified`, `refused`.",
    ("purpose", "outcome"),
)
SESSIONS_OPENED = Measure("lk_sessions_opened_total", Kind.COUNTER, "Sessions that a login has opened.")
SMS = Measure(
    "lk_sms_total",
    Kind.COUNTER,
    "Tries to hand an SMS to the gateway: `sent`, `put_off` until the next try, `failed` for good.",
    ("outcome",),
)
WEBHOOK_TRIES = Measure(
    "lk_webhook_tries_total",
    Kind.COUNTER,
    "Tries of webhooks: `delivered`, `refused` by an answer that is not 2xx, or `unanswered`.",
    ("outcome",),
)
ENDPOINTS_SWITCHED_OFF = Measure(
    "lk_webhook_endpoints_switched_off_total", Kind.COUNTER, "Endpoints of webhooks that were switched off.", ("why",)
)
OPERATIONS = Measure(
    "lk_operations_total",
    Kind.COUNTER,
    "Tries of operations: `done`, `failed` for good, or `broken` until the next try.",
    ("outcome",),
)
WORKER_TURNED = Measure(
    "lk_worker_last_turn_timestamp_seconds",
    Kind.GAUGE,
    "When a worker that runs now last ended a turn without a fault, in seconds since 1970.",
    ("turn",),
    {"multiprocess_mode": "livemax"},
)
WORKER_FAULTS = Measure("lk_worker_faults_total", Kind.COUNTER, "Turns of the worker that broke.", ("turn",))

COUNTED = (
    REQUESTS,
    REQUEST_SECONDS,
    IN_FLIGHT,
    UNAVAILABLE,
    LIMITS_HIT,
    CODES,
    SESSIONS_OPENED,
    SMS,
    WEBHOOK_TRIES,
    ENDPOINTS_SWITCHED_OFF,
    OPERATIONS,
    WORKER_TURNED,
    WORKER_FAULTS,
)


def request_answered(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    """Count a request by its route, never its path."""
    if not settings.METRICS_ADDRESS:
        return
    route, method = route_of(request, response), request.method if request.method in METHODS else OTHER
    REQUESTS.add(route, method, CLASSES.get(response.status_code // 100, OTHER))
    REQUEST_SECONDS.observe(route, method, value=seconds)


def route_of(request: HttpRequest, response: HttpResponseBase) -> str:
    """Return the pattern of the address; all that match none are one."""
    if request.resolver_match:
        return request.resolver_match.route
    is_file = request.path_info.startswith(settings.STATIC_URL) and response.status_code < 400
    return STATIC if is_file else UNKNOWN
