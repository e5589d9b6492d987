"""The two who ask the API: a person by a session, and a program by a key. Both by the words of `Program`."""

from typing import Any

from accounts.models import User
from accounts.tests.programs import program
from deals.tests.programs import CREATED, Program


class BySession(Program):
    """A person. What he makes is his own. What breaks is answered as it would be in public."""

    def __init__(self, user: User | None = None, language: str = "en") -> None:
        super().__init__(user, language)
        self.browser.raise_request_exception = False

    def for_whom(self) -> dict[str, str]:
        """Return what a body must say beside its fields, so that something is made."""
        return {}

    def new_deal(self, **changes: Any) -> dict[str, Any]:
        """Return the body of a deal that may be created."""
        return CREATED | self.for_whom() | changes

    def create(self, **changes: Any) -> dict[str, Any]:
        return super().create(**self.for_whom() | changes)

    def create_client(self, *phones: str, **fields: Any) -> dict[str, Any]:
        """Create a client, and return him."""
        response = self.post("/clients/", {"phones": phones, **self.for_whom(), **fields})
        assert response.status_code == 201, response.content.decode()
        return dict(response.json())


class ByKey(BySession):
    """A program. What it makes is for the agent whom it names."""

    def __init__(self, token: str, agent: User) -> None:
        super().__init__()
        self.browser = program(token, HTTP_ACCEPT_LANGUAGE="en")
        self.token, self.agent = "", agent

    def for_whom(self) -> dict[str, str]:
        return {"agent": str(self.agent.pk)}
