"""LK asked in this process, without a server: the WSGI application gets what gunicorn would give it."""

from collections.abc import Callable
from io import BytesIO
from itertools import count
from typing import Any

from bench.calls import creating, headers, new_deal
from bench.environment import HOST, PORT
from bench.load import NUMBER, Call, fresh_start
from bench.rows import CREATE, DETAIL, HTML_CARD, HTML_LIST, LIST
from bench.seed import Visitor

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]
NUMBERS = count(fresh_start())


def asking(application: Application, call: Call) -> Callable[[], None]:
    """Return the function that asks for it once; it raises RuntimeError for a refusal."""

    def ask() -> None:
        statuses: list[str] = []
        response = application(environ_of(call), lambda status, headers, *_: statuses.append(status))
        for _ in response:
            pass
        if hasattr(response, "close"):
            response.close()
        if statuses[0][0] not in "23":
            raise RuntimeError(f"{call.method} {call.path} is answered {statuses[0]}")

    return ask


def environ_of(call: Call) -> dict[str, Any]:
    number = f"{next(NUMBERS) % 1_000_000_000:09d}"
    path, _, query = call.path.partition("?")
    body = call.body.replace(NUMBER, number).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": str(PORT),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": HOST,
        "HTTP_HOST": f"{HOST}:{PORT}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in call.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value.replace(NUMBER, number)
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def calls_of(who: Visitor) -> dict[str, Call]:
    """Return one call of each kind that a signed-in person makes most."""
    return {
        LIST: Call("/api/v1/deals/", headers(who)),
        DETAIL: Call(f"/api/v1/deals/{who.deal_ids[0]}", headers(who)),
        CREATE: Call("/api/v1/deals/", creating(who), "POST", new_deal()),
        HTML_LIST: Call("/deals/", headers(who)),
        HTML_CARD: Call(f"/deals/{who.deal_ids[0]}/", headers(who)),
    }
