from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from lk_site import environment

LITE = Path("/var/lk/lk.sqlite3")


def test_without_an_address_the_database_is_the_file(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "")
    assert environment.database(LITE)["NAME"] == str(LITE)


def test_an_address_names_server_database_and_user(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://lk:a%2Fb@db.example:5433/lk?sslmode=verify-full&connect_timeout=2")
    found = environment.database(LITE)
    wanted = {"NAME": "lk", "USER": "lk", "PASSWORD": "a/b", "HOST": "db.example", "PORT": "5433"}
    assert found | wanted == found
    assert (found["OPTIONS"]["sslmode"], found["OPTIONS"]["connect_timeout"]) == ("verify-full", "2")


def test_a_server_that_has_vanished_holds_nobody_for_long(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://lk@db.example/lk")
    options = environment.database(LITE)["OPTIONS"]
    assert options["connect_timeout"] <= 5
    assert options["tcp_user_timeout"] <= 5000, "milliseconds until what was sent must have arrived"
    silence = options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"]
    assert silence <= 15, "seconds of waiting for an answer"


@pytest.mark.parametrize("url", ["mysql://host/lk", "postgres://host:port/lk", "host/lk"])
def test_an_address_that_is_none_stops_the_start(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured):
        environment.database(LITE)
