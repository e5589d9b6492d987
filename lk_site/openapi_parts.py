"""What stands in the OpenAPI document whatever the operations are: introduction, refusals, ways in, headers, events."""

from typing import Any

from lk_site.problems import KEY_CHALLENGE

DESCRIPTION = """\
Deals and clients of a real-estate agency, for programs.

JSON in UTF-8, `snake_case`. Ids are UUIDs, times RFC 3339 in UTC, days `YYYY-MM-DD`, money is a string of roubles
with two decimals, phones are digits with the country code. Absent is not `null`. Lists of codes may grow. An unknown
field or query parameter is 422: nothing is ignored or cut silently.

**Keys.** A program sends `Authorization: Bearer lk_live_…`. A head of the agency makes the key, on the page of keys
or by `POST /keys`, with the scopes that the program needs and no others. Each operation says which scope opens it,
and `x-scopes` says so to programs; `GET /key` tells a program what its own key may do. A key sees what the head sees,
clients' numbers masked. What it creates names the `agent` whom it is for: an id from `GET /agents`.

**Signing in** as a person: `POST /auth/send-code`, then `POST /auth/verify-code` with the cookies it set. Unsafe
methods carry the value of the CSRF cookie in `X-CSRFToken`.

**Refusals** are RFC 9457 problem documents. `code` is stable and for programs, `detail` for people, in the language
that is asked for; `errors` point at the fields. Name the `request_id` when you ask for help.

**Reading.** Lists are walked by `?limit=` and `?cursor=`; the next page is named by `next_cursor` and `Link`, and
what is written meanwhile neither repeats nor hides others. Of deals and clients `?fields=number,price` answers these
members alone, and `?expand=client,agent` the things themselves in place of their ids. `If-None-Match` with the `ETag`
of one answers 304 while it is the same.

**Writing safely.** A POST or PATCH with an `Idempotency-Key` may be sent again for 24 hours: it is done once, and the
first answer is replayed. What people edit has a `version`. Changing a deal or client that is there needs `If-Match`
with its `ETag` or `"<version>"`: without it 428; with an older one 412, which names the fields that have changed
since.

**Many at once.** `POST /deals/bulk` and `POST /clients/bulk` take up to 100 changes and answer each by itself:
`atomic` does all or none, `dry_run` answers what would happen and keeps nothing. With `Prefer: respond-async` they
answer 202 at once and do it later: `Location` says where to ask what became of it, `GET /operations/{operation_id}`.

**Following changes.** `GET /changes` tells everything that happens, once each and in commit order, for 30 days, with
each object as it is now. Without a cursor it answers the present one: take that, copy the lists, those of the trash
too, then follow, and the copy is exact. Webhooks tell the same as it happens: signed by Standard Webhooks 1.0, tried
again for three days until the receiver answers 2xx, and with no more in them than ids, versions and names of fields.

**Limits.** Each key has its own, and all keys of an agency one together. `RateLimit-Policy` and `RateLimit` say on
every answer which limits hold and what is left; 429 carries `Retry-After`.
"""
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "A refusal (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "instance", "request_id", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people, in the language asked for."},
        "code": {"type": "string", "description": "For programs; never changes."},
        "instance": {"type": "string", "format": "uri-reference"},
        "request_id": {"type": "string"},
        "current_version": {"type": "integer", "description": "Of `stale`: the version that the row has now."},
        "changed_fields": {"type": "array", "items": {"type": "string"}, "description": "Of `stale`: since then."},
        "client": {"type": "string", "format": "uuid", "description": "Of `client_exists`: who is in the way."},
        "scopes": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Of `scope_missing`: any one of these would do.",
        },
        "retry_after": {"type": "integer", "description": "Of `limit_reached`: seconds, as in `Retry-After`."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON pointer into the body, or `?name` of a parameter.",
                    },
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
SESSION = {"type": "apiKey", "in": "cookie", "name": "__Host-lk", "description": "Set by `POST /auth/verify-code`."}
KEY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "lk_live_ and 46 letters and digits",
    "description": "A key of the agency. The roles beside it are its scopes: any one of those named is enough.",
}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {"description": "Name it when you ask for help.", "example": "3f1d0c6f9a2b4e57"},
    "RateLimit-Policy": {"description": "The limits that hold here.", "example": '"key";q=120;w=120'},
    "RateLimit": {"description": "What is left of each, and seconds to its end.", "example": '"key";r=119;t=120'},
    "Retry-After": {"description": "Seconds to wait.", "example": "5"},
    "WWW-Authenticate": {"description": "How to ask.", "example": KEY_CHALLENGE},
    "Link": {"description": 'The next page, as `<address>; rel="next"`.', "required": False},
    "Location": {"description": "Where the new thing is."},
}
EVERYWHERE = ("X-Request-ID", "RateLimit-Policy", "RateLimit")
OF_REFUSALS = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
EVENT: dict[str, Any] = {
    "type": "object",
    "title": "WebhookEvent",
    "description": "What happened: ids, codes and names of fields, never what they hold.",
    "required": ["type", "timestamp", "data"],
    "properties": {
        "type": {"type": "string", "description": "As in `GET /changes`, or `webhook.test`."},
        "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
        "data": {
            "type": "object",
            "required": ["event", "object", "version", "fields"],
            "properties": {
                "event": {"type": "string", "format": "uuid", "description": "Its id in `GET /changes`."},
                "object": {
                    "type": "object",
                    "required": ["type", "id"],
                    "properties": {"type": {"type": "string"}, "id": {"type": "string", "format": "uuid"}},
                },
                "version": {"type": ["integer", "null"], "description": "That the change made."},
                "fields": {"type": "array", "items": {"type": "string"}, "description": "Names of what changed."},
            },
        },
    },
    "examples": [
        {
            "type": "deal.changed",
            "timestamp": "2026-11-23T09:05:00Z",
            "data": {
                "event": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8",
                "object": {"type": "deal", "id": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b9"},
                "version": 2,
                "fields": ["price"],
            },
        }
    ],
}
SENT = """\
A webhook of yours is told what happened. Answer 2xx within 15 seconds; anything else is tried again, with longer and
longer pauses or when your `Retry-After` says, for about three days.

The signature is `v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`; its key is the
secret after `whsec_`, decoded from base64. While a secret is replaced there are two signatures with a space between.
Refuse a timestamp more than five minutes away, and do nothing twice for one `webhook-id`.
"""
TAG = {"schema": {"type": "string"}, "description": '`"<version>.<digest of this body>"`'}
QUEUED = {
    "Location": {"schema": {"type": "string"}, "description": "Where to ask what became of it."},
    "Retry-After": {"schema": {"type": "string"}, "description": "Seconds to wait before that."},
    "Preference-Applied": {"schema": {"type": "string"}},
}
