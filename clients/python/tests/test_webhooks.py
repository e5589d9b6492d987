"""Webhooks: verified as the reference library signs them."""

import json
from datetime import datetime, timedelta, timezone
from email import message_from_string
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from lk_client import WebhookRefused
from lk_client.webhooks import verify

SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOW = datetime(2026, 11, 23, 9, 5, tzinfo=timezone.utc)
EVENT = "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"
BODY = json.dumps(
    {
        "type": "deal.changed",
        "timestamp": "2026-11-23T09:04:58Z",
        "data": {"event": EVENT, "object": {"type": "deal", "id": "d1"}, "version": 3, "fields": ["price"]},
    }
)


def signed(body: str = BODY, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body),
    }


def checked(secret: Any = SECRET, headers: Any = None, body: Any = BODY, **options: Any) -> Any:
    return verify(secret, headers or signed(), body, now=NOW.timestamp, **options)


@pytest.mark.parametrize("body", [BODY, BODY.encode(), bytearray(BODY.encode())])
def test_an_event_of_ours_is_read(body: Any):
    event = checked(body=body)
    assert (event.type, event.id, event.message_id) == ("deal.changed", EVENT, "msg_1")
    assert (event.object_type, event.object_id, event.version, event.fields) == ("deal", "d1", 3, ("price",))
    assert event.at == datetime(2026, 11, 23, 9, 4, 58, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "spelled",
    [
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: {name.title(): value for name, value in headers.items()},
        lambda headers: list(headers.items()),
        lambda headers: message_from_string("".join(f"{name}: {value}\n" for name, value in headers.items())),
        lambda headers: [(name.encode(), value.encode()) for name, value in headers.items()],
    ],
)
def test_headers_come_as_frameworks_give_them(spelled: Any):
    assert checked(headers=spelled(signed())).id == EVENT


def test_while_a_secret_is_replaced_either_is_right():
    assert checked([OTHER, SECRET]).id == EVENT
    both = signed(secret=OTHER)["webhook-signature"] + " " + signed()["webhook-signature"]
    assert checked(headers={**signed(), "webhook-signature": f"v1a,xxx {both}"}).id == EVENT


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": signed()["webhook-signature"].replace("v1,", "v2,")},
        {"webhook-signature": "v1,é"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "-5"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-signature": ""},
    ],
)
def test_whatever_is_changed_is_refused(changes: dict[str, str]):
    with pytest.raises(WebhookRefused):
        checked(headers={**signed(), **changes})


def test_another_body_or_secret_is_refused():
    with pytest.raises(WebhookRefused):
        checked(body=BODY.replace("3", "4"))
    with pytest.raises(WebhookRefused):
        checked(OTHER)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(name: str):
    headers = {**signed()}
    del headers[name]
    with pytest.raises(WebhookRefused, match=name):
        checked(headers=headers)


@pytest.mark.parametrize("away", [timedelta(seconds=301), timedelta(seconds=-301), timedelta(days=3650)])
def test_what_is_old_or_from_the_future_is_refused(away: timedelta):
    with pytest.raises(WebhookRefused):
        checked(headers=signed(at=NOW + away))


def test_five_minutes_are_within_tolerance():
    assert checked(headers=signed(at=NOW - timedelta(minutes=5))).id == EVENT


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"type": "x", "timestamp": "y", "data": 5}'])
def test_a_signed_body_that_is_no_event_is_refused(body: str):
    with pytest.raises(WebhookRefused):
        checked(headers=signed(body), body=body)


@pytest.mark.parametrize("secret", [[], "", "whsec_", "whsec_not base64!", ["whsec_"]])
def test_a_secret_that_is_none_is_a_mistake_of_the_caller(secret: Any):
    with pytest.raises(ValueError, match="secret"):
        checked(secret)


def test_members_of_tomorrow_break_nothing():
    grown = json.loads(BODY)
    grown["data"]["reason"] = "why not"
    body = json.dumps(grown)
    assert checked(headers=signed(body), body=body).raw["reason"] == "why not"
