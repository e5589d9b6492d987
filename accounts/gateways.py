"""Ways a text reaches a phone, behind one small interface."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from lk_site.outgoing import NoAnswer, post

SIX_DIGITS = re.compile(r"#([0-9]{6})\b")
ANSWER_BYTES_AT_MOST = 64 * 1024
STATUS = re.compile(r"-1|[0-9]{1,3}", re.ASCII)
SMS_ID = re.compile(r"[0-9A-Za-z-]{1,50}", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class OutgoingSms:
    """A message on its way. `id` is its idempotency key: the same id is the same message, sent again."""

    id: UUID
    phone: str  # digits with country code
    text: str
    address: str | None = None  # of who asked for it, for the gateway's protection against fraud
    attempt: int = 1
    minutes: int = 5  # how long it is worth delivering


@dataclass(frozen=True, slots=True)
class Sent:
    """The gateway took the message over."""

    gateway_id: str
    status: int


class Delivery(StrEnum):
    """What became of a message that a gateway took over."""

    ON_ITS_WAY = "on its way"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    delivery: Delivery
    status: int


class TryAgain(Exception):
    """The gateway did not answer, or says that it cannot send now."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(f"the gateway cannot send now ({status})")
        self.status = status


class Refused(Exception):
    """The gateway will not send this message, however often it is asked."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the gateway refused ({status})")
        self.status = status


class Gateway(Protocol):
    def send(self, sms: OutgoingSms) -> Sent:
        """Hand a message over. Raises TryAgain or Refused."""
        ...

    def reports(self, gateway_ids: list[str]) -> Mapping[str, DeliveryReport]:
        """Return what became of messages handed over, without those it knows nothing of. Raises TryAgain."""
        ...


class ConsoleGateway:
    """Prints each message, for the person at the keyboard. Local mode only."""

    def send(self, sms: OutgoingSms) -> Sent:
        sys.stdout.write(f"SMS to +{sms.phone}: {' '.join(sms.text.split())}\n")
        sys.stdout.flush()
        return Sent(gateway_id="", status=100)

    def reports(self, gateway_ids: list[str]) -> Mapping[str, DeliveryReport]:
        return {}


class FileGateway:
    """Appends each message to a file, one JSON object a line. Local mode only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, sms: OutgoingSms) -> Sent:
        code = SIX_DIGITS.search(sms.text)
        line = {
            "at": timezone.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "phone": sms.phone,
            "text": sms.text,
            "code": code[1] if code else "",
        }
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError:
            raise TryAgain from None
        return Sent(gateway_id="", status=100)

    def reports(self, gateway_ids: list[str]) -> Mapping[str, DeliveryReport]:
        return {}


class LocalGateway(FileGateway):
    """Both: what `make run` uses."""

    def send(self, sms: OutgoingSms) -> Sent:
        super().send(sms)
        return ConsoleGateway().send(sms)


