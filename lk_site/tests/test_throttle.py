from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.test import RequestFactory

from accounts.services.devices import cookie_of
from lk_site import throttle_cache
from lk_site.middleware.throttle import count
from lk_site.tests.people import client_of, person

ME = "/api/v1/me"


def redis_at(url: str) -> dict[str, Any]:
    return {
        "BACKEND": "lk_site.throttle_cache.RedisOrMemoryCache",
        "LOCATION": url,
        "KEY_PREFIX": f"lk-test-{uuid4()}",
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }


@pytest.fixture
def _low_limits(settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "person": (5, 300), "anonymous": (3, 300), "search": (2, 60)}


def test_the_real_numbers(settings: Any):
    assert settings.LIMITS["person"] == (1500, 300)
    assert settings.LIMITS["anonymous"] == (300, 300)
    assert settings.LIMITS["search"] == (30, 60)


@pytest.mark.django_db
@pytest.mark.usefixtures("small_api", "_low_limits")
class TestThrottle:
    def test_a_person_is_counted_wherever_he_asks_from(self):
        anna, boris = person("79161234567"), person("79161234568")
        answers = [client_of(anna).get(ME, REMOTE_ADDR=f"10.0.0.{i}").status_code for i in range(7)]
        assert answers == [200] * 5 + [429] * 2
        assert client_of(boris).get(ME).status_code == 200

    def test_a_source_is_counted_where_nobody_is_signed_in(self):
        answers = [client_of().get("/login/", REMOTE_ADDR="1.2.3.4").status_code for _ in range(5)]
        assert answers == [200] * 3 + [429] * 2
        assert client_of().get("/login/", REMOTE_ADDR="1.2.3.5").status_code == 200

    def test_a_forged_header_makes_no_new_source(self):
        answers = [client_of().get("/login/", headers={"X-Forwarded-For": f"8.8.8.{i}"}).status_code for i in range(5)]
        assert answers == [200] * 3 + [429] * 2

    def test_an_ipv6_source_is_its_64(self):
        answers = [client_of().get("/login/", REMOTE_ADDR=f"2001:db8::{i}").status_code for i in range(1, 6)]
        assert answers == [200] * 3 + [429] * 2

    def test_refusals_are_counted_and_a_refused_asker_hears_401_first(self):
        answers = [client_of().get(ME, REMOTE_ADDR="1.2.3.4").status_code for _ in range(5)]
        assert answers == [401] * 5
        assert client_of().get("/login/", REMOTE_ADDR="1.2.3.4").status_code == 429

    def test_offices_have_fifty_times_as_much(self, settings: Any):
        settings.OFFICE_SOURCES = ["1.2.0.0/16"]
        response = client_of().get(ME, REMOTE_ADDR="1.2.3.4")
        assert response["RateLimit-Policy"] == '"anonymous";q=150;w=300'

    def test_a_browser_that_has_logged_in_is_counted_by_itself(self, settings: Any):
        known, forger, stranger = client_of(), client_of(), client_of()
        known.cookies[settings.DEVICE_COOKIE_NAME] = cookie = cookie_of(uuid4(), "79161234567")
        forger.cookies[settings.DEVICE_COOKIE_NAME] = cookie[:-1] + ("A" if cookie[-1] != "A" else "B")
        assert [stranger.get("/login/").status_code for _ in range(4)] == [200] * 3 + [429]
        assert forger.get("/login/").status_code == 429
        assert [known.get("/login/").status_code for _ in range(4)] == [200] * 3 + [429]

    def test_searches_have_a_limit_of_their_own(self):
        client = client_of(person("79161234567"))
        assert [client.get(f"/api/v1/agencies/?q={i}").status_code for i in range(3)] == [200, 200, 429]
        assert client.get("/api/v1/agencies/").status_code == 200
        assert client.post("/deals/search/").status_code == 429

    def test_a_refusal_says_when_to_come_back(self):
        anna = person("79161234567")
        for _ in range(5):
            client_of(anna).get(ME)
        response = client_of(anna).get(ME)
        assert (response.status_code, response.json()["code"]) == (429, "too_often")
        assert 1 <= int(response["Retry-After"]) <= 300
        page = client_of(anna).get("/deals/")
        assert (page.status_code, page["Content-Type"]) == (429, "text/html; charset=utf-8")
        assert page["Retry-After"]

    @pytest.mark.parametrize(
        ("method", "address", "status"),
        [
            ("get", ME, 200),
            ("get", "/api/v1/nothing", 404),
            ("put", ME, 415),
            ("get", "/api/v1/docs", 200),
            ("options", ME, 405),
        ],
    )
    def test_every_answer_of_the_api_says_what_is_left(self, method: str, address: str, status: int):
        body = {"data": "text", "content_type": "text/plain"} if method == "put" else {}
        response = getattr(client_of(person("79161234567")), method)(address, **body)
        assert response.status_code == status
        assert response["RateLimit-Policy"] == '"person";q=5;w=300'
        assert response["RateLimit"].startswith('"person";r=4;t=')

    def test_machines_that_watch_are_not_counted(self):
        for _ in range(5):
            assert client_of().get("/healthz").status_code == 404
        assert client_of().get("/login/").status_code == 200


class TestCounting:
    """Counts as the middleware does, many at once."""

    def burst(self, how_many: int) -> int:
        request = RequestFactory().get("/")
        with ThreadPoolExecutor(20) as pool:
            usages = pool.map(lambda _: count(request, "search", "someone"), range(how_many))
        return sum(not usage.is_over for usage in usages)

    def test_memory_counts_exactly_within_a_process(self):
        assert self.burst(200) == 30

    def test_redis_counts_exactly(self, settings: Any, redis_url: str):
        settings.CACHES = {**settings.CACHES, "throttle": redis_at(redis_url)}
        assert self.burst(200) == 30

    def test_without_redis_memory_takes_over_and_no_limit_fails_open(self, settings: Any, monkeypatch: Any):
        monkeypatch.setattr(throttle_cache.RedisOrMemoryCache, "away_until", 0.0)
        settings.CACHES = {**settings.CACHES, "throttle": redis_at("redis://127.0.0.1:1/0")}
        assert self.burst(200) == 30

    def test_redis_that_comes_back_is_asked_again(self, settings: Any, monkeypatch: Any, redis_url: str):
        settings.CACHES = {**settings.CACHES, "throttle": redis_at(redis_url)}
        monkeypatch.setattr(throttle_cache.RedisOrMemoryCache, "away_until", 1e18)
        assert caches["throttle"].add("key", 1, 60)
        monkeypatch.setattr(throttle_cache.RedisOrMemoryCache, "away_until", 0.0)
        assert caches["throttle"].add("key", 1, 60)
        assert not caches["throttle"].add("key", 1, 60)
