"""Where the key goes, and where it never does."""

import copy
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomllib

import lk_client
from lk_client import NO_RETRIES, AsyncClient, Client, KeyRefused, LkError, NoAnswer, Retries
from lk_client.async_parts import AsyncPart
from lk_client.sending import Part

from .wire import KEY

LK = "https://lk.example"


def answering(status: int = 200, document: Any = None) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, json=document or {"items": [], "lost_reasons": []})

    return httpx.MockTransport(answer), seen


def test_a_request_says_who_asks_and_for_what():
    transport, seen = answering()
    with Client(KEY, LK, transport=transport, user_agent="ours/2") as lk:
        lk.pipelines.get()
    assert str(seen[0].url) == "https://lk.example/api/v1/pipelines"
    assert seen[0].headers["Authorization"] == f"Bearer {KEY}"
    assert seen[0].headers["User-Agent"].startswith(f"ours/2 lk-client/{lk_client.__version__} (Python 3.")
    assert seen[0].headers["Accept-Language"] == "ru"


@pytest.mark.parametrize("address", [LK, f"{LK}/", f"{LK}/api/v1", f"{LK}/api/v1/"])
def test_the_address_may_be_written_with_and_without_the_root(address: str):
    transport, seen = answering()
    with Client(KEY, address, transport=transport) as lk:
        lk.pipelines.get()
    assert str(seen[0].url) == f"{LK}/api/v1/pipelines"


@pytest.mark.parametrize(
    "address", ["http://lk.example", "lk.example", "ftp://lk.example", "https://u:p@lk.example", ""]
)
def test_a_key_never_travels_in_clear(address: str):
    with pytest.raises(ValueError, match="base_url"):
        Client(KEY, address)


@pytest.mark.parametrize("address", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_the_own_machine_needs_no_tls(address: str):
    Client(KEY, address).close()


@pytest.mark.parametrize("key", ["", "secret", KEY[:-1], f"{KEY}\n", f"Bearer {KEY}"])
def test_what_is_no_key_is_refused_without_being_shown(key: str):
    with pytest.raises(ValueError, match="lk_live_") as caught:
        Client(key, LK)
    assert key == "" or key not in str(caught.value)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_no_repr_shows_the_key(kind: Any):
    lk = kind(KEY, LK)
    shown = [repr(lk), repr(vars(lk)), repr(lk._connection), str(lk._connection), repr(lk.deals)]
    assert not [text for text in shown if KEY[20:] in text]


def test_a_key_is_not_pickled():
    with pytest.raises(TypeError):
        pickle.dumps(Client(KEY, LK)._connection)
    with pytest.raises(TypeError):
        copy.deepcopy(Client(KEY, LK)._connection)


def test_neither_logs_nor_exceptions_hold_the_key(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    transport, _seen = answering(401, {"code": "not_authenticated", "detail": "No."})
    with Client(KEY, LK, transport=transport) as lk, pytest.raises(KeyRefused) as caught:
        lk.deals.list(client_phone="79161234567").first()
    told = caplog.text + "".join(traceback.format_exception(caught.value))
    assert KEY[20:] not in told
    assert "GET /deals/ 401" in caplog.text


def test_our_log_holds_no_query(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, logger="lk_client")
    transport, _seen = answering()
    with Client(KEY, LK, transport=transport) as lk:
        list(lk.deals.list(client_phone="79161234567"))
    assert "79161234567" not in "".join(record.getMessage() for record in caplog.records if record.name == "lk_client")


def test_redirects_are_not_followed():
    seen: list[httpx.Request] = []

    def away(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"Location": "https://elsewhere.example/"})

    with Client(KEY, LK, transport=httpx.MockTransport(away)) as lk, pytest.raises(LkError):
        lk.pipelines.get()
    assert len(seen) == 1


@pytest.mark.parametrize(("error", "tries"), [(httpx.ConnectError, 3), (httpx.ReadTimeout, 1)])
def test_a_reveal_is_tried_again_only_where_it_was_never_sent(error: type[httpx.TransportError], tries: int):
    seen: list[httpx.Request] = []

    def fails(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        raise error("no luck")

    waited: list[float] = []
    with (
        Client(KEY, LK, transport=httpx.MockTransport(fails), sleep=waited.append, retries=Retries(times=2)) as lk,
        pytest.raises(NoAnswer),
    ):
        lk.clients.reveal("1")
    assert len(seen) == tries
    assert len(waited) == tries - 1


def test_nothing_answers_where_nobody_listens():
    with Client(KEY, "http://127.0.0.1:1", retries=NO_RETRIES) as lk, pytest.raises(NoAnswer):
        lk.pipelines.get()


def test_both_clients_offer_the_same():
    sync, asynchronous = Client(KEY, LK), AsyncClient(KEY, LK)
    assert parts_of(sync, Part) == parts_of(asynchronous, AsyncPart)


def parts_of(client: Any, kind: type) -> dict[str, dict[str, Any]]:
    """Return the functions behind the methods of each part."""
    return {
        name: {
            method: getattr(made, "function", method) for method, made in vars(type(part)).items() if method[0] != "_"
        }
        for name, part in vars(client).items()
        if isinstance(part, kind)
    }


def test_the_version_is_said_once():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == lk_client.__version__