class SmsRu:
    """SMS.RU over HTTP. The status of each phone decides; the outer one says only that the request was understood."""

    UNKNOWN, QUEUED, WITH_OPERATOR, ON_ITS_WAY, DELIVERED = -1, 100, 101, 102, 103
    TAKEN = frozenset({QUEUED, WITH_OPERATOR, ON_ITS_WAY, DELIVERED})
    WORTH_ANOTHER_TRY = frozenset({220, 500})
    REPEATED = frozenset({231, 232})

    def __init__(self, url: str, api_id: str, sender: str = "", timeout_s: float = 10) -> None:
        self.url = url.rstrip("/")
        self.api_id = api_id
        self.sender = sender
        self.timeout_s = timeout_s

    def send(self, sms: OutgoingSms) -> Sent:
        answer = self._ask("/sms/send", self._message(sms), idempotency_key=str(sms.id))
        self._refuse_failed(answer)
        mine = parts_of(answer).get(sms.phone)
        if mine is None:
            raise TryAgain
        status = status_of(mine)
        if status in self.REPEATED and sms.attempt > 1:  # an earlier try arrived, only its answer was lost
            return Sent(gateway_id="", status=status)
        self._refuse_failed(mine)
        return Sent(gateway_id=id_of(mine), status=status)

    def reports(self, gateway_ids: list[str]) -> Mapping[str, DeliveryReport]:
        answer = self._ask("/sms/status", {"sms_id": ",".join(gateway_ids)})
        self._refuse_failed(answer)
        told = parts_of(answer)
        return {
            key: self._report(told[key]) for key in gateway_ids if key in told and status_of(told[key]) != self.UNKNOWN
        }

    def balance(self) -> float:
        """Return the roubles that are left. Raises TryAgain, and Refused for an account that is none."""
        answer = self._ask("/my/balance", {})
        self._refuse_failed(answer)
        try:
            return float(answer["balance"])
        except (KeyError, TypeError, ValueError):
            raise TryAgain from None

    def _message(self, sms: OutgoingSms) -> dict[str, str]:
        fields = {"to": sms.phone, "msg": sms.text, "ttl": str(max(1, sms.minutes))}
        if self.sender:
            fields["from"] = self.sender
        if sms.address:
            fields["ip"] = sms.address
        return fields

    def _report(self, told: dict[str, Any]) -> DeliveryReport:
        status = status_of(told)
        if status == self.DELIVERED:
            return DeliveryReport(Delivery.DELIVERED, status)
        if status in self.TAKEN or status in self.WORTH_ANOTHER_TRY:
            return DeliveryReport(Delivery.ON_ITS_WAY, status)
        return DeliveryReport(Delivery.FAILED, status)

    def _refuse_failed(self, answer: dict[str, Any]) -> None:
        """Raise TryAgain or Refused unless the gateway took over what this part of its answer is about."""
        status = status_of(answer)
        if status in self.WORTH_ANOTHER_TRY:
            raise TryAgain(status)
        if status == self.UNKNOWN:
            raise TryAgain
        if status not in self.TAKEN:
            raise Refused(status)

    def _ask(self, path: str, fields: dict[str, str], idempotency_key: str = "") -> dict[str, Any]:
        body = urlencode({"api_id": self.api_id, "json": "1", **fields}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        return self._exchange(path, body, headers)

    def _exchange(self, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        """Return the answer. Raises TryAgain for a fault of the network, a status ≥ 500 and what is not JSON."""
        bounds: dict[str, Any] = {"timeout_s": self.timeout_s, "bytes_at_most": ANSWER_BYTES_AT_MOST}
        try:
            answer = post(self.url + path, body, headers, **bounds)
            if answer.status >= 500:
                raise TryAgain(answer.status)
            return answer.json_object()
        except NoAnswer:
            raise TryAgain from None


def parts_of(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what an answer says of each phone or message."""
    parts = answer.get("sms")
    return {key: part for key, part in parts.items() if isinstance(part, dict)} if isinstance(parts, dict) else {}


def status_of(part: dict[str, Any]) -> int:
    """Return the `status_code` of an answer or of one phone in it. Raises TryAgain where there is none."""
    status = str(part.get("status_code"))
    if not STATUS.fullmatch(status):
        raise TryAgain
    return int(status)


def id_of(part: dict[str, Any]) -> str:
    """Return the id that a message got, nothing for what is none: then nobody asks what became of it."""
    sms_id = part.get("sms_id")
    return sms_id if isinstance(sms_id, str) and SMS_ID.fullmatch(sms_id) else ""


def gateway() -> Gateway:
    """Return the gateway that settings name; one that shows codes only where that is its very name."""
    if settings.SMS_GATEWAY == "local":
        return LocalGateway(settings.SMS_FILE)
    if settings.SMS_GATEWAY == "file":
        return FileGateway(settings.SMS_FILE)
    if settings.SMS_GATEWAY == "console":
        return ConsoleGateway()
    return SmsRu(settings.SMS_RU_URL, settings.SMS_RU_API_ID, settings.SMS_RU_SENDER, settings.SMS_TIMEOUT_S)
