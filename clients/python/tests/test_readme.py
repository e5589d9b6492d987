"""The README, carried out: its blocks run one after another against the live server, as a stranger would type them."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

import lk_client

from .blocking import Loop
from .test_webhooks import BODY, SECRET

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def carry_out(block: str, names: dict[str, Any]) -> None:
    """Run a block, which may await."""
    code = compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    awaited = eval(code, names)
    if inspect.iscoroutine(awaited):
        loop = Loop()
        loop.run(awaited)
        loop.close()


def test_every_block_of_the_readme_runs(live_server: Any, vera: Any, monkeypatch: pytest.MonkeyPatch):
    from accounts.tests.programs import make_key

    token = make_key(vera).token
    monkeypatch.setenv("LK_KEY", token)
    monkeypatch.setenv("LK_WEBHOOK_SECRET", SECRET)
    kept: dict[str, Any] = {}
    views: list[Any] = []
    names: dict[str, Any] = {
        "save": kept.__setitem__,
        "load_cursor": lambda: kept.get("cursor"),
        "save_cursor": lambda cursor: kept.update(cursor=cursor),
        "lead_id": 7,
        "fields": {"agent": str(vera.pk), "client_phone": "79031112233", "property_address": "Арбат, 1", "price": 1},
        "app": type("App", (), {"post": staticmethod(lambda path: views.append)}),
        "remember": lambda event: True,
        "queue": lambda kind, name: kept.update(told=(kind, name)),
    }
    for block in BLOCKS:
        with lk_client.Client(token, live_server.url) as names["lk"]:
            carry_out(block.replace("https://lk.example.ru", live_server.url), names)
    assert {"cursor", names["deal"].id} <= set(kept)
    assert names["result"].refused == ()
    assert_webhooks_are_let_in(views[0])
    assert kept["told"] == ("deal.changed", "d1")


def assert_webhooks_are_let_in(view: Any) -> None:
    from django.utils import timezone

    now = timezone.now()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = Webhook(SECRET).sign("msg_1", now, BODY)
    request = type("Request", (), {"headers": headers, "body": BODY.encode()})
    assert view(request) == 204
    request.body = b"{}"
    assert view(request) == 400


def test_the_readme_names_every_operation():
    (table,) = re.findall(r"\| part \|.*?\n\n", README, re.DOTALL)
    with lk_client.Client("lk_live_" + "a" * 46, "https://lk.example") as lk:
        for name, part in vars(lk).items():
            if not name.startswith("_"):
                methods = [method for method in vars(type(part)) if not method.startswith("_")]
                assert {f"`{word}`" for word in [name, *methods]} <= set(re.findall(r"`\w+`", table)), name
