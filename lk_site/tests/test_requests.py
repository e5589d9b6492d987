"""What stands before the first middleware: no Content-Type breaks a request while Django makes it."""

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler

from lk_site.requests import Handler

pytestmark = pytest.mark.django_db
HOSTILE = [
    ("text/plain; charset=rot13", "next=%41"),
    ("text/plain; charset=hex", "%ff"),
    ("application/json; charset=utf-8", "&".join(["a=1"] * 300)),
    ("text/plain; charset*=nobody-knows''a", ""),
    ("text/plain; charset*=rot13''%41", ""),
    ("text/plain; charset=utf-16", "next=%41"),
]


def asked(handler: WSGIHandler, path: str, content_type: str, query: str) -> tuple[int, dict[str, str]]:
    """Ask as a server does, and return the status and the headers."""
    answers: list[tuple[int, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        answers.append((int(status.split()[0]), dict(headers)))

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": BytesIO(),
        "wsgi.url_scheme": "http",
    }
    handler(environ, start).close()
    return answers[0]


@pytest.mark.parametrize(("content_type", "query"), HOSTILE)
@pytest.mark.parametrize("path", ["/login/", "/api/v1/me", "/admin/login/"])
def test_no_content_type_breaks_a_request(path: str, content_type: str, query: str):
    status, headers = asked(Handler(), path, content_type, query)
    assert status in (200, 400, 401, 422)
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_server_serves_through_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lk_site.startup.refuse_unfit_start", lambda: None)
    from lk_site import wsgi

    assert isinstance(wsgi.application, Handler)
