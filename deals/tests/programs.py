"""A program that asks the API as a person: signed in by a session, with a CSRF token, in English."""

import json
from typing import Any

from django.conf import settings
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client

from accounts.models import User
from accounts.tests.people import sign_in

ROOT = "/api/v1"
CREATED = {"client_phone": "+7 916 123-45-67", "property_address": "Москва, Тверская ул., 12", "price": "12500000.00"}


class Program:
    """One person's program. Bodies are JSON; `version` becomes `If-Match`, `key` the `Idempotency-Key`."""

    def __init__(self, user: User | None = None, language: str = "en") -> None:
        self.browser = Client(enforce_csrf_checks=True, headers={"Accept-Language": language})
        self.token = _get_new_csrf_string()
        self.browser.cookies[settings.CSRF_COOKIE_NAME] = self.token
        if user is not None:
            sign_in(self.browser, user, settings.SESSION_COOKIE_NAME)

    def get(self, path: str, query: Any = None, **headers: str) -> Any:
        return self.browser.get(ROOT + path, query, headers=spelled(headers))

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.send("POST", path, body, **options)

    def patch(self, path: str, body: Any, **options: Any) -> Any:
        return self.send("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.send("DELETE", path, None, **options)

    def send(
        self, method: str, path: str, body: Any, *, version: int | str | None = None, key: str = "", **headers: str
    ) -> Any:
        own = {"X-CSRFToken": self.token, **spelled(headers)}
        if version is not None:
            own["If-Match"] = f'"{version}"' if isinstance(version, int) else version
        if key:
            own["Idempotency-Key"] = key
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.browser.generic(method, ROOT + path, data, content_type="application/json", headers=own)

    def create(self, **changes: Any) -> dict[str, Any]:
        """Create a deal, and return it."""
        response = self.post("/deals/", CREATED | changes)
        assert response.status_code == 201, response.content.decode()
        return dict(response.json())


def spelled(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def refused(response: Any, status: int, code: str, *pointers: str) -> dict[str, Any]:
    """Check a problem document, and return it."""
    assert response.headers["Content-Type"] == "application/problem+json", response.content.decode()
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    if pointers:
        assert [error["pointer"] for error in problem["errors"]] == list(pointers), problem
    return dict(problem)
