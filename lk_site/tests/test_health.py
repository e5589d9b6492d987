"""Machines ask two questions without a session, and get a short answer."""

import pytest
from django.db import OperationalError, connection
from django.test import Client

from lk_site import health, startup

BOTH = pytest.mark.parametrize("address", ["/healthz", "/readyz"])


@pytest.fixture(autouse=True)
def _ask_anew():
    health.be_fit.cache_clear()
    yield
    health.be_fit.cache_clear()


@BOTH
def test_a_fit_process_says_so_to_anybody(db, address):
    response = Client().get(address)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies


@BOTH
def test_an_unfit_process_is_unavailable_and_says_no_more(db, monkeypatch, address):
    monkeypatch.setattr(startup, "check", raising(startup.UnfitStart("the keys are wrong")))
    response = Client().get(address)
    assert (response.status_code, response.json()) == (503, {"status": "unfit"})
    assert response["Retry-After"]


@BOTH
def test_nothing_is_changed_by_asking(db, address):
    assert Client().post(address).status_code == 405


def test_once_fit_healthz_asks_nothing_of_the_database(db, django_assert_num_queries):
    Client().get("/healthz")
    with django_assert_num_queries(0):
        assert Client().get("/healthz").status_code == 200


def test_what_was_unfit_is_asked_again(db, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(startup, "check", raising(startup.UnfitStart("not yet")))
        assert Client().get("/healthz").status_code == 503
    assert Client().get("/healthz").status_code == 200


def test_without_a_database_it_lives_and_is_not_ready(db, monkeypatch):
    Client().get("/healthz")
    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", raising(OperationalError("gone")))
        assert Client().get("/healthz").status_code == 200
        response = Client().get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "no_database"})


def raising(error: Exception):
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    return fail
