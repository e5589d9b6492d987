"""A clock that tests set forward."""

from datetime import UTC, datetime, timedelta

import pytest


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Time stands still until the test sets it forward."""
    clock = Clock()
    monkeypatch.setattr("django.utils.timezone.now", lambda: clock.now)
    return clock
