"""How people stand in answers of the API."""

from typing import Any
from uuid import UUID

from django.urls import reverse
from ninja import Field, Schema

from accounts.models import User
from accounts.services import consents
from lk_site.formats import mask_phone


class AgencyOut(Schema):
    id: UUID
    name: str = Field(examples=["Ключи и двери"])


class ConsentDueOut(Schema):
    """A text to agree to: `blocks_from` is the day from which nothing goes on without it, `text` where it is read."""

    document: str = Field(examples=[consents.PERSONAL_DATA])
    version: str = Field(examples=["2"])
    blocks_from: str = Field(examples=["2026-12-01"])
    text: str = Field(examples=["/consents/personal_data/2/"])


class MeOut(Schema):
    """The person who asks."""

    id: UUID
    phone_masked: str = Field(examples=["+7 916 ***-**-67"])
    name: str | None = Field(examples=["Анна Соколова"])
    role: str = Field(description="`agent` or `head`", examples=["agent"])
    agency: AgencyOut
    language: str = Field(description="Empty: as each request asks.", examples=["ru"])
    time_zone: str = Field(examples=["Europe/Moscow"])
    theme: str = Field(examples=["system"])
    consents_due: list[ConsentDueOut]


def me_of(user: User) -> dict[str, Any]:
    """Return what the person is told about himself."""
    assert user.agency is not None
    return {
        "id": user.pk,
        "phone_masked": mask_phone(user.phone or ""),
        "name": user.name,
        "role": user.role,
        "agency": {"id": user.agency.pk, "name": user.agency.name},
        "language": user.language,
        "time_zone": user.time_zone,
        "theme": user.theme,
        "consents_due": [
            {
                "document": text.document,
                "version": text.version,
                "blocks_from": text.blocks_from.isoformat(),
                "text": reverse("accounts:consent_document", args=[text.document, text.version]),
            }
            for text in consents.consents_due(user)
        ],
    }
