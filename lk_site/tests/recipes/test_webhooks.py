"""docs/webhooks.md, run as a stranger runs it: real deliveries of LK to the page's receiver."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from accounts.models import WebhookDelivery
from accounts.services import webhooks
from accounts.services.webhook_delivery import deliver
from accounts.tests.programs import make_key
from accounts.tests.receiver import receiving
from deals.services.deals import trash_deal
from deals.services.pipeline import move_deal
from deals.tests.making import by, make_deal
from lk_site.tests.recipes.pages import Program, Stranger

EXAMPLE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE_ADDRESS = "https://hooks.example.ru/lk"


@pytest.fixture
def site(stranger: Callable[..., Stranger], settings: Any) -> Stranger:
    settings.WEBHOOK_LOOPBACK = True
    return stranger("webhooks.md", PORT="0")


@contextmanager
def receiver(site: Stranger, secret: str = EXAMPLE_SECRET, **environment: str) -> Iterator[tuple[Program, str]]:
    with site.running("run", {EXAMPLE_SECRET: f"'{secret}'"}, **environment) as program:
        yield program, program.says(r"webhooks: (http\S+)")[1]


@contextmanager
def told(site: Stranger, head: Any) -> Iterator[Program]:
    """Run the receiver, once a webhook for its address has shown the secret."""
    with receiver(site) as (_, url):
        endpoint = webhooks.add_endpoint(url, actor=by(head))
    port = url.rstrip("/").rpartition(":")[2]
    with receiver(site, endpoint.secret, PORT=port) as (program, _):
        yield program


def test_what_happens_is_told_with_the_deal_as_it_is(site, vera, anna):
    with told(site, vera) as program:
        deal = make_deal(anna)
        move_deal(deal.pk, "showing", actor=by(anna), version=1)
        deliver()
        told_of = {program.says(r"(deal\.\w+): deal 1 is at Показ.* for 12500000.00")[1] for _ in range(2)}
    assert told_of == {"deal.created", "deal.moved"}
    assert {one.last_code for one in WebhookDelivery.objects.all()} == {204}


def test_what_is_sent_again_is_done_once_also_after_a_power_cut(site, vera, anna):
    with receiver(site) as (_, url):
        endpoint = webhooks.add_endpoint(url, types=["deal.created", "deal.trashed"], actor=by(vera))
    port = url.rstrip("/").rpartition(":")[2]
    deal = make_deal(anna)
    with receiver(site, endpoint.secret, PORT=port, LK_URL="http://127.0.0.1:9") as (program, _):
        deliver()
        program.says("later: No answer")
    with receiver(site, endpoint.secret, PORT=port) as (program, _):
        program.says("deal.created: deal 1")
        webhooks.replay_delivery(endpoint.pk, WebhookDelivery.objects.get().pk, actor=by(vera))
        deliver()
        trash_deal(deal.pk, actor=by(anna), version=1)
        deliver()
        program.says("deal.trashed: the deal is gone")
    assert "".join(program.said).count("deal.created") == 1


def test_what_lk_did_not_sign_is_refused_and_not_kept(site):
    with receiver(site) as (program, url):
        assert httpx.post(url, json={"type": "deal.created"}).status_code == 400
        program.says("refused: Without webhook-id")


def test_both_secrets_are_believed_while_one_replaces_the_other(site, vera, anna):
    with receiver(site) as (_, url):
        endpoint = webhooks.add_endpoint(url, actor=by(vera))
    old, port = endpoint.secret, url.rstrip("/").rpartition(":")[2]
    rotated = webhooks.rotate_secret(endpoint.pk, actor=by(vera))
    with receiver(site, f"{EXAMPLE_SECRET} {old}", PORT=port) as (program, _):
        make_deal(anna)
        deliver()
        program.says("deal.created: deal 1")
    with receiver(site, f"{rotated.secret} {old}", PORT=port) as (program, _):
        make_deal(anna)
        deliver()
        program.says("deal.created: deal 2")


def test_the_reference_library_verifies_as_the_page_says(site, vera, anna):
    with receiving() as one:
        endpoint = webhooks.add_endpoint(one.url, types=["deal.created"], actor=by(vera))
        deal = make_deal(anna)
        deliver()
    (request,) = one.received
    site.environment["LK_WEBHOOK_SECRET"] = endpoint.secret
    given = json.dumps({"headers": request.headers, "body": request.body.decode()})
    assert verified(site, given).stdout == f"deal.created {deal.pk}\n"
    assert verified(site, given.replace("deal.created", "deal.purged")).returncode != 0


def verified(site: Stranger, given: str) -> "subprocess.CompletedProcess[str]":
    return site.types("python verify.py", given)


def test_a_webhook_is_added_as_the_page_says(site, vera):
    site.environment["LK_MANAGER"] = make_key(vera, ["webhooks:manage"]).token
    with receiving() as one:
        made = json.loads(site.bash("add", {EXAMPLE_ADDRESS: one.url}).stdout)
    assert (made["url"], made["types"]) == (one.url, ["deal.created", "deal.moved"])
    assert made["secret"].startswith("whsec_")
