"""A WSGI application that tells what reached it."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    asked = parse_qs(environ["QUERY_STRING"])
    time.sleep(float(asked.get("wait", ["0"])[0]))
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    text = json.dumps({**seen, "body_bytes": len(body), "filling": "x" * int(asked.get("fill", ["0"])[0])}).encode()
    start_response(
        f"{asked.get('status', ['200'])[0]} Said",
        [
            ("Content-Type", asked.get("type", ["application/json"])[0]),
            ("Content-Length", str(len(text))),
            ("X-Request-ID", "0123456789abcdef"),
            ("X-Content-Type-Options", "nosniff"),
        ],
    )
    return [text]
