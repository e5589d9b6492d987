"""Authenticator apps and passkeys of tests, and agents who have them."""

import hashlib
import json
import secrets
import struct
import time
from base64 import b32decode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.utils import timezone
from django_otp.oath import TOTP
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestedCredentialData

from accounts.models import AgentTotp, User
from accounts.services import factors, totp
from accounts.services.unit_of_work import unit_of_work


def app_code(user: User, steps: int = 0) -> str:
    """The code that the person's app shows now, or so many steps of 30 s away."""
    app = TOTP(b32decode(AgentTotp.objects.get(user=user).secret or ""))
    app.time = time.time() + steps * totp.STEP_S
    return f"{app.token():06}"


def with_app(user: User) -> list[str]:
    """Give a person an app that has been confirmed, and return the back-up codes."""
    AgentTotp(user=user, secret=totp.new_secret(), confirmed_at=timezone.now()).save(force_insert=True)
    return unit_of_work(factors.new_backup_codes)(user)


class Device:
    """A device that makes one passkey and signs with it, as a browser hands that on."""

    def __init__(self, site: str = "localhost", origin: str = "http://localhost:8000") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(16)
        self.site, self.origin, self.counter, self.is_verifying = site, origin, 0, True

    def made(self, options: dict[str, Any]) -> dict[str, str]:
        """Answer the challenge of a new passkey."""
        public = ES256.from_cryptography_key(self.key.public_key())
        credential = AttestedCredentialData.create(bytes(16), self.credential_id, public)
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": self.data(0x40) + bytes(credential)})
        client_data = self.client_data("webauthn.create", options)
        return {"client_data": websafe_encode(client_data), "attestation": websafe_encode(attestation)}

    def signed(self, options: dict[str, Any], use: str = "webauthn.get") -> dict[str, str]:
        """Answer the challenge of a login or a confirmation."""
        self.counter += 1
        data, client_data = self.data(), self.client_data(use, options)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        return {
            "credential_id": websafe_encode(self.credential_id),
            "client_data": websafe_encode(client_data),
            "authenticator_data": websafe_encode(data),
            "signature": websafe_encode(signature),
        }

    def data(self, flags: int = 0) -> bytes:
        """Who was asked, that the person was there and proved himself to the device, and how often it has signed."""
        present = flags | 0x01 | (0x04 if self.is_verifying else 0)
        return hashlib.sha256(self.site.encode()).digest() + struct.pack(">BI", present, self.counter)

    def client_data(self, use: str, options: dict[str, Any]) -> bytes:
        told = {"type": use, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()
